//! One client connection, and all of them.

use crate::gate;
use crate::transaction::Transaction;
use core::net::SocketAddr;
use machine::{ConnId, Instant, Peer};
use std::collections::BTreeMap;
use std::io::Write;
use std::ops::RangeInclusive;
use wire::number;
use wire::reply::Protocol;
use wire::request::Decoder;

/// What a server knows of one client.
pub struct Session {
    /// Reads its requests.
    pub decoder: Decoder,
    /// RESP version.
    pub protocol: Protocol,
    /// Selected database.
    pub db: u32,
    /// Gates closed for this session alone (see [`gate`]).
    pub closed: u32,
    /// Number that CLIENT ID answers; rises over the server's life.
    pub id: u64,
    /// Its connection.
    pub conn: ConnId,
    /// Both ends.
    pub peer: Peer,
    /// When it connected.
    pub since: Instant,
    /// When its last request came.
    pub active: Instant,
    /// What it calls itself.
    pub label: Label,
    /// The last command's full name.
    pub last: Option<wire::command::CommandId>,
    /// Position of the replication stream after its last write, for WAIT.
    pub written: u64,
    /// What it has asked for that is not the rule.
    pub modes: Modes,
    /// MULTI and WATCH.
    pub transaction: Transaction,
    /// Why none of its next requests is run now.
    pub waiting: Waiting,
    /// No more requests are read; the connection closes when its output is written.
    pub closing: bool,
}

/// What a session may wait for before its next request is run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Awaited {
    /// Enough replicas have a write: WAIT.
    Replicas,
    /// The end of CLIENT PAUSE, or of the reasons we have to hold requests back.
    Pause,
    /// A save has ended: SAVE and SHUTDOWN.
    Save,
    /// The configuration file is written: CONFIG REWRITE.
    Rewrite,
    /// The server listens elsewhere: CONFIG SET of an address.
    Listeners,
    /// The control plane has answered: CLUSTER.
    Cluster,
    /// A snapshot holds less of what was overwritten beside it.
    Memory,
    /// All clients are listed: CLIENT LIST.
    Listing,
    /// The system knows how soon to end us: CONFIG SET of `oom-score-adj`.
    Score,
    /// Keys have arrived elsewhere: MIGRATE.
    Target,
    /// Keys that a request would change are no longer on their way.
    Keys,
}

/// All that a session waits for. It goes on when nothing is left of it, not before: one who ends
/// one of the waits knows nothing of the others.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Waiting(u16);

impl Waiting {
    /// Whether it waits for anything.
    #[inline]
    pub fn is_on(self) -> bool {
        self.0 != 0
    }

    /// Whether it waits for this.
    pub fn is_for(self, what: Awaited) -> bool {
        self.0 & 1 << what as u8 != 0
    }

    /// Begins to wait.
    pub fn begin(&mut self, what: Awaited) {
        self.0 |= 1 << what as u8;
    }

    /// Ends a wait; whether nothing is left to wait for.
    pub fn end(&mut self, what: Awaited) -> bool {
        self.0 &= !(1 << what as u8);
        self.0 == 0
    }
}

/// Whether somebody is on this host, and says so by a loopback address.
pub fn is_local(peer: &Peer) -> bool {
    match peer {
        Peer::Tcp { remote, .. } => remote.ip().to_canonical().is_loopback(),
        Peer::Unix { .. } => true,
    }
}

/// One end of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// The client's.
    Remote,
    /// Ours.
    Local,
}

/// Appends an end of a connection as Redis writes it: see [`Session::remote`].
pub(crate) fn write_end(peer: &Peer, side: Side, text: &mut Vec<u8>) {
    let address = match (peer, side) {
        (Peer::Tcp { remote, .. }, Side::Remote) => remote,
        (Peer::Tcp { local, .. }, Side::Local) => local,
        (Peer::Unix { path }, _) => {
            text.extend_from_slice(path.as_bytes());
            return text.extend_from_slice(b":0");
        }
    };
    match address {
        SocketAddr::V4(address) => {
            for (index, part) in address.ip().octets().into_iter().enumerate() {
                if index > 0 {
                    text.push(b'.');
                }
                number::write_u64(u64::from(part), text);
            }
            text.push(b':');
            number::write_u64(u64::from(address.port()), text);
        }
        // Writing to a Vec cannot fail.
        SocketAddr::V6(address) => drop(write!(text, "{address}")),
    }
}

/// What a client calls itself.
#[derive(Clone, Default, Debug)]
pub struct Label {
    /// CLIENT SETNAME.
    pub name: String,
    /// CLIENT SETINFO LIB-NAME and LIB-VER.
    pub library: [String; 2],
}

/// What a session has asked for that is not the rule.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Modes {
    /// READONLY was said: a cluster replica may answer reads.
    pub readonly: bool,
    /// Which replies it wants.
    pub replies: Replies,
    /// CLIENT NO-EVICT.
    pub no_evict: bool,
    /// CLIENT NO-TOUCH.
    pub no_touch: bool,
    /// MONITOR: it is shown all commands.
    pub monitor: bool,
    /// ASKING: its next command may use a slot that is being taken over.
    pub asking: bool,
    /// PSYNC: it is a replica, and sent the stream.
    pub replica: bool,
}

