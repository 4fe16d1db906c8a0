//! Which arguments of a request are keys, and what happens to them.

use smallvec::SmallVec;

use super::{Command, CommandId};
use crate::number;

/// What a command does with a key, in bits.
pub mod uses {
    /// Only reads the value.
    pub const RO: u16 = 1 << 0;
    /// Reads and changes the value.
    pub const RW: u16 = 1 << 1;
    /// Overwrites the value without looking at it.
    pub const OW: u16 = 1 << 2;
    /// Removes the key without looking at its value.
    pub const RM: u16 = 1 << 3;
    /// Gives the value, or part of it, to the user.
    pub const ACCESS: u16 = 1 << 4;
    /// Adds data; none is changed or removed.
    pub const INSERT: u16 = 1 << 5;
    /// Changes data, possibly depending on what was there.
    pub const UPDATE: u16 = 1 << 6;
    /// Removes data.
    pub const DELETE: u16 = 1 << 7;
    /// No key, but routed like one: a shard channel.
    pub const NOT_KEY: u16 = 1 << 8;
    /// The spec may miss keys.
    pub const INCOMPLETE: u16 = 1 << 9;
    /// The other bits depend on the arguments.
    pub const VARIABLE_FLAGS: u16 = 1 << 10;

    /// Names by bit, as COMMAND shows them.
    pub const NAMES: [&str; 11] = [
        "RO",
        "RW",
        "OW",
        "RM",
        "access",
        "insert",
        "update",
        "delete",
        "not_key",
        "incomplete",
        "variable_flags",
    ];
}

/// Where to begin to look for keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// At this argument.
    Index(i16),
    /// Behind this word, searched from an index on; from the end backwards if it is negative.
    Keyword(&'static str, i16),
    /// Only the command itself knows.
    Unknown,
}

/// Which arguments are keys, from the beginning on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Find {
    /// Last key (relative to the beginning, or to the end of the request if negative), step, and
    /// limit: 2 means that only the first half of what follows are keys.
    Range(i16, i16, i16),
    /// Where, relative to the beginning, the number of keys and the first key are; and the step.
    Count(i16, i16, i16),
    /// Only the command itself knows.
    Unknown,
}

/// How to find some of a command's keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeySpec {
    /// Where to begin.
    pub begin: Begin,
    /// How to go on.
    pub find: Find,
    /// What happens to the keys.
    pub uses: u16,
}

/// An argument that is a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyPosition {
    /// Which argument.
    pub index: usize,
    /// What happens to it; see [`uses`].
    pub uses: u16,
}

/// The keys of a request.
pub type KeyPositions = SmallVec<[KeyPosition; 4]>;

/// Finds the keys of a request, shard channels (marked `NOT_KEY`) among them. Where the arguments
/// make no sense there are none: the command's own complaint is better.
pub fn key_positions<A: AsRef<[u8]>>(command: &Command, args: &[A]) -> KeyPositions {
    let mut found = KeyPositions::new();
    match command.id {
        CommandId::Set => found.push(KeyPosition { index: 1, uses: set_uses(args) }),
        CommandId::Bitfield => found.push(KeyPosition { index: 1, uses: bitfield_uses(args) }),
        CommandId::Sort => sort(args, &mut found),
        CommandId::SortRo => found.push(KeyPosition { index: 1, uses: uses::RO | uses::ACCESS }),
        _ => {
            if by_specs(command.keys, args, &mut found).is_none() {
                found.clear();
                match command.id {
                    CommandId::Migrate => migrate(args, &mut found),
                    CommandId::Georadius | CommandId::Georadiusbymember => {
                        georadius(args, &mut found);
                    }
                    _ => {}
                }
            }
        }
    }
    if found.iter().any(|key| key.index >= args.len()) {
        found.clear();
    }
    found
}

/// `None` if a spec does not fit the arguments or cannot tell.
fn by_specs<A: AsRef<[u8]>>(specs: &[KeySpec], args: &[A], found: &mut KeyPositions) -> Option<()> {
    for spec in specs {
        let first = match spec.begin {
            Begin::Index(index) => usize::try_from(index).ok()?,
            Begin::Keyword(word, from) => match keyword(args, word, from) {
                Some(at) => at + 1,
                None => continue,
            },
            Begin::Unknown => return None,
        };
        let (first, last, step) = range(spec.find, first, args)?;
        // An open range may be empty: PFMERGE with a destination only.
        if matches!(spec.find, Find::Range(..0, ..)) && first == args.len() && last + 1 == first {
            continue;
        }
        if first > last || last >= args.len() {
            return None;
        }
        for index in (first..=last).step_by(step) {
            found.push(KeyPosition { index, uses: spec.uses });
        }
        if spec.uses & uses::INCOMPLETE != 0 {
            return None;
        }
    }
    Some(())
}

