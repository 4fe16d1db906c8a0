//! Putting what was read into a keyspace.

use super::reader::{Item, KeyItem};
use crate::access::Stamp;
use crate::keyspace::{Keyspace, Place};
use std::fmt;

/// How to load.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LoadOptions {
    /// The keyspace has one table a slot.
    pub slotted: bool,
    /// Leave out keys whose expiry lies before this, in Unix milliseconds. A replica keeps them,
    /// since only its primary decides what has expired.
    pub expired_before: Option<u64>,
    /// The time, and whether keys' idle times or their frequencies are of interest.
    pub access: Stamp,
}

/// Puts keys into a keyspace, which should be empty.
pub struct Loader {
    options: LoadOptions,
    keys_loaded: u64,
    keys_expired: u64,
}

/// Why an item does not fit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LoadError {
    /// There is no such database.
    NoDatabase {
        /// Its number.
        db: u32,
        /// How many databases there are.
        databases: u32,
    },
    /// The key is there already.
    Duplicate {
        /// Database.
        db: u32,
        /// Key.
        key: Vec<u8>,
    },
}

impl Loader {
    /// One that has loaded nothing.
    pub fn new(options: LoadOptions) -> Self {
        Loader { options, keys_loaded: 0, keys_expired: 0 }
    }

    /// How many keys have been put into the keyspace.
    pub fn keys_loaded(&self) -> u64 {
        self.keys_loaded
    }

    /// How many keys have been left out because they had expired.
    pub fn keys_expired(&self) -> u64 {
        self.keys_expired
    }

    /// Takes in a key; of other items only looks whether the database exists.
    ///
    /// # Errors
    /// When the database does not exist, or the key does already.
    pub fn load(&mut self, item: Item, keyspace: &mut Keyspace) -> Result<(), LoadError> {
        match item {
            Item::Key(item) => self.load_key(&item, keyspace),
            Item::SelectDb(db) => check_database(db, keyspace),
            _ => Ok(()),
        }
    }

    fn load_key(&mut self, item: &KeyItem, keyspace: &mut Keyspace) -> Result<(), LoadError> {
        let KeyItem { db, key, expires, .. } = item;
        check_database(*db, keyspace)?;
        if expires.zip(self.options.expired_before).is_some_and(|(at, now)| at < now) {
            self.keys_expired += 1;
            return Ok(());
        }
        let slot = if self.options.slotted { wire::slot::slot(key) } else { 0 };
        let hash = keyspace.hash(key);
        let mut edit = keyspace.edit(Place::new(*db, slot), hash, key);
        if edit.entry().is_some() {
            return Err(LoadError::Duplicate { db: *db, key: key.clone() });
        }
        edit.start_with_access(self.options.access.known(item.idle, item.freq));
        edit.put(item.value.as_new(), *expires);
        self.keys_loaded += 1;
        Ok(())
    }
}

fn check_database(db: u32, keyspace: &Keyspace) -> Result<(), LoadError> {
    let databases = keyspace.databases();
    if db < databases { Ok(()) } else { Err(LoadError::NoDatabase { db, databases }) }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadError::NoDatabase { db, databases } => {
                write!(f, "the data uses database {db}, but there are only {databases}")
            }
            LoadError::Duplicate { db, key } => {
                write!(f, "key \"{}\" of database {db} comes twice", key.escape_ascii())
            }
        }
    }
}

impl std::error::Error for LoadError {}
