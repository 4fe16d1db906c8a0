//! MULTI, EXEC and WATCH: the same as at `redis-server`, command by command.

use crate::client::Client;
use crate::server::{Home, Program, Server, until};
use wire::value::Value;

/// Lines of `client request`, where a client is a letter, as `redis-server` answers them.
const SAME: &[&str] = &[
    // Queued, run, and in order.
    "a MULTI; a SET k 1; a INCR k; a GET k; b GET k; a EXEC; b GET k",
    "a MULTI; a EXEC; a EXEC; a DISCARD; a UNWATCH; a EXEC x; a MULTI x; a DISCARD x",
    "a MULTI; a MULTI; a SET k 2; a EXEC; a GET k",
    "a MULTI; a WATCH k; a SET k 3; a EXEC; a GET k",
    "a MULTI; a SET k 9; a DISCARD; a GET k; a EXEC",
    // Errors at queueing spoil it, errors at running do not.
    "a MULTI; a NOSUCH; a SET k 4; a EXEC; a GET k",
    "a MULTI; a SET k; a EXEC; a GET k",
    "a MULTI; a CONFIG NOSUCH; a EXEC; a EXEC",
    "a MULTI; a EXEC x; a EXEC",
    "a MULTI; a SET k word; a INCR k; a SET k 5; a EXEC; a GET k",
    "a MULTI; a NOSUCH; a DISCARD; a MULTI; a PING; a EXEC",
    "a MULTI; a SAVE; a EXEC",
    "a MULTI; a SHUTDOWN NOSAVE; a EXEC",
    "a MULTI; a PSYNC ? -1; a EXEC",
    "a MULTI; a SELECT 3; a SET k three; a SELECT 0; a EXEC; a GET k; a SELECT 3; a GET k; \
     a SELECT 0",
    "a MULTI; a SELECT 99; a PING; a EXEC",
    "a MULTI; a WAIT 3 0; a PING; a EXEC",
    "a MULTI; a CLIENT SETNAME me; a CLIENT GETNAME; a EXEC; a CLIENT GETNAME",
    "a MULTI; a AUTH x; a ECHO y; a UNWATCH; a EXEC",
    "a MULTI; a SET k 6; a RESET; a EXEC; a GET k",
    "a MULTI; a HELLO 3; a GET none; a EXEC; a GET none; a HELLO 2",
    "a HELLO 3; a WATCH k; b SET k 7; a MULTI; a GET k; a EXEC; a MULTI; a GET none; a EXEC; \
     a RESET",
    "a MULTI; a CONFIG SET nosuch 1; a CONFIG GET port; a EXEC",
    // WATCH.
    "a WATCH k; b SET k 8; a MULTI; a GET k; a EXEC; a MULTI; a GET k; a EXEC",
    "a WATCH k; a SET k 9; a MULTI; a GET k; a EXEC",
    "a WATCH k; b GET k; b SET other 1; a MULTI; a GET k; a EXEC",
    "a WATCH none; b DEL none; b EXISTS none; b SET none 1; a MULTI; a EXEC; b DEL none",
    "a WATCH none; b DEL none; a MULTI; a EXEC",
    "a WATCH k; b DEL k; a MULTI; a EXEC; b SET k 1",
    "a WATCH k; b SET k 1; a UNWATCH; a MULTI; a EXEC",
    "a WATCH k; b SET k 1; a MULTI; a DISCARD; a MULTI; a EXEC",
    "a WATCH k; b SETNX k 2; b GETSET other 1; b APPEND other x; a MULTI; a EXEC",
    "a WATCH k k k; b EXPIRE k 100; a MULTI; a EXEC",
    "a WATCH k; b PERSIST k; a MULTI; a EXEC",
    "a WATCH k; b PERSIST k; a MULTI; a EXEC",
    "a WATCH k; b TOUCH k; b OBJECT ENCODING k; b TTL k; a MULTI; a EXEC",
    "a WATCH k; b RENAME k n; a MULTI; a EXEC; a WATCH k; b RENAME n k; a MULTI; a EXEC",
    "a WATCH k; b COPY other k REPLACE; a MULTI; a EXEC",
    "a WATCH k; b SETRANGE k 0 z; a MULTI; a EXEC; a WATCH k; b INCR k; a MULTI; a EXEC",
    "a SET n 1; a WATCH n; b INCR n; a MULTI; a EXEC; a WATCH n; b APPEND n 2; a MULTI; a EXEC",
    "a WATCH n; b GETDEL n; a MULTI; a EXEC; a WATCH n; b GETDEL n; a MULTI; a EXEC",
    "b SELECT 1; a WATCH k; b SET k 1; a MULTI; a EXEC; b SELECT 0",
    "b SELECT 1; a WATCH k; b SET k 1; b MOVE k 0; a MULTI; a EXEC; b SELECT 0",
    "a WATCH k; a SELECT 1; a WATCH k; b SELECT 1; b SET k 2; b SELECT 0; a SELECT 0; a MULTI; \
     a EXEC",
    "a WATCH k; b FLUSHDB; a MULTI; a EXEC; a WATCH k; b FLUSHDB; a MULTI; a EXEC; b SET k 1",
    "a WATCH k; b FLUSHALL; a MULTI; a EXEC; a WATCH k; b FLUSHALL; a MULTI; a EXEC; b SET k 1",
    "a WATCH k; b SWAPDB 0 1; a MULTI; a EXEC; b SWAPDB 0 1; b EXISTS k",
    "a WATCH none; b SWAPDB 0 1; a MULTI; a EXEC; b SWAPDB 0 1",
    "a WATCH k; b SWAPDB 2 3; a MULTI; a EXEC",
    "b SELECT 1; b SET only 1; b SELECT 0; a WATCH only; b SWAPDB 0 1; a MULTI; a EXEC; \
     b SWAPDB 0 1",
    "a WATCH k; a RESET; b SET k 1; a MULTI; a EXEC",
    "a WATCH k; a MULTI; b SET k 1; a NOSUCH; a EXEC",
    "a WATCH k; b SET k 1; a MULTI; a EXEC x; a MULTI; a EXEC",
    "a WATCH; a UNWATCH x; a WATCH k; a MULTI; a UNWATCH; b SET k 2; a EXEC",
    // It expires between WATCH and EXEC.
    "a SET e 1 PX 30; a WATCH e; b AWAIT e; a MULTI; a EXEC; a WATCH e; b EXISTS e; a MULTI; \
     a EXEC",
];

