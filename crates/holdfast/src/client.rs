//! A cluster client for the tools: follows MOVED and ASK, and goes to another node when one is
//! dead.

use crate::connection::Connection;
use crate::topology;
use std::collections::{BTreeMap, BTreeSet};
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
                Some(Redirection::Moved(to)) => target = Some(self.moved(slot, to)),
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

    /// A slot has a new owner. Others may have the same, if a replica has taken over: it is asked
    /// for all of them now, since the old owner may end before they are needed.
    fn moved(&mut self, slot: u16, to: Address) -> Rc<Address> {
        // If it does not answer, the request will tell.
        let _ = self.look_at(&to);
        let to = Rc::new(to);
        if let Some(owner) = self.owners.get_mut(usize::from(slot)) {
            *owner = Some(Rc::clone(&to));
        }
        to
    }

    /// Learns the owners of all slots from the first node that knows any.
    pub(crate) fn look(&mut self) -> Result<(), String> {
        let known: Vec<Address> = self.connections.keys().chain(&self.seeds).cloned().collect();
        let mut last = String::from("no node to ask");
        for address in known {
            match self.look_at(&address) {
                Ok(()) => return Ok(()),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn look_at(&mut self, address: &Address) -> Result<(), String> {
        let nodes = topology::ask(&address.0, address.1, self.timeout)?;
        if nodes.iter().all(|node| node.slots.is_empty()) {
            // Whoever has left a cluster knows nothing of it any more.
            return Err(format!("{}:{} knows nobody who serves anything", address.0, address.1));
        }
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
        // A node that serves nothing may end unnoticed, and come back as an owner.
        let owners: BTreeSet<&Address> = self.owners.iter().flatten().map(Rc::as_ref).collect();
        self.connections.retain(|address, _| owners.contains(address));
        Ok(())
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
    use crate::connection::text;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::sync::{Arc, Mutex};
    use wire::value::decode;

    /// A node that answers as it is told, and remembers what it was asked.
    #[derive(Clone)]
    struct Fake {
        port: u16,
        answers: Arc<Mutex<BTreeMap<String, String>>>,
        asked: Arc<Mutex<Vec<String>>>,
    }

    impl Fake {
        fn start() -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = listener.local_addr().unwrap().port();
            let fake = Fake { port, answers: Arc::default(), asked: Arc::default() };
            let node = fake.clone();
            std::thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    let node = node.clone();
                    std::thread::spawn(move || node.serve(stream));
                }
            });
            fake
        }

        fn serve(&self, mut stream: TcpStream) {
            let (mut input, mut buffer) = (Vec::new(), [0; 1024]);
            while let Ok(n @ 1..) = stream.read(&mut buffer) {
                input.extend_from_slice(&buffer[..n]);
                while let Ok(Some((Value::Array(words), used))) = decode(&input) {
                    input.drain(..used);
                    let words = words.into_iter().map(|word| text(word).unwrap());
                    let line = words.collect::<Vec<_>>().join(" ");
                    self.asked.lock().unwrap().push(line.clone());
                    let answer = self.answers.lock().unwrap().get(&line).cloned();
                    let answer = answer.unwrap_or_else(|| format!("-ERR {line}"));
                    stream.write_all(format!("{answer}\r\n").as_bytes()).unwrap();
                }
            }
        }

        fn answer(&self, line: &str, answer: impl Into<String>) {
            self.answers.lock().unwrap().insert(line.into(), answer.into());
        }

        /// It says that this node has all slots.
        fn shows(&self, owner: u16) {
            let id = "a".repeat(40);
            let line = format!("{id} 127.0.0.1:{owner}@1 master - 0 0 1 connected 0-16383\n");
            self.answer("CLUSTER NODES", format!("${}\r\n{line}", line.len()));
        }

        /// What it was asked since the last time.
        fn asked(&self) -> Vec<String> {
            std::mem::take(&mut self.asked.lock().unwrap())
        }
    }

    fn get(client: &mut Client) -> Result<Value, String> {
        client.call(b"key", &[b"GET", b"key"])
    }

    fn client(seeds: &[u16]) -> Client {
        let seeds = seeds.iter().map(|port| (String::from("127.0.0.1"), *port));
        Client::new(seeds.collect(), Duration::from_secs(5))
    }

    /// A node that has all slots, and another.
    fn two() -> [Fake; 2] {
        let both = [Fake::start(), Fake::start()];
        both[0].shows(both[0].port);
        both[1].answer("ASKING", "+OK");
        both[1].answer("GET key", "+there");
        both
    }

    #[test]
    fn who_is_asked_for_once_is_not_remembered() {
        let [owner, other] = two();
        owner.answer("GET key", format!("-ASK 12539 127.0.0.1:{}", other.port));
        let mut client = client(&[owner.port]);
        for asked in [&["CLUSTER NODES", "GET key"][..], &["GET key"]] {
            assert_eq!(get(&mut client), Ok(Value::Simple(b"there".to_vec())));
            assert_eq!(owner.asked(), asked);
            assert_eq!(other.asked(), ["ASKING", "GET key"]);
        }
    }

    #[test]
    fn a_new_owner_is_remembered() {
        let [owner, other] = two();
        owner.answer("GET key", format!("-MOVED 12539 127.0.0.1:{}", other.port));
        other.answer("GET foo", "+foo");
        other.shows(other.port);
        let mut client = client(&[owner.port]);
        assert_eq!(get(&mut client), Ok(Value::Simple(b"there".to_vec())));
        assert_eq!(owner.asked(), ["CLUSTER NODES", "GET key"]);
        assert_eq!(other.asked(), ["CLUSTER NODES", "GET key"]);
        assert_eq!(get(&mut client), Ok(Value::Simple(b"there".to_vec())));
        assert_eq!(client.call(b"foo", &[b"GET", b"foo"]), Ok(Value::Simple(b"foo".to_vec())));
        assert_eq!(other.asked(), ["GET key", "GET foo"]);
        assert!(owner.asked().is_empty());
    }

    #[test]
    fn who_serves_nothing_any_more_is_left() {
        let [owner, other] = two();
        owner.answer("GET key", "+here");
        other.shows(other.port);
        let mut client = client(&[owner.port]);
        assert_eq!(get(&mut client), Ok(Value::Simple(b"here".to_vec())));
        owner.answer("GET key", format!("-MOVED 12539 127.0.0.1:{}", other.port));
        assert_eq!(get(&mut client), Ok(Value::Simple(b"there".to_vec())));
        let left: Vec<u16> = client.connections.keys().map(|(_, port)| *port).collect();
        assert_eq!(left, [other.port]);
    }

    #[test]
    fn a_cluster_that_is_down_is_looked_at_again() {
        let [owner, other] = two();
        let down = "CLUSTERDOWN The cluster is down";
        owner.answer("GET key", format!("-{down}"));
        let mut client = client(&[owner.port]);
        for _ in 0..2 {
            assert_eq!(get(&mut client), Err(down.into()));
            assert_eq!(owner.asked(), ["CLUSTER NODES", "GET key"]);
        }
        owner.shows(other.port);
        assert_eq!(get(&mut client), Ok(Value::Simple(b"there".to_vec())));
    }

    #[test]
    fn another_node_is_asked_when_one_is_dead() {
        let [alive, other] = two();
        let dead = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        alive.shows(dead);
        let mut client = client(&[dead, alive.port]);
        assert!(get(&mut client).unwrap_err().contains("refused"));
        alive.shows(other.port);
        assert_eq!(get(&mut client), Ok(Value::Simple(b"there".to_vec())));
        assert_eq!(alive.asked(), ["CLUSTER NODES", "CLUSTER NODES"]);
    }

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
