//! Keys that somebody watches, and how often each was touched.
//!
//! A watcher remembers the number it saw, and compares it when it wants to know: whoever changes a
//! key need not know who watches it.

use crate::keyspace::{Keyspace, Place};
use crate::table::{EntryRef, Hash};
use std::collections::BTreeMap;
use wire::slot::slot;

/// Watched keys by database and hash: the hash is keyed and has 64 bits, so that two keys of one
/// hash are not met, and if they were, a change of either would count for both.
#[derive(Default)]
pub(crate) struct Watched {
    keys: BTreeMap<(u32, u64), Count>,
}

struct Count {
    key: Box<[u8]>,
    watchers: u64,
    touched: u64,
}

impl Watched {
    /// Whether nobody watches anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// One more watcher; how often the key was touched so far.
    pub(crate) fn add(&mut self, db: u32, hash: Hash, key: &[u8]) -> u64 {
        let new = || Count { key: key.into(), watchers: 0, touched: 0 };
        let count = self.keys.entry((db, hash.0)).or_insert_with(new);
        count.watchers += 1;
        count.touched
    }

    /// One watcher less.
    pub(crate) fn remove(&mut self, db: u32, hash: Hash) {
        if let Some(count) = self.keys.get_mut(&(db, hash.0)) {
            count.watchers -= 1;
            if count.watchers == 0 {
                self.keys.remove(&(db, hash.0));
            }
        }
    }

    /// A key was changed, added or removed.
    pub(crate) fn touch(&mut self, db: u32, hash: Hash) {
        if let Some(count) = self.keys.get_mut(&(db, hash.0)) {
            count.touched += 1;
        }
    }

    /// How often a watched key was touched.
    pub(crate) fn touched(&self, db: u32, hash: Hash) -> u64 {
        self.keys.get(&(db, hash.0)).map_or(0, |count| count.touched)
    }

    /// The keys watched in a database.
    pub(crate) fn keys(&self, db: u32) -> impl Iterator<Item = (Hash, &[u8])> {
        let range = self.keys.range((db, 0)..=(db, u64::MAX));
        range.map(|((_, hash), count)| (Hash(*hash), &*count.key))
    }
}

impl Keyspace {
    /// Watches a key: how often it was touched so far. Each call wants an [`Keyspace::unwatch`].
    pub fn watch(&mut self, db: u32, key: &[u8]) -> u64 {
        let hash = self.hash(key);
        self.snapshot().watch(|watched| watched.add(db, hash, key))
    }

    /// Ends what [`Keyspace::watch`] began.
    pub fn unwatch(&mut self, db: u32, key: &[u8]) {
        let hash = self.hash(key);
        self.snapshot().watch(|watched| watched.remove(db, hash));
    }

    /// How often a watched key was touched by now.
    pub fn touched(&self, db: u32, key: &[u8]) -> u64 {
        self.watched().touched(db, self.hash(key))
    }

    /// What a key holds, expired or not; the slot is found from the key.
    pub fn find(&self, db: u32, key: &[u8]) -> Option<EntryRef<'_>> {
        self.find_hashed(db, self.hash(key), key)
    }

    fn find_hashed(&self, db: u32, hash: Hash, key: &[u8]) -> Option<EntryRef<'_>> {
        let slot = if self.is_slotted() { slot(key) } else { 0 };
        self.get(Place::new(db, slot), hash, key)
    }

    /// A database, or one slot of it, is about to be emptied.
    pub(crate) fn touch_all(&mut self, db: u32, only: Option<u16>) {
        let hit = self.watched_where(db, |keyspace, hash, key| {
            only.is_none_or(|only| slot(key) == only)
                && keyspace.find_hashed(db, hash, key).is_some()
        });
        self.touch_these(db, hit);
    }

    /// Two databases are about to change places: what was absent or expired and will be again has
    /// not changed for a watcher.
    pub(crate) fn touch_swapped(&mut self, a: u32, b: u32, now: u64) {
        for (from, to) in [(a, b), (b, a)] {
            let hit = self.watched_where(from, |keyspace, hash, key| {
                [from, to].into_iter().any(|db| {
                    let entry = keyspace.find_hashed(db, hash, key);
                    entry.is_some_and(|entry| entry.expires().is_none_or(|at| at >= now))
                })
            });
            self.touch_these(from, hit);
        }
    }

    fn watched_where(&self, db: u32, is: impl Fn(&Self, Hash, &[u8]) -> bool) -> Vec<Hash> {
        let keys = self.watched().keys(db);
        keys.filter(|(hash, key)| is(self, *hash, key)).map(|(hash, _)| hash).collect()
    }

    fn touch_these(&mut self, db: u32, hashes: Vec<Hash>) {
        for hash in hashes {
            self.snapshot().watch(|watched| watched.touch(db, hash));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::New;

    fn put(keyspace: &mut Keyspace, db: u32, key: &[u8], expires: Option<u64>) {
        let hash = keyspace.hash(key);
        keyspace.edit(Place::new(db, 0), hash, key).put(New::Bytes(b"v"), expires);
    }

    #[test]
    fn touches_of_watched_keys_are_counted() {
        let mut keyspace = Keyspace::new(2, false, [7; 16]);
        put(&mut keyspace, 0, b"k", None);
        assert_eq!(keyspace.watch(0, b"k"), 0);
        assert_eq!(keyspace.watch(1, b"k"), 0);
        put(&mut keyspace, 0, b"k", None);
        put(&mut keyspace, 0, b"other", None);
        assert_eq!([keyspace.touched(0, b"k"), keyspace.touched(1, b"k")], [1, 0]);
        let hash = keyspace.hash(b"k");
        keyspace.edit(Place::new(0, 0), hash, b"k").set_expires(Some(5));
        keyspace.edit(Place::new(0, 0), hash, b"k").remove();
        // Nothing is there any more.
        keyspace.edit(Place::new(0, 0), hash, b"k").remove();
        assert_eq!(keyspace.touched(0, b"k"), 3);
        keyspace.unwatch(0, b"k");
        put(&mut keyspace, 0, b"k", None);
        assert_eq!(keyspace.watch(0, b"k"), 0);
    }

    #[test]
    fn whole_databases_touch_what_they_hold() {
        let mut keyspace = Keyspace::new(2, false, [7; 16]);
        put(&mut keyspace, 0, b"here", None);
        put(&mut keyspace, 0, b"old", Some(10));
        put(&mut keyspace, 1, b"there", None);
        for key in [&b"here"[..], b"old", b"there", b"nowhere"] {
            keyspace.watch(0, key);
        }
        let counts = |keyspace: &Keyspace| {
            [&b"here"[..], b"old", b"there", b"nowhere"].map(|key| keyspace.touched(0, key))
        };
        keyspace.swap(0, 1, 20);
        assert_eq!(counts(&keyspace), [1, 0, 1, 0]);
        keyspace.swap(0, 1, 20);
        assert_eq!(counts(&keyspace), [2, 0, 2, 0]);
        // The tables know where they are now.
        put(&mut keyspace, 0, b"here", None);
        assert_eq!(counts(&keyspace), [3, 0, 2, 0]);
        keyspace.clear(0);
        assert_eq!(counts(&keyspace), [4, 1, 2, 0]);
        put(&mut keyspace, 0, b"nowhere", None);
        assert_eq!(counts(&keyspace), [4, 1, 2, 1]);
    }
}
