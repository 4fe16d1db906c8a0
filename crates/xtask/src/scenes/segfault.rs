//! R19: a primary is made to crash while the consistency check runs.

use super::Scene;
use super::checker::Check;
use super::pty::Pty;
use super::stage::{Side, Stage, covered, until};
use super::view::{linked, node, only_replica, replicas};
use anyhow::{Context, Result, ensure};
use std::process::Command;

pub(crate) const SCENE: Scene = Scene {
    name: "R19",
    what: "debug segfault under check",
    better: &["away"],
    compares: false,
    run,
};

const CRASH: u16 = 7002;
/// A cluster of ours at other ports than the tutorials': those are asked for often.
const ELSEWHERE: u16 = 21_001;

fn run(stage: &mut Stage) -> Result<()> {
    refused(stage)?;
    if stage.side == Side::Ours {
        clusters_of_ours(stage)?;
    }
    stage.cluster_with(&["--enable-debug-command", "local"])?;
    let heir = only_replica(stage, CRASH)?;
    linked(stage, heir)?;
    let check = Check::start(stage)?;
    let (_, masters) = stage.sh("redis-cli -p 7000 cluster nodes | grep master")?;
    ensure!(masters.lines().count() == 3, "{masters}");
    let (code, said) = stage.sh(&format!("redis-cli -p {CRASH} debug segfault"))?;
    ensure!(said.trim() == "Error: Server closed the connection", "rc {code}: {said}");
    stage.fact("said", format!("rc {code}: {}", said.trim()));
    until("the replica takes over", || {
        Ok(node(stage, 7000, heir)?.size() > 0 && node(stage, 7000, CRASH)?.is("fail"))
    })?;
    let slots = node(stage, 7000, heir)?.slots;
    ensure!(slots == ["10923-16383"], "{slots:?}");
    stage.fact("takes over", slots.join(" "));
    until("everybody serves again", || {
        let ok = |port| Ok(stage.say(port, "cluster info")?.contains("cluster_state:ok"));
        [7000, 7001, heir]
            .into_iter()
            .map(ok)
            .try_fold(true, |all, one: Result<bool>| Ok(all && one?))
    })?;
    // Until then no counter has been written at the new primary.
    prove(stage, check)?;
    report(stage)?;
    stage.end(CRASH)?;
    stage.serve_node(CRASH, &["--enable-debug-command", "local"])?;
    linked(stage, CRASH)?;
    until("it follows the new primary", || Ok(replicas(stage, heir)? == [CRASH]))?;
    stage.fact("comes back", "as a replica");
    covered()
}

/// Without the option nobody is crashed.
fn refused(stage: &mut Stage) -> Result<()> {
    stage.serve(stage.side, 6379, &[])?;
    let said = stage.say(6379, "debug segfault")?;
    let begin = "ERR DEBUG command not allowed. If the enable-debug-command option is set to \
                 \"local\"";
    ensure!(said.starts_with(begin), "{said}");
    ensure!(stage.say(6379, "ping")? == "PONG", "it has crashed all the same");
    stage.fact("refused", said);
    stage.end(6379)
}

/// What the tutorial types works in the clusters that we make.
fn clusters_of_ours(stage: &Stage) -> Result<()> {
    let ask = format!("redis-cli -p {ELSEWHERE} config get enable-debug-command");
    let local = |how: &str| -> Result<()> {
        let (_, said) = stage.sh(&ask)?;
        ensure!(said.lines().last() == Some("local"), "{how}: {said}");
        Ok(())
    };
    let settings = format!("PORT={}\nNODES=3\nREPLICAS=0\n", ELSEWHERE - 1);
    std::fs::create_dir(stage.path("made"))?;
    std::fs::write(stage.path("made/config.sh"), settings)?;
    stage.sh("cd made && create-cluster start")?;
    let said = local("create-cluster");
    stage.sh("cd made && create-cluster stop && create-cluster clean")?;
    said?;
    let mut command = Command::new(&stage.ours);
    command.args(["up", "--port", &ELSEWHERE.to_string(), "--dir"]).arg(stage.path("up"));
    let mut up = Pty::spawn(command)?;
    up.expect("redis-cli -c")?;
    let said = local("up");
    up.interrupt()?;
    up.rest()?;
    ensure!(up.finish()? == 0, "up ends with an error");
    said
}

/// The check has lost nothing, and was refused for less than a second.
fn prove(stage: &mut Stage, mut check: Check) -> Result<()> {
    // It goes on in all slots.
    let mut last = None;
    check.until(|seen| {
        let before = last.replace(*seen);
        before.is_some_and(|old| old.errors() == seen.errors() && old.writes < seen.writes)
    })?;
    let (seen, longest, code) = check.end()?;
    ensure!(seen.lost == 0 && code == 0, "rc {code}: {seen:?}");
    ensure!(seen.errors() > 0, "nobody has noticed: {seen:?}");
    println!("  {} errors, away for {longest} s", seen.errors());
    ensure!(longest < 1.0 || stage.side == Side::Real, "away for {longest} s: {seen:?}");
    stage.fact("away", if longest < 1.0 { "less than a second" } else { "longer" });
    Ok(())
}

/// The log says what has happened.
fn report(stage: &mut Stage) -> Result<()> {
    let log = stage.log(CRASH)?;
    let lines =
        ["=== REDIS BUG REPORT START: Cut & paste starting from here ===", "crashed by signal: 11"];
    for line in lines {
        let found = log.lines().find(|shown| shown.contains(line));
        found.with_context(|| format!("no {line:?} in the log: {log}"))?;
    }
    stage.fact("report", "signal 11");
    Ok(())
}
