//! The queue of bytes that wait to be written to one connection.

use crate::Ticket;
use alloc::{collections::VecDeque, sync::Arc, vec::Vec};
use core::ops::Range;

/// What a reply may have to wait for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Gate {
    /// A file operation, such as an fsync, has succeeded.
    Ticket(Ticket),
    /// Enough replicas have acknowledged the replication stream up to this offset.
    Offset(u64),
}

enum Segment {
    Own(Vec<u8>),
    Shared(Arc<[u8]>, Range<usize>),
    Gate(Gate),
}

/// Output of one connection: own bytes, shared bytes and gates, in order.
///
/// The usual case, a few own bytes written at once, touches only `tail`.
#[derive(Default)]
pub struct Output {
    /// What comes before `tail`.
    segments: VecDeque<Segment>,
    /// The bytes queued last.
    tail: Vec<u8>,
    /// How much of the first segment (or of `tail`, if there is none) has been written.
    written: usize,
    /// Bytes queued and not yet written.
    queued: usize,
}

impl Output {
    /// Bytes queued and not yet written, gated ones included.
    pub fn queued(&self) -> usize {
        self.queued
    }

    /// Bytes queued last in one run, bytes before them, and in how many pieces those are.
    pub fn shape(&self) -> (usize, usize, usize) {
        let before = if self.segments.is_empty() { self.written } else { 0 };
        let tail = self.tail.len() - before;
        (tail, self.queued.saturating_sub(tail), self.segments.len())
    }

    /// Bytes of memory it takes, shared bytes that wait included.
    pub fn footprint(&self) -> usize {
        self.queued + self.tail.capacity() - self.tail.len() + self.list()
    }

    fn list(&self) -> usize {
        self.segments.capacity() * size_of::<Segment>()
    }

    /// Bytes of memory that would be free without this queue: its own buffers, and shared bytes
    /// that nothing else refers to any more, of which it may need a small part.
    pub fn exclusive(&self) -> usize {
        let pieces = self.segments.iter().map(|segment| match segment {
            Segment::Own(bytes) => bytes.capacity(),
            Segment::Shared(bytes, _) if Arc::strong_count(bytes) == 1 => bytes.len(),
            Segment::Shared(..) | Segment::Gate(_) => 0,
        });
        pieces.sum::<usize>() + self.tail.capacity() + self.list()
    }

    pub(crate) fn take_tail(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.tail)
    }

    /// Gives back what [`Output::take_tail`] lent, with more bytes at its end.
    pub(crate) fn put_tail(&mut self, tail: Vec<u8>, added: usize) {
        self.tail = tail;
        self.queued += added;
    }

    pub(crate) fn append(&mut self, bytes: Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        self.close_tail();
        self.queued += bytes.len();
        self.segments.push_back(Segment::Own(bytes));
    }

    pub(crate) fn share(&mut self, bytes: Arc<[u8]>, range: Range<usize>) {
        if range.is_empty() {
            return;
        }
        self.close_tail();
        self.queued += range.len();
        self.segments.push_back(Segment::Shared(bytes, range));
    }

    pub(crate) fn gate(&mut self, gate: Gate) {
        self.close_tail();
        self.segments.push_back(Segment::Gate(gate));
    }

    fn close_tail(&mut self) {
        if !self.tail.is_empty() {
            let tail = core::mem::take(&mut self.tail);
            self.segments.push_back(Segment::Own(tail));
        }
    }

    /// Opens the gates at the front that `is_open` says are open; whether bytes can be written.
    pub fn open_gates(&mut self, mut is_open: impl FnMut(Gate) -> bool) -> bool {
        while let Some(Segment::Gate(gate)) = self.segments.front() {
            if !is_open(*gate) {
                return false;
            }
            self.segments.pop_front();
        }
        self.queued > 0
    }

    /// Whether a closed gate is anywhere in the queue.
    pub fn is_gated(&self) -> bool {
        self.segments.iter().any(|s| matches!(s, Segment::Gate(_)))
    }

    /// The bytes that may be written now, in order, up to the first gate.
    pub fn writable(&self) -> impl Iterator<Item = &[u8]> {
        let mut skip = self.written;
        let gated = self.is_gated();
        let head = self.segments.iter().map_while(|s| match s {
            Segment::Own(bytes) => Some(bytes.as_slice()),
            Segment::Shared(bytes, range) => Some(&bytes[range.clone()]),
            Segment::Gate(_) => None,
        });
        let tail = (!gated).then_some(self.tail.as_slice());
        head.chain(tail)
            .map(move |bytes| &bytes[core::mem::take(&mut skip)..])
            .filter(|b| !b.is_empty())
    }

    /// The whole queue when it is one plain run of bytes: the fast way to write.
    pub fn plain(&self) -> Option<&[u8]> {
        self.segments.is_empty().then(|| &self.tail[self.written..])
    }

    /// Takes note that the first `n` writable bytes have been written. An emptied buffer goes to
    /// `pool` for the next connection.
    pub fn advance(&mut self, mut n: usize, pool: &mut Vec<Vec<u8>>) {
        self.queued -= n;
        while let Some(front) = self.segments.front() {
            let len = match front {
                Segment::Own(bytes) => bytes.len(),
                Segment::Shared(_, range) => range.len(),
                Segment::Gate(_) => return,
            } - self.written;
            if n < len {
                self.written += n;
                return;
            }
            n -= len;
            self.written = 0;
            if let Some(Segment::Own(bytes)) = self.segments.pop_front() {
                recycle(bytes, pool);
            }
        }
        self.end_list();
        self.written += n;
        if self.written == self.tail.len() {
            self.written = 0;
            recycle(core::mem::take(&mut self.tail), pool);
        } else if self.written >= COMPACT && self.written * 2 >= self.tail.len() {
            // A reader that never quite catches up must not keep what it has read in memory.
            self.tail.drain(..self.written);
            self.written = 0;
        }
    }

    /// Drops everything, as when the connection is gone.
    pub fn clear(&mut self, pool: &mut Vec<Vec<u8>>) {
        self.segments.clear();
        self.end_list();
        self.written = 0;
        self.queued = 0;
        recycle(core::mem::take(&mut self.tail), pool);
    }

    /// The list of pieces is empty: if it has been long, its memory is given back.
    fn end_list(&mut self) {
        const KEEP: usize = 64;
        if self.segments.capacity() > KEEP {
            self.segments = VecDeque::new();
        }
    }
}

