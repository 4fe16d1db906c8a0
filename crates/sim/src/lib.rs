//! The driver on virtual time: whole deployments in one thread under one seed.
//!
//! A [`World`] holds machines on named hosts, a network of ordered byte streams that can be cut,
//! stalled and reset, and disks that may lose what was not synced. Events are ordered by (time,
//! sequence); chance comes from the seed; so the same seed gives the same transcript, byte for byte.
//!
//! The kernel of a host outlives its processes: after [`World::kill`] what was sent still arrives,
//! followed by the end of the stream. Only [`World::crash`] takes the kernel down too.
#![forbid(unsafe_code)]

mod actions;
mod chance;
mod core;
pub mod desk;
mod disk;
mod emit;
mod events;
mod intake;
mod network;
mod process;
mod transcript;
mod world;

pub use chance::Chance;
pub use network::Link;
pub use transcript::Entry;
pub use world::{HostId, World};
