//! Cuts, kills and slow links.

use crate::cases::writer;
use crate::deployment::{Deployment, line, request};
use machine::Span;

/// Keys enough for a snapshot that takes a while on a slow link.
fn fill(d: &mut Deployment, server: usize) {
    d.ask(server, "CONFIG SET rdbcompression no");
    for n in 0..400 {
        let (key, value) = (format!("big:{n}"), format!("{n}:").repeat(500));
        d.try_ask(server, request(&[b"SET", key.as_bytes(), value.as_bytes()])).expect("an answer");
    }
}

#[test]
fn a_short_cut_is_taken_up_and_a_long_one_needs_a_snapshot() {
    for seed in 0..5 {
        let mut d = Deployment::new(seed, 2);
        d.attach(1, 0);
        d.ask(0, "SELECT 2");
        d.ask(0, "SET two 1");
        d.assert_equal(1, 0);
        d.ask(0, "SELECT 2");
        d.world.reset(d.hosts[0], d.hosts[1]);
        d.ask(0, "SET two 2");
        d.wait(1, "master_link_status", "up");
        d.assert_equal(1, 0);
        assert_eq!(d.info(0, "sync_partial_ok"), "1");
        assert_eq!(d.info(0, "sync_full"), "1");
        d.chatter(0, writer(seed));
        d.world.cut(d.hosts[0], d.hosts[1]);
        d.world.run_for(Span::secs(8));
        d.world.heal_all();
        d.world.run_for(Span::secs(1));
        d.hush();
        d.assert_equal(1, 0);
        assert_eq!(d.info(0, "sync_full"), "2");
        assert_eq!(d.info(0, "sync_partial_err"), "1");
    }
}

#[test]
fn an_empty_primary_is_refused_until_it_is_accepted() {
    let mut d = Deployment::new(1, 2);
    d.ask(0, "SET kept 1");
    d.attach(1, 0);
    d.world.kill(d.machines[0]);
    d.world.restart(d.machines[0]);
    d.wait(1, "master_refused", "empty");
    d.world.run_for(Span::secs(20));
    assert_eq!(d.ask(1, "GET kept"), "1");
    assert_eq!(d.info(1, "master_link_status"), "down");
    assert_eq!(d.ask(0, "DBSIZE"), ":0");
    d.attach(1, 0);
    assert_eq!(d.info(1, "master_refused"), "");
    assert_eq!(d.ask(1, "DBSIZE"), ":0");
}

#[test]
fn an_empty_primary_that_gets_data_is_followed_again() {
    let mut d = Deployment::new(2, 2);
    d.ask(0, "SET kept 1");
    d.attach(1, 0);
    d.world.kill(d.machines[0]);
    d.world.restart(d.machines[0]);
    d.wait(1, "master_refused", "empty");
    d.ask(0, "SET new 1");
    d.assert_equal(1, 0);
    assert_eq!(d.info(1, "master_refused"), "");
}

#[test]
fn kills_in_mid_sync_leave_no_half_data() {
    for seed in 0..6 {
        let mut d = Deployment::new(seed, 2);
        fill(&mut d, 0);
        d.ask(1, "SET own 1");
        d.world.link(d.hosts[0], d.hosts[1]).bandwidth = Some(200 << 10);
        d.follow(1, 0);
        d.wait(1, "master_sync_in_progress", "1");
        d.world.run_for(Span::millis(200 + 70 * seed));
        assert_eq!(d.info(1, "master_sync_in_progress"), "1");
        assert_eq!(d.ask(1, "GET own"), "1");
        if seed.is_multiple_of(2) {
            d.world.kill(d.machines[1]);
            d.world.run_for(Span::secs(1));
            assert_eq!(d.info(0, "connected_slaves"), "0");
            d.world.restart(d.machines[1]);
            d.attach(1, 0);
        } else {
            d.world.kill(d.machines[0]);
            d.world.run_for(Span::millis(300));
            assert_eq!(d.ask(1, "DBSIZE"), ":1");
            assert_eq!(d.ask(1, "GET own"), "1");
            d.world.restart(d.machines[0]);
            d.ask(0, "SET new 1");
        }
        d.assert_equal(1, 0);
    }
}