/// Which replies a session wants.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub enum Replies {
    /// All.
    #[default]
    All,
    /// None: CLIENT REPLY OFF.
    None,
    /// All but the next one: CLIENT REPLY SKIP was said just now.
    SkipNext,
    /// All but that of the command at hand.
    Skip,
}

impl Session {
    fn new(id: u64, conn: ConnId, peer: Peer, now: Instant, authenticated: bool) -> Self {
        Session {
            decoder: Decoder::new(),
            protocol: Protocol::Resp2,
            db: 0,
            closed: if authenticated { 0 } else { gate::AUTH },
            id,
            conn,
            peer,
            since: now,
            active: now,
            label: Label::default(),
            last: None,
            written: 0,
            modes: Modes::default(),
            transaction: Transaction::default(),
            waiting: Waiting::default(),
            closing: false,
        }
    }

    /// Whether a required password was given.
    pub fn is_authenticated(&self) -> bool {
        self.closed & gate::AUTH == 0
    }

    /// Closes or opens gates of this session.
    pub fn set_closed(&mut self, gates: u32, closed: bool) {
        if closed {
            self.closed |= gates;
        } else {
            self.closed &= !gates;
        }
    }

    /// Whether the client is on this host, and says so by a loopback address.
    pub fn is_local(&self) -> bool {
        is_local(&self.peer)
    }

    /// The other end as Redis writes it: `127.0.0.1:50000`, or the socket's path and `:0`.
    pub fn remote(&self) -> String {
        let mut text = Vec::new();
        write_end(&self.peer, Side::Remote, &mut text);
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Whether that end of its connection is written so.
    pub fn is_at(&self, side: Side, address: &str) -> bool {
        // The longest written IPv6 address fits, so that asking many sessions allocates once each
        // at the most.
        let mut text = Vec::with_capacity(64);
        write_end(&self.peer, side, &mut text);
        text == address.as_bytes()
    }

    /// Back to the state of a new connection, as RESET does. The caller has ended its transaction.
    pub fn reset(&mut self, authenticated: bool) {
        self.protocol = Protocol::Resp2;
        self.db = 0;
        self.label.name.clear();
        self.modes = Modes::default();
        self.closed = if authenticated { 0 } else { gate::AUTH };
    }

    /// Closes the gates that its modes and its transaction ask for, and opens the others.
    pub fn set_gates(&mut self) {
        let queueing = self.transaction.queue.is_some();
        self.set_closed(gate::QUEUED | gate::SINGLE, queueing);
        let modes = &self.modes;
        let special = modes.replies != Replies::All || modes.no_touch || modes.replica;
        let special = special || modes.asking;
        self.set_closed(gate::ALL, queueing || special);
        self.set_closed(gate::KEYSPACE, self.modes.monitor || self.modes.replica);
    }
}

/// All sessions, by connection.
#[derive(Default)]
pub struct Sessions {
    by_conn: Vec<Option<Box<Session>>>,
    by_id: BTreeMap<u64, ConnId>,
    last_id: u64,
}

impl Sessions {
    /// Opens a session for a new connection.
    pub fn open(&mut self, conn: ConnId, peer: Peer, now: Instant, authenticated: bool) {
        self.last_id += 1;
        let session = Session::new(self.last_id, conn, peer, now, authenticated);
        let index = conn.0 as usize;
        self.by_id.insert(session.id, conn);
        if index >= self.by_conn.len() {
            self.by_conn.resize_with(index + 1, || None);
        }
        self.by_conn[index] = Some(Box::new(session));
    }

    /// Takes the session out while its requests run; give it back with [`Sessions::put_back`].
    #[inline]
    pub fn take(&mut self, conn: ConnId) -> Option<Box<Session>> {
        self.by_conn.get_mut(conn.0 as usize)?.take()
    }

    /// Gives back what [`Sessions::take`] lent.
    #[inline]
    pub fn put_back(&mut self, session: Box<Session>) {
        let index = session.conn.0 as usize;
        self.by_conn[index] = Some(session);
    }

    /// Ends the session of a closed connection.
    pub fn close(&mut self, conn: ConnId) -> Option<Box<Session>> {
        let session = self.take(conn)?;
        self.by_id.remove(&session.id);
        Some(session)
    }

    /// A session by its connection.
    pub fn get(&self, conn: ConnId) -> Option<&Session> {
        self.by_conn.get(conn.0 as usize)?.as_deref()
    }

    /// A session by its connection, for changing.
    pub fn get_mut(&mut self, conn: ConnId) -> Option<&mut Session> {
        self.by_conn.get_mut(conn.0 as usize)?.as_deref_mut()
    }

    /// All sessions in the order they were opened, without one that is taken out.
    pub fn iter(&self) -> impl Iterator<Item = &Session> {
        self.by_id.values().filter_map(|conn| self.by_conn.get(conn.0 as usize)?.as_deref())
    }

    /// The session of this id, if it is not taken out.
    pub fn by_id(&self, id: u64) -> Option<&Session> {
        self.get(*self.by_id.get(&id)?)
    }

    /// The sessions with these ids, in their order, with those ids; `None` for one that is taken
    /// out.
    pub fn range(&self, ids: RangeInclusive<u64>) -> impl Iterator<Item = (u64, Option<&Session>)> {
        self.by_id.range(ids).map(|(id, conn)| (*id, self.get(*conn)))
    }

    /// The highest id that was given out.
    pub fn last_id(&self) -> u64 {
        self.last_id
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }
}
