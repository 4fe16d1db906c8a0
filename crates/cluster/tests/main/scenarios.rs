//! One fault at a time.

use crate::rig::{BOUND, Rig, TIMEOUT};
use machine::Span;

#[test]
fn a_cluster_forms() {
    let rig = Rig::formed(1);
    assert_eq!(rig.logged(0, "Cluster state changed: ok"), 1);
    assert_eq!(rig.logged(0, "No cluster configuration found, I'm"), 1);
    assert!((3..6).all(|index| rig.is_replica(index)));
}

#[test]
fn a_killed_primary_is_replaced_in_time() {
    for seed in 0..4 {
        let mut rig = Rig::formed(seed);
        rig.kill(0);
        let took = rig.wait("takeover", BOUND, |rig| rig.writer(0) == Some(3));
        eprintln!("seed {seed}: killed, writable after {took} ms");
        assert_eq!(rig.logged(3, "Failover election won: I'm the new master."), 1);
        rig.wait("all is well", Span::secs(5), Rig::is_settled);
        rig.restart(0);
        rig.wait("rejoin", Span::secs(10), |rig| rig.is_replica(0));
    }
}

/// Its system closes the links and refuses new ones: nobody waits for node-timeout.
#[test]
fn a_killed_primary_is_replaced_within_half_a_second() {
    for seed in 0..4 {
        let mut rig = Rig::formed(seed);
        rig.kill(0);
        rig.wait("takeover", Span::millis(500), |rig| rig.writer(0) == Some(3));
        assert_eq!(rig.logged(1, "is gone"), 1);
        assert_eq!(rig.logged(4, "Cluster state changed: fail"), 0);
    }
}

#[test]
fn a_killed_primary_is_not_replaced_before_node_timeout_where_that_is_off() {
    let mut rig = Rig::formed_with(1, false);
    rig.kill(0);
    rig.run(Span::millis(TIMEOUT - 100));
    assert_eq!(rig.writer(0), None);
    rig.wait("takeover", BOUND, |rig| rig.writer(0) == Some(3));
    assert_eq!(rig.logged(1, "is gone"), 0);
}

/// The links end, but calls are answered: by the process itself.
#[test]
fn a_primary_whose_links_are_reset_stays() {
    let mut rig = Rig::formed(6);
    for other in 1..6 {
        let (a, b) = (rig.servers[0].host, rig.servers[other].host);
        rig.world.reset(a, b);
    }
    rig.run(Span::secs(3));
    assert_eq!(rig.writer(0), Some(0));
    assert!((1..6).all(|other| rig.logged(other, "is gone") == 0));
}

#[test]
fn a_paused_primary_comes_back_as_a_replica() {
    for seed in 0..4 {
        let mut rig = Rig::formed(seed);
        rig.pause(1);
        let took = rig.wait("takeover", BOUND, |rig| rig.writer(6000) == Some(4));
        eprintln!("seed {seed}: paused, writable after {took} ms");
        rig.resume(1);
        rig.wait("concession", Span::secs(5), |rig| rig.is_replica(1));
        rig.wait("all is well", Span::secs(10), Rig::is_settled);
    }
}

#[test]
fn a_primary_cut_off_alone_is_replaced_and_concedes() {
    for seed in 0..4 {
        let mut rig = Rig::formed(seed);
        rig.cut(&[2]);
        let took = rig.wait("takeover", BOUND, |rig| rig.writer(16383) == Some(5));
        eprintln!("seed {seed}: cut off, writable after {took} ms");
        rig.run(Span::secs(5));
        assert!(!rig.is_replica(2));
        rig.world.heal_all();
        rig.wait("concession", Span::secs(20), |rig| rig.is_replica(2));
        rig.wait("all is well", Span::secs(20), Rig::is_settled);
    }
}

#[test]
fn a_primary_cut_off_with_its_replica_is_not_replaced() {
    let mut rig = Rig::formed(3);
    rig.cut(&[0, 3]);
    rig.run(Span::secs(20));
    assert_eq!(rig.writer(0), None);
    assert!(rig.is_replica(3));
    assert_eq!(rig.servers[3].seen.borrow().promotions, 0);
    rig.world.heal_all();
    rig.wait("all is well", Span::secs(20), Rig::is_settled);
    assert_eq!(rig.writer(0), Some(0));
}

#[test]
fn without_a_majority_nothing_is_written_and_nobody_promoted() {
    let mut rig = Rig::formed(4);
    rig.kill(0);
    rig.kill(1);
    rig.run(Span::secs(20));
    for index in 2..6 {
        let seen = rig.servers[index].seen.borrow();
        assert!(!seen.topology.as_ref().expect("it runs").ok);
        assert_eq!(seen.promotions, 0);
    }
    assert_eq!(rig.writer(16383), None);
    rig.restart(0);
    rig.restart(1);
    rig.wait("all is well", Span::secs(20), Rig::is_settled);
}

