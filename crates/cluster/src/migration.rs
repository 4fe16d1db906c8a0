//! A replica moves from a primary that has more of them than it needs to one that has none.
//!
//! A primary is an orphan when it owns slots, has had replicas (or got its slots from one that had,
//! see [`flag::MIGRATE_TO`]) and none of them works. Of the replicas of the primary with the most
//! of them, the one with the smallest id moves, if its primary keeps more than
//! `cluster-migration-barrier`. The orphan gets five seconds to solve it by itself.

use crate::cluster::Cluster;
use crate::members::{Key, Member};
use machine::{Level, Now, Out, Span};
use wire::bus::flag;

/// How long a primary has to be an orphan.
const DELAY: Span = Span::millis(5000);

fn works(member: &Member) -> bool {
    !member.is(flag::FAIL) && !member.gone.is_held()
}

impl Cluster {
    fn working_replicas(&self, of: &Member) -> usize {
        let id = of.id;
        self.members.iter().filter(|(_, m)| m.primary == Some(id) && works(m)).count()
    }

    /// Notes who is an orphan, and moves to one if it is our turn.
    pub(crate) fn migrate(&mut self, now: Now, out: &mut Out) {
        let most = self.note_orphans(now);
        let me = self.members.me();
        if !self.config.allow_replica_migration || !me.is_replica() || !self.health.ok {
            return;
        }
        let Some((key, primary)) = self.members.my_primary() else { return };
        if !works(primary) {
            return;
        }
        let mine = self.working_replicas(primary);
        let barrier = usize::try_from(self.config.migration_barrier).unwrap_or(usize::MAX);
        if mine < 2 || mine != most || mine <= barrier || !self.is_first_of_donors(most) {
            return;
        }
        let orphan = |(other, member): &(Key, &Member)| {
            let long = member.times.orphaned.is_some_and(|at| now.mono.since(at) >= DELAY);
            *other != key && long
        };
        let orphan = self.members.others().find(orphan).map(|(_, member)| member.id);
        if let Some(id) = orphan {
            out.log(Level::Notice, format_args!("Migrating to orphaned master {id}"));
            self.follow(now, id, out);
        }
    }

    /// The largest number of working replicas that a primary has.
    fn note_orphans(&mut self, now: Now) -> usize {
        let mut most = 0;
        for key in self.members.keys() {
            let Some(member) = self.members.get(key).filter(|member| member.is_voter()) else {
                // Whoever has been replaced needs nobody any more.
                self.members.get_mut(key).into_iter().for_each(|m| m.times.orphaned = None);
                continue;
            };
            let replicas = self.working_replicas(member);
            let wants = member.is(flag::MIGRATE_TO) && works(member);
            most = most.max(if works(member) { replicas } else { 0 });
            let orphaned = wants && replicas == 0;
            let since = member.times.orphaned.filter(|_| orphaned);
            if let Some(member) = self.members.get_mut(key) {
                member.set(flag::MIGRATE_TO, member.is(flag::MIGRATE_TO) || replicas > 0);
                member.times.orphaned = since.or(orphaned.then_some(now.mono));
            }
        }
        most
    }

    /// Whether we have the smallest id of all working replicas whose primaries have so many.
    fn is_first_of_donors(&self, most: usize) -> bool {
        let donor = |member: &Member| {
            let primary = member.primary.and_then(|id| self.members.by_id(id));
            works(member) && primary.is_some_and(|p| works(p) && self.working_replicas(p) == most)
        };
        let donors = self.members.iter().filter(|(_, m)| m.is_replica() && donor(m));
        donors.map(|(_, member)| member.id).min() == Some(self.members.me().id)
    }
}
