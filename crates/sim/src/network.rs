//! Ordered byte streams between hosts, and what may happen to them.

use crate::world::HostId;
use machine::{ConnId, NetError, Token};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// How much of a stream may be under way or unread at the other end, in bytes.
pub(crate) const WINDOW: usize = 1 << 20;

/// How a link between two hosts behaves, in one direction.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    /// How long a packet takes, in nanoseconds.
    pub latency: u64,
    /// Up to how much longer, drawn for each packet; streams overtake each other then.
    pub jitter: u64,
    /// Bytes a second; none: no limit.
    pub bandwidth: Option<u64>,
}

/// Names a stream.
pub(crate) type StreamId = u64;

/// What a packet carries.
pub(crate) enum Packet {
    Syn,
    SynAck,
    Refused,
    Data(Vec<u8>),
    /// The receiver has taken so many bytes.
    Taken(usize),
    Fin,
    Reset,
    /// A reset from a kernel that never knew the stream: it stands in no order with what was sent
    /// before, of which some may be lost for good.
    Unknown,
}

/// A packet of a stream from its end `from` to the other one.
pub(crate) struct Flight {
    pub(crate) stream: StreamId,
    pub(crate) from: usize,
    /// Its place in the order of that direction.
    pub(crate) number: u64,
    pub(crate) packet: Packet,
}

/// Who holds an end of a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Holder {
    /// Nobody yet: a connect under way.
    Nobody,
    /// Process, its life, and the connection's number there.
    Process(u32, u32, ConnId),
    /// Closed by its process or for it.
    Closed,
    /// Its host lost power: nobody told the other end.
    Vanished,
}

pub(crate) struct End {
    pub(crate) host: HostId,
    pub(crate) holder: Holder,
    pub(crate) address: SocketAddr,
    /// Arrived and not read.
    pub(crate) received: Vec<u8>,
    pub(crate) finished: bool,
    pub(crate) failed: Option<NetError>,
    /// How much may still be sent from here.
    pub(crate) space: usize,
    /// The number of the next packet from here.
    sent: u64,
    /// The number of the next packet to be taken here.
    expected: u64,
    early: BTreeMap<u64, Packet>,
    /// When the last packet from here arrives.
    last_arrival: u64,
    /// A packet to here found the host down.
    pub(crate) lost: bool,
}

pub(crate) struct Stream {
    pub(crate) ends: [End; 2],
    /// The connecting machine's name for it.
    pub(crate) token: Token,
}

impl End {
    pub(crate) fn new(host: HostId, holder: Holder, address: SocketAddr) -> Self {
        End {
            host,
            holder,
            address,
            received: Vec::new(),
            finished: false,
            failed: None,
            space: WINDOW,
            sent: 0,
            expected: 0,
            early: BTreeMap::new(),
            last_arrival: 0,
            lost: false,
        }
    }

    /// Takes in a packet; those that are next in order, if any, come out.
    pub(crate) fn arrive(&mut self, number: u64, packet: Packet) -> Vec<Packet> {
        self.early.insert(number, packet);
        let mut ready = Vec::new();
        while let Some(packet) = self.early.remove(&self.expected) {
            self.expected += 1;
            ready.push(packet);
        }
        ready
    }

    /// Whether anything at all has come from the other end.
    pub(crate) fn heard_of(&self) -> bool {
        self.expected > 0
    }

    /// The number of the next packet from here, and when it arrives: not before the one before.
    pub(crate) fn depart(&mut self, arrival: u64) -> (u64, u64) {
        self.sent += 1;
        self.last_arrival = self.last_arrival.max(arrival);
        (self.sent - 1, self.last_arrival)
    }
}

/// All streams and links.
#[derive(Default)]
pub(crate) struct Network {
    pub(crate) streams: BTreeMap<StreamId, Stream>,
    pub(crate) next: StreamId,
    pub(crate) links: BTreeMap<(HostId, HostId), Link>,
    pub(crate) cuts: BTreeSet<(HostId, HostId)>,
    /// Packets that wait for a cut to heal.
    pub(crate) stalled: Vec<Flight>,
    pub(crate) listeners: BTreeMap<SocketAddr, (u32, u32, Token)>,
    pub(crate) next_port: u16,
}

impl Network {
    pub(crate) fn add(&mut self, stream: Stream) -> StreamId {
        self.next += 1;
        self.streams.insert(self.next, stream);
        self.next
    }

    /// Where a stream's packets from end `from` go: source host, target host.
    pub(crate) fn route(&self, stream: StreamId, from: usize) -> Option<(HostId, HostId)> {
        let ends = &self.streams.get(&stream)?.ends;
        Some((ends[from].host, ends[1 - from].host))
    }

    /// A port for one end of a connection.
    pub(crate) fn port(&mut self) -> u16 {
        self.next_port = if self.next_port < 32768 { 32768 } else { self.next_port + 1 };
        if self.next_port > 60999 {
            self.next_port = 32768;
        }
        self.next_port
    }

    /// Forgets a stream of which neither end is held.
    pub(crate) fn sweep(&mut self, stream: StreamId) {
        let gone = |end: &End| matches!(end.holder, Holder::Closed);
        if self.streams.get(&stream).is_some_and(|s| s.ends.iter().all(gone)) {
            self.streams.remove(&stream);
        }
    }
}
