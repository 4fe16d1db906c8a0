//! A server's process as it really is: a node and a control plane, joined by mail.

use cluster::mail::ToNode;
use cluster::topology::{Lease, Topology};
use cluster::{Cluster, NodeId};
use machine::{Address, Event, Instant, Machine, Now, Out};
use node::config::{Config, Process, Repl};
use node::{Node, Stages};
use std::cell::{Cell, RefCell};
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;
use std::sync::Arc;

/// Clients' port of every server.
pub(crate) const PORT: u16 = 7000;

/// What a node was told by its control plane: what it serves by.
#[derive(Default)]
pub(crate) struct View {
    pub(crate) topology: Option<Arc<Topology>>,
    pub(crate) lease: Lease,
    /// The epoch of its claim when it last had one, in this life or an earlier one.
    epoch: u64,
}

impl View {
    /// Whether a write to `slot` would run at this time.
    pub(crate) fn writes(&self, slot: u16, at: u64) -> bool {
        self.owns(slot)
            && self.topology.as_ref().is_some_and(|topology| topology.ok)
            && self.lease.allows(Instant(at))
    }

    /// Whether the node takes itself for the owner of `slot`.
    pub(crate) fn owns(&self, slot: u16) -> bool {
        let owner = |t: &Arc<Topology>| t.is_mine(slot) && t.me().primary.is_none();
        self.topology.as_ref().is_some_and(owner)
    }

    /// Whether a picture says nothing new about who serves what.
    fn is_shown(&self, new: &Arc<Topology>) -> bool {
        let serving = |t: &Topology| (t.ok, t.hollow, t.me().primary, t.me().config_epoch);
        let same = |old: &Arc<Topology>| {
            Arc::ptr_eq(&old.owners, &new.owners) && serving(old) == serving(new)
        };
        self.topology.as_ref().is_some_and(same)
    }

    /// The epoch of the node's own claim.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The node's name.
    pub(crate) fn id(&self) -> Option<NodeId> {
        Some(self.topology.as_ref()?.me().id)
    }

    /// Whose replica it is.
    pub(crate) fn primary(&self) -> Option<NodeId> {
        self.topology.as_ref()?.me().primary
    }
}

/// How servers are set up.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) node_timeout: u64,
    pub(crate) save: String,
    pub(crate) full_coverage: bool,
    pub(crate) backlog: u64,
}

impl Settings {
    fn config(&self, number: usize) -> Config {
        Config {
            bind: ip(number).to_string(),
            port: PORT,
            save: self.save.clone(),
            cluster: node::config::cluster::Cluster {
                enabled: true,
                node_timeout: self.node_timeout,
                require_full_coverage: self.full_coverage,
                ..node::config::cluster::Cluster::default()
            },
            repl_backlog_size: self.backlog,
            // As `up` has it.
            repl: Repl { diskless_delay: 0, ..Repl::default() },
            // Clients are on other hosts, and nobody has a password.
            process: Process { protected_mode: false, ..Process::default() },
            ..Config::default()
        }
    }

    /// The data plane of a server, and an eye on what it is told.
    pub(crate) fn node(
        &self,
        number: usize,
        seed: u64,
        control: Address,
        view: &Rc<RefCell<View>>,
        told: &Rc<Cell<u64>>,
    ) -> Box<dyn Machine> {
        let node = Node::new(node::Setup {
            config: self.config(number),
            secret: u128::from(seed).to_le_bytes(),
            run_id: format!("{seed:040x}"),
            control,
            stages: Stages::ALL,
        });
        let epoch = view.borrow().epoch;
        *view.borrow_mut() = View { epoch, ..View::default() };
        Box::new(Watched { node, view: Rc::clone(view), told: Rc::clone(told) })
    }

    /// The control plane of a server.
    pub(crate) fn bus(&self, number: usize, seed: u64, node: Address) -> Box<dyn Machine> {
        let config = node::config::cluster::control(&self.config(number));
        Box::new(Cluster::new(cluster::Setup { config, seed, node }))
    }
}

/// A server's address.
pub(crate) fn ip(number: usize) -> IpAddr {
    Ipv4Addr::new(10, 0, 0, number as u8 + 1).into()
}

/// A node whose mail is read along.
struct Watched {
    node: Node,
    view: Rc<RefCell<View>>,
    told: Rc<Cell<u64>>,
}

impl Machine for Watched {
    fn handle(&mut self, now: Now, event: Event<'_>, out: &mut Out) {
        if let Event::Mail { letter, .. } = &event
            && let Some(letter) = letter.downcast_ref::<ToNode>()
        {
            let mut view = self.view.borrow_mut();
            let mut news = true;
            match letter {
                ToNode::Topology(topology) if view.is_shown(topology) => {
                    view.topology = Some(Arc::clone(topology));
                    news = false;
                }
                ToNode::Topology(topology) => {
                    view.epoch = topology.me().config_epoch;
                    view.topology = Some(Arc::clone(topology));
                }
                ToNode::Lease(lease) => view.lease = *lease,
                _ => {}
            }
            self.told.set(self.told.get() + u64::from(news));
        }
        self.node.handle(now, event, out);
    }

    fn deadline(&self) -> Option<Instant> {
        self.node.deadline()
    }
}
