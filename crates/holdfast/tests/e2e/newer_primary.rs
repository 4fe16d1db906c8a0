//! What a primary newer than Redis 7.0 sends, played by a primary made of its words alone.

use crate::client::{request, show};
use crate::server::{Server, until};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

const ID: &str = "0123456789abcdef0123456789abcdef01234567";

/// An empty snapshot in Valkey 9's version.
const SNAPSHOT: &[u8] = b"VALKEY080\xff\0\0\0\0\0\0\0\0";

/// Answers one replica and then says its stream.
fn speak(mut stream: &TcpStream, said: &[u8]) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    while reader.read_line(&mut line)? > 0 {
        match line.trim_end().to_ascii_lowercase().as_str() {
            "ping" => stream.write_all(b"+PONG\r\n")?,
            "replconf" => stream.write_all(b"+OK\r\n")?,
            "psync" => {
                let header = format!("+FULLRESYNC {ID} 0\r\n${}\r\n", SNAPSHOT.len());
                stream.write_all(&[header.as_bytes(), SNAPSHOT, said].concat())?;
                // It is told how far the replica is, and does not answer.
                std::io::copy(&mut reader, &mut std::io::sink())?;
            }
            _ => {}
        }
        line.clear();
    }
    Ok(())
}

#[test]
fn its_stream_is_applied() {
    let mut said: Vec<u8> = [
        "SELECT 0",
        "SET a 1",
        "SET a 2 IFEQ 1",
        "SET b 1 PXAT 99999999999999",
        "SET b 2 KEEPTTL IFEQ 1",
        "MSETEX 2 m1 1 m2 2 PXAT 99999999999999",
        "MSETEX 2 m2 3 n1 3 KEEPTTL",
        "MSETEX 1 n2 4 NX",
        "PUBLISH channel a",
        "SPUBLISH channel a",
        "FUNCTION FLUSH",
        "SCRIPT FLUSH",
        "MULTI",
        "SET c 5 IFEQ 4",
        "PUBLISH channel a",
        "EXEC",
    ]
    .iter()
    .flat_map(|line| request(&line.split(' ').collect::<Vec<_>>()))
    .collect();
    // As Valkey 9.1 dumps the string "2".
    let payload = b"\0\xc0\x02P\0@\x88y-f\x86\x19?";
    let restore: [&[u8]; 5] = [b"RESTORE", b"r", b"0", payload, b"ABSTTL"];
    said.extend(request(&restore));
    said.extend(request(&["SET", "last", "1"]));
    let end = said.len().to_string();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("its address").port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // The replica may leave at any time.
            let _ = speak(&stream, &said);
        }
    });
    let replica = Server::start();
    let mut client = replica.client();
    assert_eq!(client.line(&format!("REPLICAOF 127.0.0.1 {port}")), "+OK");
    until("all is applied", || (client.line("GET last") == "1").then_some(()));
    assert_eq!(client.info("slave_repl_offset"), end);
    let got = client.ask(&["MGET", "a", "b", "m1", "m2", "n1", "n2", "c", "r"]);
    assert_eq!(show(&got), "[2 2 1 3 3 4 5 2]");
    for (key, expires) in [("a", -1), ("b", 1), ("m1", 1), ("m2", 1), ("n1", -1), ("n2", -1)] {
        let at = client.integer(&format!("PEXPIRETIME {key}"));
        assert_eq!(at, if expires > 0 { 99_999_999_999_999 } else { -1 }, "{key}");
    }
    assert!(!replica.home.printed().contains("CRITICAL"), "{}", replica.home.printed());
}
