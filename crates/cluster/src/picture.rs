//! The picture the node serves by.

use crate::NodeId;
use crate::cluster::Cluster;
use crate::mail::ToNode;
use crate::members::{Key, Member, Place};
use crate::topology::{Endpoint, NOBODY, NodeView, Topology};
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use machine::{Now, Out, UnixMicros};
use wire::bus::flag;
use wire::slot::SLOTS;

/// What the node was told, and what of that it serves.
#[derive(Debug, Default)]
pub(crate) struct Picture {
    generation: u64,
    pub(crate) applied: u64,
    pub(crate) dirty: bool,
    /// The table of owners as it was drawn last, and the changes of slots and members it shows.
    owners: Option<([u64; 2], Arc<[u16]>)>,
    /// The primary the node was last told to replicate, and where.
    pub(crate) followed: Option<(NodeId, Place)>,
}

impl Picture {
    /// The generation that will show the present state.
    pub(crate) fn next_generation(&self) -> u64 {
        self.generation + u64::from(self.dirty)
    }
}

impl Cluster {
    /// Draws the present state and sends it to the node.
    pub(crate) fn publish(&mut self, _now: Now, out: &mut Out) {
        self.picture.dirty = false;
        self.picture.generation += 1;
        let topology = Arc::new(self.topology());
        self.tell(ToNode::Topology(topology), out);
    }

    /// Members in a picture's order: ourselves, then the others by name.
    fn order(&self) -> Vec<(Key, &Member)> {
        let mut order: Vec<(Key, &Member)> = self.members.others().collect();
        order.sort_by_key(|(_, member)| member.id);
        order.insert(0, (self.members.my_key(), self.members.me()));
        order
    }

    /// The table of owners. A picture is drawn ten times a second; this seldom changes.
    fn owners(&mut self) -> Arc<[u16]> {
        let changes = [self.slots.changes, self.members.changes];
        if let Some((shown, owners)) = &self.picture.owners
            && *shown == changes
        {
            return Arc::clone(owners);
        }
        let places: BTreeMap<Key, u16> =
            self.order().into_iter().zip(0..).map(|((key, _), place)| (key, place)).collect();
        let owner = |slot| self.slots.owner(slot).and_then(|key| places.get(&key).copied());
        let owners: Arc<[u16]> =
            (0..SLOTS as u16).map(|slot| owner(slot).unwrap_or(NOBODY)).collect();
        self.picture.owners = Some((changes, Arc::clone(&owners)));
        owners
    }

    fn topology(&mut self) -> Topology {
        let owners = self.owners();
        let order = self.order();
        Topology {
            generation: self.picture.generation,
            current_epoch: self.store.epochs.current,
            nodes: order.into_iter().map(|(_, member)| self.view(member)).collect(),
            owners,
            moving: self.slots.open.picture(&self.members),
            ok: self.health.ok,
            hollow: self.is_hollow(),
            size: self.health.size,
            last_vote_epoch: self.store.epochs.last_vote,
            traffic: self.links.traffic,
        }
    }

    fn view(&self, member: &Member) -> NodeView {
        let primary = member.primary.and_then(|id| self.members.by_id(id));
        NodeView {
            id: member.id,
            at: Endpoint {
                ip: member.place.ip.clone(),
                hostname: member.label.hostname.clone(),
                port: member.place.port,
                bus_port: member.place.bus_port,
            },
            myself: member.is(flag::MYSELF),
            primary: member.primary,
            pfail: member.is(flag::PFAIL),
            fail: member.is(flag::FAIL),
            handshake: member.is(flag::HANDSHAKE),
            no_address: member.is(flag::NO_ADDRESS),
            no_failover: member.is(flag::NO_FAILOVER),
            linked: member.is(flag::MYSELF) || member.conn().is_some(),
            ping_sent: match member.times.ping_sent {
                Some(_) => member.times.ping_wall,
                None => UnixMicros(0),
            },
            pong_received: member.times.pong_wall,
            config_epoch: primary.map_or(member.config_epoch, |primary| primary.config_epoch),
            offset: if member.is(flag::MYSELF) { self.data.offset } else { member.offset },
            // Who does not tell the shard's name has it from its primary.
            shard: member.label.shard.unwrap_or(member.primary.unwrap_or(member.id)),
        }
    }
}
