//! The data plane's part in a cluster: serving by the picture the control plane gives.
//!
//! `route` decides whether a request is for this node, `mail` talks with the control plane,
//! `command` answers CLUSTER.

mod command;
mod mail;
mod nodes;
mod route;

pub(crate) use command::is_change;
pub(crate) use route::Presence;

use cluster::Topology;
use cluster::topology::Lease;
use machine::{Address, ConnId};
use std::sync::Arc;
use wire::bus::SlotSet;

/// What a node in cluster mode knows.
pub(crate) struct Clustering {
    /// The control plane.
    address: Address,
    /// The picture being served; none until the first has come.
    pub(crate) topology: Option<Arc<Topology>>,
    pub(crate) lease: Lease,
    /// Slots whose requests need no second look; see [`Clustering::is_plain`].
    plain: SlotSet,
    /// Clients whose CLUSTER command the control plane is working on, by the command's number.
    asked: Vec<(u64, ConnId)>,
    numbers: u64,
    /// Nothing more of the primary's stream may be applied.
    pub(crate) frozen: bool,
    /// The election for which the stream is being read to its end.
    draining: Option<u64>,
    /// Clients that have written in this turn.
    pub(crate) writers: Vec<ConnId>,
}

impl Clustering {
    /// Nobody may copy our data: we do not know whether it is still the shard's.
    pub(crate) fn is_hollow(&self) -> bool {
        self.topology.as_ref().is_none_or(|topology| topology.hollow)
    }

    /// Serves by this picture from now on.
    fn show(&mut self, topology: Arc<Topology>) {
        let same = |old: &Arc<Topology>| {
            Arc::ptr_eq(&old.owners, &topology.owners)
                && (old.ok, &old.moving) == (topology.ok, &topology.moving)
        };
        if !self.topology.as_ref().is_some_and(same) {
            self.plain = topology.plain();
        }
        self.topology = Some(topology);
    }

    /// Whether we serve slots of our own.
    fn serves(&self) -> bool {
        self.topology.as_ref().is_some_and(|topology| topology.serves())
    }

    pub(crate) fn new(address: Address) -> Self {
        Clustering {
            address,
            topology: None,
            lease: Lease::default(),
            plain: SlotSet::default(),
            asked: Vec::new(),
            numbers: 0,
            frozen: false,
            draining: None,
            writers: Vec::new(),
        }
    }
}
