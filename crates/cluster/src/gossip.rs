//! What nodes say of third ones.

use crate::cluster::Cluster;
use crate::members::{Key, Member, Place};
use crate::{NodeId, members::Way};
use alloc::vec::Vec;
use machine::{Level, Now, Out, Span, UnixMicros};
use wire::bus::{Gossip, flag, gossip_flag};

/// A PONG may seem to come from the future by this much, in seconds' rounding and clocks.
const TOLERANCE: u64 = 500_000;

impl Cluster {
    /// The gossip section of a packet: a few members at random, and all suspects.
    pub(crate) fn gossip(&mut self, to: Option<Key>) -> Vec<Gossip> {
        let fit = |member: &Member| {
            !member.is(flag::HANDSHAKE | flag::NO_ADDRESS | flag::PFAIL)
                && (member.conn().is_some() || member.slots > 0)
        };
        let mut keys: Vec<Key> = self
            .members
            .others()
            .filter(|(key, member)| fit(member) && Some(*key) != to)
            .map(|(key, _)| key)
            .collect();
        let wanted = (self.members.len() / 10).max(3).min(keys.len());
        for at in 0..wanted {
            let other = at + self.chance.below((keys.len() - at) as u64) as usize;
            keys.swap(at, other);
        }
        keys.truncate(wanted);
        let suspect = |member: &Member| {
            let known = !member.is(flag::HANDSHAKE | flag::NO_ADDRESS);
            member.is(flag::PFAIL) && known || member.gone.is_held()
        };
        keys.extend(self.members.others().filter(|(_, m)| suspect(m)).map(|(key, _)| key));
        keys.iter().filter_map(|key| self.members.get(*key)).map(entry).collect()
    }

    /// Takes in what a known sender says of others.
    pub(crate) fn take_gossip(&mut self, now: Now, sender: Key, all: &[Gossip], out: &mut Out) {
        for about in all {
            let id = NodeId(about.name);
            match self.members.key(id) {
                Some(key) if key != self.members.my_key() => {
                    self.gossip_of_known(now, sender, key, about, out);
                }
                Some(_) => {}
                None => self.gossip_of_unknown(now, about),
            }
        }
    }

    fn gossip_of_known(&mut self, now: Now, sender: Key, key: Key, about: &Gossip, out: &mut Out) {
        let ill = about.flags & (flag::FAIL | flag::PFAIL) != 0;
        if self.members.get(sender).is_some_and(Member::is_primary) {
            self.report(now, sender, key, ill, out);
        }
        if self.members.get(sender).is_some_and(|sender| sender.boot.is_some()) {
            self.confirm(now, sender, key, about.own & gossip_flag::GONE != 0);
        }
        let Some(member) = self.members.get_mut(key) else { return };
        if !ill && member.times.ping_sent.is_none() && member.reports.is_empty() {
            let wall = u64::from(about.pong_received) * 1_000_000;
            if wall <= now.wall.0 + TOLERANCE && wall > member.times.pong_wall.0 {
                member.times.pong_wall = UnixMicros(wall);
                let age = Span::micros(now.wall.0.saturating_sub(wall));
                member.times.pong = machine::Instant(now.mono.0.saturating_sub(age.0));
            }
        }
        let place = place(about);
        let known = member.is(flag::FAIL | flag::PFAIL) && !ill;
        if known && about.flags & flag::NO_ADDRESS == 0 && member.place != place {
            member.place = place;
            member.set(flag::NO_ADDRESS, false);
            self.unlink(key, out);
            self.changed_config();
        }
    }

    fn gossip_of_unknown(&mut self, now: Now, about: &Gossip) {
        let id = NodeId(about.name);
        let forgotten = self.clock.forgotten.get(&id).is_some_and(|until| now.mono < *until);
        if about.flags & (flag::NO_ADDRESS | flag::HANDSHAKE) != 0 || forgotten {
            return;
        }
        // Suspicion is the speaker's; only the role is taken over.
        let flags = about.flags & (flag::PRIMARY | flag::REPLICA | flag::NO_FAILOVER);
        let mut member = Member::new(id, flags, now.mono);
        member.place = place(about);
        self.members.add(member);
        self.changed_config();
    }

    /// A PING came from elsewhere than we believed the node to be.
    pub(crate) fn update_place(&mut self, key: Key, place: Place, out: &mut Out) {
        let Some(member) = self.members.get_mut(key) else { return };
        if member.place == place || place.ip.is_empty() {
            return;
        }
        out.log(
            Level::Warning,
            format_args!("Address updated for node {}, now {}:{}", member.id, place.ip, place.port),
        );
        member.place = place;
        member.set(flag::NO_ADDRESS, false);
        if member.way != Way::None {
            self.unlink(key, out);
        }
        self.changed_config();
        let ours = self.members.my_primary().is_some_and(|(primary, _)| primary == key);
        if ours {
            self.send_follow(out);
        }
    }
}

fn entry(member: &Member) -> Gossip {
    let ping = member.times.ping_sent.map_or(0, |_| member.times.ping_wall.secs());
    Gossip {
        name: member.id.0,
        ping_sent: ping as u32,
        pong_received: member.times.pong_wall.secs() as u32,
        ip: member.place.ip.clone(),
        port: member.place.port,
        bus_port: member.place.bus_port,
        flags: member.flags,
        plain_port: member.place.plain_port,
        own: if member.gone.is_held() { gossip_flag::GONE } else { 0 },
    }
}

fn place(about: &Gossip) -> Place {
    Place {
        ip: about.ip.clone(),
        port: about.port,
        bus_port: about.bus_port,
        plain_port: about.plain_port,
    }
}
