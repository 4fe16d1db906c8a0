//! Snapshots: written, read again, exchanged with redis-server, and failing.

use crate::client::{Client, request, requests, show};
use crate::server::{Home, Program, Server, until};
use rustix::process::Signal;
use std::fs;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;
use wire::value::Value;

/// Sets `count` keys in one pipeline: `key:N` to `value:N` and some padding.
fn fill(client: &mut Client, count: usize, padding: usize) {
    let padding = "x".repeat(padding);
    for from in (0..count).step_by(10_000) {
        let to = count.min(from + 10_000);
        let bytes: Vec<u8> = (from..to)
            .flat_map(|n| request(&["SET", &format!("key:{n}"), &format!("value:{n}{padding}")]))
            .collect();
        client.send(&bytes);
        (from..to).for_each(|_| assert_eq!(show(&client.read()), "+OK"));
    }
}

/// Some of each kind that a file may hold differently.
fn sample() -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut pairs: Vec<(Vec<u8>, Vec<u8>)> =
        ["", "0", "-1", "127", "128", "-32769", "2147483648", "007", "9223372036854775807", "abc"]
            .into_iter()
            .map(|value| (format!("k{value}").into_bytes(), value.into()))
            .collect();
    pairs.push((b"\0\r\n\xff".to_vec(), b"\xff\0".to_vec()));
    pairs.push((b"repeated".to_vec(), b"ab".repeat(50_000)));
    pairs.push((b"large".to_vec(), (0..3_000_000u64).map(|n| ((n * n) >> 7) as u8).collect()));
    pairs.push((vec![b'n'; 20_000], b"a long name".to_vec()));
    pairs
}

fn store(server: &Server) {
    let mut client = server.client();
    for (key, value) in sample() {
        assert_eq!(client.call(&[&b"SET"[..], &key, &value]), "+OK");
    }
    for line in ["SET volatile 1 EX 100000", "SELECT 9", "SET nine 9"] {
        assert_eq!(client.line(line), "+OK");
    }
}

fn assert_stored(server: &Server) {
    let mut client = server.client();
    for (key, value) in sample() {
        let shown = key[..key.len().min(40)].escape_ascii().to_string();
        let got = client.ask(&[&b"GET"[..], &key]);
        assert!(got == Value::Bulk(value), "other bytes under {shown}");
    }
    assert!(client.info("db0").starts_with(&format!("keys={},expires=1", sample().len() + 1)));
    assert_eq!(client.line("GET volatile"), "1");
    assert_eq!(client.line("SELECT 9"), "+OK");
    assert_eq!(client.line("GET nine"), "9");
    assert_eq!(client.line("DBSIZE"), ":1");
}

fn settle(client: &mut Client) {
    until("the save ends", || (client.info("rdb_bgsave_in_progress") == "0").then_some(()));
}

#[test]
fn what_was_saved_is_there_after_a_restart() {
    for compression in ["yes", "no"] {
        let arguments = ["--save", "", "--rdbcompression", compression];
        let server = Server::with(&arguments);
        store(&server);
        let mut client = server.client();
        assert_ne!(client.info("rdb_changes_since_last_save"), "0");
        assert_eq!(client.line("SAVE"), "+OK");
        assert_eq!(client.info("rdb_changes_since_last_save"), "0");
        assert_eq!(client.info("rdb_last_bgsave_status"), "ok");
        assert!(client.integer("LASTSAVE") > 1_500_000_000);
        assert_eq!(client.line("SET after 1"), "+OK");
        let server = Server::of(Program::Holdfast, server.into_home(), &arguments);
        assert_stored(&server);
        let names: Vec<_> = fs::read_dir(server.home.data()).expect("a folder").collect();
        assert_eq!(names.len(), 1, "{names:?}");
    }
}

#[test]
fn redis_reads_our_file_and_we_read_its() {
    let ours = Server::start();
    store(&ours);
    assert_eq!(ours.client().line("SAVE"), "+OK");
    let theirs = Server::of(Program::Redis, ours.into_home(), &["--save", ""]);
    assert_stored(&theirs);
    assert_eq!(theirs.client().line("SET more 1"), "+OK");
    assert_eq!(theirs.client().line("SAVE"), "+OK");
    let ours = Server::of(Program::Holdfast, theirs.into_home(), &["--save", ""]);
    assert_eq!(ours.client().line("GET more"), "1");
    assert_eq!(ours.client().line("DEL more"), ":1");
    assert_stored(&ours);
}

