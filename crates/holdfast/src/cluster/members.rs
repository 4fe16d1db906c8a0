//! `add-node` and `del-node`.

use super::arguments::address;
use super::create::{JOIN, wait_joined};
use super::session::resolved;
use super::{Desk, SETTLE, fix, look};
use crate::connection::wait_until;
use admin::members::{self, Role};
use admin::{Address, Node, Picture, text};
use serde_json::json;
use std::time::Duration;
use wire::value::Value;

/// By then nodes have heard of a new one, if they listen.
const SOON: Duration = Duration::from_secs(4);
/// How long a new node may take to know that the cluster serves.
const SERVES: Duration = Duration::from_secs(10);

/// Adds an empty node, as a primary without slots or as a replica.
pub(super) fn add(desk: &mut Desk<'_>, [new, existing]: [&str; 2]) -> Result<bool, String> {
    let (new, seed) = (address(new)?, address(existing)?);
    let (new_text, seed_text) = (text(&new), text(&seed));
    desk.talk.line(format!(">>> Adding node {new_text} to cluster {seed_text}"));
    let picture = desk.session.settled(&seed, SETTLE / 4)?;
    look::show_silent(desk, &picture);
    if !look::examine(desk, &picture, false).is_empty() {
        return Err(String::from("*** Please fix your cluster problems before adding nodes"));
    }
    let role = match (&desk.options.master_id, desk.options.slave) {
        (Some(id), _) => Role::ReplicaOf(id.clone()),
        (None, true) => Role::Replica,
        (None, false) => Role::Primary,
    };
    let primary = members::to_follow(&picture, &role)?;
    if let (Some(node), Role::Replica) = (primary, &role) {
        desk.talk.line(format!("Automatically selected master {}", text(&node.address())));
    }
    let member =
        desk.session.first(&new).map_err(|error| match error.starts_with("Could not") {
            true => format!("{error}\n[ERR] Sorry, can't connect to node {new_text}"),
            false => error,
        })?;
    super::create::must_be_empty(&mut desk.session, &new, &member)?;
    if desk.options.manner.dry_run {
        desk.result(|| added(&member.node, primary));
        return Ok(true);
    }
    if primary.is_none() {
        functions(desk, &seed, &new)?;
    }
    desk.talk
        .line(format!(">>> Send CLUSTER MEET to node {new_text} to make it join the cluster."));
    let result = join(desk, &picture, &new, primary);
    if let Err(error) = result {
        withdraw(desk, &picture, &new, &member.node.id);
        return Err(error);
    }
    // Until then it would refuse keys.
    wait_until(SERVES, || {
        let info = desk.session.say(&new, &["CLUSTER", "INFO"]);
        info.is_ok_and(|info| info.contains("cluster_state:ok"))
    });
    desk.talk.line("[OK] New node added correctly.");
    desk.result(|| added(&member.node, primary));
    Ok(true)
}

fn added(node: &Node, primary: Option<&Node>) -> serde_json::Value {
    json!({ "added": node.id, "replicates": primary.map(|node| &node.id) })
}

/// Functions are a part of a primary's data that slots do not have.
fn functions(desk: &mut Desk<'_>, seed: &Address, new: &Address) -> Result<(), String> {
    desk.talk.line(">>> Getting functions from cluster");
    let dump = match desk.session.call(seed, &[b"FUNCTION", b"DUMP"], None)? {
        Value::Bulk(dump) => dump,
        other => {
            let why = match other {
                Value::Error(text) => String::from_utf8_lossy(&text).into_owned(),
                other => format!("{other:?}"),
            };
            desk.talk.line(format!(
                ">>> Failed retrieving Functions from the cluster, skip this step as Redis version \
                 do not support function command (error = '{why}')"
            ));
            return Ok(());
        }
    };
    let at = text(new);
    desk.talk.line(format!(">>> Send FUNCTION LIST to {at} to verify there is no functions in it"));
    match desk.session.call(new, &[b"FUNCTION", b"LIST"], None)? {
        Value::Array(list) if list.is_empty() => {}
        Value::Error(error) => {
            // A node without functions can only miss them if there are any.
            let error = String::from_utf8_lossy(&error).into_owned();
            desk.talk.line(format!(">>> Failed on FUNCTION LIST (error = '{error}')"));
            return Ok(());
        }
        _ => {
            return Err(String::from(
                ">>> New node already contains functions and can not be added to the cluster. Use \
                 FUNCTION FLUSH and try again.",
            ));
        }
    }
    desk.talk.line(format!(">>> Send FUNCTION RESTORE to {at}"));
    match desk.session.call(new, &[b"FUNCTION", b"RESTORE", &dump], None)? {
        Value::Error(error) => Err(format!(
            ">>> Failed loading functions to the new node (error = '{}')",
            String::from_utf8_lossy(&error)
        )),
        _ => Ok(()),
    }
}

