//! How a replica takes over from a primary that is dead.

use crate::cluster::Cluster;
use crate::mail::ToNode;
use crate::members::Key;
use crate::voice::Then;
use alloc::collections::BTreeSet;
use machine::{Instant, Level, Now, Out, Span};
use wire::bus::{Body, Header, flag, own_flag, packet_flag};

/// Gives FAIL time to get around.
const DELAY: u64 = 500;
/// Keeps elections of several shards apart, and siblings with the same data. Redis draws from 500,
/// which is silence in every failover, where a vote takes milliseconds.
const RANDOM_DELAY: u64 = 200;
/// For every sibling that has more of the data.
const RANK_DELAY: u64 = 1000;
/// The same for a primary whose process is gone: nobody has to hear of its death first.
const FAST_RANK_DELAY: u64 = 100;
/// For every shard whose primary is gone, too, and that comes before ours.
const SHARD_DELAY: u64 = 150;
/// Gives siblings' positions time to arrive.
const EXCHANGE: u64 = 30;
/// How long a request for a vote waits for our own evidence.
const PARKED: Span = Span::millis(1000);
/// Between a failed attempt and the next.
const RETRY: Span = Span::millis(1000);

/// How long a vote keeps another candidate of the same shard out: time for the winner to be heard
/// of. Redis keeps all out for twice node-timeout; with candidates that try again every second the
/// votes of two voters could then stay out of step for ever.
const VOTE_STANDS: Span = Span::millis(500);
/// After so many failed attempts in a row a candidate is quiet for twice node-timeout, so that the
/// votes of real Redis voters are free at the same time.
const ATTEMPTS: u64 = 8;

/// Why a vote waits for evidence.
const NO_EVIDENCE: &str = "its master is not known to be gone";

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Stage {
    /// No election.
    #[default]
    Idle,
    /// The primary's process is gone: the node reads its stream to the end, so that siblings can be
    /// told how far we are.
    Draining,
    /// It begins at this time.
    Delayed(Instant),
    /// The node stops the stream.
    Freezing,
    /// The epoch is being saved.
    Saving,
    /// Votes were asked for at this time.
    Voting(Instant),
}

/// Our candidacy.
#[derive(Debug, Default)]
pub(crate) struct Election {
    /// Something happened that it may have waited for.
    pub(crate) due: bool,
    stage: Stage,
    rank: u64,
    per_rank: u64,
    /// How many shards elect before ours; none in an ordinary election.
    turn: u64,
    /// It rests on evidence that the primary's process is gone.
    gone: bool,
    epoch: u64,
    votes: BTreeSet<Key>,
    /// Attempts that failed.
    failures: u64,
    /// When the present stage began.
    since: Instant,
    /// The longest time a vote has taken.
    slowest: Span,
    /// Why there is none was logged.
    told_why: bool,
    /// The node was told to freeze.
    frozen: bool,
    /// The epoch of a victory that the node has yet to hear of.
    won: Option<u64>,
    /// Whoever asked for a vote before we held evidence that its primary is gone.
    parked: Option<(Instant, Key, Header)>,
}

impl Election {
    /// Forgets everything of it, because the primary is another now.
    pub(crate) fn reset(&mut self) {
        *self = Election { slowest: self.slowest, ..Election::default() };
    }
}

/// The candidate.
impl Cluster {
    fn may_elect(&self, now: Now) -> bool {
        let manual = self.manual.is_ready();
        let dead = |(key, primary): (Key, &crate::members::Member)| {
            let over = primary.is(flag::FAIL) || self.is_surely_gone(now, key);
            primary.slots > 0 && (over && !self.config.replica_no_failover || manual)
        };
        self.members.me().is_replica() && self.members.my_primary().is_some_and(dead)
    }

    /// Goes on with the election as far as it can.
    pub(crate) fn elect(&mut self, now: Now, out: &mut Out) {
        if !self.may_elect(now) {
            if self.election.stage != Stage::Idle || self.election.frozen {
                self.thaw(out);
                self.election.reset();
            }
            return;
        }
        let gone = self.members.my_primary().is_some_and(|(key, _)| self.is_surely_gone(now, key));
        if gone && !core::mem::replace(&mut self.election.gone, true) {
            // What was planned before rested on less.
            self.election.stage = Stage::Idle;
            self.election.failures = 0;
        }
        match self.election.stage {
            Stage::Idle => self.schedule(now, out),
            Stage::Delayed(at) => {
                self.update_rank(at, out);
                let Stage::Delayed(at) = self.election.stage else { return };
                if now.mono >= at {
                    self.freeze(now, out);
                } else {
                    self.clock.arm(at);
                }
            }
            Stage::Draining | Stage::Freezing | Stage::Saving => {
                if now.mono.since(self.election.since) > self.config.auth_timeout() {
                    self.give_up(now, out);
                }
            }
            Stage::Voting(asked) => {
                let twice = Span(self.election.slowest.0 * 2);
                let patience = RETRY.max(twice).min(self.config.auth_timeout());
                if now.mono.since(asked) > patience {
                    self.give_up(now, out);
                }
            }
        }
    }

