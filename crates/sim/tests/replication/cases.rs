//! Syncs, positions and effects between servers that nobody disturbs.

use crate::deployment::{Deployment, line, request};
use machine::Span;
use wire::value::Value;

/// A writer of numbered keys over three databases, with some of all effects.
pub(crate) fn writer(mut n: u64) -> impl FnMut() -> Vec<u8> {
    move || {
        n += 1;
        let key = n * 7919 % 97;
        line(&match n % 13 {
            0 => format!("SELECT {}", n % 3),
            1 => format!("INCRBY n:{key} {n}"),
            2 => format!("DEL w:{key}"),
            3 => format!("SET e:{key} {n} PX {}", 50 + n % 3000),
            4 => format!("APPEND a:{} {n}", key % 10),
            5 => format!("EXPIRE w:{key} 1000"),
            6 => format!("MOVE w:{key} {}", (n + 1) % 3),
            7 if n.is_multiple_of(5) => String::from("SWAPDB 0 1"),
            8 => format!("COPY w:{key} c:{key} REPLACE"),
            9 => format!("GETEX e:{key} PX 700"),
            10 if n % 1001 == 10 => String::from("FLUSHDB"),
            _ => format!("SET w:{key} {n}"),
        })
    }
}

#[test]
fn a_full_sync_under_writes_brings_everything() {
    for seed in 0..5 {
        let mut d = Deployment::new(seed, 2);
        d.chatter(0, writer(seed));
        d.world.run_for(Span::secs(2));
        d.attach(1, 0);
        d.world.run_for(Span::secs(2));
        d.hush();
        d.assert_equal(1, 0);
        assert_eq!(d.info(0, "sync_full"), "1");
        assert_eq!(d.info(0, "connected_slaves"), "1");
    }
}

#[test]
fn an_idle_replica_acknowledges_once_a_second() {
    let mut d = Deployment::with(1, 2, |config| {
        config.repl_ping_period = 30;
        config.repl_timeout = 60;
    });
    d.attach(1, 0);
    for _ in 0..16 {
        d.world.run_for(Span::millis(700));
        let replica = d.info(0, "slave0");
        assert!(replica.ends_with("lag=0") || replica.ends_with("lag=1"), "{replica}");
    }
}

#[test]
fn effects_in_all_databases_arrive() {
    let mut d = Deployment::new(2, 2);
    d.ask(0, "SET before 1");
    d.attach(1, 0);
    for words in [
        "SELECT 3",
        "SET three 3",
        "SELECT 0",
        "SET zero 0",
        "MOVE zero 2",
        "SET a 1 PX 200",
        "SET b 1 EX 100",
        "SWAPDB 2 3",
        "SELECT 1",
        "FLUSHDB",
        "FLUSHALL",
        "SET c 1",
        "EXPIRE c 50",
        "SETRANGE s 5 abc",
        "INCRBYFLOAT f 1.5",
    ] {
        d.ask(0, words);
    }
    d.ask(0, "SELECT 0");
    d.assert_equal(1, 0);
    d.ask(0, "FLUSHALL");
    for words in ["SELECT 3", "SET x 1 PX 300", "SET y 2", "MOVE y 1", "SWAPDB 1 2"] {
        d.ask(0, words);
    }
    d.assert_equal(1, 0);
    d.world.run_for(Span::secs(1));
    assert_eq!(d.content(1).get("3 size").map(String::as_str), Some(":0"));
    assert_eq!(d.content(1).get("2 y").map(String::as_str), Some("2 :-1"));
    d.assert_equal(1, 0);
}

#[test]
fn a_large_value_goes_through_the_stream() {
    let mut d = Deployment::new(3, 3);
    d.attach(1, 0);
    d.attach(2, 1);
    let value = "v".repeat(1 << 20);
    d.try_ask(0, request(&[b"SET", b"big", value.as_bytes()])).expect("an answer");
    d.ask(0, "SET after 1");
    d.assert_equal(1, 0);
    d.assert_equal(2, 0);
    assert!(d.ask(2, "GET big") == value);
    assert_eq!(d.ask(0, "WAIT 1 1000"), ":1");
}

