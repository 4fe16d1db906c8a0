//! MIGRATE between servers of ours: what others may do meanwhile, and what becomes of the keys.

use crate::deployment::{Deployment, ip, line, request};
use machine::Span;
use sim::desk::Desk;
use std::cell::RefCell;
use std::rc::Rc;

type Client = Rc<RefCell<Desk>>;

/// `MIGRATE` to server 1, a second at most.
fn migrate(rest: &str) -> String {
    format!("MIGRATE {} 6379 {rest}", ip(1))
}

/// Another client of server 0 sends this.
fn send(d: &mut Deployment, words: &str) -> Client {
    let client = d.client(0);
    client.borrow_mut().outgoing.push_back(line(words));
    d.world.run_for(Span::millis(100));
    client
}

/// What it got by now.
fn replies(client: &Client) -> Vec<String> {
    let replies = &client.borrow().replies;
    let text = |value: &wire::value::Value| match value {
        wire::value::Value::Error(text) => format!("-{}", String::from_utf8_lossy(text)),
        other => String::from_utf8_lossy(other.as_bytes().unwrap_or(b"?")).into_owned(),
    };
    replies.iter().map(text).collect()
}

#[test]
fn keys_arrive_with_their_time_and_go_from_here_and_from_replicas() {
    let mut d = Deployment::new(1, 3);
    d.attach(2, 0);
    d.ask(0, "MSET a 1 b 2 c 3 d 4");
    d.ask(0, "PEXPIREAT b 99999999999999");
    let at = d.ask(0, "PEXPIRETIME b");
    assert_eq!(d.ask(0, &migrate("nothing 0 1000")), "NOKEY");
    assert_eq!(d.ask(0, &migrate("a 0 1000 COPY")), "OK");
    let busy = "-ERR Target instance replied with error: BUSYKEY Target key name already exists.";
    assert_eq!(d.ask(0, &migrate("a 0 1000")), busy);
    assert_eq!(d.ask(0, "GET a"), "1");
    let words = ["MIGRATE", "10.0.0.2", "6379", "", "3", "1000", "REPLACE", "KEYS", "a", "b", "x"];
    let bytes = request(&words.map(str::as_bytes));
    assert_eq!(
        d.try_ask(0, bytes).map(|reply| reply.as_bytes() == Some(b"OK".as_slice())),
        Some(true)
    );
    assert_eq!(d.ask(0, "MGET a b c"), "(null) (null) 3");
    assert_eq!(d.info(0, "migrate_cached_sockets"), "1");
    d.ask(1, "SELECT 3");
    assert_eq!(d.ask(1, "MGET a b"), "1 2");
    let there: i64 = d.ask(1, "PEXPIRETIME b")[1..].parse().expect("a number");
    let here: i64 = at[1..].parse().expect("a number");
    assert!((there - here).abs() < 1000, "{there} {here}");
    d.assert_equal(2, 0);
    // The connection is kept for ten seconds.
    d.world.run_for(Span::secs(12));
    assert_eq!(d.info(0, "migrate_cached_sockets"), "0");
    let refused = "-ERR Target instance replied with error: ERR DB index is out of range";
    assert_eq!(d.ask(0, &migrate("c 99 1000")), refused);
    // It has taken the key all the same, as in Redis.
    assert_eq!(d.ask(0, &migrate("c 0 1000 REPLACE")), "OK", "the database is selected anew");
    // Large enough to be sent in several portions.
    d.ask(0, "SETRANGE big 3000000 end");
    d.ask(0, "SETRANGE big2 3000000 end");
    let words = ["MIGRATE", "10.0.0.2", "6379", "", "0", "9000", "KEYS", "big", "big2", "d"];
    let bytes = request(&words.map(str::as_bytes));
    assert_eq!(
        d.try_ask(0, bytes).map(|reply| reply.as_bytes() == Some(b"OK".as_slice())),
        Some(true)
    );
    assert_eq!(d.ask(0, "DBSIZE"), ":0");
    d.ask(1, "SELECT 0");
    assert_eq!(d.ask(1, "STRLEN big2"), ":3000003");
    assert_eq!(d.ask(1, "GETRANGE big -4 -1").as_bytes(), b"\0end");
}

#[test]
fn who_would_change_a_key_under_way_waits_and_nobody_else() {
    let mut d = Deployment::new(2, 2);
    d.ask(0, "MSET a 1 b 2 c 3");
    d.world.pause(d.machines[1]);
    let mover = send(&mut d, &migrate("a 0 5000"));
    let waiting = ["INCR a", "DEL b a", "FLUSHALL", "RENAME b a"].map(|words| send(&mut d, words));
    let again = send(&mut d, &migrate("a 0 5000"));
    let transaction = send(&mut d, "MULTI");
    transaction.borrow_mut().outgoing.push_back(line("SET a 5"));
    transaction.borrow_mut().outgoing.push_back(line("EXEC"));
    d.world.run_for(Span::millis(100));
    assert_eq!(replies(&transaction), ["OK", "QUEUED"]);
    for client in waiting.iter().chain([&again, &mover]) {
        assert!(replies(client).is_empty());
    }
    for (words, reply) in [("GET a", "1"), ("INCR c", ":4"), ("SET d 1", "OK"), ("PING", "PONG")] {
        assert_eq!(d.ask(0, words), reply);
    }
    assert_eq!(d.info(0, "blocked_clients"), "7");
    // Who goes away is not waited for, and does nothing any more.
    waiting[2].borrow_mut().leave = true;
    d.world.run_for(Span::millis(100));
    d.world.resume(d.machines[1]);
    d.world.run_for(Span::millis(500));
    assert_eq!(replies(&mover), ["OK"]);
    // They ran in the order in which they came, as if they had come just now.
    assert_eq!(d.ask(1, "GET a"), "1");
    assert_eq!(replies(&waiting[1]).len(), 1);
    assert_eq!(replies(&waiting[3]), ["-ERR no such key"]);
    assert_eq!(replies(&again), ["NOKEY"]);
    assert_eq!(replies(&transaction).len(), 3);
    assert_eq!(d.ask(0, "MGET a b c d"), "5 (null) 4 1");
    assert_eq!(d.info(0, "blocked_clients"), "0");
}

