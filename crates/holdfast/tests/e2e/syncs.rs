//! All ways that a snapshot can take, between servers of either kind.

use crate::replication::{PAIRS, assert_equal, count, follow, linked, start, under_writes};
use crate::server::{Home, Program, Server, until};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Command;

#[test]
fn every_way_out_and_every_way_in() {
    for (of_primary, of_replica) in PAIRS {
        for straight in ["yes", "no"] {
            let primary = start(of_primary, &["--repl-diskless-sync", straight]);
            for load in ["disabled", "on-empty-db", "swapdb"] {
                let replica = start(of_replica, &["--repl-diskless-load", load]);
                assert_eq!(replica.client().line("SET own 1"), "+OK");
                under_writes(&primary, || {
                    follow(&replica, primary.port);
                    linked(&replica);
                });
                assert_equal(&replica, &primary);
                assert_eq!(replica.client().line("GET own"), "(null)");
            }
            let (full, partial) =
                (count(&primary, "sync_full"), count(&primary, "sync_partial_ok"));
            assert_eq!((full, partial), (3, 0), "{of_primary:?} {of_replica:?} {straight}");
        }
    }
}

/// A connection that has said SYNC, and the snapshot it got.
fn sync(port: u16) -> (BufReader<TcpStream>, Vec<u8>) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
    stream.set_read_timeout(Some(crate::server::PATIENCE)).expect("a timeout");
    stream.write_all(b"SYNC\r\n").expect("a request");
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    while line.trim().is_empty() {
        line.clear();
        reader.read_line(&mut line).expect("a line");
    }
    let len = line.trim().strip_prefix('$').and_then(|len| len.parse::<usize>().ok());
    let mut snapshot = vec![0; len.unwrap_or_else(|| panic!("no length: {line}"))];
    reader.read_exact(&mut snapshot).expect("a snapshot");
    (reader, snapshot)
}

#[test]
fn who_says_sync_gets_a_snapshot_with_its_length_and_then_the_stream() {
    let server = Server::start();
    let mut client = server.client();
    assert_eq!(client.line("SET before 1"), "+OK");
    let (mut reader, snapshot) = sync(server.port);
    assert!(snapshot.starts_with(b"REDIS0010"));
    assert!(snapshot.windows(6).any(|window| window == b"before"));
    assert_eq!(client.line("FLUSHALL"), "+OK");
    assert_eq!(client.line("FLUSHALL"), "+OK");
    assert_eq!(client.line("FLUSHDB"), "+OK");
    let mut stream = String::new();
    while !stream.contains("FLUSHDB") {
        reader.read_line(&mut stream).expect("a line");
    }
    assert_eq!(stream.matches("FLUSHALL").count(), 2, "{stream}");
    assert!(stream.starts_with("*2\r\n$6\r\nSELECT"), "{stream}");
    assert!(client.info("slave0").contains("state=online"));
    // What it says now would be answered into the stream.
    reader.get_mut().write_all(b"PING\r\n").expect("a request");
    let mut rest = Vec::new();
    let _ = reader.read_to_end(&mut rest);
    assert!(!rest.windows(4).any(|window| window == b"PONG"));
    until("it is gone", || (client.info("connected_slaves") == "0").then_some(()));
    let printed = server.home.printed();
    assert!(printed.contains("Replica generated a reply to command 'ping', disconnecting it: "));
}

#[test]
fn a_tool_fetches_a_file_that_redis_loads() {
    let server = Server::start();
    let mut client = server.client();
    for n in 0..1000 {
        assert_eq!(client.line(&format!("SET key:{n} {n}")), "+OK");
    }
    let home = Home::new();
    let port = server.port.to_string();
    let file = home.file("dump.rdb");
    let output = Command::new("redis-cli").args(["-p", &port, "--rdb"]).arg(&file).output();
    let output = output.expect("redis-cli");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    until("it is gone", || (client.info("connected_slaves") == "0").then_some(()));
    let redis = Server::of(Program::Redis, home, &["--save", ""]);
    assert_eq!(redis.client().line("DBSIZE"), ":1000");
    assert_eq!(redis.client().line("GET key:77"), "77");
}

#[test]
fn who_has_replies_to_come_gets_no_snapshot_among_them() {
    let answers = |program: Program| {
        let server = Server::of(program, Home::new(), &["--save", ""]);
        let answer = |request: &[u8]| {
            let mut client = server.client();
            client.send(request);
            client.finish();
            client.rest()
        };
        [&b"PING\r\nPSYNC ? -1\r\n"[..], b"PING\r\nSYNC\r\n", b"REPLCONF x\r\nPSYNC ? -1\r\n"]
            .map(answer)
    };
    let ours = answers(Program::Holdfast);
    assert!(ours[0].ends_with(r"-ERR SYNC and PSYNC are invalid with pending output\r\n"));
    assert_eq!(ours, answers(Program::Redis));
}