#[test]
fn a_slow_link_takes_a_snapshot_and_the_writes_meanwhile() {
    let mut d = Deployment::new(3, 2);
    fill(&mut d, 0);
    d.world.link(d.hosts[0], d.hosts[1]).bandwidth = Some(60 << 10);
    d.chatter(0, writer(3));
    d.follow(1, 0);
    d.world.run_for(Span::secs(5));
    d.hush();
    d.assert_equal(1, 0);
    assert_eq!(d.info(0, "sync_full"), "1");
}

#[test]
fn a_replica_stuck_in_its_snapshot_is_let_go() {
    let mut d = Deployment::new(4, 3);
    for n in 0..3 {
        let (key, value) = (format!("huge:{n}"), vec![b'h'; 3 << 20]);
        d.try_ask(0, request(&[b"SET", key.as_bytes(), &value])).expect("an answer");
    }
    // Equal letters would be compressed away.
    d.ask(0, "CONFIG SET rdbcompression no");
    d.world.link(d.hosts[0], d.hosts[1]).bandwidth = Some(1 << 20);
    d.follow(1, 0);
    d.wait(1, "master_sync_in_progress", "1");
    d.world.pause(d.machines[1]);
    d.world.run_for(Span::secs(12));
    assert_eq!(d.info(0, "connected_slaves"), "0");
    d.attach(2, 0);
    d.world.resume(d.machines[1]);
    d.assert_equal(1, 0);
}

#[test]
fn a_silent_primary_and_a_silent_replica_are_given_up() {
    let mut d = Deployment::new(5, 2);
    d.ask(0, "SET a 1");
    d.attach(1, 0);
    d.world.cut(d.hosts[0], d.hosts[1]);
    d.wait(0, "connected_slaves", "0");
    d.wait(1, "master_link_status", "down");
    assert_eq!(d.logged(1, "MASTER timeout"), 1);
    d.world.heal_all();
    d.assert_equal(1, 0);
}

#[test]
fn the_middle_of_a_chain_takes_its_leaf_through_a_full_sync() {
    for seed in 0..5 {
        let mut d = Deployment::new(seed, 3);
        d.chatter(0, writer(seed));
        d.attach(1, 0);
        d.attach(2, 1);
        d.world.cut(d.hosts[0], d.hosts[1]);
        d.world.run_for(Span::secs(8));
        d.world.heal_all();
        d.world.run_for(Span::secs(3));
        d.hush();
        d.assert_equal(1, 0);
        d.assert_equal(2, 1);
        assert_eq!(d.info(0, "sync_full"), "2");
    }
}

#[test]
fn a_promotion_above_reaches_the_leaf() {
    let mut d = Deployment::new(9, 3);
    d.ask(0, "SET a 1");
    d.attach(1, 0);
    d.attach(2, 1);
    assert_eq!(d.ask(1, "REPLICAOF NO ONE"), "OK");
    d.ask(1, "SET b 1");
    d.assert_equal(2, 1);
    d.attach(1, 0);
    d.assert_equal(1, 0);
    d.assert_equal(2, 1);
}

#[test]
fn a_received_snapshot_survives_a_crash_of_the_machine() {
    for seed in 0..8 {
        let mut d = Deployment::new(seed, 2);
        fill(&mut d, 0);
        d.attach(1, 0);
        d.world.run_for(Span::millis(20));
        let host = d.hosts[1];
        d.world.crash(host);
        d.world.power_on(host);
        d.world.restart(d.machines[1]);
        // The client does not know yet that its connection is gone.
        d.try_ask(1, line("PING"));
        d.wait(1, "loading", "0");
        assert_eq!(d.ask(1, "DBSIZE"), ":400");
    }
}
