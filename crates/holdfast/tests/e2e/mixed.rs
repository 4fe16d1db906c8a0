//! Clusters of our nodes and those of `redis-server`: each takes over from the other, is handed its
//! role and its slots, and nothing that was acknowledged is lost.

use crate::client::{Client, requests, show};
use crate::cluster::{figure, free_ports};
use crate::server::{HOLDFAST, Home, Process, Program, until};
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// `cluster-node-timeout` of most nodes, in milliseconds.
const NODE_TIMEOUT: &str = "3000";
/// Sooner than silence could be noticed, in seconds.
const AT_ONCE: f64 = 2.5;
/// Until silence is noticed and an election is over, with room for a busy machine.
const SILENCE: f64 = 8.0;

struct Node {
    process: Process,
    home: Home,
    program: Program,
    port: u16,
    id: String,
}

/// Three primaries; the fourth node follows the first one, the fifth the second one.
struct Mixed {
    nodes: Vec<Node>,
}

/// The first and its replica are of different makes, and so are the second and its replica.
const MAKES: [Program; 5] =
    [Program::Redis, Program::Holdfast, Program::Redis, Program::Holdfast, Program::Redis];

impl Mixed {
    fn start(node_timeout: &'static str) -> Self {
        let first = free_ports();
        let nodes = MAKES.into_iter().zip(first..).map(|(program, port)| {
            let home = Home::new();
            let process = spawn(&home, program, port, node_timeout);
            Node { process, home, program, port, id: String::new() }
        });
        let mut mixed = Mixed { nodes: nodes.collect() };
        for index in 0..mixed.nodes.len() {
            mixed.answers(index);
            mixed.nodes[index].id = until("its name", || {
                Some(mixed.say(index, "CLUSTER MYID")).filter(|id| id.len() == 40)
            });
        }
        for (index, range) in ["0 5460", "5461 10922", "10923 16383"].iter().enumerate() {
            assert_eq!(mixed.say(index, &format!("CLUSTER ADDSLOTSRANGE {range}")), "+OK");
            mixed.say(index, &format!("CLUSTER SET-CONFIG-EPOCH {}", index + 1));
        }
        for node in &mixed.nodes[1..] {
            mixed.say(0, &format!("CLUSTER MEET 127.0.0.1 {}", node.port));
        }
        mixed.settle();
        for (replica, primary) in [(3, 0), (4, 1)] {
            let line = format!("CLUSTER REPLICATE {}", mixed.nodes[primary].id);
            assert_eq!(mixed.say(replica, &line), "+OK");
        }
        mixed.settle();
        mixed
    }

    fn say(&self, index: usize, line: &str) -> String {
        Client::connect(self.nodes[index].port).line(line)
    }

    fn answers(&self, index: usize) {
        let port = self.nodes[index].port;
        until("the node answers", || {
            let open = std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
            (open && self.say(index, "PING") == "+PONG").then_some(())
        });
    }

    /// Waits until all see the same whole cluster, with every replica linked to its primary.
    fn settle(&self) {
        until("all see the same cluster", || {
            let mut views = (0..self.nodes.len()).map(|index| self.view(index));
            let first = views.next()??;
            views.all(|view| view.as_ref() == Some(&first)).then_some(())
        });
    }

