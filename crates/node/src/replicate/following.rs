//! The replica's end: REPLICAOF, receiving a snapshot, applying the stream.

use crate::execute::Turn;
use crate::node::Node;
use crate::persist::Loading;
use crate::replicate::Applier;
use front::{Session, gate};
use machine::{
    ConnId, FileError, FileId, FileOp, FileOutput, Instant, Level, Now, OpenMode, Out, Ticket,
};
use replication::{Identity, Link, Notice, ReplicationId, Target, Terms};
use std::collections::BTreeSet;
use std::sync::Arc;
use store::rdb::{Item, Limits, Reader};
use wire::number;
use wire::reply::Reply;

/// A snapshot being received. It goes to a file and is checked on its way; only a whole one
/// replaces the data.
pub(crate) struct Incoming {
    id: ReplicationId,
    position: u64,
    file: FileId,
    path: String,
    reader: Reader,
    keys: u64,
    /// The database that the stream after it has selected.
    selected: u32,
    whole: bool,
    /// It takes the place of the data: it is being loaded.
    switched: bool,
    /// Operations on the file that have not ended.
    pending: BTreeSet<Ticket>,
}

/// Where tokens of the link's attempts to connect start, so that they are nobody else's.
const LINK_TOKENS: u64 = 1 << 32;

impl Node {
    /// REPLICAOF and SLAVEOF.
    pub(crate) fn replicaof(&mut self, args: &[&[u8]], session: &Session, turn: &mut Turn<'_>) {
        let mut reply = Reply::new(turn.buffer, session.protocol);
        if self.clustering.is_some() {
            return reply.error("ERR REPLICAOF not allowed in cluster mode.");
        }
        if args[1].eq_ignore_ascii_case(b"no") && args[2].eq_ignore_ascii_case(b"one") {
            reply.ok();
            return self.promote(turn.now, turn.out);
        }
        let port = number::parse_i64(args[2]).and_then(|port| u16::try_from(port).ok());
        let Some(port) = port.filter(|port| *port > 0) else {
            return reply.error("ERR Invalid master port");
        };
        let target = Target { host: String::from_utf8_lossy(args[1]).into_owned(), port };
        let same = self.replication.link.as_ref().is_some_and(|link| *link.target() == target);
        if same && self.replication.refused.is_none() {
            turn.out.log(
                Level::Notice,
                format_args!(
                    "REPLICAOF would result into synchronization with the master we are \
                              already connected with. No operation performed."
                ),
            );
            return reply.simple("OK Already connected to specified master");
        }
        reply.ok();
        self.follow(target, turn.now, turn.out);
    }

    /// Becomes a replica of `target`; the data stays until a snapshot has come whole.
    pub(crate) fn follow(&mut self, target: Target, now: Now, out: &mut Out) {
        // What a transaction did before belongs to the history that ends here.
        self.flush_pending();
        self.leave_primary(now, out);
        self.unblock_waits(out);
        self.replication.refused = None;
        self.need_backlog();
        self.data.effects.record(false);
        let tokens = self.replication.random.number() >> 16 | LINK_TOKENS;
        self.replication.link = Some(Link::new(target, now.mono, tokens));
        self.tick_link(now, out);
    }

    /// Begins a history that nobody else shares.
    pub(crate) fn change_replication_id(&mut self) {
        self.replication.identity = Identity::new(self.replication.new_id());
    }

    /// Becomes a primary, in a history of its own that goes on from here.
    pub(crate) fn promote(&mut self, now: Now, out: &mut Out) {
        if self.replication.link.is_none() {
            return;
        }
        self.leave_primary(now, out);
        // Our own replicas learn the new name when they ask again.
        self.drop_replicas(out);
        let id = self.replication.new_id();
        let end = self.replication.end();
        self.replication.identity = if self.replication.placed {
            self.replication.identity.branch(id, end)
        } else {
            Identity::new(id)
        };
        self.replication.selected = None;
        self.data.effects.record(self.replication.backlog.is_some());
        out.log(
            Level::Notice,
            format_args!("MASTER MODE enabled (user request). New replication ID is {id}"),
        );
    }

    fn leave_primary(&mut self, now: Now, out: &mut Out) {
        if let Some(mut link) = self.replication.link.take() {
            link.drop_link(now.mono, out);
        }
        self.abandon_incoming(out);
        self.replication.applier = None;
    }

    fn terms(&self) -> Terms {
        let some = |text: &String| (!text.is_empty()).then(|| text.clone());
        Terms {
            port: self.config.port,
            announce_ip: some(&self.config.replica_announce_ip),
            user: some(&self.config.masteruser),
            password: some(&self.config.masterauth),
            timeout: machine::Span::secs(self.config.repl_timeout),
        }
    }

