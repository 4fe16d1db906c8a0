//! Positions outlive the process: in the fields beside a snapshot's keys.

use crate::cases::writer;
use crate::deployment::{Deployment, ip, line};
use machine::Span;
use node::config::Config;

/// Server 1 follows server 0 from its start on.
fn second_follows(config: &mut Config) {
    if config.bind == ip(1).to_string() {
        config.replicaof = format!("{} 6379", ip(0));
    }
    config.repl_backlog_size = 4 << 20;
}

#[test]
fn a_replica_that_starts_again_goes_on_from_its_file() {
    for seed in 0..6 {
        let mut d = Deployment::with(seed, 3, second_follows);
        d.chatter(0, writer(seed));
        d.wait(1, "master_link_status", "up");
        d.attach(2, 1);
        d.world.run_for(Span::secs(1));
        assert_eq!(d.ask(1, "SAVE"), "OK");
        d.world.run_for(Span::millis(300));
        let id = d.info(0, "master_replid");
        d.restart(1);
        assert_eq!(d.info(1, "master_replid"), id);
        d.wait(1, "master_link_status", "up");
        d.world.run_for(Span::millis(500));
        d.hush();
        d.assert_equal(1, 0);
        d.assert_equal(2, 1);
        assert_eq!(d.count(0, "sync_full"), 1);
        assert_eq!(d.count(0, "sync_partial_ok"), 1);
    }
}

#[test]
fn told_to_follow_after_its_start_it_goes_on_from_its_file_as_well() {
    let mut d = Deployment::new(1, 2);
    d.attach(1, 0);
    d.ask(0, "SET a 1");
    d.assert_equal(1, 0);
    assert_eq!(d.ask(1, "SAVE"), "OK");
    d.restart(1);
    d.ask(0, "SET b 1");
    d.attach(1, 0);
    d.assert_equal(1, 0);
    assert_eq!(d.count(0, "sync_full"), 1);
    assert_eq!(d.count(0, "sync_partial_ok"), 1);
    // What it has written itself is in no other history.
    assert_eq!(d.ask(1, "SAVE"), "OK");
    d.restart(1);
    d.ask(1, "SET own 1");
    let padding = "p".repeat(500);
    d.ask(0, &format!("SET padding {padding}"));
    d.attach(1, 0);
    d.assert_equal(1, 0);
    assert_eq!(d.count(0, "sync_full"), 2);
}

#[test]
fn a_primary_that_starts_again_is_followed_partially_as_far_as_its_file_goes() {
    for seed in 0..6 {
        let mut d = Deployment::new(seed, 3);
        d.chatter(0, writer(seed));
        d.attach(1, 0);
        d.attach(2, 1);
        d.world.run_for(Span::secs(1));
        d.hush();
        d.ask(0, "CONFIG SET repl-ping-replica-period 3600");
        d.assert_equal(1, 0);
        let old = d.info(0, "master_replid");
        let offset = d.count(0, "master_repl_offset");
        assert_eq!(d.ask(0, "SAVE"), "OK");
        d.restart(0);
        // What has expired meanwhile is told to the replicas.
        d.wait(1, "master_link_status", "up");
        assert_eq!(d.info(0, "master_replid2"), old);
        assert_eq!(d.count(0, "second_repl_offset"), offset + 1);
        assert_ne!(d.info(0, "master_replid"), old);
        d.chatter(0, writer(seed + 100));
        d.world.run_for(Span::secs(1));
        d.hush();
        d.assert_equal(1, 0);
        d.assert_equal(2, 1);
        assert_eq!(d.count(0, "sync_full"), 0);
        assert_eq!(d.count(0, "sync_partial_ok"), 1);
        assert_eq!(d.logged(1, "Connection with replica lost"), 1);
    }
}

#[test]
fn keys_that_expired_while_the_primary_was_down_go_from_its_replicas() {
    let mut d = Deployment::new(3, 2);
    d.attach(1, 0);
    d.ask(0, "SELECT 2");
    d.ask(0, "SET gone 1 PX 1500");
    d.ask(0, "SET stays 1");
    assert_eq!(d.ask(0, "WAIT 1 1000"), ":1");
    assert_eq!(d.ask(0, "SAVE"), "OK");
    d.world.kill(d.machines[0]);
    d.world.run_for(Span::secs(3));
    d.ask(1, "SELECT 2");
    assert_eq!(d.ask(1, "DBSIZE"), ":2");
    d.restart(0);
    d.wait(1, "master_link_status", "up");
    d.ask(1, "SELECT 2");
    assert_eq!(d.ask(1, "DBSIZE"), ":1");
    d.assert_equal(1, 0);
    assert_eq!(d.count(0, "sync_full"), 0);
    assert_eq!(d.info(0, "rdb_last_load_keys_expired"), "1");
}

