//! R22, R23: slots move under load, and a move is interrupted.

use super::Scene;
use super::pty::Pty;
use super::stage::{PORTS, Side, Stage, until};
use anyhow::{Context, Result, bail, ensure};
use std::process::{Command, Stdio};
use wire::slot::slot;

pub(crate) const RESHARD: Scene = Scene {
    name: "R22",
    what: "reshard under load",
    better: &["answers"],
    compares: false,
    run: reshard,
};
pub(crate) const INTERRUPTED: Scene = Scene {
    name: "R23",
    what: "a move is interrupted",
    better: &[],
    compares: false,
    run: interrupted,
};

/// How many slots each of the first three has.
fn sizes(stage: &Stage) -> Result<Vec<usize>> {
    let nodes = stage.say(7000, "cluster nodes")?;
    let size = |port: u16| {
        let at = format!(":{port}@");
        let line = nodes.lines().find(|line| line.contains(&at)).unwrap_or_default();
        let runs = line.split(' ').skip(8).filter(|word| !word.starts_with('['));
        let run = |word: &str| -> usize {
            let (first, last) = word.split_once('-').unwrap_or((word, word));
            let number = |word: &str| word.parse::<usize>().unwrap_or(0);
            number(last) + 1 - number(first)
        };
        runs.map(run).sum()
    };
    Ok((7000..7003).map(size).collect())
}

/// The two programs of the tutorial, which are ours on either side.
fn load(stage: &Stage) -> Result<(Pty, Pty)> {
    let mut example = Command::new(&stage.ours);
    example.args(["example", "127.0.0.1:7000", "127.0.0.1:7001", "--no-sleep"]);
    let mut check = Command::new(&stage.ours);
    check.args(["check", "127.0.0.1", "7000", "--json", "--duration", "170"]);
    Ok((Pty::spawn(example)?, Pty::spawn(check)?))
}

/// What both have seen: the errors of the one, the errors and losses of the other.
fn seen(mut example: Pty, mut check: Pty) -> Result<()> {
    example.interrupt()?;
    // A signal is its only end.
    let shown = example.rest()?;
    ensure!(!shown.contains("error"), "the example program saw {:?}", line_with(&shown, "error"));
    check.interrupt()?;
    let report = check.expect("}")?;
    let none =
        ["\"read_errors\":0,", "\"write_errors\":0,", "\"lost\":0,", "\"unacknowledged\":0,"];
    ensure!(none.iter().all(|field| report.contains(field)), "the check saw: {report}");
    Ok(())
}

fn line_with<'t>(text: &'t str, word: &str) -> &'t str {
    text.lines().find(|line| line.contains(word)).unwrap_or_default()
}

fn reshard(stage: &mut Stage) -> Result<()> {
    stage.cluster()?;
    let (mut example, check) = load(stage)?;
    example.expect("\r\n100\r\n")?;
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
    seen(example, check)
}

/// Keys in the slot that is interrupted.
const KEYS: u32 = 30_000;

fn keys(stage: &Stage) -> Result<u32> {
    PORTS
        .map(|port| -> Result<u32> {
            // A replica's are its primary's.
            match stage.say(port, "role")?.starts_with("master") {
                true => Ok(stage.say(port, "dbsize")?.parse()?),
                false => Ok(0),
            }
        })
        .sum()
}

fn interrupted(stage: &mut Stage) -> Result<()> {
    stage.cluster()?;
    // The slot that goes first.
    let tag = (0..1_000_000).map(|n| n.to_string()).find(|tag| slot(tag.as_bytes()) == 5461);
    let tag = tag.context("a tag of that slot")?;
    let fill =
        format!("seq 1 {KEYS} | sed 's/.*/set {{{tag}}}:& &/' | redis-cli -p 7001 > /dev/null");
    stage.sh(&fill)?;
    ensure!(keys(stage)? == KEYS, "{} keys", keys(stage)?);
    let (from, to) = (stage.say(7001, "cluster myid")?, stage.say(7000, "cluster myid")?);
    let line =
        format!("reshard --from {from} --to {to} --slots 1 --pipeline 1 --yes 127.0.0.1:7000");
    let typed = stage.trib(&line);
    let mut words = typed.split(' ');
    let mut command = stage.program(stage.side, words.next().context("a program")?);
    let mut tool = command.args(words).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let count = format!("cluster countkeysinslot {}", slot(tag.as_bytes()));
    let begun = until("some keys have gone", || Ok(stage.say(7000, &count)? != "0"));
    tool.kill()?;
    tool.wait()?;
    begun?;
    let left: u32 = stage.say(7001, &count)?.parse()?;
    if left == 0 {
        bail!("all {KEYS} keys were moved before the tool could be killed");
    }
    let said = stage.trib_refuses("check 127.0.0.1:7000", "has slots in migrating state 5461.")?;
    ensure!(said.contains("has slots in importing state 5461."), "{said}");
    let refused = "*** Please fix your cluster problems before resharding";
    stage.trib_refuses(&line, refused)?;
    stage.fact("interrupted", "open, and refused");
    stage.run_trib("fix 127.0.0.1:7000")?;
    until("it is in order", || Ok(stage.run_trib("check 127.0.0.1:7000")?.0 == 0))?;
    ensure!(keys(stage)? == KEYS, "{} keys, not {KEYS}", keys(stage)?);
    let owner: Vec<u32> = [7000, 7001]
        .map(|port| stage.say(port, &count).and_then(|text| Ok(text.parse()?)))
        .into_iter()
        .collect::<Result<_>>()?;
    ensure!(owner.contains(&KEYS) && owner.contains(&0), "keys are at both: {owner:?}");
    stage.fact("fixed", "every key once");
    Ok(())
}
