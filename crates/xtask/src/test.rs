//! `cargo xtask test`: everything a change must pass, in order, up to the first red.
//!
//! Each step has a heading, a time of its own and a limit. A step whose target does not exist yet
//! is not in the list: nothing is skipped silently. The simulation always is.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::tree;

struct Step {
    name: &'static str,
    command: Command,
    limit: Duration,
}

impl Step {
    fn cargo(name: &'static str, minutes: u64, arguments: &[&str]) -> Self {
        let mut command = Command::new(tree::cargo());
        command.args(arguments).current_dir(tree::root());
        Self { name, command, limit: Duration::from_secs(minutes * 60) }
    }
}

/// Runs all steps; the first that fails ends the run.
pub(crate) fn run() -> Result<()> {
    let steps = steps()?;
    let names: Vec<&str> = steps.iter().map(|step| step.name).collect();
    println!("steps: {}", names.join(", "));
    let start = Instant::now();
    let count = steps.len();
    for (index, mut step) in steps.into_iter().enumerate() {
        println!("\n== {}/{count} {} (at most {:.0?})", index + 1, step.name, step.limit);
        let begun = Instant::now();
        let outcome = bounded(&mut step.command, step.limit);
        let took = begun.elapsed();
        match outcome {
            Ok(status) if status.success() => println!("== {}: green in {took:.1?}", step.name),
            Ok(status) => bail!("{}: red after {took:.1?} ({status})", step.name),
            Err(error) => {
                return Err(error).context(format!("{}: red after {took:.1?}", step.name));
            }
        }
    }
    println!("\n== all {count} steps green in {:.1?}", start.elapsed());
    Ok(())
}

fn steps() -> Result<Vec<Step>> {
    let root = tree::root();
    let mut tidy = Command::new(std::env::current_exe()?);
    tidy.arg("tidy").current_dir(&root);
    let mut steps = vec![
        Step::cargo("format", 2, &["fmt", "--all", "--check"]),
        Step::cargo(
            "clippy",
            20,
            &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"],
        ),
        Step { name: "tidy", command: tidy, limit: Duration::from_secs(60) },
    ];
    let end_to_end = has_target(&root, "holdfast", "tests", "e2e");
    if nextest() {
        let mut tests =
            Step::cargo("tests", 30, &["nextest", "run", "--workspace", "--no-fail-fast"]);
        if end_to_end {
            // These have a step of their own, on the release build.
            tests.command.args(["-E", "not (package(holdfast) & binary(e2e))"]);
        }
        steps.push(tests);
        steps.push(Step::cargo("doc tests", 20, &["test", "--workspace", "--doc"]));
    } else {
        steps.push(Step::cargo("tests", 40, &["test", "--workspace", "--no-fail-fast"]));
    }
    if root.join("crates/holdfast/Cargo.toml").exists() {
        let arguments = ["build", "--release", "-p", "holdfast"];
        steps.push(Step::cargo("release build", 30, &arguments));
    }
    if end_to_end {
        let arguments = ["test", "--release", "-p", "holdfast", "--test", "e2e"];
        steps.push(Step::cargo("end to end", 30, &arguments));
    }
    let mut suite = Command::new(std::env::current_exe()?);
    suite.args(["conformance", "--fast", "--ours"]).current_dir(&root);
    suite.arg(tree::target_folder().join("release/holdfast"));
    steps.push(Step { name: "conformance", command: suite, limit: Duration::from_secs(600) });
    steps.push(simulation()?);
    Ok(steps)
}

/// Seeds that follow from the commit: another change meets other faults, and a red one can be run
/// again.
fn simulation() -> Result<Step> {
    let output = Command::new("git").args(["rev-parse", "HEAD"]).current_dir(tree::root()).output();
    let output = output.context("starting git")?;
    if !output.status.success() {
        bail!("git rev-parse HEAD: {}", String::from_utf8_lossy(&output.stderr));
    }
    let commit = String::from_utf8(output.stdout)?;
    let arguments = ["run", "--release", "-p", "sim", "--bin", "sim", "--", "--for", "120s"];
    let mut step = Step::cargo("simulation", 20, &arguments);
    step.command.args(["--seed-from", commit.trim()]);
    Ok(step)
}

/// Whether this crate has a target of this name, by Cargo's own layout or by its manifest.
fn has_target(root: &Path, name: &str, folder: &str, target: &str) -> bool {
    let package = root.join("crates").join(name);
    let named = format!("name = \"{target}\"");
    let manifest = fs::read_to_string(package.join("Cargo.toml")).unwrap_or_default();
    let listed = manifest.split("\n[[").skip(1).any(|table| table.contains(&named));
    let folder = package.join(folder);
    listed
        || folder.join(format!("{target}.rs")).exists()
        || folder.join(target).join("main.rs").exists()
}

fn nextest() -> bool {
    let output = Command::new(tree::cargo()).args(["nextest", "--version"]).output();
    output.is_ok_and(|output| output.status.success())
}

/// Waits for a command, but no longer than this; then it is stopped, with all that it started.
fn bounded(command: &mut Command, limit: Duration) -> Result<ExitStatus> {
    let mut child = command.spawn().context("starting it")?;
    let deadline = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if Instant::now() > deadline {
            stop(&mut child)?;
            bail!("not done within {limit:.0?}");
        }
        sleep(Duration::from_millis(50));
    }
}

/// Cargo does not pass a kill on, so whatever descends from it is found first.
fn stop(child: &mut Child) -> Result<()> {
    let descendants = descendants(child.id());
    child.kill()?;
    for pid in descendants.into_iter().filter_map(|pid| Pid::from_raw(pid as i32)) {
        // It may have ended with its parent.
        let _ = kill_process(pid, Signal::KILL);
    }
    child.wait()?;
    Ok(())
}

fn descendants(pid: u32) -> Vec<u32> {
    let mut found = Vec::new();
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { return found };
    for task in tasks.flatten() {
        let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
        for child in children.split_whitespace().filter_map(|word| word.parse().ok()) {
            found.push(child);
            found.extend(descendants(child));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_too_long_is_stopped_with_its_children() {
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 60 & wait"]);
        let begun = Instant::now();
        assert!(bounded(&mut command, Duration::from_millis(200)).is_err());
        assert!(begun.elapsed() < Duration::from_secs(20));
    }
}
