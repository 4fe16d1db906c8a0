//! Files that are damaged or cannot be written.

use crate::client::request;
use crate::server::{Home, Program, Server, free_port, until};
use std::fs;
use std::os::unix::ffi::OsStrExt;

const MISCONF: &str = "-MISCONF Redis is configured to save RDB snapshots, but it's currently \
    unable to persist to disk. Commands that may modify the data set are disabled, because this \
    instance is configured to report errors during writes if RDB snapshotting fails \
    (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB \
    error.";

/// A folder with a saved file of some size.
fn saved() -> Home {
    let server = Server::start();
    let mut client = server.client();
    for n in 0..2000 {
        assert_eq!(client.call(&["SET", &format!("key:{n}"), &"v".repeat(n % 100)]), "+OK");
    }
    assert_eq!(client.line("SAVE"), "+OK");
    server.into_home()
}

/// Starts a server with a damaged file: it must say so, end and leave the file as it is.
fn assert_refused(home: &Home, bytes: &[u8], what: &str) {
    fs::write(home.file("dump.rdb"), bytes).expect("a file");
    let before = home.printed().len();
    let mut command = Program::Holdfast.command();
    command.args(["--port", &free_port().to_string(), "--dir"]).arg(home.data());
    let mut process = home.spawn(command);
    let status = process.wait();
    let printed = home.printed()[before..].to_owned();
    assert_eq!(status.code(), Some(1), "{what}:\n{printed}");
    assert!(printed.contains("Fatal error loading the DB from 'dump.rdb': "), "{what}:\n{printed}");
    assert!(printed.contains("Nothing was changed."), "{what}:\n{printed}");
    assert_eq!(fs::read(home.file("dump.rdb")).expect("a file"), bytes, "{what}");
}

#[test]
fn a_damaged_file_is_neither_loaded_nor_touched() {
    let home = saved();
    let whole = fs::read(home.file("dump.rdb")).expect("a file");
    for (what, bytes) in [
        ("empty", Vec::new()),
        ("one byte", whole[..1].to_vec()),
        ("only the header", whole[..9].to_vec()),
        ("half", whole[..whole.len() / 2].to_vec()),
        ("without its last byte", whole[..whole.len() - 1].to_vec()),
        ("without its checksum", whole[..whole.len() - 8].to_vec()),
        ("something else", b"This is not a snapshot, but a letter.".to_vec()),
        ("a later version", [b"REDIS9999", &whole[9..]].concat()),
    ] {
        assert_refused(&home, &bytes, what);
    }
    for at in [0, 8, 20, whole.len() / 3, whole.len() / 2, whole.len() - 9, whole.len() - 1] {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        assert_refused(&home, &bytes, &format!("a bit of byte {at} of {}", whole.len()));
    }
    fs::write(home.file("dump.rdb"), &whole).expect("a file");
    let server = Server::of(Program::Holdfast, home, &["--save", ""]);
    assert_eq!(server.client().line("DBSIZE"), ":2000");
}

#[test]
fn a_full_disk_stops_writes_and_reads_go_on() {
    // 128 blocks are 64 KiB.
    let arguments = ["--save", "3600 1", "--rdbcompression", "no"];
    let server = Server::of(Program::SmallFiles(128), Home::new(), &arguments);
    let mut client = server.client();
    assert_eq!(client.line("SET a 1"), "+OK");
    assert_eq!(client.line("SAVE"), "+OK");
    let before = fs::read(server.home.file("dump.rdb")).expect("a file");
    assert_eq!(client.call(&["SET", "large", &"x".repeat(1 << 20)]), "+OK");
    assert_eq!(client.line("BGSAVE"), "+Background saving started");
    until("the save fails", || (client.info("rdb_last_bgsave_status") == "err").then_some(()));
    assert_eq!(client.line("SET a 2"), MISCONF);
    assert_eq!(client.line("DEL a"), MISCONF);
    assert_eq!(client.line("GET a"), "1");
    assert_eq!(client.line("SAVE"), "-ERR");
    assert_eq!(client.line("CONFIG SET stop-writes-on-bgsave-error no"), "+OK");
    assert_eq!(client.line("SET a 3"), "+OK");
    assert_eq!(client.line("CONFIG SET stop-writes-on-bgsave-error yes"), "+OK");
    assert_eq!(client.line("SET a 4"), MISCONF);
    // Without save points nobody relies on saving.
    assert_eq!(client.call(&["CONFIG", "SET", "save", ""]), "+OK");
    assert_eq!(client.line("SET a 5"), "+OK");
    assert_eq!(client.call(&["CONFIG", "SET", "save", "3600 1"]), "+OK");
    assert_eq!(client.line("SET a 6"), MISCONF);
    assert_eq!(fs::read(server.home.file("dump.rdb")).expect("a file"), before);
    until("the failed save leaves no file behind", || {
        let entries = fs::read_dir(server.home.data()).expect("a folder").flatten();
        // The lock stands beside the data.
        let data = entries.filter(|entry| !entry.file_name().as_bytes().starts_with(b"."));
        (data.count() == 1).then_some(())
    });
    assert!(server.home.printed().contains("Background saving error: "));

    // What cannot be saved does not end by a polite request either.
    client.send(&request(&["SHUTDOWN"]));
    let error = "-ERR Errors trying to SHUTDOWN. Check logs.";
    assert_eq!(client.rest_or_reply(), error);
    assert_eq!(client.line("GET a"), "5");

    // With room again, a save that succeeds opens the way.
    assert_eq!(client.line("CONFIG SET stop-writes-on-bgsave-error no"), "+OK");
    assert_eq!(client.line("DEL large"), ":1");
    assert_eq!(client.line("CONFIG SET stop-writes-on-bgsave-error yes"), "+OK");
    assert_eq!(client.line("SAVE"), "+OK");
    assert_eq!(client.line("SET a 7"), "+OK");
}
