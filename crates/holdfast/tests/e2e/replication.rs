//! Replication between real processes: ours with ours, and both ways with redis-server.

use crate::client::{Client, request, requests, show};
use crate::relay::Relay;
use crate::server::{Home, Program, Server, until};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;

pub(crate) const PAIRS: [(Program, Program); 3] = [
    (Program::Holdfast, Program::Redis),
    (Program::Redis, Program::Holdfast),
    (Program::Holdfast, Program::Holdfast),
];

pub(crate) fn start(program: Program, more: &[&str]) -> Server {
    start_in(Home::new(), program, more)
}

/// The same, in a folder that may hold data.
pub(crate) fn start_in(home: Home, program: Program, more: &[&str]) -> Server {
    let directives = [
        ["--save", ""],
        ["--repl-backlog-size", "256mb"],
        ["--repl-ping-replica-period", "1"],
        ["--repl-diskless-sync-delay", "0"],
    ];
    Server::of(program, home, &[directives.as_flattened(), more].concat())
}

pub(crate) fn follow(replica: &Server, port: u16) {
    assert_eq!(replica.client().line(&format!("REPLICAOF 127.0.0.1 {port}")), "+OK");
}

pub(crate) fn linked(replica: &Server) {
    let mut client = replica.client();
    until("the link is up", || (client.info("master_link_status") == "up").then_some(()));
}

pub(crate) fn count(server: &Server, field: &str) -> u64 {
    server.client().info(field).parse().expect("a number")
}

/// Writes in three databases until told to stop; counts its rounds.
fn write_on(port: u16, stop: &AtomicBool, rounds: &AtomicUsize) {
    let mut client = Client::connect(port);
    while !stop.load(Relaxed) {
        let round = rounds.fetch_add(1, Relaxed);
        let lines: Vec<String> = (0..20)
            .flat_map(|i| {
                let key = (round * 20 + i) * 7919 % 5000;
                [
                    format!("SET w:{key} {round}"),
                    format!("INCR n:{}", key % 50),
                    format!("SET e:{key} x PX {}", 20 + key % 200),
                    format!("EXPIRE w:{} 1000", key / 2),
                    format!("DEL w:{}", key / 3),
                    format!("MOVE w:{} {}", key / 5, (round + 1) % 3),
                ]
            })
            .chain([
                String::from("MULTI"),
                format!("INCR t:{}", round % 7),
                format!("SELECT {}", (round + 1) % 3),
                format!("SET t:{} {round} EX 1000", round % 5),
                format!("GET w:{}", round % 50),
                String::from("EXEC"),
                format!("SELECT {}", round % 3),
            ])
            .chain((round.is_multiple_of(10)).then(|| String::from("SWAPDB 0 2")))
            .collect();
        client.send(&requests(lines.iter().map(String::as_str)));
        lines.iter().for_each(|_| drop(client.read()));
    }
}

/// Ends the writer also when a test fails: its thread would be waited for.
struct Stop<'s>(&'s AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// Runs `disturb` beside a writer, which has written before and goes on after it.
pub(crate) fn under_writes(primary: &Server, disturb: impl FnOnce()) {
    let (stop, rounds) = (AtomicBool::new(false), AtomicUsize::new(0));
    let written = |what: &str| {
        let before = rounds.load(Relaxed);
        until(what, || (rounds.load(Relaxed) > before + 10).then_some(()));
    };
    thread::scope(|scope| {
        let _stop = Stop(&stop);
        scope.spawn(|| write_on(primary.port, &stop, &rounds));
        written("the writer writes");
        disturb();
        written("the writer goes on");
    });
}

