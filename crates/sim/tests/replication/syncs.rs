//! The ways a snapshot can take: straight from memory or by way of a file, into a file or beside
//! the data it replaces.

use crate::cases::writer;
use crate::deployment::{Deployment, request};
use machine::Span;

/// Keys that take the primary a second to save.
fn fill_slowly(d: &mut Deployment) {
    for n in 0..100 {
        d.ask(0, &format!("SET slow:{n} {n}"));
    }
    d.ask(0, "CONFIG SET rdb-key-save-delay 10000");
}

fn snapshots(d: &Deployment) -> usize {
    d.logged(0, "Starting snapshot for SYNC")
}

#[test]
fn replicas_that_come_within_the_delay_share_a_snapshot() {
    let mut d = Deployment::with(1, 4, |config| config.repl.diskless_delay = 3);
    d.follow(1, 0);
    d.world.run_for(Span::secs(2));
    assert_eq!(snapshots(&d), 0);
    assert!(d.info(0, "slave0").contains("state=wait_bgsave"));
    d.follow(2, 0);
    d.world.run_for(Span::millis(1200));
    assert_eq!(snapshots(&d), 1);
    d.assert_equal(1, 0);
    d.assert_equal(2, 0);
    assert_eq!(d.count(0, "sync_full"), 2);
    // As many as may come are not waited for.
    d.ask(0, "CONFIG SET repl-diskless-sync-max-replicas 1");
    d.follow(3, 0);
    d.world.run_for(Span::millis(1200));
    assert_eq!(snapshots(&d), 2);
    d.assert_equal(3, 0);
}

#[test]
fn a_snapshot_by_way_of_a_file_is_joined_by_who_comes_while_it_is_made() {
    for seed in 0..4 {
        let mut d = Deployment::with(seed, 3, |config| {
            config.repl.diskless_sync = false;
            config.repl_backlog_size = 4 << 20;
        });
        fill_slowly(&mut d);
        d.ask(0, "CONFIG SET rdb-key-save-delay 40000");
        d.chatter(0, writer(seed));
        d.world.run_for(Span::millis(200));
        d.follow(1, 0);
        d.world.run_for(Span::millis(500));
        let replica = d.info(0, "slave0");
        assert!(replica.contains("state=wait_bgsave"), "{replica} {}", d.tail());
        assert_eq!(d.info(0, "rdb_bgsave_in_progress"), "1");
        d.follow(2, 0);
        d.wait(1, "master_link_status", "up");
        d.wait(2, "master_link_status", "up");
        d.hush();
        d.assert_equal(1, 0);
        d.assert_equal(2, 0);
        assert_eq!(snapshots(&d), 1);
        assert_eq!(d.count(0, "sync_full"), 2);
        // It is a save like any other.
        assert_eq!(d.info(0, "rdb_saves"), "1");
    }
}

#[test]
fn a_file_that_no_replica_waits_for_any_more_is_not_made() {
    let mut d = Deployment::with(2, 3, |config| config.repl.diskless_sync = false);
    fill_slowly(&mut d);
    d.follow(1, 0);
    d.follow(2, 0);
    d.world.run_for(Span::millis(300));
    assert_eq!(d.ask(1, "REPLICAOF NO ONE"), "OK");
    d.world.run_for(Span::millis(200));
    assert_eq!(d.info(0, "rdb_bgsave_in_progress"), "1");
    assert_eq!(d.ask(2, "REPLICAOF NO ONE"), "OK");
    d.world.run_for(Span::millis(200));
    assert_eq!(d.info(0, "rdb_bgsave_in_progress"), "0");
    assert_eq!(d.info(0, "rdb_saves"), "0");
}

#[test]
fn files_made_for_a_sync_alone_are_removed_when_so_wanted() {
    let mut d = Deployment::with(3, 2, |config| {
        config.repl.diskless_sync = false;
        config.repl.delete_files = true;
    });
    d.ask(0, "SET a 1");
    d.attach(1, 0);
    d.assert_equal(1, 0);
    assert_eq!(d.logged(0, "DB saved on disk"), 1);
    for server in [0, 1] {
        d.restart(server);
        // Nothing but what the sync itself loads.
        assert_eq!(d.ask(server, "DBSIZE"), ":0", "{server}");
    }
}

