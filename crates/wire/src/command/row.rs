//! How a row is spelled, and what follows from it.

use super::bits::{Categories, Flags, Group, category, flag};
use super::keys::{Begin, Find, KeySpec, uses};
use super::{Command, CommandId};

/// A row with what every row has.
pub(super) const fn command(
    id: CommandId,
    name: &'static str,
    arity: i16,
    flags: u32,
    categories: u32,
) -> Command {
    Command {
        id,
        parent: None,
        name,
        arity,
        flags: Flags(flags),
        categories: Categories(categories),
        keys: &[],
        legacy_keys: (0, 0, 0),
        first_key: 0,
        one_key: false,
        since: "",
        deprecated: None,
        group: Group::Generic,
        complexity: "",
        summary: "",
        tips: &[],
        subcommands: &[],
        system: false,
        built: false,
    }
}

impl Command {
    /// Since when, at what cost, and what it does.
    pub(super) const fn about(
        mut self,
        since: &'static str,
        complexity: &'static str,
        summary: &'static str,
    ) -> Self {
        self.since = since;
        self.complexity = complexity;
        self.summary = summary;
        self
    }

    pub(super) const fn keys(mut self, keys: &'static [KeySpec]) -> Self {
        self.keys = keys;
        self
    }

    pub(super) const fn within(mut self, parent: CommandId) -> Self {
        self.parent = Some(parent);
        self
    }

    pub(super) const fn subcommands(mut self, subcommands: &'static [CommandId]) -> Self {
        self.subcommands = subcommands;
        self
    }

    pub(super) const fn tips(mut self, tips: &'static [&'static str]) -> Self {
        self.tips = tips;
        self
    }

    pub(super) const fn deprecated(mut self, since: &'static str) -> Self {
        self.deprecated = Some(since);
        self
    }

    pub(super) const fn system(mut self) -> Self {
        self.system = true;
        self
    }

    /// Marks a command that exists here.
    pub(super) const fn built(mut self) -> Self {
        self.built = true;
        self
    }

    /// Fills in what follows from the rest.
    pub(super) const fn complete(mut self, group: Group) -> Self {
        self.group = group;
        self.categories = Categories(self.categories.0 | implied(self.flags, self.categories));
        self.legacy_keys = legacy(self.keys);
        if movable(self.keys) {
            self.flags = Flags(self.flags.0 | flag::MOVABLEKEYS);
        }
        if let [KeySpec { begin: Begin::Index(first), find, uses, .. }, others @ ..] = self.keys {
            match find {
                Find::Range(0, ..) => {
                    self.first_key = *first as u8;
                    self.one_key = others.is_empty() && *uses & uses::INCOMPLETE == 0;
                }
                Find::Range(..) => self.first_key = *first as u8,
                _ => {}
            }
        }
        self
    }
}

const fn implied(flags: Flags, said: Categories) -> u32 {
    let mut all = said.0;
    if flags.has(flag::WRITE) {
        all |= category::IN_WRITE;
    }
    if flags.has(flag::READONLY) && !said.has(category::IN_SCRIPTING) {
        all |= category::IN_READ;
    }
    if flags.has(flag::ADMIN) {
        all |= category::IN_ADMIN | category::IN_DANGEROUS;
    }
    if flags.has(flag::PUBSUB) {
        all |= category::IN_PUBSUB;
    }
    if flags.has(flag::BLOCKING) {
        all |= category::IN_BLOCKING;
    }
    all | if flags.has(flag::FAST) { category::IN_FAST } else { category::IN_SLOW }
}

/// Whether a spec goes into the legacy triple: a plain range right behind the ones before it.
const fn joins(spec: &KeySpec, alone: bool, last: i16) -> Option<(i16, i16, i16)> {
    let (Begin::Index(first), Find::Range(length, step, _)) = (spec.begin, spec.find) else {
        return None;
    };
    if !alone && (step != 1 || (last != 0 && last != first - 1)) {
        return None;
    }
    Some((first, if length >= 0 { first + length } else { length }, step))
}

const fn legacy(keys: &[KeySpec]) -> (i16, i16, i16) {
    let (mut first, mut last, mut step) = (0, 0, 0);
    let mut i = 0;
    while i < keys.len() {
        if let Some((begin, end, by)) = joins(&keys[i], keys.len() == 1, last) {
            if first == 0 {
                first = begin;
            }
            // As unsigned numbers, so that an end counted from the end is later than any index.
            if end as u16 > last as u16 {
                last = end;
            }
            step = by;
        }
        i += 1;
    }
    (first, last, step)
}

const fn movable(keys: &[KeySpec]) -> bool {
    let mut last = 0;
    let mut i = 0;
    while i < keys.len() {
        match joins(&keys[i], keys.len() == 1, last) {
            None => return true,
            Some((_, end, _)) => last = end,
        }
        if keys[i].uses & uses::INCOMPLETE != 0 {
            return true;
        }
        i += 1;
    }
    false
}