    fn data_is_fresh(&mut self, now: Now, out: &mut Out) -> bool {
        let factor = self.config.replica_validity_factor;
        if factor == 0 || self.manual.is_ready() {
            return true;
        }
        let since_told = now.mono.since(self.data.told).as_millis();
        let timeout = self.config.node_timeout;
        let age = self.data.age.map(|age| age.saturating_add(since_told).saturating_sub(timeout));
        let limit = self.config.replica_ping_period * 1000 + timeout * factor;
        let fresh = age.is_some_and(|age| age <= limit);
        if !fresh && !core::mem::replace(&mut self.election.told_why, true) {
            out.log(
                Level::Warning,
                format_args!(
                    "Currently unable to failover: Disconnected from master for longer than \
                     allowed. Please check the 'cluster-replica-validity-factor' configuration \
                     option."
                ),
            );
        }
        fresh
    }

    fn rank(&self) -> u64 {
        let me = self.members.me();
        let better = |member: &crate::members::Member| {
            member.primary == me.primary
                && member.is_replica()
                && !member.is(flag::NO_FAILOVER | flag::FAIL)
                && member.offset > self.data.offset
        };
        self.members.others().filter(|(_, member)| better(member)).count() as u64
    }

    fn schedule(&mut self, now: Now, out: &mut Out) {
        if !self.data_is_fresh(now, out) {
            return;
        }
        if self.manual.is_ready() {
            return self.delay(now, 0, 0, out);
        }
        if let Some((key, _)) = self.members.my_primary()
            && self.is_surely_gone(now, key)
        {
            self.election.stage = Stage::Draining;
            return self.ask_freeze(now, true, out);
        }
        let delay = DELAY + self.chance.below(RANDOM_DELAY);
        self.delay(now, delay, RANK_DELAY, out);
    }

    /// Begins an election after a delay that grows with our rank among our siblings.
    fn delay(&mut self, now: Now, delay: u64, per_rank: u64, out: &mut Out) {
        let rank = self.rank();
        let delay = delay + rank * per_rank;
        self.election.rank = rank;
        self.election.per_rank = per_rank;
        self.election.stage = Stage::Delayed(now.mono + Span::millis(delay));
        self.clock.arm(now.mono + Span::millis(delay));
        let offset = self.data.offset;
        out.log(
            Level::Warning,
            format_args!(
                "Start of election delayed for {delay} milliseconds \
                 (rank #{rank}, offset {offset})."
            ),
        );
        // Siblings may rank themselves by our offset.
        self.broadcast_pong(now, out);
    }

    fn update_rank(&mut self, at: Instant, out: &mut Out) {
        let turn = self.members.my_primary().map_or(0, |(key, _)| self.shard_rank(key));
        let fast = self.election.per_rank == FAST_RANK_DELAY;
        let mut at = at;
        if fast && turn > self.election.turn {
            // We had not heard of all deaths.
            at = at + Span::millis((turn - self.election.turn) * SHARD_DELAY);
            self.election.turn = turn;
            self.election.stage = Stage::Delayed(at);
        }
        let rank = self.rank();
        if rank > self.election.rank {
            let added = (rank - self.election.rank) * self.election.per_rank;
            self.election.rank = rank;
            self.election.stage = Stage::Delayed(at + Span::millis(added));
            out.log(
                Level::Warning,
                format_args!(
                    "Replica rank updated to #{rank}, added {added} milliseconds of delay."
                ),
            );
        }
    }

    fn freeze(&mut self, now: Now, out: &mut Out) {
        self.election.stage = Stage::Freezing;
        self.election.votes.clear();
        self.ask_freeze(now, false, out);
    }

    fn ask_freeze(&mut self, now: Now, to_the_end: bool, out: &mut Out) {
        let epoch = self.store.epochs.current + 1;
        self.election.since = now.mono;
        self.election.epoch = epoch;
        self.election.frozen = true;
        self.tell(ToNode::Freeze { epoch, to_the_end }, out);
    }

