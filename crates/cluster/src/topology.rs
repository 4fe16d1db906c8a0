//! The cluster as one node sees it: an immutable picture, replaced whole.

use crate::traffic::Traffic;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use machine::{Instant, UnixMicros};
use wire::bus::SlotSet;
use wire::slot::SLOTS;

/// The name of a node: forty hexadecimal digits, for life.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub [u8; 40]);

impl NodeId {
    /// From random bits.
    pub fn random(mut chance: impl FnMut() -> u64) -> Self {
        let mut id = [0; 40];
        for digits in id.chunks_mut(16) {
            let mut bits = chance();
            for digit in digits {
                *digit = b"0123456789abcdef"[(bits & 15) as usize];
                bits >>= 4;
            }
        }
        NodeId(id)
    }

    /// As clients and nodes.conf write it.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let id: [u8; 40] = text.try_into().ok()?;
        id.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')).then_some(NodeId(id))
    }

    /// Its digits.
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.as_str()[..8])
    }
}

/// Where a node is, as clients are told.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Endpoint {
    /// Address; empty while unknown.
    pub ip: String,
    /// Host name; may be empty.
    pub hostname: String,
    /// Clients' port.
    pub port: u16,
    /// Bus port.
    pub bus_port: u16,
}

/// What is known of one node, ourselves included.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeView {
    /// Its name.
    pub id: NodeId,
    /// Where it is.
    pub at: Endpoint,
    /// Ourselves.
    pub myself: bool,
    /// The primary it is a replica of; `None`: it is a primary.
    pub primary: Option<NodeId>,
    /// We suspect that it is dead.
    pub pfail: bool,
    /// A majority says that it is dead.
    pub fail: bool,
    /// It is being greeted and has not said its name.
    pub handshake: bool,
    /// Its address is unknown.
    pub no_address: bool,
    /// As a replica it does not stand for election.
    pub no_failover: bool,
    /// The link to it stands.
    pub linked: bool,
    /// When the pending PING was sent; zero: none is pending.
    pub ping_sent: UnixMicros,
    /// When the last PONG came; zero: none did.
    pub pong_received: UnixMicros,
    /// Epoch of its claim to slots (a replica shows its primary's).
    pub config_epoch: u64,
    /// Position of its replication stream, as it last said.
    pub offset: u64,
    /// Identifier of its shard.
    pub shard: NodeId,
}

/// No owner, in [`Topology::owners`].
pub const NOBODY: u16 = u16::MAX;

/// Slots on their way, and the node at the other end.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Moving {
    /// Slots of ours that we give away: `MIGRATING`.
    pub to: BTreeMap<u16, NodeId>,
    /// Slots that we take over: `IMPORTING`.
    pub from: BTreeMap<u16, NodeId>,
}

impl fmt::Display for Moving {
    /// As CLUSTER NODES and nodes.conf have it: ` [slot->-id]`, ` [slot-<-id]`, by slot.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let to = self.to.iter().map(|(slot, id)| (*slot, "->-", id));
        let from = self.from.iter().filter(|(slot, _)| !self.to.contains_key(slot));
        let from = from.map(|(slot, id)| (*slot, "-<-", id));
        let mut all: Vec<_> = to.chain(from).collect();
        all.sort_unstable();
        all.into_iter().try_for_each(|(slot, arrow, id)| write!(f, " [{slot}{arrow}{id}]"))
    }
}

/// See the module's documentation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Topology {
    /// Rises with every picture of this process.
    pub generation: u64,
    /// `cluster_current_epoch`.
    pub current_epoch: u64,
    /// All nodes, ourselves first, the others by id.
    pub nodes: Vec<NodeView>,
    /// The owner of each slot, as an index into `nodes`, or [`NOBODY`].
    pub owners: Arc<[u16]>,
    /// Slots that move to us or from us; none: no slot is open, as is the rule.
    pub moving: Option<Box<Moving>>,
    /// `cluster_state:ok`.
    pub ok: bool,
    /// A primary that has just started and does not know whether its data is still the shard's:
    /// nobody may copy it.
    pub hollow: bool,
    /// `cluster_size`: primaries with slots.
    pub size: usize,
    /// Epoch of the last vote.
    pub last_vote_epoch: u64,
    /// `cluster_stats_messages_*`.
    pub traffic: Traffic,
}

impl Topology {
    /// A cluster of one node without slots.
    pub fn alone(me: NodeView) -> Self {
        Topology {
            generation: 0,
            current_epoch: 0,
            nodes: alloc::vec![me],
            owners: alloc::vec![NOBODY; SLOTS].into(),
            moving: None,
            ok: false,
            hollow: false,
            size: 0,
            last_vote_epoch: 0,
            traffic: Traffic::default(),
        }
    }

    /// Ourselves.
    pub fn me(&self) -> &NodeView {
        &self.nodes[0]
    }

    /// A node by its name.
    pub fn node(&self, id: NodeId) -> Option<&NodeView> {
        self.nodes.iter().find(|node| node.id == id)
    }

    /// The owner of a slot.
    pub fn owner(&self, slot: u16) -> Option<&NodeView> {
        self.nodes.get(usize::from(*self.owners.get(usize::from(slot))?))
    }

    /// Whether a slot is ours, or our primary's if we are a replica.
    #[inline]
    pub fn is_mine(&self, slot: u16) -> bool {
        self.owners[usize::from(slot)] == 0
    }

    /// The slots that we serve, the lease apart, and that are not on their way.
    pub fn plain(&self) -> SlotSet {
        let open = |slot: &u16| {
            let moving = self.moving.as_ref();
            moving.is_some_and(|m| m.to.contains_key(slot) || m.from.contains_key(slot))
        };
        let served = |slot: &u16| self.ok && self.is_mine(*slot) && !open(slot);
        (0..SLOTS as u16).filter(served).collect()
    }

    /// Whether we are a primary that serves slots, the lease apart.
    pub fn serves(&self) -> bool {
        self.ok && self.owners.contains(&0)
    }

    /// The runs of slots of a node: first and last of each.
    pub fn ranges(&self, id: NodeId) -> Vec<(u16, u16)> {
        let mut ranges: Vec<(u16, u16)> = Vec::new();
        for slot in 0..SLOTS as u16 {
            if self.owner(slot).is_none_or(|owner| owner.id != id) {
                continue;
            }
            match ranges.last_mut() {
                Some((_, last)) if *last + 1 == slot => *last = slot,
                _ => ranges.push((slot, slot)),
            }
        }
        ranges
    }

    /// The replicas of a primary.
    pub fn replicas(&self, primary: NodeId) -> impl Iterator<Item = &NodeView> {
        self.nodes.iter().filter(move |node| node.primary == Some(primary))
    }
}

/// Until when a primary may execute writes: its lease (see [`mail::ToNode::Lease`](crate::mail)).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Lease(pub Option<Instant>);

impl Lease {
    /// Whether a write may run at `now`.
    #[inline]
    pub fn allows(self, now: Instant) -> bool {
        self.0.is_some_and(|until| now < until)
    }
}