    /// Whom each node follows, and its slots, as one of them sees it; nothing while something is
    /// wrong.
    fn view(&self, index: usize) -> Option<BTreeMap<String, String>> {
        let mut view = BTreeMap::new();
        for line in self.say(index, "CLUSTER NODES").lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let known = ["myself", "master", "slave"];
            let sound = words[2].split(',').all(|flag| known.contains(&flag));
            if !sound || words[7] != "connected" {
                return None;
            }
            view.insert(words[0].to_owned(), format!("{} {}", words[3], words[8..].join(" ")));
        }
        let info = self.say(index, "INFO replication");
        let linked = !info.contains("master_link_status:down");
        let served = self.say(index, "CLUSTER INFO").contains("cluster_state:ok");
        (view.len() == self.nodes.len() && linked && served).then_some(view)
    }

    /// `holdfast check`, once it has written to all primaries and its writes reach the replicas.
    fn load(&self) -> Child {
        let mut command = Command::new(HOLDFAST);
        command.args(["check", "--json"]);
        for node in &self.nodes {
            command.args(["127.0.0.1", &node.port.to_string()]);
        }
        let load = command.stdout(Stdio::piped()).spawn().expect("it starts");
        until("the check writes", || {
            let keys = |index: usize| Client::connect(self.nodes[index].port).integer("DBSIZE");
            (0..3).all(|index| keys(index) > 100).then_some(())
        });
        for node in &self.nodes {
            let mut client = Client::connect(node.port);
            if client.info("role") == "slave" {
                let before = client.info("slave_repl_offset");
                until("it is fed", || (client.info("slave_repl_offset") != before).then_some(()));
            }
        }
        load
    }

    /// Kills a primary, whose replica takes its place; it comes back as the replica.
    fn replace(&mut self, primary: usize, replica: usize) {
        self.nodes[primary].process.signal(Signal::KILL);
        self.nodes[primary].process.wait();
        self.promoted(replica);
        let node = &mut self.nodes[primary];
        node.process = spawn(&node.home, node.program, node.port, NODE_TIMEOUT);
        self.answers(primary);
        self.settle();
        assert!(self.say(primary, "ROLE").contains("slave"));
    }

    /// The replica asks its primary for its role.
    fn hand_over(&self, replica: usize) {
        assert_eq!(self.say(replica, "CLUSTER FAILOVER"), "+OK");
        self.promoted(replica);
        self.settle();
    }

    fn promoted(&self, index: usize) {
        until("it is a primary", || self.say(index, "ROLE").contains("master").then_some(()));
    }

    /// `redis-cli --cluster` with a node; what it prints.
    fn tool(&self, index: usize, line: &str) -> String {
        let mut words = line.split(' ');
        let verb = words.next().unwrap_or_default();
        let at = format!("127.0.0.1:{}", self.nodes[index].port);
        let mut command = Command::new("redis-cli");
        command.args(["--cluster", verb, &at]).args(words).stdin(Stdio::null());
        let output = command.output().expect("redis-cli runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{text}");
        text
    }

    fn reshard(&self, from: usize, to: usize) {
        let (from, to) = (&self.nodes[from].id, &self.nodes[to].id);
        let line = format!("--cluster-from {from} --cluster-to {to} --cluster-slots 100");
        self.tool(2, &format!("reshard {line} --cluster-yes"));
        self.settle();
    }

    /// Every node finds the cluster whole, and replicas hold what their primaries hold.
    fn prove(&self, pairs: [(usize, usize); 2]) {
        for index in 0..self.nodes.len() {
            let text = self.tool(index, "check");
            assert!(text.contains("[OK] All nodes agree about slots configuration."), "{text}");
            assert!(text.contains("[OK] All 16384 slots covered."), "{text}");
            assert!(!text.contains("[WARNING]") && !text.contains("[ERR]"), "{text}");
        }
        for (primary, replica) in pairs {
            until("the replica holds the same", || {
                (self.content(primary) == self.content(replica)).then_some(())
            });
        }
    }

    /// What the node holds of what the check has written.
    fn content(&self, index: usize) -> Vec<String> {
        let mut client = Client::connect(self.nodes[index].port);
        assert_eq!(client.line("READONLY"), "+OK");
        let lines: Vec<String> = (0..1000).map(|n| format!("GET key_{n}")).collect();
        client.send(&requests(lines.iter().map(String::as_str)));
        let replies = lines.iter().map(|line| (line, show(&client.read())));
        let here = replies.filter(|(_, reply)| !reply.starts_with("-MOVED"));
        let here: Vec<String> = here.map(|(line, reply)| format!("{line} {reply}")).collect();
        assert!(here.len() > 100, "{here:?}");
        here
    }
}

