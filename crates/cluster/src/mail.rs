//! How the control plane and the data plane of one server talk: by messages only.
//!
//! Rules that hold whether a message takes no time or long (see ARCHITECTURE.md):
//! authority ends by itself (a lease runs out, late mail can only refuse); what is announced to
//! peers has been applied by the node before ([`ToCluster::Applied`]); what depends on data is
//! asked for under a fence ([`ToNode::Freeze`]), not remembered.

use crate::Config;
use crate::topology::{Lease, NodeId, Topology};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// From the control plane to the data plane.
#[derive(Clone, Debug)]
pub enum ToNode {
    /// The picture to serve by from now on; answered by [`ToCluster::Applied`].
    Topology(Arc<Topology>),
    /// A primary may write until then. Sent whenever it moves.
    Lease(Lease),
    /// Drain the link to the primary, apply nothing more from it, and answer
    /// [`ToCluster::Frozen`]. Holds until the next [`ToNode::Follow`] or [`ToNode::Promote`], or
    /// [`ToNode::Thaw`].
    Freeze {
        /// The election it is for.
        epoch: u64,
        /// The primary's process is gone: answer when the link has ended, and not before.
        to_the_end: bool,
    },
    /// The election is over without us: apply the primary's stream again.
    Thaw,
    /// Hold back whatever writes, expiry and heartbeats too, and answer [`ToCluster::PausedAt`].
    PauseWrites,
    /// Let writers go on.
    ResumeWrites,
    /// Send a [`ToCluster::State`] now.
    Tell,
    /// Replicate from there. The slots' owner is another node.
    Follow {
        /// The primary.
        id: NodeId,
        /// Its address.
        ip: String,
        /// Its clients' port.
        port: u16,
    },
    /// Stop replicating: we are a primary.
    Promote,
    /// We have left the cluster as a replica: stop replicating, and drop the data, which is our
    /// former primary's.
    Leave,
    /// The answer to [`ToCluster::Command`], RESP-encoded (protocol 2 and 3 agree on it, but for
    /// LINKS, whose second word is the version of the protocol).
    Reply {
        /// The question's number.
        number: u64,
        /// Encoded reply.
        reply: Vec<u8>,
    },
}

/// From the data plane to the control plane.
#[derive(Clone, Debug)]
pub enum ToCluster {
    /// The picture of this generation is being served.
    Applied {
        /// [`Topology::generation`].
        generation: u64,
    },
    /// The answer to [`ToNode::Freeze`].
    Frozen {
        /// The election it is for.
        epoch: u64,
        /// Position up to which the stream has been applied.
        offset: u64,
        /// How long ago the link to the primary last carried anything, in milliseconds; `None`
        /// when this node never had the primary's data.
        data_age_ms: Option<u64>,
    },
    /// The answer to [`ToNode::PauseWrites`].
    PausedAt {
        /// Position of the stream, which nothing moves any more.
        offset: u64,
    },
    /// Sent instead of [`ToCluster::State`] while data is being loaded.
    Loading,
    /// Sent ten times a second, and when the link goes up or down.
    State {
        /// Position of the stream, made or applied.
        offset: u64,
        /// Whether the link to the primary stands (true on a primary).
        linked: bool,
        /// How long ago the link last carried anything, in milliseconds.
        data_age_ms: Option<u64>,
        /// Whether no key is held.
        empty: bool,
    },
    /// Directives were changed.
    Settings(Box<Config>),
    /// A CLUSTER subcommand that changes something: MEET, ADDSLOTS, ADDSLOTSRANGE, DELSLOTS,
    /// DELSLOTSRANGE, FLUSHSLOTS, SETSLOT, REPLICATE, FORGET, RESET, SET-CONFIG-EPOCH, BUMPEPOCH,
    /// SAVECONFIG, COUNT-FAILURE-REPORTS; and LINKS. Answered by [`ToNode::Reply`] once it is done.
    Command {
        /// Number to answer with.
        number: u64,
        /// The words after CLUSTER.
        words: Vec<Vec<u8>>,
        /// What the node holds, asked under the command.
        held: Held,
    },
    /// Several of them in one go, as a transaction has them; their replies come as an array.
    Transaction {
        /// Number to answer with.
        number: u64,
        /// The words after CLUSTER of each, and what the node holds.
        commands: Vec<(Vec<Vec<u8>>, Held)>,
    },
}

/// What the data plane holds as it hands over a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Held {
    /// No key at all.
    pub nothing: bool,
    /// Keys in the slot that SETSLOT NODE is about: until the reply no client's write adds to it.
    pub in_slot: u64,
}
