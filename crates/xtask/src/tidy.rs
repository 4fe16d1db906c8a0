//! `cargo xtask tidy`: the house rules that a program can check.
//!
//! It also runs as a test. What the rules forgive is listed in `tidy-exceptions.txt`, which may
//! only shrink.

mod bans;
mod built;
mod docs;
mod edges;
mod hashers;
mod ratchet;
mod size;
mod source;
mod words;

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use self::source::Source;

/// How `cargo xtask tidy` is run.
#[derive(clap::Args, Default)]
pub(crate) struct Options {
    /// Lower and remove exceptions that are no longer needed, in the list itself
    #[arg(long)]
    shrink: bool,
}

/// Something a rule does not like.
pub(crate) struct Finding {
    path: String,
    rule: &'static str,
    /// Line, from 1; 0 when the whole file is meant.
    line: usize,
    /// By how much, for rules with a budget: the length of a function and the like.
    size: Option<usize>,
    message: String,
}

impl Finding {
    fn new(source: &Source, rule: &'static str, line: usize, message: impl Into<String>) -> Self {
        let path = source.path.clone();
        Self { path, rule, line, size: None, message: message.into() }
    }

    fn sized(mut self, size: usize) -> Self {
        self.size = Some(size);
        self
    }
}

/// Checks every file of the tree and fails if a rule is broken beyond its exceptions.
pub(crate) fn run(options: &Options) -> Result<()> {
    let sources = sources()?;
    let mut findings = edges::check(&sources);
    for source in &sources {
        words::check(source, &mut findings);
        if source.path.ends_with(".rs") {
            docs::check(source, &mut findings);
            size::check(source, &mut findings);
            bans::check(source, &mut findings);
            hashers::check(source, &mut findings);
        }
    }
    let unbuilt = built::unbuilt();
    println!("{unbuilt} rows of the command table are not built yet");
    findings.extend(built::finding(unbuilt));
    let verdict = ratchet::judge(&findings, options.shrink)?;
    for line in &verdict {
        println!("{line}");
    }
    if !verdict.is_empty() {
        bail!("tidy: {} complaints", verdict.len());
    }
    println!("tidy: {} files are in order", sources.len());
    Ok(())
}

/// The text files of the tree: those that Git has or would take.
fn sources() -> Result<Vec<Source>> {
    let root = crate::tree::root();
    let output = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(&root)
        .output()
        .context("starting git")?;
    if !output.status.success() {
        bail!("git ls-files: {}", String::from_utf8_lossy(&output.stderr));
    }
    let list = String::from_utf8(output.stdout)?;
    let mut paths: Vec<&str> = list.split('\0').filter(|path| !path.is_empty()).collect();
    paths.sort_unstable();
    paths.dedup();
    let mut sources = Vec::new();
    for path in paths {
        let file: PathBuf = root.join(path);
        // Deleted but not committed, a folder under a link, or not text: nothing to read.
        if let Ok(text) = std::fs::read_to_string(&file) {
            sources.push(Source::new(path, text));
        }
    }
    Ok(sources)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_tree_is_tidy() {
        assert!(super::run(&super::Options::default()).is_ok(), "see the complaints above");
    }
}
