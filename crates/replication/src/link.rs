//! The replica's end: the link to its primary.
//!
//! ```text
//! rest ─► resolve ─► connect ─► greet ─► introduce ─► ask ─┬─► receive ─► load ─► follow
//!   ▲                                                     └──────────────────────► follow
//!   └──────────────────────── any failure ──────────────────────────────────────────┘
//! ```
//!
//! The owner of the data hands bytes of the link's connection to [`Link::received`] until it
//! answers [`Notice::More`], does what each [`Notice`] says, and applies the stream itself once the
//! link follows.

use crate::identity::ReplicationId;
use crate::receive::{Part, Receive};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use machine::{Action, ConnId, Instant, Level, Out, Span, Token};

/// Where the primary is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
}

/// What a replica says of itself, and how long it waits.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// The port we say we listen on.
    pub port: u16,
    /// `bind-source-addr`, if it is an address.
    pub source: Option<IpAddr>,
    /// `replica-announce-ip`.
    pub announce_ip: Option<String>,
    /// `masteruser`.
    pub user: Option<String>,
    /// `masterauth`.
    pub password: Option<String>,
    /// `repl-timeout`.
    pub timeout: Span,
    /// The other end is asked to become a primary, in whose history we then go on.
    pub failover: bool,
}

/// What the owner of the data has to do.
#[derive(PartialEq, Eq, Debug)]
pub enum Notice<'b> {
    /// Nothing more can be made of the bytes at hand.
    More,
    /// Go on with the bytes that are left.
    Again,
    /// A snapshot of a history follows.
    Full(Offer),
    /// Bytes of the snapshot.
    Snapshot(&'b [u8]),
    /// The last bytes of the snapshot. Load it, then say [`Link::loaded`].
    SnapshotEnd(&'b [u8]),
    /// The stream goes on from our position; under a new id if there is one.
    Continue(Option<ReplicationId>),
    /// The link is down; it will be tried again.
    Down,
    /// As [`Notice::Down`]: the other end refused to let us have its stream. Whether because it
    /// is a primary already, and was asked to become one.
    Rejected(bool),
}

/// What a primary offers instead of going on from our position.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Offer {
    /// The history of its snapshot.
    pub id: ReplicationId,
    /// Its position in it.
    pub position: u64,
    /// It is one of ours, and a primary itself: what it lost of another history can be seen by its
    /// position. Who only passes a history on has been told which one to follow.
    pub holdfast: bool,
}

/// How much of a snapshot has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Progress {
    /// Its length in bytes, if that was said.
    pub total: Option<u64>,
    /// Bytes that have come.
    pub read: u64,
}

/// See the module's documentation.
#[derive(Debug)]
pub struct Link {
    target: Target,
    state: State,
    /// When the state began, or the last byte came.
    heard: Instant,
    /// When it went down, if it was up.
    down_since: Option<Instant>,
    /// When we last showed to be alive while receiving or loading.
    newline: Instant,
    /// When we last told the primary how far we are.
    acked: Instant,
    /// Since when a primary of another make may not have seen that we have its snapshot.
    unseen: Option<Instant>,
    tokens: u64,
    /// It has followed this primary before.
    met: bool,
    progress: Progress,
    /// The snapshot is from one of ours.
    holdfast: bool,
    /// How long it rests after an offer that we refused.
    reserve: Span,
    /// Where it comes from, if not anywhere.
    source: Option<IpAddr>,
}

#[derive(Debug)]
enum State {
    Resting { until: Instant },
    Resolving(Token),
    Connecting(Token),
    Greeting(ConnId),
    Introducing { conn: ConnId, awaited: Vec<Line> },
    Asking(ConnId),
    Receiving(ConnId, Receive),
    Loading(ConnId),
    Following(ConnId),
}

/// A reply that the introduction awaits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Line {
    Auth,
    Replconf,
}