/// From how many written bytes on it pays to move the unwritten ones to the front.
const COMPACT: usize = 64 * 1024;

/// Keeps a few buffers of ordinary size; a huge one is returned to the allocator.
fn recycle(mut buffer: Vec<u8>, pool: &mut Vec<Vec<u8>>) {
    const KEEP: usize = 64;
    const LARGEST: usize = 256 * 1024;
    if buffer.capacity() > 0 && buffer.capacity() <= LARGEST && pool.len() < KEEP {
        buffer.clear();
        pool.push(buffer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn own(output: &mut Output, bytes: &[u8]) {
        let mut tail = output.take_tail();
        tail.extend_from_slice(bytes);
        output.put_tail(tail, bytes.len());
    }

    fn text(output: &Output) -> Vec<u8> {
        output.writable().flatten().copied().collect()
    }

    #[test]
    fn shared_bytes_keep_their_place_between_own_ones() {
        let (mut output, mut pool) = (Output::default(), vec![]);
        own(&mut output, b"ab");
        output.share(Arc::from(&b"xcdy"[..]), 1..3);
        own(&mut output, b"ef");
        assert_eq!(text(&output), b"abcdef");
        assert_eq!(output.queued(), 6);
        for left in [&b"bcdef"[..], b"cdef", b"def", b"ef", b"f", b""] {
            output.advance(1, &mut pool);
            assert_eq!(text(&output), left);
            assert_eq!(output.queued(), left.len());
        }
        assert_eq!(pool.len(), 2);
    }

    #[test]
    fn memory_of_a_long_queue_is_given_back() {
        let (mut output, mut pool) = (Output::default(), vec![]);
        let shared: Arc<[u8]> = Arc::from(&b"shared"[..]);
        for _ in 0..1000 {
            own(&mut output, b"own");
            output.share(Arc::clone(&shared), 0..6);
        }
        assert!(output.footprint() >= 9000 + 2000 * size_of::<Segment>());
        let own = output.exclusive();
        assert!(own >= 3000, "{own}");
        output.share(Arc::from(vec![0; 5000]), 1..2);
        assert_eq!(output.exclusive() - own, 5000);
        output.advance(9001, &mut pool);
        assert!(output.footprint() < 4096);
        (0..1000).for_each(|_| output.share(Arc::clone(&shared), 0..6));
        output.clear(&mut pool);
        assert!(output.footprint() < 4096);
    }

    #[test]
    fn a_gate_holds_back_only_what_follows() {
        let (mut output, mut pool) = (Output::default(), vec![]);
        own(&mut output, b"free");
        output.gate(Gate::Offset(7));
        own(&mut output, b"held");
        assert_eq!(text(&output), b"free");
        assert!(output.plain().is_none());
        output.advance(4, &mut pool);
        assert!(!output.open_gates(|g| g == Gate::Offset(6)));
        assert_eq!(text(&output), b"");
        assert!(output.open_gates(|g| g == Gate::Offset(7)));
        assert_eq!(text(&output), b"held");
    }
}