#[test]
fn a_snapshot_under_writes_is_of_one_moment() {
    const COUNT: usize = 200_000;
    let server = Server::start();
    let mut client = server.client();
    fill(&mut client, COUNT, 0);
    let (stop, rounds) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        let port = server.port;
        let (stop, rounds) = (&stop, &rounds);
        scope.spawn(move || write_on(&mut Client::connect(port), COUNT, stop, rounds));
        until("the writer writes", || (rounds.load(Relaxed) > 5).then_some(()));
        assert_eq!(client.line("BGSAVE"), "+Background saving started");
        let before = rounds.load(Relaxed);
        settle(&mut client);
        let during = rounds.load(Relaxed) - before;
        stop.store(true, Relaxed);
        assert!(during > 0, "nothing was written while the save ran");
    });
    assert_eq!(client.info("rdb_last_bgsave_status"), "ok");
    let server = Server::of(Program::Holdfast, server.into_home(), &["--save", ""]);
    assert_one_moment(&server, COUNT);
}

/// Changes, adds and deletes keys until told to stop; counts its rounds.
fn write_on(writer: &mut Client, count: usize, stop: &AtomicBool, rounds: &AtomicUsize) {
    while !stop.load(Relaxed) {
        let round = rounds.fetch_add(1, Relaxed);
        let bytes: Vec<u8> = (0..100)
            .flat_map(|i| {
                let at = (round * 100 + i) * 7919 % count;
                let (kept, added) = (format!("key:{at}"), format!("added:{at}"));
                requests([
                    &*format!("SET {kept} changed"),
                    &format!("SET {added} x"),
                    &format!("DEL {kept}"),
                ])
            })
            .collect();
        writer.send(&bytes);
        (0..300).for_each(|_| drop(writer.read()));
    }
}

/// The writer adds a key, then deletes the one it belongs to: at any moment, exactly one of each
/// pair exists, but for the pair at hand.
fn assert_one_moment(server: &Server, count: usize) {
    let mut client = server.client();
    let (mut kept, mut added, mut both) = (0, 0, 0);
    for from in (0..count).step_by(10_000) {
        let bytes: Vec<u8> = (from..from + 10_000)
            .flat_map(|n| {
                let key = format!("key:{n}");
                [request(&["GET", &key]), request(&["EXISTS", &format!("added:{n}")])].concat()
            })
            .collect();
        client.send(&bytes);
        for n in from..from + 10_000 {
            let (old, new) = (show(&client.read()), show(&client.read()) == ":1");
            match (old == format!("value:{n}"), new) {
                (true, false) => kept += 1,
                (false, true) if old == "(null)" => added += 1,
                _ => both += 1,
            }
        }
    }
    assert!(both <= 1, "{both} pairs are of two moments ({kept} before, {added} after)");
    assert!(kept > 0, "the writer had changed everything before the save began");
    assert!(added >= 400, "what was answered before the save began is not in it: {added}");
}

#[test]
fn a_second_save_is_refused_while_one_runs() {
    let server = Server::start();
    let mut client = server.client();
    fill(&mut client, 100_000, 100);
    let bytes = requests(["BGSAVE", "BGSAVE", "SAVE", "BGSAVE SCHEDULE"]);
    client.send(&bytes);
    let replies: Vec<String> = (0..4).map(|_| show(&client.read())).collect();
    let busy = "-ERR Background save already in progress";
    let scheduled = "+Background saving scheduled";
    assert_eq!(replies, ["+Background saving started", busy, busy, scheduled]);
    until("both saves end", || (client.info("rdb_saves") == "2").then_some(()));
}

#[test]
fn save_answers_in_its_place_while_others_go_on() {
    let server = Server::start();
    let mut client = server.client();
    fill(&mut client, 100_000, 100);
    client.send(&requests(["INCR n", "SAVE", "INCR n", "PING", "INCR n"]));
    let mut other = server.client();
    assert_eq!(other.line("PING"), "+PONG");
    let replies: Vec<String> = (0..5).map(|_| show(&client.read())).collect();
    assert_eq!(replies, [":1", "+OK", ":2", "+PONG", ":3"]);
    let server = Server::of(Program::Holdfast, server.into_home(), &["--save", ""]);
    assert_eq!(server.client().line("GET n"), "1");
}

