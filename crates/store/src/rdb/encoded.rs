//! Encoded data, in which long values are shared with the keyspace.

use crate::value::Page;
use std::sync::Arc;

/// Bytes to be written, in order.
#[derive(Default, Debug)]
pub struct Encoded {
    /// All but the last.
    done: Vec<Piece>,
    /// The last, still growing.
    tail: Vec<u8>,
    done_len: usize,
}

/// A run of encoded bytes.
#[derive(Debug)]
pub enum Piece {
    /// Made for this.
    Own(Vec<u8>),
    /// Part of a value, shared with its key.
    Shared(Page),
}

impl Piece {
    /// Its bytes.
    pub fn as_slice(&self) -> &[u8] {
        match self {
            Piece::Own(bytes) => bytes,
            Piece::Shared(page) => page.as_slice(),
        }
    }

    /// As a shared run; copies the bytes if they are not one yet.
    pub fn into_page(self) -> Page {
        match self {
            Piece::Own(bytes) => Page { start: 0, len: bytes.len(), bytes: Arc::from(bytes) },
            Piece::Shared(page) => page,
        }
    }
}

impl Encoded {
    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.done_len + self.tail.len()
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The runs of bytes in order.
    pub fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let tail = (!self.tail.is_empty()).then_some(self.tail.as_slice());
        self.done.iter().map(Piece::as_slice).chain(tail)
    }

    /// A copy in one run.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.len());
        self.pieces().for_each(|piece| out.extend_from_slice(piece));
        out
    }

    /// The bytes after the last shared run.
    pub(super) fn tail(&mut self) -> &mut Vec<u8> {
        &mut self.tail
    }

    /// Adds a run without copying it.
    pub(super) fn share(&mut self, page: Page) {
        self.end_tail();
        self.done_len += page.len;
        self.done.push(Piece::Shared(page));
    }

    fn end_tail(&mut self) {
        if !self.tail.is_empty() {
            self.done_len += self.tail.len();
            self.done.push(Piece::Own(std::mem::take(&mut self.tail)));
        }
    }
}

impl IntoIterator for Encoded {
    type Item = Piece;
    type IntoIter = std::vec::IntoIter<Piece>;

    fn into_iter(mut self) -> Self::IntoIter {
        self.end_tail();
        self.done.into_iter()
    }
}
