//! What a packet changes.

use crate::NodeId;
use crate::cluster::Cluster;
use crate::members::{Key, Place};
use machine::{ConnId, Level, Now, Out};
use wire::bus::{Body, Gossip, Header, Packet, SlotSet, Touch, flag, own_flag};

/// Whether the sender has just started and does not know whether its data is its shard's.
pub(crate) fn is_hollow(header: &Header) -> bool {
    header.own.is_some_and(|own| own.flags & own_flag::HOLLOW != 0)
}

/// An epoch further ahead than this is damage or an attack.
const EPOCH_LEAP: u64 = 1 << 32;

impl Cluster {
    pub(crate) fn packet_in(&mut self, now: Now, conn: ConnId, packet: Packet, out: &mut Out) {
        let Packet { header, body } = packet;
        let sender = self.sender(conn, &header);
        if header.current_epoch > self.store.epochs.current.saturating_add(EPOCH_LEAP) {
            let id = NodeId(header.sender);
            let epoch = header.current_epoch;
            out.log(Level::Warning, format_args!("Refusing epoch {epoch} of node {id}: too far."));
            return;
        }
        self.said_by(conn, NodeId(header.sender), &body, out);
        if let Some(key) = sender {
            self.heard(now, key, &header, out);
            self.pause_seen(now, key, &header, out);
        }
        match (body, sender) {
            (Body::Touch { touch, gossip, extensions }, _) => {
                if let Some(key) = sender.filter(|key| self.is_named(*key, &header)) {
                    self.extensions_in(now, key, &header, &extensions, out);
                }
                self.touched(now, conn, sender, &header, touch, &gossip, out);
            }
            (Body::Fail(name), Some(_)) => self.fail_in(now, &header, NodeId(name), out),
            (Body::Fail(name), None) => {
                let (from, about) = (NodeId(header.sender), NodeId(name));
                let text = "Ignoring FAIL message from unknown node";
                out.log(Level::Notice, format_args!("{text} {from} about {about}"));
            }
            (Body::AuthRequest, Some(key)) => self.consider_vote(now, key, &header, out),
            (Body::AuthAck, Some(key)) => self.vote_in(now, key, &header),
            (Body::ManualStart, Some(key)) => self.asked_to_pause(now, key, out),
            (Body::Update { config_epoch, name, slots }, Some(_)) => {
                self.update_in(now, NodeId(name), config_epoch, &slots, out);
            }
            (Body::Unknown(kind), _) => {
                out.log(Level::Warning, format_args!("Received unknown packet type: {kind}"));
            }
            // Messages to subscribers are not ours yet; and nothing of this is taken from
            // strangers.
            _ => {}
        }
    }

    /// Whether the sender is the member of that name.
    fn is_named(&self, key: Key, header: &Header) -> bool {
        self.members.get(key).is_some_and(|member| member.id.0 == header.sender)
    }

    /// Whom a packet is from: the end of our link, once it has said its name, else whom it names.
    fn sender(&self, conn: ConnId, header: &Header) -> Option<Key> {
        let called = self.links.get(conn).and_then(|link| link.to);
        let named = self.members.key(NodeId(header.sender));
        let known = called
            .filter(|key| self.members.get(*key).is_some_and(|member| !member.is(flag::HANDSHAKE)));
        known.or(named).filter(|key| *key != self.members.my_key())
    }

    fn heard(&mut self, now: Now, key: Key, header: &Header, out: &mut Out) {
        let Some(member) = self.members.get_mut(key) else { return };
        if member.is(flag::HANDSHAKE) {
            member.times.heard = Some(now.mono);
            return;
        }
        if member.id.0 != header.sender {
            return;
        }
        if is_hollow(header) {
            // Only that process has begun, and it does not stand in for the one before.
            self.said_hollow(now, key, out);
        } else {
            member.times.heard = Some(now.mono);
            self.not_gone(key);
        }
        let Some(member) = self.members.get_mut(key) else { return };
        if header.current_epoch < member.said_epoch {
            return;
        }
        member.said_epoch = header.current_epoch;
        member.offset = header.offset;
        member.boot = header.own.map(|own| own.boot);
        if header.config_epoch > member.config_epoch {
            member.config_epoch = header.config_epoch;
            self.changed_config();
        }
        if header.current_epoch > self.store.epochs.current {
            self.store.epochs.current = header.current_epoch;
            self.changed_config();
        }
    }

