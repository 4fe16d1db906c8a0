//! DEBUG RELOAD: every value is written as a snapshot would write it, and read again, while
//! everybody waits: nothing that was acknowledged can fall in between.

use crate::node::Node;
use machine::Now;
use store::keyspace::Keyspace;
use store::rdb::{Item, KeyItem, Limits, LoadOptions, Loader, payload};
use store::table::EntryRef;

impl Node {
    /// Takes the data through the format of snapshots.
    ///
    /// # Errors
    /// What could not be read again, if anything; the data is then as it was.
    pub(super) fn reload(&mut self, now: Now) -> Result<(), String> {
        let mut fresh = self.data.keyspace.sibling();
        let mut loader = Loader::new(LoadOptions {
            slotted: self.clustering.is_some(),
            expired_before: None,
            access: self.stamp(now),
        });
        for db in 0..self.data.keyspace.databases() {
            for (_, table) in self.data.keyspace.tables(db) {
                let mut entries = Vec::with_capacity(table.len());
                let mut position = table.scan(0, |entry| entries.push(entry));
                while position != 0 {
                    position = table.scan(position, |entry| entries.push(entry));
                }
                for entry in entries {
                    copy(db, entry, &mut loader, &mut fresh)?;
                }
            }
        }
        self.data.keyspace.adopt(fresh);
        Ok(())
    }
}

fn copy(
    db: u32,
    entry: EntryRef<'_>,
    loader: &mut Loader,
    fresh: &mut Keyspace,
) -> Result<(), String> {
    let bytes: Vec<u8> = payload::encode(entry.view(), None).pieces().flatten().copied().collect();
    let limits = Limits { string: usize::MAX };
    let value = payload::decode(&bytes, limits).map_err(|error| error.to_string())?;
    let key = entry.key().to_vec();
    let expires = entry.expires();
    let item = KeyItem { db, key, expires, idle: None, freq: None, value };
    loader.load(Item::Key(item), fresh).map_err(|error| error.to_string())?;
    if let Some(copied) = fresh.find(db, entry.key()) {
        copied.set_access(entry.access());
    }
    Ok(())
}
