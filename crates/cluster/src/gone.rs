//! Evidence that a primary's process is gone, which is better than its silence.
//!
//! Silence needs node-timeout to mean anything. A process that ended leaves traces at once: both
//! bus links between it and us are closed by its system, and the system refuses new ones. Evidence
//! is held while any of these is so, and nothing has come from that process since:
//! - both links ended by FIN or reset, three calls of its bus port within 60 to 200 ms and one of
//!   its clients' port were refused (time running out or "unreachable" proves nothing), and a
//!   majority of voters was heard within the last second, so that it is not we who are cut off;
//! - both links ended, and another node answers at its address;
//! - it says itself that it has started anew and does not know whether its data is the shard's
//!   ([`own_flag::HOLLOW`](wire::bus::own_flag::HOLLOW)).

use crate::cluster::Cluster;
use crate::link::Probe;
use crate::members::{Key, Member};
use alloc::collections::BTreeMap;
use machine::{CloseReason, Instant, Level, NetError, Now, Out, Span};
use wire::bus::{Touch, flag};

/// Between two calls.
const STEP: Span = Span::millis(40);
/// The three refusals that count came no closer together than this,
const NARROW: Span = Span::millis(60);
/// and no further apart.
const WIDE: Span = Span::millis(200);
/// How long it is looked for evidence, and how old word from the voters may be.
const SEARCH: Span = Span::millis(1000);
/// Confirmations of others count for node-timeout, and at least for so long; who holds evidence
/// repeats it in every packet.
const CONFIRMED: Span = Span::millis(5000);
/// How long FAIL waits for a replica that can take over without: FAIL stops other shards, too.
const GRACE: Span = Span::millis(1000);

/// How far our own evidence is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Stage {
    #[default]
    None,
    /// Both links ended at this time; calls go out.
    Search(Instant),
    /// Since then.
    Held(Instant),
}

/// What speaks for the process of a member being gone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gone {
    stage: Stage,
    /// The links that its system closed: ours to it, its to us.
    ended: [bool; 2],
    /// When the last three calls were refused.
    refusals: [Option<Instant>; 3],
    /// The clients' port refused a call, too.
    shut: bool,
    /// When the next call is due.
    next: Option<Instant>,
    /// Who else holds evidence, and when they said so.
    confirmed: BTreeMap<Key, Instant>,
}

impl Gone {
    /// Whether we hold evidence ourselves.
    pub(crate) fn is_held(&self) -> bool {
        matches!(self.stage, Stage::Held(_))
    }

    fn refused_in_time(&self) -> bool {
        let [Some(first), _, Some(last)] = self.refusals else { return false };
        let spread = last.since(first);
        (NARROW..=WIDE).contains(&spread)
    }
}

/// Gathering it.
impl Cluster {
    /// A link with a member ended; `ours`: we had made it.
    pub(crate) fn link_ended(
        &mut self,
        now: Now,
        key: Key,
        ours: bool,
        why: CloseReason,
        out: &mut Out,
    ) {
        let orderly = matches!(why, CloseReason::Remote | CloseReason::Error(NetError::Reset));
        let enabled = self.config.fast_failover;
        let Some(member) = self.members.get_mut(key) else { return };
        let others = !ours && self.links.any_from(member.id);
        if !orderly || others || !enabled || !member.is_voter() {
            return;
        }
        member.gone.ended[usize::from(!ours)] = true;
        if member.gone.ended == [true, true] && member.gone.stage == Stage::None {
            member.gone.stage = Stage::Search(now.mono);
            member.gone.next = Some(now.mono);
            self.clock.arm(now.mono);
            // Are we among the living ourselves?
            self.ping_voters(now, out);
        }
    }

    /// Pings every voter that is linked.
    pub(crate) fn ping_voters(&mut self, now: Now, out: &mut Out) {
        let voters = self.members.others().filter(|(_, member)| member.is_voter());
        let conns: alloc::vec::Vec<_> = voters.filter_map(|(_, member)| member.conn()).collect();
        for conn in conns {
            self.touch(now, conn, Touch::Ping, 0, out);
        }
    }

    /// Calls whoever is due to be called.
    pub(crate) fn search(&mut self, now: Now, out: &mut Out) {
        for key in self.members.keys() {
            let Some(member) = self.members.get_mut(key) else { continue };
            let (Stage::Search(since), Some(next)) = (member.gone.stage, member.gone.next) else {
                continue;
            };
            if now.mono.since(since) > SEARCH {
                // Links that end later begin it anew.
                member.gone = Gone::default();
                continue;
            }
            if now.mono < next {
                self.clock.arm(next);
                continue;
            }
            member.gone.next = Some(now.mono + STEP);
            self.clock.arm(now.mono + STEP);
            let settled = member.gone.refused_in_time();
            if settled && member.gone.shut {
                self.conclude(now, key, out);
            } else if settled {
                self.probe(key, Probe::Clients, out);
            } else if member.conn().is_none() && !self.links.is_probed(key) {
                self.probe(key, Probe::Bus, out);
            }
        }
    }

