//! A snapshot on its way out: walked, encoded beside the machine, and written to a sink.
//!
//! ```text
//! keyspace ─walk─► portions ─job─► encoded pieces ─append─► temporary file ─rename─► dump.rdb
//! ```
//!
//! The walk waits while the sink is behind; what commands push out first is taken in any case.

use machine::{FileError, FileId, FileOp, FileOutput, Instant, OpenMode, Out, Ticket};
use std::collections::VecDeque;
use store::keyspace::{Incomplete, Keyspace};
use store::rdb::{Encoded, Encoder, Options, Piece, Sizes};
use store::snapshot::Records;
use store::value::Page;

/// The walk rests while this many bytes wait for the file.
const AHEAD: usize = 8 << 20;

/// A snapshot being written to a file.
pub(crate) struct Export {
    /// Absent while a job has it.
    encoder: Option<Box<Encoder>>,
    job: Option<Ticket>,
    portions: VecDeque<Records>,
    /// Keys and keys with an expiry of each database, as hints to the reader.
    sizes: Vec<Sizes>,
    file: FileId,
    temporary: String,
    target: String,
    /// Appends under way, with their lengths.
    appends: VecDeque<(Ticket, usize)>,
    waiting: usize,
    step: Step,
    /// When it started.
    pub(crate) since: Instant,
    /// `rdb_changes_since_last_save` at its start.
    pub(crate) changes: u64,
}

/// How far it has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    Writing,
    /// All is encoded; appends are still under way.
    Ending,
    Syncing(Ticket),
    Renaming(Ticket),
}

/// What became of an export.
pub(crate) enum Progress {
    /// It goes on.
    Going,
    /// It stands under its final name.
    Done,
    /// It failed; the temporary file is being removed.
    Failed(String),
}

/// What a job gives back: the encoder, and what it made as runs that can be written.
type Encoding = (Box<Encoder>, Vec<Page>);

fn pages(encoded: Encoded) -> Vec<Page> {
    encoded.into_iter().map(Piece::into_page).collect()
}

impl Export {
    /// Starts a snapshot of `keyspace` into `target`.
    pub(crate) fn start(
        keyspace: &mut Keyspace,
        aux: &[(&str, &str)],
        paths: (FileId, String, String),
        now: Instant,
        options: Options,
        out: &mut Out,
    ) -> Self {
        let (file, temporary, target) = paths;
        let sizes = (0..keyspace.databases())
            .map(|db| Sizes {
                db,
                keys: keyspace.len(db) as u64,
                volatile: keyspace.volatile_len(db) as u64,
            })
            .collect();
        keyspace.start_snapshot();
        out.file(FileOp::Open { file, path: temporary.clone(), mode: OpenMode::Create });
        let mut encoder = Box::new(Encoder::new(options));
        let mut header = Encoded::default();
        encoder.begin(aux, &mut header);
        let mut export = Export {
            encoder: Some(encoder),
            job: None,
            portions: VecDeque::new(),
            sizes,
            file,
            temporary,
            target,
            appends: VecDeque::new(),
            waiting: 0,
            step: Step::Writing,
            since: now,
            changes: 0,
        };
        export.append(pages(header), out);
        export
    }

    /// Walks on for `units`, and keeps the encoder busy.
    pub(crate) fn advance(
        &mut self,
        keyspace: &mut Keyspace,
        units: u32,
        out: &mut Out,
    ) -> Result<(), Incomplete> {
        if self.waiting < AHEAD && keyspace.snapshot().is_running() {
            keyspace.walk_snapshot(units)?;
        }
        while let Some(portion) = keyspace.snapshot().next_portion() {
            self.portions.push_back(portion);
        }
        self.encode(keyspace.snapshot().is_running(), out);
        Ok(())
    }

    /// Whether the walk can go on now.
    pub(crate) fn wants_time(&self, keyspace: &mut Keyspace) -> bool {
        self.waiting < AHEAD && keyspace.snapshot().is_running()
    }

    /// Hands the next portion, or the end, to the encoder when it is at rest.
    fn encode(&mut self, running: bool, out: &mut Out) {
        if self.step != Step::Writing {
            return;
        }
        let Some(mut encoder) = self.encoder.take() else { return };
        let portion = self.portions.pop_front();
        if portion.is_none() && running {
            self.encoder = Some(encoder);
            return;
        }
        if portion.is_none() {
            self.step = Step::Ending;
        }
        let sizes = self.sizes.clone();
        self.job = Some(out.offload(Box::new(move || {
            let mut encoded = Encoded::default();
            match portion {
                Some(portion) => encoder.records(&portion, &sizes, &mut encoded),
                None => encoder.finish(&mut encoded),
            }
            let encoding: Encoding = (encoder, pages(encoded));
            Box::new(encoding)
        })));
    }

    fn append(&mut self, pages: Vec<Page>, out: &mut Out) {
        for page in pages {
            self.waiting += page.len;
            let range = page.start..page.start + page.len;
            let op = FileOp::Append { file: self.file, data: page.bytes, range };
            self.appends.push_back((out.file(op), page.len));
        }
    }

    /// Takes a finished job's result, if it is this export's.
    pub(crate) fn job_done(
        &mut self,
        ticket: Ticket,
        result: machine::Letter,
        running: bool,
        out: &mut Out,
    ) {
        if self.job != Some(ticket) {
            return;
        }
        self.job = None;
        if let Ok(encoding) = result.downcast::<Encoding>() {
            let (encoder, encoded) = *encoding;
            self.encoder = Some(encoder);
            self.append(encoded, out);
            self.encode(running, out);
            self.sync_when_written(out);
        }
    }

    fn sync_when_written(&mut self, out: &mut Out) {
        if self.step == Step::Ending && self.job.is_none() && self.appends.is_empty() {
            self.step = Step::Syncing(out.file(FileOp::Sync { file: self.file }));
        }
    }

    /// Takes the end of a file operation.
    pub(crate) fn file_done(
        &mut self,
        ticket: Ticket,
        result: &Result<FileOutput, FileError>,
        out: &mut Out,
    ) -> Progress {
        let mine = self.appends.front().is_some_and(|(first, _)| *first == ticket)
            || matches!(self.step, Step::Syncing(t) | Step::Renaming(t) if t == ticket);
        match result {
            // Opening has no entry here; when it failed, the first append fails too.
            Err(error) if mine => {
                let why = error.to_string();
                self.abandon(out);
                return Progress::Failed(why);
            }
            _ if !mine => return Progress::Going,
            _ => {}
        }
        match self.step {
            Step::Syncing(_) => {
                out.file(FileOp::Close { file: self.file });
                let (from, to) = (self.temporary.clone(), self.target.clone());
                self.step = Step::Renaming(out.file(FileOp::Rename { from, to }));
            }
            Step::Renaming(_) => return Progress::Done,
            Step::Writing | Step::Ending => {
                if let Some((_, len)) = self.appends.pop_front() {
                    self.waiting -= len;
                }
                self.sync_when_written(out);
            }
        }
        Progress::Going
    }

    /// Gives up: closes and removes the temporary file.
    pub(crate) fn abandon(&mut self, out: &mut Out) {
        out.file(FileOp::Close { file: self.file });
        out.file(FileOp::Remove { path: self.temporary.clone() });
    }
}
