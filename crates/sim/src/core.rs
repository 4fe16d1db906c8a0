//! What all processes of a world share: time, chance, the queue of events, network and disks.

use crate::chance::Chance;
use crate::disk::Disk;
use crate::network::{Flight, Holder, Link, Network, Packet, StreamId};
use crate::process::Incoming;
use crate::transcript::Entry;
use crate::world::HostId;
use machine::{Address, FileOp, Instant, Letter, Now, Ticket, UnixMicros};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// The wall clock when a world begins: 2026-01-01.
const EPOCH: u64 = 1_767_225_600_000_000;
/// Virtual time when a world begins: not zero, so that machines may look back.
pub(crate) const BEGINNING: u64 = 1_000_000_000;

pub(crate) struct Host {
    pub(crate) name: String,
    pub(crate) ip: IpAddr,
    pub(crate) up: bool,
    pub(crate) disk: Disk,
    /// How far its wall clock is off, in microseconds.
    pub(crate) wall_offset: i64,
    /// Bytes it has sent to other hosts.
    pub(crate) sent: u64,
}

/// Something that will happen.
pub(crate) enum Happening {
    /// A process looks at what is ready.
    Turn { process: u32, life: u32 },
    /// A packet arrives.
    Packet(Flight),
    /// A file operation ends.
    File { process: u32, life: u32, ticket: Ticket, op: FileOp },
    /// Something reaches a process.
    Deliver { process: u32, life: Option<u32>, what: Incoming },
    /// Mail of one machine arrives at another, unless the life that sent it is over.
    Letter { from: Address, life: u32, to: Address, letter: Letter },
    /// A connect has waited long enough.
    ConnectTimeout(StreamId),
}

pub(crate) struct Core {
    pub(crate) time: u64,
    sequence: u64,
    pub(crate) queue: BTreeMap<(u64, u64), Happening>,
    pub(crate) chance: Chance,
    pub(crate) hosts: Vec<Host>,
    pub(crate) network: Network,
    pub(crate) transcript: Vec<Entry>,
    /// When the last letter between two machines arrives: letters keep their order.
    pub(crate) letters: BTreeMap<(Address, Address), u64>,
    /// How long a letter takes: from, up to.
    pub(crate) mail: (u64, u64),
    /// Machines that live and die together.
    pub(crate) united: Vec<Vec<u32>>,
}

impl Core {
    pub(crate) fn new(seed: u64) -> Self {
        Core {
            time: BEGINNING,
            sequence: 0,
            queue: BTreeMap::new(),
            chance: Chance::new(seed),
            hosts: Vec::new(),
            network: Network::default(),
            transcript: Vec::new(),
            letters: BTreeMap::new(),
            mail: (1_000, 50_000),
            united: Vec::new(),
        }
    }

    /// Both clocks, as `host` shows them.
    pub(crate) fn now(&self, host: HostId) -> Now {
        let wall = (EPOCH + self.time / 1000).saturating_add_signed(self.hosts[host.0].wall_offset);
        Now { mono: Instant(self.time), wall: UnixMicros(wall) }
    }

    pub(crate) fn schedule(&mut self, at: u64, what: Happening) {
        self.sequence += 1;
        self.queue.insert((at.max(self.time), self.sequence), what);
    }

    pub(crate) fn record(&mut self, host: Option<HostId>, text: String) {
        let host = host.map_or_else(String::new, |h| self.hosts[h.0].name.clone());
        self.transcript.push(Entry { time: self.time, host, text });
    }

    /// The link from one host to another, drawn when it is first used.
    pub(crate) fn link(&mut self, from: HostId, to: HostId) -> &mut Link {
        let chance = &mut self.chance;
        self.network.links.entry((from, to)).or_insert_with(|| {
            let latency = match from == to {
                true => chance.between(5_000, 20_000),
                false => chance.between(50_000, 1_000_000),
            };
            Link { latency, jitter: 0, bandwidth: None }
        })
    }

    /// Sends a packet from end `from` of a stream.
    pub(crate) fn transmit(&mut self, stream: StreamId, from: usize, packet: Packet) {
        let Some((source, target)) = self.network.route(stream, from) else { return };
        let link = *self.link(source, target);
        let jitter = if link.jitter > 0 { self.chance.between(0, link.jitter) } else { 0 };
        let size = if let Packet::Data(bytes) = &packet { bytes.len() as u64 } else { 0 };
        if source != target {
            self.hosts[source.0].sent += size;
        }
        let transfer = link.bandwidth.map_or(0, |b| size * 1_000_000_000 / b.max(1));
        let arrival = self.time + link.latency + jitter + transfer;
        let Some(stream_state) = self.network.streams.get_mut(&stream) else { return };
        let (number, arrival) = stream_state.ends[from].depart(arrival);
        self.schedule(arrival, Happening::Packet(Flight { stream, from, number, packet }));
    }

    /// The kernel closes an end for its process.
    pub(crate) fn close_end(&mut self, stream: StreamId, side: usize) {
        let Some(state) = self.network.streams.get_mut(&stream) else { return };
        let end = &mut state.ends[side];
        end.holder = Holder::Closed;
        // As real kernels do: unread input makes the end a reset.
        let unread = !std::mem::take(&mut end.received).is_empty();
        if end.failed.is_none() {
            self.transmit(stream, side, if unread { Packet::Reset } else { Packet::Fin });
        }
        self.network.sweep(stream);
    }
}
