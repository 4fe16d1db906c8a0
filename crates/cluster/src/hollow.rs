//! A primary that has just started does not know whether its data is still the shard's.
//!
//! Its process may have died with writes that only its replicas have; a supervisor may have started
//! it again before anybody noticed, maybe without any data. So it starts hollow: it answers the bus
//! and says that it is hollow, serves nothing and holds no lease; what its file holds is enough to
//! vote, for its own replicas as well, and to acknowledge others. To peers of our make
//! that is proof that the process before is gone, and a replica with newer data takes over at once.
//! Others know no such state and take it for alive; so if nobody takes over, it says of itself that
//! it is dead. It is hollow no longer when another node owns its slots, or when every replica it
//! knows has been heard and has no more than itself. With data of its own also when a replica has
//! not been heard for a long time, whatever it said before: then that replica is taken for gone,
//! and what only it had is lost.

use crate::cluster::Cluster;
use crate::members::Member;
use machine::{Instant, Level, Now, Out, Span};
use wire::bus::Body;

/// How long a silent replica is waited for at the least: it may hang, or be starting too.
const MIN_PATIENCE_MS: u64 = 10_000;
/// How long a replica of our make, which sees that we are hollow, has to take over.
const TAKE_OVER: Span = Span::millis(2000);

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct Hollow {
    /// Since when we are hollow, if we are.
    since: Option<Instant>,
    /// When we last said that we are dead.
    renounced: Option<Instant>,
    /// The node has said how it stands since then.
    told: bool,
    empty: bool,
}

impl Cluster {
    /// Whether we are.
    pub(crate) fn is_hollow(&self) -> bool {
        self.health.hollow.since.is_some()
    }

    /// At the start: a primary with slots that had replicas is hollow.
    pub(crate) fn begin_hollow(&mut self, now: Now, out: &mut Out) {
        let me = self.members.me();
        let id = me.id;
        let slots = me.slots;
        let followed = self.members.others().any(|(_, member)| member.primary == Some(id));
        if me.is_primary() && slots > 0 && followed {
            self.health.hollow = Hollow { since: Some(now.mono), ..Hollow::default() };
            out.log(
                Level::Notice,
                format_args!("Serving nothing until it is clear that no replica has newer data"),
            );
        }
    }

    /// The node said whether it holds any key.
    pub(crate) fn hollow_told(&mut self, empty: bool) {
        self.health.hollow.told = true;
        self.health.hollow.empty = empty;
    }

    /// Looks whether it can end.
    pub(crate) fn reconsider_hollow(&mut self, now: Now, out: &mut Out) {
        let Some(since) = self.health.hollow.since else { return };
        let me = self.members.me();
        let mine = me.slots;
        if !me.is_primary() || mine == 0 {
            return self.fill(now, "another node has taken over", out);
        }
        let elected_until = |(at, _)| at + self.config.auth_timeout();
        if !self.health.hollow.told || me.trust.voted.map(elected_until) > Some(now.mono) {
            return;
        }
        let (id, offset) = (me.id, self.data.offset);
        let patience = Span::millis((5 * self.config.node_timeout).max(MIN_PATIENCE_MS));
        let replicas = || self.members.others().filter(|(_, member)| member.primary == Some(id));
        let newer = |member: &Member| member.offset > offset;
        let lately =
            |member: &Member| member.times.heard.is_some_and(|at| now.mono.since(at) <= patience);
        if replicas().any(|(_, member)| newer(member) && lately(member)) {
            return self.renounce(now, out);
        }
        let known = |member: &Member| member.times.heard.is_some() && !newer(member);
        if replicas().all(|(_, member)| known(member)) {
            self.fill(now, "no replica has newer data", out);
        } else if now.mono.since(since) > patience && !self.health.hollow.empty {
            self.fill(now, "no replica that can be heard has newer data", out);
        }
    }

    /// A replica has newer data. One of our make takes over by itself; another has to be told, by
    /// everybody, that we are dead.
    fn renounce(&mut self, now: Now, out: &mut Out) {
        let hollow = &self.health.hollow;
        let (id, offset) = (self.members.me().id, self.data.offset);
        let ours = self.members.others().any(|(_, member)| {
            member.primary == Some(id) && member.offset > offset && member.boot.is_some()
        });
        let patience = if ours { TAKE_OVER } else { Span(0) };
        let waited = hollow.since.is_some_and(|since| now.mono.since(since) >= patience);
        let again = hollow.renounced.is_none_or(|at| now.mono.since(at) >= self.config.timeout());
        if waited && again {
            self.health.hollow.renounced = Some(now.mono);
            out.log(
                Level::Notice,
                format_args!("A replica has newer data: telling everyone that I am to be replaced"),
            );
            let packet = self.packet(Body::Fail(id.0));
            self.broadcast(&packet, out);
        }
    }

    fn fill(&mut self, now: Now, why: &str, out: &mut Out) {
        self.health.hollow.since = None;
        self.grants.start_over(now.mono);
        self.changed_config();
        // Peers take us for alive again when they hear it.
        self.broadcast_pong(now, out);
        self.ping_voters(now, out);
        out.log(Level::Notice, format_args!("Serving again: {why}"));
    }
}
