//! Keys that a replica's own clients made, where `replica-read-only` lets them.
//!
//! What expires is for the primary to say, but it does not know of these keys: the replica has to
//! remove them itself.

use crate::node::Node;
use machine::Now;
use store::keyspace::Place;
use wire::command::{self, Command};
use wire::slot::slot;

/// No more keys are remembered.
const MOST: usize = 100_000;
/// Keys looked at each tenth of a second.
const PORTION: usize = 64;

impl Node {
    /// A client has written to a replica: keys that will expire are remembered.
    #[cold]
    pub(crate) fn remember_own(&mut self, row: &Command, db: u32, args: &[&[u8]]) {
        for key in command::key_positions(row, args) {
            let Some(key) = args.get(key.index) else { continue };
            let entry = self.data.keyspace.find(db, key);
            let volatile = entry.is_some_and(|entry| entry.expires().is_some());
            let own = &mut self.replication.chores.own;
            if volatile && own.len() < MOST {
                own.insert((db, key.to_vec()));
            }
        }
    }

    /// Removes those whose time has come, and forgets those that expire no more.
    pub(crate) fn expire_own(&mut self, now: Now) {
        if self.replication.chores.own.is_empty() {
            return;
        }
        if self.replication.link.is_none() {
            // A primary looks after all keys.
            return self.replication.chores.own.clear();
        }
        let from = std::mem::take(&mut self.replication.chores.own_next);
        let own = &self.replication.chores.own;
        let some: Vec<_> = own.range(from..).take(PORTION).cloned().collect();
        if some.len() == PORTION
            && let Some(last) = some.last()
        {
            self.replication.chores.own_next = last.clone();
        }
        for key in some {
            let entry = self.data.keyspace.find(key.0, &key.1);
            let at = entry.and_then(|entry| entry.expires());
            if at.is_some_and(|at| at >= now.wall.millis()) {
                continue;
            }
            if at.is_some() {
                self.remove_own(key.0, &key.1);
            }
            self.replication.chores.own.remove(&key);
        }
    }

    fn remove_own(&mut self, db: u32, key: &[u8]) {
        let slot = if self.clustering.is_some() { slot(key) } else { 0 };
        let hash = self.data.keyspace.hash(key);
        if let Some(mut edit) = self.data.keyspace.edit_existing(Place::new(db, slot), hash, key) {
            edit.remove();
            self.data.counters.expired += 1;
        }
    }
}