#[test]
fn a_primary_with_an_old_file_is_refused_while_it_is_behind() {
    let mut d = Deployment::new(4, 2);
    d.attach(1, 0);
    d.ask(0, "SET a 1");
    assert_eq!(d.ask(0, "SAVE"), "OK");
    d.ask(0, "SET acknowledged 1");
    assert_eq!(d.ask(0, "WAIT 1 1000"), ":1");
    d.restart(0);
    d.wait(1, "master_refused", "behind");
    d.world.run_for(Span::secs(20));
    assert_eq!(d.ask(1, "GET acknowledged"), "1");
    assert_eq!(d.info(1, "master_link_status"), "down");
    // An order of its own accepts it.
    d.attach(1, 0);
    assert_eq!(d.ask(1, "GET acknowledged"), "(null)");
    d.assert_equal(1, 0);
    assert_eq!(d.info(1, "master_refused"), "");
}

#[test]
fn positions_that_are_used_again_are_not_gone_on_from() {
    let mut d = Deployment::with(11, 2, |config| config.repl_timeout = 3600);
    d.attach(1, 0);
    d.ask(0, "SET a 1");
    assert_eq!(d.ask(0, "SAVE"), "OK");
    d.ask(0, "SET lost 1");
    assert_eq!(d.ask(0, "WAIT 1 1000"), ":1");
    d.world.cut(d.hosts[0], d.hosts[1]);
    d.restart(0);
    // It gets further than it was, with other writes.
    d.ask(0, &format!("SET b {}", "b".repeat(200)));
    d.world.reset(d.hosts[0], d.hosts[1]);
    d.world.heal_all();
    d.ask(0, &format!("SET c {}", "c".repeat(200)));
    d.assert_equal(1, 0);
    assert_eq!(d.ask(1, "GET lost"), "(null)");
    assert_eq!(d.count(0, "sync_full"), 1);
    assert_eq!(d.count(0, "sync_partial_ok"), 0);
}

#[test]
fn heartbeats_after_the_last_save_are_no_loss() {
    let mut d = Deployment::new(5, 2);
    d.attach(1, 0);
    d.ask(0, "SET a 1");
    assert_eq!(d.ask(0, "WAIT 1 1000"), ":1");
    assert_eq!(d.ask(0, "SAVE"), "OK");
    let saved = d.count(0, "master_repl_offset");
    d.world.run_for(Span::secs(5));
    assert!(d.count(1, "master_repl_offset") > saved);
    d.restart(0);
    d.assert_equal(1, 0);
    assert_eq!(d.logged(1, "behind ours"), 0);
}

#[test]
fn both_start_again_and_the_one_without_data_wipes_nobody() {
    let mut d = Deployment::with(6, 2, second_follows);
    d.ask(0, "SET kept 1");
    d.wait(1, "master_link_status", "up");
    assert_eq!(d.ask(1, "GET kept"), "1");
    assert_eq!(d.ask(1, "SAVE"), "OK");
    d.world.kill(d.machines[0]);
    d.world.kill(d.machines[1]);
    d.world.run_for(Span::secs(1));
    d.world.restart(d.machines[0]);
    d.restart(1);
    d.wait(1, "master_refused", "empty");
    assert_eq!(d.ask(1, "GET kept"), "1");
}

#[test]
fn the_stream_is_forgotten_when_nobody_wants_it_for_long() {
    let mut d = Deployment::with(7, 2, |config| config.repl.backlog_ttl = 5);
    d.attach(1, 0);
    d.ask(0, "SET a 1");
    d.assert_equal(1, 0);
    let old = d.info(0, "master_replid");
    d.world.cut(d.hosts[0], d.hosts[1]);
    d.wait(0, "connected_slaves", "0");
    d.world.run_for(Span::secs(4));
    assert_eq!(d.info(0, "repl_backlog_active"), "1");
    d.world.run_for(Span::secs(2));
    assert_eq!(d.info(0, "repl_backlog_active"), "0");
    // What is written now is not counted, so the position must not be asked for by its old name.
    assert_ne!(d.info(0, "master_replid"), old);
    d.ask(0, "SET b 1");
    d.world.heal_all();
    d.assert_equal(1, 0);
    assert_eq!(d.count(0, "sync_partial_err"), 1);
    assert_eq!(d.count(0, "sync_full"), 2);
}

