//! Packets of the cluster bus: what the nodes of a cluster say to one another.
//!
//! Every packet is a header of [`HEADER`] bytes, which says who its sender is and what it claims,
//! and a body by its type. Numbers are big-endian. The layout is that of Redis 7.0 (fields stand
//! where a C compiler aligns them), extensions those of 7.2. The thirty bytes that Redis reserves
//! carry our own facts behind a magic; nodes of other makes send zeros there and ignore ours.

mod decode;
mod encode;
mod slots;
#[cfg(test)]
mod tests;

pub use decode::{decode, frame, packet_type};
pub use encode::encode;
pub use slots::SlotSet;

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// Length of the header, and the least length of a packet.
pub const HEADER: usize = 2256;
/// Length of one entry of the gossip section.
pub const GOSSIP: usize = 104;
/// Room for an address: what C's `INET6_ADDRSTRLEN` is.
pub const IP_ROOM: usize = 46;
/// The protocol's version.
pub const VERSION: u16 = 1;

/// The name of a node: forty hexadecimal digits.
pub type Name = [u8; 40];

/// What a node is, as flags in headers and gossip.
pub mod flag {
    /// A primary.
    pub const PRIMARY: u16 = 1;
    /// A replica.
    pub const REPLICA: u16 = 2;
    /// Suspected to be dead by whoever says so.
    pub const PFAIL: u16 = 4;
    /// Dead by the word of a majority.
    pub const FAIL: u16 = 8;
    /// The speaker itself.
    pub const MYSELF: u16 = 16;
    /// Being greeted; its name is made up.
    pub const HANDSHAKE: u16 = 32;
    /// Its address is unknown.
    pub const NO_ADDRESS: u16 = 64;
    /// To be sent MEET first.
    pub const MEET: u16 = 128;
    /// A primary that may be given replicas of others.
    pub const MIGRATE_TO: u16 = 256;
    /// A replica that will not take over.
    pub const NO_FAILOVER: u16 = 512;
    /// Understands extensions of any type (7.2 and later).
    pub const EXTENSIONS: u16 = 1024;
}

/// Flags of a single packet, in the first of its three flag bytes.
pub mod packet_flag {
    /// The primary has paused its clients for a manual failover.
    pub const PAUSED: u8 = 1;
    /// Vote even if the primary is up.
    pub const FORCE_ACK: u8 = 2;
    /// Extensions follow the gossip.
    pub const EXTENSIONS: u8 = 4;
}

/// Flags in the unused bytes of a gossip entry. Nodes of other makes send zero.
pub mod gossip_flag {
    /// The speaker holds evidence that the process is gone.
    pub const GONE: u16 = 1;
}

/// Flags in the bytes that are ours.
pub mod own_flag {
    /// This request for votes rests on evidence that the primary's process is gone.
    pub const GONE: u16 = 1;
    /// The sender started as a primary whose data may be behind its replicas'.
    pub const HOLLOW: u16 = 2;
    /// The sender's data plane is in a long turn.
    pub const BUSY: u16 = 4;
    /// Replies wait for replicas.
    pub const LOSSLESS: u16 = 8;
    /// This PONG is no ground for a lease: the sender has given, or knows of, a newer claim.
    pub const WITHHELD: u16 = 16;
}

/// What Holdfast nodes tell one another beyond Redis's header.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Own {
    /// Drawn at each start of the process; never zero.
    pub boot: u64,
    /// See [`own_flag`].
    pub flags: u16,
    /// Epoch in which the data's history began.
    pub history: u64,
    /// Epoch that the sender has promised to.
    pub promised: u64,
}

/// What every packet says of its sender.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Header {
    /// Clients' port.
    pub port: u16,
    /// Clients' port without TLS, where `port` is the one with.
    pub plain_port: u16,
    /// Bus port.
    pub bus_port: u16,
    /// The newest epoch the sender knows of.
    pub current_epoch: u64,
    /// Epoch of the claim in `slots`.
    pub config_epoch: u64,
    /// Position of the sender's replication stream.
    pub offset: u64,
    /// The sender's name.
    pub sender: Name,
    /// What the sender owns; of a replica: what its primary does.
    pub slots: SlotSet,
    /// The primary it is a replica of.
    pub primary: Option<Name>,
    /// The address it wants to be known by; empty: the one it connects from.
    pub ip: String,
    /// What only Holdfast nodes say.
    pub own: Option<Own>,
    /// See [`flag`].
    pub flags: u16,
    /// Whether the sender takes the cluster for down.
    pub down: bool,
    /// Flags of this packet; the first byte's are in [`packet_flag`].
    pub packet_flags: [u8; 3],
}

/// What the sender knows of a third node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Gossip {
    /// Whom it is about.
    pub name: Name,
    /// When the pending PING was sent, in seconds since 1970; zero: none is.
    pub ping_sent: u32,
    /// When the last PONG came, in seconds since 1970.
    pub pong_received: u32,
    /// Address.
    pub ip: String,
    /// Clients' port.
    pub port: u16,
    /// Bus port.
    pub bus_port: u16,
    /// See [`flag`].
    pub flags: u16,
    /// Clients' port without TLS.
    pub plain_port: u16,
    /// See [`gossip_flag`].
    pub own: u16,
}

