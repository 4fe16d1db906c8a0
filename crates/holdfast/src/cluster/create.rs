//! `create`: turns empty nodes into a cluster, or leaves them as they were.

use super::arguments::address;
use super::session::{Session, resolved};
use super::{Desk, look};
use crate::connection::wait_until;
use admin::create::Plan;
use admin::{Address, Member, Picture, Slots, text};
use serde_json::{Value, json};
use std::time::Duration;

/// How long nodes may take to hear of one another.
pub(super) const JOIN: Duration = Duration::from_secs(20);
/// How long they may take to agree who owns what.
const AGREE: Duration = Duration::from_secs(30);

/// Makes a cluster of the nodes that the words name; whether it was done.
pub(super) fn run(desk: &mut Desk<'_>, words: &[String]) -> Result<bool, String> {
    let nodes: Vec<Address> = words.iter().map(|word| address(word)).collect::<Result<_, _>>()?;
    if nodes.is_empty() {
        return Err(String::from("[ERR] Wrong number of arguments: create wants the nodes."));
    }
    let plan = Plan::new(&nodes, desk.options.replicas)?;
    let mut picture = Picture::default();
    for node in &nodes {
        let mut member = desk.session.first(node)?;
        must_be_empty(&mut desk.session, node, &member)?;
        // Under the name by which the operator knows it.
        (member.node.host, member.node.port) = node.clone();
        picture.members.push(member);
    }
    show(desk, &plan, picture);
    if desk.options.manner.dry_run {
        desk.result(|| plan_json(&plan));
        return Ok(true);
    }
    if !desk.talk.accept("Can I set the above configuration?")? {
        return Err(String::from("Nothing was changed."));
    }
    let talk = &desk.talk;
    form(&mut desk.session, &plan, |line| talk.line(line))?;
    let picture = desk.session.settled(&plan.primaries[0].0, AGREE)?;
    let problems = look::examine(desk, &picture, false);
    desk.result(|| admin::json::picture(&picture, &problems));
    Ok(problems.is_empty())
}

/// Shows the plan; `picture` has the nodes as they are now.
fn show(desk: &Desk<'_>, plan: &Plan, mut picture: Picture) {
    let talk = &desk.talk;
    let count = picture.members.len();
    talk.line(format!(">>> Performing hash slots allocation on {count} nodes..."));
    for (i, (_, (first, last))) in plan.primaries.iter().enumerate() {
        talk.line(format!("Master[{i}] -> Slots {first} - {last}"));
    }
    let wanted = plan.replicas.len() - plan.extra;
    for (i, (node, index)) in plan.replicas.iter().enumerate() {
        if i == wanted {
            talk.line("Adding extra replicas...");
        }
        let primary = text(&plan.primaries[*index].0);
        talk.line(format!("Adding replica {} to {primary}", text(node)));
    }
    plan.warnings().iter().for_each(|warning| talk.line(warning));
    let ids: Vec<(Address, String)> =
        picture.nodes().map(|node| (node.address(), node.id.clone())).collect();
    for member in &mut picture.members {
        let at = member.node.address();
        if let Some((_, (first, last))) = plan.primaries.iter().find(|(node, _)| *node == at) {
            member.node.slots = (*first..=*last).collect();
        }
        let replica = plan.replicas.iter().find(|(node, _)| *node == at);
        if let Some((_, index)) = replica {
            let primary = &plan.primaries[*index].0;
            let id = ids.iter().find(|(node, _)| node == primary).map(|(_, id)| id.clone());
            talk.line(format!("S: {} {}", member.node.id, text(&at)));
            talk.line(format!("   replicates {}", id.unwrap_or_default()));
            continue;
        }
        talk.line(look::shown(&Picture::default(), &member.node, ""));
    }
}

fn plan_json(plan: &Plan) -> Value {
    let primary = |(node, (first, last)): &(Address, (u16, u16))| {
        let node = text(node);
        json!({ "node": node, "first_slot": first, "last_slot": last })
    };
    let replica = |(node, index): &(Address, usize)| {
        let primary = text(&plan.primaries[*index].0);
        json!({ "node": text(node), "replicates": primary })
    };
    json!({
        "primaries": plan.primaries.iter().map(primary).collect::<Value>(),
        "replicas": plan.replicas.iter().map(replica).collect::<Value>(),
        "warnings": plan.warnings(),
    })
}

/// Refuses a node that holds data or knows others.
pub(super) fn must_be_empty(
    session: &mut Session,
    node: &Address,
    member: &Member,
) -> Result<(), String> {
    let keys = session.say(node, &["DBSIZE"])?;
    if member.others.is_empty() && member.node.slots.is_empty() && keys == "0" {
        return Ok(());
    }
    Err(format!(
        "[ERR] Node {} is not empty. Either the node already knows other nodes (check with CLUSTER \
         NODES) or contains some key in database 0.",
        text(node)
    ))
}

