//! The connections of a driver, each under its number.

use crate::buffer::{Body, Rest};
use crate::stream::AnyStream;
use machine::{ConnId, Instant, NetError, Token};

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
        }
    }

    /// Whether the machine takes input from it now.
    #[inline]
    pub(crate) fn is_reading(&self) -> bool {
        !self.paused && self.closing.is_none() && self.connecting.is_none()
    }
}

/// All connections. A number becomes free again only when [`Conns::recycle`] says so.
#[derive(Default)]
pub(crate) struct Conns {
    slots: Vec<Option<Conn>>,
    free: Vec<ConnId>,
    /// Numbers whose end the machine has heard of in this turn.
    over: Vec<ConnId>,
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
        self.slots.get_mut(id.0 as usize)?.take()
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
    }

    /// The numbers of all connections.
    pub(crate) fn ids(&self) -> impl Iterator<Item = ConnId> {
        let ids = (0..self.slots.len() as u32).map(ConnId);
        ids.filter(|id| self.slots[id.0 as usize].is_some())
    }
}
