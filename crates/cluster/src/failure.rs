//! Who is dead: suspicion by silence, death by the word of a majority.

use crate::cluster::Cluster;
use crate::members::{Key, Member, Way};
use alloc::vec::Vec;
use machine::{ConnId, Level, Now, Out, Span};
use wire::bus::{Body, Touch, flag};

/// A report counts for this many node-timeouts.
const REPORT_LIFE: u64 = 2;
/// A dead primary that nobody replaced may come back after this many.
const UNDO_AFTER: u64 = 2;

impl Cluster {
    /// Looks after all members; ten times a second.
    pub(crate) fn cron(&mut self, now: Now, out: &mut Out) {
        self.clock.iteration += 1;
        self.look_at_data(now, out);
        self.store.dirty |= self.store.soon;
        self.tick_manual(now, out);
        self.clock.forgotten.retain(|_, until| now.mono < *until);
        for key in self.members.keys() {
            self.reconnect(now, key, out);
        }
        if self.clock.iteration.is_multiple_of(10) {
            self.dismiss_silent(now, out);
            self.ping_at_random(now, out);
            self.store.resting = false;
        }
        for key in self.members.keys() {
            self.look_after(now, key, out);
        }
        self.ask_to_concede(now, out);
        self.migrate(now, out);
        let target = self.members.my_primary().map(|(_, m)| (m.id, m.place.clone()));
        if target.is_some() && target != self.picture.followed {
            // Its address was not known before.
            self.send_follow(out);
        }
        self.election.due = true;
        self.health.dirty |= !self.health.ok;
        self.picture.dirty = true;
    }

    fn reconnect(&mut self, now: Now, key: Key, out: &mut Out) {
        let patience = Span::millis(self.config.node_timeout.max(1000));
        let Some(member) = self.members.get(key) else { return };
        if member.is(flag::MYSELF | flag::NO_ADDRESS) {
            return;
        }
        if member.is(flag::HANDSHAKE) && now.mono.since(member.times.created) > patience {
            self.drop_member(key, out);
            return;
        }
        // A lost SYN is tried again by the kernel ever more rarely; we do not wait for that.
        let give_up = Span(patience.0 / 2);
        let call = match member.way {
            Way::None => true,
            Way::Connecting(since) => now.mono.since(since) > give_up,
            Way::Up(..) => false,
        };
        if call {
            self.connect(now, key, out);
        }
    }

    /// PINGs whoever of five was not heard for longest.
    fn ping_at_random(&mut self, now: Now, out: &mut Out) {
        let keys = self.members.keys();
        let mut oldest = None;
        for _ in 0..5 {
            let key = keys[self.chance.below(keys.len() as u64) as usize];
            let Some(member) = self.members.get(key) else { continue };
            let idle = member.times.ping_sent.is_none();
            if let Some(conn) = member.conn()
                && idle
                && !member.is(flag::MYSELF | flag::HANDSHAKE)
                && oldest.is_none_or(|(pong, _)| member.times.pong < pong)
            {
                oldest = Some((member.times.pong, conn));
            }
        }
        if let Some((_, conn)) = oldest {
            self.touch(now, conn, Touch::Ping, 0, out);
        }
    }

    /// A former primary of another make says that it is a replica only when it is asked anything;
    /// until then we withhold the lease from its successor.
    fn ask_to_concede(&mut self, now: Now, out: &mut Out) {
        let waits = |member: &Member| member.trust.withheld_until.is_some_and(|at| now.mono < at);
        let successors = self.members.iter().filter(|(_, member)| waits(member));
        let olds = successors.filter_map(|(_, member)| member.trust.successor_of);
        let silent = |member: &&Member| member.boot.is_none() && member.times.ping_sent.is_none();
        let olds = olds.filter_map(|old| self.members.get(old)).filter(silent);
        let conns: Vec<ConnId> = olds.filter_map(Member::conn).collect();
        for conn in conns {
            self.touch(now, conn, Touch::Ping, 0, out);
        }
    }

    fn look_after(&mut self, now: Now, key: Key, out: &mut Out) {
        let timeout = self.config.timeout();
        let leasing = self.members.me().is_voter();
        let Some(member) = self.members.get(key) else { return };
        if member.is(flag::MYSELF | flag::NO_ADDRESS | flag::HANDSHAKE) {
            return;
        }
        let times = &member.times;
        let asked = times.ping_sent.map(|at| now.mono.since(at));
        let heard = times.heard.unwrap_or(times.created);
        let silence = now.mono.since(heard);
        if let (Way::Up(_, since), Some(asked)) = (member.way, asked) {
            let half = Span(timeout.0 / 2);
            let old = now.mono.since(since) > timeout;
            if old && asked > half && (silence > half || asked > timeout) {
                // It may be the link alone that is dead.
                self.unlink(key, out);
            }
        }
        let Some(member) = self.members.get(key) else { return };
        if let (Some(conn), None) = (member.conn(), asked) {
            let voter = leasing && member.is_voter();
            let share = if voter { 4 } else { 2 };
            let quiet = now.mono.since(member.times.pong).0 > timeout.0 / share;
            // A replica may be a voter before long.
            let unheard = leasing && !self.grants.has_acknowledged(key);
            if quiet || unheard || voter && self.grants.is_missing(key) {
                self.touch(now, conn, Touch::Ping, 0, out);
            }
            return;
        }
        if member.is(flag::PFAIL) {
            self.mark_if_majority(now, key, out);
            return;
        }
        let Some(asked) = asked else { return };
        // Whoever is silent for a node-timeout has been asked in its first half at the latest:
        // to wait longer for the answer to that would tell us nothing.
        let half = Span(timeout.0 / 2);
        if silence > timeout && asked > half && !member.is(flag::PFAIL | flag::FAIL) {
            self.suspect(now, key, out);
        }
    }

