//! Replies as servers write them, in either version of the protocol.

use alloc::vec::Vec;

use crate::number;

/// `+OK`.
pub const OK: &[u8] = b"+OK\r\n";
/// `+PONG`.
pub const PONG: &[u8] = b"+PONG\r\n";
/// `+QUEUED`: a command accepted inside a transaction.
pub const QUEUED: &[u8] = b"+QUEUED\r\n";
/// The empty bulk string.
pub const EMPTY_BULK: &[u8] = b"$0\r\n\r\n";
/// The empty array.
pub const EMPTY_ARRAY: &[u8] = b"*0\r\n";
/// What ends a bulk and every line.
pub const CRLF: &[u8] = b"\r\n";

/// The version of the protocol a client asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// What a client speaks until it says otherwise.
    #[default]
    Resp2,
    /// With maps, sets, doubles, null and pushes.
    Resp3,
}

/// Appends replies to a buffer. What RESP2 lacks is written as its nearest relation.
#[derive(Debug)]
pub struct Reply<'b> {
    buf: &'b mut Vec<u8>,
    protocol: Protocol,
}

impl<'b> Reply<'b> {
    /// Appends to `buf`.
    pub fn new(buf: &'b mut Vec<u8>, protocol: Protocol) -> Self {
        Self { buf, protocol }
    }

    /// The version written.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Writes in another version from now on.
    pub fn set_protocol(&mut self, protocol: Protocol) {
        self.protocol = protocol;
    }

    /// Bytes in the buffer; what stood there before included.
    pub fn position(&self) -> usize {
        self.buf.len()
    }

    /// Takes back what was written after `position`.
    pub fn rewind(&mut self, position: usize) {
        self.buf.truncate(position);
    }

    /// Appends bytes that are protocol already.
    #[inline]
    pub fn raw(&mut self, encoded: &[u8]) {
        self.buf.extend_from_slice(encoded);
    }

    /// `+OK`.
    #[inline]
    pub fn ok(&mut self) {
        self.raw(OK);
    }

    /// A simple string. The caller vouches that it is one line.
    pub fn simple(&mut self, line: &str) {
        debug_assert!(!line.contains(['\r', '\n']));
        self.line(b'+', line.as_bytes());
    }

    /// An error: `text` begins with its code and lacks the `-`. Line breaks become spaces.
    pub fn error(&mut self, text: &str) {
        self.error_bytes(text.as_bytes());
    }

    /// [`error`](Self::error) for a text that quotes what a client sent.
    #[cold]
    pub fn error_bytes(&mut self, text: &[u8]) {
        self.buf.push(b'-');
        self.buf.extend(text.iter().map(|&b| if matches!(b, b'\r' | b'\n') { b' ' } else { b }));
        self.raw(CRLF);
    }

    /// An integer.
    #[inline]
    pub fn integer(&mut self, value: i64) {
        if let 0..=9 = value {
            return self.raw(&[b':', b'0' + value as u8, b'\r', b'\n']);
        }
        self.line(b':', itoa::Buffer::new().format(value).as_bytes());
    }

    /// A bulk string.
    #[inline]
    pub fn bulk(&mut self, value: &[u8]) {
        self.buf.reserve(value.len() + 26);
        self.header(b'$', value.len());
        self.buf.extend_from_slice(value);
        self.buf.extend_from_slice(CRLF);
    }

    /// A bulk string holding a number.
    pub fn bulk_integer(&mut self, value: i64) {
        self.bulk(itoa::Buffer::new().format(value).as_bytes());
    }

    /// The beginning of a bulk whose bytes travel beside this buffer.
    pub fn bulk_header(&mut self, len: usize) {
        self.header(b'$', len);
    }

    /// The end of a bulk whose bytes travelled beside this buffer.
    pub fn bulk_trailer(&mut self) {
        self.raw(CRLF);
    }

    /// Nothing, where a single value was asked for.
    pub fn null(&mut self) {
        self.by_version(b"$-1\r\n", b"_\r\n");
    }

    /// Nothing, where a list was asked for.
    pub fn null_array(&mut self) {
        self.by_version(b"*-1\r\n", b"_\r\n");
    }

    /// The beginning of an array of `len` values.
    #[inline]
    pub fn array(&mut self, len: usize) {
        self.header(b'*', len);
    }

    /// The beginning of a map of `len` pairs; a flat array in RESP2.
    pub fn map(&mut self, len: usize) {
        match self.protocol {
            Protocol::Resp2 => self.header(b'*', len * 2),
            Protocol::Resp3 => self.header(b'%', len),
        }
    }

    /// The beginning of a set of `len` values; an array in RESP2.
    pub fn set(&mut self, len: usize) {
        self.aggregate(b'~', len);
    }

    /// The beginning of a message nobody asked for, of `len` values; an array in RESP2.
    pub fn push(&mut self, len: usize) {
        self.aggregate(b'>', len);
    }

    /// The beginning of `len` pairs about the value that follows. RESP2 has no room for them: if
    /// this returns false, the caller writes none.
    #[must_use]
    pub fn attribute(&mut self, len: usize) -> bool {
        let possible = self.protocol == Protocol::Resp3;
        if possible {
            self.header(b'|', len);
        }
        possible
    }

