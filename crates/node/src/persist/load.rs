//! Loading the saved state at the start.

use crate::config::Rdb;
use crate::node::Node;
use crate::replicate::Origin;
use machine::{
    Action, FileError, FileErrorKind, FileId, FileOp, FileOutput, Instant, Level, Now, OpenMode,
    Out, Span, Ticket,
};
use store::keyspace::Keyspace;
use store::rdb::{Item, LoadOptions, Loader, Reader};

/// How much of the file is read at a time: a quarter of a millisecond of work with small values.
const CHUNK: usize = 16 * 1024;

/// A load under way.
pub(crate) struct Loading {
    file: FileId,
    ticket: Ticket,
    reader: Reader,
    loader: Loader,
    from_primary: bool,
    origin: Origin,
    /// Keys left out as expired since the last look at them, of a primary: its replicas may have
    /// them still.
    gone: Vec<(u32, Vec<u8>)>,
    expired_before: Option<u64>,
    since: Instant,
    /// By `key-load-delay` nothing is read before this.
    paced_until: Option<Instant>,
    /// Length of the file, and how much of it has been read, in bytes.
    pub(crate) total: u64,
    pub(crate) read: u64,
}

impl Loading {
    /// The file is a snapshot from the primary.
    pub(crate) const FOR_SYNC: bool = true;

    /// Takes in the next bytes of the file; fewer than a chunk are its end.
    fn take(&mut self, mut bytes: &[u8], keyspace: &mut Keyspace) -> Result<(), String> {
        let last = bytes.len() < CHUNK;
        while let Some(item) = self.reader.next(&mut bytes).map_err(|error| error.to_string())? {
            match &item {
                Item::Key(key) if key.expires.zip(self.expired_before).is_some_and(is_past) => {
                    self.gone.push((key.db, key.key.clone()));
                }
                item => self.origin.note(item),
            }
            self.loader.load(item, keyspace).map_err(|error| error.to_string())?;
        }
        if last { self.reader.finish().map_err(|error| error.to_string()) } else { Ok(()) }
    }
}

fn is_past((expires, before): (u64, u64)) -> bool {
    expires < before
}

impl Node {
    /// Whether the saved state is being loaded, or a snapshot in the place of our data.
    pub(crate) fn is_starting(&self) -> bool {
        self.persist.loading.as_ref().is_some_and(|loading| !loading.from_primary)
    }

    /// Begins to load `dbfilename`; clients are told to wait meanwhile.
    pub(crate) fn start_loading(&mut self, now: Now, out: &mut Out) {
        self.load_file(self.config.dbfilename.clone(), false, now, out);
    }

    /// Begins to load a file: the saved state, or a snapshot from the primary.
    pub(crate) fn load_file(&mut self, path: String, from_primary: bool, now: Now, out: &mut Out) {
        if let Some(loading) = self.persist.loading.take() {
            out.file(FileOp::Close { file: loading.file });
        }
        let file = self.persist.file();
        let ticket = out.file(FileOp::Open { file, path, mode: OpenMode::Read });
        self.persist.last_save = now.wall.secs();
        // What has expired is for a primary to say, and it tells its replicas. In a cluster it is
        // not known yet what we are.
        let follows = !self.config.replicaof.is_empty() || self.clustering.is_some();
        let keeps = from_primary || follows;
        let expired_before = (!keeps).then_some(now.wall.millis());
        self.persist.loading = Some(Loading {
            file,
            ticket,
            reader: Reader::new(store::rdb::Limits::default()),
            loader: Loader::new(LoadOptions {
                slotted: self.clustering.is_some(),
                expired_before,
                access: self.stamp(now),
            }),
            from_primary,
            origin: Origin::default(),
            gone: Vec::new(),
            expired_before,
            since: now.mono,
            paced_until: None,
            total: 0,
            read: 0,
        });
    }