    #[allow(clippy::too_many_arguments)]
    fn touched(
        &mut self,
        now: Now,
        conn: ConnId,
        sender: Option<Key>,
        header: &Header,
        touch: Touch,
        gossip: &[Gossip],
        out: &mut Out,
    ) {
        let asks = touch != Touch::Pong;
        if asks {
            self.learn_own_address(conn, touch, out);
            if sender.is_none() && touch == Touch::Meet {
                self.met_by(now, conn, header);
            }
        }
        let go_on = self.introduce(now, conn, sender, header, out);
        // A handshake that ended just now made the sender known.
        let sender = sender.or_else(|| self.sender(conn, header));
        if go_on && let Some(key) = sender {
            if touch == Touch::Ping {
                let place = self.place_of(conn, header);
                let outgoing = self.links.get(conn).is_some_and(|link| link.to.is_some());
                if !outgoing && self.members.get(key).is_some_and(|m| !m.is(flag::HANDSHAKE)) {
                    self.update_place(key, place, out);
                }
            }
            // Its two streams keep no common order: a role that it has given up since is no news.
            if self.members.get(key).is_some_and(|m| header.current_epoch >= m.said_epoch) {
                self.role_in(key, header);
                self.claims_in(now, key, header, out);
                // Its new primary's claim may have come first, when it looked like ours still.
                self.leave_sub_replica(now, out);
            }
            self.take_gossip(now, key, gossip, out);
        }
        if touch == Touch::Pong {
            self.pong_in(now, conn, header, out);
        } else if self.owns_conn(conn) {
            let flags = self.pong_flags(now, sender, header);
            self.touch(now, conn, Touch::Pong, flags, out);
        }
    }

    /// A PONG over our own link answers our oldest PING.
    fn pong_in(&mut self, now: Now, conn: ConnId, header: &Header, out: &mut Out) {
        let Some(key) = self.links.get(conn).and_then(|link| link.to) else { return };
        let withheld = header.own.is_some_and(|own| own.flags & own_flag::WITHHELD != 0);
        self.grants.answered(conn, key, !withheld);
        if !is_hollow(header) {
            self.answered(now, key, out);
        }
    }

    /// Where the sender of a packet says, or seems, to be.
    pub(crate) fn place_of(&self, conn: ConnId, header: &Header) -> Place {
        let seen = self.links.get(conn).and_then(|link| link.remote);
        let ip = match seen {
            Some(ip) if header.ip.is_empty() => alloc::format!("{ip}"),
            _ => header.ip.clone(),
        };
        Place { ip, port: header.port, bus_port: header.bus_port, plain_port: header.plain_port }
    }

    fn role_in(&mut self, key: Key, header: &Header) {
        let Some(member) = self.members.get_mut(key) else { return };
        let no_failover = header.flags & flag::NO_FAILOVER != 0;
        member.set(flag::NO_FAILOVER, no_failover);
        match header.primary.map(NodeId) {
            None => self.turned_primary(key),
            Some(primary) => {
                let was_primary = member.is_primary();
                // An unknown primary's name is kept back until gossip brings it.
                let known = self.members.key(primary).is_some();
                self.hand_on_vote(key, primary);
                let Some(member) = self.members.get_mut(key) else { return };
                if was_primary || known && member.primary != Some(primary) {
                    member.become_replica(Some(primary).filter(|_| known));
                    self.changed_config();
                    self.no_candidate_against(key, primary);
                }
                if was_primary {
                    self.slots.clear(key, &mut self.members);
                }
                self.conceded(key);
            }
        }
    }

    /// `old` is a replica of `primary` now: what we voted about has come true, or may yet befall
    /// its successor. Should it be a primary again, it is a new one.
    fn hand_on_vote(&mut self, old: Key, primary: NodeId) {
        let voted = self.members.get_mut(old).and_then(|member| member.trust.voted.take());
        let Some((_, candidate)) = voted else { return };
        let follows = self.members.get(candidate).and_then(|rival| rival.primary);
        let decided = self.members.key(primary) == Some(candidate) || follows == Some(primary);
        let successor = self.members.key(primary).and_then(|key| self.members.get_mut(key));
        if let Some(successor) = successor.filter(|_| !decided && follows.is_some()) {
            successor.trust.voted = voted;
        }
    }

