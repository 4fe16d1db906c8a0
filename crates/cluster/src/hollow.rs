//! A primary that has just started does not know whether its data is still the shard's.
//!
//! Its process may have died with writes that only its replicas have; a supervisor may have started
//! it again before anybody noticed, maybe without any data. So it keeps silent: it listens to the
//! bus and says nothing, serves nothing and holds no lease. To its peers it is as dead as its
//! predecessor, and a replica takes over in the ordinary way. It speaks again when another node
//! owns its slots, or when every replica it knows has been heard and has no more than itself. With
//! data of its own it also speaks when a replica has not been heard for a long time: then that
//! replica is taken for gone, and what only it had is lost.

use crate::cluster::Cluster;
use machine::{Instant, Level, Now, Out, Span};

/// How long a silent replica is waited for at the least: it may hang, or be starting too.
const MIN_PATIENCE_MS: u64 = 10_000;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct Hollow {
    /// Since when we are silent, if we are.
    since: Option<Instant>,
    /// The node has said how it stands since then.
    told: bool,
    empty: bool,
}

impl Cluster {
    /// Whether we keep silent.
    pub(crate) fn is_hollow(&self) -> bool {
        self.health.hollow.since.is_some()
    }

    /// At the start: a primary with slots that had replicas begins in silence.
    pub(crate) fn begin_hollow(&mut self, now: Now, out: &mut Out) {
        let me = self.members.me();
        let id = me.id;
        let slots = me.slots;
        let followed = self.members.others().any(|(_, member)| member.primary == Some(id));
        if me.is_primary() && slots > 0 && followed {
            self.health.hollow = Hollow { since: Some(now.mono), ..Hollow::default() };
            out.log(
                Level::Notice,
                format_args!("Silent until it is clear that no replica has newer data"),
            );
        }
    }

    /// The node said whether it holds any key.
    pub(crate) fn hollow_told(&mut self, empty: bool) {
        self.health.hollow.told = true;
        self.health.hollow.empty = empty;
    }

    /// Looks whether the silence can end.
    pub(crate) fn reconsider_silence(&mut self, now: Now, out: &mut Out) {
        let Some(since) = self.health.hollow.since else { return };
        let me = self.members.me();
        let mine = me.slots;
        if !me.is_primary() || mine == 0 {
            return self.end_silence(now, "another node has taken over", out);
        }
        if !self.health.hollow.told {
            return;
        }
        let (id, offset) = (me.id, self.data.offset);
        let replicas = || self.members.others().filter(|(_, member)| member.primary == Some(id));
        let heard = replicas().filter(|(_, member)| member.times.heard.is_some()).count();
        if replicas().any(|(_, member)| member.offset > offset) {
            return;
        }
        let patience = Span::millis((5 * self.config.node_timeout).max(MIN_PATIENCE_MS));
        if heard == replicas().count() {
            self.end_silence(now, "no replica has newer data", out);
        } else if now.mono.since(since) > patience && !self.health.hollow.empty {
            self.end_silence(now, "no replica that can be heard has newer data", out);
        }
    }

    fn end_silence(&mut self, now: Now, why: &str, out: &mut Out) {
        self.health.hollow.since = None;
        // Peers wait for answers to PINGs that we never gave; over new links they ask again.
        self.drop_all_links(now, out);
        self.changed_config();
        out.log(Level::Notice, format_args!("No longer silent: {why}"));
    }
}
