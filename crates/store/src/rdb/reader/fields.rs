//! Collecting single fields from input that may be cut anywhere.

use super::super::error::ErrorKind;
use super::super::format::{encoding, length};
use super::super::lzf;
use super::text::{Sink, Target};
use super::{Limits, Loaded};

/// A length, or in its place the way a string is encoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::rdb) enum Length {
    Plain(u64),
    Encoded(u8),
}

/// The field being collected. Each function gives `None` when the input ended first; called again
/// with more, it goes on.
pub(in crate::rdb) struct Fields {
    limits: Limits,
    /// What has come of a short field.
    small: [u8; 9],
    have: usize,
    text: Text,
    /// A compressed string's bytes.
    packed: Vec<u8>,
}

/// How far a string has come.
enum Text {
    Start,
    Int(u8),
    PackedLength,
    UnpackedLength { packed: u64 },
    Packed { left: u64, len: usize },
    Plain { left: u64, sink: Sink },
}

/// Compressed bytes are at most this many times fewer than what they make, or damaged: three bytes
/// copy 264.
const LZF_RATIO: u64 = 88;

/// Room made ahead for bytes that were announced and have not come, in bytes.
pub(super) const STEP: usize = 64 * 1024;

impl Fields {
    pub(in crate::rdb) fn new(limits: Limits) -> Self {
        let text = Text::Start;
        Fields { limits, small: [0; 9], have: 0, text, packed: Vec::new() }
    }

    /// Bytes of memory held for an unfinished field.
    pub(in crate::rdb) fn held(&self) -> usize {
        let sink = if let Text::Plain { sink, .. } = &self.text { sink.held() } else { 0 };
        self.packed.capacity() + sink
    }

    /// `N` bytes.
    #[inline]
    pub(in crate::rdb) fn array<const N: usize>(&mut self, input: &mut &[u8]) -> Option<[u8; N]> {
        if self.have == 0
            && let Some((array, rest)) = input.split_first_chunk::<N>()
        {
            *input = rest;
            return Some(*array);
        }
        self.collect(N, input)?;
        self.have = 0;
        self.small.first_chunk::<N>().copied()
    }

    /// Collects until there are `n` bytes; the caller sets `have` back.
    fn collect(&mut self, n: usize, input: &mut &[u8]) -> Option<()> {
        let (bytes, rest) = input.split_at(input.len().min(n - self.have));
        self.small[self.have..self.have + bytes.len()].copy_from_slice(bytes);
        self.have += bytes.len();
        *input = rest;
        (self.have == n).then_some(())
    }

    /// A length or an encoding.
    #[inline]
    pub(in crate::rdb) fn length(
        &mut self,
        input: &mut &[u8],
    ) -> Result<Option<Length>, ErrorKind> {
        if self.have == 0
            && let [first @ 0..0x40, rest @ ..] = input
        {
            let n = u64::from(*first);
            *input = rest;
            return Ok(Some(Length::Plain(n)));
        }
        self.long_length(input)
    }

    fn long_length(&mut self, input: &mut &[u8]) -> Result<Option<Length>, ErrorKind> {
        if self.have == 0 && self.collect(1, input).is_none() {
            return Ok(None);
        }
        let first = self.small[0];
        let size = match first {
            0..0x40 | length::ENCODED.. => 1,
            length::BITS_14..0x80 => 2,
            length::BITS_32 => 5,
            length::BITS_64 => 9,
            _ => return Err(ErrorKind::BadLength),
        };
        if self.collect(size, input).is_none() {
            return Ok(None);
        }
        self.have = 0;
        let number = self.small[1..size].iter().fold(0, |n, &byte| n << 8 | u64::from(byte));
        Ok(Some(match first {
            length::ENCODED.. => Length::Encoded(first & 0x3F),
            length::BITS_32.. => Length::Plain(number),
            _ => Length::Plain(u64::from(first & 0x3F) << (8 * (size - 1)) | number),
        }))
    }

    /// A length that is a number.
    pub(in crate::rdb) fn number(&mut self, input: &mut &[u8]) -> Result<Option<u64>, ErrorKind> {
        match self.length(input)? {
            None => Ok(None),
            Some(Length::Plain(n)) => Ok(Some(n)),
            Some(Length::Encoded(_)) => Err(ErrorKind::BadLength),
        }
    }

