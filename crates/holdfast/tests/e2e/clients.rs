//! CLIENT, MONITOR, and the limits of clients.

use crate::client::{Client, requests, show};
use crate::server::{Home, Program, Server, until};

/// Requests whose answers are the same as at `redis-server`, each on a connection of its own.
const SAME: &[&str] = &[
    "CLIENT PAUSE x",
    "CLIENT PAUSE -1",
    "CLIENT PAUSE 1 foo",
    "CLIENT PAUSE 0",
    "CLIENT PAUSE 0 write",
    "CLIENT pauSE 0 write x",
    "CLIENT PAUSE x foo 1",
    "LOLWUT version x",
    "CLIENT PAUSE 99999999999999999999",
    "CLIENT UNPAUSE",
    "CLIENT UNPAUSE x",
    "CLIENT REPLY foo",
    "CLIENT REPLY on",
    "CLIENT UNBLOCK 1 foo",
    "CLIENT UNBLOCK x",
    "CLIENT UNBLOCK 9999",
    "CLIENT UNBLOCK 9999 error",
    "CLIENT KILL ID x",
    "CLIENT KILL ID 0",
    "CLIENT KILL ID 99999",
    "CLIENT KILL TYPE foo",
    "CLIENT KILL TYPE master",
    "CLIENT KILL TYPE replica",
    "CLIENT KILL TYPE pubsub",
    "CLIENT KILL USER foo",
    "CLIENT KILL SKIPME foo",
    "CLIENT KILL ADDR 1:1 LADDR",
    "CLIENT KILL foo",
    "CLIENT KILL 127.0.0.1:1",
    "CLIENT KILL ADDR 1:1",
    "CLIENT KILL LADDR 1:1 SKIPME no",
    "CLIENT KILL",
    "CLIENT LIST TYPE foo",
    "CLIENT LIST TYPE",
    "CLIENT LIST TYPE master",
    "CLIENT LIST TYPE pubsub",
    "CLIENT LIST ID",
    "CLIENT LIST ID x",
    "CLIENT LIST ID 99999",
    "CLIENT LIST ID 0 -1",
    "CLIENT LIST foo",
    "CLIENT GETREDIR",
    "CLIENT TRACKINGINFO",
    "CLIENT NO-EVICT x",
    "CLIENT NO-EVICT off",
    "CLIENT GETNAME x",
    "MONITOR x",
    "CONFIG GET client-output-buffer-limit",
    "CONFIG GET maxmemory-clients",
    "CONFIG SET maxmemory-clients 1mb maxmemory-clients 2mb",
    "CONFIG SET maxmemory-clients 101%",
    "CONFIG SET client-output-buffer-limit x",
];

#[test]
fn what_clients_may_ask_is_answered_as_at_redis() {
    let ours = Server::start();
    let theirs = Server::of(Program::Redis, Home::new(), &["--save", ""]);
    for line in SAME {
        let answer = |server: &Server| {
            let mut client = server.client();
            client.send(&requests([*line]));
            client.finish();
            client.rest()
        };
        assert_eq!(answer(&ours), answer(&theirs), "{line}");
    }
    for (value, error) in [
        ("normal 1 2", "Wrong number of arguments in buffer limit configuration."),
        ("other 1 2 3", "Invalid client class specified in buffer limit configuration."),
        (
            "normal 1 2 x",
            "Error in hard, soft or soft_seconds setting in buffer limit configuration.",
        ),
        ("normal 1mb 2kb 3 replica 0 0 0", ""),
    ] {
        let set = ["CONFIG", "SET", "client-output-buffer-limit", value];
        let (ours, theirs) = (ours.client().call(&set), theirs.client().call(&set));
        assert_eq!(ours, theirs, "{value}");
        assert!(ours.contains(error) && (!error.is_empty() || ours == "+OK"), "{ours}");
    }
    let get = "CONFIG GET client-output-buffer-limit";
    assert_eq!(ours.client().line(get), theirs.client().line(get));
}

