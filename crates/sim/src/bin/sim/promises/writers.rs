//! No two nodes accept writes to a slot at once.
//!
//! Seen in two ways: by what the nodes were told (owner, state, lease), and by what clients were
//! answered, which does not believe that a node heeds what it is told.

use crate::deployment::{Outcome, Server};
use crate::raiser::{Ack, TAGS, slot_of};
use std::collections::BTreeMap;

/// What was answered under the newest claim to each tag's slot.
#[derive(Default)]
pub(crate) struct Writers {
    newest: BTreeMap<usize, Ack>,
}

impl Writers {
    /// Looks at who may write.
    pub(crate) fn look(&self, time: u64, servers: &[Server]) -> Outcome<()> {
        for slot in (0..TAGS).map(slot_of) {
            let writes = |number: &usize| servers[*number].writes(slot, time);
            let writers: Vec<usize> = (0..servers.len()).filter(writes).collect();
            if writers.len() > 1 {
                return Err(format!("servers {writers:?} may write slot {slot} at once"));
            }
        }
        Ok(())
    }

    /// Whoever answers a write that was sent after a newer owner had answered one is too late.
    pub(crate) fn answered(&mut self, ack: &Ack) -> Outcome<()> {
        if let Some(newest) = self.newest.get(&ack.tag)
            && newest.epoch > ack.epoch
            && newest.at < ack.sent
        {
            let slot = slot_of(ack.tag);
            return Err(format!(
                "server {} wrote slot {slot} under epoch {} after server {} had under epoch {}",
                ack.server, ack.epoch, newest.server, newest.epoch
            ));
        }
        let newest = self.newest.entry(ack.tag).or_insert(*ack);
        if ack.epoch > newest.epoch {
            *newest = *ack;
        }
        Ok(())
    }
}
