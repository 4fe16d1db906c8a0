//! A cluster client that raises counters, one request at a time, and remembers what was answered.
//!
//! It follows MOVED, asks for the slots again when something fails, and gives a reply half a
//! second. A request without a reply may have been carried out or not.

use crate::server::{PORT, View, ip};
use machine::{Action, ConnId, Event, Instant, Machine, Now, Out, Span, Token};
use sim::Chance;
use sim::desk::{request, take};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::LazyLock;
use wire::slot::{SLOTS, slot};
use wire::value::Value;

/// Counters of a client lie in so many slots, which all clients have in common.
pub(crate) const TAGS: usize = 12;
/// How long a reply may take.
const PATIENCE: Span = Span::millis(500);
/// How long to rest after something failed.
const PAUSE: Span = Span::millis(40);

/// The name of a client's counter in the slot of `tag`.
pub(crate) fn key(client: usize, tag: usize) -> String {
    format!("c{client}:{{t{tag}}}")
}

/// The slot of a tag.
pub(crate) fn slot_of(tag: usize) -> u16 {
    static SLOTS_OF: LazyLock<Vec<u16>> =
        LazyLock::new(|| (0..TAGS).map(|tag| slot(key(0, tag).as_bytes())).collect());
    SLOTS_OF[tag]
}

/// A write that was acknowledged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ack {
    pub(crate) client: usize,
    pub(crate) tag: usize,
    /// What INCR answered.
    pub(crate) value: i64,
    /// Who answered, and the epoch of its claim then.
    pub(crate) server: usize,
    pub(crate) epoch: u64,
    pub(crate) sent: u64,
    pub(crate) at: u64,
}

/// What clients have done, for the checkers.
#[derive(Default)]
pub(crate) struct Journal {
    pub(crate) acks: Vec<Ack>,
    /// How often each counter may have been raised at most.
    pub(crate) attempts: BTreeMap<(usize, usize), i64>,
    /// The latest reply that was an error, by client and tag.
    pub(crate) refusals: BTreeMap<(usize, usize), String>,
    /// Nobody raises anything any more.
    pub(crate) hush: bool,
}

enum State {
    Rest,
    /// Waits for a connection, then sends.
    Calling(Asked),
    Waiting(Asked),
}

#[derive(Clone, Copy)]
enum Asked {
    Slots,
    Raise { tag: usize, sent: u64 },
}

/// See the module's documentation.
pub(crate) struct Raiser {
    number: usize,
    journal: Rc<RefCell<Journal>>,
    views: Vec<Rc<RefCell<View>>>,
    chance: Chance,
    /// The longest rest between two requests.
    rest: u64,
    conns: BTreeMap<usize, ConnId>,
    owners: Vec<Option<usize>>,
    state: State,
    /// Whom the request at hand is for.
    target: usize,
    /// Numbers attempts to connect, so that late answers are known.
    calls: u64,
    next: Instant,
}

impl Raiser {
    pub(crate) fn new(
        number: usize,
        seed: u64,
        rest: Span,
        journal: Rc<RefCell<Journal>>,
        views: Vec<Rc<RefCell<View>>>,
    ) -> Self {
        Raiser {
            number,
            journal,
            views,
            chance: Chance::new(seed),
            rest: rest.0,
            conns: BTreeMap::new(),
            owners: Vec::new(),
            state: State::Rest,
            target: 0,
            calls: 0,
            next: Instant(0),
        }
    }

    fn begin(&mut self, now: Now, out: &mut Out) {
        if self.journal.borrow().hush {
            return self.rest(now, PAUSE);
        }
        let tag = self.chance.between(0, TAGS as u64) as usize;
        match self.owners.get(usize::from(slot_of(tag))).copied().flatten() {
            Some(server) => self.ask(now, server, Asked::Raise { tag, sent: 0 }, out),
            None => {
                let server = self.chance.between(0, self.views.len() as u64) as usize;
                self.ask(now, server, Asked::Slots, out);
            }
        }
    }

    fn ask(&mut self, now: Now, server: usize, what: Asked, out: &mut Out) {
        self.target = server;
        self.next = now.mono + PATIENCE;
        match self.conns.get(&server).copied() {
            Some(conn) => self.send(now, conn, what, out),
            None => {
                self.calls += 1;
                self.state = State::Calling(what);
                let to = SocketAddr::new(ip(server), PORT);
                out.act(Action::Connect { token: Token(self.calls), to, from: None });
            }
        }
    }

    fn send(&mut self, now: Now, conn: ConnId, what: Asked, out: &mut Out) {
        let (words, what) = match what {
            Asked::Slots => (String::from("CLUSTER SLOTS"), what),
            Asked::Raise { tag, .. } => {
                *self.journal.borrow_mut().attempts.entry((self.number, tag)).or_default() += 1;
                let words = format!("INCR {}", key(self.number, tag));
                (words, Asked::Raise { tag, sent: now.mono.0 })
            }
        };
        out.queue(conn, &request(&words));
        self.state = State::Waiting(what);
    }

