//! How nodes come to know one another, and part.

use crate::NodeId;
use crate::cluster::Cluster;
use crate::members::{Key, Member, Place};
use core::net::IpAddr;
use machine::{ConnId, Level, Now, Out};
use wire::bus::{Header, Touch, flag};

/// How many nodes that asked us to may be greeted at a time.
const GREETINGS: usize = 128;

impl Cluster {
    /// Begins to greet a node at an address, unless that is going on.
    pub(crate) fn greet(&mut self, now: Now, ip: IpAddr, port: u16, bus_port: u16) {
        let place = Place { ip: alloc::format!("{ip}"), port, bus_port, plain_port: 0 };
        self.add_stranger(now, place, flag::MEET);
    }

    fn add_stranger(&mut self, now: Now, place: Place, flags: u16) {
        let busy = self.members.others().any(|(_, member)| {
            let same = member.place.ip == place.ip && member.place.bus_port == place.bus_port;
            same && member.is(flag::HANDSHAKE)
        });
        if busy {
            return;
        }
        let id = NodeId::random(|| self.chance.next());
        let mut member = Member::new(id, flag::HANDSHAKE | flags, now.mono);
        member.place = place;
        self.members.add(member);
        self.changed_config();
    }

    /// A stranger wants us in its cluster: greet it in turn, to learn that it is where it says.
    pub(crate) fn met_by(&mut self, now: Now, conn: ConnId, header: &Header) {
        let greeted = |member: &Member| member.is(flag::HANDSHAKE) && !member.is(flag::MEET);
        if self.members.others().filter(|(_, member)| greeted(member)).count() >= GREETINGS {
            return;
        }
        let place = self.place_of(conn, header);
        self.add_stranger(now, place, 0);
    }

    /// Others know which address of ours they reach us by.
    pub(crate) fn learn_own_address(&mut self, conn: ConnId, touch: Touch, out: &mut Out) {
        let local = self.links.get(conn).and_then(|link| link.local);
        let me = self.members.me_mut();
        let wanted = touch == Touch::Meet || me.place.ip.is_empty();
        if let Some(ip) = local
            && wanted
            && self.config.announce.ip.is_none()
        {
            let ip = alloc::format!("{ip}");
            if me.place.ip != ip {
                out.log(Level::Warning, format_args!("IP address for this node updated to {ip}"));
                me.place.ip = ip;
                self.changed_config();
            }
        }
    }

    /// The end of our link says its name. Whether the packet is to be worked on.
    pub(crate) fn introduce(
        &mut self,
        now: Now,
        conn: ConnId,
        sender: Option<Key>,
        header: &Header,
        out: &mut Out,
    ) -> bool {
        let Some(key) = self.links.get(conn).and_then(|link| link.to) else { return true };
        let id = NodeId(header.sender);
        let ourselves = id == self.members.me().id;
        let Some(member) = self.members.get_mut(key) else { return false };
        if member.is(flag::HANDSHAKE) {
            if sender.is_some() || ourselves {
                // We know it already (or it is we ourselves).
                let place = self.place_of(conn, header);
                self.drop_member(key, out);
                if let Some(known) = sender {
                    self.update_place(known, place, out);
                }
                return false;
            }
            member.set(flag::HANDSHAKE, false);
            member.set(header.flags & (flag::PRIMARY | flag::REPLICA), true);
            member.times.heard = Some(now.mono);
            self.members.rename(key, id);
            out.log(Level::Debug, format_args!("Handshake with node {id} completed."));
            self.heard_again(now, key, header);
            return true;
        }
        if member.id != id {
            // Another node answers there now.
            member.set(flag::NO_ADDRESS, true);
            member.place = Place::default();
            self.unlink(key, out);
            self.displaced(now, key, out);
            self.changed_config();
            return false;
        }
        true
    }

    fn heard_again(&mut self, now: Now, key: Key, header: &Header) {
        if let Some(member) = self.members.get_mut(key) {
            member.times.heard = Some(now.mono);
            member.config_epoch = member.config_epoch.max(header.config_epoch);
        }
        self.store.epochs.current = self.store.epochs.current.max(header.current_epoch);
        self.changed_config();
    }

    /// Forgets a member altogether.
    pub(crate) fn drop_member(&mut self, key: Key, out: &mut Out) {
        self.hang_up(key, out);
        self.slots.clear(key, &mut self.members);
        self.slots.open.forget(key);
        self.members.remove(key);
        self.changed_config();
    }
}
