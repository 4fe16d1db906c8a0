//! R29: a replica moves to a primary that has lost its last one.

use super::Scene;
use super::stage::{Stage, until};
use super::view::{linked, nodes, only_replica, replicas};
use anyhow::{Context, Result, ensure};
use std::time::{Duration, Instant};

pub(crate) const SCENE: Scene =
    Scene { name: "R29", what: "replicas migrate", better: &[], compares: false, run };

/// Longer than an orphan waits, which is five seconds.
const LONG: Duration = Duration::from_secs(9);

fn run(stage: &mut Stage) -> Result<()> {
    stage.cluster()?;
    let mut alive: Vec<u16> = (7000..7006).collect();
    add(stage, &mut alive, 7006, 7000)?;
    let first = orphan(stage, &mut alive, 7001)?;
    set(stage, &alive, "cluster-migration-barrier 2")?;
    stays(stage, 7001).context("with a barrier of 2")?;
    set(stage, &alive, "cluster-allow-replica-migration no")?;
    set(stage, &alive, "cluster-migration-barrier 1")?;
    stays(stage, 7001).context("when it is not allowed")?;
    stage.fact("barrier 2; not allowed", "stay");
    set(stage, &alive, "cluster-allow-replica-migration yes")?;
    until("a replica of 7000 follows 7001", || Ok(counts(stage)? == [1, 1, 1]))?;
    stage.fact("barrier 1", "one of two goes to the orphan");

    // The one that was lost comes back to where it was, and 7000 gets three.
    stage.serve_node(first, &[])?;
    alive.push(first);
    add(stage, &mut alive, 7007, 7000)?;
    add(stage, &mut alive, 7008, 7000)?;
    until("they are known", || Ok(counts(stage)? == [3, 2, 1]))?;
    let before = replicas(stage, 7000)?;
    orphan(stage, &mut alive, 7002)?;
    until("a replica of 7000 follows 7002", || Ok(counts(stage)? == [2, 2, 1]))?;
    until("7002 knows, too", || {
        Ok(replicas(stage, 7002)?.iter().any(|port| before.contains(port)))
    })?;
    stage.fact("three, two and none", "the primary with most gives one");
    for port in alive {
        if nodes(stage, port)?.iter().any(|node| node.is("myself") && node.is("slave")) {
            linked(stage, port)?;
        }
    }
    Ok(())
}

/// A new replica of a primary.
fn add(stage: &mut Stage, alive: &mut Vec<u16>, port: u16, of: u16) -> Result<()> {
    stage.serve_node(port, &[])?;
    let id = stage.say(of, "cluster myid")?;
    let line = format!("add-node --slave --master-id {id} 127.0.0.1:{port} 127.0.0.1:7000");
    stage.trib_says(&line, "[OK] New node added correctly.")?;
    alive.push(port);
    until("it is known", || Ok(replicas(stage, of)?.contains(&port)))?;
    linked(stage, port)
}

/// Ends the only replica of a primary, and waits until everybody knows; which one it was.
fn orphan(stage: &mut Stage, alive: &mut Vec<u16>, port: u16) -> Result<u16> {
    let own = only_replica(stage, port)?;
    stage.end(own)?;
    alive.retain(|port| *port != own);
    for port in &*alive {
        until("the replica's end is known", || {
            let nodes = nodes(stage, *port)?;
            Ok(nodes.iter().any(|node| node.port == own && node.is("fail")))
        })?;
    }
    Ok(own)
}

fn set(stage: &Stage, ports: &[u16], what: &str) -> Result<()> {
    for port in ports {
        let said = stage.say(*port, &format!("config set {what}"))?;
        ensure!(said == "OK", "{what} at {port}: {said}");
    }
    Ok(())
}

/// How many living replicas the three primaries have, as 7000 sees it.
fn counts(stage: &Stage) -> Result<[usize; 3]> {
    let nodes = nodes(stage, 7000)?;
    let id = |port| nodes.iter().find(|node| node.port == port).map(|node| node.id.clone());
    Ok([7000, 7001, 7002].map(|port| {
        let of = id(port).unwrap_or_default();
        nodes.iter().filter(|node| node.primary == of && !node.is("fail")).count()
    }))
}

/// Watches for longer than a replica would take to move.
fn stays(stage: &Stage, orphan: u16) -> Result<()> {
    let end = Instant::now() + LONG;
    while Instant::now() < end {
        let counts = counts(stage)?;
        ensure!(counts == [2, 0, 1], "{orphan} has a replica: {counts:?}");
    }
    Ok(())
}
