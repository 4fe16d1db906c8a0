//! The latest bytes of the stream, shared by all replicas.
//!
//! A replica's output buffer is a position in here: what a slow one still needs is kept beyond the
//! backlog's own size, once for all of them.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;

/// Bytes in a full chunk: a sixteenth of the backlog's size at its making, within these bounds;
/// with the two counts in front of them, exactly what allocators have a size for.
const CHUNK: (u64, u64) = ((16 << 10) - COUNTS, (64 << 10) - COUNTS);
/// Bytes that shared bytes begin with.
const COUNTS: u64 = 2 * size_of::<usize>() as u64;

/// See the module's documentation.
pub struct Backlog {
    /// Full chunks, oldest first, each of `chunk` bytes.
    full: VecDeque<Arc<[u8]>>,
    chunk: usize,
    /// The chunk being filled.
    tail: Vec<u8>,
    /// Position of the first byte of `full`, or of `tail` if there is no full chunk.
    base: u64,
    /// Position from which on bytes count as history.
    start: u64,
    limit: u64,
}

/// A run of the stream.
#[derive(Debug)]
pub enum Piece<'b> {
    /// In a full chunk, to be shared.
    Shared(Arc<[u8]>, Range<usize>),
    /// In the chunk being filled, to be copied.
    Fresh(&'b [u8]),
}

impl Piece<'_> {
    /// Its length in bytes.
    pub fn len(&self) -> usize {
        match self {
            Piece::Shared(_, range) => range.len(),
            Piece::Fresh(bytes) => bytes.len(),
        }
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Backlog {
    /// An empty one at this position of the stream, keeping `limit` bytes of history.
    pub fn new(position: u64, limit: u64) -> Self {
        Backlog {
            full: VecDeque::new(),
            chunk: (limit / 16).clamp(CHUNK.0, CHUNK.1) as usize,
            tail: Vec::new(),
            base: position,
            start: position,
            limit,
        }
    }

    /// Position after the last byte.
    pub fn end(&self) -> u64 {
        self.base + (self.full.len() * self.chunk + self.tail.len()) as u64
    }

    /// Position of the oldest byte that counts as history.
    pub fn start(&self) -> u64 {
        self.start
    }

    /// Its size, as `repl-backlog-size` says.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// Changes its size.
    pub fn set_limit(&mut self, limit: u64) {
        self.limit = limit;
    }

    /// Bytes of memory it takes.
    pub fn footprint(&self) -> usize {
        self.full.len() * self.chunk + self.tail.capacity()
    }

    /// Adds bytes at the end.
    pub fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let n = bytes.len().min(self.chunk - self.tail.len());
            self.tail.extend_from_slice(&bytes[..n]);
            bytes = &bytes[n..];
            if self.tail.len() == self.chunk {
                self.full.push_back(Arc::from(self.tail.as_slice()));
                self.tail.clear();
            }
        }
    }

    /// Whether the stream can be continued from this position on.
    pub fn holds(&self, position: u64) -> bool {
        (self.start..=self.end()).contains(&position)
    }

    /// The run of bytes at `position`, up to the end of its chunk; `None` at the end of the
    /// stream, and before what is kept.
    pub fn at(&self, position: u64) -> Option<Piece<'_>> {
        let from = usize::try_from(position.checked_sub(self.base)?).ok()?;
        let (index, within) = (from / self.chunk, from % self.chunk);
        match self.full.get(index) {
            Some(chunk) => Some(Piece::Shared(Arc::clone(chunk), within..self.chunk)),
            None if index == self.full.len() && within < self.tail.len() => {
                Some(Piece::Fresh(&self.tail[within..]))
            }
            None => None,
        }
    }

    /// Forgets what is beyond its size and not needed by a replica at `needed` (the position of
    /// the slowest one). What is kept for that one counts as history for all.
    pub fn trim(&mut self, needed: Option<u64>) {
        let history = self.end().saturating_sub(self.limit);
        let keep = needed.map_or(history, |needed| needed.min(history)).max(self.start);
        self.start = keep;
        let chunk = self.chunk as u64;
        while self.base + chunk <= keep && self.full.pop_front().is_some() {
            self.base += chunk;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn read(backlog: &Backlog, mut position: u64) -> Vec<u8> {
        let mut out = vec![];
        while let Some(piece) = backlog.at(position) {
            position += piece.len() as u64;
            match piece {
                Piece::Shared(bytes, range) => out.extend_from_slice(&bytes[range]),
                Piece::Fresh(bytes) => out.extend_from_slice(bytes),
            }
        }
        out
    }

    #[test]
    fn every_position_that_it_holds_reads_to_the_end() {
        let stream: Vec<u8> = (0..300_000u32).map(|i| (i * 7) as u8).collect();
        let mut backlog = Backlog::new(1000, 100_000);
        for part in stream.chunks(777) {
            backlog.push(part);
            backlog.trim(None);
        }
        assert_eq!(backlog.end(), 301_000);
        assert_eq!(backlog.start(), 201_000);
        for position in [201_000, 201_001, 262_144, 300_999, 301_000] {
            assert!(backlog.holds(position));
            assert_eq!(read(&backlog, position), stream[position as usize - 1000..]);
        }
        assert!(!backlog.holds(200_999));
        assert!(!backlog.holds(301_001));
        assert!(backlog.footprint() < 300_000);
    }

    #[test]
    fn what_a_slow_replica_needs_is_history_for_all() {
        let mut backlog = Backlog::new(0, 1000);
        backlog.push(&vec![5; 1_000_000]);
        backlog.trim(Some(10));
        assert_eq!(read(&backlog, 10).len(), 999_990);
        assert!(backlog.holds(10));
        assert!(!backlog.holds(9));
        backlog.trim(Some(900_000));
        assert!(backlog.at(10).is_none());
        assert_eq!(read(&backlog, 900_000).len(), 100_000);
        backlog.trim(None);
        assert_eq!(backlog.start(), 999_000);
    }
}
