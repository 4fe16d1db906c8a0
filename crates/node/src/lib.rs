//! One server: sessions in front, data behind, and everything that passes between.
//!
//! A turn flows one way: *intake* (what is this connection?) → *decide* (may the command run?) →
//! *apply* (the store's handler) → *commit* (what it did, to whom it matters) → *emit*.
//!
//! [`Node`] is the machine. `intake` decodes and prefetches, `admit` decides, `execute` applies,
//! measures and commits, `server` holds the commands about the server itself.
#![forbid(unsafe_code)]

mod admit;
mod clients;
mod clustering;
pub mod config;
mod debug;
mod execute;
mod export;
mod info;
mod intake;
mod latency;
mod listening;
mod lolwut;
mod memory;
mod migrate;
mod node;
mod persist;
mod rates;
mod replicate;
mod server;
mod slowlog;
mod stages;
mod statistics;
mod transaction;

pub use node::{Node, Setup};
pub use stages::Stages;

/// The version of Redis whose behaviour clients find here.
pub const REDIS_VERSION: &str = "7.2.4";

/// The version of Holdfast.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
