//! LZF, the compression of strings in RDB files.
//!
//! A stream is a sequence of two kinds of blocks:
//!
//! - `000nnnnn`: the next n + 1 bytes as they are;
//! - `lllooooo [more] low`: copy l + 2 bytes from `ooooo low` + 1 bytes back in the output; with
//!   l = 7 the byte `more` is added to the length. A copy may overlap what it makes.

/// Furthest distance of a copy, in bytes.
const REACH: usize = 1 << 13;
/// Shortest and longest copy.
const MATCH: std::ops::RangeInclusive<usize> = 3..=264;
/// Most bytes that one block carries as they are.
const LITERALS: usize = 32;
/// The largest table of past positions has two to the power of this many places.
const TABLE_BITS: u32 = 14;

/// Compresses; reusable, since the memory of past positions is worth keeping.
pub struct Compressor {
    /// Where a hash of three bytes was last seen, counted from `base`; less than that is stale.
    table: Box<[u32]>,
    base: u32,
}

impl Default for Compressor {
    fn default() -> Self {
        Compressor::new()
    }
}

impl Compressor {
    /// One that has seen nothing.
    pub fn new() -> Self {
        Compressor { table: vec![0; 1 << TABLE_BITS].into_boxed_slice(), base: 1 }
    }

    /// Appends the compressed `input` to `out`, if it takes no more than `limit` bytes; else
    /// leaves `out` as it was and says `false`.
    pub fn compress(&mut self, input: &[u8], limit: usize, out: &mut Vec<u8>) -> bool {
        let start = out.len();
        let Some(base) = self.base_for(input.len()) else { return false };
        // A small table for a short input stays in the nearest cache.
        let bits = (usize::BITS - input.len().leading_zeros()).clamp(8, TABLE_BITS);
        let table = &mut self.table[..1 << bits];
        let (mut at, mut literals) = (0, 0);
        while at + *MATCH.start() <= input.len() {
            let place = hash(&input[at..at + 3], bits);
            let seen = table[place];
            table[place] = base + at as u32;
            let from = seen.wrapping_sub(base) as usize;
            if seen < base || at - from > REACH || input[from..from + 3] != input[at..at + 3] {
                // The longer nothing repeats, the larger the steps.
                at += 1 + ((at - literals) >> 6);
                continue;
            }
            let len = match_len(input, from, at);
            put_literals(&input[literals..at], out);
            put_copy(at - from - 1, len - 2, out);
            at += len;
            literals = at;
            if out.len() - start > limit {
                break;
            }
            if at + 2 <= input.len() {
                table[hash(&input[at - 1..at + 2], bits)] = base + at as u32 - 1;
            }
        }
        let rest = input.len() - literals;
        if out.len() - start + rest + rest.div_ceil(LITERALS) > limit {
            out.truncate(start);
            return false;
        }
        put_literals(&input[literals..], out);
        true
    }

    /// Numbers for the positions of an input of `len` bytes that no earlier one had.
    fn base_for(&mut self, len: usize) -> Option<u32> {
        let len = u32::try_from(len).ok().filter(|&len| len < u32::MAX)?;
        if self.base.checked_add(len).is_none() {
            self.table.fill(0);
            self.base = 1;
        }
        let base = self.base;
        self.base += len;
        Some(base)
    }
}

fn hash(three: &[u8], bits: u32) -> usize {
    let n = u32::from_le_bytes([three[0], three[1], three[2], 0]);
    (n.wrapping_mul(0x9E37_79B1) >> (32 - bits)) as usize
}

/// How many bytes at `at` are as those at `from`; the first three are known to be.
fn match_len(input: &[u8], from: usize, at: usize) -> usize {
    let most = (input.len() - at).min(*MATCH.end());
    let pairs = input[from..from + most].iter().zip(&input[at..at + most]).skip(3);
    3 + pairs.take_while(|(a, b)| a == b).count()
}

fn put_literals(bytes: &[u8], out: &mut Vec<u8>) {
    for run in bytes.chunks(LITERALS) {
        out.push(run.len() as u8 - 1);
        out.extend_from_slice(run);
    }
}

/// Both numbers as the format counts them: distance less one, length less two.
fn put_copy(distance: usize, len: usize, out: &mut Vec<u8>) {
    let high = (distance >> 8) as u8;
    if len < 7 {
        out.push((len as u8) << 5 | high);
    } else {
        out.extend_from_slice(&[7 << 5 | high, (len - 7) as u8]);
    }
    out.push(distance as u8);
}

/// A block of a compressed stream.
enum Block<'a> {
    Literals(&'a [u8]),
    Copy { distance: usize, len: usize },
}