    /// What is due by time on the link.
    pub(crate) fn tick_link(&mut self, now: Now, out: &mut Out) {
        let terms = self.terms();
        let position = self.replication.end();
        if let Some(link) = &mut self.replication.link
            && link.tick(&terms, position, now.mono, out)
        {
            self.abandon_incoming(out);
        }
    }

    /// When the link has something to do at the latest.
    pub(crate) fn link_deadline(&self) -> Option<Instant> {
        let terms =
            Terms { timeout: machine::Span::secs(self.config.repl_timeout), ..Terms::default() };
        self.replication.link.as_ref().map(|link| link.deadline(&terms))
    }

    /// The link's connection stands.
    pub(crate) fn link_connected(
        &mut self,
        token: machine::Token,
        conn: ConnId,
        now: Now,
        out: &mut Out,
    ) {
        let Some(link) = &mut self.replication.link else { return out.close(conn) };
        if !link.connected(token, conn, now.mono, out) {
            return out.close(conn);
        }
        self.replication.applier = Some(Box::new(Applier::default()));
    }

    /// Bytes of the link's connection.
    pub(crate) fn link_received(&mut self, bytes: &[u8], now: Now, out: &mut Out) {
        let terms = self.terms();
        let mut at = 0;
        loop {
            let place = self
                .replication
                .placed
                .then(|| (self.replication.identity.id, self.replication.end()));
            let Some(link) = &mut self.replication.link else { break };
            if link.is_following() {
                if self.clustering.as_ref().is_some_and(|clustering| clustering.frozen) {
                    break;
                }
                link.hear(now.mono);
                at += self.apply_stream(&bytes[at..], now, out);
                break;
            }
            let (taken, notice) = link.received(&bytes[at..], &terms, place, now.mono, out);
            at += taken;
            match notice {
                Notice::More => break,
                Notice::Again => {}
                Notice::Down => {
                    self.abandon_incoming(out);
                    at = bytes.len();
                    break;
                }
                Notice::Full(id, position) => self.receive(id, position, now, out),
                Notice::Snapshot(part) => self.take_snapshot(part, false, now, out),
                Notice::SnapshotEnd(part) => self.take_snapshot(part, true, now, out),
                Notice::Continue(id) => self.continued(id, out),
            }
        }
        out.consumed(at);
    }

    /// The primary goes on from our position, maybe under a new id: it was promoted meanwhile.
    fn continued(&mut self, id: Option<ReplicationId>, out: &mut Out) {
        let end = self.replication.end();
        if let Some(id) = id.filter(|id| *id != self.replication.identity.id) {
            self.replication.identity = self.replication.identity.branch(id, end);
            out.log(Level::Notice, format_args!("Master replication ID changed to {id}"));
            // Our own replicas learn the new name when they ask again.
            self.drop_replicas(out);
        }
    }

    fn receive(&mut self, id: ReplicationId, position: u64, now: Now, out: &mut Out) {
        self.abandon_incoming(out);
        let file = self.persist.file();
        let path = format!("temp-{}.{}.rdb", now.wall.secs(), file.0);
        let open = FileOp::Open { file, path: path.clone(), mode: OpenMode::Create };
        self.replication.incoming = Some(Incoming {
            id,
            position,
            file,
            path,
            reader: Reader::new(Limits::default()),
            keys: 0,
            selected: 0,
            whole: false,
            switched: false,
            pending: BTreeSet::from([out.file(open)]),
        });
    }

    /// Bytes of the snapshot: checked, and put into the file.
    fn take_snapshot(&mut self, part: &[u8], end: bool, now: Now, out: &mut Out) {
        let Some(incoming) = &mut self.replication.incoming else { return };
        if let Err(why) = incoming.check(part, end) {
            out.log(
                Level::Warning,
                format_args!("Failed trying to load the MASTER snapshot: {why}"),
            );
            return self.drop_link(now, out);
        }
        let data: Arc<[u8]> = Arc::from(part);
        let range = 0..data.len();
        incoming.pending.insert(out.file(FileOp::Append { file: incoming.file, data, range }));
        if end {
            // The file will be `dbfilename`: it must not be torn by a crash after that.
            incoming.pending.insert(out.file(FileOp::Sync { file: incoming.file }));
        }
        incoming.whole = end;
        if end && incoming.keys == 0 && self.would_lose_data() {
            self.replication.refused = Some("empty");
            out.log(
                Level::Warning,
                format_args!(
                    "The primary came back without data; its empty snapshot is refused and our \
                     keys are kept. REPLICAOF again, or replica-accept-empty-primary yes, accepts \
                     it."
                ),
            );
            self.drop_link(now, out);
        }
    }