fn join(
    desk: &mut Desk<'_>,
    picture: &Picture,
    new: &Address,
    primary: Option<&Node>,
) -> Result<(), String> {
    let first = picture.nodes().next().ok_or("no node answers")?;
    let (host, port) = (resolved(&first.address())?, first.port.to_string());
    let bus = first.bus_port.to_string();
    let mut words = vec!["CLUSTER", "MEET", &host, &port];
    if ![0, first.port.wrapping_add(10_000)].contains(&first.bus_port) {
        words.push(&bus);
    }
    desk.session.say(new, &words)?;
    let mut nodes: Vec<Address> = picture.nodes().map(Node::address).collect();
    nodes.push(new.clone());
    desk.talk.line("Waiting for the cluster to join");
    if wait_joined(&mut desk.session, &nodes, SOON).is_err() {
        introduce(desk, picture, new)?;
        wait_joined(&mut desk.session, &nodes, JOIN)?;
    }
    if let Some(primary) = primary {
        let at = text(&primary.address());
        desk.talk.line(format!(">>> Configure node as replica of {at}."));
        desk.session.say(new, &["CLUSTER", "REPLICATE", &primary.id])?;
    }
    Ok(())
}

/// Brings the new node to those that do not hear of it: whoever was told to forget it closes its
/// ears to what others say of it for a minute.
fn introduce(desk: &mut Desk<'_>, picture: &Picture, new: &Address) -> Result<(), String> {
    let node = desk.session.member(new)?.node;
    let (host, port, bus) = (resolved(new)?, new.1.to_string(), node.bus_port.to_string());
    for old in picture.nodes() {
        let knows = desk.session.member(&old.address()).is_ok_and(|m| m.known.contains(&node.id));
        if !knows {
            let words = ["CLUSTER", "MEET", &host, &port, &bus];
            let count = if node.bus_port == 0 { 4 } else { 5 };
            desk.session.say(&old.address(), &words[..count])?;
        }
    }
    Ok(())
}

/// Takes back a join that failed.
fn withdraw(desk: &mut Desk<'_>, picture: &Picture, new: &Address, id: &str) {
    for node in picture.nodes() {
        // Most of them never heard of it.
        let _ = desk.session.say(&node.address(), &["CLUSTER", "FORGET", id]);
    }
    let _ = desk.session.say(new, &["CLUSTER", "RESET", "SOFT"]);
}

/// Takes a node out of the cluster.
pub(super) fn remove(desk: &mut Desk<'_>, [seed, id]: [&str; 2]) -> Result<bool, String> {
    let seed = address(seed)?;
    desk.talk.line(format!(">>> Removing node {id} from cluster {}", text(&seed)));
    let picture = desk.session.settled(&seed, SETTLE / 4)?;
    look::show_silent(desk, &picture);
    let steps = members::remove(&picture, id)?;
    if desk.options.manner.dry_run {
        steps.iter().for_each(|step| desk.talk.line(fix::described(step)));
    } else {
        desk.carrier().run(&steps)?;
    }
    desk.result(|| json!({ "removed": id.to_ascii_lowercase() }));
    Ok(true)
}
