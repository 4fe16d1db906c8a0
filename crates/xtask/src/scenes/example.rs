//! R17: the example program: it writes one number after the other and never ends.

use super::Scene;
use super::pty::Pty;
use super::stage::{PORTS, Stage, covered, until};
use anyhow::{Context, Result, ensure};
use std::process::Command;

pub(crate) const SCENE: Scene = Scene {
    name: "R17",
    what: "the example program, through a crash",
    better: &[],
    // Redis's is a program in Ruby that is not installed.
    compares: true,
    run,
};

fn example(stage: &Stage, nodes: &[&str]) -> Result<Pty> {
    let mut command = Command::new(&stage.ours);
    command.arg("example").args(nodes);
    Pty::spawn(command)
}

fn run(stage: &mut Stage) -> Result<()> {
    stage.cluster()?;
    let both = ["127.0.0.1:7000", "127.0.0.1:7001"];
    let mut program = example(stage, &both)?;
    program.expect("1\r\n2\r\n3\r\n")?;
    program.interrupt()?;
    // A signal is its only end.
    ensure!(program.finish().is_err(), "it ends by itself");
    let last: u64 = stage.sh("redis-cli -c -p 7000 get __last__")?.1.trim().parse()?;
    ensure!(last >= 3, "it remembers {last}");

    let mut program = example(stage, &["127.0.0.1:7999", both[1]])?;
    program.expect(&format!("{}\r\n{}\r\n", last + 1, last + 2))?;
    // A replica that has no data yet cannot take over.
    for port in PORTS {
        until("replicas follow", || {
            Ok(!stage.say(port, "info replication")?.contains("master_link_status:down"))
        })?;
    }
    stage.end(7002)?;
    program.expect("error ")?;
    // It goes on, each number in its turn, once the replica has taken over.
    let failed = stage.sh("redis-cli -c -p 7000 get __last__")?.1;
    let failed: u64 = failed.trim().parse().unwrap_or(last + 2);
    program.expect(&format!("\r\n{}\r\n", failed + 20))?;
    program.interrupt()?;
    let _ = program.finish();
    let last: u64 = stage.sh("redis-cli -c -p 7000 get __last__")?.1.trim().parse()?;
    let gets = format!("for n in $(seq 1 {last}); do echo get foo$n; done | redis-cli -c -p 7000");
    let said = stage.sh(&gets)?.1;
    let found: Vec<&str> = said.lines().filter(|line| !line.starts_with("->")).collect();
    let wanted: Vec<String> = (1..=last).map(|n| n.to_string()).collect();
    ensure!(found == wanted, "not all are readable: {found:?}");
    stage.serve_node(7002, &[])?;
    covered().context("after the old primary is back")
}