impl Drop for Mixed {
    fn drop(&mut self) {
        if thread::panicking() {
            for node in &self.nodes {
                let printed = node.home.printed();
                let lines: Vec<&str> = printed.lines().rev().take(30).collect();
                eprintln!("--- {:?} at {} printed last:", node.program, node.port);
                lines.iter().rev().for_each(|line| eprintln!("{line}"));
            }
        }
    }
}

fn spawn(home: &Home, program: Program, port: u16, node_timeout: &str) -> Process {
    let mut command = program.command();
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--dir"]);
    command.arg(home.data()).args(["--cluster-enabled", "yes"]);
    command.args(["--cluster-node-timeout", node_timeout, "--repl-diskless-sync-delay", "0"]);
    home.spawn(command)
}

/// Ends the check; nothing may be lost.
fn end(load: Child) -> Output {
    let pid = rustix::process::Pid::from_child(&load);
    rustix::process::kill_process(pid, Signal::TERM).expect("it runs");
    let output = load.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(figure(&output, "lost"), 0.0);
    assert!(figure(&output, "writes") > 300.0);
    output
}

#[test]
fn nodes_of_either_make_replace_those_of_the_other() {
    let mut mixed = Mixed::start(NODE_TIMEOUT);
    let load = mixed.load();
    mixed.replace(0, 3);
    let output = end(load);
    assert!(figure(&output, "longest_unavailability_s") < AT_ONCE, "{output:?}");
    let load = mixed.load();
    mixed.replace(1, 4);
    let output = end(load);
    assert!(figure(&output, "longest_unavailability_s") < SILENCE, "{output:?}");
    mixed.prove([(3, 0), (4, 1)]);
}

#[test]
fn roles_and_slots_go_from_make_to_make_and_back() {
    let mixed = Mixed::start(NODE_TIMEOUT);
    let load = mixed.load();
    mixed.reshard(0, 1);
    mixed.reshard(1, 0);
    for replica in [3, 4] {
        mixed.hand_over(replica);
    }
    for former in [0, 1] {
        mixed.hand_over(former);
    }
    let output = end(load);
    assert!(figure(&output, "longest_unavailability_s") < SILENCE, "{output:?}");
    mixed.prove([(0, 3), (1, 4)]);
    // Who has nothing yet can take over nothing: the primary is not asked to hold writers back.
    assert_eq!(mixed.say(2, "CONFIG SET repl-diskless-sync-delay 60"), "+OK");
    assert_eq!(mixed.say(3, &format!("CLUSTER REPLICATE {}", mixed.nodes[2].id)), "+OK");
    until("it is about to sync", || {
        let known = mixed.say(2, &format!("CLUSTER REPLICAS {}", mixed.nodes[2].id));
        let waits = mixed.say(2, "INFO replication").contains("state=wait_bgsave");
        (waits && known.contains(&mixed.nodes[3].id)).then_some(())
    });
    assert_eq!(mixed.say(3, "CLUSTER FAILOVER"), "+OK");
    until("it has given up", || {
        let began = Instant::now();
        assert_eq!(mixed.say(2, "SET foo 1"), "+OK");
        assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
        mixed.nodes[3].home.printed().contains("Manual failover timed out.").then_some(())
    });
}

/// The other voter of ours must hear from the former primary that it has conceded, which says so
/// only when it is asked.
#[test]
fn a_role_that_redis_hands_over_is_used_at_once() {
    // Nobody asks it by himself before long.
    let mixed = Mixed::start("30000");
    let began = Instant::now();
    assert_eq!(mixed.say(3, "CLUSTER FAILOVER"), "+OK");
    until("a write", || (mixed.say(3, "SET bar 1") == "+OK").then_some(()));
    let took = began.elapsed();
    assert!(took < Duration::from_millis(1000), "{took:?}");
}