/// Every key, value and time of expiry, but for those that live for moments only.
pub(crate) fn content(server: &Server) -> Vec<String> {
    let mut client = server.client();
    let mut content = Vec::new();
    for db in 0..3 {
        assert_eq!(client.line(&format!("SELECT {db}")), "+OK");
        let keys = client.line("KEYS *");
        let mut keys: Vec<&str> = keys.trim_matches(['[', ']']).split_whitespace().collect();
        keys.retain(|key| !key.starts_with("e:"));
        keys.sort_unstable();
        let asked = |key: &&str| [request(&["GET", key]), request(&["PEXPIRETIME", key])].concat();
        client.send(&keys.iter().flat_map(asked).collect::<Vec<u8>>());
        for key in keys {
            let (value, expiry) = (show(&client.read()), show(&client.read()));
            content.push(format!("{db} {key} {value} {expiry}"));
        }
    }
    content
}

pub(crate) fn assert_equal(replica: &Server, primary: &Server) {
    linked(replica);
    let (mut ours, mut theirs) = (replica.client(), primary.client());
    until("the replica is where its primary is", || {
        let at = theirs.info("master_repl_offset");
        (ours.info("master_repl_offset") == at).then_some(())
    });
    let (ours, theirs) = (content(replica), content(primary));
    let differing = ours.iter().zip(&theirs).find(|(ours, theirs)| ours != theirs);
    assert!(ours == theirs, "{} and {}: {differing:?}", ours.len(), theirs.len());
}

/// Waits until nothing is left that expires soon, by asking for it: its removal moves the stream,
/// also when the writers have stopped.
pub(crate) fn settle(primary: &Server) {
    let mut client = primary.client();
    for db in 0..3 {
        assert_eq!(client.line(&format!("SELECT {db}")), "+OK");
        until("short-lived keys are gone", || {
            let asked: Vec<u8> =
                (0..5000).flat_map(|n| request(&["GET", &format!("e:{n}")])).collect();
            client.send(&asked);
            let left = (0..5000).filter(|_| show(&client.read()) != "(null)").count();
            (left == 0).then_some(())
        });
    }
}

#[test]
fn full_and_partial_syncs_under_writes() {
    for (of_primary, of_replica) in PAIRS {
        let (primary, replica) = (start(of_primary, &[]), start(of_replica, &[]));
        let relay = Relay::to(primary.port);
        under_writes(&primary, || {
            follow(&replica, relay.port);
            linked(&replica);
        });
        assert_equal(&replica, &primary);
        assert_eq!(count(&primary, "sync_full"), 1, "{of_primary:?} {of_replica:?}");
        for cut in 1..4 {
            assert_eq!(primary.client().line("SELECT 1"), "+OK");
            under_writes(&primary, || {
                relay.cut();
                until("the replica asks again", || {
                    (count(&primary, "sync_partial_ok") >= cut).then_some(())
                });
            });
            assert_equal(&replica, &primary);
        }
        assert_eq!(count(&primary, "sync_full"), 1, "{of_primary:?} {of_replica:?}");
        assert!(!replica.home.printed().contains("CRITICAL"));
    }
}

#[test]
fn the_other_framing_of_a_snapshot_is_read_with_the_stream_behind_it() {
    let arguments = ["--repl-diskless-sync", "no"];
    let (primary, replica) = (start(Program::Redis, &arguments), start(Program::Holdfast, &[]));
    let mut client = primary.client();
    let values: Vec<u8> =
        (0..50_000).flat_map(|n| request(&["SET", &format!("k:{n}"), &"v".repeat(100)])).collect();
    client.send(&values);
    (0..50_000).for_each(|_| drop(client.read()));
    under_writes(&primary, || {
        follow(&replica, primary.port);
        linked(&replica);
    });
    assert_equal(&replica, &primary);
    assert_eq!(count(&primary, "sync_full"), 1);
}

