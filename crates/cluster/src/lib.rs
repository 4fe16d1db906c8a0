//! Who owns each slot, who is dead, who takes over.
//!
//! The cluster's control plane is a machine beside the data plane: it speaks the bus protocol with
//! its peers, keeps nodes.conf, and tells its own node by mail what to serve. [`topology`] is what
//! it tells, [`mail`] how the two talk. It never sees a key or a client.
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;
#[cfg(test)]
extern crate std;

mod chance;
mod cluster;
mod command;
mod config;
mod election;
mod failure;
mod gone;
mod gossip;
mod handshake;
mod health;
mod hollow;
mod label;
mod lease;
mod link;
mod links;
pub mod mail;
mod manual;
mod members;
mod migration;
mod moving;
mod nodes_conf;
mod picture;
mod receive;
mod slots;
mod store;
pub mod topology;
mod traffic;
mod voice;

pub use cluster::Cluster;
pub use config::{Announce, Config, Setup};
pub use link::TOKENS;
pub use store::FILES;
pub use topology::{NodeId, NodeView, Topology};
pub use traffic::Traffic;
