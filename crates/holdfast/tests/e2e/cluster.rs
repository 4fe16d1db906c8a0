//! A local cluster under `holdfast up`, and what becomes of it when a primary dies.

use crate::client::Client;
use crate::server::{HOLDFAST, Server, until};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const NODES: u16 = 6;
/// From a crash until all slots are served again, with a node-timeout of two seconds: two until it
/// is noticed, up to one until the election, and room for a busy machine.
const BACK: f64 = 6.0;

/// A cluster that ends with the test.
pub(crate) struct Up {
    process: Child,
    pub(crate) dir: TempDir,
    /// Of the first node.
    pub(crate) port: u16,
}

impl Up {
    /// Three primaries, each with a replica, all slots served.
    pub(crate) fn start() -> Self {
        Self::start_at(free_ports(), &[], |_| false, ())
    }

    /// The same with Redis's own node-timeout, of fifteen seconds.
    fn patient() -> Self {
        Self::start_at(free_ports(), &["--node-timeout", "15000"], |_| false, ())
    }

    /// The same from this port on. `hold` is let go when a line is printed that `release` accepts.
    pub(crate) fn start_at<T>(
        port: u16,
        options: &[&str],
        release: impl Fn(&str) -> bool,
        hold: T,
    ) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let mut process = Command::new(HOLDFAST)
            .args(["up", "--port", &port.to_string(), "--dir"])
            .arg(dir.path())
            .args(options)
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut lines = BufReader::new(process.stdout.take().expect("it is piped")).lines();
        let mut hold = Some(hold);
        let served = lines.by_ref().map_while(Result::ok).any(|line| {
            if release(&line) {
                hold.take();
            }
            line.contains("Connect with")
        });
        assert!(served, "the cluster did not form");
        // Whoever does not read a pipe stops the writer in the end.
        std::thread::spawn(move || lines.for_each(drop));
        Up { process, dir, port }
    }

    /// Kills `up` itself; its nodes run on.
    pub(crate) fn kill(&mut self) {
        self.process.kill().expect("it runs");
        self.process.wait().expect("it ends");
    }

    /// The pid of a node, from the first lines of its log.
    pub(crate) fn pid(&self, index: u16) -> Pid {
        let log = self.dir.path().join((self.port + index).to_string()).join("node.log");
        let text = fs::read_to_string(log).expect("a log");
        let last = text.lines().last().expect("a line");
        let pid = last.split(':').next().expect("a pid").parse().expect("a number");
        Pid::from_raw(pid).expect("not zero")
    }

    fn check(&self, seconds: u32) -> Child {
        self.check_with(seconds, &[])
    }

    fn check_with(&self, seconds: u32, options: &[&str]) -> Child {
        Command::new(HOLDFAST)
            .args(["check", "127.0.0.1", &self.port.to_string(), "--json", "--duration"])
            .arg(seconds.to_string())
            .args(options)
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts")
    }

    /// What a node answers to a command.
    pub(crate) fn say(&self, index: u16, words: &[&str]) -> String {
        let port = (self.port + index).to_string();
        let output = Command::new(HOLDFAST)
            .args(["cli", "-p", &port])
            .args(words)
            .output()
            .expect("it runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The node that was made the replica of this primary.
    pub(crate) fn replica_of(&self, primary: u16) -> u16 {
        let id = self.say(primary, &["cluster", "myid"]);
        let replicas = (3..NODES).find(|index| {
            let nodes = self.say(*index, &["cluster", "nodes"]);
            let me = nodes.lines().find(|line| line.contains("myself"));
            me.is_some_and(|me| me.contains(id.trim()))
        });
        replicas.expect("each has one")
    }

    /// Waits for a state of the cluster.
    pub(crate) fn wait(&self, what: &str, mut done: impl FnMut(&Self) -> bool) {
        let end = Instant::now() + Duration::from_secs(30);
        while !done(self) {
            assert!(Instant::now() < end, "not in time: {what}");
            std::thread::park_timeout(Duration::from_millis(50));
        }
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        if self.process.try_wait().is_ok_and(|status| status.is_some()) {
            return;
        }
        if let Some(pid) = Pid::from_raw(self.process.id() as i32) {
            // It may have ended already.
            let _ = kill_process(pid, Signal::TERM);
        }
        let _ = self.process.wait();
    }
}

/// A run of ports that are free, and whose bus ports are; all below those that the system gives to
/// outgoing connections.
pub(crate) fn free_ports() -> u16 {
    let first = TcpListener::bind("127.0.0.1:0").expect("a port");
    let start = first.local_addr().expect("an address").port() % 10_000 + 11_000;
    let free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    (0..500)
        .map(|step| 11_000 + (start - 11_000 + step * 17) % 10_000)
        .find(|first| (*first..first + NODES).all(|port| free(port) && free(port + 10_000)))
        .expect("six ports in a row")
}

pub(crate) fn figure(output: &Output, name: &str) -> f64 {
    let text = String::from_utf8_lossy(&output.stdout);
    let at = text.find(&format!("\"{name}\":")).expect(name) + name.len() + 3;
    let digits: String =
        text[at..].chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
    digits.parse().expect("a number")
}

#[test]
fn a_killed_primary_is_replaced_and_nothing_acknowledged_is_lost() {
    let up = Up::patient();
    let check = up.check(10);
    up.wait("writes", |up| up.say(0, &["dbsize"]).trim() != "0");
    kill_process(up.pid(0), Signal::KILL).expect("it runs");
    let output = check.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(figure(&output, "lost"), 0.0);
    assert!(figure(&output, "writes") > 1000.0);
    assert!(figure(&output, "longest_unavailability_s") < BACK, "{output:?}");
    // The old primary was started again without data, and follows the new one.
    up.wait("the old primary back as a replica", |up| {
        up.say(0, &["info", "replication"]).contains("master_link_status:up")
    });
    up.wait("all slots", |up| up.say(0, &["cluster", "info"]).contains("cluster_state:ok"));
}

#[test]
fn what_is_announced_is_shown_at_once() {
    let server = Server::with(&["--cluster-enabled", "yes", "--save", ""]);
    let mut client = server.client();
    until("its name", || (client.line("CLUSTER MYID").len() == 40).then_some(()));
    for port in 7000..7010 {
        assert_eq!(client.line(&format!("CONFIG SET cluster-announce-port {port}")), "+OK");
        let nodes = client.line("CLUSTER NODES");
        assert!(nodes.contains(&format!(":{port}@")), "{nodes}");
    }
    // Among others it cannot wait.
    for line in ["MULTI", "CONFIG SET cluster-announce-port 7777"] {
        client.line(line);
    }
    assert_eq!(client.line("EXEC"), "[+OK]");
}

/// A node that left the cluster, and still answers, is no guide to it.
#[test]
fn the_check_asks_on_when_a_node_knows_nobody() {
    let up = Up::start();
    let alone = Server::with(&["--cluster-enabled", "yes", "--save", ""]);
    let (alone, port) = (alone.port.to_string(), up.port.to_string());
    let output = Command::new(HOLDFAST)
        .args(["check", "127.0.0.1", &alone, "127.0.0.1", &port, "--json", "--duration", "1"])
        .output()
        .expect("it runs");
    assert!(output.status.success(), "{output:?}");
    assert!(figure(&output, "writes") > 100.0);
    assert_eq!(figure(&output, "write_errors"), 0.0);
}

/// There and back, three times in every shard: no client sees an error.
#[test]
fn shards_are_handed_over_and_nobody_notices() {
    let up = Up::patient();
    // Each role is saved four times on its way; a busy disk must not look like an error.
    let check = up.check_with(12, &["--timeout-ms", "10000"]);
    up.wait("writes", |up| up.say(0, &["dbsize"]).trim() != "0");
    let replicas: Vec<u16> = (0..3).map(|shard| up.replica_of(shard)).collect();
    for round in 0..3 {
        for shard in 0..3 {
            let pair = [shard, replicas[usize::from(shard)]];
            let (other, replica) = (pair[round % 2], pair[1 - round % 2]);
            assert_eq!(up.say(replica, &["cluster", "failover"]).trim(), "OK");
            up.wait("the new role", |up| up.say(replica, &["role"]).contains("master"));
            up.wait("the old one's", |up| {
                up.say(other, &["info", "replication"]).contains("master_link_status:up")
            });
        }
    }
    let refused = up.say(replicas[0], &["cluster", "failover"]);
    assert_eq!(refused.trim(), "ERR You should send CLUSTER FAILOVER to a replica");
    let output = check.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{output:?}");
    for name in ["lost", "unacknowledged", "read_errors", "write_errors"] {
        assert_eq!(figure(&output, name), 0.0, "{output:?}");
    }
}

/// Its data is its former primary's: otherwise no cluster would take it in again.
#[test]
fn a_replica_that_leaves_forgets_its_keys() {
    let up = Up::start();
    let replica = up.replica_of(0);
    // In the slots of the first primary.
    assert_eq!(up.say(0, &["set", "hello", "1"]).trim(), "OK");
    up.wait("its copy", |up| up.say(replica, &["dbsize"]).contains('1'));
    assert_eq!(up.say(replica, &["cluster", "reset"]).trim(), "OK");
    assert_eq!(up.say(replica, &["dbsize"]).trim(), "0");
    assert!(up.say(replica, &["role"]).starts_with("master"));
    assert_eq!(up.say(0, &["get", "hello"]).trim(), "1");
}

#[test]
fn a_replica_says_where_to_write() {
    let up = Up::start();
    for command in [&["set", "foo", "1"][..], &["get", "foo"], &["mset", "foo", "1"]] {
        let moved = format!("MOVED 12182 127.0.0.1:{}", up.port + 2);
        // The replica of that very slot, another replica, another primary.
        for index in [5, 3, 0] {
            assert_eq!(up.say(index, command).trim(), moved, "{command:?} at {index}");
        }
    }
    assert_eq!(
        up.say(5, &["flushall"]).trim(),
        "READONLY You can't write against a read only replica."
    );
    let set = ["config", "set", "cluster-replica-no-failover", "yes"];
    assert_eq!(up.say(5, &set).trim(), "OK");
    for (index, shown) in [(5, "myself,slave,nofailover "), (0, " slave,nofailover ")] {
        up.wait(shown, |up| up.say(index, &["cluster", "nodes"]).contains(shown));
    }
}

#[test]
fn a_stopped_primary_acknowledges_nothing_when_it_goes_on() {
    let up = Up::start();
    let check = up.check(14);
    up.wait("writes", |up| up.say(1, &["dbsize"]).trim() != "0");
    let (pid, replica) = (up.pid(1), up.replica_of(1));
    kill_process(pid, Signal::STOP).expect("it runs");
    up.wait("a new primary", |up| up.say(replica, &["role"]).starts_with("master"));
    std::thread::park_timeout(Duration::from_secs(2));
    kill_process(pid, Signal::CONT).expect("it is there");
    let output = check.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(figure(&output, "lost"), 0.0);
    assert!(figure(&output, "longest_unavailability_s") < BACK, "{output:?}");
    up.wait("the old primary back as a replica", |up| {
        up.say(1, &["info", "replication"]).contains("master_link_status:up")
    });
}

#[test]
fn wrong_arguments_leave_nothing_behind() {
    let up = Up::start();
    let run = |args: &[&str]| {
        let output = Command::new(HOLDFAST).arg("up").args(args).output().expect("it runs");
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let port = up.port.to_string();
    let dir = up.dir.path().to_str().expect("a plain path");
    assert!(run(&["--primaries", "2"]).contains("at least 3 primaries"));
    assert!(run(&["--dir", dir]).contains("in use by another"));
    let other = tempfile::tempdir().expect("a folder");
    let other = other.path().to_str().expect("a plain path");
    assert!(run(&["--port", &port, "--dir", other]).contains("cannot be used"));
    assert!(run(&["--port", "60000", "--dir", other]).contains("--port must be between"));
    assert!(run(&["--port", "0", "--dir", other]).contains("--port must be between"));
    assert!(run(&["--primaries", "60000", "--dir", other]).contains("too many"));
}

#[test]
fn a_transaction_stays_in_one_slot_of_its_node() {
    let up = Up::start();
    let mut client = Client::connect(up.port);
    // The first node has the first third of the slots.
    let (mut here, mut there) = (Vec::new(), Vec::new());
    for n in 0..100 {
        let key = format!("k{n}");
        let slot = client.integer(&format!("CLUSTER KEYSLOT {key}"));
        if slot < 5461 { here.push((slot, key)) } else { there.push((slot, key)) }
    }
    let [(_, one), (_, two)] = &here[..2] else { panic!("two keys of the first node") };
    let (slot, elsewhere) = &there[0];
    let run = |client: &mut Client, lines: &[String]| -> Vec<String> {
        lines.iter().map(|line| client.line(line)).collect()
    };
    let lines = ["MULTI".into(), format!("SET {one} 1"), format!("GET {one}"), "EXEC".into()];
    assert_eq!(run(&mut client, &lines), ["+OK", "+QUEUED", "+QUEUED", "[+OK 1]"]);
    // Refused when it is queued: it spoils the transaction.
    let lines = ["MULTI".into(), format!("SET {elsewhere} 1"), "EXEC".into(), "EXEC".into()];
    let replies = run(&mut client, &lines);
    assert!(replies[1].starts_with(&format!("-MOVED {slot} 127.0.0.1:")), "{replies:?}");
    let aborted = "-EXECABORT Transaction discarded because of previous errors.";
    assert_eq!(replies[2..], [aborted, "-ERR EXEC without MULTI"]);
    let lines = ["MULTI".into(), format!("MSET {one} 1 {two} 2"), "EXEC".into()];
    let crossing = "-CROSSSLOT Keys in request don't hash to the same slot";
    assert_eq!(run(&mut client, &lines), ["+OK", crossing, aborted]);
    // Each of them is right, all together are not.
    let lines = [
        "MULTI".into(),
        format!("SET {one} 2"),
        format!("SET {two} 2"),
        "EXEC".into(),
        "EXEC".into(),
        format!("GET {one}"),
    ];
    let replies = run(&mut client, &lines);
    assert_eq!(replies[3..], [crossing, "-ERR EXEC without MULTI", "1"]);
    // The control plane cannot answer in time for its place among the replies.
    let lines = ["MULTI", "CLUSTER BUMPEPOCH", "CLUSTER MYID", "EXEC"];
    let replies: Vec<String> = lines.iter().map(|line| client.line(line)).collect();
    assert!(replies[3].starts_with("[-ERR Command not allowed inside a transaction "));
    assert!(client.line("CLUSTER HELP").contains("KEYSLOT"));
}
