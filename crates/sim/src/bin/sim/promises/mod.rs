//! What must hold whatever happens: a file per promise, each checked from outside.

mod acknowledged;
mod equality;
mod offsets;
mod owners;
mod service;
mod writers;

pub(crate) use equality::replicas_are_equal;
pub(crate) use service::every_slot_is_served;

use crate::deployment::{Outcome, Server};
use crate::raiser::Journal;
use acknowledged::Acknowledged;
use offsets::Offsets;
use owners::Owners;
use writers::Writers;

/// The checkers that look on all the time.
#[derive(Default)]
pub(crate) struct Promises {
    pub(crate) acknowledged: Acknowledged,
    pub(crate) offsets: Offsets,
    owners: Owners,
    writers: Writers,
    /// How much of the journal has been read.
    read: usize,
}

impl Promises {
    /// Looks at what the nodes serve by and at what clients were answered.
    pub(crate) fn look(&mut self, time: u64, servers: &[Server], journal: &Journal) -> Outcome<()> {
        self.owners.look(servers)?;
        self.writers.look(time, servers)?;
        for ack in &journal.acks[self.read..] {
            self.writers.answered(ack)?;
            self.acknowledged.answered(ack, journal)?;
        }
        self.read = journal.acks.len();
        Ok(())
    }

    /// A server answered INFO in this life of its process.
    pub(crate) fn heard(&mut self, server: usize, life: u64, info: &str) -> Outcome<()> {
        self.offsets.heard(server, life, info)
    }
}
