//! Two faults at a time: where one owner's lease ends and the next one's begins.

use crate::rig::{Rig, TIMEOUT};
use machine::Span;

/// Server 4 leaves server 1 for server 0, which has two replicas then.
fn two_replicas(seed: u64) -> Rig {
    let mut rig = Rig::formed(seed);
    let id = rig.id(0);
    rig.command(4, &["REPLICATE", &id]);
    rig.wait("it follows", Span::secs(5), |rig| {
        rig.servers.iter().all(|server| {
            let seen = server.seen.borrow();
            let nodes = &seen.topology.as_ref().expect("it began").nodes;
            nodes.iter().filter(|n| n.primary.is_some_and(|p| p.to_string() == id)).count() == 2
        })
    });
    rig
}

/// Nobody else's voice counts there, and its own obeys the same rules.
#[test]
fn a_lone_primary_hands_over_without_two_writers() {
    for mode in [&["FAILOVER", "TAKEOVER"][..], &["FAILOVER", "FORCE"], &["FAILOVER"]] {
        let mut rig = Rig::apart(11);
        rig.command(0, &["ADDSLOTSRANGE", "0", "16383"]);
        rig.wait("a lease", Span::secs(4), |rig| rig.writer(0) == Some(0));
        rig.command(1, &["MEET", "10.0.0.1", "7000"]);
        let known = |rig: &Rig| {
            let seen = rig.servers[1].seen.borrow();
            let nodes = seen.topology.as_ref().map(|t| t.nodes.clone()).unwrap_or_default();
            nodes.len() == 2 && nodes.iter().all(|n| !n.handshake && n.linked)
        };
        rig.wait("they know each other", Span::secs(5), known);
        let id = rig.id(0);
        rig.command(1, &["REPLICATE", &id]);
        rig.wait("it follows", Span::secs(5), |rig| rig.is_replica(1));
        rig.run(Span::secs(3));
        rig.command(1, mode);
        rig.wait("handed over", Span::millis(2 * TIMEOUT), |rig| rig.writer(0) == Some(1));
        rig.wait("concession", Span::secs(5), |rig| rig.is_replica(0));
    }
}

/// Whoever wins an election writes nothing while votes for the next candidate may elect that one.
#[test]
fn a_winner_that_is_slow_to_say_so_waits_for_its_rival() {
    let mut rig = two_replicas(3);
    let granted = |rig: &Rig, index: usize| {
        let text = format!("Failover auth granted to {}", rig.id(index));
        rig.logged(1, &text) > 0 && rig.logged(2, &text) > 0
    };
    rig.kill(0);
    rig.wait("a vote", Span::secs(5), |rig| granted(rig, 3) || granted(rig, 4));
    let (first, second) = if granted(&rig, 3) { (3, 4) } else { (4, 3) };
    let (slow, rival) = (rig.servers[first].host, rig.servers[second].host);
    rig.world.fill_disk(slow, true);
    rig.wait("another vote", Span::secs(5), |rig| granted(rig, second));
    rig.world.fill_disk(rival, true);
    rig.world.fill_disk(slow, false);
    let claimed = rig.until(Span::secs(1), |rig| rig.servers[first].seen.borrow().promotions > 0);
    assert!(claimed, "the first winner never said so");
    assert!(!rig.until(Span::secs(1), |rig| rig.writer(0).is_some()), "it writes");
    rig.world.fill_disk(rival, false);
    rig.wait("one of them writes", Span::secs(10), |rig| rig.writer(0) == Some(second));
    rig.wait("the other follows", Span::secs(5), |rig| rig.is_replica(first));
}

/// Only its word of newer data is left of a replica that has died for good.
#[test]
fn a_hollow_primary_does_not_wait_for_the_dead() {
    let mut rig = Rig::formed(5);
    rig.kill(0);
    rig.kill(3);
    let newer = rig.servers[0].seen.borrow().offset + 1000;
    rig.streams.borrow_mut().insert(rig.id(0), newer);
    for voter in 1..3 {
        rig.world.cut(rig.servers[3].host, rig.servers[voter].host);
    }
    rig.restart(0);
    rig.restart(3);
    rig.run(Span::secs(4));
    assert_eq!(rig.writer(0), None);
    rig.kill(3);
    rig.run(Span::millis(4 * TIMEOUT));
    assert_eq!(rig.writer(0), None);
    rig.wait("it serves again", Span::millis(2 * TIMEOUT), |rig| rig.writer(0) == Some(0));
}

/// Its host crashed once, and nobody has closed the link it had to others.
#[test]
fn what_a_crash_left_of_a_link_hides_no_later_death() {
    let mut rig = Rig::formed(6);
    let host = rig.servers[3].host;
    rig.servers[3].alive = false;
    rig.world.crash(host);
    rig.world.power_on(host);
    rig.restart(3);
    rig.wait("it is back", Span::secs(10), |rig| rig.is_replica(3) && rig.is_settled());
    rig.run(Span::secs(2));
    rig.command(3, &["FAILOVER"]);
    rig.wait("handed over", Span::secs(5), |rig| rig.writer(0) == Some(3));
    rig.run(Span::secs(2));
    rig.kill(3);
    rig.wait("takeover", Span::millis(500), |rig| rig.writer(0) == Some(0));
}

/// Its shard needs it more than the orphan does.
#[test]
fn no_replica_migrates_away_from_a_dead_primary() {
    for late in 6..8 {
        let mut rig = two_replicas(late);
        rig.run(Span::millis(4500 + 50 * late));
        let moved = |rig: &Rig| {
            let text = "Migrating to orphaned master";
            rig.logged(3, text) + rig.logged(4, text)
        };
        rig.kill(0);
        let before = moved(&rig);
        rig.wait("takeover", Span::secs(5), |rig| rig.writer(0).is_some());
        assert_eq!(moved(&rig), before, "{late}");
    }
}
