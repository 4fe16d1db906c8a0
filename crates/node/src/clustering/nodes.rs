//! How a picture of the cluster is written out: CLUSTER NODES, SLOTS, SHARDS.

use cluster::topology::{Endpoint, NOBODY};
use cluster::{NodeView, Topology};
use std::fmt::Write;
use wire::reply::Reply;

/// CLUSTER NODES: a line a node.
pub(super) fn nodes(topology: &Topology) -> String {
    topology.nodes.iter().map(|node| line(topology, node) + "\n").collect()
}

/// One line of CLUSTER NODES.
pub(super) fn line(topology: &Topology, node: &NodeView) -> String {
    let mut text = format!(
        "{} {}:{}@{}{}{} {} {} {} {} {} {}",
        node.id,
        node.at.ip,
        node.at.port,
        node.at.bus_port,
        if node.at.hostname.is_empty() { "" } else { "," },
        node.at.hostname,
        flags(node),
        node.primary.map_or(String::from("-"), |id| id.to_string()),
        node.ping_sent.millis(),
        node.pong_received.millis(),
        node.config_epoch,
        if node.linked || node.myself { "connected" } else { "disconnected" },
    );
    for (first, last) in topology.ranges(node.id) {
        // Writing to a String cannot fail.
        let _ =
            if first == last { write!(text, " {first}") } else { write!(text, " {first}-{last}") };
    }
    if let Some(moving) = topology.moving.as_ref().filter(|_| node.myself) {
        let _ = write!(text, "{moving}");
    }
    text
}

fn flags(node: &NodeView) -> String {
    let role = if node.primary.is_some() { "slave" } else { "master" };
    let words = [
        (node.myself, "myself"),
        (!node.handshake, role),
        (node.pfail && !node.fail, "fail?"),
        (node.fail, "fail"),
        (node.handshake, "handshake"),
        (node.no_address, "noaddr"),
        (node.no_failover, "nofailover"),
    ];
    let words: Vec<&str> =
        words.into_iter().filter(|(set, _)| *set).map(|(_, word)| word).collect();
    words.join(",")
}

/// Runs of slots with the same owner: first, last, index of the owner.
fn runs(topology: &Topology) -> Vec<(u16, u16, u16)> {
    let mut runs: Vec<(u16, u16, u16)> = Vec::new();
    for (slot, owner) in topology.owners.iter().enumerate() {
        let slot = slot as u16;
        match runs.last_mut() {
            Some((_, last, same)) if *same == *owner && *last + 1 == slot => *last = slot,
            _ => runs.push((slot, slot, *owner)),
        }
    }
    runs.retain(|(_, _, owner)| *owner != NOBODY);
    runs
}

/// CLUSTER SLOTS.
pub(super) fn slots(topology: &Topology, prefer: &str, reply: &mut Reply<'_>) {
    let runs = runs(topology);
    reply.array(runs.len());
    for (first, last, owner) in runs {
        let owner = &topology.nodes[usize::from(owner)];
        let mut replicas: Vec<&NodeView> =
            topology.replicas(owner.id).filter(|replica| !replica.fail).collect();
        // Every node says the same, whichever of them it is itself.
        replicas.sort_by_key(|replica| replica.id);
        reply.array(3 + replicas.len());
        reply.integer(i64::from(first));
        reply.integer(i64::from(last));
        for node in [owner].into_iter().chain(replicas) {
            slot_node(node, prefer, reply);
        }
    }
}

fn slot_node(node: &NodeView, prefer: &str, reply: &mut Reply<'_>) {
    reply.array(4);
    match prefer {
        "unknown-endpoint" => reply.null(),
        _ => reply.bulk(endpoint(&node.at, prefer).as_bytes()),
    }
    reply.integer(i64::from(node.at.port));
    reply.bulk(node.id.as_str().as_bytes());
    let Endpoint { ip, hostname, .. } = &node.at;
    let others = [("ip", ip), ("hostname", hostname)].into_iter();
    let others =
        others.filter(|(name, value)| *name != prefer && (*name == "ip" || !value.is_empty()));
    reply.map(others.clone().count());
    for (name, value) in others {
        reply.bulk(name.as_bytes());
        reply.bulk(value.as_bytes());
    }
}

/// Where clients are sent, as `cluster-preferred-endpoint-type` has it.
pub(super) fn endpoint<'n>(at: &'n Endpoint, prefer: &str) -> &'n str {
    match prefer {
        "hostname" if at.hostname.is_empty() => "?",
        "hostname" => &at.hostname,
        "unknown-endpoint" => "",
        _ => &at.ip,
    }
}

/// CLUSTER SHARDS.
pub(super) fn shards(topology: &Topology, prefer: &str, reply: &mut Reply<'_>) {
    let primaries: Vec<&NodeView> =
        topology.nodes.iter().filter(|node| node.primary.is_none() && !node.handshake).collect();
    reply.array(primaries.len());
    for primary in primaries {
        reply.map(2);
        reply.bulk(b"slots");
        let ranges = topology.ranges(primary.id);
        reply.array(ranges.len() * 2);
        for (first, last) in ranges {
            reply.integer(i64::from(first));
            reply.integer(i64::from(last));
        }
        reply.bulk(b"nodes");
        let replicas: Vec<&NodeView> = topology.replicas(primary.id).collect();
        reply.array(1 + replicas.len());
        for node in [primary].into_iter().chain(replicas) {
            shard_node(node, prefer, reply);
        }
    }
}

fn shard_node(node: &NodeView, prefer: &str, reply: &mut Reply<'_>) {
    let role = if node.primary.is_some() { "replica" } else { "master" };
    let health = if node.fail || node.pfail { "fail" } else { "online" };
    let hostname = node.at.hostname.as_str();
    reply.map(if hostname.is_empty() { 7 } else { 8 });
    reply.bulk(b"id");
    reply.bulk(node.id.as_str().as_bytes());
    reply.bulk(b"port");
    reply.integer(i64::from(node.at.port));
    let words = [
        ("ip", node.at.ip.as_str()),
        ("endpoint", endpoint(&node.at, prefer)),
        ("hostname", hostname),
        ("role", role),
    ];
    for (name, value) in words.into_iter().filter(|word| *word != ("hostname", "")) {
        reply.bulk(name.as_bytes());
        reply.bulk(value.as_bytes());
    }
    reply.bulk(b"replication-offset");
    reply.integer(node.offset as i64);
    reply.bulk(b"health");
    reply.bulk(health.as_bytes());
}
