//! Slots and their keys move between our nodes and those of `redis-server`, both ways.

use crate::client::Client;
use crate::cluster::free_ports;
use crate::server::{Home, PATIENCE, Process, Program, Server, until};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Instant;
use wire::slot::slot;

/// Two primaries in one cluster: the first has the lower half of the slots.
struct Pair {
    nodes: Vec<(Process, Home)>,
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
        let pair = Pair { nodes, ports, names };
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
        // Links of nodes that have just met may be made anew, and a lease dies with them: writers
        // wait for the next one.
        for (port, key) in ports.into_iter().zip(["bar", "foo"]) {
            let mut client = Client::connect(port);
            for _ in 0..100 {
                assert_eq!(client.line(&format!("SET {key} 0")), "+OK");
            }
            client.line(&format!("DEL {key}"));
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

impl Drop for Pair {
    fn drop(&mut self) {
        if thread::panicking() {
            for (_, home) in &self.nodes {
                eprintln!("--- a node printed:\n{}", home.printed());
            }
        }
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

/// What is said to both pairs, each line to the node it begins with, over one connection a node.
/// `A` and `B` stand for names, `PA` and `PB` for ports, a dash for the empty word.
const SAID: &str = "
0 CLUSTER SETSLOT
0 CLUSTER SETSLOT 1
0 CLUSTER SETSLOT 1 foo
0 CLUSTER SETSLOT x migrating B
0 CLUSTER SETSLOT 16384 stable
0 CLUSTER SETSLOT -1 stable
0 CLUSTER SETSLOT 8200 migrating B
0 CLUSTER SETSLOT 1 migrating abc
0 CLUSTER SETSLOT 1 migrating A
0 CLUSTER SETSLOT 1 importing B
0 CLUSTER SETSLOT 8200 importing zzz
0 CLUSTER SETSLOT 8200 importing B
0 CLUSTER SETSLOT 1 stable x
0 CLUSTER SETSLOT 1 node
0 CLUSTER SETSLOT 1 node foo
0 CLUSTER DELSLOTS 1
0 CLUSTER ADDSLOTS 1
0 CLUSTER SETSLOT 1 stable
0 CLUSTER SETSLOT 8200 stable
0 MULTI
0 CLUSTER DELSLOTS 1
0 CLUSTER ADDSLOTS 1
0 CLUSTER SETSLOT 1 stable
0 CLUSTER BUMPEPOCH
0 EXEC
0 SET bar 1
0 SET x{bar} 2
0 SET y{bar} 3
0 CLUSTER SETSLOT 5061 migrating B
1 CLUSTER SETSLOT 5061 importing A
0 GET bar
0 GET nope{bar}
0 MGET bar nope{bar}
0 MGET nope{bar} nope2{bar}
0 MGET bar x{bar}
0 SET new{bar} 1
0 MULTI
0 GET bar
0 GET nope{bar}
0 EXEC
0 MULTI
0 GET bar
0 GET x{bar}
0 EXEC
0 MULTI
0 MSET bar 1 nope{bar} 3
0 EXEC
0 ASKING
0 GET nope{bar}
1 GET bar
1 ASKING
1 GET bar
1 GET bar
1 ASKING
1 MGET bar x{bar}
1 ASKING
1 MGET bar bar
1 ASKING
1 PING
1 GET bar
1 ASKING
1 ASKING
1 GET bar
1 GET bar
1 ASKING
1 MULTI
1 SET q{bar} 1
1 GET q{bar}
1 EXEC
1 GET q{bar}
1 ASKING
1 FOO
1 GET q{bar}
1 ASKING
1 GET
1 GET q{bar}
1 READONLY
1 GET q{bar}
1 ASKING
1 GET q{bar}
1 READWRITE
1 RESTORE-ASKING w{bar} 0 x
1 ASKING x
0 MIGRATE 127.0.0.1 PB zz{bar} 0 1000
0 MIGRATE 127.0.0.1 PB bar 0 1000 copy
0 MIGRATE 127.0.0.1 PB bar 0 1000
0 MIGRATE 127.0.0.1 PB bar 0 1000 replace
0 GET bar
0 MIGRATE 127.0.0.1 PB - 0 1000 keys x{bar} y{bar} zz{bar}
0 GET x{bar}
0 MIGRATE 127.0.0.1 PB foo 0 100
1 ASKING
1 MGET bar x{bar} y{bar}
1 CLUSTER COUNTKEYSINSLOT 5061
0 CLUSTER COUNTKEYSINSLOT 5061
0 MIGRATE 127.0.0.1 PB k{bar} 0 x
0 MIGRATE 127.0.0.1 PB k{bar} x 0
0 MIGRATE 127.0.0.1 PB k{bar} 0 0 foo
0 MIGRATE 127.0.0.1 PB k{bar} 0 0 auth
0 MIGRATE 127.0.0.1 PB k{bar} 0 0 auth2 a
0 MIGRATE 127.0.0.1 PB k{bar} 0 0 keys a
0 MIGRATE a b c
0 MIGRATE 127.0.0.1 PB - 0 0 keys a b
1 MIGRATE 127.0.0.1 PA bar 0 1000 copy
1 MIGRATE 127.0.0.1 PA bar 1 1000 copy
1 MIGRATE 127.0.0.1 PA bar 0 1000 copy auth xx
1 MIGRATE 127.0.0.1 PA bar 0 1000 copy replace auth2 default xx
1 MIGRATE 127.0.0.1 1 bar 0 100
1 MIGRATE nowhere.invalid 1 bar 0 100
0 CLUSTER SETSLOT 5061 node B
0 MIGRATE 127.0.0.1 PB bar 0 1000 replace
1 CLUSTER SETSLOT 5061 node B
1 GET bar
1 CLUSTER SETSLOT 5061 node B
0 GET bar
0 CLUSTER SETSLOT 5061 stable
";

#[test]
fn replies_are_those_of_redis() {
    let programs = [[Program::Redis; 2], [Program::Holdfast; 2]];
    let answers = programs.map(|programs| {
        let pair = Pair::start(programs);
        let mut clients = pair.ports.map(Client::connect);
        let said = SAID.lines().filter(|line| !line.is_empty()).map(|line| {
            let words: Vec<String> = line[2..]
                .split(' ')
                .map(|word| match word {
                    "A" => pair.names[0].clone(),
                    "B" => pair.names[1].clone(),
                    "PA" => pair.ports[0].to_string(),
                    "PB" => pair.ports[1].to_string(),
                    "-" => String::new(),
                    word => word.to_owned(),
                })
                .collect();
            let at = usize::from(line.starts_with('1'));
            let mut reply = clients[at].call(&words);
            for (index, port) in pair.ports.iter().enumerate() {
                reply = reply.replace(&port.to_string(), &format!("P{index}"));
            }
            format!("{line}\n    {reply}")
        });
        said.collect::<Vec<_>>()
    });
    let [theirs, ours] = &answers;
    for (theirs, ours) in theirs.iter().zip(ours) {
        assert_eq!(ours, theirs);
    }
}

/// What one program wrote of open slots the other reads.
#[test]
fn open_slots_outlive_the_process() {
    for programs in [[Program::Redis, Program::Holdfast], [Program::Holdfast, Program::Redis]] {
        let home = Home::new();
        let arguments = ["--cluster-enabled", "yes", "--save", ""];
        let server = Server::of(programs[0], home, &arguments);
        let mut client = server.client();
        let id =
            until("its name", || Some(client.line("CLUSTER MYID")).filter(|id| id.len() == 40));
        assert_eq!(client.line("CLUSTER ADDSLOTS 1 2"), "+OK");
        assert_eq!(client.line(&format!("CLUSTER SETSLOT 2 MIGRATING {id}")), "+OK");
        assert_eq!(client.line(&format!("CLUSTER SETSLOT 7 IMPORTING {id}")), "+OK");
        let open = format!("1-2 [2->-{id}] [7-<-{id}]");
        let file = server.home.file("nodes.conf");
        until("it is saved", || {
            let text = std::fs::read_to_string(&file).ok()?;
            text.contains(&open).then_some(())
        });
        let (_, home) = server.end(rustix::process::Signal::KILL);
        let server = Server::of(programs[1], home, &arguments);
        let mut client = server.client();
        until("the slots", || client.line("CLUSTER NODES").contains(&open).then_some(()));
    }
}