#[test]
fn large_values_survive_cuts() {
    for (of_primary, of_replica) in PAIRS {
        let arguments = ["--repl-backlog-size", "64mb"];
        let (primary, replica) = (start(of_primary, &arguments), start(of_replica, &arguments));
        let relay = Relay::to(primary.port);
        follow(&replica, relay.port);
        linked(&replica);
        let mut client = primary.client();
        for round in 0..10 {
            let value = format!("{round}").repeat(2 << 20);
            client.send(&request(&["SELECT", "2"]));
            client.send(&request(&["SET", &format!("big:{round}"), &value]));
            client.send(&request(&["SET", &format!("after:{round}"), "1"]));
            relay.cut();
            (0..3).for_each(|_| assert_eq!(show(&client.read()), "+OK"));
        }
        assert_equal(&replica, &primary);
        assert_eq!(count(&primary, "sync_full"), 1, "{of_primary:?} {of_replica:?}");
    }
}

#[test]
fn transactions_of_redis_arrive_whole() {
    let (primary, replica) = (start(Program::Redis, &[]), start(Program::Holdfast, &[]));
    follow(&replica, primary.port);
    linked(&replica);
    let mut client = primary.client();
    let padding = "x".repeat(100_000);
    for n in 0..50 {
        let n = n.to_string();
        let words = [vec!["MULTI"], vec!["SET", "a", &n], vec!["SET", "p", &padding]];
        let rest = [vec!["SET", "b", &n], vec!["EXEC"]];
        let bytes: Vec<u8> = words.iter().chain(&rest).flat_map(|line| request(line)).collect();
        client.send(&bytes);
        (0..5).for_each(|_| drop(client.read()));
        let pair = replica.client().line("MGET a b");
        let pair: Vec<&str> = pair.trim_matches(['[', ']']).split(' ').collect();
        assert_eq!(pair[0], pair[1]);
    }
    assert_equal(&replica, &primary);
}

#[test]
fn a_promoted_replica_of_either_kind_is_followed_partially() {
    for (of_primary, of_replica) in PAIRS {
        let arguments = ["--repl-ping-replica-period", "3600"];
        let (primary, first) = (start(of_primary, &arguments), start(of_replica, &arguments));
        let second = start(Program::Holdfast, &arguments);
        under_writes(&primary, || {
            for replica in [&first, &second] {
                follow(replica, primary.port);
                linked(replica);
            }
        });
        settle(&primary);
        assert_equal(&first, &primary);
        assert_equal(&second, &primary);
        assert_eq!(first.client().line("REPLICAOF NO ONE"), "+OK");
        under_writes(&first, || {
            follow(&second, first.port);
            follow(&primary, first.port);
            linked(&second);
            linked(&primary);
        });
        assert_equal(&second, &first);
        assert_equal(&primary, &first);
        assert_eq!(count(&first, "sync_partial_ok"), 2, "{of_primary:?} {of_replica:?}");
        assert_eq!(count(&first, "sync_full"), 0);
    }
}

#[test]
fn a_chain_of_both_kinds() {
    for (of_top, of_middle) in PAIRS {
        for of_leaf in [Program::Holdfast, Program::Redis] {
            let [top, middle, leaf] = [of_top, of_middle, of_leaf].map(|of| start(of, &[]));
            follow(&middle, top.port);
            linked(&middle);
            let mut client = top.client();
            assert_eq!(client.line("SELECT 2"), "+OK");
            assert_eq!(client.line("SET first 1"), "+OK");
            assert_equal(&middle, &top);
            follow(&leaf, middle.port);
            linked(&leaf);
            // The stream does not name its database again.
            assert_eq!(client.line("SET second 2"), "+OK");
            assert_equal(&leaf, &top);
            assert_eq!(content(&leaf).len(), 2);
            under_writes(&top, || {});
            assert_equal(&leaf, &top);
        }
    }
}