#[test]
fn lolwut_without_a_number_tells_the_version_alone() {
    let ours = Server::start();
    let theirs = Server::of(Program::Redis, Home::new(), &["--save", ""]);
    let answer = |server: &Server| {
        let mut client = server.client();
        let version = client.info("redis_version");
        client.line("LOLWUT VERSION").replace(&version, "N")
    };
    assert_eq!(answer(&ours), answer(&theirs));
    assert_eq!(answer(&ours), "Redis ver. N\n");
}

#[test]
fn the_list_has_the_fields_of_7_2() {
    let server = Server::start();
    let mut client = server.client();
    let mut other = server.client();
    other.send(&requests(["MULTI", "SET k 1", "PING"]));
    (0..3).for_each(|_| drop(other.read()));
    let fields = "id addr laddr fd name age idle flags db sub psub ssub multi qbuf qbuf-free \
                  argv-mem multi-mem rbs rbp obl oll omem tot-mem events cmd user redir resp \
                  lib-name lib-ver";
    let list = client.line("CLIENT LIST");
    for line in list.lines() {
        let names: Vec<&str> = line.split(' ').filter_map(|f| f.split('=').next()).collect();
        assert_eq!(names.join(" "), fields);
    }
    let mut lines = list.lines();
    let mine = lines.next().expect("a line");
    assert!(
        mine.contains(" flags=N ") && mine.contains(" qbuf=26 ") && mine.contains("argv-mem=10")
    );
    assert!(mine.contains(" multi=-1 ") && mine.contains(" cmd=client|list "), "{mine}");
    let theirs = lines.next().expect("a line");
    assert!(theirs.contains(" flags=x ") && theirs.contains(" multi=2 "), "{theirs}");
    assert!(!theirs.contains(" multi-mem=0 "), "{theirs}");
    for (line, flags) in [("CLIENT NO-EVICT on", "e"), ("CLIENT NO-TOUCH on", "eT")] {
        assert_eq!(client.line(line), "+OK");
        let info = client.line("CLIENT INFO");
        assert!(info.contains(&format!(" flags={flags} ")), "{info}");
    }
    let id = client.integer("CLIENT ID");
    assert_eq!(client.line(&format!("CLIENT LIST ID {id} 77")).lines().count(), 1);
    assert_eq!(client.line("CLIENT LIST TYPE normal").lines().count(), 2);
}

#[test]
fn clients_are_killed() {
    let server = Server::start();
    let mut client = server.client();
    let connect = || {
        let mut victim = server.client();
        let id = victim.integer("CLIENT ID");
        (victim, id)
    };
    let gone = |victim: &mut Client| {
        victim.send(&requests(["PING"]));
        assert!(victim.try_read().is_none(), "it is closed");
    };
    let (mut victim, _) = connect();
    let addr = victim.stream.local_addr().expect("an address");
    assert_eq!(client.line(&format!("CLIENT KILL {addr}")), "+OK");
    gone(&mut victim);
    let (mut victim, id) = connect();
    assert_eq!(client.line(&format!("CLIENT KILL ID {id}")), ":1");
    gone(&mut victim);
    let (mut one, _) = connect();
    let (mut two, _) = connect();
    assert_eq!(client.line("CLIENT KILL TYPE normal MAXAGE 1000"), ":0");
    let laddr = format!("CLIENT KILL LADDR 127.0.0.1:{} USER default", server.port);
    assert_eq!(client.line(&laddr), ":2");
    gone(&mut one);
    gone(&mut two);
    assert_eq!(client.line("PING"), "+PONG");
    // It gets its answer, and nothing after it.
    client.send(&requests(["CLIENT KILL TYPE normal SKIPME no", "PING"]));
    assert_eq!(client.rest(), r":1\r\n");
}

