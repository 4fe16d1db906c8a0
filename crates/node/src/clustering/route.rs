//! Whether a request is for this node.

use super::Clustering;
use super::nodes::endpoint;
use crate::admit::Refused;
use crate::config;
use crate::node::Node;
use cluster::NodeView;
use front::Session;
use machine::Instant;
use std::fmt;
use wire::command::{self, Command, flag};
use wire::slot::slot;

/// Why a request is not run here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Refusal {
    CrossSlot,
    NotServed,
    Down,
    DownForWrites,
    Moved { slot: u16, host: String, port: u16 },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::CrossSlot => {
                f.write_str("CROSSSLOT Keys in request don't hash to the same slot")
            }
            Refusal::NotServed => f.write_str("CLUSTERDOWN Hash slot not served"),
            Refusal::Down => f.write_str("CLUSTERDOWN The cluster is down"),
            Refusal::DownForWrites => {
                f.write_str("CLUSTERDOWN The cluster is down and only accepts read commands")
            }
            Refusal::Moved { slot, host, port } => write!(f, "MOVED {slot} {host}:{port}"),
        }
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Refused::Elsewhere(refusal.to_string())
    }
}

impl Refused {
    /// Keys of several slots.
    pub(crate) fn cross_slot() -> Self {
        Refusal::CrossSlot.into()
    }
}

impl Node {
    /// Decides on a request whose keys lie in `first` (the slot of its first key).
    pub(crate) fn route(
        &self,
        row: &'static Command,
        args: &[&[u8]],
        first: u16,
        session: &Session,
        now: Instant,
    ) -> Result<(), Refused> {
        let Some(clustering) = &self.clustering else { return Ok(()) };
        let slot = if row.one_key {
            first
        } else {
            match common_slot(row, args)? {
                Some(slot) => slot,
                None => return Ok(()),
            }
        };
        let leased = clustering.lease.allows(now) || self.clients.pause.is_handover();
        Ok(clustering.admit(row, slot, session, leased, &self.config.cluster)?)
    }

    /// The slot of all keys of a request; `None` when it has none.
    pub(crate) fn slot_of(
        &self,
        row: &'static Command,
        args: &[&[u8]],
    ) -> Result<Option<u16>, Refused> {
        Ok(common_slot(row, args)?)
    }
}

/// The slot of all keys of a request; `None` when it has none.
fn common_slot(row: &'static Command, args: &[&[u8]]) -> Result<Option<u16>, Refusal> {
    let mut common = None;
    for key in command::key_positions(row, args) {
        let slot = slot(args.get(key.index).copied().unwrap_or_default());
        if common.is_some_and(|common| common != slot) {
            return Err(Refusal::CrossSlot);
        }
        common = Some(slot);
    }
    Ok(common)
}

impl Clustering {
    fn admit(
        &self,
        row: &'static Command,
        slot: u16,
        session: &Session,
        leased: bool,
        config: &config::cluster::Cluster,
    ) -> Result<(), Refusal> {
        let topology = self.topology.as_ref().ok_or(Refusal::Down)?;
        let owner = topology.owner(slot).ok_or(Refusal::NotServed)?;
        let write = row.flags.has(flag::WRITE);
        if !topology.ok {
            if !config.allow_reads_when_down {
                return Err(Refusal::Down);
            }
            if write {
                return Err(Refusal::DownForWrites);
            }
        }
        if owner.myself {
            return if write && !leased { Err(Refusal::Down) } else { Ok(()) };
        }
        let reads_here = session.modes.readonly && row.flags.has(flag::READONLY);
        if reads_here && topology.me().primary == Some(owner.id) {
            return Ok(());
        }
        Err(moved(slot, owner, &config.announce.endpoint))
    }
}

fn moved(slot: u16, owner: &NodeView, prefer: &str) -> Refusal {
    let host = endpoint(&owner.at, prefer).to_owned();
    Refusal::Moved { slot, host, port: owner.at.port }
}
