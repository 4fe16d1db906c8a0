//! A snapshot on its way out: walked, encoded beside the machine, and written to a sink.
//!
//! ```text
//! keyspace ─walk─► portions ─job─► encoded pieces ─┬─append─► temporary file ─rename─► dump.rdb
//!                                                  └─queue──► replicas' connections
//! ```
//!
//! The walk waits while the sink is behind; what commands push out first is taken in any case.

use crate::config::Rdb;
use machine::{
    ConnId, FileError, FileId, FileOp, FileOutput, Instant, Letter, OpenMode, Out, Span, Ticket,
};
use std::collections::VecDeque;
use store::keyspace::{Incomplete, Keyspace};
use store::rdb::{Encoded, Encoder, Options, Piece, Sizes};
use store::snapshot::Records;
use store::value::Page;

/// The walk rests while this many bytes wait for the sink.
const AHEAD: usize = 8 << 20;

/// The walk rests while this many portions wait for the encoder.
const PORTIONS_AHEAD: usize = 8;

/// The walk looks after so many buckets whether it should rest: with large values they fill
/// portions quickly.
const STEP: u32 = 16;

/// A snapshot being written.
pub(crate) struct Export {
    /// Absent while a job has it.
    encoder: Option<Box<Encoder>>,
    job: Option<Ticket>,
    portions: VecDeque<Records>,
    /// Hints to the reader.
    sizes: Vec<Sizes>,
    sink: Sink,
    /// The end has been handed to the encoder.
    ending: bool,
    /// By `rdb-key-save-delay` nothing is walked or ended before this.
    pub(crate) paced_until: Option<Instant>,
    /// When it started.
    pub(crate) since: Instant,
    /// `rdb_changes_since_last_save` at its start.
    pub(crate) changes: u64,
    /// The position of the stream that it holds, if it goes to a file that replicas wait for.
    pub(crate) promised: Option<u64>,
}

/// Where the bytes go.
enum Sink {
    File(FileSink),
    /// Replicas, which know the end by this mark.
    Replicas {
        conns: Vec<ConnId>,
        mark: [u8; 40],
    },
}

struct FileSink {
    file: FileId,
    temporary: String,
    target: String,
    /// Appends under way, with their lengths.
    appends: VecDeque<(Ticket, usize)>,
    waiting: usize,
    last: Option<Last>,
}

/// The steps after the last append.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    Syncing(Ticket),
    Renaming(Ticket),
}

/// What became of an export.
pub(crate) enum Progress {
    /// It goes on.
    Going,
    /// The file stands under its final name.
    Saved,
    /// These replicas have been sent all of it.
    Sent(Vec<ConnId>),
    /// It failed; the temporary file is being removed.
    Failed(String),
}

/// What a job gives back: the encoder, what it made as runs that can be written, and the portion's
/// buffer.
type Encoding = (Box<Encoder>, Vec<Page>, Option<Records>);

fn pages(encoded: Encoded) -> Vec<Page> {
    encoded.into_iter().map(Piece::into_page).collect()
}

impl Export {
    /// Starts a snapshot of `keyspace` into the file `target`, by way of `temporary`.
    pub(crate) fn to_file(
        keyspace: &mut Keyspace,
        aux: &[(&str, &str)],
        (file, temporary, target): (FileId, String, String),
        options: Options,
        now: Instant,
        out: &mut Out,
    ) -> Self {
        out.file(FileOp::Open { file, path: temporary.clone(), mode: OpenMode::Create });
        let sink = Sink::File(FileSink {
            file,
            temporary,
            target,
            appends: VecDeque::new(),
            waiting: 0,
            last: None,
        });
        Export::start(keyspace, aux, sink, options, now, out)
    }

    /// Starts a snapshot of `keyspace` to replicas that have been told what is coming.
    pub(crate) fn to_replicas(
        keyspace: &mut Keyspace,
        aux: &[(&str, &str)],
        (conns, mark): (Vec<ConnId>, [u8; 40]),
        options: Options,
        now: Instant,
        out: &mut Out,
    ) -> Self {
        for conn in &conns {
            out.queue(*conn, b"$EOF:");
            out.queue(*conn, &mark);
            out.queue(*conn, b"\r\n");
        }
        Export::start(keyspace, aux, Sink::Replicas { conns, mark }, options, now, out)
    }

