//! The replica's end: REPLICAOF, receiving a snapshot, applying the stream.

use crate::execute::Turn;
use crate::node::Node;
use crate::persist::Loading;
use front::{Session, gate};
use machine::{
    ConnId, FileError, FileId, FileOp, FileOutput, Instant, Level, Now, OpenMode, Out, Peer, Ticket,
};
use replication::{Identity, Link, Notice, ReplicationId, Target, Terms};
use std::sync::Arc;
use store::command::{Context, Data, Expired, Request};
use store::keyspace::Place;
use store::rdb::{Item, Limits, Reader};
use wire::command::{self, CommandId};
use wire::number;
use wire::reply::{Protocol, Reply};
use wire::request::{Batch, Limits as Bounds, Progress};
use wire::slot::slot;

/// A snapshot being received. It goes to a file and is checked on its way; only a whole one
/// replaces the data.
pub(crate) struct Incoming {
    id: ReplicationId,
    position: u64,
    file: FileId,
    path: String,
    reader: Reader,
    keys: u64,
    whole: bool,
    /// The last operation asked for; once it is done, all are.
    last: Option<Ticket>,
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
        if self.replication.link.as_ref().is_some_and(|link| *link.target() == target) {
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
        self.leave_primary(now, out);
        self.need_backlog();
        self.data.effects.record(false);
        let tokens = self.replication.random.number() >> 16 | LINK_TOKENS;
        self.replication.link = Some(Link::new(target, now.mono, tokens));
        self.tick_link(now, out);
    }

