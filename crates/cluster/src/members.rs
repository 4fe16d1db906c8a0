//! The nodes we know, ourselves included.

use crate::Announce;
use crate::NodeId;
use crate::gone::Gone;
use alloc::collections::BTreeMap;
use alloc::string::String;
use machine::{ConnId, Instant, UnixMicros};
use wire::bus::flag;

/// Names a member inside this process; unlike its id it never changes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Key(pub(crate) u32);

/// Where a node is reached.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Place {
    pub(crate) ip: String,
    pub(crate) port: u16,
    pub(crate) bus_port: u16,
    pub(crate) plain_port: u16,
}

/// What a node tells of itself in extensions of its packets.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Label {
    pub(crate) hostname: String,
    pub(crate) human_name: String,
    /// The shard's name; none: it has not said.
    pub(crate) shard: Option<NodeId>,
    /// It knows extensions beyond the host name.
    pub(crate) extends: bool,
}

impl Label {
    /// Our own.
    pub(crate) fn of(announce: &Announce) -> Self {
        Label {
            hostname: announce.hostname.clone(),
            human_name: announce.human_name.clone(),
            ..Label::default()
        }
    }
}

/// When things happened between a node and us.
#[derive(Clone, Debug, Default)]
pub(crate) struct Times {
    pub(crate) created: Instant,
    /// The PING that is not answered yet.
    pub(crate) ping_sent: Option<Instant>,
    pub(crate) ping_wall: UnixMicros,
    pub(crate) pong: Instant,
    pub(crate) pong_wall: UnixMicros,
    /// When anything last came from it, over whichever link.
    pub(crate) heard: Option<Instant>,
    pub(crate) failed: Instant,
    /// Since when it has had replicas and none that works.
    pub(crate) orphaned: Option<Instant>,
}

/// How we deal with a primary that may lose its slots, or a node that just gained them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trust {
    /// When we last voted for one of its replicas, and for which.
    pub(crate) voted: Option<(Instant, Key)>,
    /// No ground for its lease before this time.
    pub(crate) withheld_until: Option<Instant>,
    /// The owner it took over from, until that one concedes.
    pub(crate) successor_of: Option<Key>,
}

/// Our link to a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Way {
    #[default]
    None,
    /// Called at this time.
    Connecting(Instant),
    Up(ConnId, Instant),
}

/// What we know of one node.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) id: NodeId,
    pub(crate) place: Place,
    pub(crate) label: Label,
    /// See [`flag`].
    pub(crate) flags: u16,
    pub(crate) primary: Option<NodeId>,
    pub(crate) config_epoch: u64,
    /// The highest current epoch it has said: what says less is older and came late, over another
    /// stream.
    pub(crate) said_epoch: u64,
    pub(crate) offset: u64,
    /// How many slots it owns.
    pub(crate) slots: usize,
    pub(crate) boot: Option<u64>,
    pub(crate) times: Times,
    pub(crate) trust: Trust,
    /// What speaks for its process being gone.
    pub(crate) gone: Gone,
    pub(crate) way: Way,
    /// Who says that it is dead, and since when we know.
    pub(crate) reports: BTreeMap<Key, Instant>,
}

impl Member {
    pub(crate) fn new(id: NodeId, flags: u16, now: Instant) -> Self {
        Member {
            id,
            place: Place::default(),
            label: Label::default(),
            flags,
            primary: None,
            config_epoch: 0,
            said_epoch: 0,
            offset: 0,
            slots: 0,
            boot: None,
            times: Times { created: now, ..Times::default() },
            trust: Trust::default(),
            gone: Gone::default(),
            way: Way::None,
            reports: BTreeMap::new(),
        }
    }

    pub(crate) fn is(&self, flags: u16) -> bool {
        self.flags & flags != 0
    }

    pub(crate) fn set(&mut self, flags: u16, on: bool) {
        if on {
            self.flags |= flags;
        } else {
            self.flags &= !flags;
        }
    }

    pub(crate) fn is_primary(&self) -> bool {
        self.is(flag::PRIMARY)
    }

    pub(crate) fn is_replica(&self) -> bool {
        self.is(flag::REPLICA)
    }

    /// Whether its word counts: a primary with slots.
    pub(crate) fn is_voter(&self) -> bool {
        self.is_primary() && self.slots > 0
    }

