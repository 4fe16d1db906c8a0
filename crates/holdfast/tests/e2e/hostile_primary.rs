//! A primary that does not keep to the protocol: the link is tried again, the data is kept.

use crate::client::request;
use crate::server::{Server, until};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

const ID: &str = "0123456789abcdef0123456789abcdef01234567";

/// What the primary says once it was asked for the stream, or instead of all replies.
struct Manner {
    name: &'static str,
    instead: Option<Vec<u8>>,
    answer: Vec<u8>,
}

/// A whole snapshot of one key, as we write it.
fn snapshot() -> Vec<u8> {
    let server = Server::start();
    let mut client = server.client();
    assert_eq!(client.line("SET from hostile"), "+OK");
    assert_eq!(client.line("SAVE"), "+OK");
    std::fs::read(server.home.file("dump.rdb")).expect("a file")
}

/// A snapshot without keys, of a stream in a database that there is not.
fn elsewhere() -> Vec<u8> {
    let mut rdb = b"REDIS0010\xfa\x0erepl-stream-db\x0599999".to_vec();
    rdb.push(0xff);
    rdb.extend_from_slice(&[0; 8]);
    rdb
}

fn manners(rdb: &[u8]) -> Vec<Manner> {
    let rdb = rdb.to_vec();
    let full = format!("+FULLRESYNC {ID} 0\r\n").into_bytes();
    let counted =
        |len: usize, rdb: &[u8]| [&full[..], format!("${len}\r\n").as_bytes(), rdb].concat();
    let mut flipped = rdb.clone();
    let middle = rdb.len() - 12;
    flipped[middle] ^= 1;
    let mark = [&full[..], b"$EOF:", &[b'm'; 40], b"\r\n", &rdb[..], &[b'n'; 40]].concat();
    let stream = [counted(rdb.len(), &rdb), b"*1\r\n$x\r\n".to_vec()].concat();
    let write = request(&["SET", "out", "of bounds"]);
    let elsewhere = [counted(elsewhere().len(), &elsewhere()), write].concat();
    let ours = format!("+FULLRESYNC {ID} 18446744073709551615 holdfast\r\n").into_bytes();
    let instead =
        |name, bytes: &[u8]| Manner { name, instead: Some(bytes.to_vec()), answer: vec![] };
    let answer = |name, answer| Manner { name, instead: None, answer };
    vec![
        instead("garbage", &[0xff, 0, 13, 10, 7, 10, 10, 0, 1, 2]),
        instead("http", b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        instead("an endless line", &[b'+'; 100_000]),
        instead("an error", b"-ERR no\r\n"),
        instead("nothing", b""),
        answer("an endless answer", vec![b'x'; 100_000]),
        answer("no history", b"+FULLRESYNC short 0\r\n".to_vec()),
        answer("no position", format!("+FULLRESYNC {ID} -5\r\n").into_bytes()),
        answer("no header", [&full[..], b"+OK\r\n"].concat()),
        answer("a header without a number", [&full[..], b"$abc\r\n"].concat()),
        answer("a short mark", [&full[..], b"$EOF:abc\r\n"].concat()),
        answer("an endless header", [&full[..], &[b'$'; 10_000]].concat()),
        answer("a truncated snapshot", counted(rdb.len(), &rdb[..rdb.len() / 2])),
        answer("a snapshot cut short by its length", counted(rdb.len() / 2, &rdb)),
        answer("a wrong checksum", counted(flipped.len(), &flipped)),
        answer("another mark", mark),
        answer("no snapshot", counted(10, b"0123456789")),
        answer("a database that there is not", elsewhere),
        answer("a position beyond all", ours),
        answer("an endless position", [&full[..full.len() - 3], &[b'9'; 900]].concat()),
        answer("a stream that is none", stream),
        answer("an unknown answer", b"+WHATEVER\r\n".to_vec()),
        answer(
            "a partial sync of nothing",
            b"+CONTINUE\r\n*1\r\n$99999999999999999999\r\n".to_vec(),
        ),
    ]
}

/// Serves one connection after another in this manner, each until the replica leaves or what there
/// is to say is said; counts them.
fn serve(manner: Manner, served: Arc<AtomicUsize>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("its address").port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            served.fetch_add(1, Relaxed);
            // The replica may leave at any time.
            let _ = speak(&stream, &manner);
        }
    });
    port
}

