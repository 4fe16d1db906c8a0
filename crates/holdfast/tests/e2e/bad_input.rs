//! Bytes that are not the protocol. Where Redis's answer is defined, ours is the same.

use crate::client::{Client, request, requests, show};
use crate::server::{Home, Program, Server};

/// All that a server answers to these bytes, and that it then closes.
fn answer(server: &Server, bytes: &[u8]) -> String {
    let mut client = server.client();
    // The server may close before it has read everything.
    let _ = std::io::Write::write_all(&mut client.stream, bytes);
    client.finish();
    client.rest()
}

fn peers(arguments: &[&str]) -> (Server, Server) {
    let ours = Server::with(arguments);
    let theirs = Server::of(Program::Redis, Home::new(), arguments);
    (ours, theirs)
}

/// Sends everything to both; what follows an error of framing must not be run by either.
fn assert_same(ours: &Server, theirs: &Server, inputs: &[Vec<u8>]) {
    for input in inputs {
        let shown = input[..input.len().min(100)].escape_ascii().to_string();
        assert_eq!(answer(ours, input), answer(theirs, input), "after {shown}");
    }
    for server in [ours, theirs] {
        assert_eq!(server.client().line("GET unharmed"), "yes");
    }
}

const RAW: &[&str] = &[
    "*-2\r\nPING\r\n",
    "*0\r\nPING\r\n",
    "*\r\nPING\r\n",
    "*x\r\nPING\r\n",
    "*1 \r\nPING\r\n",
    "* 1\r\n",
    "*+1\r\n$4\r\nPING\r\n",
    "*01\r\n$4\r\nPING\r\n",
    "*2147483648\r\nPING\r\n",
    "*99999999999999999999\r\n",
    "*1\r\n$-1\r\nPING\r\n",
    "*1\r\n$x\r\n",
    "*1\r\n$\r\n",
    "*1\r\n$ 4\r\n",
    "*1\r\n$+4\r\nPING\r\n",
    "*1\r\n$04\r\nPING\r\n",
    "*1\r\n$536870913\r\n",
    "*1\r\n$99999999999999999999\r\n",
    "*1\r\n:1\r\n",
    "*1\r\n\r\n",
    "*1\r\nPING\r\n",
    "*1\r\n+PING\r\n",
    "*1\n$4\nPING\n",
    "*1\r\n$4\r\nPING\n\nPING\r\n",
    "*1\r\n$4\r\nPINGxxPING\r\n",
    "*1\r\n$4\r\nPING",
    "*1\r\n$4\r\nPI",
    "*1\r\n$4",
    "*",
    "PING",
    "*3\r\n$3\r\nSET\r\n$8\r\nunharmed\r\n$2\r\nno",
    "ECHO 'a\r\nPING\r\n",
    "ECHO \"a\r\n",
    "ECHO 'b'c\r\n",
    "ECHO \"a\"b\r\n",
    "ECHO '' \r\nECHO 'a\\'b'\r\nECHO \"\\x41\\q\"\r\nECHO a\"b c\"\r\n",
    "PING\rx\n",
    "PING\n\r\nPING\r\n",
    "POST / HTTP/1.1\r\nHost: localhost\r\n\r\nSET unharmed no\r\n",
    "Host: localhost\r\nSET unharmed no\r\n",
];

#[test]
fn broken_framing_is_answered_as_redis_answers_it() {
    let (ours, theirs) = peers(&["--save", ""]);
    for server in [&ours, &theirs] {
        assert_eq!(server.client().line("SET unharmed yes"), "+OK");
    }
    let mut inputs: Vec<Vec<u8>> = RAW.iter().map(|text| text.as_bytes().to_vec()).collect();
    inputs.push("x".repeat(70 << 10).into_bytes());
    inputs.push(format!("*{}", "1".repeat(70 << 10)).into_bytes());
    inputs.push(format!("*1\r\n${}", "1".repeat(70 << 10)).into_bytes());
    // What came before the error is answered first.
    for text in RAW.iter().take(20) {
        inputs.push([requests(["ECHO first"]), text.as_bytes().to_vec()].concat());
    }
    assert_same(&ours, &theirs, &inputs);
}

