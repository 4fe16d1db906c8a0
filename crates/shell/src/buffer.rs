//! Buffers that are filled without being zeroed first.
//!
//! The invariant of this module: a [`Stream::read`] that returns `n` has written the first `n`
//! bytes of the slice it was given, and `n` is not larger than that slice.

use crate::stream::Stream;
use std::io;
use std::mem::MaybeUninit;
use std::sync::Arc;

/// Reads at most `most` bytes to the end of `buffer`.
#[inline]
pub(crate) fn fill(
    buffer: &mut Vec<u8>,
    most: usize,
    stream: &mut impl Stream,
) -> io::Result<usize> {
    if buffer.capacity() - buffer.len() < most {
        // A long request is kept in here: doubling would take twice its length.
        buffer.reserve_exact(most.max(buffer.len() / 4));
    }
    let n = stream.read(&mut buffer.spare_capacity_mut()[..most])?;
    assert!(n <= most);
    // SAFETY: the first `n` spare bytes have just been written, and `n` is within the capacity.
    unsafe { buffer.set_len(buffer.len() + n) };
    Ok(n)
}

/// Bytes that a machine left unconsumed, kept until the next ones.
#[derive(Default)]
pub(crate) struct Rest {
    pub(crate) bytes: Vec<u8>,
    pub(crate) start: usize,
}

/// A kept buffer larger than this is given back as soon as it is empty.
const KEEP: usize = 16 * 1024;

impl Rest {
    /// What is kept.
    #[inline]
    pub(crate) fn unread(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// Puts a buffer back of which the first `start` bytes are done with.
    pub(crate) fn put(&mut self, bytes: Vec<u8>, start: usize) {
        (self.bytes, self.start) = (bytes, start);
        if self.len() == 0 {
            self.clear();
        } else if self.start > KEEP && self.start * 2 > self.bytes.len() {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
    }

    /// Forgets everything kept.
    #[inline]
    pub(crate) fn clear(&mut self) {
        self.start = 0;
        if self.bytes.capacity() > KEEP {
            self.bytes = Vec::new();
        } else {
            self.bytes.clear();
        }
    }
}

/// An announced body while it arrives, in the allocation the machine will get.
pub(crate) struct Body {
    bytes: Arc<[MaybeUninit<u8>]>,
    /// How many of the first bytes have been written.
    filled: usize,
}

impl Body {
    /// A body of `len` bytes of which the first have already come.
    pub(crate) fn new(len: usize, arrived: &[u8]) -> Self {
        let mut body = Body { bytes: Arc::new_uninit_slice(len), filled: 0 };
        body.space()[..arrived.len()].write_copy_of_slice(arrived);
        body.filled = arrived.len();
        body
    }

    fn space(&mut self) -> &mut [MaybeUninit<u8>] {
        let bytes = Arc::get_mut(&mut self.bytes).expect("a growing body is not shared");
        &mut bytes[self.filled..]
    }

    /// Reads at most `most` of the missing bytes. How many came, and how many were asked for.
    pub(crate) fn fill(
        &mut self,
        most: usize,
        stream: &mut impl Stream,
    ) -> io::Result<(usize, usize)> {
        let space = self.space();
        let asked = space.len().min(most);
        let n = stream.read(&mut space[..asked])?;
        assert!(n <= asked);
        self.filled += n;
        Ok((n, asked))
    }

    /// Whether every byte has come.
    pub(crate) fn is_complete(&self) -> bool {
        self.filled == self.bytes.len()
    }

    /// The whole body.
    pub(crate) fn finish(self) -> Arc<[u8]> {
        assert!(self.is_complete());
        // SAFETY: `filled` counts initialised bytes from the front, and it equals the length.
        unsafe { self.bytes.assume_init() }
    }
}
