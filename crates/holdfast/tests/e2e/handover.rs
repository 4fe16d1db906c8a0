//! FAILOVER between servers of either kind.

use crate::relay::Relay;
use crate::replication::{assert_equal, count, follow, linked, settle, start, under_writes};
use crate::server::{Program, Server, until};

const PAIRS: [(Program, Program); 4] = [
    (Program::Holdfast, Program::Redis),
    (Program::Redis, Program::Holdfast),
    (Program::Holdfast, Program::Holdfast),
    (Program::Redis, Program::Redis),
];

const QUIET: [&str; 2] = ["--repl-ping-replica-period", "3600"];

fn role(server: &Server) -> String {
    server.client().info("role")
}

fn over(server: &Server) {
    let mut client = server.client();
    until("the handover is over", || {
        (client.info("master_failover_state") == "no-failover").then_some(())
    });
}

#[test]
fn a_role_is_handed_over_under_writes() {
    for (of_primary, of_replica) in PAIRS {
        let (primary, replica) = (start(of_primary, &QUIET), start(of_replica, &QUIET));
        let third = start(Program::Holdfast, &QUIET);
        for server in [&replica, &third] {
            follow(server, primary.port);
            linked(server);
        }
        under_writes(&primary, || {
            let mut client = primary.client();
            let words = format!("FAILOVER TO 127.0.0.1 {} TIMEOUT 30000", replica.port);
            assert_eq!(client.line(&words), "+OK");
            over(&primary);
            assert_eq!(role(&primary), "slave");
            assert_eq!(role(&replica), "master");
        });
        under_writes(&replica, || {
            follow(&third, replica.port);
            linked(&third);
        });
        assert_equal(&primary, &replica);
        assert_equal(&third, &replica);
        assert_eq!(count(&replica, "sync_full"), 0, "{of_primary:?} {of_replica:?}");
        assert_eq!(count(&replica, "sync_partial_ok"), 2);
        // And back, to whoever is first.
        assert_eq!(replica.client().line("FAILOVER"), "+OK");
        over(&replica);
        assert_eq!(role(&replica), "slave");
        let roles = [role(&primary), role(&third)];
        assert!(roles.contains(&String::from("master")), "{roles:?}");
    }
}

#[test]
fn a_chain_goes_through_cuts_and_a_promotion_in_its_middle() {
    let [ours, redis] = [Program::Holdfast, Program::Redis];
    for [of_top, of_middle, of_leaf] in [
        [ours, ours, ours],
        [ours, ours, redis],
        [ours, redis, ours],
        [redis, ours, ours],
        [redis, ours, redis],
        [ours, redis, redis],
        [redis, redis, ours],
    ] {
        let [top, middle, leaf] = [of_top, of_middle, of_leaf].map(|of| start(of, &QUIET));
        let (upper, lower) = (Relay::to(top.port), Relay::to(middle.port));
        follow(&middle, upper.port);
        linked(&middle);
        follow(&leaf, lower.port);
        linked(&leaf);
        let kinds = format!("{of_top:?} {of_middle:?} {of_leaf:?}");
        for cut in 1..3 {
            let cuts = |server: &Server| count(server, "sync_partial_ok") >= cut;
            under_writes(&top, || {
                upper.cut();
                until("the middle asks again", || cuts(&top).then_some(()));
                lower.cut();
                until("the leaf asks again", || cuts(&middle).then_some(()));
            });
        }
        settle(&top);
        assert_equal(&middle, &top);
        assert_equal(&leaf, &top);
        let before = [count(&middle, "sync_full"), count(&middle, "sync_partial_ok")];
        assert_eq!([count(&top, "sync_full"), before[0]], [1, 1], "{kinds}");
        assert_eq!(middle.client().line("REPLICAOF NO ONE"), "+OK");
        under_writes(&middle, || {
            follow(&top, middle.port);
            linked(&top);
            linked(&leaf);
        });
        assert_equal(&top, &middle);
        assert_equal(&leaf, &middle);
        let after = [count(&middle, "sync_full"), count(&middle, "sync_partial_ok")];
        assert_eq!(after, [before[0], before[1] + 2], "{kinds}");
    }
}