    /// A floating-point number; a bulk string in RESP2.
    pub fn double(&mut self, value: f64) {
        let mut buffer = number::DoubleBuffer::new();
        let text = buffer.format(value);
        match self.protocol {
            Protocol::Resp2 => self.bulk(text),
            Protocol::Resp3 => self.line(b',', text),
        }
    }

    /// True or false; 1 or 0 in RESP2.
    pub fn boolean(&mut self, value: bool) {
        match self.protocol {
            Protocol::Resp2 => self.integer(i64::from(value)),
            Protocol::Resp3 => self.raw(if value { b"#t\r\n" } else { b"#f\r\n" }),
        }
    }

    /// An integer of any size, given in decimal; a bulk string in RESP2.
    pub fn big_number(&mut self, decimal: &str) {
        match self.protocol {
            Protocol::Resp2 => self.bulk(decimal.as_bytes()),
            Protocol::Resp3 => self.line(b'(', decimal.as_bytes()),
        }
    }

    /// A text for people, with its format in three letters; a bulk string in RESP2.
    pub fn verbatim(&mut self, format: [u8; 3], text: &[u8]) {
        if self.protocol == Protocol::Resp2 {
            return self.bulk(text);
        }
        self.verbatim_header(format, text.len());
        self.raw(text);
        self.raw(CRLF);
    }

    /// The beginning of [`Reply::verbatim`]: a text of `len` bytes and the end of a line follow.
    pub fn verbatim_header(&mut self, format: [u8; 3], len: usize) {
        if self.protocol == Protocol::Resp2 {
            return self.header(b'$', len);
        }
        self.header(b'=', len + 4);
        self.raw(&format);
        self.buf.push(b':');
    }

    fn aggregate(&mut self, kind: u8, len: usize) {
        match self.protocol {
            Protocol::Resp2 => self.header(b'*', len),
            Protocol::Resp3 => self.header(kind, len),
        }
    }

    fn by_version(&mut self, resp2: &[u8], resp3: &[u8]) {
        self.raw(match self.protocol {
            Protocol::Resp2 => resp2,
            Protocol::Resp3 => resp3,
        });
    }

    #[inline]
    fn line(&mut self, kind: u8, text: &[u8]) {
        self.buf.reserve(text.len() + 3);
        self.buf.push(kind);
        self.buf.extend_from_slice(text);
        self.buf.extend_from_slice(CRLF);
    }

    #[inline]
    fn header(&mut self, kind: u8, len: usize) {
        let digit = |value: usize| b'0' + value as u8;
        match len {
            0..10 => self.raw(&[kind, digit(len), b'\r', b'\n']),
            10..100 => self.raw(&[kind, digit(len / 10), digit(len % 10), b'\r', b'\n']),
            100..1000 => {
                let (a, b, c) = (digit(len / 100), digit(len / 10 % 10), digit(len % 10));
                self.raw(&[kind, a, b, c, b'\r', b'\n']);
            }
            _ => self.line(kind, itoa::Buffer::new().format(len).as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(write: impl Fn(&mut Reply<'_>)) -> (Vec<u8>, Vec<u8>) {
        let encode = |protocol| {
            let mut buf = Vec::new();
            write(&mut Reply::new(&mut buf, protocol));
            buf
        };
        (encode(Protocol::Resp2), encode(Protocol::Resp3))
    }

    #[track_caller]
    fn check(write: impl Fn(&mut Reply<'_>), resp2: &str, resp3: &str) {
        let (two, three) = both(write);
        assert_eq!(two, resp2.as_bytes());
        assert_eq!(three, resp3.as_bytes());
    }

    #[test]
    fn same_in_both() {
        let same = |write: &dyn Fn(&mut Reply<'_>), text| check(write, text, text);
        same(&|r| r.ok(), "+OK\r\n");
        same(&|r| r.error("ERR a\r\nb"), "-ERR a  b\r\n");
        same(&|r| r.integer(-12), ":-12\r\n");
        same(&|r| r.integer(7), ":7\r\n");
        same(&|r| r.bulk(b""), "$0\r\n\r\n");
        same(&|r| r.bulk(b"hello world"), "$11\r\nhello world\r\n");
        same(&|r| r.array(1234), "*1234\r\n");
        same(&|r| r.bulk_header(123), "$123\r\n");
        same(&|r| r.bulk_integer(i64::MIN), "$20\r\n-9223372036854775808\r\n");
    }

    #[test]
    fn different() {
        check(|r| r.null(), "$-1\r\n", "_\r\n");
        check(|r| r.null_array(), "*-1\r\n", "_\r\n");
        check(|r| r.map(2), "*4\r\n", "%2\r\n");
        check(|r| r.set(2), "*2\r\n", "~2\r\n");
        check(|r| r.push(3), "*3\r\n", ">3\r\n");
        check(|r| r.double(3.25), "$4\r\n3.25\r\n", ",3.25\r\n");
        check(|r| r.double(f64::NEG_INFINITY), "$4\r\n-inf\r\n", ",-inf\r\n");
        check(|r| r.boolean(true), ":1\r\n", "#t\r\n");
        check(|r| r.big_number("123"), "$3\r\n123\r\n", "(123\r\n");
        check(|r| r.verbatim(*b"txt", b"hi"), "$2\r\nhi\r\n", "=6\r\ntxt:hi\r\n");
        check(|r| assert_eq!(r.attribute(1), r.protocol() == Protocol::Resp3), "", "|1\r\n");
    }
}