#[test]
fn replies_are_left_out_when_they_are_not_wanted() {
    let ours = Server::start();
    let theirs = Server::of(Program::Redis, Home::new(), &["--save", ""]);
    let large = "x".repeat(40_000);
    for lines in [
        vec!["CLIENT REPLY OFF", "SET k 1", "NOSUCH", "GET", "CLIENT REPLY ON", "GET k"],
        vec!["CLIENT REPLY SKIP", "GET k", "GET k", "PING"],
        vec!["CLIENT REPLY SKIP", "NOSUCH", "PING"],
        vec!["CLIENT REPLY SKIP", "CLIENT REPLY SKIP", "PING", "ECHO a"],
        vec!["CLIENT REPLY OFF", "CLIENT REPLY SKIP", "PING", "CLIENT REPLY ON"],
        vec!["CLIENT REPLY SKIP", "MULTI", "SET k 2", "EXEC", "GET k"],
        vec!["MULTI", "SET k 3", "GET k", "CLIENT REPLY SKIP", "EXEC", "GET k"],
        vec!["CLIENT REPLY OFF", "MULTI", "SET k 4", "EXEC", "CLIENT REPLY ON", "GET k"],
        vec!["CLIENT REPLY OFF", "RESET", "PING"],
        vec!["CLIENT REPLY SKIP", "GET large", "PING"],
        vec!["CLIENT REPLY OFF", "GET large", "CLIENT REPLY ON", "GET large"],
    ] {
        let answer = |server: &Server| {
            assert_eq!(server.client().call(&["SET", "large", &large]), "+OK");
            let mut client = server.client();
            client.send(&requests(lines.iter().copied()));
            client.finish();
            client.rest()
        };
        assert_eq!(answer(&ours), answer(&theirs), "{lines:?}");
    }
}

#[test]
fn a_pause_holds_requests_back_and_expiry() {
    let server = Server::start();
    let (mut admin, mut reader, mut writer) = (server.client(), server.client(), server.client());
    assert_eq!(admin.line("SET k 1"), "+OK");
    assert_eq!(admin.line("SET short 1 PX 20"), "+OK");
    assert_eq!(admin.line("CLIENT PAUSE 100000 WRITE"), "+OK");
    writer.send(&requests(["GET k", "SET k 2", "GET k", "MULTI", "INCR k", "EXEC"]));
    assert_eq!(show(&writer.read()), "1");
    let mut queued = server.client();
    assert_eq!(queued.line("MULTI"), "+OK");
    assert_eq!(queued.line("GET k"), "+QUEUED");
    assert_eq!(queued.line("EXEC"), "[1]");
    assert_eq!(reader.line("GET k"), "1");
    until("it has expired", || (reader.integer("EXISTS short") == 0).then_some(()));
    // It is hidden, not removed: removing would go to replicas.
    assert_eq!(reader.info("expired_keys"), "0");
    // A longer pause is not cut short.
    assert_eq!(admin.line("CLIENT PAUSE 1 WRITE"), "+OK");
    assert_eq!(reader.line("GET k"), "1");
    let list = admin.line("CLIENT LIST");
    assert_eq!(list.lines().count(), 4, "{list}");
    assert_eq!(admin.line("CLIENT UNPAUSE"), "+OK");
    let rest: Vec<String> = (0..5).map(|_| show(&writer.read())).collect();
    assert_eq!(rest, ["+OK", "2", "+OK", "+QUEUED", "[:3]"]);
    until("it is removed", || (reader.info("expired_keys") == "1").then_some(()));
    // Of everything, for a time.
    assert_eq!(admin.line("CLIENT PAUSE 150"), "+OK");
    assert!(reader.ping().as_millis() >= 100);
    assert_eq!(reader.line("GET k"), "3");
}

