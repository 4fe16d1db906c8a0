//! A client beside a server, on the same host: it asks what it is given to ask.

use machine::{Action, ConnId, Event, Instant, Machine, Now, Out, Span, Token};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::rc::Rc;
use wire::value::{Value, decode};

/// What the client and whoever uses it share.
#[derive(Default)]
pub struct Desk {
    /// Requests that wait to be sent, encoded.
    pub outgoing: VecDeque<Vec<u8>>,
    /// What came back and has not been looked at.
    pub replies: VecDeque<Value>,
    /// Whether there is a connection.
    pub connected: bool,
    /// Rises with each connection.
    pub connections: u64,
    /// Ends the connection.
    pub leave: bool,
    /// Makes requests of its own, one each two milliseconds; their replies are not kept.
    pub chatter: Option<Box<dyn FnMut() -> Vec<u8>>>,
}

/// The client: it sends what lies on its desk and puts replies there.
pub struct Clerk {
    target: SocketAddr,
    desk: Rc<RefCell<Desk>>,
    conn: Option<ConnId>,
    connecting: bool,
    next: Instant,
}

/// How often the desk is looked at.
const TICK: Span = Span::millis(2);
/// How long to wait before connecting again.
const PAUSE: Span = Span::millis(50);

impl Clerk {
    /// A client of the server at `target`.
    pub fn new(target: SocketAddr, desk: Rc<RefCell<Desk>>) -> Self {
        Clerk { target, desk, conn: None, connecting: false, next: Instant(0) }
    }

    fn wake(&mut self, now: Now, out: &mut Out) {
        let Some(conn) = self.conn else {
            self.next = now.mono + PAUSE;
            if !self.connecting {
                self.connecting = true;
                out.act(Action::Connect { token: Token(1), to: self.target, from: None });
            }
            return;
        };
        self.next = now.mono + TICK;
        let mut desk = self.desk.borrow_mut();
        if std::mem::take(&mut desk.leave) {
            return out.close(conn);
        }
        while let Some(bytes) = desk.outgoing.pop_front() {
            out.queue(conn, &bytes);
        }
        if let Some(chatter) = &mut desk.chatter {
            out.queue(conn, &chatter());
        }
    }
}

impl Machine for Clerk {
    fn handle(&mut self, now: Now, event: Event<'_>, out: &mut Out) {
        match event {
            Event::Wake => self.wake(now, out),
            Event::Connected { conn, .. } => {
                (self.conn, self.connecting) = (Some(conn), false);
                self.next = now.mono;
                let mut desk = self.desk.borrow_mut();
                desk.connected = true;
                desk.connections += 1;
            }
            Event::ConnectFailed { .. } => self.connecting = false,
            Event::Closed { .. } => {
                self.conn = None;
                self.desk.borrow_mut().connected = false;
            }
            Event::Received { conn, bytes } => match take(bytes) {
                Some((values, taken)) => {
                    let mut desk = self.desk.borrow_mut();
                    if desk.chatter.is_none() {
                        desk.replies.extend(values);
                    }
                    out.consumed(taken);
                }
                None => out.close(conn),
            },
            _ => {}
        }
    }

    fn deadline(&self) -> Option<Instant> {
        Some(self.next)
    }
}

/// The whole replies at the front of `bytes` and their length; `None`: these are no replies.
pub fn take(bytes: &[u8]) -> Option<(Vec<Value>, usize)> {
    let (mut values, mut at) = (Vec::new(), 0);
    while let Some((value, len)) = decode(&bytes[at..]).ok()? {
        values.push(value);
        at += len;
    }
    Some((values, at))
}

/// A request of words without blanks.
pub fn request(words: &str) -> Vec<u8> {
    let words: Vec<&str> = words.split(' ').collect();
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
    }
    bytes
}

/// A reply in words.
pub fn show(value: &Value) -> String {
    match value {
        Value::Integer(n) => n.to_string(),
        Value::Error(text) => format!("-{}", String::from_utf8_lossy(text)),
        Value::Null => String::from("(null)"),
        other => String::from_utf8_lossy(other.as_bytes().unwrap_or_default()).into_owned(),
    }
}
