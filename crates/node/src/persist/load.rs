//! Loading the saved state at the start.

use crate::node::Node;
use machine::{
    Action, FileError, FileErrorKind, FileId, FileOp, FileOutput, Instant, Level, Now, OpenMode,
    Out, Ticket,
};
use store::keyspace::Keyspace;
use store::rdb::{LoadOptions, Loader, Reader};

/// How much of the file is read at a time: a quarter of a millisecond of work with small values.
const CHUNK: usize = 16 * 1024;

/// A load under way.
pub(crate) struct Loading {
    file: FileId,
    ticket: Ticket,
    reader: Reader,
    loader: Loader,
    from_primary: bool,
    since: Instant,
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
            self.loader.load(item, keyspace).map_err(|error| error.to_string())?;
        }
        if last { self.reader.finish().map_err(|error| error.to_string()) } else { Ok(()) }
    }
}

impl Node {
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
        self.persist.loading = Some(Loading {
            file,
            ticket,
            reader: Reader::new(store::rdb::Limits::default()),
            loader: Loader::new(LoadOptions {
                slotted: self.clustering.is_some(),
                // What has expired is for the primary to say.
                expired_before: (!from_primary).then_some(now.wall.millis()),
                access: self.stamp(now),
            }),
            from_primary,
            since: now.mono,
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
                self.serves_if_loaded(out);
            }
            Err(error) => self.loading_failed(&error.to_string(), out),
        }
    }

    fn read_on(&mut self, mut loading: Loading, out: &mut Out) {
        loading.ticket = out.file(FileOp::Read { file: loading.file, len: CHUNK });
        self.persist.loading = Some(loading);
    }

    fn feed(&mut self, mut loading: Loading, bytes: &[u8], now: Now, out: &mut Out) {
        loading.read += bytes.len() as u64;
        if let Err(error) = loading.take(bytes, &mut self.data.keyspace) {
            return self.loading_failed(&error, out);
        }
        if bytes.len() == CHUNK {
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
            self.sync_loaded(now, out);
        }
        self.reloaded(out);
        self.serves_if_loaded(out);
    }

    /// A damaged file ends the process: going on without the data would look like having none.
    fn loading_failed(&mut self, why: &str, out: &mut Out) {
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