#[test]
fn a_link_reset_within_a_large_value_goes_on_at_its_beginning() {
    let mut partial = 0;
    for seed in 0..10 {
        let mut d = Deployment::with(seed, 3, |config| config.repl_backlog_size = 4 << 20);
        d.attach(1, 0);
        d.attach(2, 1);
        d.world.link(d.hosts[0], d.hosts[1]).bandwidth = Some(1 << 20);
        d.ask(0, "SELECT 2");
        let value = "v".repeat(1 << 20);
        d.try_ask(0, request(&[b"SET", b"big", value.as_bytes()])).expect("an answer");
        d.ask(0, "SET after 1");
        d.world.run_for(Span::millis(100 + 90 * seed));
        d.world.reset(d.hosts[0], d.hosts[1]);
        d.world.run_for(Span::millis(1));
        d.assert_equal(1, 0);
        d.assert_equal(2, 0);
        assert_eq!(d.info(0, "sync_full"), "1");
        partial += d.info(0, "sync_partial_ok").parse::<u64>().expect("a number");
        assert_eq!(d.logged(1, "Protocol error"), 0);
    }
    assert_eq!(partial, 10);
}

#[test]
fn a_chain_carries_everything_to_its_end() {
    for seed in 0..5 {
        let mut d = Deployment::new(seed, 3);
        d.chatter(0, writer(seed));
        d.attach(1, 0);
        d.world.run_for(Span::millis(1500 + seed * 37));
        d.attach(2, 1);
        d.world.run_for(Span::secs(1));
        d.hush();
        d.assert_equal(1, 0);
        d.assert_equal(2, 1);
        assert_eq!(d.info(0, "connected_slaves"), "1");
    }
}

#[test]
fn the_leaf_of_a_chain_starts_in_the_database_of_the_stream() {
    let mut d = Deployment::new(4, 3);
    d.attach(1, 0);
    d.ask(0, "SELECT 3");
    d.ask(0, "SET a 1");
    d.assert_equal(1, 0);
    d.ask(0, "SELECT 3");
    d.attach(2, 1);
    d.ask(0, "SET b 2");
    d.assert_equal(2, 1);
    assert_eq!(d.content(2).get("3 b").map(String::as_str), Some("2 :-1"));
}

#[test]
fn a_promoted_replica_takes_its_peers_and_its_old_primary_partially() {
    for seed in 0..5 {
        let mut d = Deployment::new(seed, 3);
        d.chatter(0, writer(seed));
        d.attach(1, 0);
        d.attach(2, 0);
        d.world.run_for(Span::secs(1));
        d.hush();
        d.assert_equal(1, 0);
        d.assert_equal(2, 0);
        let old = d.info(0, "master_replid");
        assert_eq!(d.ask(1, "REPLICAOF NO ONE"), "OK");
        assert_ne!(d.info(1, "master_replid"), old);
        assert_eq!(d.info(1, "master_replid2"), old);
        d.ask(1, "SET promoted 1");
        d.attach(2, 1);
        // Its own heartbeats have moved the old primary on, beyond what the new one shares.
        d.attach(0, 1);
        d.assert_equal(2, 1);
        d.assert_equal(0, 1);
        let partial = d.info(1, "sync_partial_ok").parse::<u64>().expect("a number");
        assert!(partial >= 1, "{partial}");
    }
}

#[test]
fn wait_counts_replicas() {
    let mut d = Deployment::new(6, 3);
    d.attach(1, 0);
    d.attach(2, 0);
    assert_eq!(d.ask(0, "WAIT 0 100"), ":2");
    d.ask(0, "SET a 1");
    assert_eq!(d.ask(0, "WAIT 2 5000"), ":2");
    d.ask(0, "SET a 2");
    let before = d.world.time();
    assert_eq!(d.ask(0, "WAIT 3 300"), ":2");
    assert!(d.world.time() - before >= 300_000_000);
    d.world.cut(d.hosts[0], d.hosts[2]);
    d.ask(0, "SET a 3");
    assert_eq!(d.ask(0, "WAIT 2 200"), ":1");
    assert_eq!(d.ask(0, "WAIT 1 200"), ":1");
    let leaver = d.client(0);
    leaver.borrow_mut().outgoing.push_back(line("WAIT 3 0"));
    d.world.run_for(Span::millis(50));
    leaver.borrow_mut().leave = true;
    d.world.run_for(Span::millis(50));
    d.world.heal_all();
    assert_eq!(d.ask(0, "WAIT 2 5000"), ":2");
    assert!(d.ask(1, "WAIT 0 0").starts_with("-ERR WAIT cannot be used with replica instances"));
}

