//! A cluster client for the tools: follows MOVED and ASK, and goes to another node when one is
//! dead.

use crate::connection::Connection;
use crate::topology;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;
use wire::slot::{SLOTS, slot};
use wire::value::Value;

/// Host and port.
type Address = (String, u16);

/// See the module's documentation.
pub(crate) struct Client {
    /// Where to ask for the cluster when nothing else is known.
    seeds: Vec<Address>,
    /// The owner of each slot, as far as known; empty before the first look.
    owners: Vec<Option<Rc<Address>>>,
    connections: BTreeMap<Address, Connection>,
    timeout: Duration,
}

/// Before keys that are on their way are asked for again.
const PAUSE: Duration = Duration::from_millis(5);
/// How often a request may be sent on.
const REDIRECTIONS: usize = 16;

impl Client {
    /// A client that has not looked anywhere yet.
    pub(crate) fn new(seeds: Vec<Address>, timeout: Duration) -> Self {
        Client { seeds, owners: Vec::new(), connections: BTreeMap::new(), timeout }
    }

    /// Sends a request to the owner of `key`'s slot. An error is the last one met; it says nothing
    /// about whether the request was carried out.
    pub(crate) fn call(&mut self, key: &[u8], words: &[&[u8]]) -> Result<Value, String> {
        let slot = slot(key);
        if self.owners.is_empty() {
            self.look()?;
        }
        let mut target = self.owners.get(usize::from(slot)).cloned().flatten();
        let mut asking = false;
        for _ in 0..REDIRECTIONS {
            let Some(address) = target.take() else {
                // The next request looks again.
                self.owners.clear();
                return Err(String::from("CLUSTERDOWN Hash slot not served"));
            };
            let reply = match self.send(&address, words, asking) {
                Ok(reply) => reply,
                Err(error) => {
                    // Whoever owns the slot now, it is worth asking the others.
                    self.connections.remove(&*address);
                    self.owners.clear();
                    return Err(format!("{}:{}: {error}", address.0, address.1));
                }
            };
            asking = false;
            match redirection(&reply, &address.0) {
                Some(Redirection::Moved(to)) => {
                    let to = Rc::new(to);
                    if let Some(owner) = self.owners.get_mut(usize::from(slot)) {
                        *owner = Some(Rc::clone(&to));
                    }
                    target = Some(to);
                }
                // Only this request goes there: the owner is still the same.
                Some(Redirection::Ask(to)) => (target, asking) = (Some(Rc::new(to)), true),
                Some(Redirection::Again) => {
                    std::thread::sleep(PAUSE);
                    target = Some(address);
                }
                None => return self.finish(reply),
            }
        }
        Err(String::from("Too many Cluster redirections"))
    }

    fn finish(&mut self, reply: Value) -> Result<Value, String> {
        let Value::Error(text) = &reply else { return Ok(reply) };
        let text = String::from_utf8_lossy(text).into_owned();
        if text.starts_with("CLUSTERDOWN") {
            self.owners.clear();
        }
        Err(text)
    }

    fn send(&mut self, address: &Address, words: &[&[u8]], asking: bool) -> std::io::Result<Value> {
        if !self.connections.contains_key(address) {
            let connection = Connection::open((&address.0, address.1), self.timeout)?;
            self.connections.insert(address.clone(), connection);
        }
        let connection = self.connections.get_mut(address);
        let connection = connection.expect("it was put there just now");
        if asking {
            connection.call(&[b"ASKING"])?;
        }
        connection.call(words)
    }

    /// Learns the owners of all slots from the first node that knows any.
    pub(crate) fn look(&mut self) -> Result<(), String> {
        let known: Vec<Address> = self.connections.keys().chain(&self.seeds).cloned().collect();
        let mut last = String::from("no node to ask");
        for (host, port) in known {
            match topology::ask(&host, port, self.timeout) {
                // Whoever has left a cluster knows nothing of it any more.
                Ok(nodes) if nodes.iter().all(|node| node.slots.is_empty()) => {
                    last = format!("{host}:{port} knows nobody who serves anything");
                }
                Ok(nodes) => {
                    self.seeds.extend(nodes.iter().map(|node| (node.host.clone(), node.port)));
                    self.seeds.sort();
                    self.seeds.dedup();
                    self.owners = vec![None; SLOTS];
                    for node in nodes {
                        let address = Rc::new(node.address());
                        for slot in node.slots.iter() {
                            self.owners[usize::from(slot)] = Some(Rc::clone(&address));
                        }
                    }
                    return Ok(());
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

/// Where a reply sends the request.
#[derive(PartialEq, Eq, Debug)]
enum Redirection {
    /// The slot has another owner.
    Moved(Address),
    /// The slot is on its way there, and the key is not here any more.
    Ask(Address),
    /// Some of the keys are on their way.
    Again,
}

/// Where a reply leads; an empty host stands for the one that said it.
fn redirection(reply: &Value, from: &str) -> Option<Redirection> {
    let Value::Error(text) = reply else { return None };
    let text = std::str::from_utf8(text).ok()?;
    if text.starts_with("TRYAGAIN") {
        return Some(Redirection::Again);
    }
    let mut words = text.split(' ');
    let kind = words.next().filter(|word| ["MOVED", "ASK"].contains(word))?;
    let _slot = words.next()?;
    let (host, port) = words.next()?.rsplit_once(':')?;
    let host = if host.is_empty() { from } else { host };
    let to = (host.to_string(), port.parse().ok()?);
    Some(if kind == "ASK" { Redirection::Ask(to) } else { Redirection::Moved(to) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirection_says_where_to_and_for_how_long() {
        let read = |text: &str| redirection(&Value::Error(text.into()), "h");
        assert_eq!(read("MOVED 7 a:1"), Some(Redirection::Moved(("a".into(), 1))));
        assert_eq!(read("ASK 7 :1"), Some(Redirection::Ask(("h".into(), 1))));
        assert_eq!(read("TRYAGAIN Multiple keys"), Some(Redirection::Again));
        for other in ["ERR x", "MOVED", "ASK 7 a", "CLUSTERDOWN x"] {
            assert_eq!(read(other), None, "{other}");
        }
        assert_eq!(redirection(&Value::Bulk(b"MOVED 7 a:1".to_vec()), "h"), None);
    }
}
