//! R8, R9, R10, R11: a cluster from six servers on two hosts, how making it fails, how to begin
//! again, and the demonstration. The second host is another address of this one.

use super::Scene;
use super::lan::Host;
use super::place::{PORTS, host};
use super::pty::Pty;
use super::stage::{Side, Stage, until};
use super::view::nodes;
use anyhow::{Context, Result, ensure};
use std::time::{Duration, Instant};

pub(crate) const CREATE: Scene = Scene {
    name: "R8",
    what: "create on two hosts",
    better: &["no", "warning"],
    compares: false,
    run: create,
};
pub(crate) const FAILS: Scene = Scene {
    name: "R9",
    what: "create fails well",
    better: &["bus", "input"],
    compares: false,
    run: fails,
};
pub(crate) const AGAIN: Scene = Scene {
    name: "R10",
    what: "clean and make it again",
    better: &[],
    compares: false,
    run: again,
};
pub(crate) const DEMO: Scene =
    Scene { name: "R11", what: "keys on two hosts", better: &[], compares: false, run: demo };

const A: &str = "127.0.0.1";
const B: &str = "127.0.0.2";
fn address(port: u16) -> &'static str {
    match host(port) {
        Host::A => A,
        Host::B => B,
    }
}

fn six(stage: &mut Stage) -> Result<()> {
    for port in PORTS {
        serve(stage, port, &[])?;
    }
    Ok(())
}

fn serve(stage: &mut Stage, port: u16, more: &[&str]) -> Result<()> {
    let common = ["--bind", "0.0.0.0", "--protected-mode", "no", "--cluster-enabled", "yes"];
    let own = ["--cluster-announce-ip", address(port), "--cluster-node-timeout", "5000"];
    stage.serve(stage.side, port, &[&common[..], &own, more].concat())
}

fn line() -> String {
    let nodes: Vec<String> = PORTS.map(|port| format!("{}:{port}", address(port))).collect();
    format!("create --replicas 1 {}", nodes.join(" "))
}

/// Makes the cluster, answering what is asked.
fn make(stage: &Stage) -> Result<String> {
    let mut shell = stage.shell()?;
    shell.enter(&stage.trib(&line()))?;
    let plan = shell.expect("Can I set the above configuration? (type 'yes' to accept): ")?;
    shell.enter("yes")?;
    shell.expect("[OK] All nodes agree about slots configuration.")?;
    shell.expect("[OK] All 16384 slots covered.")?;
    shell.enter("echo rc=$?")?;
    shell.expect("rc=0")?;
    for port in PORTS {
        until("every node knows all", || {
            let info = stage.say(port, "cluster info")?;
            let fields = ["state:ok", "slots_ok:16384", "known_nodes:6", "size:3"]
                .map(|f| format!("cluster_{f}"));
            Ok(fields.iter().all(|field| info.contains(field)))
        })?;
    }
    Ok(plan)
}

fn views(stage: &Stage) -> Result<Vec<String>> {
    // Pings are counted on, of course.
    let view = |port| {
        let lines = stage.say(port, "cluster nodes")?;
        Ok(lines.lines().map(|line| line.split(' ').take(4).collect::<String>() + "\n").collect())
    };
    PORTS.map(view).collect()
}

fn create(stage: &mut Stage) -> Result<()> {
    six(stage)?;
    let before = views(stage)?;
    let mut shell = stage.shell()?;
    shell.enter(&stage.trib(&line()))?;
    shell.expect(">>> Performing hash slots allocation on 6 nodes...")?;
    shell.expect("Can I set the above configuration? (type 'yes' to accept): ")?;
    shell.enter("no")?;
    shell.enter("echo rc-is-$?.")?;
    shell.expect("rc-is-$?.")?;
    shell.expect("rc-is-")?;
    let code = shell.expect(".")?;
    ensure!(code == "1." || stage.side == Side::Real, "'no' ends with success");
    stage.fact("no", code);
    ensure!(views(stage)? == before, "'no' has changed something");
    let plan = make(stage)?;
    let warning = plan.contains("127.0.0.1 holds 2 of the 3 masters");
    ensure!(warning || stage.side == Side::Real, "no warning about the majority: {plan}");
    stage.fact("warning", warning.to_string());

    until("replicas are known", || {
        Ok(stage.say(6379, "cluster nodes")?.matches("slave ").count() == 3)
    })?;
    let nodes = nodes(stage, 6379)?;
    let mut primaries = Vec::new();
    for node in &nodes {
        if node.primary == "-" {
            primaries.push(format!("{} {}", node.address, node.slots.join(" ")));
            continue;
        }
        let primary = nodes.iter().find(|other| other.id == node.primary);
        let (own, its) = (&node.address, &primary.context("its primary is unknown")?.address);
        ensure!(own.split(':').next() != its.split(':').next(), "{own} is beside {its}");
    }
    primaries.sort();
    let primaries = primaries.join(", ");
    let wanted = "127.0.0.1:6379 0-5460, 127.0.0.1:6380 10923-16383, 127.0.0.2:6382 5461-10922";
    ensure!(primaries == wanted, "{primaries}");
    stage.fact("primaries", primaries);
    Ok(())
}

