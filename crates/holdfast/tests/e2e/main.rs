//! End to end: real processes, real sockets, real files.
//!
//! Where Redis's behaviour is defined, the same bytes go to a `redis-server` as well, and the
//! replies must be equal.

mod admin;
mod bad_bus;
mod bad_input;
mod basics;
mod bench;
mod client;
mod clients;
mod cluster;
mod command_line;
mod config;
mod crowd;
mod damage;
mod debug;
mod failover;
mod handover;
mod hostile_primary;
mod install;
mod introspection;
mod large;
mod local;
mod memory;
mod mixed;
mod moving;
mod newer_primary;
mod process;
mod relay;
mod replication;
mod restart;
mod saving;
mod server;
mod session;
mod syncs;
mod tools;
mod transactions;
mod up;
