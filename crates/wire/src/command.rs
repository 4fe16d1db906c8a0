//! The commands: one row each, read by everyone who must know a command without running it.

mod bits;
mod find;
mod id;
pub mod keys;
mod row;
mod rows;
#[cfg(test)]
mod tests;

pub use bits::{Categories, Flags, Group, category, flag};
pub use find::{lookup, lookup_sub};
pub use id::CommandId;

/// How many rows there are: commands and subcommands.
pub const COUNT: usize = rows::COUNT;
pub use keys::{KeyPosition, KeyPositions, KeySpec, key_positions};

/// A command or subcommand.
#[derive(Clone, Copy, Debug)]
pub struct Command {
    /// Its name among all commands; [`get`] finds the row by it.
    pub id: CommandId,
    /// The command it is a subcommand of.
    pub parent: Option<CommandId>,
    /// In lower case; a subcommand's own name only.
    pub name: &'static str,
    /// The number of arguments, the name (and the subcommand's) included; at least that many if
    /// negative.
    pub arity: i16,
    /// What it may do and when it is allowed.
    pub flags: Flags,
    /// ACL categories, the implied ones included.
    pub categories: Categories,
    /// Where its keys are.
    pub keys: &'static [KeySpec],
    /// First key, last key (negative: from the end) and step, as far as three numbers can tell.
    pub legacy_keys: (i16, i16, i16),
    /// Index of the first key (or shard channel); 0 if there is none or it must be searched for.
    pub first_key: u8,
    /// Exactly one argument is a key (or shard channel): the one at `first_key`.
    pub one_key: bool,
    /// The version that brought it.
    pub since: &'static str,
    /// The version that deprecated it.
    pub deprecated: Option<&'static str>,
    /// What it is about.
    pub group: Group,
    /// Its cost.
    pub complexity: &'static str,
    /// What it does, in one sentence.
    pub summary: &'static str,
    /// Hints to clients and proxies.
    pub tips: &'static [&'static str],
    /// Its subcommands, by name.
    pub subcommands: &'static [CommandId],
    /// Spoken between servers, not by people.
    pub system: bool,
    /// Whether it exists here. A row that is not built is to be treated as an unknown command.
    pub built: bool,
}

/// The row of a command.
#[inline]
pub fn get(id: CommandId) -> &'static Command {
    &rows::TABLE[id as usize]
}

/// All rows, subcommands among them, in the order of their ids.
pub fn all() -> &'static [Command] {
    &rows::TABLE
}

impl Command {
    /// Whether a request of this many arguments, the name included, is well-formed.
    #[inline]
    pub fn accepts(&self, args: usize) -> bool {
        let least = usize::from(self.arity.unsigned_abs());
        if self.arity < 0 { args >= least } else { args == least }
    }

    /// The name with its parent's: `get`, `config|get`.
    pub fn full_name(&self) -> impl core::fmt::Display + use<> {
        FullName(self.name, self.parent.map(|parent| get(parent).name))
    }
}

struct FullName(&'static str, Option<&'static str>);

impl core::fmt::Display for FullName {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.1 {
            Some(parent) => write!(f, "{parent}|{}", self.0),
            None => f.write_str(self.0),
        }
    }
}
