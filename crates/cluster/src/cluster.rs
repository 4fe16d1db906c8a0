//! The machine: what it holds, and what happens at the end of a turn.

use crate::NodeId;
use crate::chance::Chance;
use crate::config::{Config, Setup};
use crate::election::Election;
use crate::health::Health;
use crate::lease::Grants;
use crate::link::Links;
use crate::mail::{ToCluster, ToNode};
use crate::manual::Manual;
use crate::members::{Label, Member, Members, Place};
use crate::picture::Picture;
use crate::slots::Slots;
use crate::store::Store;
use crate::voice::Voice;
use alloc::boxed::Box;
use machine::{Address, Event, Instant, Machine, Now, Out, Span};
use wire::bus::flag;

/// How often it looks after its members.
pub(crate) const CRON: Span = Span::millis(100);

/// The control plane of one node. See the crate's documentation.
#[derive(Debug)]
pub struct Cluster {
    pub(crate) config: Config,
    pub(crate) node: Address,
    pub(crate) chance: Chance,
    pub(crate) members: Members,
    pub(crate) slots: Slots,
    pub(crate) links: Links,
    pub(crate) store: Store,
    pub(crate) voice: Voice,
    pub(crate) picture: Picture,
    pub(crate) election: Election,
    pub(crate) manual: Manual,
    pub(crate) grants: Grants,
    pub(crate) health: Health,
    pub(crate) clock: Clock,
    /// What the node says of its data.
    pub(crate) data: Data,
}

/// Regular work.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    /// When the cron is due; none before the configuration is read.
    pub(crate) next: Option<Instant>,
    /// When something is due before that.
    soon: Option<Instant>,
    pub(crate) iteration: u64,
    /// When this process began.
    pub(crate) started: Instant,
    /// Nodes not to be taken in again by gossip, and until when.
    pub(crate) forgotten: alloc::collections::BTreeMap<NodeId, Instant>,
}

impl Clock {
    /// Wakes us at this time, too.
    pub(crate) fn arm(&mut self, at: Instant) {
        self.soon = Some(self.soon.map_or(at, |soon| soon.min(at)));
    }
}

/// The node's own account of its data.
#[derive(Debug, Default)]
pub(crate) struct Data {
    pub(crate) offset: u64,
    /// How long ago the primary's link carried anything, and when we were told.
    pub(crate) age: Option<u64>,
    pub(crate) told: Instant,
    /// When it last said anything.
    pub(crate) said: Instant,
    /// Whether it has its primary's stream.
    pub(crate) linked: bool,
}

impl Data {
    fn tell(&mut self, now: Now, offset: u64, age: Option<u64>) {
        self.offset = offset;
        self.age = age;
        self.told = now.mono;
        self.said = now.mono;
    }
}

impl Cluster {
    /// A control plane that will read its configuration when it is started.
    pub fn new(setup: Setup) -> Self {
        let mut chance = Chance::new(setup.seed);
        let id = NodeId::random(|| chance.next());
        let mut me = Member::new(id, flag::MYSELF | flag::PRIMARY, Instant(0));
        me.set(flag::NO_FAILOVER, setup.config.replica_no_failover);
        me.place = setup.config.place();
        me.label = Label::of(&setup.config.announce);
        me.label.shard = Some(NodeId::random(|| chance.next()));
        let boot = chance.next() | 1;
        me.boot = Some(boot);
        Cluster {
            config: setup.config,
            node: setup.node,
            chance,
            members: Members::new(me),
            slots: Slots::new(),
            links: Links::default(),
            store: Store::default(),
            voice: Voice::new(boot),
            picture: Picture::default(),
            election: Election::default(),
            manual: Manual::default(),
            grants: Grants::default(),
            health: Health::default(),
            clock: Clock::default(),
            data: Data::default(),
        }
    }

    /// Sends a letter to the node.
    pub(crate) fn tell(&mut self, letter: ToNode, out: &mut Out) {
        out.mail(self.node, Box::new(letter));
    }

    /// Something changed that nodes.conf holds, that others are told and that decides our state.
    pub(crate) fn changed_config(&mut self) {
        self.picture.dirty = true;
        self.store.dirty = true;
        self.voice.dirty = true;
        self.health.dirty = true;
    }

    /// The configuration is read: listens and begins.
    pub(crate) fn begin(&mut self, now: Now, out: &mut Out) {
        self.clock.next = Some(now.mono + CRON);
        self.health.first = now.mono;
        self.data.said = now.mono;
        self.grants.since = now.mono;
        self.changed_config();
        self.listen(out);
        self.begin_hollow(now, out);
        self.voice.begin(&self.members, &self.slots);
        self.publish(now, out);
        self.send_follow(out);
        self.settle(now, out);
    }

