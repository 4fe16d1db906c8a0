//! At most one owner per slot and epoch.

use crate::deployment::{Health, Outcome, Server};
use crate::raiser::{TAGS, slot_of};
use cluster::NodeId;
use std::collections::BTreeMap;

/// Who has claimed what.
#[derive(Default)]
pub(crate) struct Owners {
    claims: BTreeMap<(u16, u64), NodeId>,
}

impl Owners {
    /// Looks at the claims of all nodes for themselves.
    pub(crate) fn look(&mut self, servers: &[Server]) -> Outcome<()> {
        for server in servers.iter().filter(|server| server.health != Health::Dead) {
            let view = server.view.borrow();
            let (Some(id), epoch) = (view.id(), view.epoch()) else { continue };
            for slot in (0..TAGS).map(slot_of).filter(|slot| view.owns(*slot)) {
                let owner = *self.claims.entry((slot, epoch)).or_insert(id);
                if owner != id {
                    return Err(format!(
                        "slot {slot} has two owners in epoch {epoch}: {owner}, {id}"
                    ));
                }
            }
        }
        Ok(())
    }
}
