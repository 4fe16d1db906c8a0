//! How many commands have a row but no handler yet.
//!
//! The number is a ratchet too: a command that was built stays built.

use super::Finding;

/// Under which path and rule the number stands in the list of exceptions.
pub(crate) const PATH: &str = "crates/wire/src/command/rows.rs";
/// See [`PATH`].
pub(crate) const RULE: &str = "unbuilt";

/// Rows of the command table that are not built.
pub(crate) fn unbuilt() -> usize {
    wire::command::all().iter().filter(|command| !command.built).count()
}

/// What the ratchet weighs.
pub(crate) fn finding(unbuilt: usize) -> Option<Finding> {
    let message = format!("{unbuilt} commands without a handler");
    let (path, line, size) = (PATH.to_string(), 0, Some(unbuilt));
    (unbuilt > 0).then_some(Finding { path, rule: RULE, line, size, message })
}
