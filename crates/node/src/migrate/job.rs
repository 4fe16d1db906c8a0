//! One MIGRATE under way.

use super::words::Words;
use machine::{ConnId, Instant, NetError, Out, Token};
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use store::effects::encode;
use store::keyspace::Keyspace;
use store::rdb::Piece;
use store::rdb::lzf::Compressor;
use store::rdb::payload;

const WRITING: &str = "-IOERR error or timeout writing to target instance";
const READING: &str = "-IOERR error or timeout reading to target instance";

/// How much may wait to be sent before the next key is encoded.
pub(super) const AHEAD: usize = 1 << 20;

/// See the module's documentation.
pub(super) struct Job {
    /// Who waits for the answer; none: the client is gone.
    pub(super) asker: Option<ConnId>,
    pub(super) words: Words,
    /// The database the keys are in.
    pub(super) db: u32,
    pub(super) keys: Vec<Arc<[u8]>>,
    /// The same keys.
    pub(super) under_way: BTreeSet<Arc<[u8]>>,
    pub(super) state: State,
    /// How many of the keys were sent, or have vanished before.
    sent: usize,
    /// What the target has yet to answer.
    awaited: VecDeque<Awaited>,
    /// The target has answered something over this connection.
    heard: bool,
    /// Keys that the target has.
    pub(super) arrived: Vec<Arc<[u8]>>,
    /// What the target has refused first.
    refusal: Option<String>,
    /// Its AUTH or SELECT was refused: no key counts as arrived.
    barred: bool,
    /// When the target is given up.
    until: Instant,
    /// It is the second attempt.
    pub(super) again: bool,
}

pub(super) enum State {
    Resolving(Token),
    Connecting(Token),
    Talking(ConnId),
    /// With this reply.
    Over(String),
}

#[derive(Clone, Copy)]
enum Awaited {
    /// AUTH or SELECT.
    Entry,
    /// The key at this place.
    Key(usize),
}

/// How an attempt ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Failure {
    Closed,
    TimedOut,
}

impl Job {
    pub(super) fn new(asker: ConnId, words: Words, db: u32, keys: Vec<Vec<u8>>) -> Self {
        let keys: Vec<Arc<[u8]>> = keys.into_iter().map(Arc::from).collect();
        Job {
            asker: Some(asker),
            words,
            db,
            under_way: keys.iter().cloned().collect(),
            keys,
            state: State::Over(String::new()),
            sent: 0,
            awaited: VecDeque::new(),
            heard: false,
            arrived: Vec::new(),
            refusal: None,
            barred: false,
            until: Instant(0),
            again: false,
        }
    }

    pub(super) fn conn(&self) -> Option<ConnId> {
        match self.state {
            State::Talking(conn) => Some(conn),
            _ => None,
        }
    }

