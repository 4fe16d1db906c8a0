//! Requests as servers read them: RESP arrays of bulk strings, and inline lines.
//!
//! ```text
//! bytes ─► Decoder ─► Batch: requests that borrow from the bytes (the common case)
//!                 └─► Assembled: one request that owns its arguments (big bulks, inline lines)
//! ```

mod batch;
mod bulk;
#[cfg(test)]
mod tests;

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

pub use batch::{BATCH, Batch};
pub use bulk::BIG_BULK;

use crate::{ProtocolError, words};
use bulk::{Bulk, bulk, count};

/// An inline request must end within this many bytes, and so must every header line.
const LINE_MAX: usize = 64 * 1024;

/// From this many arguments on, an unfinished request is remembered; below, its few headers are
/// read again, which costs less than an allocation per session.
const REMEMBER: usize = 16;

/// What a client may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// False until a required authentication succeeded; then only short requests are read.
    pub authenticated: bool,
    /// The longest argument (`proto-max-bulk-len`).
    pub max_bulk: u64,
    /// The most bytes an unfinished request may keep waiting (`client-query-buffer-limit`).
    pub max_query: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { authenticated: true, max_bulk: 512 << 20, max_query: 1 << 30 }
    }
}

/// What became of the bytes offered. `consumed` bytes are done with; the caller keeps the rest and
/// offers it again, starting at the same byte, with whatever arrived after it.
#[derive(Debug, PartialEq, Eq)]
pub enum Progress {
    /// The batch is full, or the bytes hold no further whole request. If the batch has requests in
    /// it and bytes are left, handle them, clear the batch and decode again: an assembled request,
    /// a wanted body or an error waits until the batch before it was delivered.
    More {
        /// Bytes done with.
        consumed: usize,
    },
    /// A bulk of [`BIG_BULK`] bytes or more follows the consumed ones: exactly `len` bytes must be
    /// gathered and handed over by [`Decoder::body`]; decoding goes on with the bytes after them.
    Want {
        /// Bytes done with.
        consumed: usize,
        /// Length of the body that follows them.
        len: usize,
    },
    /// One request that owns its arguments; the batch is empty.
    Assembled {
        /// Bytes done with.
        consumed: usize,
        /// The request.
        request: Assembled,
    },
}

/// A request that owns its arguments: an inline one, or one with at least one big bulk.
#[derive(Debug, PartialEq, Eq)]
pub struct Assembled {
    /// The command name and its arguments.
    pub args: Vec<Arc<[u8]>>,
}

/// Reads one session's requests. It holds no bytes but those of a request being assembled, and
/// goes on where it stopped when an unfinished request is offered again.
///
/// Call [`decode`](Self::decode) until it returns an empty batch; after `Want`, gather the body and
/// call [`body`](Self::body) before the next `decode`. An error is final.
#[derive(Debug, Default)]
pub struct Decoder {
    /// Where the next argument of a remembered unfinished request begins.
    at: usize,
    /// How many of its arguments are still to come; 0 if no request is remembered.
    left: u32,
    /// Its arguments so far, as offsets from its first byte.
    spans: Vec<(usize, usize)>,
    assembly: Option<Box<Assembly>>,
    /// Bytes that its caller keeps, to offer them again.
    unread: usize,
}

#[derive(Debug, Default)]
struct Assembly {
    args: Vec<Arc<[u8]>>,
    left: u32,
    held: usize,
    want: Option<usize>,
    /// The last body's CRLF has not been seen.
    trailer: bool,
}

/// Where in a request's arguments the reading stands.
struct Cursor {
    at: usize,
    left: u32,
}

enum Walk {
    Done,
    Short,
    Big,
}

enum Step {
    /// These bytes are a request (now in the batch) or nothing at all.
    Passed(usize),
    /// The rest waits: for more bytes, or for the batch before it to be delivered.
    Wait,
    Return(Progress),
}

