//! R22: slots move under load.

use super::Scene;
use super::checker::Check;
use super::pty::Pty;
use super::stage::{Side, Stage, until};
use super::view::node;
use anyhow::{Context, Result, ensure};
use std::process::Command;

pub(crate) const SCENE: Scene = Scene {
    name: "R22",
    what: "reshard under load",
    better: &["answers"],
    compares: false,
    run: reshard,
};

/// How many slots each of the first three has.
fn sizes(stage: &Stage) -> Result<Vec<usize>> {
    (7000..7003).map(|port| Ok(node(stage, 7000, port)?.size())).collect()
}

/// The tutorial's example program, which is ours on either side.
fn example(stage: &Stage) -> Result<Pty> {
    let mut example = Command::new(&stage.ours);
    example.args(["example", "127.0.0.1:7000", "127.0.0.1:7001", "--no-sleep"]);
    Pty::spawn(example)
}

/// Ends it; it must have seen no error.
fn end_clean(mut example: Pty) -> Result<()> {
    example.interrupt()?;
    // A signal is its only end.
    let shown = example.rest()?;
    ensure!(!shown.contains("error"), "the example program saw {:?}", line_with(&shown, "error"));
    Ok(())
}

fn line_with<'t>(text: &'t str, word: &str) -> &'t str {
    text.lines().find(|line| line.contains(word)).unwrap_or_default()
}

fn reshard(stage: &mut Stage) -> Result<()> {
    stage.cluster()?;
    let check = Check::patient(stage)?;
    let mut program = example(stage)?;
    program.expect("\r\n100\r\n")?;
    let id = stage.say(7000, "cluster nodes")?;
    let id = line_with(&id, "myself").split(' ').next().unwrap_or_default().to_string();
    let mut shell = stage.shell()?;
    shell.enter(&stage.trib("reshard 127.0.0.1:7000"))?;
    shell.expect("How many slots do you want to move (from 1 to 16384)? ")?;
    if stage.side == Side::Ours {
        for wrong in ["0", "16385", "many"] {
            shell.enter(wrong)?;
            shell.expect("How many slots do you want to move (from 1 to 16384)? ")?;
        }
    }
    shell.enter("1000")?;
    shell.expect("What is the receiving node ID? ")?;
    if stage.side == Side::Ours {
        shell.enter("nobody")?;
        shell.expect("is not known or not a master, please retry.")?;
        shell.expect("What is the receiving node ID? ")?;
    }
    shell.enter(&id)?;
    shell.expect("Source node #1: ")?;
    shell.enter(&id)?;
    shell.expect("*** It is not possible to use the target node as source node.")?;
    shell.expect("Source node #1: ")?;
    shell.enter("all")?;
    let plan = shell.expect("Do you want to proceed with the proposed reshard plan (yes/no)? ")?;
    let lines = plan.lines().filter(|line| line.trim().starts_with("Moving slot ")).count();
    ensure!(lines == 1000, "{lines} lines in the plan");
    stage.fact("plan", lines.to_string());
    stage.fact("answers", if stage.side == Side::Ours { "asked again" } else { "one chance" });
    shell.enter("yes")?;
    shell.enter("echo rc=$?.")?;
    shell.expect("rc=0.")?;
    until("everybody knows", || Ok(sizes(stage)? == [6461, 4961, 4962]))?;
    stage.fact("sizes", format!("{:?}", sizes(stage)?));
    // The same without questions, while the load goes on.
    let back = stage.say(7001, "cluster myid")?;
    stage.trib_says(
        &format!("reshard --from {id} --to {back} --slots 100 --yes 127.0.0.1:7001"),
        "Ready to move 100 slots.",
    )?;
    until("everybody knows", || Ok(sizes(stage)? == [6361, 5061, 4962]))?;
    until("the nodes agree", || {
        Ok(stage.run_trib("check 127.0.0.1:7000")?.1.contains("[OK] All 16384 slots covered."))
    })?;
    stage.trib_says("check 127.0.0.1:7000", "[OK] All nodes agree about slots configuration.")?;
    end_clean(program)?;
    check.end_clean().context("the check")
}
