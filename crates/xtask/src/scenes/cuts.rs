//! R32, R33, R35: a link that breaks, gates that close, and ends that are busy.

use super::Scene;
use super::follow::level;
use super::stage::{Side, Stage, until};
use super::view::linked;
use crate::relay::Relay;
use anyhow::{Result, ensure};
use std::time::{Duration, Instant};

pub(crate) const CUTS: Scene = Scene {
    name: "R32",
    what: "short and long cuts",
    better: &["size", "empty"],
    compares: false,
    run: cuts,
};
pub(crate) const GATES: Scene =
    Scene { name: "R33", what: "gates", better: &[], compares: false, run: gates };
pub(crate) const BEATS: Scene = Scene {
    name: "R35",
    what: "busy ends keep the link",
    better: &["links lost", "warning"],
    compares: false,
    run: beats,
};

const PRIMARY: u16 = 6379;
const REPLICA: u16 = 6380;

/// How the primary has synchronised replicas: in full, in part.
fn syncs(stage: &Stage) -> Result<[String; 2]> {
    Ok([stage.field(PRIMARY, "sync_full")?, stage.field(PRIMARY, "sync_partial_ok")?])
}

fn cuts(stage: &mut Stage) -> Result<()> {
    stage.serve(stage.side, PRIMARY, &["--repl-backlog-size", "1mb"])?;
    let wire = Relay::to(PRIMARY)?;
    stage.serve(stage.side, REPLICA, &["--slaveof", "127.0.0.1", &wire.port.to_string()])?;
    linked(stage, REPLICA)?;
    wire.cut();
    stage.say(PRIMARY, "set few 1")?;
    std::thread::sleep(Duration::from_secs(1));
    wire.mend();
    linked(stage, REPLICA)?;
    level(stage, &[PRIMARY, REPLICA])?;
    ensure!(syncs(stage)? == ["1", "1"], "after a short cut: {:?}", syncs(stage)?);

    wire.cut();
    stage.sh("redis-benchmark -p 6379 -q -n 50 -d 100000 -t set")?;
    wire.mend();
    linked(stage, REPLICA)?;
    level(stage, &[PRIMARY, REPLICA])?;
    ensure!(syncs(stage)? == ["2", "1"], "after a long cut: {:?}", syncs(stage)?);
    let told = stage.log(PRIMARY)?.contains("A repl-backlog-size of ");
    ensure!(told || stage.side == Side::Real, "the log does not say what would have sufficed");
    stage.fact("size", if told { "told" } else { "not told" });

    stage.say(PRIMARY, "shutdown save")?;
    stage.end(PRIMARY)?;
    stage.serve(stage.side, PRIMARY, &["--repl-backlog-size", "1mb"])?;
    linked(stage, REPLICA)?;
    ensure!(syncs(stage)? == ["0", "1"], "after a restart: {:?}", syncs(stage)?);

    stage.end(PRIMARY)?;
    stage.sh("rm -f 6379/dump.rdb")?;
    stage.serve(stage.side, PRIMARY, &["--repl-backlog-size", "1mb"])?;
    let refuses = |stage: &Stage| -> Result<bool> {
        Ok(stage.field(REPLICA, "master_link_status")? == "down"
            && stage.log(REPLICA)?.to_lowercase().contains("empty"))
    };
    let kept = if stage.side == Side::Ours {
        until("the replica refuses", || refuses(stage))?;
        stage.say(REPLICA, "get few")?
    } else {
        linked(stage, REPLICA)?;
        stage.say(REPLICA, "get few")?
    };
    ensure!(kept == "1" || stage.side == Side::Real, "the replica has lost its data: {kept}");
    stage.fact("empty", kept);
    Ok(())
}