    /// Brings to an end what the turn has begun: state, picture, file, words that waited.
    pub(crate) fn settle(&mut self, now: Now, out: &mut Out) {
        if self.clock.next.is_none() {
            return;
        }
        if core::mem::take(&mut self.election.due) {
            self.elect(now, out);
        }
        self.take_over(now, out);
        self.reconsider_hollow(now, out);
        if self.health.dirty {
            self.update_state(now, out);
        }
        if self.picture.dirty {
            self.publish(now, out);
        }
        self.speak_later();
        self.save(out);
        self.run_pending(now, out);
        self.renew_lease(now, out);
    }

    fn mail(&mut self, now: Now, letter: ToCluster, out: &mut Out) {
        match letter {
            ToCluster::Applied { generation } => {
                self.picture.applied = self.picture.applied.max(generation);
            }
            ToCluster::Frozen { epoch, offset, data_age_ms } => {
                self.data.tell(now, offset, data_age_ms);
                self.frozen(now, epoch, out);
            }
            ToCluster::State { offset, data_age_ms, empty, linked } => {
                self.hollow_told(empty);
                self.data.tell(now, offset, data_age_ms);
                self.data.linked = linked;
                self.members.me_mut().offset = offset;
                self.advance_manual(now, out);
            }
            ToCluster::PausedAt { offset } => self.paused_at(now, offset, out),
            ToCluster::Loading => {
                self.data.said = now.mono;
                self.data.linked = false;
            }
            ToCluster::Settings(config) => self.obey(*config),
            ToCluster::Command { number, words, held } => {
                self.command(now, number, &words, held, out);
            }
            ToCluster::Transaction { number, commands } => {
                self.transaction(now, number, &commands, out);
            }
        }
    }

    /// Goes on with other settings; ports and files stay.
    fn obey(&mut self, config: Config) {
        let old = core::mem::take(&mut self.config);
        self.config = Config {
            bind: old.bind,
            port: old.port,
            bus_port: old.bus_port,
            config_file: old.config_file,
            ..config
        };
        let (place, label) = (self.config.place(), Label::of(&self.config.announce));
        let no_failover = self.config.replica_no_failover;
        let me = self.members.me_mut();
        let ip = if place.ip.is_empty() { me.place.ip.clone() } else { place.ip.clone() };
        me.place = Place { ip, ..place };
        me.label = Label { shard: me.label.shard, ..label };
        me.set(flag::NO_FAILOVER, no_failover);
        self.changed_config();
    }

    fn wake(&mut self, now: Now, out: &mut Out) {
        if self.clock.soon.is_some_and(|at| at <= now.mono) {
            self.clock.soon = None;
            self.search(now, out);
            self.ask_missing(now, out);
            self.tick_manual(now, out);
            self.ask_position(out);
            self.election.due = true;
        }
        if self.clock.next.is_some_and(|at| at <= now.mono) {
            self.clock.next = Some(now.mono + CRON);
            self.cron(now, out);
        }
    }
}

impl Machine for Cluster {
    fn handle(&mut self, now: Now, event: Event<'_>, out: &mut Out) {
        match event {
            Event::Started => {
                self.clock.started = now.mono;
                self.members.me_mut().times.created = now.mono;
                self.open_store(out);
            }
            Event::ListenFailed { token, why } => self.listen_failed(token, why, out),
            Event::Accepted { conn, listener, peer } => {
                self.accepted(now, conn, listener, peer, out);
            }
            Event::Connected { conn, token, peer } => self.connected(now, conn, token, peer, out),
            Event::ConnectFailed { token, why } => self.connect_failed(now, token, why, out),
            Event::Received { conn, bytes } => self.received(now, conn, bytes, out),
            Event::Closed { conn, why } => self.closed(now, conn, why, out),
            Event::FileDone { ticket, result } => self.file_done(now, ticket, result, out),
            Event::Mail { letter, .. } => {
                if let Ok(letter) = letter.downcast::<ToCluster>() {
                    self.mail(now, *letter, out);
                }
            }
            Event::Wake => self.wake(now, out),
            Event::TurnEnd { .. } => self.settle(now, out),
            _ => {}
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let next = self.clock.next?;
        Some(self.clock.soon.map_or(next, |soon| soon.min(next)))
    }
}