#[test]
fn a_restart_keeps_name_epochs_and_slots() {
    let mut rig = Rig::formed_with(5, false);
    let (id, before) = (rig.id(1), rig.conf(1));
    rig.kill(1);
    rig.run(Span::millis(300));
    rig.restart(1);
    rig.wait("it is back", Span::secs(10), Rig::is_settled);
    assert_eq!(rig.id(1), id);
    assert_eq!(rig.writer(6000), Some(1));
    assert_eq!(rig.logged(1, "Node configuration loaded, I'm"), 1);
    let vars = |text: &str| text.lines().last().map(str::to_string);
    assert_eq!(vars(&rig.conf(1)), vars(&before));
    assert!(rig.conf(1).contains("5461-10922"));
}

#[test]
fn no_vote_is_given_twice_in_an_epoch() {
    for seed in 0..3 {
        let mut rig = Rig::formed(seed);
        rig.kill(0);
        let granted = "Failover auth granted to";
        rig.wait("a vote", Span::secs(8), |rig| rig.logged(1, granted) == 1);
        // What left is on the disk.
        let epoch: u64 =
            rig.conf(1).rsplit(' ').next().and_then(|n| n.trim().parse().ok()).expect("vars");
        assert!(epoch > 0);
        let host = rig.servers[1].host;
        rig.servers[1].alive = false;
        rig.world.crash(host);
        rig.world.power_on(host);
        rig.restart(1);
        rig.wait("all is well", Span::secs(30), Rig::is_settled);
        let again = format!("for epoch {epoch}");
        assert_eq!(rig.logged(1, &format!("{granted} {} {again}", rig.id(3))), 1);
    }
}

#[test]
fn two_servers_cannot_share_a_configuration() {
    let mut rig = Rig::apart(1);
    let host = rig.servers[0].host;
    rig.run(Span::secs(1));
    let stub = rig.servers[0].stub;
    let second = rig.world.start(host, move |seed| {
        let config = cluster::Config::default();
        Box::new(cluster::Cluster::new(cluster::Setup { config, seed, node: stub }))
    });
    rig.run(Span::secs(1));
    assert_eq!(rig.world.exit_status(second), Some(1));
    assert_eq!(rig.logged(0, "is already used by a different Redis Cluster node"), 1);
}

#[test]
fn a_lone_primary_has_itself_as_majority() {
    let mut rig = Rig::apart(7);
    rig.command(0, &["addslotsrange", "0", "16383"]);
    rig.wait("a lease", Span::secs(4), |rig| rig.writer(0) == Some(0));
    rig.run(Span::secs(5));
    assert_eq!(rig.writer(0), Some(0));
}

#[test]
fn commands_answer_as_redis_does() {
    let mut rig = Rig::apart(8);
    let unknown = "0".repeat(40);
    let cases: [(&[&str], &str); 13] = [
        (&["addslots", "1", "2"], "+OK"),
        (&["addslots", "2"], "-ERR Slot 2 is already busy"),
        (&["addslots", "16384"], "-ERR Invalid or out of range slot"),
        (
            &["addslotsrange", "9", "5"],
            "-ERR start slot number 9 is greater than end slot number 5",
        ),
        (&["addslots", "5", "5"], "-ERR Slot 5 specified multiple times"),
        (&["delslotsrange", "1", "1"], "+OK"),
        (&["delslots", "1"], "-ERR Slot 1 is already unassigned"),
        (&["meet", "nowhere", "1"], "-ERR Invalid node address specified: nowhere:1"),
        (&["replicate", &unknown], "-ERR Unknown node 0000000000000000000000000000000000000000"),
        (&["set-config-epoch", "4"], "+OK"),
        (&["set-config-epoch", "5"], "-ERR Node config epoch is already non-zero"),
        (&["bumpepoch"], "+STILL 4"),
        (&["saveconfig"], "+OK"),
    ];
    rig.run(Span::millis(200));
    for (words, _) in &cases {
        rig.command(0, words);
    }
    rig.run(Span::secs(1));
    let seen = rig.servers[0].seen.borrow();
    let expected: Vec<String> = cases.iter().map(|(_, reply)| format!("{reply}\r\n")).collect();
    assert_eq!(seen.replies, expected);
}

#[test]
fn a_full_disk_holds_back_what_depends_on_it() {
    let mut rig = Rig::formed(9);
    rig.kill(0);
    for index in 1..3 {
        let host = rig.servers[index].host;
        rig.world.fill_disk(host, true);
    }
    rig.run(Span::secs(10));
    assert_eq!(rig.servers[3].seen.borrow().promotions, 0);
    for index in 1..3 {
        let host = rig.servers[index].host;
        rig.world.fill_disk(host, false);
    }
    rig.wait("takeover", Span::secs(10), |rig| rig.writer(0) == Some(3));
}