#[test]
fn a_waiting_client_is_let_go_when_its_server_becomes_a_replica() {
    let mut d = Deployment::new(7, 2);
    let waiting = d.client(0);
    waiting.borrow_mut().outgoing.push_back(line("WAIT 1 0"));
    d.world.run_for(Span::millis(50));
    assert!(waiting.borrow().replies.is_empty());
    d.attach(0, 1);
    let reply = waiting.borrow_mut().replies.pop_front().expect("an answer");
    assert!(matches!(&reply, Value::Error(text) if text.starts_with(b"UNBLOCKED")), "{reply:?}");
}

#[test]
fn a_replica_hides_what_has_expired_and_refuses_writes() {
    let mut d = Deployment::new(8, 2);
    d.attach(1, 0);
    assert_eq!(d.ask(1, "SET a 1"), "-READONLY You can't write against a read only replica.");
    d.ask(0, "SET k v PX 100");
    assert_eq!(d.ask(0, "WAIT 1 1000"), ":1");
    d.world.cut(d.hosts[0], d.hosts[1]);
    d.world.run_for(Span::millis(150));
    assert_eq!(d.ask(1, "GET k"), "(null)");
    assert_eq!(d.ask(1, "DBSIZE"), ":1");
    d.world.heal_all();
    d.assert_equal(1, 0);
    assert_eq!(d.ask(1, "DBSIZE"), ":0");
}

#[test]
fn a_transaction_goes_into_the_stream_as_one_piece() {
    let mut d = Deployment::new(31, 3);
    d.attach(1, 0);
    d.attach(2, 1);
    let run = |d: &mut Deployment, lines: &[&str]| -> String {
        let last = lines.iter().map(|words| d.ask(0, words)).last();
        last.unwrap_or_default()
    };
    let offset =
        |d: &mut Deployment| -> u64 { d.info(0, "master_repl_offset").parse().expect("a number") };
    run(&mut d, &["SELECT 0", "SET first 1"]);
    // Reads and failures leave nothing in it; one effect needs no brackets.
    let before = offset(&mut d);
    assert_eq!(run(&mut d, &["MULTI", "GET k", "GET l", "EXEC"]), "(null) (null)");
    assert_eq!(offset(&mut d), before);
    run(&mut d, &["MULTI", "SET k 1", "GET k", "EXEC"]);
    let one = line("SET k 1").len() as u64;
    assert_eq!(offset(&mut d), before + one);
    run(&mut d, &["MULTI", "SET k 2", "SET k 3", "EXEC"]);
    let brackets = (line("MULTI").len() + line("EXEC").len()) as u64;
    assert_eq!(offset(&mut d), before + 3 * one + brackets);
    // Several databases, an effect of two commands, and an error in the middle.
    run(&mut d, &["SET gone 1 PX 20", "SET word x"]);
    d.world.run_for(Span::millis(30));
    let lines = ["MULTI", "SET gone 2", "SELECT 2", "INCR n", "MOVE n 1", "SELECT 0", "INCR word"];
    run(&mut d, &lines);
    run(&mut d, &["SWAPDB 0 2", "EXEC", "SELECT 0", "SET last 1"]);
    d.assert_equal(1, 0);
    d.assert_equal(2, 0);
}

#[test]
fn a_key_that_had_expired_when_it_was_watched_may_be_removed() {
    let mut d = Deployment::new(32, 1);
    for (between, expected) in [
        (&["EXISTS k"][..], "PONG"),
        (&["GET k", "DEL k"], "PONG"),
        (&["FLUSHALL"], "PONG"),
        (&["SWAPDB 0 1"], "PONG"),
        (&["SET k 2"], "(null)"),
        (&["SET k 2", "DEL k"], "(null)"),
    ] {
        let other = d.client(0);
        d.ask(0, "FLUSHALL");
        d.ask(0, "SET k 1 PX 3");
        // Less than until the search for expired keys.
        d.world.run_for(Span::millis(8));
        assert_eq!(d.ask(0, "DBSIZE"), ":1", "{between:?}");
        d.ask(0, "WATCH k");
        for words in between {
            other.borrow_mut().replies.clear();
            other.borrow_mut().outgoing.push_back(line(words));
            let desk = std::rc::Rc::clone(&other);
            let answered = d.world.run_until(Span::secs(1), |_| !desk.borrow().replies.is_empty());
            assert!(answered, "{words}");
        }
        assert_eq!(d.ask(0, "MULTI"), "OK");
        d.ask(0, "PING");
        assert_eq!(d.ask(0, "EXEC"), expected, "{between:?}");
    }
}