fn speak(mut stream: &TcpStream, manner: &Manner) -> std::io::Result<()> {
    if let Some(bytes) = &manner.instead {
        return stream.write_all(bytes);
    }
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    while reader.read_line(&mut line)? > 0 {
        let word = line.trim_end().to_ascii_lowercase();
        match word.as_str() {
            "ping" => stream.write_all(b"+PONG\r\n")?,
            "replconf" => stream.write_all(b"+OK\r\n")?,
            "psync" => {
                stream.write_all(&manner.answer)?;
                return Ok(());
            }
            _ => {}
        }
        line.clear();
    }
    Ok(())
}

#[test]
fn nothing_that_a_primary_says_costs_data_or_the_process() {
    let rdb = snapshot();
    for load in ["disabled", "swapdb"] {
        survives(&rdb, load);
    }
}

fn survives(rdb: &[u8], load: &str) {
    let load = ["--repl-diskless-load", load];
    let arguments = ["--save", "", "--repl-timeout", "60"];
    let replica = Server::with(&[&arguments[..], &load].concat());
    let mut client = replica.client();
    for manner in manners(rdb) {
        let name = manner.name;
        until("it is let go", || (client.line("REPLICAOF NO ONE") == "+OK").then_some(()));
        assert_eq!(client.line("FLUSHALL"), "+OK");
        client.send(&request(&["SET", "own", name]));
        assert_eq!(client.rest_or_reply(), "+OK");
        let takes = name == "a stream that is none";
        let served = Arc::new(AtomicUsize::new(0));
        let port = serve(manner, Arc::clone(&served));
        assert_eq!(client.line(&format!("REPLICAOF 127.0.0.1 {port}")), "+OK");
        until(name, || (served.load(Relaxed) >= 2).then_some(()));
        // What is half read is given up.
        until(name, || (client.info("loading") == "0").then_some(()));
        assert_eq!(client.line("PING"), "+PONG", "{name}");
        if takes {
            assert_eq!(client.line("GET from"), "hostile", "{name}");
        } else {
            assert_eq!(client.line("GET own"), name);
            assert_eq!(client.line("DBSIZE"), ":1", "{name}");
        }
    }
    until("it is let go", || (client.line("REPLICAOF NO ONE") == "+OK").then_some(()));
    let names: Vec<_> = std::fs::read_dir(replica.home.data()).expect("a folder").collect();
    assert!(names.len() <= 1, "{names:?}");
}

/// Redis does not take an acknowledgement for the beginning of the stream while the process that
/// wrote the snapshot has not ended: whoever then waits a second lets it write alone for a second.
#[test]
fn a_primary_that_overhears_us_is_told_again_soon() {
    let rdb = snapshot();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("its address").port();
    let replica = Server::with(&["--save", ""]);
    assert_eq!(replica.client().line(&format!("REPLICAOF 127.0.0.1 {port}")), "+OK");
    let (mut stream, _) = listener.accept().expect("it comes");
    let full = format!("+FULLRESYNC {ID} 0\r\n${}\r\n", rdb.len());
    let manner = Manner { name: "", instead: None, answer: [full.as_bytes(), &rdb].concat() };
    speak(&stream, &manner).expect("it is asked for the stream");
    let mut lines = BufReader::new(stream.try_clone().expect("the same")).lines();
    let mut ack = || {
        let ack = lines.by_ref().map_while(Result::ok).find(|line| line == "ACK");
        assert!(ack.is_some(), "it has left");
        Instant::now()
    };
    let first = ack();
    let fifth = (0..4).map(|_| ack()).last().expect("some");
    assert!(fifth - first < Duration::from_millis(900), "{:?}", fifth - first);
    // Whoever has begun is not bothered.
    stream.write_all(&request(&["PING"])).expect("it reads");
    let mut last = ack();
    until("it waits for a second", || {
        let gap = ack() - std::mem::replace(&mut last, Instant::now());
        (gap > Duration::from_millis(700)).then_some(())
    });
}
