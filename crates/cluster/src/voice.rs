//! What we say of ourselves: only what the node has applied and the file holds.
//!
//! That we have lost slots is said as soon as the node has applied it: should we forget it in a
//! crash, whoever knows the new owner gives us no lease for the old claim.

use crate::cluster::Cluster;
use crate::health::Busy;
use crate::members::{Key, Members};
use crate::slots::Slots;
use crate::{NodeId, mail::ToNode};
use alloc::vec::Vec;
use machine::{Now, Out};
use wire::bus::{Body, Header, Own, Packet, SlotSet, flag, own_flag};

/// Our part in the cluster, as others may hear of it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Said {
    pub(crate) replica_of: Option<NodeId>,
    pub(crate) primary: bool,
    slots: SlotSet,
    config_epoch: u64,
}

/// What waits for the node and for the file.
#[derive(Debug)]
pub(crate) enum Then {
    /// From now on we say this.
    Say(Said),
    /// The node serves these slots no more.
    Leave(SlotSet),
    /// A vote, for this candidate in this epoch.
    Vote(Key, u64),
    /// Our request for votes in this epoch.
    Request(u64),
    /// A reply to a command.
    Reply(u64, Vec<u8>),
}

#[derive(Debug)]
struct Pending {
    generation: u64,
    version: u64,
    then: Then,
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Voice {
    pub(crate) boot: u64,
    pub(crate) dirty: bool,
    pub(crate) said: Said,
    /// What we will say once all that waits is done.
    last: Said,
    /// Slots that we have lost; they are left out of what is said.
    lost: SlotSet,
    pending: Vec<Pending>,
}

impl Voice {
    pub(crate) fn new(boot: u64) -> Self {
        Voice {
            boot,
            dirty: true,
            said: Said::default(),
            last: Said::default(),
            lost: SlotSet::default(),
            pending: Vec::new(),
        }
    }

    /// The slots that we may say are ours.
    pub(crate) fn slots(&self) -> SlotSet {
        self.said.slots.without(&self.lost)
    }

    /// What the file holds at the start was said before.
    pub(crate) fn begin(&mut self, members: &Members, slots: &Slots) {
        self.last = Said::of(members, slots);
        self.said = self.last.clone();
    }
}

impl Said {
    fn of(members: &Members, slots: &Slots) -> Self {
        let me = members.me();
        Said {
            replica_of: me.primary,
            primary: me.is_primary(),
            slots: slots.of(members.my_key()),
            config_epoch: me.config_epoch,
        }
    }
}

impl Cluster {
    /// Leaves something to be done once the node has the present picture and the file the present
    /// state.
    pub(crate) fn after_apply(&mut self, then: Then) {
        let generation = self.picture.next_generation();
        self.voice.pending.push(Pending { generation, version: self.store.target(), then });
    }

    /// Leaves something to be done once the node has the present picture.
    pub(crate) fn after_apply_only(&mut self, then: Then) {
        let generation = self.picture.next_generation();
        self.voice.pending.push(Pending { generation, version: 0, then });
    }

    /// Leaves something to be done once the file has the present state.
    pub(crate) fn after_save(&mut self, then: Then) {
        self.voice.pending.push(Pending { generation: 0, version: self.store.target(), then });
    }

    /// If our part changed, it will be said when the node and the file have it.
    pub(crate) fn speak_later(&mut self) {
        if core::mem::take(&mut self.voice.dirty) {
            let said = Said::of(&self.members, &self.slots);
            if said != self.voice.last {
                let lost = self.voice.last.slots.without(&said.slots);
                if !lost.is_empty() {
                    self.after_apply_only(Then::Leave(lost));
                }
                self.voice.last = said.clone();
                self.after_apply(Then::Say(said));
            }
        }
    }

    /// Does what has waited long enough, in order.
    pub(crate) fn run_pending(&mut self, now: Now, out: &mut Out) {
        let (applied, saved) = (self.picture.applied, self.store.saved);
        let mut blocked = false;
        let mut ready = Vec::new();
        let mut waiting = Vec::new();
        for pending in self.voice.pending.drain(..) {
            // What we say keeps its order; the rest is independent.
            let say = matches!(pending.then, Then::Say(_));
            let open = pending.generation <= applied && pending.version <= saved;
            if open && !(say && blocked) {
                ready.push(pending.then);
            } else {
                blocked |= say;
                waiting.push(pending);
            }
        }
        self.voice.pending = waiting;
        for then in ready {
            self.carry_out(now, then, out);
        }
    }

    fn carry_out(&mut self, now: Now, then: Then, out: &mut Out) {
        match then {
            Then::Say(said) => {
                let promoted = said.primary && !self.voice.said.primary;
                // What this leaves out as well need not be left out any more; should we have it
                // again, a later word says so.
                let settled = self.voice.lost.without(&said.slots);
                self.voice.lost = self.voice.lost.without(&settled);
                self.voice.said = said;
                self.broadcast_pong(now, out);
                if promoted {
                    // Only who has heard our claim can be a ground for our lease.
                    self.grants.start_over(now.mono);
                    self.ping_voters(now, out);
                }
            }
            Then::Leave(slots) => {
                let lost = slots.without(&self.voice.last.slots);
                self.voice.lost = self.voice.lost.iter().chain(lost.iter()).collect();
            }
            Then::Vote(candidate, epoch) => self.send_vote(candidate, epoch, out),
            Then::Request(epoch) => self.request_votes(now, epoch, out),
            Then::Reply(number, reply) => self.tell(ToNode::Reply { number, reply }, out),
        }
    }

    /// The header of a packet, with what may be said now.
    pub(crate) fn header(&self, own_flags: u16) -> Header {
        let me = self.members.me();
        let said = &self.voice.said;
        let primary = said.replica_of.and_then(|id| self.members.key(id));
        let (slots, config_epoch) = match primary {
            Some(key) => {
                let epoch = self.members.get(key).map_or(0, |primary| primary.config_epoch);
                (self.slots.of(key), epoch)
            }
            None => (self.voice.slots(), said.config_epoch),
        };
        let hollow = if self.is_hollow() { own_flag::HOLLOW } else { 0 };
        let busy = if self.health.busy == Busy::No { 0 } else { own_flag::BUSY };
        let own_flags = own_flags | hollow | busy;
        let role = if said.primary { flag::PRIMARY } else { flag::REPLICA };
        let kept = me.flags & (flag::MYSELF | flag::NO_FAILOVER | flag::MIGRATE_TO);
        Header {
            port: me.place.port,
            plain_port: 0,
            bus_port: me.place.bus_port,
            current_epoch: self.store.durable_epoch,
            config_epoch,
            offset: self.data.offset,
            sender: me.id.0,
            slots,
            primary: said.replica_of.map(|id| id.0),
            ip: self.config.announce.ip.clone().unwrap_or_default(),
            own: Some(Own { boot: self.voice.boot, flags: own_flags, ..Own::default() }),
            flags: role | kept,
            down: !self.health.ok,
            packet_flags: [self.manual.flags(), 0, 0],
        }
    }

    /// A packet that needs nothing beyond the header.
    pub(crate) fn packet(&self, body: Body) -> Packet {
        Packet { header: self.header(0), body }
    }
}