#[test]
fn a_client_that_leaves_while_its_save_runs_leaves_no_reply_behind() {
    let server = Server::start();
    let mut witness = server.client();
    fill(&mut witness, 300_000, 100);
    until("a client leaves before its save ends", || {
        let mut gone = server.client();
        gone.send(&requests(["SAVE"]));
        until("the save runs", || (witness.info("rdb_bgsave_in_progress") == "1").then_some(()));
        drop(gone);
        until("it has left", || (witness.info("connected_clients") == "1").then_some(()));
        // One of these has the number of the one that left.
        let mut others: Vec<Client> = (0..4).map(|_| server.client()).collect();
        others.iter_mut().for_each(|client| assert_eq!(client.line("ECHO first"), "first"));
        let in_time = witness.info("rdb_bgsave_in_progress") == "1";
        settle(&mut witness);
        others.iter_mut().for_each(|client| assert_eq!(client.line("ECHO second"), "second"));
        drop(others);
        until("they have left", || (witness.info("connected_clients") == "1").then_some(()));
        in_time.then_some(())
    });
}

#[test]
fn the_end_saves_when_there_are_save_points() {
    let server = Server::with(&["--save", "3600 1"]);
    fill(&mut server.client(), 50_000, 10);
    let (status, home) = server.end(Signal::TERM);
    assert_eq!(status.code(), Some(0));
    let server = Server::of(Program::Holdfast, home, &["--save", ""]);
    assert_eq!(server.client().line("DBSIZE"), ":50000");
    assert_eq!(server.client().line("SET more 1"), "+OK");
    let (status, home) = server.end(Signal::TERM);
    assert_eq!(status.code(), Some(0));
    let mut server = Server::of(Program::Holdfast, home, &["--save", ""]);
    let mut client = server.client();
    assert_eq!(client.line("EXISTS more"), ":0");
    assert_eq!(client.line("SET more 1"), "+OK");
    client.send(&request(&["SHUTDOWN", "SAVE"]));
    assert_eq!(client.rest(), "");
    assert_eq!(server.process().wait().code(), Some(0));
    let server = Server::of(Program::Holdfast, server.into_home(), &["--save", "3600 1"]);
    let mut client = server.client();
    assert_eq!(client.line("DEL more"), ":1");
    client.send(&request(&["SHUTDOWN", "NOSAVE"]));
    assert_eq!(client.rest(), "");
    let server = Server::of(Program::Holdfast, server.into_home(), &["--save", ""]);
    assert_eq!(server.client().line("EXISTS more"), ":1");
}

#[test]
fn the_end_saves_the_last_write_though_an_earlier_save_runs() {
    let server = Server::with(&["--save", "3600 1"]);
    let mut client = server.client();
    fill(&mut client, 200_000, 50);
    client.send(&requests(["BGSAVE", "SET key:1 last", "SET key:2 last"]));
    assert_eq!(show(&client.read()), "+Background saving started");
    (0..2).for_each(|_| assert_eq!(show(&client.read()), "+OK"));
    let (status, home) = server.end(Signal::TERM);
    assert_eq!(status.code(), Some(0));
    let names: Vec<_> = fs::read_dir(home.data()).expect("a folder").collect();
    assert_eq!(names.len(), 1, "{names:?}");
    let server = Server::of(Program::Holdfast, home, &["--save", ""]);
    assert_eq!(server.client().line("GET key:2"), "last");
    assert_eq!(server.client().line("DBSIZE"), ":200000");
}

#[test]
fn an_end_while_loading_leaves_the_file() {
    let server = Server::start();
    fill(&mut server.client(), 1_000_000, 0);
    assert_eq!(server.client().line("SAVE"), "+OK");
    let mut home = server.into_home();
    until("an end comes while the file is loaded", || {
        let before = fs::read(home.file("dump.rdb")).expect("a file");
        let printed = home.printed().len();
        let folder = std::mem::replace(&mut home, Home::new());
        let server = Server::listening(Program::Holdfast, folder, &["--save", "1 1"]);
        let (status, folder) = server.end(Signal::TERM);
        home = folder;
        assert_eq!(status.code(), Some(0));
        let in_time = !home.printed()[printed..].contains("DB loaded from disk");
        let same = fs::read(home.file("dump.rdb")).expect("a file") == before;
        in_time.then(|| assert!(same, "the file was written before it was read"))
    });
}

