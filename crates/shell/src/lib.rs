//! The driver on a real system: the only room with sockets, files, clocks, threads and signals.
//!
//! A [`Driver`] owns one [`Machine`](machine::Machine) and runs it on the calling thread, keeping
//! the promises listed in the documentation of crate `machine`. Several drivers in one process run
//! on threads of their own and reach each other through a [`Post`].
//!
//! One turn: poll, read both clocks, hand over what is ready (connections, then what came from
//! other threads, then the deadline), `TurnEnd`, write. Other threads move bytes (files, look-ups,
//! offloaded jobs) and report through one channel; they never touch a machine.
mod accept;
mod actions;
pub mod allocator;
mod background;
mod buffer;
mod clock;
mod conn;
mod connect;
pub mod crash;
mod driver;
mod files;
mod log;
mod net;
mod notes;
mod offload;
mod options;
mod post;
mod reading;
mod signals;
mod stream;
mod sys;
mod tsc;
mod vitals;
mod writing;

pub use clock::stopwatch;
pub use driver::Driver;
pub use log::{RedisLog, Role};
pub use options::{Allocator, LogSink, Options};
pub use post::Post;
pub use sys::{make_room_for_files, raise_open_files};
