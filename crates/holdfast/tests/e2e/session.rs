//! What belongs to one connection: its password, protocol, name and end.

use crate::client::{request, requests, show};
use crate::server::{Server, until};
use wire::value::Value;

const NOAUTH: &str = "-NOAUTH Authentication required.";
const WRONGPASS: &str = "-WRONGPASS invalid username-password pair or user is disabled.";

#[test]
fn a_password_is_asked_for_before_anything_else() {
    let server = Server::with(&["--save", "", "--requirepass", "pass word"]);
    let mut client = server.client();
    for line in ["PING", "GET a", "SET a 1", "INFO", "CONFIG GET *", "COMMAND", "SHUTDOWN NOSAVE"] {
        assert_eq!(client.line(line), NOAUTH, "{line}");
    }
    assert_eq!(client.line("RESET"), "+RESET");
    assert!(client.line("HELLO 3").starts_with("-NOAUTH HELLO must be called"));
    assert_eq!(client.line("AUTH wrong"), WRONGPASS);
    assert_eq!(client.call(&["AUTH", "nobody", "pass word"]), WRONGPASS);
    assert_eq!(client.call(&["HELLO", "3", "AUTH", "default", "wrong"]), WRONGPASS);
    assert_eq!(client.line("GET a"), NOAUTH);
    assert_eq!(client.call(&["AUTH", "pass word"]), "+OK");
    assert_eq!(client.line("SET a 1"), "+OK");
    assert_eq!(client.line("RESET"), "+RESET");
    assert_eq!(client.line("GET a"), NOAUTH);
    assert_eq!(client.call(&["AUTH", "default", "pass word"]), "+OK");
    assert_eq!(client.line("GET a"), "1");

    // A changed password is for new connections; this one stays what it is.
    assert_eq!(client.line("CONFIG SET requirepass other"), "+OK");
    assert_eq!(client.line("GET a"), "1");
    let mut second = server.client();
    assert_eq!(second.call(&["AUTH", "pass word"]), WRONGPASS);
    assert!(second.line("HELLO 3 AUTH default other").contains("proto: :3"));
    assert_eq!(second.line("GET a"), "1");
    // A login in the middle of a pipeline counts for what follows it.
    let mut third = server.client();
    third.send(&requests(["GET a", "AUTH other", "GET a"]));
    let replies: Vec<String> = (0..3).map(|_| show(&third.read())).collect();
    assert_eq!(replies, [NOAUTH, "+OK", "1"]);
}

#[test]
fn strangers_may_send_short_requests_only() {
    let server = Server::with(&["--save", "", "--requirepass", "secret"]);
    let error = |bytes: &[u8]| {
        let mut client = server.client();
        client.send(bytes);
        client.rest()
    };
    assert_eq!(error(b"*11\r\n"), r"-ERR Protocol error: unauthenticated multibulk length\r\n");
    let long = r"-ERR Protocol error: unauthenticated bulk length\r\n";
    assert_eq!(error(b"*2\r\n$4\r\nAUTH\r\n$16385\r\n"), long);
    let mut client = server.client();
    assert_eq!(client.call(&["AUTH", &"x".repeat(16384)]), WRONGPASS);
    assert_eq!(
        client.call(&["A"; 10]),
        "-ERR unknown command 'A', with args beginning with: \
        'A' 'A' 'A' 'A' 'A' 'A' 'A' 'A' 'A' "
    );
    assert_eq!(client.line("AUTH secret"), "+OK");
    let long = "y".repeat(100_000);
    assert_eq!(client.call(&["ECHO", &long]), long);
    assert_eq!(client.call(&["DEL"; 100]), ":0");
}

#[test]
fn hello_changes_the_protocol_and_reset_changes_it_back() {
    let server = Server::start();
    let mut client = server.client();
    assert!(client.line("HELLO 2").starts_with("[server redis version "));
    let Value::Map(pairs) = client.ask(&["HELLO", "3", "SETNAME", "me"]) else {
        panic!("HELLO 3 answers a map");
    };
    let names: Vec<String> = pairs.iter().map(|(name, _)| show(name)).collect();
    assert_eq!(names, ["server", "version", "proto", "id", "mode", "role", "modules"]);
    assert_eq!(client.line("CLIENT GETNAME"), "me");
    client.send(&request(&["GET", "none"]));
    let mut null = [0; 3];
    std::io::Read::read_exact(&mut client.stream, &mut null).expect("a reply");
    assert_eq!(&null, b"_\r\n");
    assert!(matches!(client.ask(&["CONFIG", "GET", "port"]), Value::Map(_)));
    assert!(matches!(client.ask(&["INFO"]), Value::Verbatim { format, .. } if &format == b"txt"));
    for (line, reply) in [
        ("HELLO 4", "-NOPROTO unsupported protocol version"),
        ("HELLO x", "-ERR Protocol version is not an integer or out of range"),
        ("HELLO 3 BOGUS", "-ERR Syntax error in HELLO option 'BOGUS'"),
        ("SELECT 3", "+OK"),
        ("RESET", "+RESET"),
        ("CLIENT GETNAME", "(null)"),
    ] {
        assert_eq!(client.line(line), reply, "{line}");
    }
    assert!(matches!(client.ask(&["CONFIG", "GET", "port"]), Value::Array(_)));
    assert!(client.line("CLIENT INFO").contains(" db=0 "));
}

#[test]
fn quit_answers_and_closes_and_what_follows_is_not_run() {
    let server = Server::start();
    let mut client = server.client();
    client.send(&requests(["SET a 1", "QUIT", "SET a 2", "INCR a"]));
    assert_eq!(client.rest(), r"+OK\r\n+OK\r\n");
    assert_eq!(server.client().line("GET a"), "1");
}

#[test]
fn clients_see_each_other() {
    let server = Server::start();
    let (mut first, mut second) = (server.client(), server.client());
    let id = first.integer("CLIENT ID");
    assert!(second.integer("CLIENT ID") > id);
    assert_eq!(first.line("CLIENT SETNAME worker"), "+OK");
    let error = "-ERR Client names cannot contain spaces, newlines or special characters.";
    assert_eq!(first.call(&["CLIENT", "SETNAME", "a b"]), error);
    assert_eq!(first.line("CLIENT SETINFO LIB-NAME tests"), "+OK");
    assert_eq!(first.line("CLIENT SETINFO BOGUS x"), "-ERR Unrecognized option 'BOGUS'");
    assert_eq!(first.line("CLIENT NO-EVICT on"), "+OK");
    assert_eq!(first.line("SELECT 2"), "+OK");
    let local = first.stream.local_addr().expect("an address");
    let list = second.line("CLIENT LIST");
    assert_eq!(list.lines().count(), 2, "{list}");
    let line = list.lines().next().expect("a line");
    for part in [
        format!("id={id} "),
        format!("addr={local} "),
        format!("laddr=127.0.0.1:{} ", server.port),
        String::from("name=worker "),
        String::from(" db=2 "),
        String::from("cmd=select "),
        String::from("lib-name=tests "),
    ] {
        assert!(line.contains(&part), "no '{part}' in {line}");
    }
    assert_eq!(first.line("CLIENT INFO").trim().split(' ').next(), Some(&*format!("id={id}")));
    assert_eq!(second.info("connected_clients"), "2");
    drop(first);
    until("the client is gone", || (second.info("connected_clients") == "1").then_some(()));
}