fn range<A: AsRef<[u8]>>(find: Find, first: usize, args: &[A]) -> Option<(usize, usize, usize)> {
    match find {
        Find::Range(last, step, limit) => {
            let behind = match limit {
                0 if last < 0 => args.len().checked_sub(first)?,
                0 => 0,
                parts => args.len().checked_sub(first)? / usize::from(parts.unsigned_abs()),
            };
            let last = (first + behind).checked_add_signed(isize::from(last))?;
            Some((first, last, usize::from(step.unsigned_abs())))
        }
        Find::Count(at, keys, step) => {
            let count = args.get(first.checked_add_signed(isize::from(at))?)?.as_ref();
            let count = number::parse_usize(count).filter(|&count| count <= args.len())?;
            let first = first.checked_add_signed(isize::from(keys))?;
            // As in Redis, the step spreads the keys but does not stretch the range.
            Some((first, (first + count).checked_sub(1)?, usize::from(step.unsigned_abs())))
        }
        Find::Unknown => None,
    }
}

/// A search from the end stops before index 1; one from the front before the last argument, which
/// could have no key behind it.
fn keyword<A: AsRef<[u8]>>(args: &[A], word: &str, from: i16) -> Option<usize> {
    let here = |at: &usize| is(&args[*at], word);
    if from > 0 {
        let from = usize::try_from(from).ok()?;
        (from..args.len().saturating_sub(1)).find(here)
    } else {
        let from = args.len().checked_add_signed(isize::from(from))?;
        (2..=from).rev().find(here)
    }
}

fn is<A: AsRef<[u8]>>(arg: &A, word: &str) -> bool {
    arg.as_ref().eq_ignore_ascii_case(word.as_bytes())
}

fn set_uses<A: AsRef<[u8]>>(args: &[A]) -> u16 {
    if args.iter().skip(3).any(|arg| is(arg, "get")) {
        uses::RW | uses::ACCESS | uses::UPDATE
    } else {
        uses::OW | uses::UPDATE
    }
}

/// Only a sequence of well-formed reads is sure to be one.
fn bitfield_uses<A: AsRef<[u8]>>(args: &[A]) -> u16 {
    let mut at = 2;
    while at < args.len() {
        let arg = &args[at];
        let left = args.len() - at - 1;
        if is(arg, "get") && left >= 2 {
            at += 3;
        } else if is(arg, "overflow") && left >= 1 {
            at += 2;
        } else {
            return uses::RW | uses::ACCESS | uses::UPDATE;
        }
    }
    uses::RO | uses::ACCESS
}

/// The last STORE counts.
fn sort<A: AsRef<[u8]>>(args: &[A], found: &mut KeyPositions) {
    found.push(KeyPosition { index: 1, uses: uses::RO | uses::ACCESS });
    let mut at = 2;
    while at < args.len() {
        let arg = &args[at];
        if is(arg, "limit") {
            at += 2;
        } else if is(arg, "get") || is(arg, "by") {
            at += 1;
        } else if is(arg, "store") && at + 1 < args.len() {
            found.truncate(1);
            found.push(KeyPosition { index: at + 1, uses: uses::OW | uses::UPDATE });
        }
        at += 1;
    }
}

/// With KEYS, the place of the single key must be empty.
fn migrate<A: AsRef<[u8]>>(args: &[A], found: &mut KeyPositions) {
    let mut keys = 3..4;
    let mut at = 6;
    while at < args.len() {
        let arg = &args[at];
        if is(arg, "keys") {
            let single = !args[3].as_ref().is_empty();
            keys = if single { 0..0 } else { at + 1..args.len() };
            break;
        }
        at += if is(arg, "auth2") {
            3
        } else if is(arg, "auth") {
            2
        } else {
            1
        };
    }
    let uses = uses::RW | uses::ACCESS | uses::DELETE;
    found.extend(keys.map(|index| KeyPosition { index, uses }));
}

fn georadius<A: AsRef<[u8]>>(args: &[A], found: &mut KeyPositions) {
    found.push(KeyPosition { index: 1, uses: uses::RO | uses::ACCESS });
    let mut at = 5;
    while at + 1 < args.len() {
        if is(&args[at], "store") || is(&args[at], "storedist") {
            found.truncate(1);
            at += 1;
            found.push(KeyPosition { index: at, uses: uses::OW | uses::UPDATE });
        }
        at += 1;
    }
}