    fn start(
        keyspace: &mut Keyspace,
        aux: &[(&str, &str)],
        sink: Sink,
        options: Options,
        now: Instant,
        out: &mut Out,
    ) -> Self {
        let sizes = (0..keyspace.databases())
            .map(|db| Sizes {
                db,
                keys: keyspace.len(db) as u64,
                volatile: keyspace.volatile_len(db) as u64,
            })
            .collect();
        keyspace.start_snapshot();
        let mut encoder = Box::new(Encoder::new(options));
        let mut header = Encoded::default();
        encoder.begin(aux, &mut header);
        let mut export = Export {
            encoder: Some(encoder),
            job: None,
            portions: VecDeque::new(),
            sizes,
            sink,
            ending: false,
            paced_until: None,
            since: now,
            changes: 0,
            promised: None,
        };
        export.sink.write(pages(header), out);
        export
    }

    /// Whether it goes to replicas rather than to a file.
    pub(crate) fn is_for_replicas(&self) -> bool {
        matches!(self.sink, Sink::Replicas { .. })
    }

    /// Walks on for `units`, and keeps the encoder busy.
    pub(crate) fn advance(
        &mut self,
        keyspace: &mut Keyspace,
        mut units: u32,
        out: &mut Out,
    ) -> Result<(), Incomplete> {
        self.collect(keyspace);
        while units > 0 && self.wants_time(keyspace, out) {
            let step = units.min(STEP);
            keyspace.walk_snapshot(step)?;
            units -= step;
            self.collect(keyspace);
        }
        self.encode(keyspace.snapshot().is_running(), out);
        Ok(())
    }

    fn collect(&mut self, keyspace: &mut Keyspace) {
        while let Some(portion) = keyspace.snapshot().next_portion() {
            self.portions.push_back(portion);
        }
    }

    /// Waits `delay` microseconds for each key taken; if negative, one for so many keys.
    pub(crate) fn pace(&mut self, keyspace: &mut Keyspace, delay: i64, now: Instant) {
        let taken = keyspace.snapshot().taken();
        let due = self.since + Span::micros(Rdb::delay(delay, taken));
        self.paced_until = (due > now).then_some(due);
    }

    /// Bytes taken and not yet written or sent.
    pub(crate) fn waiting(&self, out: &Out) -> usize {
        let portions: usize = self.portions.iter().map(Records::footprint).sum();
        portions + self.sink.waiting(out)
    }

    /// The replica that is furthest behind.
    pub(crate) fn slowest_replica(&self, out: &Out) -> Option<ConnId> {
        match &self.sink {
            Sink::Replicas { conns, .. } => {
                conns.iter().copied().max_by_key(|conn| out.queued(*conn))
            }
            Sink::File(_) => None,
        }
    }

    /// Whether the walk can go on now. If it is the encoder or the sink that is behind, their
    /// progress will be heard of.
    pub(crate) fn wants_time(&self, keyspace: &mut Keyspace, out: &mut Out) -> bool {
        let full = self.portions.len() >= PORTIONS_AHEAD;
        let running = keyspace.snapshot().is_running() && self.paced_until.is_none();
        running && !full && !self.sink.is_behind(out)
    }

    /// Hands the next portion, or the end, to the encoder when it is at rest.
    fn encode(&mut self, running: bool, out: &mut Out) {
        if self.ending || self.encoder.is_none() {
            return;
        }
        let portion = self.portions.pop_front();
        if portion.is_none() && (running || self.paced_until.is_some()) {
            return;
        }
        self.ending = portion.is_none();
        let Some(mut encoder) = self.encoder.take() else { return };
        let sizes = self.sizes.clone();
        self.job = Some(out.offload(Box::new(move || {
            let mut encoded = Encoded::default();
            match &portion {
                Some(portion) => encoder.records(portion, &sizes, &mut encoded),
                None => encoder.finish(&mut encoded),
            }
            let encoding: Encoding = (encoder, pages(encoded), portion);
            Box::new(encoding)
        })));
    }

    /// Takes a finished job's result, if it is this export's.
    pub(crate) fn job_done(
        &mut self,
        ticket: Ticket,
        result: Letter,
        keyspace: &mut Keyspace,
        out: &mut Out,
    ) -> Progress {
        if self.job != Some(ticket) {
            return Progress::Going;
        }
        self.job = None;
        let Ok(encoding) = result.downcast::<Encoding>() else { return Progress::Going };
        let (encoder, pages, portion) = *encoding;
        if let Some(portion) = portion {
            keyspace.snapshot().recycle(portion);
        }
        let running = keyspace.snapshot().is_running();
        self.encoder = Some(encoder);
        self.sink.write(pages, out);
        if self.ending {
            return self.sink.end(out);
        }
        self.encode(running, out);
        Progress::Going
    }

