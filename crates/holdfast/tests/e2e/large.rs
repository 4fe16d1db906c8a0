//! Values of many sizes, and clients that are slow to send or to read.

use crate::client::{Client, request, requests, show};
use crate::server::{Server, until};
use std::io::{ErrorKind, Read, Write};
use std::time::Duration;
use wire::value::Value;

/// Bytes without a pattern that a wrong offset would keep.
fn value(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

fn assert_holds(client: &mut Client, key: &str, expected: &[u8]) {
    let Value::Bulk(got) = client.ask(&["GET", key]) else { panic!("{key} is missing") };
    assert!(got == expected, "{key} has other bytes: {} of {}", got.len(), expected.len());
}

#[test]
fn values_of_all_sizes_come_back_as_they_were() {
    let server = Server::start();
    let mut client = server.client();
    for len in [0, 1, 4095, 32 * 1024 - 1, 32 * 1024, 40 * 1024, 1 << 20, 64 << 20] {
        let value = value(len, len as u64);
        assert_eq!(client.call(&[&b"SET"[..], b"k", &value]), "+OK");
        assert_holds(&mut client, "k", &value);
    }
    assert_eq!(client.line("SET k short"), "+OK");
    assert_eq!(client.line("GET k"), "short");
}

#[test]
fn large_values_may_come_in_pieces() {
    let server = Server::start();
    let mut other = server.client();
    let mut client = server.client();
    let value = value(1 << 20, 7);
    let bytes = [request(&[&b"SET"[..], b"k", &value]), request(&["GET", "k"])].concat();
    // Cut within the header, at its end, within the body and within the end of line after it.
    let header = bytes.len() - value.len() - 2 - request(&["GET", "k"]).len();
    let end = header + value.len();
    let mut from = 0;
    for cut in [5, header - 1, header, header + 1, header + 40_000, end - 1, end, end + 1, end + 3]
    {
        client.send(&bytes[from..cut]);
        from = cut;
        assert_eq!(other.line("PING"), "+PONG");
    }
    client.send(&bytes[from..]);
    assert_eq!(show(&client.read()), "+OK");
    let Value::Bulk(got) = client.read() else { panic!("a value") };
    assert!(got == value);
}

#[test]
fn large_and_small_requests_share_a_pipeline() {
    let server = Server::start();
    let mut client = server.client();
    let values: Vec<Vec<u8>> = (0..20).map(|n| value(20_000 * n + 1, n as u64)).collect();
    let mut bytes = Vec::new();
    for (n, value) in values.iter().enumerate() {
        bytes.extend(requests(["INCR n", "PING"]));
        bytes.extend(request(&[&b"SET"[..], format!("k{n}").as_bytes(), value]));
        bytes.extend(b"INCR n\r\n");
    }
    // The replies fit the socket's buffer, so one write without reading cannot block.
    client.send(&bytes);
    for n in 0..values.len() {
        let replies: Vec<String> = (0..4).map(|_| show(&client.read())).collect();
        let [one, two] = [2 * n + 1, 2 * n + 2].map(|n| format!(":{n}"));
        assert_eq!(replies, [&one, "+PONG", "+OK", &two]);
    }
    for (n, value) in values.iter().enumerate() {
        assert_holds(&mut client, &format!("k{n}"), value);
    }
}

#[test]
fn a_slow_reader_gets_the_value_as_it_was_when_asked_for() {
    let server = Server::start();
    let mut client = server.client();
    let value = value(64 << 20, 3);
    assert_eq!(client.call(&[&b"SET"[..], b"k", &value]), "+OK");
    client.send(&request(&["GET", "k"]));
    let mut got = vec![0; value.len() + 13];
    let mut other = server.client();
    let mut at = 0;
    for piece in [1, 10, 1000, 100_000, 1 << 20] {
        client.stream.read_exact(&mut got[at..at + piece]).expect("a part of the reply");
        at += piece;
        assert!(other.ping() < Duration::from_secs(5));
    }
    assert_eq!(other.line("SET k new"), "+OK");
    assert_eq!(other.line("DEL k"), ":1");
    client.stream.read_exact(&mut got[at..]).expect("the rest of the reply");
    assert!(got.starts_with(b"$67108864\r\n") && got.ends_with(b"\r\n"));
    assert!(got[11..got.len() - 2] == value);
}

#[test]
fn a_client_that_never_reads_does_no_harm() {
    let server = Server::start();
    let mut other = server.client();
    assert_eq!(other.call(&[&b"SET"[..], b"k", &value(1 << 20, 5)]), "+OK");
    let before = server.resident();
    let deaf = server.client();
    let get = request(&["GET", "k"]);
    let mut stream = &deaf.stream;
    stream.set_nonblocking(true).expect("an option");
    // Eight gigabytes of replies, if the server took every request.
    let mut sent = 0;
    while sent < 8192 {
        match stream.write(&get) {
            Ok(len) if len == get.len() => sent += 1,
            Ok(_) => break,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
            Err(error) => panic!("{error}"),
        }
    }
    for _ in 0..100 {
        assert!(other.ping() < Duration::from_secs(1));
        assert_eq!(other.line("SET a 1"), "+OK");
    }
    let grown = server.resident().saturating_sub(before);
    assert!(grown < 256 << 20, "{grown} bytes more after {sent} requests of a deaf client");
    drop(deaf);
    until("the deaf client is gone", || (other.info("connected_clients") == "1").then_some(()));
}