#[test]
fn a_copy_holds_nobody_back() {
    let mut d = Deployment::new(3, 2);
    d.ask(0, "SET a 1");
    d.world.pause(d.machines[1]);
    let mover = send(&mut d, &migrate("a 0 5000 COPY"));
    assert_eq!(d.ask(0, "INCR a"), ":2");
    d.world.resume(d.machines[1]);
    d.world.run_for(Span::millis(500));
    assert_eq!(replies(&mover), ["OK"]);
    assert_eq!((d.ask(0, "GET a"), d.ask(1, "GET a")), ("2".into(), "1".into()));
}

#[test]
fn a_target_that_does_not_answer_gets_nothing_more_and_the_keys_stay() {
    let mut d = Deployment::new(4, 2);
    d.ask(0, "MSET a 1 b 2");
    d.ask(0, &migrate("b 0 1000 COPY"));
    d.world.pause(d.machines[1]);
    let mover = send(&mut d, &migrate("a 0 700"));
    let writer = send(&mut d, "INCR a");
    d.world.run_for(Span::millis(400));
    assert!(replies(&mover).is_empty() && replies(&writer).is_empty());
    d.world.run_for(Span::millis(300));
    let lost = "-IOERR error or timeout reading to target instance";
    assert_eq!(replies(&mover), [lost]);
    assert_eq!(d.ask(0, "GET a"), "2");
    d.world.resume(d.machines[1]);
    // One that cannot be reached, and one that nobody knows.
    d.world.cut(d.hosts[0], d.hosts[1]);
    let unreachable = "-IOERR error or timeout connecting to the client";
    assert_eq!(d.ask(0, &migrate("a 0 500")), unreachable);
    d.world.heal_all();
    d.world.kill(d.machines[1]);
    let refused = "-IOERR error or timeout writing to target instance";
    assert_eq!(d.ask(0, &migrate("a 0 500")), refused);
    assert_eq!(d.ask(0, "MULTI"), "OK");
    assert_eq!(d.ask(0, &migrate("a 0 500")), "QUEUED");
    let refused = "-ERR Command not allowed inside a transaction";
    assert_eq!(d.ask(0, "EXEC"), refused);
    assert_eq!(d.ask(0, "GET a"), "2");
}

/// The connection of the last command may end under the next one: a new one is tried, once.
#[test]
fn a_connection_that_ends_before_an_answer_is_replaced() {
    let mut d = Deployment::new(5, 2);
    d.ask(0, "MSET a 1 b 2");
    assert_eq!(d.ask(0, &migrate("a 0 1000")), "OK");
    d.world.pause(d.machines[1]);
    let mover = send(&mut d, &migrate("b 0 1000"));
    d.world.kill(d.machines[1]);
    d.world.restart(d.machines[1]);
    d.world.run_for(Span::millis(500));
    assert_eq!(replies(&mover), ["OK"]);
    d.ask(0, "SET b 3");
    d.world.pause(d.machines[1]);
    let mover = send(&mut d, &migrate("b 0 1000"));
    d.world.kill(d.machines[1]);
    d.world.run_for(Span::millis(500));
    assert_eq!(replies(&mover), ["-IOERR error or timeout writing to target instance"]);
    assert_eq!(d.ask(0, "GET b"), "3");
}

#[test]
fn keys_go_when_a_pause_is_over_and_stay_when_the_role_is_lost() {
    let mut d = Deployment::new(6, 3);
    d.attach(2, 0);
    d.ask(0, "MSET a 1 b 2");
    let offset = |d: &mut Deployment| d.info(0, "master_repl_offset");
    d.world.pause(d.machines[1]);
    let mover = send(&mut d, &migrate("a 0 5000"));
    d.ask(0, "CLIENT PAUSE 1000 WRITE");
    let before = offset(&mut d);
    d.world.resume(d.machines[1]);
    d.world.run_for(Span::millis(500));
    assert!(replies(&mover).is_empty());
    assert_eq!((d.ask(0, "GET a"), offset(&mut d)), ("1".into(), before));
    d.world.run_for(Span::secs(1));
    assert_eq!(replies(&mover), ["OK"]);
    assert_eq!(d.ask(0, "GET a"), "(null)");
    d.world.pause(d.machines[1]);
    let mover = send(&mut d, &migrate("b 0 5000"));
    d.ask(2, "REPLICAOF NO ONE");
    d.attach(0, 2);
    d.world.resume(d.machines[1]);
    d.world.run_for(Span::millis(500));
    assert!(replies(&mover)[0].starts_with("-UNBLOCKED "), "{:?}", replies(&mover));
    assert_eq!(d.ask(0, "GET b"), "2");
    d.assert_equal(0, 2);
}