#[test]
fn a_primary_without_enough_replicas_refuses_writes() {
    let mut d = Deployment::with(8, 3, |config| {
        config.repl.good_least = 2;
        config.repl.good_lag = 2;
        config.repl_timeout = 3600;
    });
    const REFUSED: &str = "-NOREPLICAS Not enough good replicas to write.";
    assert_eq!(d.ask(0, "SET a 1"), REFUSED);
    d.attach(1, 0);
    assert_eq!(d.ask(0, "SET a 1"), REFUSED);
    d.attach(2, 0);
    d.world.run_for(Span::millis(200));
    assert_eq!(d.info(0, "min_slaves_good_slaves"), "2");
    assert_eq!(d.ask(0, "SET a 1"), "OK");
    assert_eq!(d.ask(1, "SET a 1"), "-READONLY You can't write against a read only replica.");
    d.world.cut(d.hosts[0], d.hosts[2]);
    d.world.run_for(Span::secs(2));
    assert_eq!(d.ask(0, "SET a 2"), "OK");
    d.world.run_for(Span::millis(1500));
    assert_eq!(d.ask(0, "SET a 3"), REFUSED);
    assert_eq!(d.ask(0, "GET a"), "2");
    d.ask(0, "MULTI");
    assert_eq!(d.ask(0, "SET a 4"), REFUSED);
    assert!(d.ask(0, "EXEC").starts_with("-EXECABORT"));
    assert_eq!(d.ask(0, "CONFIG SET min-replicas-max-lag 0"), "OK");
    assert_eq!(d.ask(0, "SET a 5"), "OK");
}

#[test]
fn a_primary_that_is_shut_down_loses_nothing_that_it_acknowledged() {
    for seed in 0..6 {
        let mut d = Deployment::new(seed, 2);
        d.attach(1, 0);
        d.chatter(0, writer(seed));
        d.world.run_for(Span::millis(700 + seed * 3));
        let desk = d.client(0);
        desk.borrow_mut().outgoing.push_back(line("SHUTDOWN SAVE"));
        d.world.run_for(Span::secs(1));
        d.hush();
        assert_eq!(d.logged(0, "bye bye"), 1);
        d.restart(0);
        d.assert_equal(1, 0);
        assert_eq!(d.count(0, "sync_full"), 0, "{}", d.tail());
        assert_eq!(d.count(0, "sync_partial_ok"), 1);
    }
}

/// Lets time pass until the server has ended; how many tenths of a second that took.
fn ended(d: &mut Deployment) -> u64 {
    let began = d.world.time();
    while d.logged(0, "bye bye") == 0 {
        d.world.run_for(Span::millis(10));
        assert!(d.world.time() - began < 20_000_000_000, "{}", d.tail());
    }
    (d.world.time() - began) / 100_000_000
}

/// A replica that has stopped, and a SHUTDOWN of its primary.
fn leaving() -> Deployment {
    let mut d = Deployment::with(9, 2, |config| {
        config.repl_timeout = 60;
        config.process.shutdown_timeout = 5;
    });
    d.attach(1, 0);
    d.world.pause(d.machines[1]);
    d.ask(0, "SET k 1");
    let desk = d.client(0);
    desk.borrow_mut().outgoing.push_back(line("SHUTDOWN NOSAVE"));
    d.world.run_for(Span::secs(1));
    assert_eq!(d.logged(0, "Waiting for replicas before shutting down"), 1);
    d
}

#[test]
fn an_end_waits_until_the_replicas_have_everything() {
    let mut d = leaving();
    d.world.resume(d.machines[1]);
    assert!(ended(&mut d) <= 1);
    assert_eq!(d.ask(1, "GET k"), "1");
    assert_eq!(d.logged(0, "1 of 1 replicas are in sync"), 1);
}

#[test]
fn an_end_waits_for_replicas_no_longer_than_it_may() {
    let mut d = leaving();
    let took = ended(&mut d);
    assert!((38..=41).contains(&took), "{took}");
    assert_eq!(d.logged(0, "0 of 1 replicas are in sync"), 1);
}

#[test]
fn an_end_that_is_given_up_lets_writers_go_on() {
    let mut d = leaving();
    let writer = d.client(0);
    writer.borrow_mut().outgoing.push_back(line("SET late 1"));
    d.world.run_for(Span::secs(1));
    assert_eq!(d.ask(0, "GET late"), "(null)");
    assert_eq!(d.ask(0, "SHUTDOWN ABORT"), "OK");
    d.world.run_for(Span::millis(200));
    assert_eq!(d.ask(0, "GET late"), "1");
    d.world.resume(d.machines[1]);
    d.assert_equal(1, 0);
}
