//! R12: when does it fail? Hosts and nodes of a cluster on two hosts are lost and come back.

use super::Scene;
use super::lan::Host;
use super::place::{EACH, NODE_TIMEOUT, PORTS, Place, at};
use super::stage::{Side, Stage, until};
use anyhow::{Context, Result, ensure};
use std::time::Instant;

pub(crate) const SCENE: Scene = Scene {
    name: "R12",
    what: "when does it fail",
    better: &["written after the last save"],
    compares: false,
    run,
};

/// Keys that are there from the beginning.
const KEYS: usize = 300;
/// Keys that are written after everybody saved.
const LATE: usize = 100;
const DOWN: &str = "CLUSTERDOWN The cluster is down";

fn run(stage: &mut Stage) -> Result<()> {
    let mut place = Place::new(stage)?;
    fill(&place, "key", KEYS)?;
    lose_b(&mut place).context("host B is lost")?;
    lose_a(&mut place).context("host A is lost")?;
    lose_pair(&mut place).context("a primary and its replica are lost")?;
    lose_single(&mut place).context("a primary without replica is lost")?;
    cut_short(&mut place).context("the hosts are cut off each other for a moment")
}

/// Sets keys from anywhere, and waits until replicas have them.
fn fill(place: &Place<'_>, name: &str, count: usize) -> Result<()> {
    let cli = format!("{} -c", place.cli(6379));
    let set = format!("seq 1 {count} | sed 's/.*/set {name}:& &/' | {cli}");
    let (_, said) = place.stage.sh(&set)?;
    let done = said.lines().filter(|line| *line == "OK").count();
    ensure!(done == count, "{done} of {count} keys are set: {said}");
    place.replicated()
}

/// How many of the keys can be read by way of a node.
fn readable(place: &Place<'_>, port: u16, name: &str, count: usize) -> Result<usize> {
    let cli = format!("{} -c", place.cli(port));
    let (_, said) = place.stage.sh(&format!("seq 1 {count} | sed 's/^/get {name}:/' | {cli}"))?;
    let values: Vec<&str> = said.lines().filter(|line| !line.starts_with("->")).collect();
    Ok((1..=count).filter(|n| values.contains(&n.to_string().as_str())).count())
}

/// Waits until all keys are read there: clients may be sent to a dead one for a moment.
fn keys_are_there(place: &Place<'_>, port: u16) -> Result<()> {
    until(&format!("all keys are read at {port}"), || {
        Ok(readable(place, port, "key", KEYS)? == KEYS)
    })
}

/// The host goes without a word.
fn power_off(place: &mut Place<'_>, host: Host) -> Result<()> {
    place.lan.unplug(host)?;
    at(host).try_for_each(|port| place.stage.end(port))
}

fn power_on(place: &mut Place<'_>, host: Host) -> Result<()> {
    place.lan.plug(host)?;
    at(host).try_for_each(|port| place.start(port))?;
    place.whole()
}

/// Waits until these say that the cluster is down, and answer so.
fn down(place: &Place<'_>, ports: &[u16]) -> Result<()> {
    for port in ports {
        until(&format!("{port} says that it is down"), || Ok(!place.is_ok(*port)?))?;
        for key in EACH {
            let said = place.say(*port, &format!("get {key}"))?;
            ensure!(said == DOWN, "{port}, get {key}: {said}");
        }
    }
    Ok(())
}

/// B has one of three primaries: its replica on A takes over.
fn lose_b(place: &mut Place<'_>) -> Result<()> {
    ensure!(place.owner(6379, "c")?.port == 6382, "6382 has not the middle slots");
    power_off(place, Host::B)?;
    until("6381 takes over", || Ok(place.say(6381, "role")?.starts_with("master")))?;
    for port in at(Host::A) {
        until("A goes on", || place.is_ok(port))?;
        keys_are_there(place, port)?;
    }
    power_on(place, Host::B)?;
    let role = place.say(6382, "role")?;
    ensure!(role.starts_with("slave"), "6382 comes back as {role}");
    keys_are_there(place, 6384)?;
    place.stage.fact("B is lost", "6381 takes over");
    // As it was before.
    let said = place.say(6382, "cluster failover")?;
    ensure!(said == "OK", "{said}");
    until("6382 is the primary again", || Ok(place.owner(6379, "c")?.port == 6382))?;
    place.whole()
}