#[test]
fn errors_and_states_are_those_of_redis() {
    let both = [Program::Redis, Program::Holdfast].map(|program| {
        let (primary, replica) = (start(program, &QUIET), start(program, &QUIET));
        let mut said = Vec::new();
        let mut ask = |server: &Server, words: &str| {
            let port = replica.port.to_string();
            let words = words.replace("REPLICA", &port);
            let reply = server.client().line(&words);
            said.push((words.replace(&port, "REPLICA"), reply));
        };
        for words in ["FAILOVER", "FAILOVER ABORT", "FAILOVER TO 127.0.0.1 REPLICA"] {
            ask(&primary, words);
        }
        follow(&replica, primary.port);
        linked(&replica);
        until("the replica is online", || {
            primary.client().info("slave0").contains("state=online").then_some(())
        });
        for words in [
            "FAILOVER ABORT NOW",
            "FAILOVER TO 127.0.0.1",
            "FAILOVER TO 127.0.0.1 x",
            "FAILOVER TO 127.0.0.1 1",
            "FAILOVER TO 127.0.0.2 REPLICA",
            "FAILOVER TO 127.0.0.1 REPLICA FORCE",
            "FAILOVER FORCE TIMEOUT 10",
            "FAILOVER FORCE FORCE",
            "FAILOVER TIMEOUT",
            "FAILOVER TIMEOUT 0",
            "FAILOVER TIMEOUT x",
            "FAILOVER TIMEOUT -1",
            "FAILOVER TIMEOUT 10 TIMEOUT 10",
            "FAILOVER TO a 1 TO b 2",
            "PSYNC x 1 FAILOVER",
            "PSYNC ? x",
            "PSYNC ? 1.5",
        ] {
            ask(&primary, words);
        }
        for words in ["FAILOVER", "FAILOVER ABORT", "PSYNC x 1 FAILOVER"] {
            ask(&replica, words);
        }
        // A handover that cannot end: the replica is stopped.
        let stopped = rustix::process::Signal::STOP;
        let mut replica = replica;
        replica.process().signal(stopped);
        let port = replica.port;
        let mut client = primary.client();
        let mut say = |words: &str| {
            let reply = client.line(words);
            said.push((words.replace(&port.to_string(), "REPLICA"), reply));
        };
        say("SET a 1");
        say(&format!("FAILOVER TO 127.0.0.1 {port} TIMEOUT 100000"));
        say("FAILOVER");
        say("REPLICAOF 127.0.0.1 1");
        say("REPLICAOF NO ONE");
        say("GET a");
        say("PSYNC ? -1");
        let state = client.info("master_failover_state");
        said.push((String::from("state"), state));
        assert_eq!(client.line("FAILOVER ABORT"), "+OK");
        assert_eq!(client.line("SET a 2"), "+OK");
        replica.process().signal(rustix::process::Signal::CONT);
        said
    });
    let [redis, ours] = both;
    assert_eq!(ours, redis);
}

#[test]
fn too_few_replicas_forbid_writes_as_with_redis() {
    let both = [Program::Redis, Program::Holdfast].map(|program| {
        let (primary, replica) = (start(program, &QUIET), start(program, &QUIET));
        let mut client = primary.client();
        let mut said = Vec::new();
        let mut ask = |words: &str| {
            let reply = client.line(words);
            said.push((words.to_owned(), reply));
        };
        ask("CONFIG SET min-slaves-to-write 1");
        for words in ["SET a 1", "GET a", "MULTI", "GET a", "EXEC", "MULTI", "SET a 1", "EXEC"] {
            ask(words);
        }
        ask("CONFIG SET min-replicas-max-lag 0");
        ask("SET a 1");
        ask("CONFIG SET min-replicas-max-lag 10");
        ask("SET a 2");
        follow(&replica, primary.port);
        linked(&replica);
        let mut other = primary.client();
        until("the replica counts", || (other.info("min_slaves_good_slaves") == "1").then_some(()));
        ask("SET a 3");
        ask("CONFIG SET min-replicas-to-write 2");
        ask("DEL a");
        let mut client = replica.client();
        assert_eq!(client.line("CONFIG SET min-replicas-to-write 1"), "+OK");
        said.push((String::from("at the replica"), client.line("SET a 1")));
        said
    });
    let [redis, ours] = both;
    assert_eq!(ours, redis);
}
