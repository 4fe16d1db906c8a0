//! A client that can also misbehave: it sends any bytes and shows replies as text.

use crate::server::PATIENCE;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};
use wire::value::{Value, decode};

/// One connection.
pub(crate) struct Client {
    /// The connection itself, for tests that work on it.
    pub(crate) stream: TcpStream,
    input: Vec<u8>,
    at: usize,
}

impl Client {
    /// Connects to a port of this machine.
    pub(crate) fn connect(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
        stream.set_nodelay(true).expect("an option of the socket");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
        Client { stream, input: Vec::new(), at: 0 }
    }

    /// Sends bytes as they are.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the server reads");
    }

    /// Sends one request and reads its reply.
    pub(crate) fn ask<A: AsRef<[u8]>>(&mut self, args: &[A]) -> Value {
        self.send(&request(args));
        self.read()
    }

    /// The same, with the reply as [`show`] writes it.
    pub(crate) fn call<A: AsRef<[u8]>>(&mut self, args: &[A]) -> String {
        show(&self.ask(args))
    }

    /// The same, with the request in words separated by spaces.
    pub(crate) fn line(&mut self, words: &str) -> String {
        self.call(&words.split(' ').collect::<Vec<_>>())
    }

    /// The same for an integer.
    pub(crate) fn integer(&mut self, words: &str) -> i64 {
        match self.ask(&words.split(' ').collect::<Vec<_>>()) {
            Value::Integer(n) => n,
            other => panic!("'{words}' answered {}", show(&other)),
        }
    }

    /// A field of INFO.
    pub(crate) fn info(&mut self, field: &str) -> String {
        let text = self.call(&["INFO", "everything"]);
        let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        line.unwrap_or_else(|| panic!("INFO has no {field}:\n{text}")).to_owned()
    }

    /// Reads one reply.
    pub(crate) fn read(&mut self) -> Value {
        self.try_read().expect("a reply, but the connection was closed")
    }

    /// Reads one reply; `None` once the connection is closed.
    pub(crate) fn try_read(&mut self) -> Option<Value> {
        loop {
            let decoded = decode(&self.input[self.at..]).expect("a reply of the protocol");
            if let Some((value, len)) = decoded {
                self.at += len;
                if self.at == self.input.len() {
                    self.input.clear();
                    self.at = 0;
                }
                return Some(value);
            }
            let len = self.input.len();
            // A growing step keeps the copies of large replies few.
            let step = (len / 4).max(64 << 10);
            self.input.resize(len + step, 0);
            let got = self.stream.read(&mut self.input[len..]);
            let got = match got {
                Ok(got) => got,
                Err(error) if error.kind() == ErrorKind::ConnectionReset => 0,
                Err(error) => panic!("reading a reply: {error}"),
            };
            self.input.truncate(len + got);
            if got == 0 {
                assert_eq!(len, self.at, "closed within a reply");
                return None;
            }
        }
    }

    /// The next reply, or nothing if the server has closed.
    pub(crate) fn rest_or_reply(&mut self) -> String {
        self.try_read().map_or_else(String::new, |value| show(&value))
    }

    /// All that the server sends until it closes.
    pub(crate) fn rest(&mut self) -> String {
        let mut bytes = self.input.split_off(self.at);
        self.input.clear();
        self.at = 0;
        if let Err(error) = self.stream.read_to_end(&mut bytes) {
            assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
        }
        escape(&bytes)
    }

    /// Says that nothing more will be sent.
    pub(crate) fn finish(&mut self) {
        // The server may have closed first.
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// How long a PING takes.
    pub(crate) fn ping(&mut self) -> Duration {
        let begun = Instant::now();
        assert_eq!(self.call(&["PING"]), "+PONG");
        begun.elapsed()
    }
}

/// A request as clients send it.
pub(crate) fn request<A: AsRef<[u8]>>(args: &[A]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", args.len()).into_bytes();
    for arg in args {
        let arg = arg.as_ref();
        bytes.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
        bytes.extend_from_slice(arg);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// Many requests in a row, each in words separated by spaces.
pub(crate) fn requests<'a>(lines: impl IntoIterator<Item = &'a str>) -> Vec<u8> {
    let words = |line: &'a str| request(&line.split(' ').collect::<Vec<_>>());
    lines.into_iter().flat_map(words).collect()
}

/// A reply as a line: `+OK`, `-ERR …`, `:1`, `(null)`, `[a b]`, `{a: b}`, or the text itself.
pub(crate) fn show(value: &Value) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let list = |items: &[Value]| items.iter().map(show).collect::<Vec<_>>().join(" ");
    match value {
        Value::Simple(bytes) => format!("+{}", text(bytes)),
        Value::Error(bytes) => format!("-{}", text(bytes)),
        Value::Integer(n) => format!(":{n}"),
        Value::Bulk(bytes) => text(bytes),
        Value::Null => String::from("(null)"),
        Value::Array(items) => format!("[{}]", list(items)),
        Value::Set(items) => format!("~[{}]", list(items)),
        Value::Push(items) => format!(">[{}]", list(items)),
        Value::Map(pairs) => {
            let pair = |(key, value): &(Value, Value)| format!("{}: {}", show(key), show(value));
            format!("{{{}}}", pairs.iter().map(pair).collect::<Vec<_>>().join(", "))
        }
        Value::Double(n) => format!(",{n}"),
        Value::Boolean(b) => format!("#{b}"),
        Value::BigNumber(bytes) => format!("({}", text(bytes)),
        Value::Verbatim { text: bytes, .. } => text(bytes),
        Value::Attributed { value, .. } => show(value),
    }
}

/// Bytes as readable text.
pub(crate) fn escape(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}
