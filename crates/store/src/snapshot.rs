//! What a running snapshot has taken and not yet given away.
//!
//! A snapshot sees every key as it was at the start. The walk takes bucket by bucket; a change
//! takes its bucket first. Taking copies the raw record; making RDB of it is left to a job on
//! another thread. Big values are shared, not copied: they change by copying what is shared.

use crate::table::EntryRef;
use crate::value::{Big, View};
use crate::watch::Watched;
use std::collections::VecDeque;

/// Raw records are handed on in portions of about this many bytes.
const PORTION: usize = 256 * 1024;

/// The taking side of a snapshot, and what it has taken so far.
#[derive(Default)]
pub struct Snapshot {
    /// Identity: nothing that a snapshot left behind means anything to the next.
    number: u32,
    running: bool,
    open: Records,
    ready: VecDeque<Records>,
    /// Emptied buffers, to be filled again: fresh memory costs more than what is written to it.
    spare: Vec<Records>,
    taken: u64,
    held: usize,
    /// Keys whose changes are counted.
    watched: Watched,
    /// A change must be shown here: a snapshot is running, or keys are watched.
    attentive: bool,
}

/// A portion of raw records, to be encoded.
#[derive(Default, Debug)]
pub struct Records {
    bytes: Vec<u8>,
    bigs: Vec<Big>,
    /// Bytes of the values in `bigs`.
    shared: usize,
}

/// One key as it was at the start of the snapshot.
#[derive(Debug)]
pub struct Record<'a> {
    /// Database.
    pub db: u32,
    /// Key.
    pub key: &'a [u8],
    /// Expiry in Unix milliseconds.
    pub expires: Option<u64>,
    /// Access bits.
    pub access: u32,
    /// Value.
    pub value: View<'a>,
}

impl Snapshot {
    /// The number of the running or the last snapshot; 0 before the first.
    #[inline]
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Whether changes have to be shown to the snapshot first.
    #[inline]
    pub fn is_running(&self) -> bool {
        self.running
    }

    /// Whether anything here wants to know of a change.
    #[inline]
    pub(crate) fn is_attentive(&self) -> bool {
        self.attentive
    }

    /// The watched keys.
    pub(crate) fn watched(&self) -> &Watched {
        &self.watched
    }

    /// The watched keys, for changing who watches what, or for counting a change.
    pub(crate) fn watch<T>(&mut self, change: impl FnOnce(&mut Watched) -> T) -> T {
        let result = change(&mut self.watched);
        self.attentive = self.running || !self.watched.is_empty();
        result
    }

    /// How many entries it has taken.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// Bytes it keeps alive and has not handed on.
    pub fn held(&self) -> usize {
        self.held
    }

    pub(crate) fn start(&mut self) {
        // 0 is what a new table has seen.
        self.number = self.number.checked_add(1).unwrap_or(1);
        self.running = true;
        self.attentive = true;
        self.taken = 0;
    }

    /// Ends it; what it has taken and not handed on is dropped when `keep` is false.
    pub(crate) fn stop(&mut self, keep: bool) {
        self.running = false;
        self.attentive = !self.watched.is_empty();
        self.spare.clear();
        if !keep {
            self.open = Records::default();
            self.ready.clear();
            self.held = 0;
        }
    }

    pub(crate) fn take(&mut self, db: u32, entry: EntryRef<'_>) {
        self.taken += 1;
        if self.open.bytes.capacity() == 0 {
            self.open = self.spare.pop().unwrap_or_else(Records::with_room);
        }
        self.held += self.open.push(db, entry);
        if self.open.footprint() >= PORTION {
            self.ready.push_back(std::mem::take(&mut self.open));
        }
    }

    /// Takes back a portion that has been encoded.
    pub fn recycle(&mut self, mut portion: Records) {
        const KEEP: usize = 12;
        if self.running && self.spare.len() < KEEP {
            portion.bytes.clear();
            portion.bigs.clear();
            portion.shared = 0;
            self.spare.push(portion);
        }
    }

    /// The next portion: a full one, or at the end whatever is left.
    pub fn next_portion(&mut self) -> Option<Records> {
        let portion = self.ready.pop_front().or_else(|| {
            (!self.running && !self.open.is_empty()).then(|| std::mem::take(&mut self.open))
        })?;
        self.held = self.held.saturating_sub(portion.footprint());
        Some(portion)
    }
}

const HEADER: usize = 1 + 4 + 8 + 4 + 4 + 4;

impl Records {
    fn with_room() -> Self {
        /// The record that fills a portion is nearly always shorter.
        const SLACK: usize = 8 * 1024;
        Records { bytes: Vec::with_capacity(PORTION + SLACK), ..Records::default() }
    }

    fn push(&mut self, db: u32, entry: EntryRef<'_>) -> usize {
        let before = self.footprint();
        let key = entry.key();
        let integer;
        let (form, value): (u8, &[u8]) = match entry.view() {
            View::Bytes(bytes) => (0, bytes),
            View::Int(n) => {
                integer = n.to_le_bytes();
                (1, &integer)
            }
            View::Big(big) => {
                self.bigs.push(big.clone());
                self.shared += big.footprint();
                (2, &[])
            }
        };
        self.bytes.reserve(HEADER + key.len() + value.len());
        self.bytes.push(form);
        self.bytes.extend_from_slice(&db.to_le_bytes());
        self.bytes.extend_from_slice(&entry.expires().unwrap_or(u64::MAX).to_le_bytes());
        self.bytes.extend_from_slice(&entry.access().to_le_bytes());
        self.bytes.extend_from_slice(&(key.len() as u32).to_le_bytes());
        self.bytes.extend_from_slice(&(value.len() as u32).to_le_bytes());
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(value);
        self.footprint() - before
    }

    fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Bytes it keeps alive.
    pub fn footprint(&self) -> usize {
        self.bytes.len() + self.shared
    }

    /// The records in the order they were taken.
    pub fn iter(&self) -> impl Iterator<Item = Record<'_>> {
        let mut rest = self.bytes.as_slice();
        let mut bigs = self.bigs.iter();
        std::iter::from_fn(move || {
            let (form, tail) = rest.split_first()?;
            let (db, tail) = tail.split_first_chunk()?;
            let (expires, tail) = tail.split_first_chunk()?;
            let (access, tail) = tail.split_first_chunk()?;
            let (keylen, tail) = tail.split_first_chunk()?;
            let (vallen, tail) = tail.split_first_chunk()?;
            let (key, tail) = tail.split_at_checked(u32::from_le_bytes(*keylen) as usize)?;
            let (value, tail) = tail.split_at_checked(u32::from_le_bytes(*vallen) as usize)?;
            rest = tail;
            let expires = u64::from_le_bytes(*expires);
            Some(Record {
                db: u32::from_le_bytes(*db),
                key,
                expires: (expires != u64::MAX).then_some(expires),
                access: u32::from_le_bytes(*access),
                value: match form {
                    0 => View::Bytes(value),
                    1 => View::Int(i64::from_le_bytes(value.try_into().ok()?)),
                    _ => View::Big(bigs.next()?),
                },
            })
        })
    }
}