    /// A candidate that we voted for has come to follow the primary it could have replaced.
    fn no_candidate_against(&mut self, candidate: Key, primary: NodeId) {
        let followed = self.members.key(primary).and_then(|key| self.members.get_mut(key));
        if let Some(followed) = followed {
            followed.trust.voted.take_if(|(_, voted)| *voted == candidate);
        }
    }

    fn turned_primary(&mut self, key: Key) {
        let Some(member) = self.members.get_mut(key) else { return };
        let old = member.primary;
        if member.become_primary() {
            let old = old.and_then(|id| self.members.key(id));
            if let Some(member) = self.members.get_mut(key) {
                member.trust.successor_of = old;
                member.set(flag::MIGRATE_TO, old.is_some());
            }
            self.changed_config();
        }
    }

    /// What the sender claims, against what we know.
    fn claims_in(&mut self, now: Now, key: Key, header: &Header, out: &mut Out) {
        let Some(member) = self.members.get(key) else { return };
        let primary = member.is_primary();
        let owner =
            if primary { Some(key) } else { member.primary.and_then(|id| self.members.key(id)) };
        let Some(owner) = owner else { return };
        if !self.slots.are(owner, &header.slots) {
            if primary {
                let taken = self.claim(now, key, header.config_epoch, &header.slots, out);
                if taken {
                    self.alive_again(key, out);
                }
            }
            self.correct(key, header, out);
        }
        let mine = self.members.me();
        if primary
            && mine.is_primary()
            && header.config_epoch == mine.config_epoch
            && header.sender > mine.id.0
        {
            self.resolve_collision(NodeId(header.sender), out);
        }
    }

    /// Tells a sender whose claim is old who has the slots now.
    fn correct(&mut self, key: Key, header: &Header, out: &mut Out) {
        let newer = header.slots.iter().find_map(|slot| {
            let owner = self.slots.claimant(slot).filter(|owner| *owner != key)?;
            let member = self.members.get(owner)?;
            (member.config_epoch > header.config_epoch).then_some(owner)
        });
        let Some(owner) = newer else { return };
        // Of ourselves we say only what the node has applied.
        if owner == self.members.my_key() && !self.voice.said.primary {
            return;
        }
        let (Some(member), Some(conn)) =
            (self.members.get(owner), self.members.get(key).and_then(|member| member.conn()))
        else {
            return;
        };
        let body = Body::Update {
            config_epoch: member.config_epoch,
            name: member.id.0,
            slots: self.slots.of(owner),
        };
        out.log(
            Level::Verbose,
            format_args!(
                "Node {} has old slots configuration, sending an UPDATE message about {}",
                NodeId(header.sender),
                member.id
            ),
        );
        let packet = self.packet(body);
        self.send(conn, &packet, out);
    }

    fn resolve_collision(&mut self, other: NodeId, out: &mut Out) {
        self.store.epochs.current += 1;
        let epoch = self.store.epochs.current;
        self.members.me_mut().config_epoch = epoch;
        self.changed_config();
        out.log(
            Level::Verbose,
            format_args!(
                "WARNING: configEpoch collision with node {other}. configEpoch set to {epoch}"
            ),
        );
    }

    fn fail_in(&mut self, now: Now, header: &Header, about: NodeId, out: &mut Out) {
        let Some(key) = self.members.key(about) else { return };
        let known = self.members.get(key).is_some_and(|m| m.is(flag::FAIL | flag::MYSELF));
        if !known {
            let from = NodeId(header.sender);
            out.log(Level::Notice, format_args!("FAIL message received from {from} about {about}"));
            self.mark(now, key);
        }
    }

    fn update_in(&mut self, now: Now, id: NodeId, epoch: u64, slots: &SlotSet, out: &mut Out) {
        let Some(key) = self.members.key(id) else { return };
        if self.members.get(key).is_none_or(|member| member.config_epoch >= epoch) {
            return;
        }
        if key != self.members.my_key() {
            self.turned_primary(key);
        }
        if let Some(member) = self.members.get_mut(key) {
            member.config_epoch = epoch;
        }
        self.changed_config();
        self.claim(now, key, epoch, slots, out);
    }
}
