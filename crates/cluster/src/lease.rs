//! Until when we may write.
//!
//! A voter's PONG to a PING of ours is ground for a lease of node-timeout, counted from when the
//! PING was *sent*. Three rules keep the leases of an old and a new owner apart:
//! 1. A voter withholds ground from whoever claims slots that it knows to be another's, and from
//!    whoever claims slots that it has said to be its own.
//! 2. A voter that learns of a takeover withholds ground from the new owner until it has not heard
//!    from the old one for node-timeout, or the old one has conceded.
//! 3. Our own voice counts only once so many other voters have acknowledged our claim that a rival
//!    for our seat, who would count his own voice too, can find no majority among the rest.
//!
//! Our own voice obeys the second rule as well: it is the only one where nobody else has slots.

use crate::cluster::Cluster;
use crate::mail::ToNode;
use crate::members::{Key, Trust};
use crate::topology::Lease;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use machine::{ConnId, Instant, Level, Now, Out, Span};
use wire::bus::{Header, SlotSet, Touch, own_flag};

/// Taken off the lease for what clocks and turns may be apart.
const MARGIN: Span = Span::millis(10);

/// For how long a new primary without a lease asks for it
const EAGER: Span = Span::millis(3000);
/// as often as this.
const AGAIN: Span = Span::millis(10);

/// What others have granted us.
#[derive(Debug, Default)]
pub(crate) struct Grants {
    /// PINGs sent before our claim was said are no ground.
    pub(crate) since: Instant,
    /// When the last PING was sent that each has answered over a link that still stands.
    granted: BTreeMap<Key, Instant>,
    /// Who has acknowledged our claim.
    acknowledged: BTreeSet<Key>,
    /// Whose last answer was no ground.
    refused: BTreeSet<Key>,
    /// When the PINGs were sent that each connection has yet to answer.
    flights: BTreeMap<ConnId, VecDeque<Instant>>,
    last: Lease,
}

impl Grants {
    /// A PING or MEET left.
    pub(crate) fn asked(&mut self, conn: ConnId, now: Instant) {
        self.flights.entry(conn).or_default().push_back(now);
    }

    /// A PONG came; `ground`: the voter lets us count it.
    pub(crate) fn answered(&mut self, conn: ConnId, from: Key, ground: bool) {
        let Some(sent) = self.flights.get_mut(&conn).and_then(VecDeque::pop_front) else { return };
        if ground && sent >= self.since {
            self.granted.insert(from, sent);
            self.acknowledged.insert(from);
            self.refused.remove(&from);
        } else {
            self.refused.insert(from);
        }
    }

    /// A link is over, and what came over it with it.
    pub(crate) fn unlinked(&mut self, conn: ConnId, to: Key) {
        self.flights.remove(&conn);
        self.granted.remove(&to);
    }

    pub(crate) fn start_over(&mut self, now: Instant) {
        self.since = now;
        self.granted.clear();
        self.acknowledged.clear();
    }

    /// Whether this one has acknowledged our claim.
    pub(crate) fn has_acknowledged(&self, who: Key) -> bool {
        self.acknowledged.contains(&who)
    }

    /// Whether to ask this one again soon.
    pub(crate) fn is_missing(&self, from: Key) -> bool {
        self.refused.contains(&from) || !self.granted.contains_key(&from)
    }
}

impl Cluster {
    /// Tells the node that it may write no more.
    pub(crate) fn revoke_lease(&mut self, out: &mut Out) {
        if self.grants.last != Lease(None) {
            self.grants.last = Lease(None);
            self.tell(ToNode::Lease(Lease(None)), out);
        }
    }

    /// Works out the lease, and mails it when it has moved.
    pub(crate) fn renew_lease(&mut self, now: Now, out: &mut Out) {
        let lease = Lease(self.lease(now.mono));
        // It never moves back while its links stand, but a link may have died.
        if lease != self.grants.last {
            if lease == Lease(None) && self.members.me().is_voter() {
                self.log_end_of_lease(out);
            }
            self.grants.last = lease;
            self.tell(ToNode::Lease(lease), out);
        }
        let young = now.mono.since(self.grants.since) < EAGER;
        if lease == Lease(None) && young && self.members.me().is_voter() {
            self.clock.arm(now.mono + AGAIN);
        }
    }

    fn log_end_of_lease(&self, out: &mut Out) {
        let voters = || self.members.others().filter(|(_, member)| member.is_voter());
        let refused = voters().filter(|(key, _)| self.grants.refused.contains(key)).count();
        let (others, quorum) = (voters().count(), self.quorum());
        let text = "The lease has run out: it takes";
        out.log(
            Level::Notice,
            format_args!("{text} {quorum} voters; of {others} others {refused} have withheld it"),
        );
    }

    /// A new primary asks those who have not acknowledged its claim: they were saving it.
    pub(crate) fn ask_missing(&mut self, now: Now, out: &mut Out) {
        if self.grants.last != Lease(None) || now.mono.since(self.grants.since) >= EAGER {
            return;
        }
        let missing = |(key, member): &(Key, &crate::members::Member)| {
            member.times.ping_sent.is_none() && self.grants.is_missing(*key)
        };
        let conns: Vec<ConnId> =
            self.members.others().filter(missing).filter_map(|(_, m)| m.conn()).collect();
        for conn in conns {
            self.touch(now, conn, Touch::Ping, 0, out);
        }
    }

