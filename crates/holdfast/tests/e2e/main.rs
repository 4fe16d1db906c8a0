//! End to end: real processes, real sockets, real files.
//!
//! Where Redis's behaviour is defined, the same bytes go to a `redis-server` as well, and the
//! replies must be equal.

mod bad_input;
mod basics;
mod client;
mod crowd;
mod introspection;
mod large;
mod server;
mod session;
