//! The operators' tools for clusters, on nodes of Redis and on ours.

use crate::client::Client;
use crate::cluster::free_ports;
use crate::server::{HOLDFAST, Home, Process, Program, Server, until};
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

/// Some nodes that are to be a cluster.
struct Nodes {
    port: u16,
    nodes: Vec<(Process, Home)>,
}

impl Nodes {
    fn start(program: Program, count: u16) -> Self {
        let port = free_ports();
        let start = |port: u16| {
            let home = Home::new();
            let mut command = program.command();
            command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""]);
            command.args(["--cluster-enabled", "yes", "--cluster-node-timeout", "2000", "--dir"]);
            command.arg(home.data()).args(["--repl-diskless-sync-delay", "0"]);
            (home.spawn(command), home)
        };
        let nodes = Nodes { port, nodes: (port..port + count).map(start).collect() };
        for index in 0..count {
            until("the node answers", || {
                let open = std::net::TcpStream::connect(("127.0.0.1", port + index)).is_ok();
                (open && nodes.say(index, "PING") == "+PONG").then_some(())
            });
        }
        nodes
    }

    /// The first three, made a cluster.
    fn cluster(program: Program, count: u16) -> Self {
        let nodes = Self::start(program, count);
        let all: Vec<String> = (0..3).map(|index| nodes.at(index)).collect();
        let (code, said) = nodes.tool(&format!("create --yes {}", all.join(" ")));
        assert_eq!(code, 0, "{said}");
        nodes
    }

    fn at(&self, index: u16) -> String {
        format!("127.0.0.1:{}", self.port + index)
    }

    fn say(&self, index: u16, line: &str) -> String {
        Client::connect(self.port + index).line(line)
    }

    fn id(&self, index: u16) -> String {
        self.say(index, "CLUSTER MYID")
    }

    /// `holdfast cluster` with these words: its exit status, and what it printed.
    fn tool(&self, line: &str) -> (i32, String) {
        self.answered(line, "")
    }

    /// The same, with answers to what it asks.
    fn answered(&self, line: &str, answers: &str) -> (i32, String) {
        let mut command = Command::new(HOLDFAST);
        command.arg("cluster").args(line.split_whitespace());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let mut input = child.stdin.take().expect("it is piped");
        // Whoever does not ask does not read.
        let _ = input.write_all(answers.as_bytes());
        drop(input);
        let output = child.wait_with_output().expect("it ends");
        let text = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&text).into_owned())
    }

    /// The exit status must be this, and this must be said.
    fn expect(&self, code: i32, line: &str, text: &str) -> String {
        let (status, said) = self.tool(line);
        assert_eq!(status, code, "{line}: {said}");
        assert!(said.contains(text), "{line}: no {text:?} in {said}");
        said
    }

    /// Gives keys to the cluster, wherever they belong.
    fn fill(&self, keys: u32) {
        let port = self.port.to_string();
        let mut command = Command::new(HOLDFAST);
        command.args(["cli", "-c", "-p", &port]).stdin(Stdio::piped()).stdout(Stdio::null());
        let mut child = command.spawn().expect("it starts");
        let lines: String = (0..keys).map(|n| format!("set key:{n} {n}\n")).collect();
        child.stdin.take().expect("it is piped").write_all(lines.as_bytes()).expect("it reads");
        assert!(child.wait().expect("it ends").success());
    }

    /// How many keys all of these nodes have.
    fn keys(&self, indexes: &[u16]) -> u32 {
        let count = |index: &u16| -> u32 {
            self.say(*index, "DBSIZE").trim_start_matches(':').parse().expect("a number")
        };
        indexes.iter().map(count).sum()
    }
}