    /// The node has stopped the stream: asks for votes once the epoch is saved.
    pub(crate) fn frozen(&mut self, now: Now, epoch: u64, out: &mut Out) {
        if self.election.epoch != epoch {
            return;
        }
        if self.election.stage == Stage::Draining {
            self.election.turn =
                self.members.my_primary().map_or(0, |(key, _)| self.shard_rank(key));
            let delay = EXCHANGE + self.election.turn * SHARD_DELAY;
            return self.delay(now, delay, FAST_RANK_DELAY, out);
        }
        if self.election.stage != Stage::Freezing {
            return;
        }
        if !self.may_elect(now) || !self.data_is_fresh(now, out) {
            return self.give_up(now, out);
        }
        // Others may have moved on meanwhile; the freeze holds for a newer epoch as well.
        let epoch = self.store.epochs.current.max(epoch - 1) + 1;
        self.store.epochs.current = epoch;
        self.election.epoch = epoch;
        self.election.stage = Stage::Saving;
        out.log(Level::Warning, format_args!("Starting a failover election for epoch {epoch}."));
        self.changed_config();
        self.after_save(Then::Request(epoch));
    }

    pub(crate) fn request_votes(&mut self, now: Now, epoch: u64, out: &mut Out) {
        if self.election.stage != Stage::Saving || self.election.epoch != epoch {
            return;
        }
        self.election.stage = Stage::Voting(now.mono);
        let mut packet = self.packet(Body::AuthRequest);
        if self.members.my_primary().is_some_and(|(_, primary)| !primary.is(flag::FAIL)) {
            // Voters of other makes vote without FAIL then; those of ours look at their evidence.
            packet.header.packet_flags[0] |= packet_flag::FORCE_ACK;
            if let Some(own) = packet.header.own.as_mut().filter(|_| !self.manual.is_ready()) {
                own.flags |= own_flag::GONE;
            }
        }
        self.broadcast(&packet, out);
    }

    /// A vote came.
    pub(crate) fn vote_in(&mut self, now: Now, from: Key, header: &Header) {
        let Stage::Voting(asked) = self.election.stage else { return };
        let voter = self.members.get(from).is_some_and(|member| member.is_voter());
        let in_time = now.mono.since(asked) <= self.config.auth_timeout();
        if !voter || !in_time || header.current_epoch != self.election.epoch {
            return;
        }
        self.election.votes.insert(from);
        self.election.slowest = self.election.slowest.max(now.mono.since(asked));
        if self.election.votes.len() >= self.quorum() && self.may_elect(now) {
            self.election.due = true;
            self.win(now);
        }
    }

    /// Takes our primary's place without asking anybody.
    pub(crate) fn seize(&mut self, now: Now) {
        let epoch = self.store.epochs.current.max(self.members.max_epoch()) + 1;
        self.store.epochs.current = epoch;
        self.election.epoch = epoch;
        self.election.due = true;
        self.win(now);
    }

    fn win(&mut self, now: Now) {
        let epoch = self.election.epoch;
        let Some((old, _)) = self.members.my_primary() else { return };
        let slots = self.slots.of(old);
        let me = self.members.my_key();
        self.members.me_mut().become_primary();
        self.members.me_mut().config_epoch = epoch;
        self.members.me_mut().trust.successor_of = Some(old);
        self.withhold_from(now, me, Some(old));
        for slot in slots.iter() {
            self.slots.set(slot, Some(me), &mut self.members);
        }
        self.picture.followed = None;
        self.election.won = Some(epoch);
        self.election.stage = Stage::Idle;
        self.election.frozen = false;
        self.grants.start_over(now.mono);
        self.changed_config();
    }

    /// Tells the node and the log of a victory.
    pub(crate) fn take_over(&mut self, now: Now, out: &mut Out) {
        let Some(epoch) = self.election.won.take() else { return };
        out.log(Level::Warning, format_args!("Failover election won: I'm the new master."));
        out.log(
            Level::Warning,
            format_args!("configEpoch set to {epoch} after successful failover"),
        );
        self.tell(ToNode::Promote, out);
        self.end_manual(now, out);
    }

    /// This attempt has failed; the next comes with a new epoch.
    fn give_up(&mut self, now: Now, out: &mut Out) {
        self.thaw(out);
        self.election.stage = Stage::Idle;
        if self.may_elect(now) {
            out.log(
                Level::Warning,
                format_args!("Currently unable to failover: Failover attempt expired."),
            );
            self.election.failures += 1;
            let quiet = match self.election.failures % ATTEMPTS {
                0 => self.config.node_timeout * 2,
                _ => 0,
            };
            // Not at once: siblings that split the votes would do so again and again.
            let pause = Span::millis(quiet + self.chance.below(RANDOM_DELAY));
            self.election.stage = Stage::Delayed(now.mono + pause);
        }
    }

    fn thaw(&mut self, out: &mut Out) {
        if core::mem::take(&mut self.election.frozen) {
            self.tell(ToNode::Thaw, out);
        }
    }
}