fn gates(stage: &mut Stage) -> Result<()> {
    stage.serve(
        stage.side,
        PRIMARY,
        &["--min-slaves-to-write", "2", "--min-slaves-max-lag", "8"],
    )?;
    let mut said = vec![stage.say(PRIMARY, "set key 1")?];
    for port in [REPLICA, 6381] {
        let follow = ["--slaveof", "127.0.0.1", "6379", "--slave-serve-stale-data", "no"];
        stage.serve(stage.side, port, &follow)?;
        linked(stage, port)?;
    }
    until("two are good", || Ok(stage.field(PRIMARY, "min_slaves_good_slaves")? == "2"))?;
    said.push(stage.say(PRIMARY, "set key 1")?);
    let stopped = stage.pid(6381)?;
    let began = Instant::now();
    stage.sh(&format!("kill -STOP {stopped}"))?;
    until("writes are refused", || Ok(stage.say(PRIMARY, "set key 2")?.contains("NOREPLICAS")))?;
    let took = began.elapsed();
    ensure!(took < Duration::from_millis(10_500), "refused after {took:?} only");
    said.push(stage.say(PRIMARY, "set key 2")?);
    said.push(stage.say(PRIMARY, "get key")?);
    stage.sh(&format!("kill -CONT {stopped}"))?;
    until("writes go on", || Ok(stage.say(PRIMARY, "set key 3")? == "OK"))?;
    level(stage, &[PRIMARY, REPLICA, 6381])?;
    said.push(stage.say(REPLICA, "set key 4")?);
    stage.end(PRIMARY)?;
    until("the link is down", || {
        Ok(stage.say(REPLICA, "info replication")?.contains("master_link_status:down"))
    })?;
    said.push(stage.say(REPLICA, "get key")?);
    said.push(stage.say(REPLICA, "slaveof no one")?);
    said.push(stage.say(REPLICA, "get key")?);
    let none = "NOREPLICAS Not enough good replicas to write.";
    let down = "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.";
    let readonly = "READONLY You can't write against a read only replica.";
    ensure!(said == [none, "OK", none, "2", readonly, down, "OK", "3"], "{said:?}");
    stage.fact("said", said.join("; "));
    Ok(())
}

/// Keys that KEYS has to go over: seconds of work for a server that does it in one go.
const KEYS: u32 = 5_000_000;

fn beats(stage: &mut Stage) -> Result<()> {
    let both = "--repl-timeout 5 --repl-ping-slave-period 1 --enable-debug-command yes";
    let both: Vec<&str> = both.split(' ').chain(["--save", ""]).collect();
    stage.serve(stage.side, PRIMARY, &both)?;
    stage.say(PRIMARY, &format!("debug populate {KEYS}"))?;
    stage.serve(stage.side, REPLICA, &[&both[..], &["--slaveof", "127.0.0.1", "6379"]].concat())?;
    linked(stage, REPLICA)?;
    for port in [REPLICA, PRIMARY] {
        for _ in 0..2 {
            stage.sh(&format!("redis-cli -p {port} keys '*' > /dev/null"))?;
        }
    }
    let quiet = Instant::now() + Duration::from_secs(6);
    while Instant::now() < quiet {
        let status = stage.field(REPLICA, "master_link_status")?;
        ensure!(status == "up" || stage.side == Side::Real, "the link is {status}");
        std::thread::sleep(Duration::from_millis(200));
    }
    let [full, partial] = syncs(stage)?;
    let lost = full.parse::<u32>()? + partial.parse::<u32>()? - 1;
    ensure!(lost == 0 || stage.side == Side::Real, "the link was lost {lost} times");
    stage.fact("links lost", lost.to_string());
    let slow = ["--repl-ping-slave-period", "10", "--repl-timeout", "5", "--save", ""];
    stage.serve(stage.side, 6381, &slow)?;
    let warned = stage.log(6381)?.contains("repl-timeout (5) is not larger than");
    ensure!(warned || stage.side == Side::Real, "no warning about the timeout");
    stage.fact("warning", if warned { "given" } else { "none" });
    Ok(())
}
