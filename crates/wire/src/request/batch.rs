//! A handful of decoded requests.

use smallvec::SmallVec;

/// How many requests a batch holds at most.
pub const BATCH: usize = 16;

/// Up to [`BATCH`] requests that borrow from the bytes they were read from. Meant for the stack.
#[derive(Debug, Default)]
pub struct Batch<'a> {
    /// The arguments of all requests, one after another.
    args: SmallVec<[&'a [u8]; 64]>,
    /// Where in `args` each request ends.
    ends: [usize; BATCH],
    raw: [&'a [u8]; BATCH],
    len: usize,
}

impl<'a> Batch<'a> {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets all requests.
    pub fn clear(&mut self) {
        self.args.clear();
        self.len = 0;
    }

    /// How many requests there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no request.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The command name and arguments of request `i`; at least one.
    #[inline]
    pub fn args(&self, i: usize) -> &[&'a [u8]] {
        let ends = &self.ends[..self.len];
        let start = if i == 0 { 0 } else { ends[i - 1] };
        &self.args[start..ends[i]]
    }

    /// The bytes of request `i` exactly as received.
    #[inline]
    pub fn raw(&self, i: usize) -> &'a [u8] {
        self.raw[..self.len][i]
    }

    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.len == BATCH
    }

    #[inline]
    pub(super) fn push(&mut self, arg: &'a [u8]) {
        self.args.push(arg);
    }

    /// The arguments pushed since the last request are one more request.
    #[inline]
    pub(super) fn finish(&mut self, raw: &'a [u8]) {
        self.ends[self.len] = self.args.len();
        self.raw[self.len] = raw;
        self.len += 1;
    }

    /// Drops the arguments pushed since the last request; how many they were.
    pub(super) fn abandon(&mut self) -> usize {
        let end = if self.len == 0 { 0 } else { self.ends[self.len - 1] };
        let dropped = self.args.len() - end;
        self.args.truncate(end);
        dropped
    }
}