    pub(super) fn is_waiting_for(&self, token: Token) -> bool {
        matches!(self.state, State::Resolving(t) | State::Connecting(t) if t == token)
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self.state, State::Over(_))
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        (!self.is_over()).then_some(self.until)
    }

    /// The target has shown that it lives.
    pub(super) fn hear(&mut self, now: Instant) {
        self.until = now + self.words.timeout;
    }

    /// The connection stands; `selected`: its database, if that is known.
    pub(super) fn greet(&mut self, conn: ConnId, selected: Option<i64>, out: &mut Out) {
        self.state = State::Talking(conn);
        (self.sent, self.heard) = (0, false);
        self.awaited.clear();
        let mut bytes = Vec::new();
        if !self.words.auth.is_empty() {
            let mut args: Vec<&[u8]> = vec![b"AUTH"];
            args.extend(self.words.auth.iter().map(Vec::as_slice));
            encode(&args, &mut bytes);
            self.awaited.push_back(Awaited::Entry);
        }
        if selected != Some(self.words.db) {
            encode(&[b"SELECT", self.words.db.to_string().as_bytes()], &mut bytes);
            self.awaited.push_back(Awaited::Entry);
        }
        out.queue(conn, &bytes);
    }

    /// Sends keys, as many as the target takes in for now.
    pub(super) fn send(&mut self, keyspace: &Keyspace, wall: u64, out: &mut Out) {
        let State::Talking(conn) = self.state else { return };
        while self.sent < self.keys.len() {
            if out.queued(conn) > AHEAD {
                return out.tell_drained(conn);
            }
            let key = &self.keys[self.sent];
            self.sent += 1;
            let Some(entry) = keyspace.find(self.db, key) else { continue };
            let ttl = match entry.expires() {
                None => 0,
                Some(at) if at < wall => continue,
                Some(at) => (at - wall).max(1),
            };
            self.awaited.push_back(Awaited::Key(self.sent - 1));
            let payload = payload::encode(entry.view(), Some(&mut Compressor::new()));
            let name = if keyspace.is_slotted() { "RESTORE-ASKING" } else { "RESTORE" };
            let count = if self.words.replace { 5 } else { 4 };
            let ttl = ttl.to_string();
            let mut head = format!("*{count}\r\n${}\r\n{name}\r\n", name.len()).into_bytes();
            head.extend_from_slice(format!("${}\r\n", key.len()).as_bytes());
            head.extend_from_slice(key);
            let rest = format!("\r\n${}\r\n{ttl}\r\n${}\r\n", ttl.len(), payload.len());
            head.extend_from_slice(rest.as_bytes());
            out.queue(conn, &head);
            for piece in payload {
                match piece {
                    Piece::Own(bytes) => out.queue(conn, &bytes),
                    Piece::Shared(page) => {
                        out.chunk(conn, page.bytes, page.start..page.start + page.len);
                    }
                }
            }
            out.queue(conn, if self.words.replace { b"\r\n$7\r\nREPLACE\r\n" } else { b"\r\n" });
        }
    }

    /// A line of the target; whether one was awaited.
    pub(super) fn answered(&mut self, line: &[u8]) -> bool {
        let Some(awaited) = self.awaited.pop_front() else { return false };
        self.heard = true;
        let refused = line.first() == Some(&b'-');
        if refused && self.refusal.is_none() {
            let text = String::from_utf8_lossy(&line[1..]).into_owned();
            self.refusal = Some(text);
        }
        match awaited {
            Awaited::Entry => self.barred |= refused,
            Awaited::Key(at) if !refused && !self.barred => {
                self.arrived.push(Arc::clone(&self.keys[at]));
            }
            Awaited::Key(_) => {}
        }
        true
    }

    /// Whether the target has answered all there is.
    pub(super) fn is_answered(&self) -> bool {
        self.awaited.is_empty() && self.sent == self.keys.len()
    }

    /// Whether the connection's database is the one that was selected.
    pub(super) fn is_selected(&self) -> bool {
        self.refusal.is_none()
    }

    /// All is answered: what the client will be told.
    pub(super) fn end(&mut self) {
        let refusal = self.refusal.take();
        self.state = State::Over(match refusal {
            None => String::from("+OK"),
            Some(text) => format!("-ERR Target instance replied with error: {text}"),
        });
    }

    /// The target cannot be reached. Who is refused learns that in Redis as it writes.
    pub(super) fn end_unconnected(&mut self, why: Option<NetError>) {
        self.state = State::Over(String::from(match why {
            Some(NetError::Refused | NetError::Reset) => WRITING,
            _ => "-IOERR error or timeout connecting to the client",
        }));
    }

    /// The connection is lost; whether to try once more.
    pub(super) fn end_lost(&mut self, failure: Failure, unsent: bool) -> bool {
        let Some(_) = self.conn() else { return false };
        if failure == Failure::Closed && !self.heard && !self.again {
            self.again = true;
            return true;
        }
        if self.refusal.is_some() {
            self.end();
            return false;
        }
        let unsent = unsent || self.sent < self.keys.len();
        self.state = State::Over(String::from(if unsent { WRITING } else { READING }));
        false
    }
}