fn next_block<'a>(input: &mut &'a [u8]) -> Option<Block<'a>> {
    let (&control, rest) = input.split_first()?;
    let (len, high) = (usize::from(control >> 5), usize::from(control & 31));
    if len == 0 {
        let (literals, rest) = rest.split_at_checked(high + 1)?;
        *input = rest;
        return Some(Block::Literals(literals));
    }
    let (more, rest) = if len == 7 { rest.split_first()? } else { (&0, rest) };
    let (&low, rest) = rest.split_first()?;
    *input = rest;
    Some(Block::Copy {
        distance: (high << 8 | usize::from(low)) + 1,
        len: len + 2 + usize::from(*more),
    })
}

/// How many bytes `input` decompresses to, found without making them; `None` when it is cut off.
pub fn decompressed_len(mut input: &[u8]) -> Option<usize> {
    let mut len = 0;
    while !input.is_empty() {
        len += match next_block(&mut input)? {
            Block::Literals(bytes) => bytes.len(),
            Block::Copy { len, .. } => len,
        };
    }
    Some(len)
}

/// Decompresses `input`, which must fill `out` exactly; `None` when it does not or is damaged.
pub fn decompress(mut input: &[u8], out: &mut [u8]) -> Option<()> {
    let mut at = 0;
    while !input.is_empty() {
        match next_block(&mut input)? {
            Block::Literals(bytes) => {
                out.get_mut(at..at + bytes.len())?.copy_from_slice(bytes);
                at += bytes.len();
            }
            Block::Copy { distance, len } => {
                let from = at.checked_sub(distance)?;
                if out.len() - at < len {
                    return None;
                }
                // Where a copy overlaps itself, each round doubles what the next can take.
                let end = at + len;
                while at < end {
                    let n = (end - at).min(at - from);
                    out.copy_within(from..from + n, at);
                    at += n;
                }
            }
        }
    }
    (at == out.len()).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn input() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            prop::collection::vec(any::<u8>(), 0..60),
            (any::<u8>(), 1usize..700).prop_map(|(byte, n)| vec![byte; n]),
            (prop::collection::vec(0u8..4, 1..40), 1usize..300).prop_map(|(s, n)| s.repeat(n)),
        ];
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn what_is_compressed_comes_back(inputs in prop::collection::vec(input(), 1..5)) {
            let mut compressor = Compressor::new();
            for input in inputs {
                let mut packed = b"before".to_vec();
                prop_assert!(compressor.compress(&input, usize::MAX, &mut packed));
                let packed = &packed[6..];
                prop_assert_eq!(decompressed_len(packed), Some(input.len()));
                let mut out = vec![0; input.len()];
                prop_assert_eq!(decompress(packed, &mut out), Some(()));
                prop_assert!(out == input);
                let mut short = vec![];
                prop_assert!(compressor.compress(&input, packed.len(), &mut short));
                short.truncate(1);
                let fits = compressor.compress(&input, short.len() / 2, &mut short);
                prop_assert!(fits == input.is_empty() && short.len() <= 1);
            }
        }

        #[test]
        fn any_bytes_are_survived(
            bytes in prop::collection::vec(any::<u8>(), 0..300),
            len in 0usize..600,
        ) {
            let mut out = vec![0; len];
            let done = decompress(&bytes, &mut out).is_some();
            prop_assert!(!done || decompressed_len(&bytes) == Some(len));
        }
    }

    #[test]
    fn repeats_shrink_and_positions_may_run_out() {
        let mut compressor = Compressor::new();
        let input = b"holdfast ".repeat(1000);
        for base in [1, u32::MAX - 5, u32::MAX - 9001] {
            compressor.base = base;
            let (mut packed, mut out) = (vec![], vec![0; input.len()]);
            assert!(compressor.compress(&input, 200, &mut packed));
            assert!(decompress(&packed, &mut out).is_some() && out == input);
        }
    }

    #[test]
    fn copies_reach_no_further_than_the_format_allows() {
        for gap in REACH - 2..REACH + 3 {
            let mut input = b"far and away".to_vec();
            input.resize(gap, 0);
            input.extend_from_slice(b"far and away");
            let (mut packed, mut out) = (vec![], vec![0; input.len()]);
            assert!(Compressor::new().compress(&input, usize::MAX, &mut packed));
            assert!(decompress(&packed, &mut out).is_some() && out == input, "{gap} back");
            let reached = !packed.ends_with(b"far and away");
            assert_eq!(reached, gap <= REACH, "{gap} back");
        }
    }

    #[test]
    fn damage_is_refused() {
        let mut out = [0; 4];
        assert_eq!(decompress(&[3, 1, 2, 3, 4], &mut out), Some(()));
        for damaged in [
            &[][..],
            &[3, 1, 2, 3],
            &[4, 1, 2, 3, 4, 5],
            &[2, 1, 2, 3],
            &[0, 9, 0x20, 1],
            &[0, 9, 0x40, 0],
            &[0, 9, 0x20],
            &[0, 9, 0xE0],
        ] {
            assert_eq!(decompress(damaged, &mut out), None, "{damaged:?}");
        }
        assert_eq!(decompress(&[0, 9, 0x20, 0], &mut out), Some(()));
        assert_eq!(out, [9; 4]);
    }
}
