//! A snapshot from our primary: checked on its way in, and only a whole one replaces the data.
//!
//! It goes to a file, and is loaded when it is whole. With `repl-diskless-load` it is read straight
//! into a keyspace beside ours, which takes our data's place in one step.

use crate::config::Rdb;
use crate::node::Node;
use crate::persist::Loading;
use crate::replicate::Origin;
use front::gate;
use machine::{
    Action, FileError, FileId, FileOp, FileOutput, Instant, Level, Now, OpenMode, Out, Span, Ticket,
};
use replication::{Identity, Link, Offer};
use std::collections::BTreeSet;
use std::sync::Arc;
use store::keyspace::Keyspace;
use store::rdb::{Item, Limits, LoadOptions, Loader, Reader};

/// A snapshot being received.
pub(crate) struct Incoming {
    offer: Offer,
    reader: Reader,
    keys: u64,
    /// Its own word on its place; the database that its stream has selected stands there.
    origin: Origin,
    whole: bool,
    sink: Sink,
}

/// Where it goes.
enum Sink {
    File {
        file: FileId,
        path: String,
        /// It takes the place of the data: it is being loaded.
        switched: bool,
        /// Operations on the file that have not ended.
        pending: BTreeSet<Ticket>,
    },
    Memory(Box<Aside>),
}

/// Data that is to take the place of ours.
struct Aside {
    keyspace: Keyspace,
    loader: Loader,
    /// Ours is of the same history, and is served meanwhile.
    quiet: bool,
    since: Instant,
    /// By `key-load-delay` nothing is read before this.
    paced_until: Option<Instant>,
}

impl Incoming {
    /// Whether it is being loaded in the place of our data.
    pub(super) fn is_switched(&self) -> bool {
        matches!(self.sink, Sink::File { switched: true, .. })
    }

    /// Reads on in the snapshot; an error if it is not one, or ends before its end.
    fn check(&mut self, mut part: &[u8], end: bool, databases: u32) -> Result<(), String> {
        while let Some(item) = self.reader.next(&mut part).map_err(|error| error.to_string())? {
            match &item {
                Item::Key(_) => self.keys += 1,
                Item::SelectDb(db) if *db >= databases => {
                    return Err(format!("it has keys of database {db}"));
                }
                item => self.origin.note(item),
            }
            if self.origin.db() >= databases {
                return Err(format!("its stream is in database {}", self.origin.db()));
            }
            if let Sink::Memory(aside) = &mut self.sink {
                let loaded = aside.loader.load(item, &mut aside.keyspace);
                loaded.map_err(|error| error.to_string())?;
            }
        }
        if end { self.reader.finish().map_err(|error| error.to_string()) } else { Ok(()) }
    }
}

impl Node {
    /// A snapshot is about to come.
    pub(super) fn receive(&mut self, offer: Offer, now: Now, out: &mut Out) {
        self.abandon_incoming(out);
        if self.is_behind(offer) {
            self.replication.refused = Some("behind");
            out.log(
                Level::Warning,
                format_args!(
                    "The primary came back at position {} of another history, behind ours ({}); \
                     its snapshot is refused and our keys are kept. REPLICAOF again, or \
                     replica-accept-empty-primary yes, accepts it.",
                    offer.position, self.replication.chores.settled
                ),
            );
            return self.decline(now, out);
        }
        let sink = match self.config.repl.diskless_load.as_str() {
            "swapdb" => self.beside(offer, now, out),
            "on-empty-db" if self.data.keyspace.is_empty() => self.beside(offer, now, out),
            _ => self.begin_file(now, out),
        };
        self.replication.incoming = Some(Incoming {
            offer,
            reader: Reader::new(Limits::default()),
            keys: 0,
            origin: Origin::default(),
            whole: false,
            sink,
        });
        self.close_gates();
    }

    /// The offer is not taken; the link is tried again, less and less often.
    fn decline(&mut self, now: Now, out: &mut Out) {
        self.drop_link(now, out);
        if let Some(link) = &mut self.replication.link {
            link.decline(now.mono, out);
        }
    }

    fn begin_file(&mut self, now: Now, out: &mut Out) -> Sink {
        let file = self.persist.file();
        let path = format!("temp-{}.{}.rdb", now.wall.secs(), file.0);
        let open = FileOp::Open { file, path: path.clone(), mode: OpenMode::Create };
        let pending = BTreeSet::from([out.file(open)]);
        Sink::File { file, path, switched: false, pending }
    }