#[test]
fn the_heartbeat_is_that_of_redis_byte_for_byte() {
    for program in [Program::Holdfast, Program::Redis] {
        let period = ["--save", "", "--repl-ping-replica-period", "1"];
        let server = Server::of(program, Home::new(), &period);
        let (mut reader, _) = sync(server.port);
        let mut heartbeat = [0; 14];
        reader.read_exact(&mut heartbeat).expect("a heartbeat");
        assert_eq!(&heartbeat, b"*1\r\n$4\r\nping\r\n", "{program:?}");
    }
}

#[test]
fn who_wants_no_keys_gets_none() {
    for program in [Program::Holdfast, Program::Redis] {
        let server = Server::of(program, Home::new(), &["--save", ""]);
        let mut client = server.client();
        for n in 0..1000 {
            assert_eq!(client.line(&format!("SET key:{n} {n}")), "+OK");
        }
        let home = Home::new();
        let port = server.port.to_string();
        let file = home.file("dump.rdb");
        let output =
            Command::new("redis-cli").args(["-p", &port, "--functions-rdb"]).arg(&file).output();
        let output = output.expect("redis-cli");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let snapshot = std::fs::read(file).expect("a file");
        assert!(snapshot.starts_with(b"REDIS0010"));
        assert!(!snapshot.windows(4).any(|window| window == b"key:"), "{program:?}");
        let redis = Server::of(Program::Redis, home, &["--save", ""]);
        assert_eq!(redis.client().line("DBSIZE"), ":0");
        for (words, reply) in [
            ("REPLCONF rdb-filter-only functions", "+OK"),
            ("REPLCONF rdb-filter-only keys", "-ERR Unsupported rdb-filter-only option: keys"),
            ("PSYNC ? -1", "-ERR Filtered replica requires EOF capability"),
            ("REPLCONF rdb-only 2", "-ERR value is out of range, value must between 0 and 1"),
            ("REPLCONF rdb-only x", "-ERR value is not an integer or out of range"),
            ("REPLCONF colour red", "-ERR Unrecognized REPLCONF option: colour"),
        ] {
            assert_eq!(client.line(words), reply, "{program:?}");
        }
        let long = format!("REPLCONF ip-address {}", "a".repeat(300));
        let reply = "-ERR REPLCONF ip-address provided by replica instance is too long: 300 bytes";
        assert_eq!(client.line(&long), reply, "{program:?}");
    }
}

#[test]
fn the_stream_alone_follows_a_snapshot_without_keys() {
    let server = Server::start();
    let mut client = server.client();
    assert_eq!(client.line("SET before 1"), "+OK");
    let mut stream = TcpStream::connect(("127.0.0.1", server.port)).expect("a connection");
    stream.set_read_timeout(Some(crate::server::PATIENCE)).expect("a timeout");
    let mut seen = Vec::new();
    let mut read_until = |stream: &mut TcpStream, done: &dyn Fn(&str) -> bool| loop {
        let text = String::from_utf8_lossy(&seen).into_owned();
        if done(&text) {
            return text;
        }
        let mut part = [0; 4096];
        let got = stream.read(&mut part).expect("more");
        assert!(got > 0, "{text}");
        seen.extend_from_slice(&part[..got]);
    };
    let said = b"REPLCONF capa eof rdb-filter-only functions\r\n";
    stream.write_all(said).expect("a request");
    read_until(&mut stream, &|text| text.ends_with("+OK\r\n"));
    stream.write_all(b"PSYNC ? -1\r\n").expect("a request");
    read_until(&mut stream, &|text| {
        let mark = text.split_once("$EOF:").and_then(|(_, rest)| rest.get(..40));
        mark.is_some_and(|mark| text.matches(mark).count() == 2)
    });
    assert_eq!(client.line("SET after 1"), "+OK");
    stream.write_all(b"REPLCONF ACK 0\r\n").expect("a request");
    let text = read_until(&mut stream, &|text| text.ends_with("after\r\n$1\r\n1\r\n"));
    assert!(!text.contains("before") && text.contains("REDIS0010"), "{text}");
    assert!(text.contains("*2\r\n$6\r\nSELECT"), "{text}");
    assert_eq!(count(&server, "sync_full"), 1);
}
