//! R18: the consistency check, and what it says when somebody meddles with its counters.

use super::Scene;
use super::checker::Check;
use super::stage::Stage;
use anyhow::{Result, ensure};

pub(crate) const SCENE: Scene = Scene {
    name: "R18",
    what: "holdfast check, a counter changed behind it",
    better: &[],
    compares: false,
    run,
};

/// As the other tab types it.
fn other_tab(stage: &Stage, line: &str) -> Result<String> {
    let (code, said) = stage.sh(&format!("redis-cli -c -p 7000 {line}"))?;
    ensure!(code == 0, "{line}: rc {code}: {said}");
    let value = said.lines().find(|line| !line.is_empty() && !line.starts_with("->"));
    Ok(value.unwrap_or_default().trim().to_string())
}

fn run(stage: &mut Stage) -> Result<()> {
    stage.cluster()?;
    let mut check = Check::patient(stage)?;
    // As `set key_217 0`, but it tells what is lost by it.
    let before: u64 = other_tab(stage, "getset key_217 0")?.parse()?;
    let seen = check.until(|seen| seen.lost > 0)?;
    ensure!(before > 0 && seen.lost == before, "it was {before} before: {seen:?}");
    let (seen, _, code) = check.end()?;
    ensure!(code == 1, "rc {code}, {seen:?}");
    stage.fact("lost", "| K lost |, rc 1");

    let mut check = Check::patient(stage)?;
    other_tab(stage, "incrby key_217 1000")?;
    let seen = check.until(|seen| seen.noack > 0)?;
    ensure!(seen.noack == 1000, "{seen:?}");
    let (seen, _, code) = check.end()?;
    ensure!(code == 0 && seen.lost == 0, "rc {code}, {seen:?}");
    stage.fact("noack", "| K noack |, rc 0");
    Ok(())
}
