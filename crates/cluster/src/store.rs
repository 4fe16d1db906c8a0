//! Keeping nodes.conf: locked, read at the start, replaced whole, one save at a time.

use crate::cluster::Cluster;
use crate::members::{Label, Place};
use crate::nodes_conf::{parse, render};
use alloc::format;
use alloc::vec::Vec;
use machine::{
    Action, FileError, FileErrorKind, FileId, FileOp, FileOutput, Instant, Level, Now, OpenMode,
    Out, Span, Ticket,
};

/// Ids of files that the control plane opens are this and the next.
pub const FILES: u32 = 1 << 24;
const CONFIG: FileId = FileId(FILES);
const LOCK: FileId = FileId(FILES + 1);

/// The two numbers that must survive everything.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Epochs {
    pub(crate) current: u64,
    pub(crate) last_vote: u64,
}

#[derive(Debug, Default)]
enum Step {
    #[default]
    Idle,
    Locking(Ticket),
    Opening(Ticket),
    Reading(Ticket),
    /// Saves this version, with this epoch.
    Saving(Ticket, u64, u64),
}

/// Slots that were moved, and that the file does not hold as it should.
#[derive(Debug)]
struct Moved {
    /// Since when the oldest of them waits for this version.
    since: Instant,
    first: u64,
    /// The version that holds all of them.
    last: u64,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct Store {
    step: Step,
    pub(crate) epochs: Epochs,
    /// The file must be written anew.
    pub(crate) dirty: bool,
    /// The file must be written anew before long.
    pub(crate) soon: bool,
    /// The last save failed: the cron says when to try again.
    pub(crate) resting: bool,
    /// Rises with every save that is begun.
    version: u64,
    /// The version the file holds.
    pub(crate) saved: u64,
    /// The version that holds the last claim of somebody who was elected.
    pub(crate) claimed: u64,
    /// Slots have changed hands otherwise.
    moved: Option<Moved>,
    /// The newest epoch the file holds: none above it is spoken of.
    pub(crate) durable_epoch: u64,
}

impl Store {
    /// The version that will hold the present state.
    pub(crate) fn target(&self) -> u64 {
        self.version + u64::from(self.dirty)
    }

    /// Whether the file does not hold yet who was elected, or for longer than `patience` not who
    /// was given a slot. Slots are moved one after the other, and the file is always a little
    /// behind; whoever gives one away knows of that, so that not much depends on us.
    pub(crate) fn is_behind(&self, now: Instant, patience: Span) -> bool {
        let late = |moved: &Moved| now.since(moved.since) > patience;
        self.claimed > self.saved || self.moved.as_ref().is_some_and(late)
    }

    /// Somebody has been given a slot.
    pub(crate) fn slot_moved(&mut self, now: Instant) {
        let last = self.target();
        match &mut self.moved {
            Some(moved) => moved.last = last,
            None => self.moved = Some(Moved { since: now, first: last, last }),
        }
    }

    /// The file holds this version.
    fn holds(&mut self, now: Instant, version: u64) {
        self.saved = version;
        self.moved = self.moved.take().and_then(|moved| match moved {
            Moved { last, .. } if last <= version => None,
            // What has come since then has not waited longer than for this save.
            Moved { first, last, .. } if first <= version => {
                Some(Moved { since: now, first: last, last })
            }
            moved => Some(moved),
        });
    }

    fn awaits(&self) -> Option<Ticket> {
        match self.step {
            Step::Idle => None,
            Step::Locking(t) | Step::Opening(t) | Step::Reading(t) | Step::Saving(t, ..) => Some(t),
        }
    }
}

impl Cluster {
    /// Whether the end of this file operation is the control plane's to hear.
    pub fn owns_ticket(&self, ticket: Ticket) -> bool {
        self.store.awaits() == Some(ticket)
    }

    /// Takes the lock. The file itself is replaced at every save and cannot hold one.
    pub(crate) fn open_store(&mut self, out: &mut Out) {
        let path = format!("{}.lock", self.config.config_file);
        self.store.step = Step::Locking(out.file(FileOp::Lock { file: LOCK, path }));
    }

