//! Making RDB of a snapshot.

use super::crc64::Crc64;
use super::encoded::Encoded;
use super::format::{STRING, VERSION, opcode};
use super::lzf::Compressor;
use super::text::{put_length, put_text, put_value};
use crate::access::Stamp;
use crate::snapshot::{Record, Records};
use crate::value::{Page, View};
use std::collections::BTreeSet;

/// How to encode.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// Compress strings of more than 20 bytes, up to 64 KiB, where that saves something
    /// (`rdbcompression`).
    pub compress: bool,
    /// End with a checksum instead of eight zero bytes (`rdbchecksum`).
    pub checksum: bool,
    /// What to write of the keys' use.
    pub usage: Usage,
}

/// What is written of how keys were used: what the eviction policy looks at.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Usage {
    /// Nothing.
    #[default]
    Nothing,
    /// For how long each has not been used, as of this time.
    Idle(Stamp),
    /// How often of late, as of this time, with so many minutes to a step down.
    Frequency(Stamp, u32),
}

/// How many keys a database held when the snapshot began: advice to a reader.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sizes {
    /// Database number.
    pub db: u32,
    /// Keys.
    pub keys: u64,
    /// Keys with an expiry.
    pub volatile: u64,
}

/// Makes one RDB file of a snapshot's portions, in the order in which they were taken. It can be
/// handed from job to job.
pub struct Encoder {
    compressor: Option<Compressor>,
    crc: Option<Crc64>,
    db: Option<u32>,
    /// Databases whose sizes have been written.
    sized: BTreeSet<u32>,
    usage: Usage,
}

impl Encoder {
    /// One that has written nothing.
    pub fn new(options: Options) -> Self {
        Encoder {
            compressor: options.compress.then(Compressor::new),
            crc: options.checksum.then(Crc64::new),
            db: None,
            sized: BTreeSet::new(),
            usage: options.usage,
        }
    }

    /// Writes the header and the auxiliary fields; readers ignore names that they do not know.
    pub fn begin(&mut self, aux: &[(&str, &str)], out: &mut Encoded) {
        let mut sink = Sink::new(&mut self.crc, out);
        sink.tail().extend_from_slice(format!("REDIS{VERSION:04}").as_bytes());
        for (name, value) in aux {
            sink.tail().push(opcode::AUX);
            put_text(name.as_bytes(), None, sink.tail());
            put_text(value.as_bytes(), None, sink.tail());
        }
        sink.end();
    }

    /// Writes the keys of a portion. `sizes` is looked at when a database first comes up.
    pub fn records(&mut self, portion: &Records, sizes: &[Sizes], out: &mut Encoded) {
        let mut sink = Sink::new(&mut self.crc, out);
        for record in portion.iter() {
            if self.db != Some(record.db) {
                self.db = Some(record.db);
                let first = self.sized.insert(record.db);
                let sizes = sizes.iter().find(|sizes| first && sizes.db == record.db);
                put_database(record.db, sizes, sink.tail());
            }
            put_record(&record, self.usage, self.compressor.as_mut(), &mut sink);
        }
        sink.end();
    }

    /// Writes the end.
    pub fn finish(&mut self, out: &mut Encoded) {
        let mut sink = Sink::new(&mut self.crc, out);
        sink.tail().push(opcode::END);
        sink.end();
        let checksum = self.crc.as_ref().map_or(0, Crc64::value);
        out.tail().extend_from_slice(&checksum.to_le_bytes());
    }
}

/// Output whose bytes are added to the checksum in long runs.
struct Sink<'a> {
    crc: &'a mut Option<Crc64>,
    out: &'a mut Encoded,
    /// From where in the output's tail the bytes are still to be added.
    from: usize,
}

impl<'a> Sink<'a> {
    fn new(crc: &'a mut Option<Crc64>, out: &'a mut Encoded) -> Self {
        let from = out.tail().len();
        Sink { crc, out, from }
    }

    fn tail(&mut self) -> &mut Vec<u8> {
        self.out.tail()
    }

    fn value(&mut self, value: View<'_>, compressor: Option<&mut Compressor>) {
        let (crc, from) = (&mut *self.crc, &mut self.from);
        put_value(value, compressor, self.out, |out: &mut Encoded, page: Page| {
            if let Some(crc) = crc {
                crc.update(&out.tail()[*from..]);
                crc.update(page.as_slice());
            }
            out.share(page);
            *from = 0;
        });
    }

    fn end(self) {
        if let Some(crc) = self.crc {
            crc.update(&self.out.tail()[self.from..]);
        }
    }
}

fn put_database(db: u32, sizes: Option<&Sizes>, out: &mut Vec<u8>) {
    out.push(opcode::SELECT_DB);
    put_length(u64::from(db), out);
    if let Some(sizes) = sizes {
        out.push(opcode::RESIZE_DB);
        put_length(sizes.keys, out);
        put_length(sizes.volatile, out);
    }
}

fn put_record(
    record: &Record<'_>,
    usage: Usage,
    mut compressor: Option<&mut Compressor>,
    sink: &mut Sink<'_>,
) {
    let out = sink.tail();
    if let Some(expires) = record.expires {
        out.push(opcode::EXPIRES_MS);
        out.extend_from_slice(&expires.to_le_bytes());
    }
    match usage {
        Usage::Nothing => {}
        Usage::Idle(now) => {
            out.push(opcode::IDLE);
            put_length(u64::from(now.idle(record.access)), out);
        }
        Usage::Frequency(now, decay) => {
            out.extend([opcode::FREQ, now.frequency(record.access, decay)]);
        }
    }
    out.push(STRING);
    put_text(record.key, compressor.as_deref_mut(), out);
    sink.value(record.value, compressor);
}