#[test]
fn a_snapshot_of_another_history_is_read_beside_the_data_that_it_replaces() {
    for seed in 0..4 {
        let mut d = Deployment::with(seed, 3, |config| {
            config.repl.diskless_load = String::from("swapdb");
            config.repl_backlog_size = 4 << 20;
        });
        fill_slowly(&mut d);
        d.ask(1, "SET own 1");
        d.attach(2, 1);
        d.assert_equal(2, 1);
        d.chatter(0, writer(seed));
        d.follow(1, 0);
        d.wait(1, "loading", "1");
        assert_eq!(d.info(1, "async_loading"), "0");
        assert!(d.ask(1, "GET own").starts_with("-LOADING"));
        assert!(d.ask(1, "REPLICAOF NO ONE").starts_with("-LOADING"));
        // The link breaks: the data is what it was.
        d.world.reset(d.hosts[0], d.hosts[1]);
        d.wait(1, "loading", "0");
        assert_eq!(d.ask(1, "GET own"), "1");
        assert_eq!(d.ask(1, "DBSIZE"), ":1");
        d.wait(1, "master_link_status", "up");
        d.hush();
        d.assert_equal(1, 0);
        d.assert_equal(2, 1);
        assert_eq!(d.ask(1, "GET own"), "(null)");
        assert_eq!(d.logged(1, "Loading DB in memory"), 2);
        assert_eq!(d.logged(1, "DB loaded from disk"), 0);
    }
}

#[test]
fn data_of_the_same_history_is_served_while_its_successor_is_read() {
    let mut d = Deployment::with(5, 2, |config| {
        config.repl.diskless_load = String::from("swapdb");
    });
    fill_slowly(&mut d);
    d.attach(1, 0);
    d.ask(1, "WATCH slow:1");
    d.world.cut(d.hosts[0], d.hosts[1]);
    d.wait(1, "master_link_status", "down");
    for n in 0..40 {
        d.ask(0, &format!("SET new {}", n.to_string().repeat(1000)));
    }
    d.ask(0, "SET slow:1 other");
    d.world.heal_all();
    d.wait(1, "async_loading", "1");
    assert_eq!(d.info(1, "loading"), "0");
    assert_eq!(d.ask(1, "GET slow:1"), "1");
    assert_eq!(d.ask(1, "DBSIZE"), ":100");
    assert!(d.ask(1, "REPLICAOF NO ONE").starts_with("-LOADING"));
    d.assert_equal(1, 0);
    assert_eq!(d.ask(1, "GET slow:1"), "other");
    assert_eq!(d.count(0, "sync_full"), 2);
}

#[test]
fn an_empty_database_is_filled_straight_from_the_link() {
    let mut d = Deployment::with(6, 2, |config| {
        config.repl.diskless_load = String::from("on-empty-db");
    });
    d.ask(0, "SET a 1");
    d.attach(1, 0);
    d.assert_equal(1, 0);
    assert_eq!(d.logged(1, "DB loaded from disk"), 0);
    // Now it is not empty.
    d.ask(1, "REPLICAOF NO ONE");
    d.ask(1, "SET own 1");
    d.attach(1, 0);
    d.assert_equal(1, 0);
    assert_eq!(d.logged(1, "DB loaded from disk"), 1);
}

#[test]
fn cuts_anywhere_in_a_sync_leave_no_half_data() {
    for seed in 0..12 {
        let mut d = Deployment::with(seed, 3, |config| {
            let second = config.bind.ends_with('2');
            let load = if second { "swapdb" } else { "disabled" };
            config.repl.diskless_load = String::from(load);
            config.repl.diskless_sync = !config.bind.ends_with('1');
        });
        if seed.is_multiple_of(2) {
            d.ask(0, "CONFIG SET repl-diskless-sync yes");
        }
        fill_slowly(&mut d);
        d.ask(1, "SET own 1");
        d.ask(2, "SET own 1");
        d.follow(1, 0);
        d.follow(2, 0);
        for _ in 0..4 {
            let span = d.world.chance().between(10, 900);
            d.world.run_for(Span::millis(span));
            d.world.reset(d.hosts[0], d.hosts[1 + (seed % 2) as usize]);
            d.world.run_for(Span::millis(20));
            for replica in [1, 2] {
                let size = d.ask(replica, "DBSIZE");
                assert!([":1", ":100"].contains(&size.as_str()) || size.starts_with("-LOADING"));
            }
        }
        d.assert_equal(1, 0);
        d.assert_equal(2, 0);
    }
}

