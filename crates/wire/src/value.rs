//! Replies as clients read them: all types of both versions of the protocol.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::{ProtocolError, number};

/// How deep replies may nest.
const DEPTH: usize = 128;

/// A header may promise any number of elements; no more than these are allocated on its word.
const PROMISED: usize = 1024;

/// A reply, read whole.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `+`
    Simple(Vec<u8>),
    /// `-` and `!`: code and text.
    Error(Vec<u8>),
    /// `:`
    Integer(i64),
    /// `$`
    Bulk(Vec<u8>),
    /// `_`, and the null bulk and null array of RESP2.
    Null,
    /// `*`
    Array(Vec<Value>),
    /// `%`
    Map(Vec<(Value, Value)>),
    /// `~`
    Set(Vec<Value>),
    /// `>`: not the answer to a request.
    Push(Vec<Value>),
    /// `,`
    Double(f64),
    /// `#`
    Boolean(bool),
    /// `(`: in decimal.
    BigNumber(Vec<u8>),
    /// `=`
    Verbatim {
        /// `txt`, `mkd`.
        format: [u8; 3],
        /// The text without its format.
        text: Vec<u8>,
    },
    /// `|`: a value with something said about it.
    Attributed {
        /// What is said.
        attributes: Vec<(Value, Value)>,
        /// The value itself.
        value: Box<Value>,
    },
}

/// Reads one reply from the front of `bytes`: the reply and its length, or `None` if it is not all
/// here yet.
pub fn decode(bytes: &[u8]) -> Result<Option<(Value, usize)>, ProtocolError> {
    let mut reader = Reader { bytes, at: 0 };
    let value = reader.value(DEPTH)?;
    Ok(value.map(|value| (value, reader.at)))
}

impl Value {
    /// The value without what is said about it.
    pub fn unattributed(self) -> Value {
        match self {
            Value::Attributed { value, .. } => value.unattributed(),
            value => value,
        }
    }

    /// The bytes of any kind of string.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Value::Simple(text)
            | Value::Bulk(text)
            | Value::BigNumber(text)
            | Value::Verbatim { text, .. } => Some(text),
            _ => None,
        }
    }
}

/// `None`, or an early return with it, means that the bytes ran out.
type Read<T> = Result<Option<T>, ProtocolError>;

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