/// A fact that newer nodes append to PING, PONG and MEET.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Extension {
    /// `cluster-announce-hostname`.
    Hostname(String),
    /// `cluster-announce-human-nodename`.
    HumanName(String),
    /// A node was forgotten, and is to stay so for some seconds.
    Forgotten {
        /// Which.
        name: Name,
        /// For how long, in seconds.
        seconds: u64,
    },
    /// The shard's name.
    Shard(Name),
    /// One we do not know: its type and content.
    Other(u16, Vec<u8>),
}

/// The three packets that keep nodes in touch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Touch {
    /// Asks for a PONG.
    Ping,
    /// Answers a PING or MEET, or announces a change.
    Pong,
    /// A PING that also asks to be taken into the cluster.
    Meet,
}

/// What a packet is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Body {
    /// Keeping in touch.
    Touch {
        /// Which of the three.
        touch: Touch,
        /// What the sender knows of others.
        gossip: Vec<Gossip>,
        /// Further facts of the sender.
        extensions: Vec<Extension>,
    },
    /// This node is dead by the word of a majority.
    Fail(Name),
    /// A message to subscribers.
    Publish {
        /// Whether the channel belongs to a slot (SPUBLISH).
        sharded: bool,
        /// Channel.
        channel: Vec<u8>,
        /// Message.
        message: Vec<u8>,
    },
    /// Asks primaries for their vote.
    AuthRequest,
    /// Gives it.
    AuthAck,
    /// The receiver's claim is old: these slots have a newer owner.
    Update {
        /// Epoch of the newer claim.
        config_epoch: u64,
        /// Its owner.
        name: Name,
        /// Its slots.
        slots: SlotSet,
    },
    /// Asks the primary to pause its clients for a manual failover.
    ManualStart,
    /// A message between modules; we run none.
    Module(Vec<u8>),
    /// A type we do not know.
    Unknown(u16),
}

/// One packet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Packet {
    /// Its sender.
    pub header: Header,
    /// Its content.
    pub body: Body,
}

/// Why bytes are no packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BusError {
    /// They do not begin with `RCmb`: framing is lost.
    Signature,
    /// A length no packet has, or more than we are willing to hold: framing is lost.
    Length(u32),
    /// Another version of the protocol: the packet is to be skipped.
    Version(u16),
    /// Its length does not fit its type: to be skipped.
    Mismatch {
        /// The type.
        kind: u16,
        /// What the packet says.
        length: u32,
    },
    /// A name or address in it is not text: to be skipped.
    Text,
}

impl BusError {
    /// Whether nothing after it can be read.
    pub fn is_fatal(self) -> bool {
        matches!(self, BusError::Signature | BusError::Length(_))
    }
}

impl fmt::Display for BusError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BusError::Signature => f.write_str("bad signature"),
            BusError::Length(length) => write!(f, "bad length {length}"),
            BusError::Version(version) => write!(f, "unknown version {version}"),
            BusError::Mismatch { kind, length } => {
                write!(f, "length {length} does not fit type {kind}")
            }
            BusError::Text => f.write_str("a name or address that is no text"),
        }
    }
}

impl core::error::Error for BusError {}

/// Where the fields of the header begin.
mod at {
    pub(super) const LENGTH: usize = 4;
    pub(super) const VERSION: usize = 8;
    pub(super) const PORT: usize = 10;
    pub(super) const KIND: usize = 12;
    pub(super) const COUNT: usize = 14;
    pub(super) const CURRENT_EPOCH: usize = 16;
    pub(super) const CONFIG_EPOCH: usize = 24;
    pub(super) const OFFSET: usize = 32;
    pub(super) const SENDER: usize = 40;
    pub(super) const SLOTS: usize = 80;
    pub(super) const PRIMARY: usize = 2128;
    pub(super) const IP: usize = 2168;
    pub(super) const EXTENSIONS: usize = 2214;
    pub(super) const OWN: usize = 2216;
    pub(super) const PLAIN_PORT: usize = 2246;
    pub(super) const BUS_PORT: usize = 2248;
    pub(super) const FLAGS: usize = 2250;
    pub(super) const STATE: usize = 2252;
    pub(super) const PACKET_FLAGS: usize = 2253;
}

const SIGNATURE: &[u8; 4] = b"RCmb";
/// Begins the reserved bytes when they are ours.
const MAGIC: &[u8; 4] = b"HfB1";

/// Numbers of the types.
mod kind {
    pub(super) const PING: u16 = 0;
    pub(super) const PONG: u16 = 1;
    pub(super) const MEET: u16 = 2;
    pub(super) const FAIL: u16 = 3;
    pub(super) const PUBLISH: u16 = 4;
    pub(super) const AUTH_REQUEST: u16 = 5;
    pub(super) const AUTH_ACK: u16 = 6;
    pub(super) const UPDATE: u16 = 7;
    pub(super) const MANUAL_START: u16 = 8;
    pub(super) const MODULE: u16 = 9;
    pub(super) const PUBLISH_SHARD: u16 = 10;
}

/// Numbers of the extensions.
mod extension {
    pub(super) const HOSTNAME: u16 = 0;
    pub(super) const HUMAN_NAME: u16 = 1;
    pub(super) const FORGOTTEN: u16 = 2;
    pub(super) const SHARD: u16 = 3;
}