fn play(server: &Server, script: &str) -> Vec<String> {
    let mut clients = [server.client(), server.client()];
    let step = |step: &str| {
        let step = step.trim();
        let client = &mut clients[usize::from(step.starts_with('b'))];
        let words = step[1..].trim();
        match words.strip_prefix("AWAIT ") {
            Some(key) => {
                until("it expires", || {
                    (client.integer(&format!("EXISTS {key}")) == 0).then_some(())
                });
                String::new()
            }
            None => client.line(words),
        }
    };
    script.split(';').map(step).collect()
}

#[test]
fn transactions_go_as_at_redis() {
    let ours = Server::start();
    let theirs = Server::of(Program::Redis, Home::new(), &["--save", ""]);
    // The port is in an answer that is compared.
    let same = |text: &str, port: u16| text.replace(&port.to_string(), "PORT");
    for script in SAME {
        let answers = |server: &Server| {
            let lines = play(server, script);
            lines.iter().map(|line| same(line, server.port)).collect::<Vec<_>>()
        };
        let expected: Vec<String> = answers(&theirs).iter().map(|line| as_in_7_2(line)).collect();
        let got: Vec<String> = answers(&ours).iter().map(|line| as_in_7_2(line)).collect();
        assert_eq!(got, expected, "{script}");
    }
}

/// HELLO tells versions and the client's number.
fn as_in_7_2(line: &str) -> String {
    if line.contains("proto") { String::from("hello") } else { line.to_owned() }
}

#[test]
fn a_read_only_replica_refuses_writes_when_queued_and_at_exec() {
    let primary = Server::start();
    let replica = Server::start();
    let mut client = replica.client();
    assert_eq!(client.line("MULTI"), "+OK");
    assert_eq!(client.line("SET k 1"), "+QUEUED");
    let follow = format!("REPLICAOF 127.0.0.1 {}", primary.port);
    assert_eq!(replica.client().line(&follow), "+OK");
    let readonly = "READONLY You can't write against a read only replica.";
    let error = format!("-EXECABORT Transaction discarded because of: {readonly}");
    assert_eq!(client.line("EXEC"), error);
    assert_eq!(client.line("EXEC"), "-ERR EXEC without MULTI");
    assert_eq!(client.line("MULTI"), "+OK");
    assert_eq!(client.line("SET k 1"), format!("-{readonly}"));
    assert_eq!(client.line("GET k"), "+QUEUED");
    let error = "-EXECABORT Transaction discarded because of previous errors.";
    assert_eq!(client.line("EXEC"), error);
}

