//! The connections of a driver, each under its number.

use crate::buffer::{Body, Rest};
use crate::stream::AnyStream;
use machine::{ConnId, Instant, NetError, TURN_CONNS, Token};
use std::collections::VecDeque;

/// One connection.
pub(crate) struct Conn {
    pub(crate) stream: AnyStream,
    /// Set while it is being made; the machine does not know of it yet.
    pub(crate) connecting: Option<Token>,
    /// Received and not consumed.
    pub(crate) rest: Rest,
    /// An announced body that is arriving.
    pub(crate) body: Option<Body>,
    /// The machine wants no input.
    pub(crate) paused: bool,
    /// The rest is to be offered again though nothing new came.
    pub(crate) offer: bool,
    /// In the list of those to be read next turn.
    pub(crate) ready: bool,
    /// The system told of the end: read until it shows.
    pub(crate) ending: bool,
    /// The system takes no more output until it says so.
    pub(crate) blocked: bool,
    /// In the list of those whose output waits for a gate.
    pub(crate) gated: bool,
    /// The machine asked to hear when all output is gone.
    pub(crate) tell_drained: bool,
    /// Writing failed: output is dropped, and what can be read is read.
    pub(crate) broken: Option<NetError>,
    /// The machine closed it; until then queued output may still be written.
    pub(crate) closing: Option<Instant>,
    /// It is to end without more output, as soon as a turn has room for that.
    pub(crate) dropped: bool,
    /// In the list of those whose end waits for a turn with room.
    pub(crate) departing: bool,
}

impl Conn {
    pub(crate) fn new(stream: AnyStream, connecting: Option<Token>) -> Self {
        Conn {
            stream,
            connecting,
            rest: Rest::default(),
            body: None,
            paused: false,
            offer: false,
            ready: false,
            ending: false,
            blocked: false,
            gated: false,
            tell_drained: false,
            broken: None,
            closing: None,
            dropped: false,
            departing: false,
        }
    }

    /// Whether the machine takes input from it now.
    #[inline]
    pub(crate) fn is_reading(&self) -> bool {
        !self.paused && self.closing.is_none() && self.connecting.is_none()
    }
}

/// All connections. A number becomes free again only when [`Conns::recycle`] says so.
pub(crate) struct Conns {
    slots: Vec<Option<Conn>>,
    free: Vec<ConnId>,
    /// Numbers whose end the machine has heard of in this turn.
    over: Vec<ConnId>,
    /// How many may still end in this turn, and which wait for the next ones.
    ends_left: usize,
    departing: VecDeque<ConnId>,
}

impl Default for Conns {
    fn default() -> Self {
        Conns {
            slots: Vec::new(),
            free: Vec::new(),
            over: Vec::new(),
            ends_left: TURN_CONNS,
            departing: VecDeque::new(),
        }
    }
}

impl Conns {
    /// The number the next connection will have.
    pub(crate) fn next(&mut self) -> ConnId {
        if let Some(id) = self.free.last() {
            return *id;
        }
        let id = ConnId(self.slots.len() as u32);
        self.slots.push(None);
        self.free.push(id);
        id
    }

    /// Puts a connection under [`Conns::next`].
    pub(crate) fn insert(&mut self, conn: Conn) -> ConnId {
        let id = self.next();
        self.free.pop();
        self.slots[id.0 as usize] = Some(conn);
        id
    }

    #[inline]
    pub(crate) fn get(&mut self, id: ConnId) -> Option<&mut Conn> {
        self.slots.get_mut(id.0 as usize)?.as_mut()
    }

    /// Takes a connection out; its number stays taken.
    pub(crate) fn remove(&mut self, id: ConnId) -> Option<Conn> {
        let conn = self.slots.get_mut(id.0 as usize)?.take()?;
        self.ends_left = self.ends_left.saturating_sub(1);
        Some(conn)
    }

    /// Whether one more may end in this turn.
    pub(crate) fn may_end(&self) -> bool {
        self.ends_left > 0
    }

    /// Has a connection wait for a turn in which it may end.
    #[cold]
    pub(crate) fn depart(&mut self, id: ConnId) {
        if let Some(conn) = self.get(id)
            && !std::mem::replace(&mut conn.departing, true)
        {
            self.departing.push_back(id);
        }
    }

    /// Whether any waits for its end.
    pub(crate) fn has_departing(&self) -> bool {
        !self.departing.is_empty()
    }

    /// The next one that waits, if it may end in this turn; whether the machine dropped it.
    pub(crate) fn next_departing(&mut self) -> Option<(ConnId, bool)> {
        while self.may_end() {
            let id = self.departing.pop_front()?;
            // One that is gone may have left its number to another.
            if let Some(conn) = self.get(id).filter(|conn| conn.departing) {
                conn.departing = false;
                return Some((id, conn.dropped));
            }
        }
        None
    }

    /// Whether the machine has heard of as many ends as it may in one turn.
    pub(crate) fn has_told_enough(&self) -> bool {
        self.over.len() >= TURN_CONNS
    }

    /// The machine has heard of the end of `id`.
    pub(crate) fn retire(&mut self, id: ConnId) {
        self.over.push(id);
    }

    /// Frees the retired numbers. Only between turns: within one, an event of the old connection
    /// may still be at hand.
    #[inline]
    pub(crate) fn recycle(&mut self) {
        self.free.append(&mut self.over);
        self.ends_left = TURN_CONNS;
    }

    /// The numbers of all connections.
    pub(crate) fn ids(&self) -> impl Iterator<Item = ConnId> {
        let ids = (0..self.slots.len() as u32).map(ConnId);
        ids.filter(|id| self.slots[id.0 as usize].is_some())
    }
}