#[test]
fn a_primary_with_a_password() {
    for (of_primary, of_replica) in PAIRS {
        let primary = start(of_primary, &["--requirepass", "secret", "--masterauth", "secret"]);
        let replica = start(of_replica, &["--masterauth", "wrong"]);
        follow(&replica, primary.port);
        let mut client = replica.client();
        until("the password is refused", || {
            replica.home.printed().contains("Unable to AUTH").then_some(())
        });
        assert_eq!(client.info("master_link_status"), "down");
        assert_eq!(client.line("CONFIG SET masterauth secret"), "+OK");
        linked(&replica);
        let mut client = primary.client();
        assert_eq!(client.line("AUTH secret"), "+OK");
        assert_eq!(client.line("SET a 1"), "+OK");
        assert_eq!(client.line("WAIT 1 60000"), ":1");
        assert_eq!(replica.client().line("GET a"), "1");
    }
}

#[test]
fn wait_counts_replicas_of_either_kind() {
    let primary = start(Program::Holdfast, &[]);
    let replicas = [start(Program::Redis, &[]), start(Program::Holdfast, &[])];
    for replica in &replicas {
        follow(replica, primary.port);
        linked(replica);
    }
    let mut client = primary.client();
    assert_eq!(client.line("SET a 1"), "+OK");
    assert_eq!(client.line("WAIT 2 60000"), ":2");
    assert_eq!(client.line("SET a 2"), "+OK");
    assert_eq!(client.line("WAIT 3 50"), ":2");
}

#[test]
fn the_link_comes_from_where_it_is_told() {
    let primary = Server::with(&["--bind", "0.0.0.0", "--protected-mode", "no"]);
    let port = primary.port.to_string();
    let replica = Server::with(&[
        "--replicaof",
        "127.0.0.1",
        &port,
        "--bind-source-addr",
        "127.0.0.2",
        "--repl-timeout",
        "5",
    ]);
    let mut client = primary.client();
    until("the replica comes from there", || {
        client.info("slave0").starts_with("ip=127.0.0.2,").then_some(())
    });
    let log = replica.home.printed();
    assert!(log.contains("repl-timeout (5) is not larger than repl-ping-replica-period (10)"));
}

#[test]
fn a_paused_replica_applies_nothing() {
    for theirs in [Program::Holdfast, Program::Redis] {
        let primary = Server::of(theirs, Home::new(), &["--save", ""]);
        let port = primary.port.to_string();
        let replica = Server::with(&["--replicaof", "127.0.0.1", &port]);
        let (mut writer, mut client) = (primary.client(), replica.client());
        until("the link stands", || (client.info("master_link_status") == "up").then_some(()));
        writer.line("SET a 1");
        until("it is there", || (client.line("GET a") == "1").then_some(()));
        assert_eq!(client.line("CLIENT PAUSE 1000000 WRITE"), "+OK");
        let applied = client.info("slave_repl_offset");
        writer.line("SET b 2");
        until("it has come", || {
            let offset = writer.info("master_repl_offset");
            (client.info("slave_read_repl_offset") == offset).then_some(())
        });
        assert_eq!(client.info("slave_repl_offset"), applied);
        assert_eq!(client.line("GET b"), "(null)");
        assert_eq!(client.line("CLIENT UNPAUSE"), "+OK");
        until("it is applied", || (client.line("GET b") == "2").then_some(()));
    }
}

#[test]
fn a_snapshot_of_more_databases_is_refused_and_nothing_lost() {
    let primary = Server::of(Program::Redis, Home::new(), &["--save", "", "--databases", "100"]);
    let mut writer = primary.client();
    writer.line("SELECT 50");
    writer.line("SET a 1");
    let replica = Server::with(&[]);
    let mut client = replica.client();
    client.line("SET mine 1");
    client.line(&format!("REPLICAOF 127.0.0.1 {}", primary.port));
    until("it is refused", || {
        replica.home.printed().contains("it has keys of database 50").then_some(())
    });
    assert_eq!(client.line("GET mine"), "1");
    assert_eq!(client.line("REPLICAOF NO ONE"), "+OK");
    assert_eq!(client.line("PING"), "+PONG");
}