    /// An empty snapshot on a reconnect to the same primary, while we hold data.
    fn would_lose_data(&self) -> bool {
        let met = self.replication.link.as_ref().is_some_and(Link::has_met);
        met && !self.data.keyspace.is_empty() && !self.config.replica_accept_empty_primary
    }

    pub(crate) fn drop_link(&mut self, now: Now, out: &mut Out) {
        if let Some(link) = &mut self.replication.link {
            link.drop_link(now.mono, out);
        }
        self.abandon_incoming(out);
    }

    /// The link's connection ended.
    pub(crate) fn link_closed(&mut self, now: Now, out: &mut Out) {
        if let Some(link) = &mut self.replication.link {
            link.closed(now.mono, out);
        }
        if self.replication.incoming.as_ref().is_some_and(|incoming| !incoming.switched) {
            self.abandon_incoming(out);
        }
    }

    fn abandon_incoming(&mut self, out: &mut Out) {
        if let Some(incoming) = self.replication.incoming.take() {
            if !incoming.switched {
                out.file(FileOp::Close { file: incoming.file });
            }
            out.file(FileOp::Remove { path: incoming.path });
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
        if !incoming.pending.remove(&ticket) {
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
        if incoming.whole && incoming.pending.is_empty() {
            self.switch_data(now, out);
        }
    }

    /// The whole snapshot is in its file: it takes the place of the data.
    fn switch_data(&mut self, now: Now, out: &mut Out) {
        if self.persist.exit_after.is_some() {
            // The last save is of the data we have.
            return self.drop_link(now, out);
        }
        let Some(incoming) = &mut self.replication.incoming else { return };
        out.log(Level::Notice, format_args!("MASTER <-> REPLICA sync: Flushing old data"));
        incoming.switched = true;
        out.file(FileOp::Close { file: incoming.file });
        let path = incoming.path.clone();
        // A save of data that is being replaced has lost its meaning.
        self.give_up_save(out);
        // The data leaves its history, and our own replicas cannot follow it into the new one.
        self.drop_replicas(out);
        self.replication.placed = false;
        for db in 0..self.data.keyspace.databases() {
            self.data.keyspace.clear(db);
        }
        out.log(Level::Notice, format_args!("MASTER <-> REPLICA sync: Loading DB in memory"));
        self.load_file(path, Loading::FOR_SYNC, now, out);
    }

    /// The snapshot has been loaded: from here on we are in the primary's history.
    pub(crate) fn sync_loaded(&mut self, now: Now, out: &mut Out) {
        let Some(incoming) = self.replication.incoming.take_if(|incoming| incoming.switched) else {
            return;
        };
        let to = self.config.dbfilename.clone();
        out.file(FileOp::Rename { from: incoming.path, to });
        self.replication.identity = Identity::new(incoming.id);
        self.replication.position = incoming.position;
        self.replication.stream_db = incoming.selected;
        self.replication.placed = true;
        self.replication.refused = None;
        self.replication.backlog = None;
        self.need_backlog();
        self.data.effects.record(false);
        if let Some(link) = &mut self.replication.link {
            link.loaded(incoming.position, now.mono, out);
        }
        out.log(Level::Notice, format_args!("MASTER <-> REPLICA sync: Finished with success"));
    }

    /// The gates that a replica's role closes.
    pub(crate) fn role_gates(&self) -> u32 {
        let Some(link) = &self.replication.link else { return 0 };
        let readonly = if self.config.replica_read_only { gate::WRITE } else { 0 };
        let stale = !link.is_following() && !self.config.replica_serve_stale_data;
        readonly | if stale { gate::FRESH } else { 0 }
    }
}

impl Incoming {
    /// Reads on in the snapshot; an error if it is not one, or ends before its end.
    fn check(&mut self, mut part: &[u8], end: bool) -> Result<(), String> {
        while let Some(item) = self.reader.next(&mut part).map_err(|error| error.to_string())? {
            match item {
                Item::Key(_) => self.keys += 1,
                // Of a primary that is itself a replica: its stream goes on in this database.
                Item::Aux { key, value } if key == b"repl-stream-db" => {
                    let db = number::parse_u64(&value).and_then(|db| u32::try_from(db).ok());
                    self.selected = db.unwrap_or(0);
                }
                _ => {}
            }
        }
        if end { self.reader.finish().map_err(|error| error.to_string()) } else { Ok(()) }
    }
}
