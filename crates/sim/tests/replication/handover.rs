//! FAILOVER between servers of ours.

use crate::cases::writer;
use crate::deployment::{Deployment, ip, line};
use machine::Span;

fn roles(d: &mut Deployment, count: usize) -> Vec<String> {
    (0..count).map(|server| d.info(server, "role")).collect()
}

#[test]
fn a_role_is_handed_over_under_writes_and_nothing_is_lost() {
    for seed in 0..8 {
        let mut d = Deployment::new(seed, 3);
        d.ask(0, "CONFIG SET repl-backlog-size 1mb");
        d.ask(1, "CONFIG SET repl-backlog-size 1mb");
        d.chatter(0, writer(seed));
        d.attach(1, 0);
        d.attach(2, 0);
        d.world.run_for(Span::millis(700 + 13 * seed));
        let target = format!("FAILOVER TO {} 6379 TIMEOUT 5000", ip(1));
        let command = if seed.is_multiple_of(2) { "FAILOVER" } else { &target };
        assert_eq!(d.ask(0, command), "OK");
        d.wait(0, "master_failover_state", "no-failover");
        d.hush();
        let now = roles(&mut d, 3);
        assert_eq!(now[0], "slave");
        let new = if now[1] == "master" { 1 } else { 2 };
        assert!(seed.is_multiple_of(2) || new == 1);
        d.attach(3 - new, new);
        d.assert_equal(0, new);
        d.assert_equal(3 - new, new);
        assert_eq!(d.count(new, "sync_full"), 0);
        assert_eq!(d.count(new, "sync_partial_ok"), 2);
    }
}

#[test]
fn a_replica_that_does_not_catch_up_in_time_ends_it() {
    let mut d = Deployment::with(2, 2, |config| config.repl_timeout = 60);
    d.attach(1, 0);
    d.world.pause(d.machines[1]);
    d.ask(0, "SET a 1");
    assert_eq!(d.ask(0, "FAILOVER TIMEOUT 500"), "OK");
    assert_eq!(d.info(0, "master_failover_state"), "waiting-for-sync");
    assert_eq!(d.ask(0, "GET a"), "1");
    let blocked = d.client(0);
    blocked.borrow_mut().outgoing.push_back(line("SET a 2"));
    d.world.run_for(Span::millis(300));
    assert!(blocked.borrow().replies.is_empty());
    assert_eq!(d.ask(0, "FAILOVER"), "-ERR FAILOVER already in progress.");
    assert_eq!(d.ask(0, "REPLICAOF 10.0.0.9 1"), "-ERR REPLICAOF not allowed while failing over.");
    d.world.run_for(Span::millis(400));
    assert_eq!(d.info(0, "master_failover_state"), "no-failover");
    assert_eq!(blocked.borrow().replies.len(), 1);
    assert_eq!(d.ask(0, "FAILOVER TIMEOUT 60000"), "OK");
    assert_eq!(d.ask(0, "FAILOVER ABORT"), "OK");
    assert_eq!(d.ask(0, "FAILOVER ABORT"), "-ERR No failover in progress.");
    d.world.resume(d.machines[1]);
    d.assert_equal(1, 0);
    assert_eq!(d.ask(0, "GET a"), "2");
    assert_eq!(d.count(0, "sync_full"), 1);
    assert_eq!(d.count(0, "sync_partial_ok"), 0);
}

#[test]
fn a_forced_handover_waits_for_its_target_and_there_is_never_a_second_primary() {
    for seed in 0..6 {
        let mut d = Deployment::with(seed, 2, |config| config.repl_timeout = 60);
        d.attach(1, 0);
        d.world.pause(d.machines[1]);
        d.ask(0, "SET a 1");
        let command = format!("FAILOVER TO {} 6379 TIMEOUT 100 FORCE", ip(1));
        assert_eq!(d.ask(0, &command), "OK");
        d.world.run_for(Span::millis(300));
        assert_eq!(d.info(0, "master_failover_state"), "failover-in-progress");
        assert_eq!(d.info(0, "role"), "slave");
        d.world.resume(d.machines[1]);
        // The answer gets lost now and then.
        for _ in 0..seed {
            d.world.run_for(Span::millis(1));
            d.world.reset(d.hosts[0], d.hosts[1]);
        }
        d.wait(0, "master_failover_state", "no-failover");
        assert_eq!(roles(&mut d, 2), ["slave", "master"], "{seed}");
        d.ask(1, "SET b 1");
        d.assert_equal(0, 1);
    }
}

#[test]
fn a_lost_answer_makes_no_second_primary() {
    let mut lost = 0;
    for step in 0..60 {
        let mut d = Deployment::with(step, 2, |config| config.repl_timeout = 60);
        d.attach(1, 0);
        d.ask(0, "SET a 1");
        assert_eq!(d.ask(0, "FAILOVER"), "OK");
        let promoted = |d: &Deployment| d.logged(1, "failover request from") > 0;
        for _ in 0..20_000 {
            if promoted(&d) {
                break;
            }
            d.world.run_for(Span::micros(50));
        }
        assert!(promoted(&d), "{}", d.tail());
        d.world.reset(d.hosts[0], d.hosts[1]);
        d.wait(0, "master_failover_state", "no-failover");
        lost += usize::from(d.logged(0, "can't be sent to a master") > 0);
        assert_eq!(roles(&mut d, 2), ["slave", "master"]);
        d.ask(1, "SET b 1");
        d.assert_equal(0, 1);
        if lost > 2 {
            return;
        }
    }
    panic!("no answer was ever lost");
}

#[test]
fn what_failover_refuses_and_how() {
    let mut d = Deployment::new(5, 2);
    let target = format!("FAILOVER TO {} 6379", ip(1));
    assert_eq!(d.ask(0, &target), "-ERR FAILOVER requires connected replicas.");
    d.attach(1, 0);
    for (words, why) in [
        ("FAILOVER TO nowhere 6379", "-ERR FAILOVER target HOST and PORT is not a replica."),
        ("FAILOVER TO nowhere x", "-ERR value is not an integer or out of range"),
        ("FAILOVER TO nowhere", "-ERR syntax error"),
        ("FAILOVER FORCE FORCE", "-ERR syntax error"),
        ("FAILOVER TIMEOUT 0", "-ERR FAILOVER timeout must be greater than 0"),
        (
            "FAILOVER FORCE TIMEOUT 100",
            "-ERR FAILOVER with force option requires both a timeout and target HOST and IP.",
        ),
        ("FAILOVER ABORT", "-ERR No failover in progress."),
    ] {
        assert_eq!(d.ask(0, words), why, "{words}");
    }
    assert_eq!(d.ask(1, &target), "-ERR FAILOVER is not valid when server is a replica.");
    assert_eq!(d.ask(0, "PSYNC x 1 FAILOVER"), "-ERR PSYNC FAILOVER can't be sent to a master.");
    assert_eq!(d.ask(1, "PSYNC x 1 FAILOVER"), "-ERR PSYNC FAILOVER replid must match my replid.");
    assert_eq!(d.ask(0, "PSYNC x y"), "-ERR value is not an integer or out of range");
}