    pub(crate) fn conn(&self) -> Option<ConnId> {
        match self.way {
            Way::Up(conn, _) => Some(conn),
            _ => None,
        }
    }

    /// Makes it a primary; whether it was none.
    pub(crate) fn become_primary(&mut self) -> bool {
        if self.is_primary() {
            return false;
        }
        self.set(flag::REPLICA, false);
        self.set(flag::PRIMARY, true);
        self.primary = None;
        true
    }

    /// Makes it a replica of `primary`.
    pub(crate) fn become_replica(&mut self, primary: Option<NodeId>) {
        self.set(flag::PRIMARY | flag::MIGRATE_TO, false);
        self.set(flag::REPLICA, true);
        self.primary = primary;
    }
}

/// All members. We are always among them.
#[derive(Debug)]
pub(crate) struct Members {
    me: Key,
    all: BTreeMap<Key, Member>,
    ids: BTreeMap<NodeId, Key>,
    next: u32,
    /// Rises whenever there are others than before.
    pub(crate) changes: u64,
}

impl Members {
    pub(crate) fn new(me: Member) -> Self {
        let mut members =
            Members { me: Key(1), all: BTreeMap::new(), ids: BTreeMap::new(), next: 0, changes: 0 };
        members.me = members.add(me);
        members
    }

    pub(crate) fn add(&mut self, member: Member) -> Key {
        self.next += 1;
        self.changes += 1;
        let key = Key(self.next);
        self.ids.insert(member.id, key);
        self.all.insert(key, member);
        key
    }

    pub(crate) fn my_key(&self) -> Key {
        self.me
    }

    /// Makes another member ourselves, while the configuration is read.
    pub(crate) fn set_me(&mut self, key: Key) {
        self.remove(self.me);
        self.me = key;
    }

    pub(crate) fn me(&self) -> &Member {
        &self.all[&self.me]
    }

    pub(crate) fn me_mut(&mut self) -> &mut Member {
        // There is no way to remove ourselves.
        self.all.entry(self.me).or_insert_with(|| Member::new(NodeId([b'0'; 40]), 0, Instant(0)))
    }

    pub(crate) fn get(&self, key: Key) -> Option<&Member> {
        self.all.get(&key)
    }

    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut Member> {
        self.all.get_mut(&key)
    }

    pub(crate) fn key(&self, id: NodeId) -> Option<Key> {
        self.ids.get(&id).copied()
    }

    pub(crate) fn by_id(&self, id: NodeId) -> Option<&Member> {
        self.get(self.key(id)?)
    }

    pub(crate) fn rename(&mut self, key: Key, id: NodeId) {
        if let Some(member) = self.all.get_mut(&key) {
            self.changes += 1;
            self.ids.remove(&member.id);
            member.id = id;
            self.ids.insert(id, key);
        }
    }

    /// Takes a member out. Its slots and links are the caller's business.
    pub(crate) fn remove(&mut self, key: Key) -> Option<Member> {
        let gone = self.all.remove(&key)?;
        self.changes += 1;
        self.ids.remove(&gone.id);
        for member in self.all.values_mut() {
            member.reports.remove(&key);
            if member.primary == Some(gone.id) {
                member.primary = None;
            }
        }
        Some(gone)
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    pub(crate) fn keys(&self) -> alloc::vec::Vec<Key> {
        self.all.keys().copied().collect()
    }

    /// All but ourselves.
    pub(crate) fn others(&self) -> impl Iterator<Item = (Key, &Member)> {
        let me = self.me;
        self.all.iter().map(|(key, member)| (*key, member)).filter(move |(key, _)| *key != me)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key, &Member)> {
        self.all.iter().map(|(key, member)| (*key, member))
    }

    /// The primary we are a replica of, if we know it.
    pub(crate) fn my_primary(&self) -> Option<(Key, &Member)> {
        let key = self.key(self.me().primary?)?;
        Some((key, self.get(key)?))
    }

    /// Members whose word counts.
    pub(crate) fn voters(&self) -> usize {
        self.all.values().filter(|member| member.is_voter()).count()
    }

    /// The largest epoch anyone claims slots with.
    pub(crate) fn max_epoch(&self) -> u64 {
        self.all.values().map(|member| member.config_epoch).max().unwrap_or(0)
    }
}
