//! Slots and their keys move between our nodes and those of `redis-server`, both ways.

use crate::client::Client;
use crate::cluster::free_ports;
use crate::server::{Home, PATIENCE, Process, Program, until};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Instant;
use wire::slot::slot;

/// Two primaries in one cluster: the first has the lower half of the slots.
struct Pair {
    _nodes: Vec<(Process, Home)>,
    ports: [u16; 2],
    names: [String; 2],
}

impl Pair {
    fn start(programs: [Program; 2]) -> Self {
        let first = free_ports();
        let ports = [first, first + 1];
        let start = |(program, port): (Program, u16)| {
            let home = Home::new();
            let mut command = program.command();
            command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""]);
            command.args(["--cluster-enabled", "yes", "--cluster-node-timeout", "2000", "--dir"]);
            command.arg(home.data());
            (home.spawn(command), home)
        };
        let nodes = programs.into_iter().zip(ports).map(start).collect();
        let names = ports.map(|port| {
            until("the node listens", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
            let mut client = Client::connect(port);
            until("its name", || Some(client.line("CLUSTER MYID")).filter(|id| id.len() == 40))
        });
        let pair = Pair { _nodes: nodes, ports, names };
        for (index, range) in ["0 8191", "8192 16383"].iter().enumerate() {
            assert_eq!(pair.say(index, &format!("CLUSTER ADDSLOTSRANGE {range}")), "+OK");
            pair.say(index, &format!("CLUSTER SET-CONFIG-EPOCH {}", index + 1));
        }
        pair.say(0, &format!("CLUSTER MEET 127.0.0.1 {}", ports[1]));
        for port in ports {
            let mut client = Client::connect(port);
            until("the cluster is up", || {
                let info = client.line("CLUSTER INFO");
                info.contains("cluster_state:ok").then_some(())
            });
        }
        pair
    }

    fn say(&self, index: usize, words: &str) -> String {
        Client::connect(self.ports[index]).line(words)
    }

    /// The slots that a node says it has, and those it says are open, names as numbers.
    fn slots(&self, index: usize) -> String {
        let text = self.say(index, "CLUSTER NODES");
        let line = text.lines().find(|line| line.contains("myself")).expect("itself");
        let slots: Vec<&str> = line.split(' ').skip(8).collect();
        slots.join(" ").replace(&self.names[0], "0").replace(&self.names[1], "1")
    }

    /// `redis-cli --cluster` with the first node; what it printed, and whether it succeeded.
    fn tool(&self, words: &[&str]) -> (bool, String) {
        let output = Command::new("redis-cli")
            .args(["--cluster", words[0], &format!("127.0.0.1:{}", self.ports[0])])
            .args(&words[1..])
            .output()
            .expect("redis-cli runs");
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn reshard(&self, from: usize, to: usize, slots: u32) {
        let (from, to) = (&self.names[from], &self.names[to]);
        let slots = slots.to_string();
        let words = [
            "--cluster-from",
            from,
            "--cluster-to",
            to,
            "--cluster-slots",
            &slots,
            "--cluster-yes",
        ];
        let (done, printed) = self.tool(&[&["reshard"], &words[..]].concat());
        assert!(done, "{printed}");
    }

    fn check(&self) {
        until("the nodes agree", || self.tool(&["check"]).0.then_some(()));
        let (_, printed) = self.tool(&["check"]);
        assert!(printed.contains("[OK] All nodes agree about slots configuration."), "{printed}");
        assert!(printed.contains("[OK] All 16384 slots covered."), "{printed}");
        assert!(!printed.contains("WARNING"), "{printed}");
    }
}

/// A client that follows redirections as `redis-cli -c` does, and counts.
struct Follower {
    nodes: Vec<(u16, Client)>,
    at: usize,
    asked: usize,
    moved: usize,
}

impl Follower {
    fn new(ports: [u16; 2]) -> Self {
        let nodes = ports.map(|port| (port, Client::connect(port))).into();
        Follower { nodes, at: 0, asked: 0, moved: 0 }
    }

    fn call(&mut self, words: &str) -> String {
        let mut asking = None;
        for _ in 0..32 {
            if asking.is_some() {
                assert_eq!(self.nodes[asking.unwrap_or(0)].1.line("ASKING"), "+OK");
            }
            let at = asking.take().unwrap_or(self.at);
            let reply = self.nodes[at].1.line(words);
            let target = |reply: &str| {
                let port: u16 = reply.rsplit(':').next()?.parse().ok()?;
                self.nodes.iter().position(|(known, _)| *known == port)
            };
            if reply.starts_with("-MOVED ") {
                self.at = target(&reply).expect("a node of the pair");
                self.moved += 1;
            } else if reply.starts_with("-ASK ") {
                asking = target(&reply);
                self.asked += 1;
            } else {
                return reply;
            }
        }
        panic!("sent from one to the other: {words}");
    }
}

/// So many slots are resharded.
const SLOTS: u32 = 60;

/// Raises counters until it is told to stop: each must always be what it was raised to.
fn raise(ports: [u16; 2], stop: Arc<AtomicBool>, who: usize) -> JoinHandle<(u64, usize)> {
    thread::spawn(move || {
        let mut follower = Follower::new(ports);
        let keys = (0..).map(|n| format!("{who}:{n}"));
        let keys: Vec<String> =
            keys.filter(|key| u32::from(slot(key.as_bytes())) < SLOTS).take(40).collect();
        let mut counts = [0u64; 40];
        let mut total = 0;
        while !stop.load(Ordering::Relaxed) {
            for (key, count) in keys.iter().zip(&mut counts) {
                *count += 1;
                let raised = follower.call(&format!("INCR {key}"));
                assert_eq!(raised, format!(":{count}"), "{key}");
                total += 1;
            }
        }
        for (key, count) in keys.iter().zip(&counts) {
            assert_eq!(follower.call(&format!("GET {key}")), count.to_string());
        }
        (total, follower.moved + follower.asked)
    })
}