    /// A string.
    #[inline]
    pub(in crate::rdb) fn text(
        &mut self,
        target: Target,
        input: &mut &[u8],
    ) -> Result<Option<Loaded>, ErrorKind> {
        // Most strings are short and there as a whole.
        if self.have == 0
            && matches!(self.text, Text::Start)
            && let [len @ 0..0x40, rest @ ..] = *input
            && usize::from(*len) <= self.limits.string
            && let Some((bytes, rest)) = rest.split_at_checked(usize::from(*len))
        {
            *input = rest;
            return Ok(Some(Loaded::Bytes(bytes.to_vec())));
        }
        while let Some(next) = self.text_step(target, input)? {
            if let Some(loaded) = next {
                self.text = Text::Start;
                return Ok(Some(loaded));
            }
        }
        Ok(None)
    }

    /// One step of a string: `None` without input, `Some(None)` on the way.
    fn text_step(
        &mut self,
        target: Target,
        input: &mut &[u8],
    ) -> Result<Option<Option<Loaded>>, ErrorKind> {
        let next = match &mut self.text {
            Text::Start => match self.length(input)? {
                None => return Ok(None),
                Some(Length::Plain(len)) => {
                    let sink = Sink::new(target, self.limits.check(len)?, input.len());
                    Text::Plain { left: len, sink }
                }
                Some(Length::Encoded(encoding::LZF)) => Text::PackedLength,
                Some(Length::Encoded(code @ ..=encoding::INT32)) => Text::Int(code),
                Some(Length::Encoded(code)) => return Err(ErrorKind::BadEncoding(code)),
            },
            Text::Int(code) => {
                let code = *code;
                return Ok(self.int(code, input).map(|n| Some(Loaded::Int(n))));
            }
            Text::PackedLength => match self.number(input)? {
                None => return Ok(None),
                Some(packed) => Text::UnpackedLength { packed },
            },
            Text::UnpackedLength { packed } => {
                let left = *packed;
                let Some(len) = self.number(input)? else { return Ok(None) };
                let len = self.limits.check(len)?;
                if left > self.limits.string as u64 || len as u64 / LZF_RATIO > left {
                    return Err(ErrorKind::BadLzf);
                }
                Text::Packed { left, len }
            }
            Text::Packed { left, len } => {
                // Nothing is copied of what is there as a whole.
                let bytes = take(left, input);
                if *left > 0 || !self.packed.is_empty() {
                    append(&mut self.packed, bytes, *left);
                }
                if *left > 0 {
                    return Ok(None);
                }
                let packed = if self.packed.is_empty() { bytes } else { &self.packed };
                let loaded = unpack(target, packed, *len);
                self.packed = Vec::new();
                return loaded.map(|loaded| Some(Some(loaded)));
            }
            Text::Plain { left, sink } => {
                let bytes = take(left, input);
                sink.push(bytes);
                return Ok((*left == 0).then(|| Some(sink.finish())));
            }
        };
        self.text = next;
        Ok(Some(None))
    }

    fn int(&mut self, code: u8, input: &mut &[u8]) -> Option<i64> {
        Some(match code {
            encoding::INT8 => i64::from(i8::from_le_bytes(self.array(input)?)),
            encoding::INT16 => i64::from(i16::from_le_bytes(self.array(input)?)),
            _ => i64::from(i32::from_le_bytes(self.array(input)?)),
        })
    }
}

/// Takes up to `left` bytes.
fn take<'a>(left: &mut u64, input: &mut &'a [u8]) -> &'a [u8] {
    let n = usize::try_from(*left).map_or(input.len(), |left| left.min(input.len()));
    let (bytes, rest) = input.split_at(n);
    *left -= n as u64;
    *input = rest;
    bytes
}

/// Adds bytes to a field of which `left` more are announced.
pub(super) fn append(field: &mut Vec<u8>, bytes: &[u8], left: u64) {
    if field.capacity() - field.len() < bytes.len() {
        let ahead = usize::try_from(left).unwrap_or(usize::MAX).min(STEP.max(field.len()));
        field.reserve_exact(bytes.len() + ahead);
    }
    field.extend_from_slice(bytes);
}

fn unpack(target: Target, packed: &[u8], len: usize) -> Result<Loaded, ErrorKind> {
    // Seen first, so that a large length is not even allocated when it is wrong.
    if len > STEP && lzf::decompressed_len(packed) != Some(len) {
        return Err(ErrorKind::BadLzf);
    }
    Sink::fill(target, len, |out| lzf::decompress(packed, out)).ok_or(ErrorKind::BadLzf)
}