#[test]
fn strangers_are_answered_as_redis_answers_them() {
    let (ours, theirs) = peers(&["--save", "", "--requirepass", "secret"]);
    let lines = [
        "PING",
        "GET a",
        "GET",
        "NOSUCH a",
        "CONFIG NOSUCH",
        "QUIT",
        "RESET",
        "HELLO 9",
        "AUTH bad",
        "AUTH default bad",
        "AUTH nobody secret",
        "AUTH a b c",
        "CLIENT ID",
    ];
    let mut inputs: Vec<Vec<u8>> = lines.iter().map(|line| requests([*line])).collect();
    inputs.extend([b"*11\r\n".to_vec(), b"*10\r\n$16385\r\n".to_vec(), b"PING\r\n".to_vec()]);
    inputs.push(requests(["AUTH secret", "GET a", "RESET", "GET a"]));
    for input in &inputs {
        let shown = input.escape_ascii().to_string();
        assert_eq!(answer(&ours, input), answer(&theirs, input), "after {shown}");
    }
}

#[test]
fn wrong_requests_are_answered_as_redis_answers_them() {
    let (ours, theirs) = peers(&["--save", ""]);
    for server in [&ours, &theirs] {
        assert_eq!(server.client().line("SET unharmed yes"), "+OK");
    }
    let mut inputs: Vec<Vec<u8>> = include_str!("wrong_requests.txt")
        .lines()
        .map(|line| requests([line, "ECHO next"]))
        .collect();
    let (long, odd) = ("x".repeat(300), "a\r\nb\t\x07");
    for args in [
        vec![""],
        vec!["NOSUCH", &long, "y"],
        vec![&long, "y"],
        vec!["CONFIG", &long],
        vec![odd, odd],
        vec!["CONFIG", odd],
        vec!["CLIENT", "SETNAME", "a b"],
        vec!["HELLO", "2", "SETNAME", odd],
        vec!["SELECT", ""],
        vec!["CONFIG", "SET", "save", "60"],
        vec!["CONFIG", "SET", "save", "60 x"],
    ] {
        inputs.push([request(&args), requests(["ECHO next"])].concat());
    }
    inputs.push(request(&["NOSUCH"; 60]));
    assert_same(&ours, &theirs, &inputs);
}

#[test]
fn an_argument_beyond_the_limit_is_refused_at_its_header() {
    let server = Server::with(&["--save", "", "--proto-max-bulk-len", "1mb"]);
    let mut client = server.client();
    let value = "x".repeat(1 << 20);
    assert_eq!(client.call(&["SET", "k", &value]), "+OK");
    client.send(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1048577\r\n");
    assert_eq!(client.rest(), r"-ERR Protocol error: invalid bulk length\r\n");
    assert_eq!(server.client().call(&["GET", "k"]), value);
}

#[test]
fn garbage_ends_the_one_who_sends_it_at_most() {
    let server = Server::start();
    let mut witness = server.client();
    assert_eq!(witness.line("SET unharmed yes"), "+OK");
    for seed in 1..=300u64 {
        let mut client = server.client();
        // The server may close in the middle.
        let _ = std::io::Write::write_all(&mut client.stream, &garbage(seed));
        client.finish();
        client.rest();
        assert_eq!(witness.line("GET unharmed"), "yes", "seed {seed}");
    }
}

/// Random bytes; from half of the seeds, pieces of requests in random order.
fn garbage(seed: u64) -> Vec<u8> {
    const PIECES: &[&[u8]] = &[
        b"*",
        b"$",
        b"\r\n",
        b"1",
        b"3",
        b"-1",
        b"*1\r\n",
        b"$4\r\nPING\r\n",
        b"*3\r\n$3\r\nSET\r\n",
        b"$40000\r\n",
        b"\"",
        b"'",
        b" ",
        b"\n",
        b"\0",
        b"\xff",
        b"GET a",
        b"$0\r\n\r\n",
        b"99999999",
    ];
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state >> 33
    };
    let pieces = 20 + next() as usize % 2000;
    if seed.is_multiple_of(2) {
        return (0..pieces).map(|_| next() as u8).collect();
    }
    (0..pieces).flat_map(|_| PIECES[next() as usize % PIECES.len()]).copied().collect()
}

#[test]
fn a_request_that_is_never_finished_changes_nothing() {
    let server = Server::start();
    let bytes = requests(["SET half 1"]);
    let clients: Vec<Client> = (1..bytes.len())
        .map(|cut| {
            let mut client = server.client();
            client.send(&bytes[..cut]);
            client
        })
        .collect();
    let mut witness = server.client();
    assert_eq!(witness.line("EXISTS half"), ":0");
    for mut client in clients {
        client.finish();
        assert_eq!(client.rest(), "");
    }
    assert_eq!(witness.line("EXISTS half"), ":0");
    assert_eq!(show(&witness.ask(&["PING"])), "+PONG");
}
