//! From a name to its row.
//!
//! A name of up to 16 bytes is folded to lower case as two words, and those are hashed and compared
//! whole; the few longer names are searched for one by one.

use super::rows::{COUNT, TABLE};
use super::{Command, get};

/// Names that fit into two words.
const SHORT: usize = 16;
const SIZE: usize = 2048;
const EMPTY: u16 = u16::MAX;
const LOW: u64 = 0x0101_0101_0101_0101;

/// A folded name.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Key {
    head: u64,
    tail: u64,
    len: u64,
}

static KEYS: [Key; COUNT] = {
    let mut keys = [Key { head: 0, tail: 0, len: 0 }; COUNT];
    let mut i = 0;
    while i < COUNT {
        if let Some(key) = fold(TABLE[i].name.as_bytes()) {
            keys[i] = key;
        }
        i += 1;
    }
    keys
};

static SLOTS: [u16; SIZE] = {
    let mut slots = [EMPTY; SIZE];
    let mut i = 0;
    while i < COUNT {
        if TABLE[i].parent.is_none() && KEYS[i].len > 0 {
            let mut at = slot(KEYS[i]);
            while slots[at] != EMPTY {
                at = (at + 1) % SIZE;
            }
            slots[at] = i as u16;
        }
        i += 1;
    }
    slots
};

/// The command of this name, in any case; whether it is built is the caller's to check.
#[inline]
pub fn lookup(name: &[u8]) -> Option<&'static Command> {
    let Some(key) = fold(name) else { return lookup_long(name) };
    let mut at = slot(key);
    loop {
        let index = usize::from(SLOTS[at]);
        // An empty slot's index is beyond the table.
        if *KEYS.get(index)? == key {
            return Some(&TABLE[index]);
        }
        at = (at + 1) % SIZE;
    }
}

/// The subcommand of this name, in any case; whether it is built is the caller's to check.
pub fn lookup_sub(parent: &Command, name: &[u8]) -> Option<&'static Command> {
    let mut rows = parent.subcommands.iter().map(|&id| get(id));
    rows.find(|row| row.name.as_bytes().eq_ignore_ascii_case(name))
}

#[cold]
fn lookup_long(name: &[u8]) -> Option<&'static Command> {
    let mut rows = TABLE.iter().filter(|row| row.parent.is_none() && row.name.len() > SHORT);
    rows.find(|row| row.name.as_bytes().eq_ignore_ascii_case(name))
}

/// `None` if the name is too long or empty. Head and tail overlap if they must: together with the
/// length they still tell every name from every other.
#[inline(always)]
const fn fold(name: &[u8]) -> Option<Key> {
    let len = name.len();
    let (head, tail) = match len {
        1..=3 => {
            let ends = name[0] as u64 | (name[len - 1] as u64) << 16;
            (ends | (name[len / 2] as u64) << 8, 0)
        }
        4..=7 => match (name.first_chunk::<4>(), name.last_chunk::<4>()) {
            (Some(head), Some(tail)) => {
                let tail = (u32::from_le_bytes(*tail) as u64) << 32;
                (u32::from_le_bytes(*head) as u64 | tail, 0)
            }
            _ => return None,
        },
        8..=SHORT => match (name.first_chunk::<8>(), name.last_chunk::<8>()) {
            (Some(head), Some(tail)) => (u64::from_le_bytes(*head), u64::from_le_bytes(*tail)),
            _ => return None,
        },
        _ => return None,
    };
    Some(Key { head: lower(head), tail: lower(tail), len: len as u64 })
}

/// Lower case for the letters among eight bytes, nothing else changed.
#[inline(always)]
const fn lower(word: u64) -> u64 {
    let low_bits = word & (0x7f * LOW);
    let from_a = low_bits + (0x80 - b'A' as u64) * LOW;
    let beyond_z = low_bits + (0x7f - b'Z' as u64) * LOW;
    let upper = from_a & !beyond_z & !word & (0x80 * LOW);
    word | upper >> 2
}

#[inline(always)]
const fn slot(key: Key) -> usize {
    let mixed = key.head.wrapping_mul(0x9e37_79b9_7f4a_7c15)
        ^ key.tail.wrapping_mul(0xd6e8_feb8_6659_fd93)
        ^ key.len.wrapping_mul(0xa076_1d64_78bd_642f);
    (mixed >> 53) as usize % SIZE
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    #[test]
    fn every_command_is_found_in_any_case() {
        for row in &TABLE {
            let upper = row.name.to_ascii_uppercase();
            let mixed: Vec<u8> = upper
                .bytes()
                .enumerate()
                .map(|(i, b)| if i % 2 == 0 { b } else { b.to_ascii_lowercase() })
                .collect();
            for name in [row.name.as_bytes(), upper.as_bytes(), &mixed] {
                let found = match row.parent {
                    None => lookup(name),
                    Some(parent) => lookup_sub(get(parent), name),
                };
                assert_eq!(found.map(|found| found.id), Some(row.id));
            }
        }
    }

    #[test]
    fn near_misses_are_not_found() {
        for name in [
            "",
            "ge",
            "gett",
            "g\x05t",
            "GE\x14",
            "get\0",
            "config|get",
            "genpass",
            "@",
            "georadiusbymembers",
            "restore\rasking",
            "SET\u{a0}",
        ] {
            assert!(lookup(name.as_bytes()).is_none(), "{name}");
        }
    }

    #[test]
    fn probes_are_few() {
        let moved = SLOTS
            .iter()
            .enumerate()
            .filter(|&(at, &index)| index != EMPTY && slot(KEYS[usize::from(index)]) != at);
        assert!(moved.count() < 24);
    }

    proptest! {
        #[test]
        fn finds_what_a_search_finds(name in prop_oneof!["[a-zA-Z_|-]{0,5}", "\\PC{0,20}", "[SsGg][Ee][Tt]?.?"]) {
            let name = name.as_bytes();
            let searched = TABLE.iter().find(|row| row.parent.is_none() && row.name.as_bytes().eq_ignore_ascii_case(name));
            prop_assert_eq!(lookup(name).map(|row| row.id), searched.map(|row| row.id));
        }
    }
}
