//! Operators' plans for clusters: a picture in, steps out.
//!
//! A [`Picture`] is what the nodes of a cluster say about it, each for itself. A plan looks at one
//! and returns [`Step`]s: commands to nodes, keys to move, and what to tell the operator, in order.
//! Every step speaks the standard commands of a cluster, so that nodes of any make can be meant.
//!
//! Promises of every plan: what may lose data is refused or asked first; and wherever the carrier
//! is interrupted, at most one slot is open, which [`fix`] closes with every key at exactly one
//! node.
//!
//! Nothing here knows a socket or a clock: whoever carries a plan out has them.
#![forbid(unsafe_code)]

pub mod create;
pub mod fix;
pub mod json;
pub mod members;
mod node;
mod picture;
pub mod rebalance;
pub mod reshard;
mod slots;
mod step;

pub use node::Node;
pub use picture::{Member, Picture};
pub use slots::Slots;
pub use step::{Step, move_slot, take_over};

/// Host and port.
pub type Address = (String, u16);

/// An address as people write it.
pub fn text(address: &Address) -> String {
    format!("{}:{}", address.0, address.1)
}
