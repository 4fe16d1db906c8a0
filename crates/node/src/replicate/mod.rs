//! Replication as a node sees it: the stream it makes or applies.
//!
//! `stream` holds what every role needs, `serving` the primary's end, `following` and `applying`
//! the replica's, where `dialect` knows what newer primaries say; `history` is how a position
//! outlives the process, `failover` how a primary hands its role over, `filing` and `incoming` a
//! snapshot's way from a file and into one.

mod applying;
mod dialect;
mod failover;
mod filing;
mod following;
mod history;
mod incoming;
mod report;
mod serving;
mod stream;
mod writable;

pub(crate) use applying::Applier;
pub(crate) use failover::Failover;
pub(crate) use filing::Filing;
pub(crate) use history::Origin;
pub(crate) use incoming::Incoming;
pub(crate) use serving::Wait;

use machine::{ConnId, Instant};
use replication::{Backlog, Identity, Link, Replicas, ReplicationId};
use std::collections::BTreeSet;
use store::random::Random;

/// A node's part in replication.
pub(crate) struct Replication {
    pub(crate) identity: Identity,
    /// Position of the stream while there is no backlog.
    pub(crate) position: u64,
    /// There is one from the first replica, or the first link, on.
    pub(crate) backlog: Option<Backlog>,
    pub(crate) replicas: Replicas,
    /// To our primary, if we are a replica.
    pub(crate) link: Option<Link>,
    /// The snapshot being received.
    pub(crate) incoming: Option<Incoming>,
    /// Takes in the stream of the link.
    pub(crate) applier: Option<Box<Applier>>,
    /// The database the stream has selected; `None` before the next effect selects one.
    pub(crate) selected: Option<u32>,
    /// The database that the stream we follow has selected. It outlives the link.
    pub(crate) stream_db: u32,
    /// Our data has a place in the history of `identity`: a partial resync may be asked for.
    pub(crate) placed: bool,
    /// The history our data was in when it was saved, until the stream goes on from there.
    pub(crate) restored: Option<ReplicationId>,
    pub(crate) waits: Vec<Wait>,
    pub(crate) failover: Failover,
    pub(crate) chores: Chores,
    pub(crate) random: Random,
    /// `sync_full`, `sync_partial_ok`, `sync_partial_err`.
    pub(crate) syncs: [u64; 3],
    /// `master_refused`: why the last snapshot offered was not taken.
    pub(crate) refused: Option<&'static str>,
}

/// What is looked after from time to time.
#[derive(Default)]
pub(crate) struct Chores {
    /// Part of the stream was applied in this turn and not acknowledged yet.
    pub(crate) applied: bool,
    /// Bytes of our primary's stream that wait for the end of a pause.
    pub(crate) paused: usize,
    /// When a PING was last put into the stream.
    pub(crate) pinged: Instant,
    /// When replicas that wait for a snapshot were last sent an empty line.
    pub(crate) blank: Instant,
    /// Since when a primary has no replica.
    pub(crate) lonely: Option<Instant>,
    /// Replicas that were heard within `min-replicas-max-lag`.
    pub(crate) good: usize,
    /// When our primary was last heard while we followed its stream, in this process.
    pub(crate) fresh: Option<Instant>,
    /// Position after the last of our primary's stream that changed data: heartbeats move the
    /// position too, but are no loss.
    pub(crate) settled: u64,
    /// The part of the stream at hand changes data.
    pub(crate) changing: bool,
    /// Snapshots on their way from a file to replicas.
    pub(crate) filings: Vec<Filing>,
    /// The file was made for them.
    pub(crate) made_file: bool,
    /// Keys of a writable replica's own that will expire, and which is to be looked at next.
    pub(crate) own: BTreeSet<(u32, Vec<u8>)>,
    pub(crate) own_next: (u32, Vec<u8>),
}

impl Replication {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let id = ReplicationId::random(|| random.number());
        Replication {
            identity: Identity::new(id),
            position: 0,
            backlog: None,
            replicas: Replicas::default(),
            link: None,
            incoming: None,
            applier: None,
            selected: None,
            stream_db: 0,
            placed: false,
            restored: None,
            waits: Vec::new(),
            failover: Failover::default(),
            chores: Chores::default(),
            random,
            syncs: [0; 3],
            refused: None,
        }
    }

    /// Position after the last byte of the stream.
    pub(crate) fn end(&self) -> u64 {
        self.backlog.as_ref().map_or(self.position, Backlog::end)
    }

    /// Whether a connection is the link to our primary.
    #[inline]
    pub(crate) fn is_link(&self, conn: ConnId) -> bool {
        self.link.as_ref().is_some_and(|link| link.conn() == Some(conn))
    }

    /// A new history id.
    pub(crate) fn new_id(&mut self) -> ReplicationId {
        ReplicationId::random(|| self.random.number())
    }
}
