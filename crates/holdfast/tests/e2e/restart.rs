//! Partial syncs across restarts: each end goes on from its file, whatever is at the other one.

use crate::replication::{assert_equal, count, follow, linked, settle, start_in, under_writes};
use crate::server::{Home, Program, Server, until};
use rustix::process::Signal;

/// The last pair says what is to be expected of the others.
const PAIRS: [(Program, Program); 4] = [
    (Program::Holdfast, Program::Redis),
    (Program::Redis, Program::Holdfast),
    (Program::Holdfast, Program::Holdfast),
    (Program::Redis, Program::Redis),
];

/// It saves at its end, and sends no heartbeats.
const SAVING: [&str; 4] = ["--save", "3600 1", "--repl-ping-replica-period", "3600"];

fn saving(program: Program, home: Home, more: &[&str]) -> Server {
    start_in(home, program, &[&SAVING, more].concat())
}

fn end(server: Server) -> Home {
    let (status, home) = server.end(Signal::TERM);
    assert!(status.success(), "{status:?}");
    home
}

#[test]
fn a_replica_goes_on_from_its_file() {
    for (of_primary, of_replica) in PAIRS {
        let primary = saving(of_primary, Home::new(), &[]);
        let replica = saving(of_replica, Home::new(), &[]);
        under_writes(&primary, || {
            follow(&replica, primary.port);
            linked(&replica);
        });
        let to = primary.port.to_string();
        let mut home = end(replica);
        for round in 1..3 {
            under_writes(&primary, || {});
            let replica = saving(of_replica, home, &["--replicaof", "127.0.0.1", &to]);
            under_writes(&primary, || linked(&replica));
            assert_equal(&replica, &primary);
            assert_eq!(count(&primary, "sync_full"), 1, "{of_primary:?} {of_replica:?}");
            assert_eq!(count(&primary, "sync_partial_ok"), round);
            home = end(replica);
        }
    }
}

#[test]
fn a_primary_that_was_shut_down_is_followed_partially() {
    for (of_primary, of_replica) in PAIRS {
        let primary = saving(of_primary, Home::new(), &[]);
        let replica = saving(of_replica, Home::new(), &[]);
        follow(&replica, primary.port);
        linked(&replica);
        under_writes(&primary, || {});
        settle(&primary);
        assert_equal(&replica, &primary);
        let old = primary.client().info("master_replid");
        let at = end(primary);
        let primary = saving(of_primary, at, &[]);
        assert_eq!(primary.client().info("master_replid2"), old);
        assert_ne!(primary.client().info("master_replid"), old);
        under_writes(&primary, || {
            follow(&replica, primary.port);
            linked(&replica);
        });
        assert_equal(&replica, &primary);
        assert_eq!(count(&primary, "sync_full"), 0, "{of_primary:?} {of_replica:?}");
        assert_eq!(count(&primary, "sync_partial_ok"), 1);
    }
}

#[test]
fn a_file_of_either_kind_is_gone_on_from_by_the_other() {
    for (before, after) in
        [(Program::Holdfast, Program::Redis), (Program::Redis, Program::Holdfast)]
    {
        let primary = saving(Program::Redis, Home::new(), &[]);
        let replica = saving(before, Home::new(), &[]);
        follow(&replica, primary.port);
        linked(&replica);
        under_writes(&primary, || {});
        let to = primary.port.to_string();
        let replica = saving(after, end(replica), &["--replicaof", "127.0.0.1", &to]);
        linked(&replica);
        assert_equal(&replica, &primary);
        assert_eq!(count(&primary, "sync_full"), 1);
        assert_eq!(count(&primary, "sync_partial_ok"), 1);
        // The primary's own file, likewise.
        settle(&primary);
        assert_equal(&replica, &primary);
        let primary = saving(Program::Holdfast, end(primary), &[]);
        follow(&replica, primary.port);
        linked(&replica);
        assert_equal(&replica, &primary);
        assert_eq!(count(&primary, "sync_full"), 0);
        assert_eq!(count(&primary, "sync_partial_ok"), 1);
    }
}

#[test]
fn a_primary_that_was_killed_claims_no_more_than_its_file() {
    for (of_primary, of_replica) in PAIRS {
        let primary = saving(of_primary, Home::new(), &[]);
        let replica = saving(of_replica, Home::new(), &[]);
        follow(&replica, primary.port);
        linked(&replica);
        under_writes(&primary, || {});
        let mut client = primary.client();
        until("it has saved", || (client.line("SAVE") == "+OK").then_some(()));
        under_writes(&primary, || {});
        let (_, home) = primary.end(Signal::KILL);
        let primary = saving(of_primary, home, &[]);
        follow(&replica, primary.port);
        linked(&replica);
        assert_equal(&replica, &primary);
        assert_eq!(count(&primary, "sync_full"), 1, "{of_primary:?} {of_replica:?}");
        assert_eq!(count(&primary, "sync_partial_ok"), 0);
    }
}

/// A primary, its replica and a replica of that, which hold the same.
fn chain(of_ends: Program, of_middle: Program) -> [Server; 3] {
    let [top, leaf] = [0, 1].map(|_| saving(of_ends, Home::new(), &[]));
    let middle = saving(of_middle, Home::new(), &[]);
    follow(&middle, top.port);
    linked(&middle);
    follow(&leaf, middle.port);
    linked(&leaf);
    under_writes(&top, || {});
    settle(&top);
    assert_equal(&middle, &top);
    assert_equal(&leaf, &middle);
    [top, middle, leaf]
}

#[test]
fn the_middle_of_a_chain_starts_again() {
    for (of_ends, of_middle) in [
        (Program::Holdfast, Program::Redis),
        (Program::Redis, Program::Holdfast),
        (Program::Holdfast, Program::Holdfast),
    ] {
        let [top, middle, leaf] = chain(of_ends, of_middle);
        let to = top.port.to_string();
        let middle = saving(of_middle, end(middle), &["--replicaof", "127.0.0.1", &to]);
        under_writes(&top, || {
            linked(&middle);
            follow(&leaf, middle.port);
            linked(&leaf);
        });
        assert_equal(&middle, &top);
        assert_equal(&leaf, &middle);
        assert_eq!(count(&top, "sync_full"), 1, "{of_ends:?} {of_middle:?}");
        assert_eq!(count(&middle, "sync_full"), 0, "{of_ends:?} {of_middle:?}");
        assert_eq!(count(&middle, "sync_partial_ok"), 1);
    }
}

#[test]
fn the_top_of_a_chain_starts_again() {
    for (of_ends, of_middle) in
        [(Program::Holdfast, Program::Redis), (Program::Redis, Program::Holdfast)]
    {
        let [top, middle, leaf] = chain(of_ends, of_middle);
        let top = saving(of_ends, end(top), &[]);
        under_writes(&top, || {
            follow(&middle, top.port);
            linked(&middle);
            // The history has a new name, which the leaf learns by asking again.
            until("the leaf asks again", || (count(&middle, "sync_partial_ok") == 1).then_some(()));
        });
        assert_equal(&middle, &top);
        assert_equal(&leaf, &top);
        assert_eq!(count(&top, "sync_full"), 0, "{of_ends:?} {of_middle:?}");
        assert_eq!(count(&top, "sync_partial_ok"), 1);
        assert_eq!(count(&middle, "sync_full"), 1, "{of_ends:?} {of_middle:?}");
    }
}