    /// Takes the end of a file operation, if it is the load's.
    pub(crate) fn load_step(
        &mut self,
        ticket: Ticket,
        result: &Result<FileOutput, FileError>,
        now: Now,
        out: &mut Out,
    ) {
        let Some(mut loading) = self.persist.loading.take_if(|loading| loading.ticket == ticket)
        else {
            return;
        };
        match result {
            Ok(FileOutput::Opened { len }) => {
                loading.total = *len;
                self.read_on(loading, out);
            }
            Ok(FileOutput::Bytes(bytes)) => self.feed(loading, bytes, now, out),
            Ok(FileOutput::Done) => self.read_on(loading, out),
            Err(error) if error.kind == FileErrorKind::NotFound && !loading.from_primary => {
                self.tick_link(now, out);
                self.serves_if_loaded(out);
            }
            Err(error) => self.loading_failed(&loading, &error.to_string(), now, out),
        }
    }

    /// Goes on with a load that has rested.
    pub(crate) fn tick_loading(&mut self, now: Now, out: &mut Out) {
        let due = |loading: &mut Loading| loading.paced_until.is_some_and(|at| at <= now.mono);
        if let Some(mut loading) = self.persist.loading.take_if(due) {
            loading.paced_until = None;
            self.read_on(loading, out);
        }
    }

    /// When a load that rests goes on.
    pub(crate) fn loading_deadline(&self) -> Option<Instant> {
        self.persist.loading.as_ref()?.paced_until
    }

    fn read_on(&mut self, mut loading: Loading, out: &mut Out) {
        loading.ticket = out.file(FileOp::Read { file: loading.file, len: CHUNK });
        self.persist.loading = Some(loading);
    }

    fn feed(&mut self, mut loading: Loading, bytes: &[u8], now: Now, out: &mut Out) {
        loading.read += bytes.len() as u64;
        if let Err(error) = loading.take(bytes, &mut self.data.keyspace) {
            return self.loading_failed(&loading, &error, now, out);
        }
        self.say_expired(&mut loading, now, out);
        if bytes.len() == CHUNK {
            let keys = loading.loader.keys_loaded();
            let micros = Rdb::delay(self.config.rdb.key_load_delay, keys);
            let due = loading.since + Span::micros(micros);
            if due > now.mono {
                loading.paced_until = Some(due);
                self.persist.loading = Some(loading);
                return;
            }
            return self.read_on(loading, out);
        }
        out.file(FileOp::Close { file: loading.file });
        self.persist.loaded = (loading.loader.keys_loaded(), loading.loader.keys_expired());
        let (loaded, expired) = self.persist.loaded;
        out.log(
            Level::Notice,
            format_args!("Done loading RDB, keys loaded: {loaded}, keys expired: {expired}."),
        );
        let seconds = now.mono.since(loading.since).0 as f64 / 1e9;
        out.log(Level::Notice, format_args!("DB loaded from disk: {seconds:.3} seconds"));
        if loading.from_primary {
            return self.sync_loaded(now, out);
        }
        self.restore_history(loading.origin, now, out);
        // A link has waited for the data and its place.
        self.tick_link(now, out);
        self.serves_if_loaded(out);
    }

    /// A primary's replicas are told of the keys that were left out.
    fn say_expired(&mut self, loading: &mut Loading, now: Now, out: &mut Out) {
        if loading.gone.is_empty() {
            return;
        }
        self.restore_history(loading.origin, now, out);
        for (db, key) in loading.gone.drain(..) {
            self.data.effects.command(0, &[b"DEL", &key]);
            self.commit(db, &[], &[]);
        }
        if let Some(backlog) = &mut self.replication.backlog {
            backlog.trim(None);
        }
    }

    /// A damaged file ends the process: going on without the data would look like having none. A
    /// primary's snapshot is asked for again; our own data has made room for it.
    fn loading_failed(&mut self, loading: &Loading, why: &str, now: Now, out: &mut Out) {
        if loading.from_primary {
            out.log(
                Level::Warning,
                format_args!("Failed trying to load the MASTER synchronization DB: {why}."),
            );
            out.file(FileOp::Close { file: loading.file });
            for db in 0..self.data.keyspace.databases() {
                self.data.keyspace.clear(db);
            }
            return self.drop_link(now, out);
        }
        let path = &self.config.dbfilename;
        out.log(Level::Warning, format_args!("Fatal error loading the DB from '{path}': {why}."));
        out.log(
            Level::Warning,
            format_args!(
                "Nothing was changed. Move the file away to start without data, or put a whole \
                 copy in its place."
            ),
        );
        out.act(Action::Exit { status: 1 });
    }
}
