//! What can be wrong with saved data.

use super::format::{NEWEST_READABLE, VALKEY};
use std::fmt;

/// A fault in saved data, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Error {
    /// What is wrong.
    pub kind: ErrorKind,
    /// How many bytes had been read from the beginning when it was noticed.
    pub offset: u64,
}

/// What is wrong with saved data.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ErrorKind {
    /// It ends too early.
    Truncated,
    /// It does not begin as an RDB file does.
    BadMagic,
    /// Its version is none that is read.
    Version(u32),
    /// A length is impossible, too large, or missing.
    BadLength,
    /// A string is encoded in an unknown way.
    BadEncoding(u8),
    /// A compressed string does not decompress to its length.
    BadLzf,
    /// The checksum is wrong.
    Checksum {
        /// What the data gives.
        expected: u64,
        /// What was found at the end.
        got: u64,
    },
    /// A key holds a type that is not known here.
    UnsupportedType {
        /// The type's name.
        type_name: &'static str,
        /// The key; empty in a payload.
        key: Vec<u8>,
    },
    /// A function library in the form of a pre-release of Redis 7.0.
    UnsupportedFunction,
    /// A byte that is neither a type nor an operation.
    UnknownOpcode(u8),
    /// Bytes follow where the end should be.
    TrailingBytes,
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ErrorKind::Truncated => write!(f, "the data ends too early"),
            ErrorKind::BadMagic => write!(f, "this is no RDB file"),
            ErrorKind::Version(version) => {
                write!(
                    f,
                    "RDB version {version} cannot be read, only versions 1 to {NEWEST_READABLE} \
                     and Valkey's {VALKEY}"
                )
            }
            ErrorKind::BadLength => write!(f, "a length is impossible or too large"),
            ErrorKind::BadEncoding(code) => write!(f, "a string has the unknown encoding {code}"),
            ErrorKind::BadLzf => write!(f, "a compressed string is damaged"),
            ErrorKind::Checksum { expected, got } => {
                write!(f, "the checksum is {got:016x}, but the data gives {expected:016x}")
            }
            ErrorKind::UnsupportedType { type_name, key } => {
                write!(f, "key \"{}\" is a {type_name}, not supported", key.escape_ascii())
            }
            ErrorKind::UnsupportedFunction => {
                write!(f, "a function library has a pre-release form, not supported")
            }
            ErrorKind::UnknownOpcode(code) => {
                write!(f, "byte {code} is neither a type nor an operation")
            }
            ErrorKind::TrailingBytes => write!(f, "bytes follow after the end"),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at byte {})", self.kind, self.offset)
    }
}

impl std::error::Error for Error {}
