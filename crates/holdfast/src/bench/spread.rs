//! Where requests go: to one server, or over the primaries of a cluster.

use super::options::Target;
use super::workload::TAG;
use crate::connection::{Connection, text};
use crate::topology;
use std::net::TcpStream;
use std::time::Duration;
use wire::slot::{SLOTS, slot};

const TIMEOUT: Duration = Duration::from_secs(5);

/// The servers of a run; of each, the tags of its slots.
pub(crate) struct Spread {
    pub(crate) nodes: Vec<Node>,
    all_tags: Vec<[u8; TAG]>,
}

/// One server.
#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// A tag for each slot it owns; none without a cluster.
    pub(crate) tags: Vec<[u8; TAG]>,
}

impl Spread {
    /// Asks the cluster for its primaries, if there is to be one.
    pub(crate) fn new(target: &Target) -> Result<Self, String> {
        let nodes = vec![Node { host: target.host.clone(), port: target.port, tags: Vec::new() }];
        let mut spread = Spread { nodes, all_tags: Vec::new() };
        if target.cluster {
            spread.all_tags = tags();
            spread.refresh(target)?;
        }
        Ok(spread)
    }

    /// Learns who owns which slot from the first server that answers.
    pub(crate) fn refresh(&mut self, target: &Target) -> Result<(), String> {
        let mut last = String::from("no server to ask");
        let given = (target.host.clone(), target.port);
        let known = self.nodes.iter().map(|node| (node.host.clone(), node.port));
        for (host, port) in known.chain([given]).collect::<Vec<_>>() {
            let told = enter(target, &host, port).and_then(|mut connection| {
                let reply = connection.call(&[b"CLUSTER", b"NODES"]);
                topology::read(&text(reply.map_err(|error| error.to_string())?)?, &host)
            });
            match told {
                Ok(view) => {
                    let nodes: Vec<Node> = view
                        .iter()
                        .filter(|node| !node.slots.is_empty())
                        .map(|node| self.node(node))
                        .collect();
                    if !nodes.is_empty() {
                        self.nodes = nodes;
                        return Ok(());
                    }
                    last = format!("{host}:{port} knows no primary with slots");
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn node(&self, node: &topology::Node) -> Node {
        let tags =
            node.slots.iter().filter_map(|slot| self.all_tags.get(usize::from(slot)).copied());
        Node { host: node.host.clone(), port: node.port, tags: tags.collect() }
    }
}

/// A connection on which the password is given and the database chosen.
pub(crate) fn enter(target: &Target, host: &str, port: u16) -> Result<Connection, String> {
    let at = |error: std::io::Error| {
        let text = error.to_string();
        let text = text.split(" (os error").next().unwrap_or_default().to_string();
        format!("Could not connect to Redis at {host}:{port}: {text}")
    };
    let mut connection = Connection::open((host, port), TIMEOUT).map_err(at)?;
    let mut say = |words: &[&[u8]]| match connection.call(words) {
        Ok(wire::value::Value::Error(text)) => Err(String::from_utf8_lossy(&text).into_owned()),
        Ok(_) => Ok(()),
        Err(error) => Err(at(error)),
    };
    match (&target.user, &target.password) {
        (Some(user), Some(password)) => say(&[b"AUTH", user.as_bytes(), password.as_bytes()])?,
        (None, Some(password)) => say(&[b"AUTH", password.as_bytes()])?,
        _ => {}
    }
    if target.resp3 {
        say(&[b"HELLO", b"3"])?;
    }
    if target.database > 0 {
        say(&[b"SELECT", target.database.to_string().as_bytes()])?;
    }
    Ok(connection)
}

/// The same as a socket that does not wait.
pub(crate) fn open(target: &Target, node: &Node) -> Result<TcpStream, String> {
    let stream = enter(target, &node.host, node.port)?.into_tcp().ok_or("not over TCP")?;
    stream.set_nonblocking(true).map_err(|error| error.to_string())?;
    Ok(stream)
}

/// For each slot a tag that leads to it.
fn tags() -> Vec<[u8; TAG]> {
    const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let mut found = vec![None; SLOTS];
    let mut left = SLOTS;
    // A few hundred thousand tags lead everywhere; there are sixty million.
    for n in 0..36usize.pow(TAG as u32) {
        let mut rest = n;
        let tag = std::array::from_fn(|_| {
            let digit = DIGITS[rest % DIGITS.len()];
            rest /= DIGITS.len();
            digit
        });
        let place = &mut found[usize::from(slot(&tag))];
        if place.replace(tag).is_none() {
            left -= 1;
        }
        if left == 0 {
            break;
        }
    }
    found.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_slot_has_a_tag_that_leads_to_it() {
        let tags = tags();
        assert_eq!(tags.len(), SLOTS);
        assert!((0..SLOTS).all(|n| usize::from(slot(&tags[n])) == n));
    }
}