    pub(crate) fn suspect(&mut self, now: Now, key: Key, out: &mut Out) {
        let Some(member) = self.members.get_mut(key) else { return };
        let id = member.id;
        out.log(Level::Debug, format_args!("*** NODE {id} possibly failing"));
        member.set(flag::PFAIL, true);
        self.health.dirty = true;
        self.picture.dirty = true;
        self.mark_if_majority(now, key, out);
        // Suspicion travels at once, not with the next PING that happens to be due.
        self.broadcast_pong(now, out);
    }

    /// A primary says whether it takes a member for dead.
    pub(crate) fn report(&mut self, now: Now, from: Key, about: Key, ill: bool, out: &mut Out) {
        let names = (self.members.get(from).map(|m| m.id), self.members.get(about).map(|m| m.id));
        let (Some(from_id), Some(id)) = names else { return };
        let Some(member) = self.members.get_mut(about) else { return };
        if ill {
            if member.reports.insert(from, now.mono).is_none() {
                out.log(
                    Level::Verbose,
                    format_args!("Node {from_id} reported node {id} as not reachable."),
                );
            }
            self.mark_if_majority(now, about, out);
        } else if member.reports.remove(&from).is_some() {
            out.log(
                Level::Verbose,
                format_args!("Node {from_id} reported node {id} is back online."),
            );
        }
    }

    /// How many reports still count.
    pub(crate) fn count_reports(&mut self, now: Now, about: Key) -> usize {
        let life = Span(self.config.timeout().0 * REPORT_LIFE);
        let Some(member) = self.members.get_mut(about) else { return 0 };
        member.reports.retain(|_, at| now.mono.since(*at) <= life);
        member.reports.len()
    }

    fn mark_if_majority(&mut self, now: Now, key: Key, out: &mut Out) {
        let mine = usize::from(self.members.me().is_primary());
        let enough = self.count_reports(now, key) + mine >= self.quorum();
        let Some(member) = self.members.get_mut(key) else { return };
        if !member.is(flag::PFAIL) || member.is(flag::FAIL) || !enough {
            return;
        }
        if self.is_being_replaced(now, key) {
            return;
        }
        let Some(member) = self.members.get(key) else { return };
        let id = member.id;
        out.log(Level::Notice, format_args!("Marking node {id} as failing (quorum reached)."));
        self.mark(now, key);
        let packet = self.packet(Body::Fail(id.0));
        self.broadcast(&packet, out);
    }

    /// Takes a member for dead.
    pub(crate) fn mark(&mut self, now: Now, key: Key) {
        if let Some(member) = self.members.get_mut(key) {
            member.set(flag::PFAIL, false);
            member.set(flag::FAIL, true);
            member.times.failed = now.mono;
        }
        self.changed_config();
        self.election.due = true;
    }

    /// A member says itself that it has taken slots over: what was said of its death is older. Our
    /// own file may have kept that from before we started.
    pub(crate) fn alive_again(&mut self, key: Key, out: &mut Out) {
        let Some(member) = self.members.get_mut(key) else { return };
        if member.is(flag::FAIL) {
            let id = member.id;
            member.set(flag::FAIL, false);
            out.log(
                Level::Notice,
                format_args!("Clear FAIL state for node {id}: it has taken slots over."),
            );
            self.changed_config();
        }
    }

    /// A member answered us: it may not be dead after all.
    pub(crate) fn answered(&mut self, now: Now, key: Key, out: &mut Out) {
        let patience = Span(self.config.timeout().0 * UNDO_AFTER);
        let Some(member) = self.members.get_mut(key) else { return };
        member.times.ping_sent = None;
        member.times.pong = now.mono;
        member.times.pong_wall = now.wall;
        if member.is(flag::PFAIL) {
            member.set(flag::PFAIL, false);
            self.changed_config();
            return;
        }
        if !member.is(flag::FAIL) {
            return;
        }
        let id = member.id;
        let why = if member.is_replica() {
            "replica is reachable again."
        } else if member.slots == 0 {
            "master without slots is reachable again."
        } else if now.mono.since(member.times.failed) > patience {
            "is reachable again and nobody is serving its slots after some time."
        } else {
            return;
        };
        member.set(flag::FAIL, false);
        out.log(Level::Notice, format_args!("Clear FAIL state for node {id}: {why}"));
        self.changed_config();
    }
}