    pub(crate) fn file_done(
        &mut self,
        now: Now,
        ticket: Ticket,
        result: Result<FileOutput, FileError>,
        out: &mut Out,
    ) {
        if !self.owns_ticket(ticket) {
            return;
        }
        match (core::mem::take(&mut self.store.step), result) {
            (Step::Locking(_), Ok(_)) => {
                let path = self.config.config_file.clone();
                let mode = OpenMode::Read;
                let ticket = out.file(FileOp::Open { file: CONFIG, path, mode });
                self.store.step = Step::Opening(ticket);
            }
            (Step::Opening(_), Ok(FileOutput::Opened { len })) if len > 0 => {
                let len = len as usize;
                self.store.step = Step::Reading(out.file(FileOp::Read { file: CONFIG, len }));
                out.file(FileOp::Close { file: CONFIG });
            }
            (Step::Opening(_), Ok(_)) => {
                out.file(FileOp::Close { file: CONFIG });
                self.fresh(now, out);
            }
            (Step::Opening(_), Err(why)) if why.kind == FileErrorKind::NotFound => {
                self.fresh(now, out);
            }
            (Step::Reading(_), Ok(FileOutput::Bytes(text))) => self.load(now, &text, out),
            (Step::Saving(_, version, epoch), Ok(_)) => {
                self.store.holds(now.mono, version);
                self.store.durable_epoch = self.store.durable_epoch.max(epoch);
            }
            (Step::Saving(..), Err(why)) => {
                // What waits for it goes on waiting, and the cron tries again within a second.
                let text = "Could not save the cluster config file";
                out.log(Level::Warning, format_args!("{text}: {why}"));
                self.store.dirty = true;
                self.store.resting = true;
            }
            (step, result) => self.refuse(&step, result.err(), out),
        }
    }

    fn refuse(&self, step: &Step, why: Option<FileError>, out: &mut Out) {
        let path = &self.config.config_file;
        let locked = why.as_ref().is_some_and(|why| why.kind == FileErrorKind::Locked);
        let reason = why.map_or_else(Default::default, |why| why.text);
        if matches!(step, Step::Locking(_)) && locked {
            out.log(
                Level::Warning,
                format_args!(
                    "Sorry, the cluster configuration file {path} is already used by a different \
                     Redis Cluster node. Please make sure that different nodes use different \
                     cluster configuration files."
                ),
            );
        } else {
            let text = "Loading the cluster node config from";
            out.log(Level::Warning, format_args!("{text} {path}: {reason}"));
        }
        out.act(Action::Exit { status: 1 });
    }

    fn fresh(&mut self, now: Now, out: &mut Out) {
        let id = self.members.me().id;
        out.log(Level::Notice, format_args!("No cluster configuration found, I'm {id}"));
        self.begin(now, out);
    }

    fn load(&mut self, now: Now, text: &[u8], out: &mut Out) {
        let blank = self.members.me().clone();
        let loaded = match parse(text, &blank, now.mono) {
            Ok(loaded) => loaded,
            Err(line) => {
                out.log(
                    Level::Warning,
                    format_args!(
                        "Unrecoverable error: corrupted cluster config file. \
                         (line {line} of {})",
                        self.config.config_file
                    ),
                );
                return out.act(Action::Exit { status: 1 });
            }
        };
        self.members = loaded.members;
        self.slots = loaded.slots;
        self.store.epochs = loaded.epochs;
        self.store.durable_epoch = loaded.epochs.current;
        let me = self.members.me_mut();
        me.boot = blank.boot;
        me.set(wire::bus::flag::NO_FAILOVER, self.config.replica_no_failover);
        let ip = if blank.place.ip.is_empty() { me.place.ip.clone() } else { blank.place.ip };
        me.place = Place { ip, ..blank.place };
        me.label = Label { shard: me.label.shard.or(blank.label.shard), ..blank.label };
        let id = me.id;
        out.log(Level::Notice, format_args!("Node configuration loaded, I'm {id}"));
        self.begin(now, out);
    }

    /// Begins a save if one is wanted and none is under way.
    pub(crate) fn save(&mut self, out: &mut Out) {
        if !self.store.dirty || self.store.resting || !matches!(self.store.step, Step::Idle) {
            return;
        }
        self.store.dirty = false;
        self.store.soon = false;
        self.store.version += 1;
        let data: Vec<u8> = render(&self.members, &self.slots, self.store.epochs).into_bytes();
        let path = self.config.config_file.clone();
        let ticket = out.file(FileOp::Replace { path, data });
        self.store.step = Step::Saving(ticket, self.store.version, self.store.epochs.current);
    }
}