#[test]
fn a_sync_under_load_ends_when_the_link_carries_the_load() {
    for (seed, load, straight) in
        [(1, "disabled", "yes"), (2, "swapdb", "yes"), (3, "disabled", "no")]
    {
        // The backlog has its default size; the data is twenty times that.
        let mut d = Deployment::with(seed, 2, |config| {
            config.repl_backlog_size = 1 << 20;
            config.rdb.compression = false;
        });
        for n in 0..200 {
            let (key, value) = (format!("big:{n}"), vec![b'v'; 100_000]);
            d.try_ask(0, request(&[b"SET", key.as_bytes(), &value])).expect("an answer");
        }
        d.ask(0, &format!("CONFIG SET repl-diskless-sync {straight}"));
        d.ask(1, &format!("CONFIG SET repl-diskless-load {load}"));
        d.world.link(d.hosts[0], d.hosts[1]).bandwidth = Some(3 << 20);
        let mut n = 0;
        d.chatter(0, move || {
            n += 1;
            request(&[b"SET", format!("small:{}", n % 1000).as_bytes(), &[b'w'; 2000]])
        });
        d.follow(1, 0);
        d.world.run_for(Span::secs(30));
        assert_eq!(d.info(1, "master_link_status"), "up", "{}", d.tail());
        // A cut that the backlog bridges.
        d.world.reset(d.hosts[0], d.hosts[1]);
        d.world.run_for(Span::secs(10));
        assert_eq!(d.count(0, "sync_full"), 1, "{load} {straight} {}", d.tail());
        assert_eq!(d.count(0, "sync_partial_ok"), 1);
        d.hush();
        d.world.run_for(Span::secs(5));
        assert_eq!(d.ask(1, "DBSIZE"), d.ask(0, "DBSIZE"));
        assert_eq!(d.count(1, "master_repl_offset"), d.count(0, "master_repl_offset"));
    }
}

#[test]
fn a_load_takes_the_time_that_key_load_delay_asks_for() {
    for load in ["disabled", "swapdb"] {
        let mut d = Deployment::new(8, 2);
        for n in 0..100 {
            let (key, value) = (format!("k:{n}"), vec![b'v'; 10_000]);
            d.try_ask(0, request(&[b"SET", key.as_bytes(), &value])).expect("an answer");
        }
        d.ask(0, "CONFIG SET rdbcompression no");
        d.ask(1, "CONFIG SET key-load-delay 20000");
        d.ask(1, &format!("CONFIG SET repl-diskless-load {load}"));
        let began = d.world.time();
        d.attach(1, 0);
        let took = (d.world.time() - began) / 100_000_000;
        assert!((17..=25).contains(&took), "{load} {took}");
        assert_eq!(d.ask(1, "DBSIZE"), ":100");
    }
}

#[test]
fn a_save_that_takes_the_place_of_a_promised_one_is_nobodys_snapshot() {
    for seed in 0..4 {
        let mut d = Deployment::with(seed, 2, |config| {
            config.repl.diskless_sync = false;
            config.repl_backlog_size = 4 << 20;
        });
        fill_slowly(&mut d);
        d.chatter(0, || request(&[b"INCR", b"counter"]));
        d.follow(1, 0);
        d.world.run_for(Span::millis(300));
        let desk = d.client(0);
        desk.borrow_mut().outgoing.push_back(request(&[b"SHUTDOWN", b"SAVE", b"NOW"]));
        d.world.run_for(Span::millis(100));
        assert_eq!(d.ask(0, "SHUTDOWN ABORT"), "OK");
        d.wait(1, "master_link_status", "up");
        d.hush();
        d.assert_equal(1, 0);
    }
}