#[test]
fn slots_move_and_nodes_come_and_go() {
    let nodes = Nodes::cluster(Program::Redis, 4);
    let (seed, first, new) = (nodes.at(1), nodes.id(0), nodes.id(3));
    nodes.fill(300);
    let said = nodes.expect(
        0,
        &format!("reshard --from all --to {first} --slots 1000 --yes {seed}"),
        "Ready to move 1000 slots.",
    );
    assert_eq!(said.lines().filter(|line| line.starts_with("Moving slot ")).count(), 1000);
    let said = nodes.expect(0, &format!("check {seed}"), "[OK] All 16384 slots covered.");
    assert!(said.contains("6461 slots") && said.contains("4961 slots"), "{said}");
    assert!(said.contains("[OK] 300 keys in 3 masters."), "{said}");

    nodes.expect(0, &format!("add-node {} {seed}", nodes.at(3)), "[OK] New node added correctly.");
    nodes.expect(1, &format!("add-node {} {seed}", nodes.at(3)), "is not empty.");
    nodes.expect(0, &format!("rebalance {seed}"), "Rebalancing across 3 nodes");
    let line = format!("rebalance --use-empty-masters --threshold 0.1 {seed}");
    nodes.expect(0, &line, "Rebalancing across 4 nodes");
    nodes.expect(0, &line, "No rebalancing needed!");
    nodes.expect(0, &format!("info {seed}"), "4096 slots");
    assert_eq!(nodes.keys(&[0, 1, 2, 3]), 300);

    let remove = format!("del-node {seed} {new}");
    nodes.expect(1, &remove, "is not empty! Reshard data away and try again.");
    nodes.expect(0, &format!("rebalance --weight {new}=0 {seed}"), "Total weight = 3.00");
    nodes.expect(0, &remove, ">>> Sending CLUSTER RESET SOFT to the deleted node.");
    nodes.expect(1, &remove, &format!("[ERR] No such node ID {new}"));
    for index in 0..3 {
        assert!(!nodes.say(index, "CLUSTER NODES").contains(&new));
    }
    assert_eq!(nodes.say(3, "GET a"), "-CLUSTERDOWN Hash slot not served");
    assert_eq!(nodes.keys(&[0, 1, 2]), 300);

    // At once, although everybody was told to forget it.
    let add = format!("add-node --slave {} {seed}", nodes.at(3));
    let (code, said) = nodes.tool(&add);
    // What it had as a replica is its own until then.
    if code != 0 {
        assert!(said.contains("is not empty."), "{said}");
        nodes.say(3, "FLUSHALL");
        nodes.expect(0, &add, "Automatically selected master");
    }
    let role = nodes.say(3, "ROLE");
    assert!(role.starts_with("[slave"), "{role}");
}

#[test]
fn what_was_interrupted_is_refused_and_fixed() {
    interrupted(&Nodes::cluster(Program::Redis, 3));
}

#[test]
fn our_nodes_give_and_take_slots_as_well() {
    let nodes = Nodes::cluster(Program::Holdfast, 4);
    interrupted(&nodes);
    let (seed, first, new) = (nodes.at(1), nodes.id(0), nodes.id(3));
    nodes.fill(300);
    let all = nodes.keys(&[0, 1, 2]);
    let reshard = |to: &str| format!("reshard --from all --to {to} --slots 20 --yes {seed}");
    nodes.expect(0, &reshard(&first), "Ready to move 20 slots.");
    nodes.expect(0, &format!("add-node {} {seed}", nodes.at(3)), "[OK] New node added correctly.");
    nodes.expect(0, &reshard(&new), "Ready to move 20 slots.");
    nodes.expect(0, &format!("check {seed}"), "(20 slots)");
    assert_eq!(nodes.keys(&[0, 1, 2, 3]), all);
    let remove = format!("del-node {seed} {new}");
    nodes.expect(1, &remove, "is not empty! Reshard data away and try again.");
    let back = format!("reshard --from {new} --to {first} --slots 20 --yes {seed}");
    nodes.expect(0, &back, "Ready to move 20 slots.");
    nodes.expect(0, &remove, ">>> Sending CLUSTER RESET SOFT to the deleted node.");
    assert_eq!(nodes.keys(&[0, 1, 2]), all);
}