    fn beside(&mut self, offer: Offer, now: Now, out: &mut Out) -> Sink {
        out.log(Level::Notice, format_args!("MASTER <-> REPLICA sync: Loading DB in memory"));
        let slotted = self.clustering.is_some();
        Sink::Memory(Box::new(Aside {
            keyspace: self.data.keyspace.sibling(),
            loader: Loader::new(LoadOptions {
                slotted,
                expired_before: None,
                access: self.stamp(now),
            }),
            quiet: self.replication.placed && offer.id == self.replication.identity.id,
            since: now.mono,
            paced_until: None,
        }))
    }

    /// Whether a snapshot is being read beside our data; if so, whether that is served meanwhile.
    pub(crate) fn reads_aside(&self) -> Option<bool> {
        match &self.replication.incoming.as_ref()?.sink {
            Sink::Memory(aside) => Some(aside.quiet),
            Sink::File { .. } => None,
        }
    }

    /// The gates that loading closes.
    pub(crate) fn loading_gates(&self) -> u32 {
        let quiet = self.reads_aside();
        let loud = self.persist.loading.is_some() || quiet == Some(false);
        let settled = if loud || quiet.is_some() { gate::SETTLED } else { 0 };
        settled | if loud { gate::LOADED } else { 0 }
    }

    /// Bytes of the snapshot: checked, and put where they go.
    pub(super) fn take_snapshot(&mut self, part: &[u8], end: bool, now: Now, out: &mut Out) {
        let Some(incoming) = &mut self.replication.incoming else { return };
        let databases = self.data.keyspace.databases();
        if let Err(why) = incoming.check(part, end, databases) {
            out.log(
                Level::Warning,
                format_args!("Failed trying to load the MASTER snapshot: {why}"),
            );
            return self.drop_link(now, out);
        }
        if let Sink::File { file, pending, .. } = &mut incoming.sink {
            let data: Arc<[u8]> = Arc::from(part);
            let range = 0..data.len();
            pending.insert(out.file(FileOp::Append { file: *file, data, range }));
            if end {
                // The file will be `dbfilename`: it must not be torn by a crash after that.
                pending.insert(out.file(FileOp::Sync { file: *file }));
            }
        }
        incoming.whole = end;
        if !end {
            return self.pace_incoming(now, out);
        }
        if incoming.keys == 0 && self.would_lose_data() {
            self.replication.refused = Some("empty");
            out.log(
                Level::Warning,
                format_args!(
                    "The primary came back without data; its empty snapshot is refused and our \
                     keys are kept. REPLICAOF again, or replica-accept-empty-primary yes, accepts \
                     it."
                ),
            );
            return self.decline(now, out);
        }
        if self.reads_aside().is_some() {
            self.switch_data(now, out);
        }
    }

    /// Rests, as `key-load-delay` wants it.
    fn pace_incoming(&mut self, now: Now, out: &mut Out) {
        let delay = self.config.rdb.key_load_delay;
        let Some(Incoming { sink: Sink::Memory(aside), .. }) = &mut self.replication.incoming
        else {
            return;
        };
        let micros = Rdb::delay(delay, aside.loader.keys_loaded());
        let due = aside.since + Span::micros(micros);
        if due > now.mono
            && let Some(conn) = self.replication.link.as_ref().and_then(Link::conn)
        {
            aside.paced_until = Some(due);
            out.act(Action::PauseReads { conn });
        }
    }

    /// Goes on with a snapshot that has rested.
    pub(crate) fn tick_incoming(&mut self, now: Now, out: &mut Out) {
        if self.incoming_deadline().is_none_or(|at| at > now.mono) {
            return;
        }
        if let Some(Incoming { sink: Sink::Memory(aside), .. }) = &mut self.replication.incoming {
            aside.paced_until = None;
        }
        if let Some(conn) = self.replication.link.as_ref().and_then(Link::conn) {
            out.act(Action::ResumeReads { conn });
        }
    }

    /// When a snapshot that rests goes on.
    pub(crate) fn incoming_deadline(&self) -> Option<Instant> {
        match &self.replication.incoming.as_ref()?.sink {
            Sink::Memory(aside) => aside.paced_until,
            Sink::File { .. } => None,
        }
    }

    /// On a reconnect, a primary of ours in a history that we do not know has not come as far as
    /// we have: what it lost, we hold. Others may count differently.
    fn is_behind(&self, offer: Offer) -> bool {
        let Identity { id, previous } = self.replication.identity;
        let known = offer.id == id || previous.is_some_and(|(id, _)| offer.id == id);
        // After a start of our own we come from a file, as it does.
        let live = self.replication.chores.fresh.is_some();
        let met = live && self.replication.link.as_ref().is_some_and(Link::has_met);
        offer.holdfast
            && met
            && !known
            && self.replication.placed
            && offer.position < self.replication.chores.settled
            && !self.config.replica_accept_empty_primary
    }