#[test]
fn a_queue_has_a_limit_and_large_arguments_are_kept_whole() {
    let server = Server::with(&["--save", "", "--client-query-buffer-limit", "1mb"]);
    let mut client = server.client();
    let large = "x".repeat(200 << 10);
    assert_eq!(client.line("MULTI"), "+OK");
    assert_eq!(client.call(&["SET", "k", &large]), "+QUEUED");
    assert_eq!(client.line("STRLEN k"), "+QUEUED");
    assert_eq!(client.line("EXEC"), "[+OK :204800]");
    assert_eq!(client.call(&["GET", "k"]), large);
    assert_eq!(client.line("MULTI"), "+OK");
    let queued = (0..10).take_while(|_| {
        client.send(&crate::client::request(&["SET", "k", &large]));
        client.try_read().is_some()
    });
    assert!((5..=6).contains(&queued.count()), "the connection ends at a megabyte");
    assert_eq!(server.client().line("PING"), "+PONG");
}

#[test]
fn what_was_watched_and_queued_is_forgotten_with_the_connection() {
    let server = Server::start();
    let mut client = server.client();
    let before = client.integer("DBSIZE");
    for _ in 0..20 {
        let mut other = server.client();
        for line in ["WATCH k", "MULTI", "SET k 1"] {
            assert!(other.line(line).starts_with('+'), "{line}");
        }
    }
    until("they are gone", || (client.info("connected_clients") == "1").then_some(()));
    assert_eq!(client.line("SET k 2"), "+OK");
    assert_eq!(client.integer("DBSIZE"), before + 1);
}

#[test]
fn a_pipelined_transaction_is_answered_in_order() {
    let server = Server::start();
    let mut client: Client = server.client();
    let lines = ["MULTI", "SET k 1", "INCR k", "EXEC", "GET k", "MULTI", "EXEC", "PING"];
    client.send(&crate::client::requests(lines));
    let replies: Vec<String> = lines.iter().map(|_| crate::client::show(&client.read())).collect();
    let expected = ["+OK", "+QUEUED", "+QUEUED", "[+OK :2]", "2", "+OK", "[]", "+PONG"];
    assert_eq!(replies, expected);
    let stats = client.info("cmdstat_exec");
    assert!(stats.starts_with("calls=2,"), "{stats}");
    assert!(client.info("cmdstat_incr").starts_with("calls=1,"));
}

#[test]
fn a_key_changed_by_restore_or_by_the_primary_has_changed() {
    let primary = Server::start();
    let (mut client, mut other) = (primary.client(), primary.client());
    assert_eq!(other.line("SET k 1"), "+OK");
    let Value::Bulk(dump) = other.ask(&["DUMP", "k"]) else { panic!("DUMP answers a string") };
    assert_eq!(client.line("WATCH n"), "+OK");
    assert_eq!(other.call(&[&b"RESTORE"[..], b"n", b"0", &dump]), "+OK");
    assert_eq!(client.line("MULTI"), "+OK");
    assert_eq!(client.line("EXEC"), "(null)");

    let replica = Server::start();
    let (mut client, mut reader) = (replica.client(), replica.client());
    let run =
        |client: &mut Client| (client.line("MULTI"), client.line("GET k"), client.line("EXEC")).2;
    // The primary's data takes the place of what was there, which was nothing.
    assert_eq!(client.line("WATCH k"), "+OK");
    let follow = format!("REPLICAOF 127.0.0.1 {}", primary.port);
    assert_eq!(reader.line(&follow), "+OK");
    until("the data is there", || (reader.line("GET k") == "1").then_some(()));
    assert_eq!(run(&mut client), "(null)");
    assert_eq!(client.line("WATCH k"), "+OK");
    assert_eq!(run(&mut client), "[1]");
    assert_eq!(client.line("WATCH k"), "+OK");
    assert_eq!(other.line("SET k 2"), "+OK");
    until("the change is there", || (reader.line("GET k") == "2").then_some(()));
    assert_eq!(run(&mut client), "(null)");
    // All of a transaction arrives, or nothing; a failed part of it changes nothing.
    assert_eq!(other.line("MULTI"), "+OK");
    for line in ["SET k x", "INCR k", "SET last 1"] {
        assert_eq!(other.line(line), "+QUEUED");
    }
    assert!(other.line("EXEC").starts_with("[+OK -ERR value is not an integer"));
    until("the end is there", || (reader.line("GET last") == "1").then_some(()));
    assert_eq!(reader.line("GET k"), "x");
}