#[test]
fn monitor_shows_what_runs() {
    let ours = Server::start();
    let theirs = Server::of(Program::Redis, Home::new(), &["--save", ""]);
    let lines = [
        "MULTI",
        "SET a 1",
        "SELECT 2",
        "INCR a",
        "EXEC",
        "NOSUCH",
        "GET",
        "AUTH secret",
        "HELLO 3 AUTH a b",
        "CONFIG GET port",
        "CLIENT LIST",
        "CLIENT GETNAME",
        "INCR x",
        "FLUSHALL",
        "CLIENT REPLY OFF",
        "SET a quiet",
        "CLIENT REPLY ON",
        "GET a",
        "ECHO last",
    ];
    let shown = |server: &Server| {
        let mut monitor = server.client();
        assert_eq!(monitor.line("MONITOR"), "+OK");
        assert_eq!(monitor.line("GET k"), "-ERR Replica can't interact with the keyspace");
        let mut client = server.client();
        client.send(&requests(lines));
        assert_eq!(client.call(&["SET", "odd", "a\"b\\\n\r\t\u{7}\u{8}\0é"]).len(), 3);
        let addr = client.stream.local_addr().expect("an address").to_string();
        let mut shown = Vec::new();
        loop {
            let line = show(&monitor.read());
            let (time, rest) = line.split_once(' ').expect("a time first");
            assert!(time[1..].parse::<f64>().expect("seconds") > 1e9, "{line}");
            shown.push(rest.replace(&addr, "CLIENT"));
            if line.contains("odd") {
                break;
            }
        }
        monitor.send(&requests(["PING", "MONITOR", "RESET", "SET k 1"]));
        assert_eq!(show(&monitor.read()), "+PONG");
        assert!(show(&monitor.read()).ends_with("\"PING\""));
        assert_eq!(show(&monitor.read()), "+RESET");
        assert_eq!(show(&monitor.read()), "+OK");
        assert_eq!(server.client().line("PING"), "+PONG");
        assert_eq!(monitor.line("GET k"), "1");
        shown
    };
    let drain = |shown: Vec<String>| shown.join("\n");
    assert_eq!(drain(shown(&ours)), drain(shown(&theirs)));
}

#[test]
fn idle_clients_and_those_that_do_not_read_are_closed() {
    let server = Server::start();
    let mut admin = server.client();
    assert_eq!(admin.line("CONFIG SET timeout 1"), "+OK");
    let mut idle = server.client();
    assert_eq!(idle.line("PING"), "+PONG");
    assert!(idle.try_read().is_none(), "the server closes it");
    let mut admin = server.client();
    assert_eq!(admin.line("CONFIG SET timeout 0"), "+OK");
    assert_eq!(admin.call(&["SET", "large", &"x".repeat(1 << 20)]), "+OK");
    let set =
        |limit: &str| ["CONFIG", "SET", "client-output-buffer-limit", limit].map(String::from);
    for limit in ["normal 30mb 0 0", "normal 0 20mb 1"] {
        assert_eq!(admin.call(&set(limit)), "+OK");
        let mut deaf = server.client();
        deaf.send(&requests(["GET large"; 60]));
        until("it is closed", || (admin.info("connected_clients") == "1").then_some(()));
    }
    assert_eq!(admin.info("client_output_buffer_limit_disconnections"), "2");
    assert_eq!(admin.call(&set("normal 0 0 0")), "+OK");
    assert_eq!(admin.line("CLIENT NO-EVICT on"), "+OK");
    assert_eq!(admin.line("CONFIG SET maxmemory-clients 10mb"), "+OK");
    let mut small = server.client();
    assert_eq!(small.line("PING"), "+PONG");
    let mut large = server.client();
    large.send(&requests(["GET large"; 60]));
    until("it is evicted", || (admin.info("evicted_clients") == "1").then_some(()));
    assert_eq!(small.line("PING"), "+PONG");
}

#[test]
fn the_number_of_clients_is_limited_while_it_runs() {
    let server = Server::start();
    let mut admin = server.client();
    assert_eq!(admin.line("CONFIG SET maxclients 2"), "+OK");
    let _second = server.client();
    until("the second is there", || (admin.info("connected_clients") == "2").then_some(()));
    assert_eq!(server.client().rest(), r"-ERR max number of clients reached\r\n");
    assert_eq!(admin.line("CONFIG SET maxclients 3"), "+OK");
    assert_eq!(server.client().line("PING"), "+PONG");
}

#[test]
fn a_waiting_client_is_woken() {
    let server = Server::start();
    let mut admin = server.client();
    for (reason, answer) in [
        ("", ":0"),
        (" TIMEOUT", ":0"),
        (" ERROR", "-UNBLOCKED client unblocked via CLIENT UNBLOCK"),
    ] {
        let mut waiting = server.client();
        let id = waiting.integer("CLIENT ID");
        waiting.send(&requests(["WAIT 1 0", "PING"]));
        let line = format!("CLIENT UNBLOCK {id}{reason}");
        until("it is woken", || (admin.integer(&line) == 1).then_some(()));
        assert_eq!(show(&waiting.read()), answer);
        assert_eq!(show(&waiting.read()), "+PONG");
    }
}