fn interrupted(nodes: &Nodes) {
    let (seed, a, c) = (nodes.at(0), nodes.id(0), nodes.id(2));
    // Slot 12182 is the third's.
    for key in ["{foo}1", "{foo}2", "{foo}3"] {
        assert_eq!(nodes.say(2, &format!("SET {key} 1")), "+OK");
    }
    nodes.say(0, &format!("CLUSTER SETSLOT 12182 IMPORTING {c}"));
    nodes.say(2, &format!("CLUSTER SETSLOT 12182 MIGRATING {a}"));
    let port = nodes.port;
    assert_eq!(nodes.say(2, &format!("MIGRATE 127.0.0.1 {port} {{foo}}1 0 5000 COPY")), "+OK");
    assert_eq!(nodes.say(2, &format!("MIGRATE 127.0.0.1 {port} {{foo}}2 0 5000")), "+OK");
    let said = nodes.expect(1, &format!("check {seed}"), "has slots in migrating state 12182.");
    assert!(said.contains("has slots in importing state 12182."), "{said}");
    let reshard = format!("reshard {seed} --from all --to {a} --slots 1 --yes");
    nodes.expect(1, &reshard, "*** Please fix your cluster problems before resharding");
    let said = nodes.expect(0, &format!("fix {seed}"), "Case 1: Moving slot 12182 from");
    // The first of the keys is at both ends, as when a move is interrupted at the worst moment.
    assert!(said.contains("*** Target key exists"), "{said}");
    assert_eq!((nodes.keys(&[0]), nodes.keys(&[2])), (3, 0));
    nodes.expect(0, &format!("check {seed}"), "[OK] All 16384 slots covered.");

    // The target dies before it has acknowledged a key; its replica has it, and knows of no move.
    let (b, to) = (nodes.id(1), nodes.port + 1);
    nodes.say(1, &format!("CLUSTER SETSLOT 12182 IMPORTING {a}"));
    nodes.say(0, &format!("CLUSTER SETSLOT 12182 MIGRATING {b}"));
    assert_eq!(nodes.say(0, &format!("MIGRATE 127.0.0.1 {to} {{foo}}1 0 5000 COPY")), "+OK");
    nodes.say(1, "CLUSTER SETSLOT 12182 STABLE");
    let said = nodes.expect(0, &format!("fix {seed}"), "*** Replacing target keys...");
    assert!(said.contains("Case 2: Moving all the 12182 slot keys to its owner"), "{said}");
    assert_eq!((nodes.keys(&[0]), nodes.keys(&[1])), (3, 0));

    // Importing what nobody gives.
    nodes.say(1, &format!("CLUSTER SETSLOT 12182 IMPORTING {a}"));
    nodes.expect(1, &format!("check {seed}"), "The following slots are open: 12182.");
    nodes.expect(0, &format!("fix {seed}"), "Setting 12182 as STABLE in");

    // Slots that nobody owns.
    for index in 0..3 {
        assert_eq!(nodes.say(index, "CLUSTER DELSLOTS 7 8 12182"), "+OK");
    }
    nodes.expect(1, &format!("check {seed}"), "[ERR] Not all 16384 slots are covered by nodes.");
    let (code, said) = nodes.answered(&format!("fix {seed}"), "no\n");
    assert!(code == 1 && said.contains("[7-8]"), "{said}");
    assert!(said.contains("The input ended before"), "{said}");
    let said = nodes.expect(0, &format!("fix --yes {seed}"), "Covering slot 12182 with");
    assert!(said.contains("have keys in just one node"), "{said}");
    nodes.expect(0, &format!("check {seed} --search-multiple-owners"), "No multiple owners found");
    assert_eq!(nodes.keys(&[0, 1, 2]), 3);
}

#[test]
fn a_cluster_that_cannot_be_made_leaves_the_nodes_as_they_were() {
    let nodes = Nodes::start(Program::Redis, 3);
    let all: Vec<String> = (0..3).map(|index| nodes.at(index)).collect();
    let create = format!("create {}", all.join(" "));
    let views = || (0..3).map(|index| nodes.say(index, "CLUSTER NODES")).collect::<Vec<_>>();
    let before = views();
    let (code, said) = nodes.answered(&create, "no\n");
    assert!(code == 1 && said.contains("(type 'yes' to accept): "), "{said}");
    let (code, said) = nodes.answered(&create, "");
    assert!(code == 1 && said.contains("The input ended before"), "{said}");
    nodes.expect(1, &format!("{create} --replicas 1 --yes"), "At least 6 nodes are required.");
    nodes.expect(1, &format!("{create} 127.0.0.1:1 --yes"), "Could not connect to Redis at 127.");
    let single = Server::start();
    let line = format!("{create} 127.0.0.1:{} --yes", single.port);
    nodes.expect(1, &line, "is not configured as a cluster node.");
    assert_eq!(views(), before);
    nodes.expect(0, &format!("{create} --dry-run"), "Master[2] -> Slots 10923 - 16383");
    assert_eq!(views(), before);
    nodes.expect(0, &format!("{create} --yes"), "[OK] All 16384 slots covered.");
    nodes.expect(1, &format!("{create} --yes"), "is not empty. Either the node already knows");
    questions(&nodes);
    everywhere(&nodes);
}