    fn rest(&mut self, now: Now, span: Span) {
        self.state = State::Rest;
        self.next = now.mono + span;
    }

    /// No reply, or no good one: whoever owns the slots now, it is worth asking again.
    fn fail(&mut self, now: Now) {
        self.owners.clear();
        self.rest(now, PAUSE);
    }

    fn reply(&mut self, now: Now, value: &Value, out: &mut Out) {
        let State::Waiting(asked) = std::mem::replace(&mut self.state, State::Rest) else { return };
        match (asked, value) {
            (Asked::Slots, Value::Array(ranges)) => {
                self.owners = owners(ranges);
                let rest = self.chance.between(1, self.rest);
                self.rest(now, Span(rest));
            }
            (Asked::Raise { tag, sent }, Value::Integer(value)) => {
                let epoch = self.views[self.target].borrow().epoch();
                let (client, server) = (self.number, self.target);
                let ack = Ack { client, tag, value: *value, server, epoch, sent, at: now.mono.0 };
                self.journal.borrow_mut().acks.push(ack);
                let rest = self.chance.between(1, self.rest);
                self.rest(now, Span(rest));
            }
            (Asked::Raise { tag, .. }, Value::Error(text)) => match moved(text) {
                Some(server) if server < self.views.len() && server != self.target => {
                    if let Some(owner) = self.owners.get_mut(usize::from(slot_of(tag))) {
                        *owner = Some(server);
                    }
                    self.ask(now, server, asked, out);
                }
                _ => {
                    let text = String::from_utf8_lossy(text).into_owned();
                    self.journal.borrow_mut().refusals.insert((self.number, tag), text);
                    self.fail(now);
                }
            },
            _ => self.fail(now),
        }
    }

    fn closed(&mut self, now: Now, conn: ConnId) {
        let Some(server) = self.conns.iter().find(|(_, c)| **c == conn).map(|(s, _)| *s) else {
            return;
        };
        self.conns.remove(&server);
        if server == self.target && matches!(self.state, State::Waiting(_)) {
            self.fail(now);
        }
    }

    fn wake(&mut self, now: Now, out: &mut Out) {
        match self.state {
            State::Rest => self.begin(now, out),
            State::Calling(_) => self.fail(now),
            State::Waiting(_) => {
                // A late answer must not be taken for that of the next request.
                if let Some(conn) = self.conns.remove(&self.target) {
                    out.close(conn);
                }
                self.fail(now);
            }
        }
    }
}

impl Machine for Raiser {
    fn handle(&mut self, now: Now, event: Event<'_>, out: &mut Out) {
        match event {
            Event::Wake if now.mono >= self.next => self.wake(now, out),
            Event::Connected { conn, token, .. } => {
                let wanted = token.0 == self.calls;
                match self.state {
                    State::Calling(what) if wanted => {
                        self.conns.insert(self.target, conn);
                        self.next = now.mono + PATIENCE;
                        self.send(now, conn, what, out);
                    }
                    _ => out.close(conn),
                }
            }
            Event::ConnectFailed { token, .. }
                if token.0 == self.calls && matches!(self.state, State::Calling(_)) =>
            {
                self.fail(now);
            }
            Event::Closed { conn, .. } => self.closed(now, conn),
            Event::Received { conn, bytes } => match take(bytes) {
                Some((values, taken)) => {
                    out.consumed(taken);
                    if self.conns.get(&self.target) == Some(&conn) {
                        values.iter().for_each(|value| self.reply(now, value, out));
                    }
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

/// The server that a MOVED names.
fn moved(text: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(text).ok()?;
    let place = text.strip_prefix("MOVED ")?.split(' ').nth(1)?;
    server_at(place.rsplit_once(':')?.0)
}

fn server_at(host: &str) -> Option<usize> {
    host.strip_prefix("10.0.0.")?.parse::<usize>().ok()?.checked_sub(1)
}

/// The owners of all slots, as CLUSTER SLOTS tells them.
fn owners(ranges: &[Value]) -> Vec<Option<usize>> {
    let mut owners = vec![None; SLOTS];
    for range in ranges {
        let Value::Array(items) = range else { continue };
        let [Value::Integer(from), Value::Integer(to), Value::Array(node), ..] = &items[..] else {
            continue;
        };
        let host = node.first().and_then(Value::as_bytes).unwrap_or_default();
        let server = std::str::from_utf8(host).ok().and_then(server_at);
        for owner in owners.iter_mut().take(*to as usize + 1).skip(*from as usize) {
            *owner = server;
        }
    }
    owners
}