fn fails(stage: &mut Stage) -> Result<()> {
    six(stage)?;
    let four = "create --replicas 1 127.0.0.1:6379 127.0.0.1:6380 127.0.0.1:6381 127.0.0.2:6382";
    let said = stage.trib_refuses(four, "at least 3 master nodes")?;
    ensure!(said.contains("At least 6 nodes are required"), "{said}");
    stage.end(6384)?;
    let before = PORTS.filter(|port| *port != 6384).map(|port| stage.say(port, "cluster nodes"));
    let before = before.collect::<Result<Vec<_>>>()?;
    stage.trib_refuses(
        &line(),
        "Could not connect to Redis at 127.0.0.2:6384: Connection refused",
    )?;
    stage.serve(stage.side, 6384, &["--bind", "0.0.0.0", "--protected-mode", "no"])?;
    let refused = "[ERR] Node 127.0.0.2:6384 is not configured as a cluster node.";
    stage.trib_refuses(&line(), refused)?;
    stage.end(6384)?;
    serve(stage, 6384, &[])?;
    if stage.side == Side::Ours {
        let said = stage.trib_refuses(&line(), "The input ended before")?;
        ensure!(said.contains("Can I set"), "{said}");
    }
    stage.fact("input", if stage.side == Side::Ours { "an error" } else { "none" });
    let after = PORTS.filter(|port| *port != 6384).map(|port| stage.say(port, "cluster nodes"));
    ensure!(after.collect::<Result<Vec<_>>>()? == before, "something was changed");

    if stage.side == Side::Ours {
        // The others are told a bus port at which nobody listens.
        stage.end(6384)?;
        stage.sh("rm -rf 6384/nodes.conf*")?;
        serve(stage, 6384, &["--cluster-announce-bus-port", "6399"])?;
        let began = Instant::now();
        let (code, said) = stage.sh(&format!("{} --yes", stage.trib(&line())))?;
        let named = said.contains("The port 6399 of node 127.0.0.2");
        ensure!(code == 1 && named, "rc {code}: {said}");
        ensure!(began.elapsed() < Duration::from_secs(30), "only after {:?}", began.elapsed());
        let left: Vec<String> =
            PORTS.map(|port| stage.say(port, "cluster nodes")).collect::<Result<_>>()?;
        ensure!(left.iter().all(|view| view.lines().count() == 1), "{left:?}");
        stage.end(6384)?;
        stage.sh("rm -rf 6384/nodes.conf*")?;
        serve(stage, 6384, &[])?;
    }
    stage.fact("bus", if stage.side == Side::Ours { "named" } else { "dots for ever" });
    make(stage)?;
    let empty = "[ERR] Node 127.0.0.1:6379 is not empty. Either the node already knows other nodes \
                 (check with CLUSTER NODES) or contains some key in database 0.";
    stage.trib_refuses(&line(), empty)?;
    Ok(())
}

fn again(stage: &mut Stage) -> Result<()> {
    six(stage)?;
    make(stage)?;
    stage.sh("redis-cli -c set key 1")?;
    let mut said = Vec::new();
    for port in PORTS {
        if stage.say(port, "role")?.starts_with("slave") && said.is_empty() {
            said.push(stage.say(port, "flushdb")?);
        }
    }
    ensure!(said == ["READONLY You can't write against a read only replica."], "{said:?}");
    stage.fact("flushdb", said.join(""));
    for port in PORTS {
        stage.say(port, "flushall")?;
        ensure!(stage.say(port, "cluster reset hard")? == "OK", "{port} is not reset");
    }
    make(stage)?;
    for port in PORTS {
        stage.end(port)?;
    }
    stage.sh("rm -rf */*.aof */*.rdb */appendonlydir */nodes.conf")?;
    six(stage)?;
    make(stage)?;
    ensure!(stage.sh("redis-cli -c get key")?.1.trim().is_empty(), "there is data left");
    stage.fact("made", "three times");
    Ok(())
}

fn demo(stage: &mut Stage) -> Result<()> {
    six(stage)?;
    make(stage)?;
    let mut command = stage.program(stage.side, "redis-cli");
    command.args(["-h", A, "-c", "-p", "6379"]);
    let mut cli = Pty::spawn(command)?;
    let first = [("set xxx taknk1", "OK"), ("get xxx", "\"taknk1\"")];
    cli.expect("127.0.0.1:6379> ")?;
    for (typed, shown) in first {
        cli.enter(typed)?;
        cli.expect(shown)?;
        cli.expect("127.0.0.1:6379> ")?;
    }
    cli.enter("exit")?;
    ensure!(cli.finish()? == 0, "it ends with an error");
    let mut command = stage.program(stage.side, "redis-cli");
    command.args(["-h", B, "-c", "-p", "6382"]);
    let mut cli = Pty::spawn(command)?;
    cli.expect("127.0.0.2:6382> ")?;
    cli.enter("get xxx")?;
    cli.expect("-> Redirected to slot [4038] located at 127.0.0.1:6379")?;
    cli.expect("\"taknk1\"")?;
    cli.expect("127.0.0.1:6379> ")?;
    cli.enter("exit")?;
    ensure!(cli.finish()? == 0, "it ends with an error");
    let said = ["get xxx", "get x", "cluster keyslot xxx"].map(|typed| stage.say(6382, typed));
    let said = said.into_iter().collect::<Result<Vec<_>>>()?.join("; ");
    let wanted = "MOVED 4038 127.0.0.1:6379; MOVED 16287 127.0.0.1:6380; 4038";
    ensure!(said == wanted, "{said}");
    stage.fact("without -c", said);
    Ok(())
}
