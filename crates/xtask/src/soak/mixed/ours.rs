//! `cargo xtask soak --failover`: clusters of our nodes alone, and how soon they are whole again.

use super::super::member::{Kind, Programs};
use super::cluster::Cluster;
use super::load::Figures;
use super::rows::{Row, load};
use anyhow::{Result, ensure};
use rustix::process::Signal;
use std::thread::sleep;
use std::time::Duration;

/// `cluster-node-timeout` as it is by default, and a short one, in milliseconds.
const USUAL: u16 = 15_000;
const SHORT: u16 = 2000;
/// How soon a supervisor starts a process again.
const AT_ONCE: Duration = Duration::from_millis(100);

/// All rows.
pub(super) fn rows() -> Vec<Row> {
    vec![
        Row::of_ours("kill -9 (15 s)", 1.0, |programs, _| died(programs, Life::Over)),
        Row::of_ours("kill -9, back without data after 100 ms (15 s)", 1.0, |programs, _| {
            died(programs, Life::Again)
        }),
        Row::of_ours("SIGSTOP, then SIGCONT (2 s)", 3.0, |programs, _| hung(programs)),
        Row::of_ours("4 of 10 primaries killed at once (15 s)", 3.0, |programs, _| four(programs)),
    ]
}

/// What becomes of a killed process before it has been replaced.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Life {
    Over,
    Again,
}

/// So many primaries, each with a replica.
fn start(programs: &Programs, timeout: u16, shards: usize) -> Result<Cluster> {
    let replicas: Vec<_> = (0..shards).map(|primary| (Kind::Holdfast, primary)).collect();
    Cluster::start_with(programs, timeout, &vec![Kind::Holdfast; shards], &replicas)
}

/// Nothing is lost where a replica was left, whatever the load counted.
fn ended(cluster: &Cluster, load: super::load::Load, former: &[usize]) -> Result<Figures> {
    cluster.settle()?;
    let figures = load.end()?;
    for node in former {
        let role = cluster.role(*node)?;
        ensure!(role == "slave", "the old primary {node} is not a replica: {role}");
    }
    cluster.compare()?;
    Ok(figures)
}

fn died(programs: &Programs, life: Life) -> Result<Figures> {
    let mut cluster = start(programs, USUAL, 3)?;
    let load = load(&cluster)?;
    cluster.nodes[0].member.kill()?;
    if life == Life::Again {
        sleep(AT_ONCE);
        cluster.again(0)?;
    }
    cluster.promoted(3)?;
    if life == Life::Over {
        cluster.again(0)?;
    }
    ended(&cluster, load, &[0])
}

fn hung(programs: &Programs) -> Result<Figures> {
    let cluster = start(programs, SHORT, 3)?;
    let load = load(&cluster)?;
    cluster.nodes[0].member.signal(Signal::STOP)?;
    cluster.promoted(3)?;
    cluster.nodes[0].member.signal(Signal::CONT)?;
    ended(&cluster, load, &[0])
}

fn four(programs: &Programs) -> Result<Figures> {
    let mut cluster = start(programs, USUAL, 10)?;
    let load = load(&cluster)?;
    for node in 0..4 {
        cluster.nodes[node].member.signal(Signal::KILL)?;
    }
    for node in 0..4 {
        cluster.promoted(10 + node)?;
        cluster.nodes[node].member.kill()?;
        cluster.again(node)?;
    }
    ended(&cluster, load, &[0, 1, 2, 3])
}
