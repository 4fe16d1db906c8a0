//! Promises, checked from outside after every step of the world.

use crate::rig::Server;
use cluster::NodeId;
use std::collections::BTreeMap;

/// A slot of each shard.
pub(crate) const PROBES: [u16; 3] = [0, 6000, 16383];

/// At most one owner per slot and epoch; leases exclusive.
#[derive(Default)]
pub(crate) struct Checkers {
    claims: BTreeMap<(u16, u64), NodeId>,
}

impl Checkers {
    pub(crate) fn look(&mut self, time: u64, servers: &[Server]) {
        for slot in PROBES {
            let mut writers = Vec::new();
            for (index, server) in servers.iter().enumerate() {
                let seen = server.seen.borrow();
                if server.alive && seen.writes(slot, time) {
                    writers.push(index);
                }
                let Some(topology) = &seen.topology else { continue };
                let me = topology.me();
                if server.alive && topology.is_mine(slot) && me.primary.is_none() {
                    let owner = self.claims.entry((slot, me.config_epoch)).or_insert(me.id);
                    assert_eq!(*owner, me.id, "two owners of {slot} in {}", me.config_epoch);
                }
            }
            assert!(writers.len() < 2, "{writers:?} may write {slot} at {time}");
        }
    }
}
