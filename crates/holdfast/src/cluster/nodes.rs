//! `call` and `set-timeout`: the same to every node.

use super::arguments::{Only, address};
use super::{Desk, look};
use crate::cli;
use admin::text;
use serde_json::{Value, json};
use std::time::Duration;

/// A command may take long; that is for the operator to judge.
const PATIENCE: Duration = Duration::from_secs(3600);

/// Sends a command to all nodes, to all primaries or to all replicas.
pub(super) fn call(desk: &mut Desk<'_>, words: &[String]) -> Result<bool, String> {
    let [seed, command @ ..] = words else {
        return Err(String::from(
            "[ERR] Wrong number of arguments: call host:port command arg ...",
        ));
    };
    if command.is_empty() {
        return Err(String::from(
            "[ERR] Wrong number of arguments: call host:port command arg ...",
        ));
    }
    let picture = desk.session.picture(&address(seed)?)?;
    look::show_silent(desk, &picture);
    desk.talk.line(format!(">>> Calling {}", command.join(" ")));
    let words: Vec<&[u8]> = command.iter().map(|word| word.as_bytes()).collect();
    let mut replies = Vec::new();
    for node in picture.nodes() {
        let wanted = match desk.options.only {
            None => true,
            Some(Only::Primaries) => node.is_primary(),
            Some(Only::Replicas) => !node.is_primary(),
        };
        if !wanted {
            continue;
        }
        let reply = match desk.session.call(&node.address(), &words, Some(PATIENCE)) {
            Ok(reply) => cli::raw(&reply),
            Err(_) => String::from("Failed!"),
        };
        let at = text(&node.address());
        desk.talk.line(format!("{at}: {reply}"));
        replies.push(json!({ "node": at, "reply": reply }));
    }
    desk.result(|| Value::Array(replies));
    Ok(true)
}

/// Sets the node-timeout of all nodes, in their files as well.
pub(super) fn set_timeout(desk: &mut Desk<'_>, [seed, timeout]: [&str; 2]) -> Result<bool, String> {
    let number: u64 = timeout.parse().map_err(|_| format!("'{timeout}' is no number"))?;
    if number < 100 {
        return Err(String::from(
            "Setting a node timeout of less than 100 milliseconds is a bad idea.",
        ));
    }
    let picture = desk.session.picture(&address(seed)?)?;
    look::show_silent(desk, &picture);
    desk.talk.line(">>> Reconfiguring node timeout in every cluster node...");
    let (mut done, mut failed) = (0, 0);
    for node in picture.nodes() {
        let at = text(&node.address());
        if desk.options.manner.dry_run {
            desk.talk.line(format!("    {at}: CONFIG SET cluster-node-timeout {timeout}"));
            continue;
        }
        let set = ["CONFIG", "SET", "cluster-node-timeout", timeout];
        let session = &mut desk.session;
        let result = session.say(&node.address(), &set);
        match result.and_then(|_| session.say(&node.address(), &["CONFIG", "REWRITE"])) {
            Ok(_) => {
                done += 1;
                desk.talk.line(format!("*** New timeout set for {at}"));
            }
            Err(error) => {
                failed += 1;
                desk.talk.line(format!("ERR setting node-timeout for {at}: {error}"));
            }
        }
    }
    desk.talk.line(format!(">>> New node timeout set. {done} OK, {failed} ERR."));
    desk.result(|| json!({ "set": done, "failed": failed }));
    Ok(true)
}
