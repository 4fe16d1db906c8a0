//! Words that have no place in the tree: promises for later, and paths of one machine.
//!
//! They are put together here so that this file does not contain them.

use super::Finding;
use super::source::{Source, words_in};

const UNWANTED: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("X", "XX"),
    concat!("/wo", "rk"),
    concat!("/ro", "ot"),
];

/// Checks the whole text, comments and strings included.
pub(crate) fn check(source: &Source, findings: &mut Vec<Finding>) {
    for (index, line) in source.text.lines().enumerate() {
        for word in UNWANTED {
            if words_in(line, word).next().is_some() {
                let message = format!("the word {word}: say it in an issue, or not at all");
                findings.push(Finding::new(source, "words", index + 1, message));
            }
        }
    }
}