/// Between attempts.
const RETRY: Span = Span::secs(1);
/// Between attempts, while what is offered is refused, at most.
const LONGEST: Span = Span::secs(16);
/// Between signs of life.
const ALIVE: Span = Span::secs(1);
/// The same while nothing of the stream has come after a snapshot. Redis begins the stream when it
/// is told of a position, and overhears it while the process that wrote the snapshot has not ended;
/// until then whatever it acknowledges to its clients is with it alone.
const INSIST: Span = Span::millis(50);
/// For so long: there may be nothing to send.
const INSIST_FOR: Span = Span::secs(3);
/// What our primaries add to their offers to our replicas; others do not look so far.
const OURS: &[u8] = b"holdfast";
/// A line of the handshake is shorter than this.
const LINE_MAX: usize = 1024;

impl Link {
    /// A link to `target`, to be tried at once. `tokens` is where its connect tokens start.
    pub fn new(target: Target, now: Instant, tokens: u64) -> Self {
        Link {
            target,
            state: State::Resting { until: now },
            heard: now,
            down_since: Some(now),
            newline: now,
            acked: now,
            unseen: None,
            tokens,
            met: false,
            progress: Progress::default(),
            holdfast: false,
            reserve: RETRY,
            source: None,
        }
    }

    /// Our data is from this primary, by way of a file: it is not the first meeting.
    pub fn meet(&mut self) {
        self.met = true;
    }

    /// Where it leads.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The connection, if there is one.
    pub fn conn(&self) -> Option<ConnId> {
        match &self.state {
            State::Resting { .. } | State::Resolving(_) | State::Connecting(_) => None,
            State::Greeting(conn)
            | State::Introducing { conn, .. }
            | State::Asking(conn)
            | State::Receiving(conn, _)
            | State::Loading(conn)
            | State::Following(conn) => Some(*conn),
        }
    }

    /// Whether the stream is being applied.
    pub fn is_following(&self) -> bool {
        matches!(self.state, State::Following(_))
    }

    /// Whether a snapshot is being received or loaded.
    pub fn is_syncing(&self) -> bool {
        matches!(self.state, State::Receiving(..) | State::Loading(_))
    }

    /// How much of the snapshot has come, while one is on its way.
    pub fn progress(&self) -> Option<Progress> {
        matches!(self.state, State::Receiving(..)).then_some(self.progress)
    }

    /// Whether it has followed this primary before.
    pub fn has_met(&self) -> bool {
        self.met
    }

    /// Whether the other end has been asked for its stream and has not answered.
    pub fn is_asking(&self) -> bool {
        matches!(self.state, State::Asking(_))
    }

