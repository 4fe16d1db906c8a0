//! One primary's stream and its replicas, both ends of it.
//!
//! The *stream* is the sequence of commands that change data, as bytes. A *position* is how many of
//! its bytes came before; on the wire, PSYNC asks for position + 1. A stream belongs to a history,
//! named by a replication id ([`Identity`]). [`Backlog`] keeps its latest bytes, [`Replicas`] is
//! the primary's end, [`Link`] the replica's.
//!
//! Knows nothing of keys, commands on them, or files: whoever owns the data moves snapshots.
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;
#[cfg(test)]
extern crate std;

mod backlog;
mod identity;
mod link;
mod receive;
mod replicas;

pub use backlog::{Backlog, Piece};
pub use identity::{Identity, ReplicationId};
pub use link::{Link, Notice, Offer, Progress, Target, Terms};
pub use replicas::{Answer, Replica, Replicas, Stage, Verdict};

/// What a replica says first on a new link.
pub const PING: &[u8] = b"*1\r\n$4\r\nPING\r\n";

/// What a primary puts into the stream when there is nothing else, byte for byte as Redis.
pub const HEARTBEAT: &[u8] = b"*1\r\n$4\r\nping\r\n";

/// What asks every replica for its position, as primaries put it into the stream.
pub const GETACK: &[u8] = b"*3\r\n$8\r\nREPLCONF\r\n$6\r\nGETACK\r\n$1\r\n*\r\n";