const PAIRS: [[Program; 2]; 3] = [
    [Program::Holdfast, Program::Redis],
    [Program::Redis, Program::Holdfast],
    [Program::Holdfast, Program::Holdfast],
];

/// Slot 5061, by hand, with what clients are told at every step.
#[test]
fn a_slot_moves_by_hand() {
    for programs in PAIRS {
        let pair = Pair::start(programs);
        let (from, to) = (&pair.names[0], &pair.names[1]);
        let port = pair.ports[1];
        for words in ["SET bar 1", "SET x{bar} 2", "SET y{bar} 3"] {
            assert_eq!(pair.say(0, words), "+OK");
        }
        assert_eq!(pair.say(0, "PEXPIRE x{bar} 100000"), ":1");
        assert_eq!(pair.say(1, &format!("CLUSTER SETSLOT 5061 IMPORTING {from}")), "+OK");
        assert_eq!(pair.say(0, &format!("CLUSTER SETSLOT 5061 MIGRATING {to}")), "+OK");
        assert_eq!(pair.slots(0), "0-8191 [5061->-1]");
        assert_eq!(pair.slots(1), "8192-16383 [5061-<-0]");
        let ask = format!("-ASK 5061 127.0.0.1:{port}");
        assert_eq!(pair.say(0, "SET new{bar} 1"), ask);
        assert_eq!(pair.say(0, "GET bar"), "1");
        let again = "-TRYAGAIN Multiple keys request during rehashing of slot";
        assert_eq!(pair.say(0, "MGET bar new{bar}"), again);
        assert_eq!(pair.say(1, "GET bar"), format!("-MOVED 5061 127.0.0.1:{}", pair.ports[0]));
        let kept = "-ERR Can't assign hashslot 5061 to a different node while I still hold keys \
                    for this hash slot.";
        assert_eq!(pair.say(0, &format!("CLUSTER SETSLOT 5061 NODE {to}")), kept);
        let migrate = |key: &str| pair.say(0, &format!("MIGRATE 127.0.0.1 {port} {key} 0 5000"));
        assert_eq!(migrate("bar"), "+OK");
        assert_eq!(migrate("bar"), "+NOKEY");
        assert_eq!(pair.say(0, "MGET bar x{bar}"), again);
        assert_eq!(pair.say(0, "GET bar"), ask);
        assert_eq!(migrate("x{bar}"), "+OK");
        assert_eq!(migrate("y{bar}"), "+OK");
        assert_eq!(pair.say(0, "CLUSTER COUNTKEYSINSLOT 5061"), ":0");
        let mut asking = Client::connect(port);
        assert_eq!(asking.line("ASKING"), "+OK");
        assert_eq!(asking.line("MGET bar x{bar} y{bar}"), "[1 2 3]");
        for index in [1, 0] {
            assert_eq!(pair.say(index, &format!("CLUSTER SETSLOT 5061 NODE {to}")), "+OK");
        }
        assert_eq!(pair.slots(1), "5061 8192-16383");
        until("the source knows", || (pair.slots(0) == "0-5060 5062-8191").then_some(()));
        assert_eq!(pair.say(0, "GET bar"), format!("-MOVED 5061 127.0.0.1:{port}"));
        let left = Client::connect(port).integer("PTTL x{bar}");
        assert!((90_000..=100_000).contains(&left), "{left}");
        pair.check();
    }
}

#[test]
fn slots_are_resharded_under_writes() {
    for programs in PAIRS {
        let pair = Pair::start(programs);
        let stop = Arc::new(AtomicBool::new(false));
        let load: Vec<_> = (0..3).map(|who| raise(pair.ports, Arc::clone(&stop), who)).collect();
        let began = Instant::now();
        // The lowest ones first: those of the counters go there and back.
        pair.reshard(0, 1, SLOTS);
        pair.reshard(1, 0, SLOTS);
        pair.check();
        assert!(began.elapsed() < PATIENCE, "it took {:?}", began.elapsed());
        stop.store(true, Ordering::Relaxed);
        let figures: Vec<_> = load.into_iter().map(|load| load.join().expect("no error")).collect();
        assert!(figures.iter().all(|(total, _)| *total >= 40), "{figures:?}");
        assert!(figures.iter().all(|(_, sent_on)| *sent_on >= 80), "{figures:?}");
    }
}

/// A move that stopped half-way is mended by `redis-cli --cluster fix`.
#[test]
fn a_slot_left_open_is_mended() {
    for programs in PAIRS {
        let pair = Pair::start(programs);
        for words in ["SET bar 1", "SET x{bar} 2", "SET y{bar} 3"] {
            assert_eq!(pair.say(0, words), "+OK");
        }
        let (from, to, port) = (&pair.names[0], &pair.names[1], pair.ports[1]);
        pair.say(1, &format!("CLUSTER SETSLOT 5061 IMPORTING {from}"));
        pair.say(0, &format!("CLUSTER SETSLOT 5061 MIGRATING {to}"));
        assert_eq!(pair.say(0, &format!("MIGRATE 127.0.0.1 {port} bar 0 5000")), "+OK");
        let (_, printed) = pair.tool(&["check"]);
        assert!(printed.contains("The following slots are open: 5061"), "{printed}");
        let (_, printed) = pair.tool(&["fix"]);
        assert!(printed.contains("Moving slot 5061"), "{printed}");
        pair.check();
        let mut follower = Follower::new(pair.ports);
        assert_eq!(follower.call("MGET bar x{bar} y{bar}"), "[1 2 3]");
    }
}
