//! Whether the cluster is up, as we see it.

use crate::cluster::Cluster;
use crate::hollow::Hollow;
use machine::{Instant, Level, Now, Out, Span};
use wire::bus::flag;

/// A primary that starts waits this long before it says that all is well.
const WRITABLE_DELAY: Span = Span::millis(2000);
const MIN_REJOIN: u64 = 500;
const MAX_REJOIN: u64 = 5000;

/// A data plane is told to be busy after this long.
const BUSY_AFTER: Span = Span::millis(1000);

/// Whether the data plane is in a long turn, to judge by its mail.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Busy {
    #[default]
    No,
    /// Peers are told.
    Yes,
    /// For so long that the node is as good as dead: we are silent, so that it is replaced.
    Stuck,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct Health {
    pub(crate) ok: bool,
    /// Primaries with slots.
    pub(crate) size: usize,
    pub(crate) dirty: bool,
    pub(crate) busy: Busy,
    /// Whether we keep silent after a start.
    pub(crate) hollow: Hollow,
    /// When we began to look.
    pub(crate) first: Instant,
    /// When we were last among a minority.
    minority: Option<Instant>,
}

impl Cluster {
    /// Looks how long the data plane has said nothing.
    pub(crate) fn look_at_data(&mut self, now: Now, out: &mut Out) {
        let quiet = now.mono.since(self.data.said);
        let busy = if quiet > self.config.busy_timeout() {
            Busy::Stuck
        } else if quiet > BUSY_AFTER {
            Busy::Yes
        } else {
            Busy::No
        };
        let before = core::mem::replace(&mut self.health.busy, busy);
        if busy == Busy::Stuck && before != busy {
            let ms = quiet.as_millis();
            out.log(
                Level::Warning,
                format_args!("Commands have not run for {ms} ms: silent until they do"),
            );
        } else if before == Busy::Stuck && busy != before {
            out.log(Level::Notice, format_args!("Commands run again"));
        }
    }

    /// How many voters make a majority.
    pub(crate) fn quorum(&self) -> usize {
        self.members.voters() / 2 + 1
    }

    pub(crate) fn update_state(&mut self, now: Now, out: &mut Out) {
        self.health.dirty = false;
        let size = self.members.voters();
        self.picture.dirty |= size != self.health.size;
        self.health.size = size;
        let primary = self.members.me().is_primary();
        if primary && !self.health.ok && now.mono.since(self.health.first) < WRITABLE_DELAY {
            return;
        }
        let members = &self.members;
        let alive = |key| members.get(key).is_some_and(|owner| !owner.is(flag::FAIL));
        let covered = !self.config.require_full_coverage || self.slots.all_owned_by(alive);
        let reachable = members
            .iter()
            .filter(|(_, member)| member.is_voter() && !member.is(flag::FAIL | flag::PFAIL))
            .count();
        let majority = reachable >= self.quorum();
        // Those whose processes are gone are not cut off from us, and know nothing newer.
        let gone = members.iter().filter(|(_, m)| m.is_voter() && m.gone.is_held()).count();
        if reachable + gone < self.quorum() {
            self.health.minority = Some(now.mono);
        }
        let ok = covered && majority && !self.is_hollow();
        if ok == self.health.ok {
            return;
        }
        let delay = Span::millis(self.config.node_timeout.clamp(MIN_REJOIN, MAX_REJOIN));
        let recently = self.health.minority.is_some_and(|at| now.mono.since(at) < delay);
        if ok && primary && recently {
            return;
        }
        let word = if ok { "ok" } else { "fail" };
        out.log(Level::Warning, format_args!("Cluster state changed: {word}"));
        self.health.ok = ok;
        self.picture.dirty = true;
    }
}
