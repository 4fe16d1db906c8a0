//! Which member owns which slot, and claims that change it.

use crate::NodeId;
use crate::cluster::Cluster;
use crate::members::{Key, Member, Members, Trust};
use crate::moving::Open;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec;
use machine::{Level, Now, Out};
use wire::bus::{SlotSet, flag};
use wire::slot::SLOTS;

const NOBODY: Key = Key(0);

/// The table of owners.
#[derive(Debug)]
pub(crate) struct Slots {
    owners: Box<[Key]>,
    /// The same by owner: every packet is compared with it.
    sets: BTreeMap<Key, SlotSet>,
    /// Slots whose owner has stopped to claim them: anyone may have them.
    unclaimed: SlotSet,
    pub(crate) open: Open,
    /// Rises with every change of an owner.
    pub(crate) changes: u64,
}

impl Slots {
    pub(crate) fn new() -> Self {
        Slots {
            owners: vec![NOBODY; SLOTS].into(),
            sets: BTreeMap::new(),
            unclaimed: SlotSet::default(),
            open: Open::default(),
            changes: 0,
        }
    }

    pub(crate) fn owner(&self, slot: u16) -> Option<Key> {
        self.owners.get(usize::from(slot)).copied().filter(|key| *key != NOBODY)
    }

    pub(crate) fn set(&mut self, slot: u16, owner: Option<Key>, members: &mut Members) {
        let Some(place) = self.owners.get_mut(usize::from(slot)) else { return };
        let old = core::mem::replace(place, owner.unwrap_or(NOBODY));
        self.changes += 1;
        if let Some(set) = self.sets.get_mut(&old) {
            set.remove(slot);
        }
        if let Some(old) = members.get_mut(old) {
            old.slots -= 1;
        }
        if let Some(new) = owner {
            self.sets.entry(new).or_default().insert(slot);
            let first = members.get(new).is_some_and(|new| new.is_primary() && new.slots == 0);
            let wanted = first && members.iter().any(|(_, member)| member.is_replica());
            if let Some(new) = members.get_mut(new) {
                new.slots += 1;
                // Where others have replicas, so should the new owner.
                new.set(flag::MIGRATE_TO, new.is(flag::MIGRATE_TO) || wanted);
            }
        }
        self.unclaimed.remove(slot);
    }

    /// Takes all slots from a member.
    pub(crate) fn clear(&mut self, key: Key, members: &mut Members) {
        for slot in self.sets.remove(&key).unwrap_or_default().iter() {
            self.set(slot, None, members);
        }
    }

    pub(crate) fn of(&self, key: Key) -> SlotSet {
        self.sets.get(&key).cloned().unwrap_or_default()
    }

    /// Whether a member owns exactly these.
    pub(crate) fn are(&self, key: Key, claimed: &SlotSet) -> bool {
        self.sets.get(&key).map_or(claimed.is_empty(), |set| set == claimed)
    }

    /// The owner of a slot that still claims it.
    pub(crate) fn claimant(&self, slot: u16) -> Option<Key> {
        if self.unclaimed.contains(slot) { None } else { self.owner(slot) }
    }

    pub(crate) fn all_owned_by(&self, mut fits: impl FnMut(Key) -> bool) -> bool {
        let mut last = NOBODY;
        self.owners.iter().all(|key| {
            if *key == last && last != NOBODY {
                return true;
            }
            last = *key;
            *key != NOBODY && fits(*key)
        })
    }
}

/// Claims.
impl Cluster {
    /// A primary claims these slots, with this epoch: takes note, and follows if they were ours.
    /// Whether it got any.
    pub(crate) fn claim(
        &mut self,
        now: Now,
        sender: Key,
        epoch: u64,
        claimed: &SlotSet,
        out: &mut Out,
    ) -> bool {
        if sender == self.members.my_key() {
            out.log(Level::Warning, format_args!("Discarding UPDATE message about myself."));
            return false;
        }
        let ours = match self.members.my_primary() {
            Some((key, _)) => key,
            None => self.members.my_key(),
        };
        let elected = |member: &Member| member.trust.successor_of.is_some();
        let elected = self.members.get(sender).is_some_and(elected);
        let (mut total, mut moved, mut taken) = (0, 0, false);
        for slot in 0..SLOTS as u16 {
            let owner = self.slots.owner(slot);
            if !claimed.contains(slot) {
                if owner == Some(sender) {
                    self.slots.unclaimed.insert(slot);
                }
                continue;
            }
            total += 1;
            if owner == Some(sender) {
                self.slots.unclaimed.remove(slot);
                continue;
            }
            if self.keeps_importing(slot, sender) {
                continue;
            }
            let rival = self.slots.claimant(slot).and_then(|key| self.members.get(key));
            if rival.is_none_or(|rival| rival.config_epoch < epoch) {
                moved += usize::from(owner == Some(ours));
                taken = true;
                self.withhold_from(now, sender, owner);
                self.slots.set(slot, Some(sender), &mut self.members);
                // There is nothing left to give away.
                self.slots.open.to.remove(&slot);
                self.changed_config();
                if elected {
                    self.store.claimed = self.store.target();
                } else {
                    self.store.slot_moved(now.mono);
                }
            }
        }
        let stripped = self.members.get(ours).is_some_and(|owner| owner.slots == 0);
        let id = self.members.get(sender).map(|member| member.id);
        if let Some(id) = id
            && moved > 0
            && stripped
            && (self.config.allow_replica_migration || total == moved)
        {
            out.log(
                Level::Warning,
                format_args!(
                    "Configuration change detected. Reconfiguring myself as a replica of {id}"
                ),
            );
            self.follow(now, id, out);
        } else {
            self.leave_sub_replica(now, out);
        }
        taken
    }

    /// A replica of a replica goes to the grand primary.
    pub(crate) fn leave_sub_replica(&mut self, now: Now, out: &mut Out) {
        let grand = self.members.my_primary().and_then(|(_, primary)| primary.primary);
        if let Some(id) = grand
            && id != self.members.me().id
            && self.members.key(id).is_some()
        {
            let text = "I'm a sub-replica! Reconfiguring myself as a replica of grandmaster";
            out.log(Level::Warning, format_args!("{text} {id}"));
            self.follow(now, id, out);
        }
    }

    /// Becomes a replica of `id`. Our slots are gone already.
    pub(crate) fn follow(&mut self, now: Now, id: NodeId, out: &mut Out) {
        self.members.me_mut().become_replica(Some(id));
        self.members.me_mut().trust = Trust::default();
        self.share_shard();
        self.slots.open.clear();
        self.election.reset();
        self.revoke_lease(out);
        self.changed_config();
        // Slots are closed in the node before it hears whom to follow.
        self.publish(now, out);
        self.send_follow(out);
        // Writers that were held back go on only now: to where the slots are.
        self.end_manual(now, out);
    }

    /// Tells the node whom to replicate.
    pub(crate) fn send_follow(&mut self, out: &mut Out) {
        let Some((_, primary)) = self.members.my_primary() else { return };
        if primary.place.ip.is_empty() {
            return;
        }
        let letter = crate::mail::ToNode::Follow {
            id: primary.id,
            ip: primary.place.ip.clone(),
            port: primary.place.port,
        };
        self.picture.followed = Some((primary.id, primary.place.clone()));
        self.data.linked = false;
        self.tell(letter, out);
    }
}