    /// A call ended without a connection.
    pub(crate) fn probe_failed(
        &mut self,
        now: Now,
        key: Key,
        probe: Probe,
        why: NetError,
        out: &mut Out,
    ) {
        let Some(member) = self.members.get_mut(key) else { return };
        if !matches!(member.gone.stage, Stage::Search(_)) {
            return;
        }
        let gone = &mut member.gone;
        match (probe, why) {
            (Probe::Bus, NetError::Refused) => {
                gone.refusals = [gone.refusals[1], gone.refusals[2], Some(now.mono)];
                if gone.refused_in_time() && !gone.shut {
                    self.probe(key, Probe::Clients, out);
                }
            }
            (Probe::Clients, NetError::Refused) => {
                gone.shut = true;
                self.conclude(now, key, out);
            }
            _ => gone.refusals = [None; 3],
        }
    }

    /// Someone answers there. If it is the process itself, it will say so.
    pub(crate) fn probe_answered(&mut self, key: Key) {
        if let Some(member) = self.members.get_mut(key)
            && !member.gone.is_held()
        {
            member.gone.refusals = [None; 3];
            member.gone.shut = false;
        }
    }

    /// Another node answers where this one was.
    pub(crate) fn displaced(&mut self, now: Now, key: Key, out: &mut Out) {
        let searched = |member: &Member| matches!(member.gone.stage, Stage::Search(_));
        if self.members.get(key).is_some_and(searched) {
            self.hold(now, key, out);
        }
    }

    fn conclude(&mut self, now: Now, key: Key, out: &mut Out) {
        let lately = |member: &Member| {
            member.is(flag::MYSELF)
                || member.times.heard.is_some_and(|at| now.mono.since(at) <= SEARCH)
        };
        let heard = self.members.iter().filter(|(_, m)| m.is_voter() && lately(m)).count();
        if heard >= self.quorum() {
            self.hold(now, key, out);
        }
    }

    /// It says itself that it is another process than the one that held the lease.
    pub(crate) fn said_hollow(&mut self, now: Now, key: Key, out: &mut Out) {
        let voter = self.members.get(key).is_some_and(Member::is_voter);
        if voter && self.config.fast_failover {
            self.hold(now, key, out);
        }
    }

    fn hold(&mut self, now: Now, key: Key, out: &mut Out) {
        let Some(member) = self.members.get_mut(key) else { return };
        if member.gone.is_held() {
            return;
        }
        member.gone.stage = Stage::Held(now.mono);
        member.gone.next = None;
        let id = member.id;
        out.log(Level::Notice, format_args!("The process of node {id} is gone"));
        self.conceded(key);
        self.election.due = true;
        if self.members.get(key).is_some_and(|m| m.is(flag::PFAIL | flag::FAIL)) {
            self.broadcast_pong(now, out);
        } else {
            self.suspect(now, key, out);
        }
        self.reconsider_vote(now, key, out);
    }

    /// Something came from the process itself.
    pub(crate) fn not_gone(&mut self, key: Key) {
        if let Some(member) = self.members.get_mut(key)
            && (member.gone.stage != Stage::None || member.gone.ended != [false; 2])
        {
            let held = member.gone.is_held();
            member.gone = Gone::default();
            if held && member.is(flag::PFAIL) {
                // Whoever speaks is alive.
                member.set(flag::PFAIL, false);
                self.changed_config();
            }
        }
    }

    /// A node that tells of evidence says whether it holds any about this one.
    pub(crate) fn confirm(&mut self, now: Now, by: Key, about: Key, holds: bool) {
        let Some(member) = self.members.get_mut(about) else { return };
        if holds {
            member.gone.confirmed.insert(by, now.mono);
            self.election.due |= member.gone.is_held();
        } else {
            member.gone.confirmed.remove(&by);
        }
    }
}

/// Using it.
impl Cluster {
    /// Whether we hold evidence, and enough of the other nodes that can tell do, too.
    pub(crate) fn is_surely_gone(&self, now: Now, key: Key) -> bool {
        let Some(member) = self.members.get(key).filter(|member| member.gone.is_held()) else {
            return false;
        };
        let life = CONFIRMED.max(self.config.timeout());
        let confirmed =
            |by: &Key| member.gone.confirmed.get(by).is_some_and(|at| now.mono.since(*at) <= life);
        let tells = |(by, member): &(Key, &Member)| {
            *by != key
                && member.boot.is_some()
                && member.conn().is_some()
                && !member.is(flag::PFAIL | flag::FAIL)
        };
        let others = self.members.others().filter(tells);
        let (mut all, mut with) = (0, 0);
        for (by, _) in others {
            all += 1;
            with += usize::from(confirmed(&by));
        }
        with >= 1 && 2 * with >= all
    }

    /// Whether to leave others a moment to replace it, or itself to decide, before it is called
    /// dead.
    pub(crate) fn is_being_replaced(&self, now: Now, key: Key) -> bool {
        let stage = self.members.get(key).map(|member| member.gone.stage);
        matches!(stage, Some(Stage::Held(since)) if now.mono.since(since) < GRACE)
    }

    /// How many primaries that are gone come before this one: their shards elect one after the
    /// other, because a voter has one vote an epoch.
    pub(crate) fn shard_rank(&self, key: Key) -> u64 {
        let Some(id) = self.members.get(key).map(|member| member.id) else { return 0 };
        let before = |member: &Member| member.is_voter() && member.gone.is_held() && member.id < id;
        self.members.iter().filter(|(_, member)| before(member)).count() as u64
    }
}
