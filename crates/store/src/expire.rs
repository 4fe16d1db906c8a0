//! Finding expired keys that nobody asks for.

use crate::keyspace::{Keyspace, Place};
use crate::table::Table;
use wire::slot::SLOTS;

/// Keys looked at in one unit of work.
const SAMPLE: u64 = 20;
/// Tables without anything to expire that count as one unit of work.
const SKIPS: u32 = 64;

/// What [`Keyspace::expire_cycle`] did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Cycle {
    /// Keys removed.
    pub expired: u64,
    /// Whether it stopped for lack of units while more than a tenth of the last sample were due.
    pub more: bool,
}

impl Keyspace {
    /// Samples keys with an expiry, table by table, and removes those whose time has come; `gone`
    /// hears of each, to count it and to tell replicas. It stays with a table while more than a
    /// tenth of a sample were due, and goes on next time where it stops, which is after `units`
    /// samples or one round of all tables.
    ///
    /// Only for a primary: a replica waits for the primary's word.
    pub fn expire_cycle(
        &mut self,
        now: u64,
        mut units: u32,
        mut gone: impl FnMut(Place, &[u8]),
    ) -> Cycle {
        let slots = if self.is_slotted() { SLOTS as u32 } else { 1 };
        let (mut tables, mut skips) = (u64::from(self.databases()) * u64::from(slots), 0);
        let mut cycle = Cycle::default();
        let mut key = Vec::new();
        while units > 0 && tables > 0 {
            let place = self.cycle;
            let len = self.table(place).map_or(0, |table| table.volatile_len() as u64);
            let sample = len.min(SAMPLE);
            let mut due = 0;
            for turn in (0..sample).rev() {
                let random = self.random.number();
                let Some(table) = self.table(place) else { break };
                let number = if len <= SAMPLE { number_of(turn, table) } else { random };
                if sampled_due(table, number, now, &mut key) {
                    let hash = self.hash(&key);
                    self.edit(place, hash, &key).remove();
                    gone(place, &key);
                    due += 1;
                }
            }
            cycle.expired += due;
            cycle.more = due * 10 > sample;
            if sample > 0 {
                units -= 1;
            } else {
                skips += 1;
                units -= u32::from(skips % SKIPS == 0);
            }
            if !cycle.more {
                tables -= 1;
                self.cycle = next(place, slots, self.databases());
            }
        }
        cycle
    }
}

/// The least number that leads to an index. Where a sample takes in all keys, it takes each once,
/// the last one first: removing one moves the last into its place.
fn number_of(index: u64, table: &Table) -> u64 {
    (u128::from(index) << 64).div_ceil(table.volatile_len() as u128) as u64
}

/// Draws a key; whether it is due. If so, `key` holds it.
fn sampled_due(table: &Table, number: u64, now: u64, key: &mut Vec<u8>) -> bool {
    let Some(entry) = table.random_volatile(number) else { return false };
    let due = entry.expires().is_some_and(|at| at < now);
    if due {
        key.clear();
        key.extend_from_slice(entry.key());
    }
    due
}

/// The next table, around all databases.
pub(crate) fn next(place: Place, slots: u32, databases: u32) -> Place {
    let slot = u32::from(place.slot()) + 1;
    if slot < slots {
        return Place::new(place.db(), slot as u16);
    }
    Place::new((place.db() + 1) % databases, 0)
}