/// Carries the plan out; `tell` hears what is being done. If it fails, the nodes forget all of it.
pub(super) fn form(
    session: &mut Session,
    plan: &Plan,
    mut tell: impl FnMut(&str),
) -> Result<(), String> {
    let result = assemble(session, plan, &mut tell);
    if result.is_err() {
        for node in plan.addresses() {
            // Whoever cannot be reached now was not reached before either.
            let _ = session.say(node, &["CLUSTER", "RESET", "SOFT"]);
        }
        tell("*** The nodes are empty again.");
    }
    result
}

/// First they meet, which is what may fail; then they get slots.
fn assemble(session: &mut Session, plan: &Plan, tell: &mut dyn FnMut(&str)) -> Result<(), String> {
    let all: Vec<Address> = plan.addresses().cloned().collect();
    tell(">>> Assign a different config epoch to each node");
    for (i, node) in all.iter().enumerate() {
        // It has one already if it was in a cluster before.
        let _ = session.say(node, &["CLUSTER", "SET-CONFIG-EPOCH", &(i + 1).to_string()]);
    }
    tell(">>> Sending CLUSTER MEET messages to join the cluster");
    let first = session.member(&all[0])?.node;
    let (host, port) = (resolved(&all[0])?, all[0].1.to_string());
    let bus = first.bus_port.to_string();
    let mut words = vec!["CLUSTER", "MEET", &host, &port];
    if ![0, first.port.wrapping_add(10_000)].contains(&first.bus_port) {
        words.push(&bus);
    }
    for node in &all[1..] {
        session.say(node, &words)?;
    }
    tell("Waiting for the cluster to join");
    wait_joined(session, &all, JOIN)?;
    for (node, (first, last)) in &plan.primaries {
        let slots: Vec<String> = (*first..=*last).map(|slot| slot.to_string()).collect();
        let words = ["CLUSTER", "ADDSLOTS"].into_iter().chain(slots.iter().map(String::as_str));
        session.say(node, &words.collect::<Vec<_>>())?;
    }
    for (node, index) in &plan.replicas {
        let id = session.say(&plan.primaries[*index].0, &["CLUSTER", "MYID"])?;
        session.say(node, &["CLUSTER", "REPLICATE", &id])?;
    }
    tell(">>> Nodes configuration updated");
    let mut last = String::new();
    let agreed = wait_until(AGREE, || {
        let serving = serving(session, &all);
        last = serving.as_ref().err().cloned().unwrap_or_default();
        serving == Ok(true)
    });
    match agreed {
        true => Ok(()),
        false => Err(format!("[ERR] The nodes do not agree who owns which slot. {last}")),
    }
}

/// Whether all agree who owns what, and serve.
fn serving(session: &mut Session, nodes: &[Address]) -> Result<bool, String> {
    let picture = session.picture(&nodes[0])?;
    let whole = picture.members.len() == nodes.len() && picture.covered() == Slots::all();
    if !whole || !picture.agrees() {
        return Ok(false);
    }
    for node in nodes {
        if !session.say(node, &["CLUSTER", "INFO"])?.contains("cluster_state:ok") {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Waits until all nodes know one another.
pub(super) fn wait_joined(
    session: &mut Session,
    nodes: &[Address],
    patience: Duration,
) -> Result<(), String> {
    let mut seen: Result<Picture, String> = Err(String::from("no node was asked"));
    let done = wait_until(patience, || {
        seen = nodes
            .iter()
            .map(|node| session.member(node))
            .collect::<Result<_, _>>()
            .map(|members: Vec<Member>| Picture { members, silent: Vec::new() });
        matches!(&seen, Ok(picture) if picture.joined())
    });
    if done {
        return Ok(());
    }
    let seen = seen?;
    let missed = seen.unreachable();
    let mut error = format!(
        "[ERR] The nodes did not join within {} s. Warning: {} node(s) may be unreachable",
        patience.as_secs(),
        missed.len()
    );
    for ((node, bus), from) in missed {
        let from = from.join("\n   ");
        let (host, port) = &node;
        error.push_str(&format!(
            "\n - The port {bus} of node {host} ({host}:{port}) may be unreachable from:\n   {from}"
        ));
    }
    error.push_str(
        "\nCluster bus ports must be reachable by every node.\nRemember that cluster bus ports are \
         different from standard instance ports.",
    );
    Err(error)
}
