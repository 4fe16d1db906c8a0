//! One directive: a row of the table.

use super::Config;
use super::kind::Kind;

/// The most that Redis's `int` holds.
pub(super) const INT: i64 = i32::MAX as i64;
/// The most that a memory value may be.
pub(super) const MEMORY: u64 = i64::MAX as u64;

/// Whether CONFIG SET may change a directive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// It may.
    Mutable,
    /// Not while the server runs.
    Fixed,
    /// Not over the network: it says where files are written.
    Protected,
}

/// Where an obeyed directive's value stands in [`Config`].
#[derive(Clone, Copy)]
pub struct Slot {
    /// Its normal form.
    pub get: fn(&Config) -> String,
    /// Takes a normal form.
    pub set: fn(&mut Config, &str),
}

/// What a directive does.
#[derive(Clone, Copy)]
pub enum State {
    /// What it says.
    Obeyed(Slot),
    /// Nothing; one line at the start says so if it is set to something else than the default.
    Ignored,
    /// What it chooses between is no choice here, whatever its value: why.
    Moot(&'static str),
    /// Only its default is taken: to accept more would be a lie. Why.
    Refused(&'static str),
}

/// One directive.
#[derive(Clone, Copy)]
pub struct Row {
    /// Its name.
    pub name: &'static str,
    /// Another name for it.
    pub alias: Option<&'static str>,
    /// What values it takes.
    pub kind: Kind,
    /// Its value when nobody sets it.
    pub default: &'static str,
    /// Whether CONFIG SET may change it.
    pub access: Access,
    /// What it does.
    pub state: State,
    /// CONFIG GET shows it only by its full name.
    pub hidden: bool,
}

impl Row {
    /// With another name.
    pub(super) const fn or(self, alias: &'static str) -> Self {
        Row { alias: Some(alias), ..self }
    }

    /// Shown only by its full name.
    pub(super) const fn hidden(self) -> Self {
        Row { hidden: true, ..self }
    }
}

type Name = &'static str;

pub(super) const fn obeyed(
    name: Name,
    kind: Kind,
    default: Name,
    access: Access,
    slot: Slot,
) -> Row {
    let state = State::Obeyed(slot);
    Row { name, alias: None, kind, default, access, state, hidden: false }
}

pub(super) const fn ignored(name: Name, kind: Kind, default: Name, access: Access) -> Row {
    Row { name, alias: None, kind, default, access, state: State::Ignored, hidden: false }
}

pub(super) const fn moot(name: Name, kind: Kind, default: Name, access: Access, why: Name) -> Row {
    Row { name, alias: None, kind, default, access, state: State::Moot(why), hidden: false }
}

pub(super) const fn refused(
    name: Name,
    kind: Kind,
    default: Name,
    access: Access,
    why: Name,
) -> Row {
    Row { name, alias: None, kind, default, access, state: State::Refused(why), hidden: false }
}

/// The place of a value in [`Config`].
macro_rules! slot {
    ($($field:ident).+) => {
        crate::config::row::Slot {
            get: |config| crate::config::field::Field::show(&config.$($field).+),
            set: |config, text| crate::config::field::Field::take(&mut config.$($field).+, text),
        }
    };
}
