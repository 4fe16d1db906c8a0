//! The header lines of a request.

use super::{LINE_MAX, Limits};
use crate::{ProtocolError, number};

/// A bulk of this many bytes or more is not waited for in the session's buffer.
pub const BIG_BULK: usize = 32 * 1024;

/// What a client may send before it authenticated.
const STRANGER_ARGS: i64 = 10;
const STRANGER_BULK: i64 = 16384;

/// One argument, as far as it is here.
pub(super) enum Bulk {
    Whole { start: usize, end: usize },
    Short,
    Big { start: usize, len: usize },
}

/// Reads the argument at `at`.
#[inline(always)]
pub(super) fn bulk(bytes: &[u8], at: usize, limits: &Limits) -> Result<Bulk, ProtocolError> {
    let rest = &bytes[at..];
    let (len, header) = match short_header(rest, b'$') {
        Some(found) => found,
        None => match length(rest, limits)? {
            Some(found) => found,
            None => return Ok(Bulk::Short),
        },
    };
    let start = at + header;
    let end = start + len;
    // The trailer's two bytes are skipped unread, as Redis does.
    if end + 2 <= bytes.len() {
        return Ok(Bulk::Whole { start, end });
    }
    if len >= BIG_BULK && bytes.len() < end {
        return Ok(Bulk::Big { start, len });
    }
    Ok(Bulk::Short)
}

/// Reads how many arguments follow (none if negative), and the length of that line.
#[inline(always)]
pub(super) fn count(rest: &[u8], limits: &Limits) -> Result<Option<(u32, usize)>, ProtocolError> {
    if let [b'*', digit @ b'0'..=b'9', b'\r', _, ..] = rest {
        return Ok(Some((u32::from(digit - b'0'), 4)));
    }
    long_count(rest, limits)
}

#[cold]
fn long_count(rest: &[u8], limits: &Limits) -> Result<Option<(u32, usize)>, ProtocolError> {
    let Some(end) = line_end(rest, ProtocolError::CountTooLong)? else { return Ok(None) };
    let count = number::parse_i64(&rest[1..end])
        .filter(|&count| count <= i64::from(i32::MAX))
        .ok_or(ProtocolError::InvalidCount)?;
    if count > STRANGER_ARGS && !limits.authenticated {
        return Err(ProtocolError::UnauthenticatedCount);
    }
    Ok(Some((count.max(0) as u32, end + 2)))
}

/// The value and size of a header line of up to three digits: nearly all of them.
#[inline(always)]
fn short_header(rest: &[u8], kind: u8) -> Option<(usize, usize)> {
    let digit = |byte: u8| usize::from(byte - b'0');
    match *rest {
        [k, a @ b'0'..=b'9', b'\r', _, ..] if k == kind => Some((digit(a), 4)),
        [k, a @ b'1'..=b'9', b @ b'0'..=b'9', b'\r', _, ..] if k == kind => {
            Some((digit(a) * 10 + digit(b), 5))
        }
        [k, a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', b'\r', _, ..] if k == kind => {
            Some((digit(a) * 100 + digit(b) * 10 + digit(c), 6))
        }
        _ => None,
    }
}

#[cold]
fn length(rest: &[u8], limits: &Limits) -> Result<Option<(usize, usize)>, ProtocolError> {
    let Some(end) = line_end(rest, ProtocolError::LengthTooLong)? else { return Ok(None) };
    if rest[0] != b'$' {
        return Err(ProtocolError::ExpectedBulk(rest[0]));
    }
    let len = number::parse_i64(rest.get(1..end).unwrap_or_default())
        .filter(|&len| len >= 0 && len as u64 <= limits.max_bulk)
        .ok_or(ProtocolError::InvalidLength)?;
    if len > STRANGER_BULK && !limits.authenticated {
        return Err(ProtocolError::UnauthenticatedLength);
    }
    let len = usize::try_from(len).map_err(|_| ProtocolError::InvalidLength)?;
    Ok(Some((len, end + 2)))
}

/// Where the line's CR stands, if the byte after it is here as well. That byte is not looked at.
///
/// A line that never ends is searched anew at each offer, which `LINE_MAX` keeps cheap.
fn line_end(rest: &[u8], too_long: ProtocolError) -> Result<Option<usize>, ProtocolError> {
    let window = &rest[..rest.len().min(LINE_MAX + 1)];
    match memchr::memchr(b'\r', window) {
        Some(end) if end + 1 < rest.len() => Ok(Some(end)),
        Some(_) => Ok(None),
        None if rest.len() > LINE_MAX => Err(too_long),
        None => Ok(None),
    }
}