impl Decoder {
    /// A decoder at the beginning of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads as many whole requests as fit into `batch`, which the caller hands over empty.
    pub fn decode<'a>(
        &mut self,
        bytes: &'a [u8],
        batch: &mut Batch<'a>,
        limits: &Limits,
    ) -> Result<Progress, ProtocolError> {
        if self.assembly.is_some() {
            return self.assemble(bytes, 0, limits);
        }
        let mut consumed = 0;
        while consumed < bytes.len() && !batch.is_full() {
            let rest = &bytes[consumed..];
            match self.step(rest, batch, limits) {
                Ok(Step::Passed(used)) => consumed += used,
                Ok(Step::Wait) if batch.is_empty() && rest.len() > limits.max_query => {
                    return Err(ProtocolError::QueryTooLong);
                }
                Ok(Step::Wait) => break,
                Ok(Step::Return(progress)) => return Ok(progress.after(consumed)),
                Err(error) if batch.is_empty() => return Err(error),
                // Reading it again will fail the same way, with the batch delivered by then.
                Err(_) => break,
            }
        }
        Ok(Progress::More { consumed })
    }

    /// Hands over the body that [`Progress::Want`] asked for.
    pub fn body(&mut self, body: Arc<[u8]>) {
        let Some(assembly) = &mut self.assembly else {
            debug_assert!(false, "a body nobody asked for");
            return;
        };
        debug_assert_eq!(assembly.want, Some(body.len()), "a body of another length");
        assembly.want = None;
        assembly.trailer = true;
        assembly.push(body);
    }

    /// Forgets an unfinished request that it remembers, because the bytes from an earlier request
    /// on will be offered again.
    pub fn rewind(&mut self) {
        self.at = 0;
        self.left = 0;
        self.spans.clear();
    }

    /// Whether nothing is remembered between calls. Bytes not consumed are the caller's to know.
    pub fn is_idle(&self) -> bool {
        self.left == 0 && self.assembly.is_none()
    }

    /// Notes how many bytes were not consumed, and are kept for it elsewhere.
    #[inline]
    pub fn set_unread(&mut self, bytes: usize) {
        self.unread = bytes;
    }

    /// Memory held for an unfinished request, here and with the bytes not consumed.
    pub fn held_bytes(&self) -> usize {
        let assembled = self.assembly.as_ref().map_or(0, |a| a.held + a.args.capacity() * 16);
        self.spans.capacity() * size_of::<(usize, usize)>() + assembled + self.unread
    }

    #[inline]
    fn step<'a>(
        &mut self,
        rest: &'a [u8],
        batch: &mut Batch<'a>,
        limits: &Limits,
    ) -> Result<Step, ProtocolError> {
        if self.left > 0 {
            return self.resume(rest, batch, limits);
        }
        if rest[0] != b'*' {
            return inline(rest, batch);
        }
        let Some((count, at)) = count(rest, limits)? else { return Ok(Step::Wait) };
        if count == 0 {
            return Ok(Step::Passed(at));
        }
        let mut cursor = Cursor { at, left: count };
        match cursor.walk(rest, limits, |start, end| batch.push(&rest[start..end])) {
            Ok(Walk::Done) => {
                batch.finish(&rest[..cursor.at]);
                Ok(Step::Passed(cursor.at))
            }
            unfinished => {
                let taken = batch.abandon();
                self.unfinished(unfinished?, rest, (at, count, taken), batch, limits)
            }
        }
    }

    /// Decides how to go on with a request of which not all is here: begun at `at` with `count`
    /// arguments, `taken` of them seen.
    #[cold]
    fn unfinished<'a>(
        &mut self,
        walk: Walk,
        rest: &'a [u8],
        (at, count, taken): (usize, u32, usize),
        batch: &mut Batch<'a>,
        limits: &Limits,
    ) -> Result<Step, ProtocolError> {
        let wait = match walk {
            Walk::Big => !batch.is_empty(),
            _ => taken < REMEMBER,
        };
        if wait {
            return Ok(Step::Wait);
        }
        (self.at, self.left) = (at, count);
        self.resume(rest, batch, limits)
    }

    /// Goes on with a remembered request.
    #[cold]
    fn resume<'a>(
        &mut self,
        rest: &'a [u8],
        batch: &mut Batch<'a>,
        limits: &Limits,
    ) -> Result<Step, ProtocolError> {
        let mut cursor = Cursor { at: self.at, left: self.left };
        let walk = cursor.walk(rest, limits, |start, end| self.spans.push((start, end)));
        (self.at, self.left) = (cursor.at, cursor.left);
        match walk? {
            Walk::Done => {
                for (start, end) in core::mem::take(&mut self.spans) {
                    batch.push(&rest[start..end]);
                }
                batch.finish(&rest[..cursor.at]);
                Ok(Step::Passed(cursor.at))
            }
            Walk::Short => Ok(Step::Wait),
            Walk::Big if !batch.is_empty() => Ok(Step::Wait),
            Walk::Big => {
                let mut assembly = Box::new(Assembly { left: cursor.left, ..Assembly::default() });
                assembly.left += self.spans.len() as u32;
                for (start, end) in core::mem::take(&mut self.spans) {
                    assembly.push(Arc::from(&rest[start..end]));
                }
                self.left = 0;
                self.assembly = Some(assembly);
                self.assemble(rest, cursor.at, limits).map(Step::Return)
            }
        }
    }

    /// Goes on with a request that owns its arguments.
    #[cold]
    fn assemble(
        &mut self,
        bytes: &[u8],
        mut at: usize,
        limits: &Limits,
    ) -> Result<Progress, ProtocolError> {
        let Some(assembly) = &mut self.assembly else { return Ok(Progress::More { consumed: 0 }) };
        if assembly.want.is_some() {
            return Ok(Progress::More { consumed: 0 });
        }
        if assembly.trailer {
            if bytes.len() < 2 {
                return Ok(Progress::More { consumed: 0 });
            }
            assembly.trailer = false;
            at = 2;
        }
        while assembly.left > 0 {
            match bulk(bytes, at, limits)? {
                Bulk::Whole { start, end } => {
                    assembly.push(Arc::from(&bytes[start..end]));
                    at = end + 2;
                }
                Bulk::Short if bytes.len() - at > limits.max_query => {
                    return Err(ProtocolError::QueryTooLong);
                }
                Bulk::Short => return Ok(Progress::More { consumed: at }),
                Bulk::Big { start, len } => {
                    assembly.want = Some(len);
                    return Ok(Progress::Want { consumed: start, len });
                }
            }
        }
        let args = core::mem::take(&mut assembly.args);
        self.assembly = None;
        Ok(Progress::Assembled { consumed: at, request: Assembled { args } })
    }
}

