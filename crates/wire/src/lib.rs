//! What both ends of a socket must agree on.
//!
//! Pure and `no_std`: bytes in, values out, and back. It knows nothing of sockets, clocks or data.
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod bus;
pub mod command;
mod error;
pub mod glob;
pub mod number;
pub mod reply;
pub mod request;
pub mod slot;
pub mod value;
pub mod words;

pub use error::ProtocolError;
