//! Writing lengths and strings.

use super::encoded::Encoded;
use super::format::{encoding, length};
use super::lzf::Compressor;
use crate::value::{Big, PAGE, Page, View};

/// Longer strings are not copied, and so not compressed either, in bytes.
const BY_REFERENCE: usize = PAGE;
/// A string that could not be compressed is shared, if it can be, from this length, in bytes.
const SHARED_FROM: usize = 4096;
/// The shortest string worth an attempt at compression, in bytes.
const COMPRESS_FROM: usize = 21;
/// Compression has to save this many bytes: what its two lengths cost, about.
const COMPRESS_SAVES: usize = 4;
/// The longest text of a 32-bit integer.
const INT32_TEXT: usize = 11;

/// Appends a length.
#[inline]
pub(super) fn put_length(n: u64, out: &mut Vec<u8>) {
    if n < 1 << 6 {
        out.push(n as u8);
    } else if n < 1 << 14 {
        out.extend_from_slice(&[length::BITS_14 | (n >> 8) as u8, n as u8]);
    } else if let Ok(n) = u32::try_from(n) {
        out.push(length::BITS_32);
        out.extend_from_slice(&n.to_be_bytes());
    } else {
        out.push(length::BITS_64);
        out.extend_from_slice(&n.to_be_bytes());
    }
}

/// Appends an integer in one, two or four bytes; `false` if it needs more.
fn put_small_int(n: i64, out: &mut Vec<u8>) -> bool {
    if let Ok(n) = i8::try_from(n) {
        out.extend_from_slice(&[length::ENCODED | encoding::INT8, n as u8]);
    } else if let Ok(n) = i16::try_from(n) {
        out.push(length::ENCODED | encoding::INT16);
        out.extend_from_slice(&n.to_le_bytes());
    } else if let Ok(n) = i32::try_from(n) {
        out.push(length::ENCODED | encoding::INT32);
        out.extend_from_slice(&n.to_le_bytes());
    } else {
        return false;
    }
    true
}

fn put_plain(bytes: &[u8], out: &mut Vec<u8>) {
    put_length(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

/// Appends a string compressed; `false` if that saves nothing.
fn put_compressed(bytes: &[u8], compressor: Option<&mut Compressor>, out: &mut Vec<u8>) -> bool {
    let Some(compressor) = compressor else { return false };
    if !(COMPRESS_FROM..=BY_REFERENCE).contains(&bytes.len()) {
        return false;
    }
    let start = out.len();
    // The compressed length comes first and is not known yet. A length that is longer than it need
    // be is as good, so its place can be kept: two bytes, or five.
    let limit = bytes.len() - COMPRESS_SAVES;
    out.push(length::ENCODED | encoding::LZF);
    let wide = if limit < 1 << 14 { 2 } else { 5 };
    out.resize(start + 1 + wide, 0);
    put_length(bytes.len() as u64, out);
    let body = out.len();
    if !compressor.compress(bytes, limit, out) {
        out.truncate(start);
        return false;
    }
    let packed = (out.len() - body) as u32;
    let place = &mut out[start + 1..];
    if wide == 2 {
        place[..2].copy_from_slice(&[length::BITS_14 | (packed >> 8) as u8, packed as u8]);
    } else {
        place[0] = length::BITS_32;
        place[1..5].copy_from_slice(&packed.to_be_bytes());
    }
    true
}

/// Appends a string in its shortest form.
#[inline]
pub(super) fn put_text(bytes: &[u8], compressor: Option<&mut Compressor>, out: &mut Vec<u8>) {
    let number = if bytes.len() <= INT32_TEXT { wire::number::parse_i64(bytes) } else { None };
    if !number.is_some_and(|n| put_small_int(n, out)) && !put_compressed(bytes, compressor, out) {
        put_plain(bytes, out);
    }
}

/// Appends a string value in its shortest form; long ones are shared.
#[inline]
pub(super) fn put_value(
    value: View<'_>,
    compressor: Option<&mut Compressor>,
    out: &mut Encoded,
    shared: impl FnMut(&mut Encoded, Page),
) {
    match value {
        View::Int(n) => {
            if !put_small_int(n, out.tail()) {
                put_plain(itoa::Buffer::new().format(n).as_bytes(), out.tail());
            }
        }
        View::Bytes(bytes) => put_text(bytes, compressor, out.tail()),
        View::Big(big) => put_big(big, compressor, out, shared),
    }
}

fn put_big(
    big: &Big,
    compressor: Option<&mut Compressor>,
    out: &mut Encoded,
    mut shared: impl FnMut(&mut Encoded, Page),
) {
    let runs = big.runs();
    if big.len() <= BY_REFERENCE {
        let copy;
        let bytes = match runs.as_slice() {
            [one] => one.as_slice(),
            _ => {
                copy = View::Big(big).to_vec();
                &copy
            }
        };
        if bytes.len() < SHARED_FROM {
            return put_text(bytes, compressor, out.tail());
        }
        if put_compressed(bytes, compressor, out.tail()) {
            return;
        }
    }
    put_length(big.len() as u64, out.tail());
    for run in runs {
        shared(out, run);
    }
}
