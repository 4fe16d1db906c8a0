//! Slots on their way from one primary to another: CLUSTER SETSLOT.
//!
//! Who moves a slot opens it at both ends, has the keys moved, and then says to all whose it is.
//! Only the two ends know that a slot is open, their replicas do not: a takeover closes it, and
//! what was moved by then is found again by whoever mends the cluster.

use crate::NodeId;
use crate::cluster::Cluster;
use crate::command::{Answer, lossy, ok, slot_number};
use crate::members::{Key, Members};
use crate::topology::Moving;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use machine::{Level, Now, Out};

/// Slots that we give away or take over, and with whom.
#[derive(Debug, Default)]
pub(crate) struct Open {
    pub(crate) to: BTreeMap<u16, Key>,
    pub(crate) from: BTreeMap<u16, Key>,
}

impl Open {
    /// A member is no more.
    pub(crate) fn forget(&mut self, key: Key) {
        self.to.retain(|_, other| *other != key);
        self.from.retain(|_, other| *other != key);
    }

    /// Closes all.
    pub(crate) fn clear(&mut self) {
        *self = Open::default();
    }

    /// What the node has to know.
    pub(crate) fn picture(&self, members: &Members) -> Option<Box<Moving>> {
        let name = |(slot, key): (&u16, &Key)| Some((*slot, members.get(*key)?.id));
        let moving = Moving {
            to: self.to.iter().filter_map(name).collect(),
            from: self.from.iter().filter_map(name).collect(),
        };
        (!moving.to.is_empty() || !moving.from.is_empty()).then(|| Box::new(moving))
    }
}

/// Whether nobody has to wait until the file holds what this command does: a SETSLOT, unless it
/// gives us the slot. Thousands of slots are moved one after the other. An owner before, or who
/// only hears of it, learns again from the new owner whose the slot is; and who finds a slot open
/// at one end only, since the other was restarted at once, mends it as any slot that was left open.
pub(crate) fn need_not_last(words: &[Vec<u8>], me: NodeId) -> bool {
    let is = |at: usize, name| words.get(at).is_some_and(|word| word.eq_ignore_ascii_case(name));
    is(0, b"setslot") && !(is(2, b"node") && is(3, me.0.as_slice()))
}

impl Cluster {
    /// CLUSTER SETSLOT. `keys`: how many the node holds in the slot, which it keeps closed until
    /// our answer.
    pub(crate) fn set_slot(
        &mut self,
        now: Now,
        words: &[Vec<u8>],
        keys: u64,
        out: &mut Out,
    ) -> Answer {
        if self.members.me().is_replica() {
            return Err("Please use SETSLOT only with masters.".into());
        }
        let slot = slot_number(&words[0])?;
        let how = words[1].to_ascii_lowercase();
        let assigns = how == b"node";
        match (how.as_slice(), &words[2..]) {
            (b"migrating", [id]) => self.give_away(slot, id)?,
            (b"importing", [id]) => self.take_in(slot, id)?,
            (b"stable", []) => {
                self.slots.open.to.remove(&slot);
                self.slots.open.from.remove(&slot);
            }
            (b"node", [id]) => self.assign(now, slot, id, keys, out)?,
            _ => {
                return Err("Invalid CLUSTER SETSLOT action or number of arguments. \
                            Try CLUSTER HELP"
                    .into());
            }
        }
        if assigns {
            self.changed_config();
        } else {
            self.picture.dirty = true;
            self.store.soon = true;
        }
        ok()
    }

    fn give_away(&mut self, slot: u16, id: &[u8]) -> Result<(), String> {
        if self.slots.owner(slot) != Some(self.members.my_key()) {
            return Err(format!("I'm not the owner of hash slot {slot}"));
        }
        let to = self.other_end(id, "I don't know about node")?;
        self.slots.open.to.insert(slot, to);
        Ok(())
    }

    fn take_in(&mut self, slot: u16, id: &[u8]) -> Result<(), String> {
        if self.slots.owner(slot) == Some(self.members.my_key()) {
            return Err(format!("I'm already the owner of hash slot {slot}"));
        }
        let from = self.other_end(id, "I don't know about node")?;
        self.slots.open.from.insert(slot, from);
        Ok(())
    }

    fn other_end(&self, id: &[u8], unknown: &str) -> Result<Key, String> {
        let key = NodeId::parse(id).and_then(|id| self.members.key(id));
        let key = key.ok_or_else(|| format!("{unknown} {}", lossy(id)))?;
        match self.members.get(key) {
            Some(member) if member.is_replica() => Err("Target node is not a master".into()),
            _ => Ok(key),
        }
    }

    fn assign(
        &mut self,
        now: Now,
        slot: u16,
        id: &[u8],
        keys: u64,
        out: &mut Out,
    ) -> Result<(), String> {
        let key = self.other_end(id, "Unknown node")?;
        let me = self.members.my_key();
        let was_mine = self.slots.owner(slot) == Some(me);
        if was_mine && key != me && keys > 0 {
            return Err(format!(
                "Can't assign hashslot {slot} to a different node while I still hold keys for \
                 this hash slot."
            ));
        }
        if keys == 0 {
            self.slots.open.to.remove(&slot);
        }
        if self.slots.owner(slot) != Some(key) {
            self.slots.set(slot, Some(key), &mut self.members);
            self.changed_config();
            if key != me {
                self.store.slot_moved(now.mono);
            }
        }
        let name = self.members.get(key).map(|member| member.id);
        if let Some(id) = name
            && was_mine
            && key != me
            && self.members.me().slots == 0
            && self.config.allow_replica_migration
        {
            let text = "Configuration change detected. Reconfiguring myself as a replica of";
            out.log(Level::Warning, format_args!("{text} {id}"));
            self.follow(now, id, out);
        }
        if key == me && self.slots.open.from.remove(&slot).is_some() && self.raise_epoch(out) {
            // So that our claim counts for more than that of the owner before.
            out.log(
                Level::Warning,
                format_args!("configEpoch updated after importing slot {slot}"),
            );
        }
        Ok(())
    }

    /// Gives us the highest epoch of all, without asking anybody; whether we had it not yet.
    pub(crate) fn raise_epoch(&mut self, out: &mut Out) -> bool {
        let mine = self.members.me().config_epoch;
        if mine != 0 && mine == self.members.max_epoch().max(self.store.epochs.current) {
            return false;
        }
        self.store.epochs.current += 1;
        let epoch = self.store.epochs.current;
        self.members.me_mut().config_epoch = epoch;
        self.changed_config();
        out.log(Level::Warning, format_args!("New configEpoch set to {epoch}"));
        true
    }

    /// Whether `sender` may not claim a slot because we are taking it over: that is for SETSLOT
    /// alone to end. Who succeeds the primary that gives it away takes its place.
    pub(crate) fn keeps_importing(&mut self, slot: u16, sender: Key) -> bool {
        let Some(from) = self.slots.open.from.get(&slot).copied() else { return false };
        let sender_id = self.members.get(sender).map(|member| member.id);
        let succeeds =
            self.members.get(sender).is_some_and(|member| member.trust.successor_of == Some(from))
                || self
                    .members
                    .get(from)
                    .is_some_and(|old| old.primary.is_some() && old.primary == sender_id);
        if succeeds {
            self.slots.open.from.insert(slot, sender);
        }
        !succeeds
    }
}