    /// An empty snapshot on a reconnect to the same primary, while we hold data.
    fn would_lose_data(&self) -> bool {
        let met = self.replication.link.as_ref().is_some_and(Link::has_met);
        met && !self.data.keyspace.is_empty() && !self.config.replica_accept_empty_primary
    }

    pub(super) fn abandon_incoming(&mut self, out: &mut Out) {
        let Some(incoming) = self.replication.incoming.take() else { return };
        match incoming.sink {
            Sink::File { file, path, switched, .. } => {
                if !switched {
                    out.file(FileOp::Close { file });
                }
                out.file(FileOp::Remove { path });
            }
            Sink::Memory(aside) => {
                // Freeing what had come may take long; another thread has the time.
                out.offload(Box::new(move || {
                    drop(aside);
                    Box::new(())
                }));
                self.close_gates();
            }
        }
    }

    /// Takes the end of a file operation, if it is the incoming snapshot's.
    pub(crate) fn incoming_step(
        &mut self,
        ticket: Ticket,
        result: &Result<FileOutput, FileError>,
        now: Now,
        out: &mut Out,
    ) {
        let Some(incoming) = &mut self.replication.incoming else { return };
        let Sink::File { pending, .. } = &mut incoming.sink else { return };
        if !pending.remove(&ticket) {
            return;
        }
        if let Err(error) = result {
            out.log(
                Level::Warning,
                format_args!(
                    "Write error or short write writing to the DB dump file needed for MASTER \
                     <-> REPLICA synchronization: {error}"
                ),
            );
            return self.drop_link(now, out);
        }
        if incoming.whole && pending.is_empty() {
            self.switch_data(now, out);
        }
    }

    /// The whole snapshot is here: it takes the place of the data.
    fn switch_data(&mut self, now: Now, out: &mut Out) {
        if self.persist.exit_after.is_some() {
            // The last save is of the data we have.
            return self.drop_link(now, out);
        }
        out.log(Level::Notice, format_args!("MASTER <-> REPLICA sync: Flushing old data"));
        // A save of data that is being replaced has lost its meaning.
        self.give_up_save(out);
        // The data leaves its history, and our own replicas cannot follow it into the new one.
        self.drop_replicas(out);
        self.replication.placed = false;
        let Some(mut incoming) = self.replication.incoming.take() else { return };
        match incoming.sink {
            Sink::Memory(aside) => {
                self.persist.loaded = (aside.loader.keys_loaded(), aside.loader.keys_expired());
                self.data.keyspace.adopt(aside.keyspace);
                self.settle_in(incoming.offer, incoming.origin, now, out);
                self.close_gates();
            }
            Sink::File { file, path, pending, .. } => {
                out.file(FileOp::Close { file });
                let load = path.clone();
                incoming.sink = Sink::File { file, path, switched: true, pending };
                self.replication.incoming = Some(incoming);
                for db in 0..self.data.keyspace.databases() {
                    self.data.keyspace.clear(db);
                }
                out.log(
                    Level::Notice,
                    format_args!("MASTER <-> REPLICA sync: Loading DB in memory"),
                );
                self.load_file(load, Loading::FOR_SYNC, now, out);
            }
        }
    }

    /// The file has been loaded.
    pub(crate) fn sync_loaded(&mut self, now: Now, out: &mut Out) {
        let Some(incoming) = self.replication.incoming.take_if(|incoming| incoming.is_switched())
        else {
            return;
        };
        if let Sink::File { path, .. } = incoming.sink {
            if self.keeps_no_files() {
                out.file(FileOp::Remove { path });
            } else {
                let to = self.config.dbfilename.clone();
                out.file(FileOp::Rename { from: path, to });
            }
        }
        self.settle_in(incoming.offer, incoming.origin, now, out);
    }

    /// The data is the snapshot's: from here on we are in the primary's history.
    fn settle_in(&mut self, offer: Offer, origin: Origin, now: Now, out: &mut Out) {
        self.replication.identity = Identity::new(offer.id);
        self.replication.position = offer.position;
        // Of a primary that is itself a replica: its stream goes on in the database it was in.
        self.replication.stream_db = origin.db();
        self.replication.chores.settled = offer.position;
        self.replication.placed = true;
        self.replication.refused = None;
        self.replication.backlog = None;
        self.need_backlog();
        self.data.effects.record(false);
        if let Some(link) = &mut self.replication.link {
            link.loaded(offer.position, now.mono, out);
        }
        out.log(Level::Notice, format_args!("MASTER <-> REPLICA sync: Finished with success"));
    }
}