    /// The word ROLE shows.
    pub fn state_name(&self) -> &'static str {
        match self.state {
            State::Resting { .. } | State::Resolving(_) => "connect",
            State::Connecting(_) => "connecting",
            State::Greeting(_) | State::Introducing { .. } | State::Asking(_) => "handshake",
            State::Receiving(..) | State::Loading(_) => "sync",
            State::Following(_) => "connected",
        }
    }

    /// Bytes came over the link while it follows.
    pub fn hear(&mut self, now: Instant) {
        self.heard = now;
        self.unseen = None;
    }

    /// When the last byte came.
    pub fn heard(&self) -> Instant {
        self.heard
    }

    /// Since when it has been down, if it is.
    pub fn down_since(&self) -> Option<Instant> {
        self.down_since
    }

    /// When [`Link::tick`] has something to do at the latest.
    pub fn deadline(&self, terms: &Terms) -> Instant {
        match self.state {
            State::Resting { until } => until,
            State::Receiving(..) | State::Loading(_) => self.newline + ALIVE,
            State::Following(_) => (self.heard + terms.timeout).min(self.acked + self.period()),
            _ => self.heard + terms.timeout,
        }
    }

    /// Does what is due by time: the next attempt, a sign of life, giving up a silent primary.
    /// `position` is how far we are. Whether the link was given up.
    pub fn tick(&mut self, terms: &Terms, position: u64, now: Instant, out: &mut Out) -> bool {
        if let State::Resting { until } = self.state {
            if until <= now {
                self.source = terms.source;
                self.attempt(now, out);
            }
            return false;
        }
        if let State::Receiving(conn, _) | State::Loading(conn) = self.state
            && now.since(self.newline) >= ALIVE
        {
            self.newline = now;
            out.queue(conn, b"\n");
        }
        if now.since(self.acked) >= self.period() {
            self.acknowledge(position, now, out);
        }
        // Loading is our own slowness, not the primary's silence.
        let silent = now.since(self.heard) > terms.timeout;
        if silent && !matches!(self.state, State::Loading(_)) {
            let what = if self.is_following() {
                "MASTER timeout: no data nor PING received..."
            } else {
                "Timeout connecting to the MASTER..."
            };
            out.log(Level::Warning, format_args!("{what}"));
            self.drop_link(now, out);
            return true;
        }
        false
    }

    /// Between acknowledgements when nothing comes.
    fn period(&self) -> Span {
        let insists = |since: Instant| self.acked.since(since) < INSIST_FOR;
        if self.unseen.is_some_and(insists) { INSIST } else { ALIVE }
    }

    fn attempt(&mut self, now: Instant, out: &mut Out) {
        let Target { host, port } = &self.target;
        out.log(Level::Notice, format_args!("Connecting to MASTER {host}:{port}"));
        self.heard = now;
        self.tokens += 1;
        let token = Token(self.tokens);
        if let Ok(ip) = host.parse() {
            return self.connect(ip, token, out);
        }
        out.act(Action::Resolve { token, host: host.clone() });
        self.state = State::Resolving(token);
    }

    fn connect(&mut self, ip: IpAddr, token: Token, out: &mut Out) {
        out.act(Action::Connect {
            token,
            to: SocketAddr::new(ip, self.target.port),
            from: self.source,
        });
        self.state = State::Connecting(token);
    }

    /// The look-up of the primary's name ended.
    pub fn resolved(&mut self, token: Token, addresses: &[IpAddr], now: Instant, out: &mut Out) {
        if !matches!(self.state, State::Resolving(t) if t == token) {
            return;
        }
        match addresses.first() {
            Some(ip) => self.connect(*ip, token, out),
            None => {
                let host = &self.target.host;
                out.log(Level::Warning, format_args!("Unable to resolve MASTER '{host}'"));
                self.rest(now);
            }
        }
    }

    /// The attempt to connect failed.
    pub fn connect_failed(
        &mut self,
        token: Token,
        why: machine::NetError,
        now: Instant,
        out: &mut Out,
    ) {
        if matches!(self.state, State::Connecting(t) if t == token) {
            out.log(Level::Warning, format_args!("Error condition on socket for SYNC: {why}"));
            self.rest(now);
        }
    }

    /// The attempt to connect succeeded; whether the connection is the link's.
    pub fn connected(&mut self, token: Token, conn: ConnId, now: Instant, out: &mut Out) -> bool {
        if !matches!(self.state, State::Connecting(t) if t == token) {
            return false;
        }
        out.log(Level::Notice, format_args!("Non blocking connect for SYNC fired the event."));
        out.queue(conn, crate::PING);
        self.heard = now;
        self.state = State::Greeting(conn);
        true
    }

    /// The link's connection ended.
    pub fn closed(&mut self, now: Instant, out: &mut Out) {
        if matches!(self.state, State::Following(_)) {
            out.log(Level::Notice, format_args!("Connection with master lost."));
        }
        self.rest(now);
    }

    /// Ends the connection and tries again later.
    pub fn drop_link(&mut self, now: Instant, out: &mut Out) {
        if let Some(conn) = self.conn() {
            out.close(conn);
        }
        self.rest(now);
    }

    /// As [`Link::drop_link`], after an offer that we do not take: the next one will hardly be
    /// better, and costs the other end something each time.
    pub fn decline(&mut self, now: Instant, out: &mut Out) {
        self.drop_link(now, out);
        self.state = State::Resting { until: now + self.reserve };
        self.reserve = Span(self.reserve.0 * 2).min(LONGEST);
    }

    fn rest(&mut self, now: Instant) {
        self.down_since.get_or_insert(now);
        self.state = State::Resting { until: now + RETRY };
    }

    /// The snapshot has been loaded; the stream can come.
    pub fn loaded(&mut self, position: u64, now: Instant, out: &mut Out) {
        if let State::Loading(conn) = self.state {
            self.follow(conn, now);
            self.unseen = Some(now).filter(|_| !self.holdfast);
            self.acknowledge(position, now, out);
            out.act(Action::ResumeReads { conn });
        }
    }

    fn follow(&mut self, conn: ConnId, now: Instant) {
        self.heard = now;
        self.down_since = None;
        self.met = true;
        self.reserve = RETRY;
        self.state = State::Following(conn);
    }

    /// Tells the primary how far we are.
    pub fn acknowledge(&mut self, position: u64, now: Instant, out: &mut Out) {
        if let State::Following(conn) = self.state {
            self.acked = now;
            let mut digits = itoa::Buffer::new();
            let position = digits.format(position);
            let ack = format!(
                "*3\r\n$8\r\nREPLCONF\r\n$3\r\nACK\r\n${}\r\n{position}\r\n",
                position.len()
            );
            out.queue(conn, ack.as_bytes());
        }
    }

    /// Bytes of the link's connection while it is not following: how many were taken, and what to
    /// do. `at` is the history and position we have, if any.
    pub fn received<'b>(
        &mut self,
        bytes: &'b [u8],
        terms: &Terms,
        at: Option<(ReplicationId, u64)>,
        now: Instant,
        out: &mut Out,
    ) -> (usize, Notice<'b>) {
        self.heard = now;
        if let State::Receiving(conn, receive) = &mut self.state {
            let (taken, part) = receive.step(bytes);
            match (&part, &*receive) {
                (Part::Begun, Receive::Length(len)) => self.progress.total = Some(*len),
                (Part::Bytes(bytes) | Part::Last(bytes), _) => {
                    self.progress.read += bytes.len() as u64;
                }
                _ => {}
            }
            let notice = match part {
                Part::None => Notice::More,
                Part::Begun => Notice::Again,
                Part::Bytes(bytes) => Notice::Snapshot(bytes),
                Part::Last(bytes) => {
                    // What follows is the stream; it waits until there is data to apply it to.
                    out.act(Action::PauseReads { conn: *conn });
                    self.state = State::Loading(*conn);
                    Notice::SnapshotEnd(bytes)
                }
                Part::Bad => self.bad("Bad protocol from MASTER, no bulk header", now, out),
            };
            return (taken, notice);
        }
        if matches!(self.state, State::Loading(_)) {
            return (0, Notice::More);
        }
        let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
            if bytes.len() > LINE_MAX {
                return (0, self.bad("MASTER sent an endless line", now, out));
            }
            return (0, Notice::More);
        };
        let line = bytes[..end].strip_suffix(b"\r").unwrap_or(&bytes[..end]);
        (end + 1, self.line(line, terms, at, now, out))
    }

    fn line<'b>(
        &mut self,
        line: &[u8],
        terms: &Terms,
        at: Option<(ReplicationId, u64)>,
        now: Instant,
        out: &mut Out,
    ) -> Notice<'b> {
        match &mut self.state {
            State::Greeting(conn) => {
                let conn = *conn;
                let known = [&b"-NOAUTH"[..], b"-NOPERM", b"-ERR operation not permitted"];
                if line.first() != Some(&b'+') && !known.iter().any(|k| line.starts_with(k)) {
                    return self.refused("Error reply to PING from master", line, now, out);
                }
                out.log(
                    Level::Notice,
                    format_args!("Master replied to PING, replication can continue..."),
                );
                let awaited = introduce(conn, terms, out);
                self.state = State::Introducing { conn, awaited };
                Notice::Again
            }
            State::Introducing { conn, awaited } => {
                let conn = *conn;
                if line.first() == Some(&b'-') && awaited.first() == Some(&Line::Auth) {
                    return self.refused("Unable to AUTH to MASTER", line, now, out);
                }
                // An old primary may not know a REPLCONF; it still can replicate.
                awaited.remove(0);
                if awaited.is_empty() {
                    ask(conn, at, terms.failover, out);
                    self.state = State::Asking(conn);
                }
                Notice::Again
            }
            State::Asking(_) if line.is_empty() => Notice::Again,
            State::Asking(conn) => {
                let conn = *conn;
                self.answer(conn, line, now, out)
            }
            _ => Notice::More,
        }
    }

    /// The primary's answer to PSYNC.
    fn answer<'b>(&mut self, conn: ConnId, line: &[u8], now: Instant, out: &mut Out) -> Notice<'b> {
        let mut words = line.split(|byte| *byte == b' ');
        match words.next() {
            Some(b"+FULLRESYNC") => {
                let id = words.next().and_then(ReplicationId::parse);
                let position = words.next().and_then(wire::number::parse_u64);
                let (Some(id), Some(position)) = (id, position) else {
                    return self.refused("Master replied with wrong +FULLRESYNC", line, now, out);
                };
                out.log(Level::Notice, format_args!("Full resync from master: {id}:{position}"));
                let holdfast = words.next() == Some(OURS);
                self.holdfast = holdfast;
                self.newline = now;
                self.progress = Progress::default();
                self.state = State::Receiving(conn, Receive::Header);
                Notice::Full(Offer { id, position, holdfast })
            }
            Some(b"+CONTINUE") => {
                out.log(
                    Level::Notice,
                    format_args!(
                        "Successful partial resynchronization with master; no dataset reload needed"
                    ),
                );
                self.follow(conn, now);
                Notice::Continue(words.next().and_then(ReplicationId::parse))
            }
            _ => {
                let primary = line.starts_with(b"-ERR PSYNC FAILOVER can't be sent to a master");
                self.refused("Master is currently unable to PSYNC", line, now, out);
                Notice::Rejected(primary)
            }
        }
    }

    fn refused<'b>(&mut self, what: &str, line: &[u8], now: Instant, out: &mut Out) -> Notice<'b> {
        let line = String::from_utf8_lossy(line).to_string();
        self.bad(&format!("{what}: {line}"), now, out)
    }

    fn bad<'b>(&mut self, what: &str, now: Instant, out: &mut Out) -> Notice<'b> {
        out.log(Level::Warning, format_args!("{what}"));
        self.drop_link(now, out);
        Notice::Down
    }
}