/// The voter.
impl Cluster {
    /// Someone asks for our vote.
    pub(crate) fn consider_vote(&mut self, now: Now, from: Key, header: &Header, out: &mut Out) {
        if !self.members.me().is_voter() || !self.voice.said.primary {
            return;
        }
        let epoch = self.store.epochs.current;
        if let Err(why) = self.may_vote(now, from, header) {
            if why == NO_EVIDENCE {
                self.election.parked = Some((now.mono, from, header.clone()));
            }
            let id = crate::NodeId(header.sender);
            out.log(Level::Warning, format_args!("Failover auth denied to {id}: {why}"));
            return;
        }
        self.store.epochs.last_vote = epoch;
        let primary = self.members.get(from).and_then(|member| member.primary);
        if let Some(member) =
            primary.and_then(|id| self.members.key(id)).and_then(|key| self.members.get_mut(key))
        {
            member.trust.voted = Some((now.mono, from));
        }
        self.changed_config();
        self.after_save(Then::Vote(from, epoch));
    }

    /// We hold evidence now that this node is gone: perhaps a vote waits for that.
    pub(crate) fn reconsider_vote(&mut self, now: Now, about: Key, out: &mut Out) {
        let id = self.members.get(about).map(|member| member.id);
        let fits = |(at, from, _): &mut (Instant, Key, Header)| {
            let primary = self.members.get(*from).and_then(|member| member.primary);
            primary == id && now.mono.since(*at) <= PARKED
        };
        if let Some((_, from, header)) = self.election.parked.take_if(fits) {
            self.consider_vote(now, from, &header, out);
        }
    }

    fn may_vote(&self, now: Now, from: Key, header: &Header) -> Result<(), alloc::string::String> {
        let epoch = self.store.epochs.current;
        let timeout = self.config.timeout();
        if header.current_epoch < epoch {
            let asked = header.current_epoch;
            return Err(alloc::format!("reqEpoch ({asked}) < curEpoch({epoch})"));
        }
        if self.store.epochs.last_vote >= epoch {
            return Err(alloc::format!("already voted for epoch {epoch}"));
        }
        let candidate = self.members.get(from).filter(|member| !member.is_primary());
        let Some(candidate) = candidate else { return Err("it is a master node".into()) };
        let primary = candidate.primary.and_then(|id| self.members.by_id(id));
        let Some(primary) = primary else { return Err("I don't know its master".into()) };
        let forced = header.packet_flags[0] & packet_flag::FORCE_ACK != 0;
        let gone = header.own.is_some_and(|own| own.flags & own_flag::GONE != 0);
        // Ourselves, hollow, we hold no lease that anybody would have to wait for.
        let myself = primary.is(flag::MYSELF) && self.is_hollow();
        let proven = primary.gone.is_held() || myself;
        if !primary.is(flag::FAIL) && gone && !proven {
            return Err(NO_EVIDENCE.into());
        }
        if !primary.is(flag::FAIL) && !forced {
            return Err("its master is up".into());
        }
        // A lease that rests on our PONG must have run out. What we heard before this process
        // began we do not know.
        let heard = primary.times.heard.unwrap_or(self.clock.started).max(self.clock.started);
        let manual = forced && !gone;
        if now.mono.since(heard) < timeout && !manual && !proven {
            return Err("its master was heard from too recently".into());
        }
        if let Some((at, for_whom)) = primary.trust.voted
            && for_whom != from
        {
            let left = VOTE_STANDS.0.saturating_sub(now.mono.since(at).0);
            if left > 0 {
                let left = Span(left).as_millis();
                return Err(alloc::format!(
                    "can't vote about this master before {left} milliseconds"
                ));
            }
        }
        for slot in header.slots.iter() {
            let owner = self.slots.claimant(slot).and_then(|key| self.members.get(key));
            if let Some(newer) = owner.filter(|owner| owner.config_epoch > header.config_epoch) {
                let (ours, asked) = (newer.config_epoch, header.config_epoch);
                return Err(alloc::format!("slot {slot} epoch ({ours}) > reqEpoch ({asked})"));
            }
        }
        Ok(())
    }

    /// The vote is saved: it may leave.
    pub(crate) fn send_vote(&mut self, candidate: Key, epoch: u64, out: &mut Out) {
        let Some(member) = self.members.get(candidate) else { return };
        let (id, Some(conn)) = (member.id, member.conn()) else { return };
        let mut packet = self.packet(Body::AuthAck);
        // We may know of a newer epoch by now, but it is this one that we voted in.
        packet.header.current_epoch = epoch;
        out.log(Level::Warning, format_args!("Failover auth granted to {id} for epoch {epoch}"));
        self.send(conn, &packet, out);
    }
}