macro_rules! have {
    ($read:expr) => {
        match $read? {
            Some(value) => value,
            None => return Ok(None),
        }
    };
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth: usize) -> Read<Value> {
        let Some(&kind) = self.bytes.get(self.at) else { return Ok(None) };
        let Some(depth) = depth.checked_sub(1) else { return Err(ProtocolError::TooDeep) };
        if !b"+-:$*_%~>,#(=!|".contains(&kind) {
            return Err(ProtocolError::UnknownType(kind));
        }
        self.at += 1;
        let line = have!(self.line());
        let value = match kind {
            b'+' => Value::Simple(line.to_vec()),
            b'-' => Value::Error(line.to_vec()),
            b':' => Value::Integer(number::parse_i64(line).ok_or(ProtocolError::InvalidReply)?),
            b'_' if line.is_empty() => Value::Null,
            b'$' | b'*' if line == b"-1" => Value::Null,
            b'$' => Value::Bulk(have!(self.body(line)).to_vec()),
            b'!' => Value::Error(have!(self.body(line)).to_vec()),
            b'=' => verbatim(have!(self.body(line)))?,
            b'*' => Value::Array(have!(self.values(line, depth))),
            b'~' => Value::Set(have!(self.values(line, depth))),
            b'>' => Value::Push(have!(self.values(line, depth))),
            b'%' => Value::Map(have!(self.pairs(line, depth))),
            b'|' => {
                let attributes = have!(self.pairs(line, depth));
                let value = Box::new(have!(self.value(depth)));
                Value::Attributed { attributes, value }
            }
            b',' => Value::Double(double(line).ok_or(ProtocolError::InvalidReply)?),
            b'#' if line == b"t" => Value::Boolean(true),
            b'#' if line == b"f" => Value::Boolean(false),
            b'(' if is_decimal(line) => Value::BigNumber(line.to_vec()),
            _ => return Err(ProtocolError::InvalidReply),
        };
        Ok(Some(value))
    }

    fn line(&mut self) -> Read<&'a [u8]> {
        let rest = &self.bytes[self.at..];
        let Some(end) = memchr::memchr(b'\r', rest) else { return Ok(None) };
        match rest.get(end + 1) {
            None => Ok(None),
            Some(b'\n') => {
                self.at += end + 2;
                Ok(Some(&rest[..end]))
            }
            Some(_) => Err(ProtocolError::InvalidReply),
        }
    }

    fn body(&mut self, len: &[u8]) -> Read<&'a [u8]> {
        let len = length(len)?;
        let rest = &self.bytes[self.at..];
        if rest.len() < len.saturating_add(2) {
            return Ok(None);
        }
        if &rest[len..len + 2] != b"\r\n" {
            return Err(ProtocolError::InvalidReply);
        }
        self.at += len + 2;
        Ok(Some(&rest[..len]))
    }

    fn values(&mut self, len: &[u8], depth: usize) -> Read<Vec<Value>> {
        let len = length(len)?;
        let mut values = Vec::with_capacity(len.min(self.promise()));
        for _ in 0..len {
            values.push(have!(self.value(depth)));
        }
        Ok(Some(values))
    }

    fn pairs(&mut self, len: &[u8], depth: usize) -> Read<Vec<(Value, Value)>> {
        let len = length(len)?;
        let mut pairs = Vec::with_capacity(len.min(self.promise()));
        for _ in 0..len {
            let key = have!(self.value(depth));
            pairs.push((key, have!(self.value(depth))));
        }
        Ok(Some(pairs))
    }

    /// How many elements to make room for: the shortest takes three bytes.
    fn promise(&self) -> usize {
        ((self.bytes.len() - self.at) / 3 + 1).min(PROMISED)
    }
}

fn length(line: &[u8]) -> Result<usize, ProtocolError> {
    number::parse_usize(line)
        .filter(|&len| len <= isize::MAX as usize)
        .ok_or(ProtocolError::InvalidReply)
}

fn verbatim(body: &[u8]) -> Result<Value, ProtocolError> {
    let (format, text) = body.split_first_chunk::<3>().ok_or(ProtocolError::InvalidReply)?;
    let text = text.strip_prefix(b":").ok_or(ProtocolError::InvalidReply)?;
    Ok(Value::Verbatim { format: *format, text: text.to_vec() })
}

fn double(line: &[u8]) -> Option<f64> {
    match line {
        b"nan" | b"-nan" => Some(f64::NAN),
        _ => number::parse_f64(line),
    }
}