#[test]
fn a_save_point_saves_by_itself() {
    let server = Server::with(&["--save", "1 10"]);
    let mut client = server.client();
    fill(&mut client, 9, 0);
    assert_eq!(client.info("rdb_changes_since_last_save"), "9");
    assert_eq!(client.line("SET tenth 1"), "+OK");
    until("it is saved", || (client.info("rdb_saves") == "1").then_some(()));
    assert_eq!(client.info("rdb_changes_since_last_save"), "0");
    let server = Server::of(Program::Holdfast, server.into_home(), &["--save", ""]);
    assert_eq!(server.client().line("DBSIZE"), ":10");
}

#[test]
fn a_kill_while_saving_leaves_the_old_file() {
    let server = Server::start();
    let mut client = server.client();
    assert_eq!(client.line("SET a old"), "+OK");
    assert_eq!(client.line("SAVE"), "+OK");
    let before = fs::read(server.home.file("dump.rdb")).expect("a file");
    fill(&mut client, 300_000, 100);
    assert_eq!(client.line("BGSAVE"), "+Background saving started");
    until("the temporary file grows", || {
        let entries = fs::read_dir(server.home.data()).expect("a folder");
        let temporary = |entry: &fs::DirEntry| entry.file_name() != "dump.rdb";
        let entry = entries.flatten().find(temporary)?;
        entry.metadata().is_ok_and(|data| data.len() > 100_000).then_some(())
    });
    let (status, home) = server.end(Signal::KILL);
    assert_eq!(status.code(), None);
    assert_eq!(fs::read(home.file("dump.rdb")).expect("a file"), before);
    let server = Server::of(Program::Holdfast, home, &["--save", ""]);
    assert_eq!(server.client().line("GET a"), "old");
    assert_eq!(server.client().line("DBSIZE"), ":1");
}

#[test]
fn commands_wait_until_a_large_file_is_loaded() {
    let server = Server::start();
    fill(&mut server.client(), 1_000_000, 50);
    assert_eq!(server.client().line("SAVE"), "+OK");
    let arguments = ["--save", ""];
    let server = Server::listening(Program::Holdfast, server.into_home(), &arguments);
    let mut client = server.client();
    let loading = "-LOADING Redis is loading the dataset in memory";
    assert_eq!(client.line("GET key:1"), loading);
    assert_eq!(client.line("PING"), loading);
    assert_eq!(client.info("loading"), "1");
    until("the data is loaded", || (client.info("loading") == "0").then_some(()));
    assert_eq!(client.line("DBSIZE"), ":1000000");
    assert_eq!(client.info("rdb_last_load_keys_loaded"), "1000000");
    assert!(client.line("GET key:999999").starts_with("value:999999xxx"));
}

#[test]
fn a_save_takes_the_time_that_rdb_key_save_delay_asks_for() {
    let server = Server::start();
    let mut client = server.client();
    fill(&mut client, 20, 0);
    assert_eq!(client.line("CONFIG SET rdb-key-save-delay 100000000"), "+OK");
    assert_eq!(client.line("BGSAVE"), "+Background saving started");
    until("the first keys are taken", || {
        (client.info("current_save_keys_processed") != "0").then_some(())
    });
    // Twenty keys take half an hour: it has not ended, and has not taken all.
    assert_eq!(client.info("rdb_bgsave_in_progress"), "1");
    assert_eq!(client.info("current_save_keys_total"), "20");
    assert_ne!(client.info("current_save_keys_processed"), "20");
    let overwritten = (0..20).map(|n| format!("SET key:{n} {}", "y".repeat(5000)));
    overwritten.for_each(|line| assert_eq!(client.line(&line), "+OK"));
    assert_ne!(client.info("current_cow_size"), "0");
    assert_eq!(client.info("rdb_bgsave_in_progress"), "1");
    assert_eq!(client.line("CONFIG SET rdb-key-save-delay 0"), "+OK");
    settle(&mut client);
    assert_eq!(client.info("rdb_last_bgsave_status"), "ok");
    assert_ne!(client.info("rdb_last_cow_size"), "0");
    let server = Server::of(Program::Holdfast, server.into_home(), &["--save", ""]);
    assert_eq!(server.client().line("GET key:7"), "value:7");
}
