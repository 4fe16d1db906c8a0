//! The table, in parts.

mod cluster;
mod general;
mod memory;
mod network;
mod persistence;
mod process;
mod replication;
mod security;

use super::row::Row;

/// All directives, by what they are about.
pub const GROUPS: &[(&str, &[Row])] = &[
    ("The network and its clients", network::ROWS),
    ("The process", process::ROWS),
    ("Databases, statistics and commands", general::ROWS),
    ("Passwords, access control and TLS", security::ROWS),
    ("Memory and encodings", memory::ROWS),
    ("Files of data", persistence::ROWS),
    ("Replication", replication::ROWS),
    ("Cluster mode", cluster::ROWS),
];