/// A has two of three: nobody can be elected without it.
fn lose_a(place: &mut Place<'_>) -> Result<()> {
    place.save()?;
    fill(place, "late", LATE)?;
    power_off(place, Host::A)?;
    let b: Vec<u16> = at(Host::B).collect();
    down(place, &b)?;
    // Long enough for any election.
    let end = Instant::now() + 2 * NODE_TIMEOUT;
    while Instant::now() < end {
        for port in &b {
            let role = place.say(*port, "role")?;
            let before = if *port == 6382 { "master" } else { "slave" };
            ensure!(role.starts_with(before), "{port} has become {role}");
            ensure!(!place.is_ok(*port)?, "{port} serves without a majority");
        }
    }
    place.stage.fact("A is lost", format!("{DOWN}, nobody takes over"));
    power_on(place, Host::A)?;
    for port in [6379, 6384] {
        keys_are_there(place, port)?;
    }
    let late = readable(place, 6379, "late", LATE)?;
    ensure!(late == LATE || place.stage.side == Side::Real, "{late} of {LATE} are left");
    place.stage.fact("written after the last save", late.to_string());
    Ok(())
}

/// All but these two.
fn others(pair: [u16; 2]) -> Vec<u16> {
    PORTS.filter(|port| !pair.contains(port)).collect()
}

fn lose_pair(place: &mut Place<'_>) -> Result<()> {
    place.save()?;
    let (primary, replica) = place.pair("foo")?;
    place.stage.end(replica)?;
    place.stage.end(primary)?;
    let left = others([primary, replica]);
    down(place, &left)?;
    let coverage = |place: &Place<'_>, value: &str| {
        let line = format!("config set cluster-require-full-coverage {value}");
        left.iter().try_for_each(|port| place.say(*port, &line).map(drop))
    };
    coverage(place, "no")?;
    // Its slots are still its own: nobody else may serve them.
    let own = format!("MOVED 12182 {}", place.address(primary));
    for port in &left {
        until("the other slots are served", || place.is_ok(*port))?;
        let said = place.say(*port, "get foo")?;
        ensure!(said == own, "{port}, get foo: {said}");
    }
    for key in ["hello", "c"] {
        let owner = place.owner(left[0], key)?.port;
        let said = place.say(owner, &format!("set {key} 1"))?;
        ensure!(said == "OK", "{key}: {said}");
    }
    place.stage.fact("a pair is lost", format!("{DOWN}; MOVED to the dead"));
    coverage(place, "yes")?;
    if place.stage.side == Side::Ours {
        // Redis's looks again only when something else happens.
        down(place, &left)?;
    }
    come_back(place, [primary, replica])
}

fn come_back(place: &mut Place<'_>, pair: [u16; 2]) -> Result<()> {
    pair.into_iter().try_for_each(|port| place.start(port))?;
    place.whole()?;
    keys_are_there(place, 6379)
}

fn lose_single(place: &mut Place<'_>) -> Result<()> {
    place.save()?;
    let (primary, replica) = place.pair("c")?;
    place.stage.end(replica)?;
    let left = others([primary, replica]);
    for port in &left {
        until("the replica's end is known", || {
            Ok(place.nodes(*port)?.iter().any(|node| node.port == replica && node.is("fail")))
        })?;
        ensure!(place.is_ok(*port)?, "{port} is down for a replica's end");
    }
    place.stage.end(primary)?;
    down(place, &left)?;
    place.stage.fact("one without replica is lost", DOWN);
    come_back(place, [primary, replica])
}

/// Roles and epochs as all see them.
fn order(place: &Place<'_>) -> Result<Vec<(u16, u16, u64, String)>> {
    let mut order = Vec::new();
    for port in PORTS {
        for node in place.nodes(port)? {
            let role = if node.is("master") { "master" } else { "slave" };
            order.push((port, node.port, node.epoch, role.to_string()));
        }
    }
    order.sort();
    Ok(order)
}

fn cut_short(place: &mut Place<'_>) -> Result<()> {
    let before = order(place)?;
    place.cut(NODE_TIMEOUT / 2)?;
    // By then whoever believed another dead would have acted.
    let end = Instant::now() + NODE_TIMEOUT;
    while Instant::now() < end {
        let now = order(place)?;
        ensure!(now == before, "{before:?} has become {now:?}");
    }
    place.whole()?;
    for key in EACH {
        let said = place.say(place.owner(6379, key)?.port, &format!("set {key} 1"))?;
        ensure!(said == "OK", "{key}: {said}");
    }
    place.stage.fact("cut for half of node-timeout", "as before");
    Ok(())
}
