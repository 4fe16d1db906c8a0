//! Keys and values, in all the ways requests are written.

use crate::client::{request, requests, show};
use crate::server::Server;
use wire::value::Value;

#[test]
fn keys_are_set_read_counted_and_deleted() {
    let server = Server::start();
    let mut client = server.client();
    for (line, reply) in [
        ("PING", "+PONG"),
        ("PING hello", "hello"),
        ("ECHO hello", "hello"),
        ("GET a", "(null)"),
        ("SET a 1", "+OK"),
        ("get a", "1"),
        ("INCR a", ":2"),
        ("INCR new", ":1"),
        ("SET text abc", "+OK"),
        ("INCR text", "-ERR value is not an integer or out of range"),
        ("SET most 9223372036854775807", "+OK"),
        ("INCR most", "-ERR increment or decrement would overflow"),
        ("GET most", "9223372036854775807"),
        ("EXISTS a a none text", ":3"),
        ("DBSIZE", ":4"),
        ("DEL a a none", ":1"),
        ("GET a", "(null)"),
        ("FLUSHALL", "+OK"),
        ("DBSIZE", ":0"),
    ] {
        assert_eq!(client.line(line), reply, "{line}");
    }
    assert_eq!(client.call(&[&b"SET"[..], b"", b"\0\r\n\xff"]), "+OK");
    assert_eq!(client.ask(&["GET", ""]), Value::Bulk(b"\0\r\n\xff".to_vec()));
    assert_eq!(client.call(&["SET", "none", ""]), "+OK");
    assert_eq!(client.ask(&["GET", "none"]), Value::Bulk(Vec::new()));
}

#[test]
fn set_has_its_options_and_refuses_those_that_contradict() {
    let server = Server::start();
    let mut client = server.client();
    let syntax = "-ERR syntax error";
    let invalid = "-ERR invalid expire time in 'set' command";
    let number = "-ERR value is not an integer or out of range";
    for (line, reply) in [
        ("SET k v XX", "(null)"),
        ("SET k v NX", "+OK"),
        ("SET k w nx", "(null)"),
        ("SET k w XX", "+OK"),
        ("SET k x GET", "w"),
        ("SET none x GET", "(null)"),
        ("SET none y NX GET", "x"),
        ("GET none", "x"),
        ("SET k v NX XX", syntax),
        ("SET k v EX", syntax),
        ("SET k v BOGUS", syntax),
        ("SET k v EX 10 PX 10", syntax),
        ("SET k v EX 10 KEEPTTL", syntax),
        ("SET k v EX 0", invalid),
        ("SET k v PX -1", invalid),
        ("SET k v EX 9223372036854775807", invalid),
        ("SET k v EX ten", number),
        ("GET k", "x"),
        ("SET k v EX 1000", "+OK"),
        ("SET k w KEEPTTL", "+OK"),
        ("SET gone v PXAT 1", "+OK"),
        ("EXISTS gone", ":0"),
        ("SET later v EXAT 99999999999", "+OK"),
        ("GET later", "v"),
        ("SET k", "-ERR wrong number of arguments for 'set' command"),
    ] {
        assert_eq!(client.line(line), reply, "{line}");
    }
    assert!(client.call(&["INFO", "keyspace"]).contains("db0:keys=3,expires=2,"));
    // The time to live ends in real time: what is set for a millisecond is soon gone.
    assert_eq!(client.line("SET short v PX 1"), "+OK");
    crate::server::until("a key expires", || (client.line("GET short") == "(null)").then_some(()));
}

#[test]
fn ten_thousand_requests_in_one_write_are_answered_in_order() {
    let server = Server::start();
    let mut client = server.client();
    let many: Vec<u8> = (0..10_000)
        .flat_map(|n| {
            let key = format!("key:{n}");
            [request(&["SET", &key, &n.to_string()]), request(&["GET", &key])].concat()
        })
        .collect();
    client.send(&many);
    for n in 0..10_000 {
        assert_eq!(show(&client.read()), "+OK");
        assert_eq!(show(&client.read()), n.to_string());
    }
    assert_eq!(client.line("DBSIZE"), ":10000");
}

#[test]
fn requests_cut_at_every_byte_are_the_same_requests() {
    let server = Server::start();
    let bytes = requests(["SET a 1", "INCR a", "GET a", "DEL a"]);
    let mut client = server.client();
    for cut in 1..bytes.len() {
        client.send(&bytes[..cut]);
        // A reply from another connection shows that the first piece has been read by then.
        assert_eq!(server.client().line("PING"), "+PONG");
        client.send(&bytes[cut..]);
        let replies: Vec<String> = (0..4).map(|_| show(&client.read())).collect();
        assert_eq!(replies, ["+OK", ":2", "2", ":1"], "cut at {cut}");
    }
}

#[test]
fn inline_requests_are_lines() {
    let server = Server::start();
    let mut client = server.client();
    client.send(
        b"\r\n\n  \r\nPING\r\nset  'a b'\t\"\\x41\\n\\\"\"\nGET 'a b'\r\n*0\r\n*-1\r\nDBSIZE\n",
    );
    let replies: Vec<String> = (0..4).map(|_| show(&client.read())).collect();
    assert_eq!(replies, ["+PONG", "+OK", "A\n\"", ":1"]);
    client.send(&[&b"ECHO x\r\n"[..], &request(&["PING"]), b"ECHO y\r\n"].concat());
    let replies: Vec<String> = (0..3).map(|_| show(&client.read())).collect();
    assert_eq!(replies, ["x", "+PONG", "y"]);
}

#[test]
fn databases_are_apart() {
    let server = Server::start();
    let mut client = server.client();
    for (line, reply) in [
        ("SET a 0", "+OK"),
        ("SELECT 9", "+OK"),
        ("GET a", "(null)"),
        ("SET a 9", "+OK"),
        ("SELECT 16", "-ERR DB index is out of range"),
        ("SELECT -1", "-ERR DB index is out of range"),
        ("SELECT x", "-ERR value is not an integer or out of range"),
        ("GET a", "9"),
        ("SET b 9", "+OK"),
        ("DBSIZE", ":2"),
        ("FLUSHDB", "+OK"),
        ("DBSIZE", ":0"),
        ("SELECT 0", "+OK"),
        ("GET a", "0"),
        ("FLUSHDB SOON", "-ERR syntax error"),
        ("FLUSHALL ASYNC", "+OK"),
        ("DBSIZE", ":0"),
    ] {
        assert_eq!(client.line(line), reply, "{line}");
    }
}