/// Answers that make no sense are asked for again.
fn questions(nodes: &Nodes) {
    let (seed, a, b) = (nodes.at(0), nodes.id(0), nodes.id(1));
    let answers = format!("0\n16385\nx\n10\nnobody\n{a}\nnobody\n{a}\n{b}\ndone\nno\n");
    let (code, said) = nodes.answered(&format!("reshard {seed}"), &answers);
    assert_eq!(code, 1, "{said}");
    let count = |text: &str| said.matches(text).count();
    assert_eq!(count("How many slots do you want to move (from 1 to 16384)? "), 4);
    assert_eq!(count("What is the receiving node ID? "), 2);
    assert_eq!(count("not known or not a master, please retry."), 2);
    assert_eq!(count("It is not possible to use the target node as source node."), 1);
    assert_eq!(count(&format!("Moving slot 54{}", 61)), 1);
    assert_eq!(count("Do you want to proceed with the proposed reshard plan (yes/no)? "), 1);
    // The input may end at any question.
    for answers in ["", "10\n", &format!("10\n{a}\n"), &format!("10\n{a}\nall\n")] {
        let (code, said) = nodes.answered(&format!("reshard {seed}"), answers);
        assert!(code == 1 && said.contains("The input ended before"), "{answers:?}: {said}");
    }
    nodes.expect(0, &format!("check {seed}"), "(5461 slots)");
    let plan = nodes.expect(
        0,
        &format!("reshard {seed} --dry-run --json --from {b} --to {a} --slots 2"),
        "{\"moves\":[{\"slot\":5461,",
    );
    assert!(plan.contains(&b), "{plan}");
    for (line, why) in [
        (format!("reshard {seed} --slots 0 --to {a}"), "0 slots cannot be moved"),
        (format!("reshard {seed} --slots 16385 --to {a}"), "16385 slots cannot be moved"),
        (format!("reshard {seed} --slots 1 --to x"), "(x) is not known"),
        (format!("reshard {seed} --slots 1 --to {a} --from {a} --yes"), "No source nodes given"),
        (format!("reshard {seed} --slots 1 --to {a} --from x --yes"), "(x) is not known"),
    ] {
        nodes.expect(1, &line, why);
    }
}

/// What goes to every node.
fn everywhere(nodes: &Nodes) {
    let seed = nodes.at(2);
    nodes.fill(50);
    let said = nodes.expect(0, &format!("call {seed} config get port"), ">>> Calling config get");
    assert!((0..3).all(|index| said.contains(&(nodes.port + index).to_string())), "{said}");
    let folder = nodes.nodes[0].1.beside("backup");
    let folder = folder.to_str().expect("a readable path");
    nodes.expect(0, &format!("backup {seed} {folder}"), "[OK] Backup created into: ");
    let names: Vec<String> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("a file").file_name().into_string().expect("a name"))
        .collect();
    assert_eq!(names.iter().filter(|name| name.ends_with(".rdb")).count(), 3, "{names:?}");
    assert!(names.contains(&String::from("nodes.json")), "{names:?}");
    // One server's keys into the cluster.
    let single = Server::of(Program::Redis, Home::new(), &["--save", ""]);
    single.client().line("SET alone 1");
    single.client().line("SET {foo}too 2");
    let from = format!("127.0.0.1:{}", single.port);
    nodes.expect(0, &format!("import {seed} --from {from} --copy"), "Migrating {foo}too to");
    assert_eq!((nodes.keys(&[0, 1, 2]), single.client().integer("DBSIZE")), (52, 2));
    nodes.expect(1, &format!("import {seed} --from {from}"), "BUSYKEY");
    nodes.expect(0, &format!("import {seed} --from {from} --replace"), "OK");
    assert_eq!(single.client().integer("DBSIZE"), 0);
    let timeout = nodes.expect(0, &format!("set-timeout {seed} 3000"), ">>> New node timeout set.");
    assert!(timeout.contains("0 OK, 3 ERR"), "there is no file to write it to: {timeout}");
    assert!(nodes.say(0, "CONFIG GET cluster-node-timeout").contains("3000"));
}