    /// Becomes a primary, in a history of its own that goes on from here.
    pub(crate) fn promote(&mut self, now: Now, out: &mut Out) {
        if self.replication.link.is_none() {
            return;
        }
        self.leave_primary(now, out);
        let id = self.replication.new_id();
        let end = self.replication.end();
        self.replication.identity = self.replication.identity.branch(id, end);
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
        if let Some(link) = &mut self.replication.link
            && link.tick(&terms, now.mono, out)
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
        peer: &Peer,
        now: Now,
        out: &mut Out,
    ) {
        let Some(link) = &mut self.replication.link else { return out.close(conn) };
        if !link.connected(token, conn, now.mono, out) {
            return out.close(conn);
        }
        self.replication.applier = Some(Box::new(Session::internal(conn, peer.clone(), now.mono)));
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
        }
    }

    fn receive(&mut self, id: ReplicationId, position: u64, now: Now, out: &mut Out) {
        self.abandon_incoming(out);
        let file = self.persist.file();
        let path = format!("temp-{}.{}.rdb", now.wall.secs(), file.0);
        let open = FileOp::Open { file, path: path.clone(), mode: OpenMode::Create };
        let last = Some(out.file(open));
        let reader = Reader::new(Limits::default());
        self.replication.incoming =
            Some(Incoming { id, position, file, path, reader, keys: 0, whole: false, last });
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
        incoming.last = Some(out.file(FileOp::Append { file: incoming.file, data, range }));
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

    fn drop_link(&mut self, now: Now, out: &mut Out) {
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
        if self.persist.loading.is_none() {
            self.abandon_incoming(out);
        }
    }

    fn abandon_incoming(&mut self, out: &mut Out) {
        if let Some(incoming) = self.replication.incoming.take() {
            out.file(FileOp::Close { file: incoming.file });
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
        let Some(incoming) = &self.replication.incoming else { return };
        if let Err(error) = result
            && incoming.last.is_some_and(|last| ticket <= last)
            && self.persist.loading.is_none()
            && self.persist.export.is_none()
        {
            out.log(
                Level::Warning,
                format_args!(
                    "Write error or short write writing to the DB dump file needed for MASTER \
                     <-> REPLICA synchronization: {error}"
                ),
            );
            return self.drop_link(now, out);
        }
        if incoming.whole && incoming.last == Some(ticket) {
            self.switch_data(now, out);
        }
    }

    /// The whole snapshot is in its file: it takes the place of the data.
    fn switch_data(&mut self, now: Now, out: &mut Out) {
        let Some(incoming) = &self.replication.incoming else { return };
        out.log(Level::Notice, format_args!("MASTER <-> REPLICA sync: Flushing old data"));
        out.file(FileOp::Close { file: incoming.file });
        let path = incoming.path.clone();
        if let Some(mut export) = self.persist.export.take() {
            // A save of data that is being replaced has lost its meaning.
            for conn in export.abandon(out) {
                out.close(conn);
            }
            self.data.keyspace.abort_snapshot();
        }
        for db in 0..self.data.keyspace.databases() {
            self.data.keyspace.clear(db);
        }
        out.log(Level::Notice, format_args!("MASTER <-> REPLICA sync: Loading DB in memory"));
        self.load_file(path, Loading::FOR_SYNC, now, out);
    }

    /// The snapshot has been loaded: from here on we are in the primary's history.
    pub(crate) fn sync_loaded(&mut self, now: Now, out: &mut Out) {
        let Some(incoming) = self.replication.incoming.take() else { return };
        let to = self.config.dbfilename.clone();
        out.file(FileOp::Rename { from: incoming.path, to });
        self.replication.identity = Identity::new(incoming.id);
        self.replication.position = incoming.position;
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

    /// Applies what is whole of the stream; how many bytes that is.
    fn apply_stream(&mut self, bytes: &[u8], now: Now, out: &mut Out) -> usize {
        let Some(mut applier) = self.replication.applier.take() else { return bytes.len() };
        let bounds = Bounds { authenticated: true, max_bulk: u64::MAX, max_query: usize::MAX };
        let mut at = 0;
        let mut batch = Batch::new();
        loop {
            batch.clear();
            match applier.decoder.decode(&bytes[at..], &mut batch, &bounds) {
                Ok(Progress::More { consumed }) => {
                    for i in 0..batch.len() {
                        self.apply_one(&mut applier, batch.args(i), &[], now, out);
                    }
                    at += consumed;
                    if batch.is_empty() || at == bytes.len() {
                        break;
                    }
                }
                Ok(Progress::Want { consumed, len }) => {
                    at += consumed;
                    out.want(len);
                    break;
                }
                Ok(Progress::Assembled { consumed, request }) => {
                    at += consumed;
                    let args: Vec<&[u8]> = request.args.iter().map(|arg| &arg[..]).collect();
                    self.apply_one(&mut applier, &args, &request.args, now, out);
                }
                Err(error) => {
                    out.log(
                        Level::Warning,
                        format_args!("Protocol error from the primary's stream: {error}"),
                    );
                    self.drop_link(now, out);
                    // What follows cannot be understood: only a new snapshot helps.
                    self.replication.placed = false;
                    return bytes.len();
                }
            }
        }
        self.replication.applier = Some(applier);
        self.advance(&bytes[..at]);
        at
    }

    /// These bytes of the stream have been applied: our own replicas get them as they are.
    fn advance(&mut self, bytes: &[u8]) {
        if let Some(backlog) = &mut self.replication.backlog {
            backlog.push(bytes);
        }
        self.replication.applied = true;
    }

    /// A large argument of the stream.
    pub(crate) fn link_body(&mut self, body: Arc<[u8]>) {
        self.advance(&body);
        if let Some(applier) = &mut self.replication.applier {
            applier.decoder.body(body);
        }
    }

    /// Applies one command of the stream.
    fn apply_one(
        &mut self,
        applier: &mut Session,
        args: &[&[u8]],
        bodies: &[Arc<[u8]>],
        now: Now,
        out: &mut Out,
    ) {
        let Some(row) = args.first().and_then(|name| command::lookup(name)) else {
            return self.cannot_apply(args, out);
        };
        match row.id {
            CommandId::Ping | CommandId::Replconf | CommandId::Multi | CommandId::Exec => {}
            CommandId::Select => {
                let db = args.get(1).and_then(|word| number::parse_u64(word)).unwrap_or(u64::MAX);
                match u32::try_from(db) {
                    Ok(db) if db < self.data.keyspace.databases() => applier.db = db,
                    _ => self.cannot_apply(args, out),
                }
            }
            CommandId::Flushall => self.clear(0..self.data.keyspace.databases()),
            CommandId::Flushdb => self.clear(applier.db..applier.db + 1),
            _ => match self.specs[row.id as usize].handler {
                Some(handler) if row.accepts(args.len()) => {
                    let key = args.get(usize::from(row.first_key)).copied().unwrap_or_default();
                    let slot = if self.clustering.is_some() { slot(key) } else { 0 };
                    let request = Request { args, hash: self.data.keyspace.hash(key), bodies };
                    let millis = now.wall.millis();
                    let mut scratch = std::mem::take(&mut self.data.stream);
                    scratch.clear();
                    let mut context = Context {
                        data: Data {
                            keyspace: &mut self.data.keyspace,
                            place: Place::new(applier.db, slot),
                            now: millis,
                            access: (millis / 1000) as u32 & 0x00FF_FFFF,
                            expired: Expired::Ignore,
                            effects: &mut self.data.effects,
                            counters: &mut self.data.counters,
                        },
                        reply: Reply::new(&mut scratch, Protocol::Resp2),
                        splices: &mut self.data.splices,
                    };
                    handler(&mut context, &request);
                    self.data.splices.clear();
                    let failed = scratch.first() == Some(&b'-');
                    self.data.stream = scratch;
                    self.commit(applier.db, args, &[]);
                    if failed {
                        self.cannot_apply(args, out);
                    }
                }
                _ => self.cannot_apply(args, out),
            },
        }
    }

    fn clear(&mut self, databases: std::ops::Range<u32>) {
        for db in databases {
            self.data.changes += self.data.keyspace.len(db) as u64;
            self.data.keyspace.clear(db);
        }
    }

    /// A command of the stream that we cannot apply leaves us different from the primary: said
    /// loudly, because nothing else will show it.
    fn cannot_apply(&mut self, args: &[&[u8]], out: &mut Out) {
        let name = args.first().map(|name| String::from_utf8_lossy(name)).unwrap_or_default();
        out.log(
            Level::Warning,
            format_args!(
                "== CRITICAL == This replica cannot apply the command '{name}' that its master \
                 sent; its data is no longer the same."
            ),
        );
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
            if let Item::Key(_) = item {
                self.keys += 1;
            }
        }
        if end { self.reader.finish().map_err(|error| error.to_string()) } else { Ok(()) }
    }
}
