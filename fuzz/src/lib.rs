//! A driver for one node: no clock but the one it is given, no network but bytes, and files that
//! take whatever is written.

use machine::{
    Action, Address, ConnId, Event, FileError, FileErrorKind, FileOp, FileOutput, Instant, Machine,
    Now, Out, Peer, Stopwatch, Ticket, Token, UnixMicros,
};
use node::config::Config;
use node::{Node, Setup, Stages};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A node whose files are kept in memory, and the connections it has.
pub struct Bench {
    node: Node,
    out: Out,
    now: Now,
    /// Received and not consumed, and how long a body it asked for is.
    conns: BTreeMap<ConnId, (Vec<u8>, Option<usize>)>,
    closed: Vec<ConnId>,
    calls: Vec<Token>,
}

/// Where everybody is.
const PEER: &str = "127.0.0.1:7000";

impl Bench {
    /// A node with these settings, started.
    pub fn new(config: Config) -> Self {
        let node = Node::new(Setup {
            config,
            secret: [7; 16],
            run_id: "0123456789".repeat(4),
            control: Address(1),
            stages: Stages::ALL,
        });
        let mut bench = Bench {
            node,
            out: Out::new(Stopwatch::Virtual(0)),
            now: Now { mono: Instant(1_000_000_000), wall: UnixMicros(1_700_000_000_000_000) },
            conns: BTreeMap::new(),
            closed: Vec::new(),
            calls: Vec::new(),
        };
        bench.call(Event::Started);
        bench.turn(0);
        bench
    }

    /// A client comes.
    pub fn connect(&mut self, conn: ConnId) {
        self.conns.insert(conn, (Vec::new(), None));
        self.call(Event::Accepted { conn, listener: Token(0), peer: &peer() });
    }

    /// The node has called somebody: they answer as this connection. Whether it had.
    pub fn answer(&mut self, conn: ConnId) -> bool {
        let Some(token) = self.calls.pop() else { return false };
        self.conns.insert(conn, (Vec::new(), None));
        self.call(Event::Connected { conn, token, peer: &peer() });
        true
    }

    /// Bytes come over a connection, if it still stands.
    pub fn receive(&mut self, conn: ConnId, bytes: &[u8]) {
        let Some((kept, _)) = self.conns.get_mut(&conn) else { return };
        kept.extend_from_slice(bytes);
        loop {
            let Some((kept, want)) = self.conns.get_mut(&conn) else { return };
            if let Some(len) = *want {
                if kept.len() < len {
                    return;
                }
                let body: Arc<[u8]> = kept.drain(..len).collect();
                *want = None;
                self.call(Event::Body { conn, body });
                continue;
            }
            let bytes = std::mem::take(kept);
            if bytes.is_empty() {
                return;
            }
            self.node.handle(self.now, Event::Received { conn, bytes: &bytes }, &mut self.out);
            let consumed = self.out.take_consumed();
            assert!(consumed <= bytes.len(), "more was consumed than offered");
            let wanted = self.out.take_want();
            self.act();
            let Some((kept, want)) = self.conns.get_mut(&conn) else { return };
            kept.extend_from_slice(&bytes[consumed..]);
            *want = wanted;
            if wanted.is_none() && (consumed == 0 || kept.is_empty()) {
                return;
            }
        }
    }

    /// Time passes, and a turn ends.
    pub fn turn(&mut self, millis: u64) {
        self.now.mono.0 += millis * 1_000_000;
        self.now.wall.0 += millis * 1000;
        if self.node.deadline().is_some_and(|due| due <= self.now.mono) {
            self.call(Event::Wake);
        }
        self.call(Event::TurnEnd { units: 4 });
        for conn in std::mem::take(&mut self.closed) {
            if self.conns.remove(&conn).is_some() {
                let why = machine::CloseReason::Local;
                self.out.forget(conn);
                self.call(Event::Closed { conn, why });
            }
        }
        let mut touched = Vec::new();
        self.out.take_touched(&mut touched);
        for conn in touched {
            let (output, pool) = self.out.output_of(conn);
            let len = output.writable().map(<[u8]>::len).sum();
            output.advance(len, pool);
        }
    }

    fn call(&mut self, event: Event<'_>) {
        self.node.handle(self.now, event, &mut self.out);
        self.out.take_consumed();
        self.act();
    }

    fn act(&mut self) {
        let mut actions = Vec::new();
        self.out.take_actions(&mut actions);
        for action in actions {
            match action {
                Action::Connect { token, .. } => self.calls.push(token),
                Action::Close { conn, .. } => self.closed.push(conn),
                Action::File { ticket, op } => self.file(ticket, &op),
                Action::Offload { ticket, job } => {
                    let result = job();
                    self.call(Event::JobDone { ticket, result });
                }
                _ => {}
            }
        }
    }

    /// Files take whatever is written, and there are none to be read.
    fn file(&mut self, ticket: Ticket, op: &FileOp) {
        let result = match op {
            FileOp::Open { mode: machine::OpenMode::Read, .. } | FileOp::Read { .. } => {
                Err(FileError { kind: FileErrorKind::NotFound, text: "no such file".into() })
            }
            FileOp::Open { .. } => Ok(FileOutput::Opened { len: 0 }),
            _ => Ok(FileOutput::Done),
        };
        self.call(Event::FileDone { ticket, result });
    }
}

fn peer() -> Peer {
    let at = PEER.parse().expect("an address");
    Peer::Tcp { remote: at, local: at }
}
