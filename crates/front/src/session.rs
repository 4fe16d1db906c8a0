//! One client connection, and all of them.

use crate::gate;
use crate::transaction::Transaction;
use machine::{ConnId, Instant, Peer};
use std::collections::BTreeMap;
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
    /// Its request is being worked on over several turns; nothing more is read meanwhile.
    pub waiting: bool,
    /// No more requests are read; the connection closes when its output is written.
    pub closing: bool,
}

/// Whether somebody is on this host, and says so by a loopback address.
pub fn is_local(peer: &Peer) -> bool {
    match peer {
        Peer::Tcp { remote, .. } => remote.ip().to_canonical().is_loopback(),
        Peer::Unix { .. } => true,
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
            waiting: false,
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
        match &self.peer {
            Peer::Tcp { remote, .. } => remote.to_string(),
            Peer::Unix { path } => format!("{path}:0"),
        }
    }

    /// Our end, written likewise.
    pub fn local(&self) -> String {
        match &self.peer {
            Peer::Tcp { local, .. } => local.to_string(),
            Peer::Unix { path } => format!("{path}:0"),
        }
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

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }
}