    /// Takes the end of a file operation.
    pub(crate) fn file_done(
        &mut self,
        ticket: Ticket,
        result: &Result<FileOutput, FileError>,
        out: &mut Out,
    ) -> Progress {
        let ended = self.ending && self.job.is_none();
        match &mut self.sink {
            Sink::File(sink) => sink.file_done(ticket, result, ended, out),
            Sink::Replicas { .. } => Progress::Going,
        }
    }

    /// A replica is gone; whether nobody is left to send to.
    pub(crate) fn forget(&mut self, conn: ConnId) -> bool {
        match &mut self.sink {
            Sink::Replicas { conns, .. } => {
                conns.retain(|other| *other != conn);
                conns.is_empty()
            }
            Sink::File(_) => false,
        }
    }

    /// Gives up: removes the temporary file, or leaves the replicas, which have to be let go.
    pub(crate) fn abandon(&mut self, out: &mut Out) -> Vec<ConnId> {
        match &mut self.sink {
            Sink::File(sink) => {
                sink.abandon(out);
                Vec::new()
            }
            Sink::Replicas { conns, .. } => std::mem::take(conns),
        }
    }
}

impl Sink {
    fn write(&mut self, pages: Vec<Page>, out: &mut Out) {
        for page in pages {
            let range = page.start..page.start + page.len;
            match self {
                Sink::File(sink) => {
                    sink.waiting += page.len;
                    let op = FileOp::Append { file: sink.file, data: page.bytes, range };
                    sink.appends.push_back((out.file(op), page.len));
                }
                Sink::Replicas { conns, .. } => {
                    for conn in conns {
                        out.chunk(*conn, page.bytes.clone(), range.clone());
                    }
                }
            }
        }
    }

    fn waiting(&self, out: &Out) -> usize {
        match self {
            Sink::File(sink) => sink.waiting,
            Sink::Replicas { conns, .. } => {
                conns.iter().map(|conn| out.queued(*conn)).max().unwrap_or(0)
            }
        }
    }

    fn is_behind(&self, out: &mut Out) -> bool {
        match self {
            Sink::File(sink) => sink.waiting >= AHEAD,
            Sink::Replicas { conns, .. } => {
                let behind = conns.iter().filter(|conn| out.queued(**conn) >= AHEAD);
                let behind: Vec<ConnId> = behind.copied().collect();
                behind.iter().for_each(|conn| out.tell_drained(*conn));
                !behind.is_empty()
            }
        }
    }

    /// All is encoded and written or queued.
    fn end(&mut self, out: &mut Out) -> Progress {
        match self {
            Sink::File(sink) => {
                sink.sync_when_written(out);
                Progress::Going
            }
            Sink::Replicas { conns, mark } => {
                conns.iter().for_each(|conn| out.queue(*conn, mark));
                Progress::Sent(std::mem::take(conns))
            }
        }
    }
}

impl FileSink {
    fn sync_when_written(&mut self, out: &mut Out) {
        if self.appends.is_empty() && self.last.is_none() {
            self.last = Some(Last::Syncing(out.file(FileOp::Sync { file: self.file })));
        }
    }

    fn file_done(
        &mut self,
        ticket: Ticket,
        result: &Result<FileOutput, FileError>,
        ended: bool,
        out: &mut Out,
    ) -> Progress {
        let appended = self.appends.front().is_some_and(|(first, _)| *first == ticket);
        let finished =
            matches!(self.last, Some(Last::Syncing(t) | Last::Renaming(t)) if t == ticket);
        if !appended && !finished {
            // Opening has no entry here; when it fails, the first append fails too.
            return Progress::Going;
        }
        if let Err(error) = result {
            let why = error.to_string();
            self.abandon(out);
            return Progress::Failed(why);
        }
        match self.last {
            Some(Last::Syncing(_)) => {
                out.file(FileOp::Close { file: self.file });
                let (from, to) = (self.temporary.clone(), self.target.clone());
                self.last = Some(Last::Renaming(out.file(FileOp::Rename { from, to })));
            }
            Some(Last::Renaming(_)) => return Progress::Saved,
            None => {
                if let Some((_, len)) = self.appends.pop_front() {
                    self.waiting -= len;
                }
                if ended {
                    self.sync_when_written(out);
                }
            }
        }
        Progress::Going
    }

    fn abandon(&mut self, out: &mut Out) {
        out.file(FileOp::Close { file: self.file });
        out.file(FileOp::Remove { path: self.temporary.clone() });
    }
}
