//! What was acknowledged stays: counters never fall below what a client was answered.
//!
//! Asynchronous replication may lose writes when a primary is cut off or its machine crashes; that
//! is counted. Where nothing may be lost, a lost write is a failure.

use crate::deployment::Outcome;
use crate::raiser::{Ack, Journal};
use std::collections::BTreeMap;

/// What each counter must hold.
#[derive(Default)]
pub(crate) struct Acknowledged {
    held: BTreeMap<(usize, usize), i64>,
    /// Acknowledged and gone.
    pub(crate) lost: u64,
    /// Nothing may be lost at present.
    pub(crate) strict: bool,
}

impl Acknowledged {
    /// A write was answered.
    pub(crate) fn answered(&mut self, ack: &Ack, journal: &Journal) -> Outcome<()> {
        let counter = (ack.client, ack.tag);
        let tries = journal.attempts.get(&counter).copied().unwrap_or(0);
        if ack.value > tries {
            return Err(format!("counter {counter:?} was raised {tries} times to {}", ack.value));
        }
        self.found(counter, ack.value - 1)?;
        self.held.insert(counter, ack.value);
        Ok(())
    }

    /// A counter was found to hold this.
    pub(crate) fn found(&mut self, counter: (usize, usize), value: i64) -> Outcome<()> {
        let held = self.held.get(&counter).copied().unwrap_or(0);
        if value >= held {
            return Ok(());
        }
        self.lost += held.abs_diff(value);
        self.held.insert(counter, value);
        if self.strict {
            return Err(format!(
                "counter {counter:?} was acknowledged up to {held} and holds {value}"
            ));
        }
        Ok(())
    }
}
