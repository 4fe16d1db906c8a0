//! The words that may follow SET and GETEX.

use super::Args;
use super::args::{is, text};
use wire::number;

/// Which command the words belong to: each knows some the other does not.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    Set,
    Getex,
}

/// What was asked for. At most one of `keep`, `persist` and `time`.
#[derive(Default)]
pub(super) struct Options<'a> {
    /// NX.
    pub(super) only_new: bool,
    /// XX.
    pub(super) only_old: bool,
    /// GET.
    pub(super) get: bool,
    /// KEEPTTL.
    pub(super) keep: bool,
    /// PERSIST.
    pub(super) persist: bool,
    /// EX, PX, EXAT or PXAT.
    pub(super) time: Option<Time<'a>>,
}

/// An expiry: its unit, and its number as it was sent. The number is judged only when all words
/// are known to be in order.
pub(super) struct Time<'a> {
    pub(super) unit: Unit,
    pub(super) word: &'a [u8],
}

/// The unit of an expiry and what it counts from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// Seconds from now.
    Ex,
    /// Milliseconds from now.
    Px,
    /// Seconds of the clock.
    Exat,
    /// Milliseconds of the clock.
    Pxat,
}

impl Unit {
    fn of(word: &[u8]) -> Option<Unit> {
        let units =
            [("ex", Unit::Ex), ("px", Unit::Px), ("exat", Unit::Exat), ("pxat", Unit::Pxat)];
        units.into_iter().find(|(name, _)| is(word, name)).map(|(_, unit)| unit)
    }

    /// Whether it counts from a fixed point.
    pub(super) fn is_absolute(self) -> bool {
        matches!(self, Unit::Exat | Unit::Pxat)
    }
}

impl Time<'_> {
    /// Unix milliseconds; `invalid` is the error for a time that cannot be.
    pub(super) fn at(&self, now: u64, invalid: &'static str) -> Result<u64, &'static str> {
        let value = number::parse_i64(self.word).ok_or(text::NOT_INTEGER)?;
        if value <= 0 {
            return Err(invalid);
        }
        let unit = if matches!(self.unit, Unit::Ex | Unit::Exat) { 1000 } else { 1 };
        let base = if self.unit.is_absolute() { 0 } else { now as i64 };
        let at = value.checked_mul(unit).and_then(|millis| millis.checked_add(base));
        at.map(|at| at as u64).ok_or(invalid)
    }
}

impl<'a> Options<'a> {
    /// Reads the words. Options that exclude each other are a syntax error; saying the same one
    /// again is not, and the last number counts.
    pub(super) fn parse(words: &'a [&'a [u8]], of: Of) -> Result<Self, &'static str> {
        let mut args = Args::new(words);
        let mut options = Options::default();
        let set = of == Of::Set;
        while let Some(word) = args.next() {
            let timed = options.time.is_some();
            if set && is(word, "nx") && !options.only_old {
                options.only_new = true;
            } else if set && is(word, "xx") && !options.only_new {
                options.only_old = true;
            } else if set && is(word, "get") {
                options.get = true;
            } else if set && is(word, "keepttl") && !timed {
                options.keep = true;
            } else if !set && is(word, "persist") && !timed {
                options.persist = true;
            } else if let Some(unit) = Unit::of(word)
                && !options.keep
                && !options.persist
                && options.time.as_ref().is_none_or(|time| time.unit == unit)
            {
                options.time = Some(Time { unit, word: args.required() });
            } else {
                args.fail(text::SYNTAX);
            }
        }
        args.finish().map(|()| options)
    }
}