impl Assembly {
    fn push(&mut self, arg: Arc<[u8]>) {
        self.held += arg.len();
        self.left -= 1;
        self.args.push(arg);
    }
}

impl Cursor {
    /// Reads arguments until the last one, or until the bytes run out.
    #[inline(always)]
    fn walk(
        &mut self,
        bytes: &[u8],
        limits: &Limits,
        mut take: impl FnMut(usize, usize),
    ) -> Result<Walk, ProtocolError> {
        while self.left > 0 {
            match bulk(bytes, self.at, limits)? {
                Bulk::Whole { start, end } => {
                    take(start, end);
                    self.at = end + 2;
                    self.left -= 1;
                }
                Bulk::Short => return Ok(Walk::Short),
                Bulk::Big { .. } => return Ok(Walk::Big),
            }
        }
        Ok(Walk::Done)
    }
}

impl Progress {
    /// The same, `before` bytes later.
    fn after(mut self, before: usize) -> Self {
        match &mut self {
            Self::More { consumed }
            | Self::Want { consumed, .. }
            | Self::Assembled { consumed, .. } => *consumed += before,
        }
        self
    }
}

/// Reads a line of words.
#[cold]
fn inline<'a>(rest: &'a [u8], batch: &Batch<'a>) -> Result<Step, ProtocolError> {
    let window = &rest[..rest.len().min(LINE_MAX + 1)];
    let Some(newline) = memchr::memchr(b'\n', window) else {
        return if rest.len() > LINE_MAX {
            Err(ProtocolError::InlineTooLong)
        } else {
            Ok(Step::Wait)
        };
    };
    let args = words::split(&rest[..newline])?;
    if args.is_empty() {
        return Ok(Step::Passed(newline + 1));
    }
    if !batch.is_empty() {
        return Ok(Step::Wait);
    }
    let request = Assembled { args: args.into_iter().map(Arc::from).collect() };
    Ok(Step::Return(Progress::Assembled { consumed: newline + 1, request }))
}