#[test]
fn a_scheduled_save_waits_for_the_data() {
    let primary = Server::with(&["--enable-debug-command", "yes"]);
    primary.client().line("DEBUG POPULATE 200000");
    let slow = ["--enable-debug-command", "yes", "--rdb-key-save-delay", "1000"];
    let replica = Server::with(&slow);
    let mut client = replica.client();
    client.line("DEBUG POPULATE 10000 own");
    let follow = format!("REPLICAOF 127.0.0.1 {}", primary.port);
    client.send(&requests(["BGSAVE", "BGSAVE SCHEDULE", &follow]));
    (0..3).for_each(|_| drop(client.read()));
    until("it has the data", || (client.line("DBSIZE") == ":200000").then_some(()));
    client.line("CONFIG SET rdb-key-save-delay 0");
    until("all is saved", || (client.info("rdb_bgsave_in_progress") == "0").then_some(()));
    let log = replica.home.printed();
    let load = log.find("Loading DB in memory").expect("it was loaded");
    let done = log[load..].find("Finished with success").expect("it was loaded") + load;
    assert!(!log[load..done].contains("saving started"), "{log}");
}

/// Whether a server sends small output to a peer at once.
fn sends_at_once(server: &mut Server, peer: u16) -> Option<bool> {
    let id = server.process().id();
    let pid = rustix::process::Pid::from_raw(id as i32)?;
    let process = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty());
    let process = process.expect("a process");
    let files = std::fs::read_dir(format!("/proc/{id}/fd")).expect("its files");
    let numbers = files.flatten().filter_map(|file| file.file_name().to_str()?.parse().ok());
    numbers.into_iter().find_map(|number| {
        let flags = rustix::process::PidfdGetfdFlags::empty();
        let file = rustix::process::pidfd_getfd(&process, number, flags).ok()?;
        let address = rustix::net::getpeername(&file).ok()??;
        let address = std::net::SocketAddr::try_from(address).ok()?;
        (address.port() == peer).then_some(())?;
        rustix::net::sockopt::tcp_nodelay(&file).ok()
    })
}

#[test]
fn the_stream_may_be_gathered_into_larger_packets() {
    let mut primary = Server::start();
    for (setting, at_once) in [("no", true), ("yes", false)] {
        let set = format!("CONFIG SET repl-disable-tcp-nodelay {setting}");
        assert_eq!(primary.client().line(&set), "+OK");
        let mut replica = primary.client();
        let port = replica.stream.local_addr().expect("an address").port();
        assert_eq!(replica.line("PING"), "+PONG");
        assert_eq!(sends_at_once(&mut primary, port), Some(true), "a client");
        replica.send(b"PSYNC ? -1\r\n");
        until("it is a replica", || (count(&primary, "connected_slaves") == 1).then_some(()));
        assert_eq!(sends_at_once(&mut primary, port), Some(at_once), "{setting}");
        drop(replica);
        until("it is gone", || (count(&primary, "connected_slaves") == 0).then_some(()));
    }
}

#[test]
fn who_would_rather_end_than_differ_ends() {
    let primary = Server::with(&["--save", "", "--enable-debug-command", "yes"]);
    let mut client = primary.client();
    for (behavior, ends) in [("ignore", false), ("panic-on-replicas", true), ("panic", true)] {
        let mut replica = Server::with(&["--save", "", "--propagation-error-behavior", behavior]);
        follow(&replica, primary.port);
        linked(&replica);
        assert_eq!(client.line("DEBUG REPLICATE ALL NOSUCH"), "+OK");
        assert_eq!(client.line("SET k 1"), "+OK");
        if ends {
            assert!(!replica.process().wait().success());
            let said = "This replica panicked sending an error to its master";
            assert!(replica.home.printed().contains(said), "{behavior}");
        } else {
            until("it goes on", || (replica.client().line("GET k") == "1").then_some(()));
        }
    }
}
