//! `holdfast cluster create`: turns empty nodes into a cluster.

use crate::connection::{Connection, text, wait_until};
use crate::topology;
use std::collections::BTreeSet;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(5);
/// How long nodes may take to hear of one another.
const JOIN: Duration = Duration::from_secs(30);
const SLOTS: u32 = 16384;

/// What will be done.
pub(crate) struct Plan {
    /// Addresses of the primaries with the slots each gets.
    pub(crate) primaries: Vec<(Address, (u16, u16))>,
    /// Addresses of the replicas with the index of each one's primary.
    pub(crate) replicas: Vec<(Address, usize)>,
}

/// Host and port.
pub(crate) type Address = (String, u16);

impl Plan {
    /// The first of `nodes` become primaries, each with `replicas` of the others; hosts are taken
    /// in turn, and a replica goes to another host than its primary where there is one.
    pub(crate) fn new(nodes: &[Address], replicas: usize) -> Result<Plan, String> {
        let different: BTreeSet<&Address> = nodes.iter().collect();
        if different.len() < nodes.len() {
            return Err(String::from("the same address was given twice"));
        }
        let count = nodes.len() / (replicas + 1);
        if count < 3 {
            return Err(format!(
                "a cluster needs at least 3 primaries; with {replicas} replicas for each that is \
                 {} nodes, and {} were given",
                3 * (replicas + 1),
                nodes.len()
            ));
        }
        let mut rest = interleave(nodes);
        let chosen: Vec<Address> = rest.drain(..count).collect();
        let share = |i: usize| (SLOTS as f64 * i as f64 / count as f64).round() as u32;
        let primaries: Vec<_> = chosen
            .into_iter()
            .enumerate()
            .map(|(i, node)| (node, (share(i) as u16, (share(i + 1) - 1) as u16)))
            .collect();
        let mut plan = Plan { primaries, replicas: Vec::new() };
        for round in 0.. {
            let index = round % count;
            if rest.is_empty() {
                break;
            }
            let host = &plan.primaries[index].0.0;
            let at = rest.iter().position(|(other, _)| other != host).unwrap_or(0);
            plan.replicas.push((rest.remove(at), index));
        }
        Ok(plan)
    }

    /// Whether some replica shares its primary's host.
    pub(crate) fn shares_hosts(&self) -> bool {
        self.replicas.iter().any(|(node, index)| node.0 == self.primaries[*index].0.0)
    }

    fn addresses(&self) -> impl Iterator<Item = &Address> {
        let replicas = self.replicas.iter().map(|(address, _)| address);
        self.primaries.iter().map(|(address, _)| address).chain(replicas)
    }
}

/// One node of each host in turn.
fn interleave(nodes: &[Address]) -> Vec<Address> {
    let hosts: BTreeSet<&String> = nodes.iter().map(|(host, _)| host).collect();
    let mut queues: Vec<Vec<Address>> = hosts
        .into_iter()
        .map(|host| nodes.iter().filter(|(other, _)| other == host).rev().cloned().collect())
        .collect();
    let mut out = Vec::new();
    while out.len() < nodes.len() {
        out.extend(queues.iter_mut().filter_map(Vec::pop));
    }
    out
}

/// Refuses nodes that are no empty cluster nodes, before anything is changed.
pub(crate) fn check_empty(plan: &Plan) -> Result<(), String> {
    for (host, port) in plan.addresses() {
        let mut view = topology::ask(host, *port, TIMEOUT);
        // A node that has just begun listens a moment before it knows itself.
        wait_until(TIMEOUT, || {
            let early = matches!(&view, Err(error) if error.starts_with("CLUSTERDOWN"));
            if early {
                view = topology::ask(host, *port, TIMEOUT);
            }
            !early
        });
        let nodes = view.map_err(|error| match error.as_str() {
            text if text.contains("cluster support disabled") => {
                format!("[ERR] Node {host}:{port} is not configured as a cluster node.")
            }
            text => format!("[ERR] Sorry, can't connect to node {host}:{port}: {text}"),
        })?;
        let keys = say(host, *port, &["DBSIZE"])?;
        if nodes.len() > 1 || nodes.iter().any(|node| !node.slots.is_empty()) || keys != "0" {
            return Err(format!(
                "[ERR] Node {host}:{port} is not empty. Either the node already knows other nodes \
                 (check with CLUSTER NODES) or contains some key in database 0."
            ));
        }
    }
    Ok(())
}

/// Carries the plan out; `step` hears what is being done.
pub(crate) fn carry_out(plan: &Plan, mut step: impl FnMut(&str)) -> Result<(), String> {
    step("Assigning slots");
    for (i, ((host, port), (first, last))) in plan.primaries.iter().enumerate() {
        say(host, *port, &["CLUSTER", "ADDSLOTSRANGE", &first.to_string(), &last.to_string()])?;
        say(host, *port, &["CLUSTER", "SET-CONFIG-EPOCH", &(i + 1).to_string()])?;
    }
    step("Joining the nodes");
    let all: Vec<&Address> = plan.addresses().collect();
    let (host, port) = all[0];
    for (other, other_port) in &all[1..] {
        say(host, *port, &["CLUSTER", "MEET", other, &other_port.to_string()])?;
    }
    let knows_all = |(host, port): &Address| {
        topology::ask(host, *port, TIMEOUT).is_ok_and(|nodes| {
            nodes.len() == all.len() && nodes.iter().all(|node| !node.host.is_empty())
        })
    };
    if !wait_until(JOIN, || all.iter().all(|address| knows_all(address))) {
        return Err(format!(
            "the nodes did not hear of one another within {} s. Each must reach the others' bus \
             port, which is the port plus 10000.",
            JOIN.as_secs()
        ));
    }
    step("Attaching the replicas");
    for ((host, port), index) in &plan.replicas {
        let (primary, primary_port) = &plan.primaries[*index].0;
        let id = say(primary, *primary_port, &["CLUSTER", "MYID"])?;
        attach(host, *port, &id)?;
    }
    Ok(())
}

/// A node learns of its future primary by gossip, which may take a moment.
fn attach(host: &str, port: u16, id: &str) -> Result<(), String> {
    let mut last = String::new();
    let done = wait_until(JOIN, || match say(host, port, &["CLUSTER", "REPLICATE", id]) {
        Ok(_) => true,
        Err(error) => {
            last = error;
            false
        }
    });
    if done { Ok(()) } else { Err(last) }
}

/// One command to one node.
pub(crate) fn say(host: &str, port: u16, words: &[&str]) -> Result<String, String> {
    let at = |error: String| format!("{host}:{port}: {}: {error}", words.join(" "));
    let mut connection =
        Connection::open((host, port), TIMEOUT).map_err(|error| at(error.to_string()))?;
    let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
    let reply = connection.call(&words).map_err(|error| at(error.to_string()))?;
    text(reply).map_err(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(hosts: &[(&str, u16)]) -> Vec<Address> {
        hosts.iter().map(|(host, port)| (host.to_string(), *port)).collect()
    }

    #[test]
    fn replicas_stand_on_another_host_than_their_primary() {
        let nodes = nodes(&[("a", 1), ("a", 2), ("a", 3), ("b", 4), ("b", 5), ("b", 6)]);
        let plan = Plan::new(&nodes, 1).unwrap();
        let slots: Vec<_> = plan.primaries.iter().map(|(_, slots)| *slots).collect();
        assert_eq!(slots, [(0, 5460), (5461, 10922), (10923, 16383)]);
        assert_eq!(plan.replicas.len(), 3);
        assert!(!plan.shares_hosts());
        assert!(Plan::new(&nodes[..5], 1).is_err());
    }
}
