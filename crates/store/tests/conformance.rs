//! The same lines to a real Redis and to our handlers: the same replies, byte for byte.
//!
//! The peer is Debian's Redis 7.0; nothing in the scripts is known to differ in 7.2. Left out or
//! compared loosely, because it depends on time, order or memory: remaining times (within two
//! seconds), the order of KEYS and SCAN, REFCOUNT of what COPY made of a small integer (Redis does
//! not share it there).

use crate::harness::Store;
use crate::script::line;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::cell::RefCell;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const PROGRAM: &str = "/usr/bin/redis-server";
/// Redis says nothing for so long only if something is wrong.
const PATIENCE: Duration = Duration::from_secs(20);

/// A Redis of our own; ends with this value.
struct Peer {
    child: Child,
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Peer {
    fn start() -> Self {
        // The system picks a port; nobody else is likely to take it in the meantime.
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        drop(listener);
        let mut child = Command::new(PROGRAM)
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "no", "--daemonize", "no"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("these tests need {PROGRAM}: {error}"));
        let output = child.stdout.take().expect("a pipe");
        let stream = ready(output).then(|| TcpStream::connect((Ipv4Addr::LOCALHOST, port)));
        let Some(Ok(stream)) = stream else {
            let _ = child.kill();
            let _ = child.wait();
            panic!("{PROGRAM} does not answer on port {port}");
        };
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_nodelay(true).expect("no delay");
        Peer { child, stream, unread: Vec::new() }
    }

    fn send(&mut self, lines: &[String]) {
        let mut out = Vec::new();
        for line in lines {
            let args: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
            store::effects::encode(&args, &mut out);
        }
        self.stream.write_all(&out).expect("Redis reads");
    }

    fn reply(&mut self) -> Vec<u8> {
        let mut buffer = [0; 65536];
        loop {
            if let Some(len) = reply_len(&self.unread) {
                return self.unread.drain(..len).collect();
            }
            let n = self.stream.read(&mut buffer).expect("Redis replies");
            assert!(n > 0, "Redis has closed the connection");
            self.unread.extend_from_slice(&buffer[..n]);
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits for Redis to say that it is ready, and lets a thread read the rest of its log.
fn ready(log: ChildStdout) -> bool {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(log).lines().map_while(Result::ok) {
            if line.contains("Ready to accept connections") {
                let _ = sender.send(());
            }
        }
    });
    receiver.recv_timeout(PATIENCE).is_ok()
}

/// The length of the first reply, if it is complete.
fn reply_len(bytes: &[u8]) -> Option<usize> {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n")? + 2;
    let number = || std::str::from_utf8(&bytes[1..end - 2]).ok()?.parse::<i64>().ok();
    match bytes[0] {
        b'$' => match number()? {
            -1 => Some(end),
            len => Some(end + len as usize + 2).filter(|&all| all <= bytes.len()),
        },
        b'*' => {
            let mut at = end;
            for _ in 0..number()?.max(0) {
                at += reply_len(&bytes[at..])?;
            }
            Some(at)
        }
        _ => Some(end),
    }
}

/// Whether two replies to a line say the same.
fn same(line: &str, theirs: &[u8], ours: &[u8]) -> bool {
    if theirs == ours {
        return true;
    }
    let integer = |reply: &[u8]| {
        std::str::from_utf8(reply.strip_prefix(b":")?.strip_suffix(b"\r\n")?)
            .ok()?
            .parse::<i64>()
            .ok()
    };
    let sorted = |reply: &[u8]| {
        let text = String::from_utf8_lossy(reply).into_owned();
        let mut lines: Vec<String> = text.split("\r\n").map(String::from).collect();
        lines.sort();
        lines
    };
    match line.split(' ').next().unwrap_or_default() {
        "ttl" | "expiretime" => matches!((integer(theirs), integer(ours)),
            (Some(a), Some(b)) if a > 0 && b > 0 && a.abs_diff(b) <= 2),
        "pttl" | "pexpiretime" => matches!((integer(theirs), integer(ours)),
            (Some(a), Some(b)) if a > 0 && b > 0 && a.abs_diff(b) <= 2000),
        "keys" | "scan" => sorted(theirs) == sorted(ours),
        "object" if line.starts_with("object refcount") => {
            let either = [Some(1), Some(i64::from(i32::MAX))];
            either.contains(&integer(theirs)) && either.contains(&integer(ours))
        }
        // Redis shows how old its shared integers are.
        "object" if line.starts_with("object idletime") => {
            integer(theirs).is_some() && integer(ours).is_some_and(|idle| (0..=2).contains(&idle))
        }
        _ => false,
    }
}

fn wall() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_millis() as u64
}

fn shown(bytes: &[u8]) -> String {
    bytes
        .iter()
        .take(300)
        .flat_map(|byte| std::ascii::escape_default(*byte))
        .map(char::from)
        .collect()
}

#[test]
fn replies_equal_those_of_redis() {
    let peer = RefCell::new(Peer::start());
    let mut runner =
        TestRunner::new(Config { cases: 400, failure_persistence: None, ..Config::default() });
    let scripts = prop::collection::vec(line(), 1..150);
    let result = runner.run(&scripts, |mut script| {
        script.insert(0, String::from("flushall"));
        let mut peer = peer.borrow_mut();
        let mut store = Store::new(false);
        peer.send(&script);
        // Read everything first: a failed comparison must leave nothing for the next script.
        let replies: Vec<Vec<u8>> = script.iter().map(|_| peer.reply()).collect();
        for (line, theirs) in script.iter().zip(&replies).skip(1) {
            store.now = wall();
            let ours = store.line(line).reply;
            prop_assert!(
                same(line, theirs, &ours),
                "{}\n redis: {}\n  ours: {}",
                &line[..line.len().min(200)],
                shown(theirs),
                shown(&ours)
            );
        }
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}
