//! `rename-command`: commands under other names, or none.

use super::Refusal;
use std::collections::BTreeMap;
use wire::command::{self, Command, CommandId};

/// What names mean that are not what they were.
#[derive(Clone, Default, Debug)]
pub struct Renames {
    /// By name in small letters; none: a command that is known under another name, or no more.
    names: BTreeMap<Vec<u8>, Option<CommandId>>,
}

impl Renames {
    /// Gives a command another name, or with an empty one takes it away.
    ///
    /// # Errors
    /// Redis's words when there is no such command, or the new name is taken.
    pub fn add(&mut self, old: &str, new: &str) -> Result<(), Refusal> {
        let row = self.find(old.as_bytes());
        let row = row.ok_or_else(|| String::from("No such command in rename-command"))?;
        if old.eq_ignore_ascii_case(new) {
            return Ok(());
        }
        if !new.is_empty() && self.find(new.as_bytes()).is_some() {
            return Err(String::from("Target command name already exists"));
        }
        self.names.insert(old.to_ascii_lowercase().into_bytes(), None);
        if !new.is_empty() {
            self.names.insert(new.to_ascii_lowercase().into_bytes(), Some(row.id));
        }
        Ok(())
    }

    /// The command that is called by this name.
    #[inline]
    pub fn find(&self, name: &[u8]) -> Option<&'static Command> {
        if self.names.is_empty() { command::lookup(name) } else { self.search(name) }
    }

    #[cold]
    fn search(&self, name: &[u8]) -> Option<&'static Command> {
        match self.names.get(&name.to_ascii_lowercase()) {
            Some(renamed) => renamed.map(command::get),
            None => command::lookup(name),
        }
    }

    /// Whether this is a command's new name.
    #[inline]
    pub fn is_new(&self, name: &[u8]) -> bool {
        !self.names.is_empty()
            && matches!(self.names.get(&name.to_ascii_lowercase()), Some(Some(_)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_change_places() {
        let mut renames = Renames::default();
        let found = |renames: &Renames, name: &str| renames.find(name.as_bytes()).map(|r| r.name);
        assert_eq!(found(&renames, "GET"), Some("get"));
        assert_eq!(renames.add("nosuch", "x").unwrap_err(), "No such command in rename-command");
        assert_eq!(renames.add("get", "SET").unwrap_err(), "Target command name already exists");
        renames.add("GET", "Fetch").unwrap();
        renames.add("set", "").unwrap();
        renames.add("del", "get").unwrap();
        assert_eq!(found(&renames, "fetch"), Some("get"));
        assert_eq!(found(&renames, "set"), None);
        assert_eq!(found(&renames, "GET"), Some("del"));
        assert!(renames.is_new(b"FETCH") && renames.is_new(b"get") && !renames.is_new(b"set"));
    }
}
