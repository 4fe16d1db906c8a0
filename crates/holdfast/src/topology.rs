//! The cluster as CLUSTER NODES tells it.

use crate::connection::{Connection, text};
use std::time::Duration;

pub(crate) use admin::Node;

/// Asks one node for its view.
pub(crate) fn ask(host: &str, port: u16, timeout: Duration) -> Result<Vec<Node>, String> {
    let mut connection =
        Connection::open((host, port), timeout).map_err(|error| error.to_string())?;
    let reply = connection.call(&[b"CLUSTER", b"NODES"]).map_err(|error| error.to_string())?;
    read(&text(reply)?, host)
}

/// Reads what CLUSTER NODES says; `asked` stands in for an address that a node does not know of
/// itself.
pub(crate) fn read(lines: &str, asked: &str) -> Result<Vec<Node>, String> {
    let line = |line| Node::read(line, asked).ok_or(format!("not a node line: {line}"));
    lines.lines().map(line).collect()
}

/// One command to one node; what it answers, as text.
pub(crate) fn say(
    host: &str,
    port: u16,
    words: &[&str],
    timeout: Duration,
) -> Result<String, String> {
    let at = |error: String| format!("{host}:{port}: {}: {error}", words.join(" "));
    let mut connection =
        Connection::open((host, port), timeout).map_err(|error| at(error.to_string()))?;
    let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
    let reply = connection.call(&words).map_err(|error| at(error.to_string()))?;
    text(reply).map_err(at)
}
