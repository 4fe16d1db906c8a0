//! Whether a request is for this node.

use super::Clustering;
use super::nodes::endpoint;
use crate::admit::Refused;
use crate::config;
use crate::node::Node;
use cluster::NodeView;
use front::Session;
use machine::Now;
use std::fmt;
use wire::command::{self, Command, CommandId, flag};
use wire::slot::slot;

/// Why a request is not run here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Refusal {
    CrossSlot,
    NotServed,
    Down,
    DownForWrites,
    Moved { slot: u16, host: String, port: u16 },
    Ask { slot: u16, host: String, port: u16 },
    TryAgain,
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
            Refusal::Ask { slot, host, port } => write!(f, "ASK {slot} {host}:{port}"),
            Refusal::TryAgain => {
                f.write_str("TRYAGAIN Multiple keys request during rehashing of slot")
            }
        }
    }
}

/// Which keys of a request are here.
#[derive(Default)]
pub(crate) struct Presence {
    first: Option<Vec<u8>>,
    /// They are not all the same.
    several: bool,
    here: bool,
    missing: bool,
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
        now: Now,
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
        if self.is_open(slot) {
            let mut presence = Presence::default();
            self.look_for(row, args, now, &mut presence);
            return self.route_open(row, slot, &presence, session, now);
        }
        let leased = clustering.lease.allows(now.mono) || self.clients.pause.is_handover();
        Ok(clustering.admit(row, slot, session, leased, &self.config.cluster)?)
    }

    /// Whether a slot is on its way to us or from us.
    #[inline]
    pub(crate) fn is_open(&self, slot: u16) -> bool {
        let topology = self.clustering.as_ref().and_then(|clustering| clustering.topology.as_ref());
        let moving = topology.and_then(|topology| topology.moving.as_ref());
        moving
            .is_some_and(|moving| moving.to.contains_key(&slot) || moving.from.contains_key(&slot))
    }

    /// Looks which keys of a request are here.
    #[cold]
    pub(crate) fn look_for(
        &self,
        row: &'static Command,
        args: &[&[u8]],
        now: Now,
        presence: &mut Presence,
    ) {
        for key in command::key_positions(row, args) {
            let key = args.get(key.index).copied().unwrap_or_default();
            let first = presence.first.get_or_insert_with(|| key.to_vec());
            presence.several |= first != key;
            let here = self.is_live(0, key, now);
            presence.here |= here;
            presence.missing |= !here;
        }
    }

    /// Decides on a request whose keys lie in a slot that moves.
    #[cold]
    pub(crate) fn route_open(
        &self,
        row: &'static Command,
        slot: u16,
        presence: &Presence,
        session: &Session,
        now: Now,
    ) -> Result<(), Refused> {
        let Some(clustering) = &self.clustering else { return Ok(()) };
        let leased = clustering.lease.allows(now.mono) || self.clients.pause.is_handover();
        let config = &self.config.cluster;
        let usual = clustering.admit(row, slot, session, leased, config);
        let down =
            matches!(usual, Err(Refusal::NotServed | Refusal::Down | Refusal::DownForWrites));
        let Some(topology) = clustering.topology.as_ref().filter(|_| !down) else {
            return Ok(usual?);
        };
        let Some(moving) = &topology.moving else { return Ok(usual?) };
        let giving = moving.to.get(&slot).filter(|_| topology.is_mine(slot));
        let taking = giving.is_none() && moving.from.contains_key(&slot);
        let unleased = row.flags.has(flag::WRITE) && !leased;
        if row.id == CommandId::Migrate && (giving.is_some() || taking) {
            // Keys must be free to go either way.
            return if unleased { Err(Refusal::Down.into()) } else { Ok(()) };
        }
        if let Some(to) = giving.filter(|_| presence.missing) {
            let prefer = &config.announce.endpoint;
            let to = topology.node(*to).filter(|_| !presence.here);
            return Err(to.map_or(Refusal::TryAgain, |to| asked(slot, to, prefer)).into());
        }
        if taking && (session.modes.asking || row.flags.has(flag::ASKING)) {
            if presence.several && presence.missing {
                return Err(Refusal::TryAgain.into());
            }
            return if unleased { Err(Refusal::Down.into()) } else { Ok(()) };
        }
        Ok(usual?)
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
    /// Whether it is clear at a glance that a request whose key lies in `slot` runs here: nearly
    /// all do.
    #[inline]
    pub(crate) fn is_plain(&self, row: &'static Command, slot: u16, now: Now) -> bool {
        let leased = |now: Now| self.lease.allows(now.mono);
        row.one_key && self.plain.contains(slot) && (!row.flags.has(flag::WRITE) || leased(now))
    }

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
        let reads_here = session.modes.readonly && !write;
        if reads_here && topology.me().primary == Some(owner.id) {
            return Ok(());
        }
        Err(moved(slot, owner, &config.announce.endpoint))
    }
}

fn asked(slot: u16, to: &NodeView, prefer: &str) -> Refusal {
    let host = endpoint(&to.at, prefer).to_owned();
    Refusal::Ask { slot, host, port: to.at.port }
}

fn moved(slot: u16, owner: &NodeView, prefer: &str) -> Refusal {
    let host = endpoint(&owner.at, prefer).to_owned();
    Refusal::Moved { slot, host, port: owner.at.port }
}
