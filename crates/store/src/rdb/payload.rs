//! The form of a single value that DUMP gives and RESTORE takes: a type byte, the value as in a
//! file, the version in two bytes, and the checksum of all that in eight, both little-endian.

use super::crc64::{self, Crc64};
use super::encoded::Encoded;
use super::error::{Error, ErrorKind};
use super::format::{NEWEST_READABLE, STRING, VALKEY, VERSION, type_name};
use super::lzf::Compressor;
use super::reader::{Fields, Limits, Loaded, Target};
use super::text::put_value;
use crate::value::View;
use std::fmt;

/// Version and checksum, in bytes.
const FOOTER: usize = 2 + 8;

/// Why a payload is refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PayloadError {
    /// Too short for its footer, of a newer version, or not what its checksum says.
    VersionOrChecksum,
    /// Sound, but no value that is known.
    Format(Error),
}

/// Makes a payload; long values are shared, not copied. With a compressor, strings of more than 20
/// bytes up to 64 KiB are compressed where that saves something.
pub fn encode(value: View<'_>, compressor: Option<&mut Compressor>) -> Encoded {
    let mut out = Encoded::default();
    out.tail().push(STRING);
    put_value(value, compressor, &mut out, Encoded::share);
    out.tail().extend_from_slice(&(VERSION as u16).to_le_bytes());
    let mut crc = Crc64::new();
    out.pieces().for_each(|piece| crc.update(piece));
    out.tail().extend_from_slice(&crc.value().to_le_bytes());
    out
}

/// Reads a payload, which must hold one value and nothing else.
///
/// # Errors
/// When version, checksum or value are wrong, or the type is not supported.
pub fn decode(payload: &[u8], limits: Limits) -> Result<Loaded, PayloadError> {
    let body = verified(payload).ok_or(PayloadError::VersionOrChecksum)?;
    let mut rest = body;
    value(&mut rest, limits).map_err(|kind| {
        PayloadError::Format(Error { kind, offset: (body.len() - rest.len()) as u64 })
    })
}

/// The part before the footer, if the footer is right. Unlike a file's, its checksum is never
/// left out.
fn verified(payload: &[u8]) -> Option<&[u8]> {
    let (summed, checksum) = payload.split_last_chunk::<8>()?;
    let (body, version) = summed.split_last_chunk::<2>()?;
    debug_assert_eq!(body.len() + FOOTER, payload.len());
    let version = u32::from(u16::from_le_bytes(*version));
    let known = (1..=NEWEST_READABLE).contains(&version) || version == VALKEY;
    (known && crc64::checksum(summed) == u64::from_le_bytes(*checksum)).then_some(body)
}

fn value(rest: &mut &[u8], limits: Limits) -> Result<Loaded, ErrorKind> {
    let (&code, tail) = rest.split_first().ok_or(ErrorKind::Truncated)?;
    *rest = tail;
    match type_name(code) {
        _ if code == STRING => {}
        Some(type_name) => {
            return Err(ErrorKind::UnsupportedType { type_name, key: Vec::new() });
        }
        None => return Err(ErrorKind::UnknownOpcode(code)),
    }
    let value = Fields::new(limits).text(Target::Value, rest)?.ok_or(ErrorKind::Truncated)?;
    if rest.is_empty() { Ok(value) } else { Err(ErrorKind::TrailingBytes) }
}

impl fmt::Display for PayloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PayloadError::VersionOrChecksum => write!(f, "payload version or checksum are wrong"),
            PayloadError::Format(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for PayloadError {}
