//! The list of tests that may fail: `file | test | reason`, one a line, sorted.
//!
//! A test `*` stands for the end of a file: it may be left early. A reason that begins with `skip:`
//! keeps the test from being run at all, because it would hang or take the rest with it.

use super::suite::Excused;
use crate::tree;
use anyhow::{Context, Result, bail};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

/// The list.
pub(crate) struct Exceptions {
    reasons: BTreeMap<(String, String), String>,
}

fn path() -> PathBuf {
    tree::root().join("crates/xtask/conformance-exceptions.txt")
}

impl Exceptions {
    /// Reads the list.
    pub(crate) fn read() -> Result<Self> {
        let text = fs::read_to_string(path()).context("the list of exceptions")?;
        let mut reasons = BTreeMap::new();
        for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
            let parts: Vec<&str> = line.splitn(3, " | ").collect();
            let [file, test, reason] = parts[..] else {
                bail!("not `file | test | reason`: {line}")
            };
            reasons.insert((file.to_string(), test.to_string()), reason.to_string());
        }
        Ok(Self { reasons })
    }

    /// Why this test may fail, if it may.
    pub(crate) fn reason(&self, file: &str, test: &str) -> Option<&str> {
        self.reasons.get(&(file.to_string(), test.to_string())).map(String::as_str)
    }

    /// Tests of a file that are not expected to pass.
    pub(crate) fn excused(&self, file: &str) -> Excused {
        let of_file = self.reasons.iter().filter(|((f, _), _)| f == file);
        let (left_out, may_fail): (Vec<_>, Vec<_>) =
            of_file.partition(|(_, reason)| reason.starts_with("skip:"));
        let names = |tests: Vec<(&(String, String), &String)>| -> BTreeSet<String> {
            tests.into_iter().map(|((_, test), _)| test.clone()).collect()
        };
        Excused { may_fail: names(may_fail), left_out: names(left_out) }
    }

    /// Takes one off.
    pub(crate) fn remove(&mut self, file: &str, test: &str) {
        self.reasons.remove(&(file.to_string(), test.to_string()));
    }

    /// Writes the list back.
    pub(crate) fn write(&self) -> Result<()> {
        let mut text = String::from(
            "# Tests of Redis 7.0.15 that may fail, and why: `file | test | reason`.\n\
             # `cargo xtask conformance --shrink` takes off what passes. Nothing is added for a \
             file that stands here.\n",
        );
        for ((file, test), reason) in &self.reasons {
            text += &format!("{file} | {test} | {reason}\n");
        }
        fs::write(path(), text).context("the list of exceptions")
    }
}
