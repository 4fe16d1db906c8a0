//! `cargo xtask docs`: writes the pages that are made from tables.

use crate::tree;
use anyhow::{Result, ensure};
use std::process::Command;

/// Writes `docs/config.md`.
pub(crate) fn run() -> Result<()> {
    let output = Command::new(tree::cargo())
        .args(["run", "-q", "-p", "holdfast", "--", "server", "--list-directives"])
        .current_dir(tree::root())
        .output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::create_dir_all(tree::root().join("docs"))?;
    std::fs::write(tree::root().join("docs/config.md"), output.stdout)?;
    Ok(())
}
