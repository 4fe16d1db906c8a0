//! R18: the consistency check, and what it says when somebody meddles with its counters.

use super::Scene;
use super::pty::Pty;
use super::stage::Stage;
use anyhow::{Context, Result, ensure};
use std::process::Command;

pub(crate) const SCENE: Scene = Scene {
    name: "R18",
    what: "holdfast check, a counter changed behind it",
    better: &[],
    compares: false,
    run,
};

fn run(stage: &mut Stage) -> Result<()> {
    stage.cluster()?;
    let mut check = check(stage)?;
    let before: u64 = say(stage, &["get", "key_217"])?.parse().unwrap_or(0);
    ensure!(say(stage, &["set", "key_217", "0"])? == "OK", "the counter cannot be set");
    let line = check.expect(" lost |")?;
    let lost: u64 = number_before(&line, " lost |")?;
    ensure!(before > 0 && lost >= before, "{lost} lost, but the counter was {before}");
    check.interrupt()?;
    ensure!(check.finish()? == 1, "lost writes, and the exit status is not 1");
    stage.fact("lost", "| K lost |, rc 1");

    let mut check = self::check(stage)?;
    say(stage, &["incrby", "key_217", "1000"])?;
    let line = check.expect(" noack |")?;
    let more: u64 = number_before(&line, " noack |")?;
    ensure!(more == 1000, "{more} noack, not 1000");
    check.interrupt()?;
    ensure!(check.finish()? == 0, "nothing was lost, and the exit status is not 0");
    stage.fact("noack", "| K noack |, rc 0");
    Ok(())
}

/// A check that has raised every counter a few times without an error.
fn check(stage: &Stage) -> Result<Pty> {
    let mut command = Command::new(&stage.ours);
    command.args(["check", "127.0.0.1", "7000", "--duration", "50"]);
    let mut check = Pty::spawn(command)?;
    loop {
        check.expect(" R (0 err) | ")?;
        let line = check.expect(" W (0 err) |")?;
        if number_before(&line, " W (0 err) |")? >= 10_000 {
            return Ok(check);
        }
    }
}

/// One command by `redis-cli -c`, as the other tab types it; what it prints.
fn say(stage: &Stage, words: &[&str]) -> Result<String> {
    let mut command = stage.program(stage.side, "redis-cli");
    let output = command.args(["-c", "-p", "7000"]).args(words).output()?;
    ensure!(output.status.success(), "{command:?} failed");
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_string())
}

fn number_before(text: &str, end: &str) -> Result<u64> {
    let word = text.strip_suffix(end).and_then(|text| text.rsplit(' ').next());
    word.and_then(|word| word.trim().parse().ok()).with_context(|| format!("no number: {text:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_the_last_word() {
        assert_eq!(number_before("1 W (0 err) | 35 lost |", " lost |").unwrap(), 35);
        assert_eq!(number_before("35 W (0 err) |", " W (0 err) |").unwrap(), 35);
    }
}
