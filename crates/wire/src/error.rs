//! The ways in which bytes can fail to be the protocol.

use core::fmt;

/// The peer sent bytes that are not the protocol. Framing is lost: answer if possible, then close.
///
/// `Display` gives the text that follows `ERR Protocol error: `.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolError {
    /// An inline request without a newline in its first 64 KiB.
    InlineTooLong,
    /// A quoted word without its end, or with something glued to it.
    UnbalancedQuotes,
    /// The line with the number of arguments has no end.
    CountTooLong,
    /// The number of arguments is no number, or out of range.
    InvalidCount,
    /// More arguments than a client may send before it authenticates.
    UnauthenticatedCount,
    /// The line with the length of an argument has no end.
    LengthTooLong,
    /// An argument does not begin with `$` but with this byte.
    ExpectedBulk(u8),
    /// The length of an argument is no number, or out of range.
    InvalidLength,
    /// A longer argument than a client may send before it authenticates.
    UnauthenticatedLength,
    /// The unfinished request outgrew the limit on unread input. Redis closes without a word.
    QueryTooLong,
    /// A reply begins with a byte that names no type.
    UnknownType(u8),
    /// The line of a reply is malformed for its type.
    InvalidReply,
    /// A reply nests deeper than any server's.
    TooDeep,
}

impl ProtocolError {
    /// Whether the client is closed without being told why.
    pub fn is_silent(self) -> bool {
        self == Self::QueryTooLong
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Self::InlineTooLong => "too big inline request",
            Self::UnbalancedQuotes => "unbalanced quotes in request",
            Self::CountTooLong => "too big mbulk count string",
            Self::InvalidCount => "invalid multibulk length",
            Self::UnauthenticatedCount => "unauthenticated multibulk length",
            Self::LengthTooLong => "too big bulk count string",
            Self::ExpectedBulk(got) => {
                return write!(f, "expected '$', got '{}'", char::from(got));
            }
            Self::InvalidLength => "invalid bulk length",
            Self::UnauthenticatedLength => "unauthenticated bulk length",
            Self::QueryTooLong => "query buffer limit exceeded",
            Self::UnknownType(got) => {
                return write!(f, "unexpected reply type '{}'", char::from(got));
            }
            Self::InvalidReply => "malformed reply",
            Self::TooDeep => "reply nested too deeply",
        })
    }
}

impl core::error::Error for ProtocolError {}
