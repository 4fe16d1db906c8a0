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

pub mod mail;
pub mod topology;

pub use topology::{NodeId, NodeView, Topology};