    fn lease(&self, now: Instant) -> Option<Instant> {
        let me = self.members.me();
        if !me.is_voter() || !self.voice.said.primary || self.is_hollow() {
            return None;
        }
        let (size, quorum) = (self.members.voters(), self.quorum());
        let voter = |key: &Key| self.members.get(*key).is_some_and(|m| m.is_voter());
        let acknowledged = &self.grants.acknowledged;
        let acknowledged = acknowledged.iter().filter(|key| voter(key)).count();
        let granted = self.grants.granted.iter().filter(|(key, _)| voter(key));
        let mut grounds: Vec<Instant> = granted.map(|(_, sent)| *sent).collect();
        if acknowledged >= (size - quorum + 1).min(size - 1) && self.grants_itself(now) {
            // Rounded, so that a lone primary's lease does not move at every turn.
            grounds.push(if size == 1 { Instant(now.0 / TICK * TICK) } else { now });
        }
        if grounds.len() < quorum {
            return None;
        }
        let (_, sent, _) = grounds.select_nth_unstable_by(quorum - 1, |a, b| b.cmp(a));
        let sent = *sent;
        let until = sent + Span(self.config.timeout().0.saturating_sub(MARGIN.0));
        (until > now).then_some(until)
    }

    /// Whether our own voice is ground for our lease.
    fn grants_itself(&self, now: Instant) -> bool {
        let trust = &self.members.me().trust;
        !self.may_be_replaced(trust, now) && trust.withheld_until.is_none_or(|until| now >= until)
    }

    /// A replica that we voted for applies no more of its primary's stream, and may be elected
    /// already: what that primary acknowledged from now on would be lost with the claim.
    fn may_be_replaced(&self, trust: &Trust, now: Instant) -> bool {
        let elected_until = |at| at + self.config.auth_timeout();
        trust.voted.is_some_and(|(at, _)| now < elected_until(at))
    }

    /// Whether our PONG to this sender is ground for its lease.
    pub(crate) fn grants_lease(&self, now: Now, sender: Key, header: &Header) -> bool {
        let Some(member) = self.members.get(sender) else { return false };
        let waits = member.trust.withheld_until.is_some_and(|until| now.mono < until);
        let unsaved = self.store.is_behind(now.mono, Span(self.config.timeout().0 / 2));
        member.is_primary()
            && !waits
            && !crate::receive::is_hollow(header)
            && !unsaved
            && !self.may_be_replaced(&member.trust, now.mono)
            && self.owns_all(sender, &header.slots)
    }

    /// Whether all that `owner` claims is his. What we have just been given he cannot know to be
    /// ours before we say it.
    fn owns_all(&self, owner: Key, claimed: &SlotSet) -> bool {
        if self.slots.are(owner, claimed) {
            return true;
        }
        let (me, said) = (self.members.my_key(), self.voice.slots());
        claimed.iter().all(|slot| match self.slots.owner(slot) {
            Some(other) if other == me => !said.contains(slot),
            other => other == Some(owner),
        })
    }

    /// The flags of our PONG to this sender.
    pub(crate) fn pong_flags(&self, now: Now, sender: Option<Key>, header: &Header) -> u16 {
        match sender {
            Some(key) if self.grants_lease(now, key, header) => 0,
            _ => own_flag::WITHHELD,
        }
    }

    /// `sender` takes a slot of `owner`. If it was elected, it has to wait for the lease of whoever
    /// had the slot last: the primary it followed, or a sibling that was elected just before it.
    pub(crate) fn withhold_from(&mut self, now: Now, sender: Key, owner: Option<Key>) {
        let Some(old) = owner.and_then(|key| self.members.get(key)) else { return };
        let heard = old.times.heard.unwrap_or(self.clock.started).max(self.clock.started);
        // While the old owner had to wait for the one before, we were no ground for its own lease.
        let inherited = old.trust.withheld_until.filter(|until| now.mono < *until);
        let (until, of) = match inherited {
            Some(until) => (until, old.trust.successor_of),
            None => (heard + self.config.timeout(), owner),
        };
        let gone = inherited.is_none() && old.gone.is_held();
        // Our vote for another replica of the old owner may still elect it, over the new owner.
        let rival = old.trust.voted.filter(|(_, candidate)| {
            let new = self.members.get(sender).map(|new| new.id);
            let followed = self.members.get(*candidate).and_then(|rival| rival.primary);
            *candidate != sender && followed.is_some() && followed != new
        });
        let Some(new) = self.members.get_mut(sender) else { return };
        if new.trust.successor_of.is_none() {
            return;
        }
        new.trust.voted = rival.or(new.trust.voted);
        if !gone && now.mono < until && new.trust.withheld_until.is_none_or(|other| other < until) {
            new.trust.successor_of = of;
            new.trust.withheld_until = Some(until);
        }
    }

    /// A former primary says that it is a replica: its successors need not wait.
    pub(crate) fn conceded(&mut self, old: Key) {
        for key in self.members.keys() {
            if let Some(member) = self.members.get_mut(key)
                && member.trust.successor_of == Some(old)
            {
                member.trust.successor_of = None;
                member.trust.withheld_until = None;
            }
        }
    }
}

/// How often a lone primary's lease moves, in nanoseconds.
const TICK: u64 = 50_000_000;