fn is_decimal(line: &[u8]) -> bool {
    let digits = line.strip_prefix(b"-").or(line.strip_prefix(b"+")).unwrap_or(line);
    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::{Protocol, Reply};
    use alloc::vec;
    use proptest::prelude::*;

    #[track_caller]
    fn read(text: &str) -> Value {
        for end in 0..text.len() {
            assert_eq!(decode(&text.as_bytes()[..end]), Ok(None), "{end}");
        }
        let (value, len) = decode(text.as_bytes()).unwrap().unwrap();
        assert_eq!(len, text.len());
        value
    }

    #[test]
    fn every_type() {
        let bulk = |text: &str| Value::Bulk(text.into());
        assert_eq!(read("+OK\r\n"), Value::Simple(b"OK".into()));
        assert_eq!(read("-ERR x\r\n"), Value::Error(b"ERR x".into()));
        assert_eq!(read("!5\r\nERR x\r\n"), Value::Error(b"ERR x".into()));
        assert_eq!(read(":-3\r\n"), Value::Integer(-3));
        assert_eq!(read("$3\r\na\r\n\r\n"), bulk("a\r\n"));
        assert_eq!(read("$-1\r\n"), Value::Null);
        assert_eq!(read("*-1\r\n"), Value::Null);
        assert_eq!(read("_\r\n"), Value::Null);
        assert_eq!(
            read("*2\r\n:1\r\n*0\r\n"),
            Value::Array(vec![Value::Integer(1), Value::Array(vec![])])
        );
        assert_eq!(
            read("%1\r\n+a\r\n:1\r\n"),
            Value::Map(vec![(Value::Simple(b"a".into()), Value::Integer(1))])
        );
        assert_eq!(read("~1\r\n#t\r\n"), Value::Set(vec![Value::Boolean(true)]));
        assert_eq!(read(">1\r\n$1\r\nm\r\n"), Value::Push(vec![bulk("m")]));
        assert_eq!(read(",-inf\r\n"), Value::Double(f64::NEG_INFINITY));
        assert_eq!(read(",1.5\r\n"), Value::Double(1.5));
        assert_eq!(read("#f\r\n"), Value::Boolean(false));
        assert_eq!(read("(-123\r\n"), Value::BigNumber(b"-123".into()));
        assert_eq!(
            read("=6\r\ntxt:hi\r\n"),
            Value::Verbatim { format: *b"txt", text: b"hi".into() }
        );
        let attributed = read("|1\r\n+k\r\n:1\r\n:2\r\n");
        assert_eq!(attributed.unattributed(), Value::Integer(2));
    }

    #[test]
    fn malformed() {
        for text in [
            ":1a\r\n",
            "$-2\r\n",
            "$1\r\nabc",
            "#x\r\n",
            "=2\r\nab\r\n",
            "+a\rb",
            "(\r\n",
            "_x\r\n",
        ] {
            assert_eq!(decode(text.as_bytes()), Err(ProtocolError::InvalidReply), "{text:?}");
        }
        assert_eq!(decode(b"?"), Err(ProtocolError::UnknownType(b'?')));
        assert_eq!(decode(&b"*1\r\n".repeat(DEPTH - 1)), Ok(None));
        assert_eq!(decode(&b"*1\r\n".repeat(DEPTH + 1)), Err(ProtocolError::TooDeep));
        assert_eq!(decode(b"*9223372036854775807\r\n"), Ok(None));
    }

    fn write(reply: &mut Reply<'_>, value: &Value) {
        match value {
            Value::Integer(n) => reply.integer(*n),
            Value::Bulk(text) => reply.bulk(text),
            Value::Null => reply.null(),
            Value::Double(n) => reply.double(*n),
            Value::Boolean(b) => reply.boolean(*b),
            Value::Array(items) => {
                reply.array(items.len());
                items.iter().for_each(|item| write(reply, item));
            }
            Value::Map(pairs) => {
                reply.map(pairs.len());
                for (key, item) in pairs {
                    write(reply, key);
                    write(reply, item);
                }
            }
            other => unreachable!("{other:?}"),
        }
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<i64>().prop_map(Value::Integer),
            prop::collection::vec(any::<u8>(), 0..300).prop_map(Value::Bulk),
            Just(Value::Null),
            any::<bool>().prop_map(Value::Boolean),
            any::<f64>().prop_filter("equal to itself", |n| !n.is_nan()).prop_map(Value::Double),
        ];
        leaf.prop_recursive(3, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
                prop::collection::vec((inner.clone(), inner), 0..4).prop_map(Value::Map),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(value in any_value(), cut: prop::sample::Index) {
            let mut bytes = Vec::new();
            write(&mut Reply::new(&mut bytes, Protocol::Resp3), &value);
            prop_assert_eq!(decode(&bytes[..cut.index(bytes.len())]), Ok(None));
            prop_assert_eq!(decode(&bytes), Ok(Some((value, bytes.len()))));
        }

        #[test]
        fn garbage_never_panics(bytes: Vec<u8>) {
            let _ = decode(&bytes);
        }
    }
}
