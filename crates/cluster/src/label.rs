//! What nodes tell of themselves in extensions of PING, PONG and MEET: host name, a name for
//! people, the shard's name, nodes that were forgotten.
//!
//! Nodes of 7.0 know the host name only and log whatever else they are sent, in every packet; so
//! the rest goes to those alone that have shown that they know it.

use crate::NodeId;
use crate::cluster::Cluster;
use crate::members::{Key, Member};
use alloc::vec::Vec;
use machine::{Now, Out, Span};
use wire::bus::{Extension, Header, packet_flag};

impl Cluster {
    /// The extensions of a packet to this member; none: we do not know to whom it goes.
    pub(crate) fn extensions(&self, now: Now, to: Option<Key>) -> Vec<Extension> {
        let label = &self.members.me().label;
        let mut all = Vec::new();
        if !label.hostname.is_empty() {
            all.push(Extension::Hostname(label.hostname.clone()));
        }
        let understands = |member: &Member| member.label.extends || member.boot.is_some();
        if !to.and_then(|key| self.members.get(key)).is_some_and(understands) {
            return all;
        }
        if !label.human_name.is_empty() {
            all.push(Extension::HumanName(label.human_name.clone()));
        }
        let left = |until: &machine::Instant| until.since(now.mono).0.div_ceil(Span::secs(1).0);
        let forgotten = self.clock.forgotten.iter().filter(|(_, until)| **until > now.mono);
        all.extend(
            forgotten.map(|(id, until)| Extension::Forgotten { name: id.0, seconds: left(until) }),
        );
        all.extend(label.shard.map(|shard| Extension::Shard(shard.0)));
        all
    }

    /// A known sender told this of itself.
    pub(crate) fn extensions_in(
        &mut self,
        now: Now,
        from: Key,
        header: &Header,
        extensions: &[Extension],
        out: &mut Out,
    ) {
        if header.packet_flags[0] & packet_flag::EXTENSIONS == 0 {
            return;
        }
        let Some(member) = self.members.get_mut(from) else { return };
        let before = member.label.clone();
        let old = |extension: &Extension| matches!(extension, Extension::Hostname(_));
        member.label.extends |= extensions.is_empty() || !extensions.iter().all(old);
        member.label.hostname.clear();
        member.label.human_name.clear();
        let mut forgotten = Vec::new();
        for extension in extensions {
            match extension {
                Extension::Hostname(name) => member.label.hostname.clone_from(name),
                Extension::HumanName(name) => member.label.human_name.clone_from(name),
                Extension::Shard(shard) => member.label.shard = Some(NodeId(*shard)),
                Extension::Forgotten { name, seconds } => {
                    forgotten.push((NodeId(*name), *seconds));
                }
                Extension::Other(..) => {}
            }
        }
        if member.label != before {
            self.changed_config();
        }
        self.share_shard();
        for (id, seconds) in forgotten {
            self.forget_as_told(now, id, seconds, out);
        }
    }

    /// A replica is of its primary's shard.
    pub(crate) fn share_shard(&mut self) {
        let Some(shard) = self.members.my_primary().map(|(_, primary)| primary.label.shard) else {
            return;
        };
        if self.members.me().label.shard != shard {
            self.members.me_mut().label.shard = shard;
            self.changed_config();
        }
    }

    fn forget_as_told(&mut self, now: Now, id: NodeId, seconds: u64, out: &mut Out) {
        let Some(key) = self.members.key(id) else { return };
        let ours = self.members.my_primary().is_some_and(|(primary, _)| primary == key);
        if key == self.members.my_key() || ours {
            return;
        }
        // Nobody forgets for longer than CLUSTER FORGET does.
        let span = Span::secs(seconds.min(crate::command::FORGET_SECONDS));
        self.clock.forgotten.insert(id, now.mono + span);
        self.drop_member(key, out);
    }
}
