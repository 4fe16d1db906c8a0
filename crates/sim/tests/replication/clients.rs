//! What clients may do to a server that has replicas, and what time does to clients.

use crate::deployment::{Deployment, line, request};
use machine::Span;

#[test]
fn a_pause_stops_the_stream() {
    let mut d = Deployment::new(41, 2);
    d.attach(1, 0);
    d.ask(0, "SET k 1");
    d.assert_equal(1, 0);
    d.ask(0, "SET short 1 PX 500");
    assert_eq!(d.ask(0, "CLIENT PAUSE 20000 WRITE"), "OK");
    let before = d.info(0, "master_repl_offset");
    let writer = d.client(0);
    writer.borrow_mut().outgoing.push_back(line("INCR k"));
    // Time for heartbeats, for a key to expire, and for somebody to ask for it.
    d.world.run_for(Span::secs(4));
    assert_eq!(d.ask(0, "GET short"), "(null)");
    assert_eq!(d.info(0, "master_repl_offset"), before);
    assert_eq!(d.ask(1, "GET k"), "1");
    assert!(writer.borrow().replies.is_empty());
    // It ends by itself.
    d.world.run_for(Span::secs(17));
    assert_eq!(writer.borrow().replies.len(), 1);
    assert_eq!(d.ask(0, "GET k"), "2");
    d.assert_equal(1, 0);
    assert_eq!(d.info(0, "connected_slaves"), "1");
}

#[test]
fn a_replica_that_does_not_keep_up_is_let_go() {
    let mut d = Deployment::with(42, 2, |config| {
        config.clients.output.replica.hard = 4 << 20;
        config.repl_timeout = 3600;
    });
    d.attach(1, 0);
    d.world.link(d.hosts[0], d.hosts[1]).bandwidth = Some(10 << 10);
    let value = "v".repeat(100_000);
    for n in 0..70 {
        let key = format!("k{n}");
        let set = request(&[b"SET", key.as_bytes(), value.as_bytes()]);
        d.try_ask(0, set).expect("an answer");
    }
    d.world.run_for(Span::secs(1));
    assert_eq!(d.logged(0, "for overcoming of output buffer limits"), 1);
}

#[test]
fn who_asks_without_touching_leaves_no_trace() {
    let mut d = Deployment::new(43, 1);
    let idle = |d: &mut Deployment| -> u64 {
        d.ask(0, "OBJECT IDLETIME k").trim_start_matches(':').parse().expect("seconds")
    };
    d.ask(0, "SET k 1");
    d.world.run_for(Span::secs(10));
    assert_eq!(d.ask(0, "CLIENT NO-TOUCH on"), "OK");
    assert_eq!(d.ask(0, "GET k"), "1");
    assert!(idle(&mut d) >= 10);
    assert_eq!(d.ask(0, "CLIENT NO-TOUCH off"), "OK");
    assert_eq!(d.ask(0, "GET k"), "1");
    assert_eq!(idle(&mut d), 0);
}

#[test]
fn a_writable_replica_expires_its_own_keys_and_no_others() {
    let mut d = Deployment::with(44, 2, |config| config.replica_read_only = false);
    d.attach(1, 0);
    d.ask(0, "SET theirs 1 PX 300");
    assert_eq!(d.ask(0, "WAIT 1 1000"), ":1");
    d.world.cut(d.hosts[0], d.hosts[1]);
    for n in 0..200 {
        assert_eq!(d.ask(1, &format!("SET own:{n} 1 PX 300")), "OK");
    }
    assert_eq!(d.ask(1, "SET stays 1 PX 300"), "OK");
    assert_eq!(d.ask(1, "PERSIST stays"), ":1");
    d.world.run_for(Span::secs(3));
    assert_eq!(d.ask(1, "DBSIZE"), ":2");
    assert_eq!(d.ask(1, "GET theirs"), "(null)");
    assert_eq!(d.ask(1, "GET stays"), "1");
}

#[test]
fn the_link_to_a_primary_is_killed_by_its_kind_and_by_its_address() {
    let mut d = Deployment::new(45, 2);
    d.attach(1, 0);
    for (words, answer, downs) in [
        ("CLIENT KILL TYPE normal ADDR 10.0.0.1:6379", ":0", 0),
        ("CLIENT KILL 10.0.0.1:6379", "OK", 1),
        ("CLIENT KILL ADDR 10.0.0.1:6379", ":1", 2),
        ("CLIENT KILL TYPE master", ":1", 3),
        ("CLIENT KILL TYPE master ID 1", ":0", 3),
    ] {
        assert_eq!(d.ask(1, words), answer, "{words}");
        d.wait(1, "master_link_status", "up");
        assert_eq!(d.count(0, "sync_partial_ok"), downs, "{words}");
    }
    assert_eq!(d.count(0, "sync_full"), 1);
}

#[test]
fn a_paused_replica_that_holds_all_it_may_keeps_its_primary() {
    let mut d = Deployment::with(46, 2, |config| config.repl_backlog_size = 64 << 20);
    d.attach(1, 0);
    assert_eq!(d.ask(1, "CLIENT PAUSE 60000 WRITE"), "OK");
    let value = vec![b'v'; 1 << 20];
    for n in 0..24 {
        let set = request(&[b"SET", format!("k{n}").as_bytes(), &value]);
        d.try_ask(0, set).expect("an answer");
    }
    // Several times as long as silence is borne.
    d.world.run_for(Span::secs(20));
    assert_eq!(d.info(1, "master_link_status"), "up", "{}", d.tail());
    assert_eq!(d.ask(1, "DBSIZE"), ":0");
    assert_eq!(d.ask(1, "CLIENT UNPAUSE"), "OK");
    d.assert_equal(1, 0);
    assert_eq!(d.ask(1, "DBSIZE"), ":24");
    assert_eq!((d.count(0, "sync_full"), d.count(0, "sync_partial_ok")), (1, 0));
    assert_eq!(d.logged(1, "MASTER timeout"), 0);
}

#[test]
fn a_score_that_cannot_be_set_is_refused_and_changes_nothing() {
    // This world's processes have none.
    let mut d = Deployment::new(47, 1);
    let set = "CONFIG SET maxmemory 7gb oom-score-adj-values 1\u{a0}2\u{a0}3 oom-score-adj yes";
    let words: Vec<String> = set.split(' ').map(|word| word.replace('\u{a0}', " ")).collect();
    let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
    let refusal = "ERR CONFIG SET failed (possibly related to argument 'oom-score-adj-values') - \
                   Failed to set current oom_score_adj. Check server logs.";
    let answer = d.try_ask(0, request(&words)).expect("an answer");
    assert_eq!(answer, wire::value::Value::Error(refusal.into()));
    assert_eq!(d.ask(0, "CONFIG GET maxmemory"), "maxmemory 0");
    assert_eq!(d.ask(0, "CONFIG GET oom-score-adj"), "oom-score-adj no");
    assert_eq!(d.logged(0, "Unable to read oom_score_adj: "), 1);
    assert_eq!(d.ask(0, "CONFIG SET maxmemory 7gb oom-score-adj no"), "OK");
}
