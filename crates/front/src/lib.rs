//! A server's face: sessions, and the commands that are about a session rather than about data.
//!
//! A session belongs to one client connection: its decoder, protocol, database, name and what it
//! may do. Knows nothing of data, replication or sockets.
#![forbid(unsafe_code)]

mod client;
pub mod gate;
mod introspect;
mod session;
mod speak;
mod transaction;

pub use client::{Figures, Filter, Kind, describe};
pub use introspect::command;
pub use session::{Awaited, Label, Modes, Replies, Session, Sessions, Side, Waiting, is_local};
pub use speak::{Login, Spoken, speak, unknown_command, unknown_subcommand, wrong_arity};
pub use transaction::{Queue, Requests, Transaction, Watching};