/// Sends who we are; the replies to await.
fn introduce(conn: ConnId, terms: &Terms, out: &mut Out) -> Vec<Line> {
    let mut awaited = Vec::new();
    match (&terms.user, &terms.password) {
        (Some(user), Some(password)) => {
            say(conn, &["AUTH", user, password], out);
            awaited.push(Line::Auth);
        }
        (None, Some(password)) => {
            say(conn, &["AUTH", password], out);
            awaited.push(Line::Auth);
        }
        _ => {}
    }
    say(conn, &["REPLCONF", "listening-port", &terms.port.to_string()], out);
    awaited.push(Line::Replconf);
    if let Some(ip) = &terms.announce_ip {
        say(conn, &["REPLCONF", "ip-address", ip], out);
        awaited.push(Line::Replconf);
    }
    say(conn, &["REPLCONF", "capa", "eof", "capa", "psync2", "capa", "holdfast"], out);
    awaited.push(Line::Replconf);
    awaited
}

fn ask(conn: ConnId, at: Option<(ReplicationId, u64)>, failover: bool, out: &mut Out) {
    match at {
        Some((id, position)) => {
            // On the wire a position is the number of the next byte, counted from one.
            let next = (position + 1).to_string();
            out.log(
                Level::Notice,
                format_args!("Trying a partial resynchronization (request {id}:{next})."),
            );
            let words = ["PSYNC", id.as_str(), &next, "FAILOVER"];
            say(conn, &words[..if failover { 4 } else { 3 }], out);
        }
        None => {
            out.log(
                Level::Notice,
                format_args!("Partial resynchronization not possible (no cached master)"),
            );
            say(conn, &["PSYNC", "?", "-1"], out);
        }
    }
}

fn say(conn: ConnId, words: &[&str], out: &mut Out) {
    let mut text = format!("*{}\r\n", words.len());
    for word in words {
        text.push_str(&format!("${}\r\n{word}\r\n", word.len()));
    }
    out.queue(conn, text.as_bytes());
}
