//! All rows in one table.

mod bitmap;
mod cluster;
mod connection;
mod generic;
mod geo;
mod hash;
mod hyperloglog;
mod list;
mod pubsub;
mod scripting;
mod sentinel;
mod server;
mod set;
mod sorted_set;
mod stream;
mod string;
mod transaction;

use super::{Command, Group};

/// How many commands and subcommands there are.
pub(super) const COUNT: usize = {
    let mut count = 0;
    let mut i = 0;
    while i < GROUPS.len() {
        count += GROUPS[i].1.len();
        i += 1;
    }
    count
};

const GROUPS: [(Group, &[Command]); 17] = [
    (Group::Bitmap, &bitmap::ROWS),
    (Group::Cluster, &cluster::ROWS),
    (Group::Connection, &connection::ROWS),
    (Group::Generic, &generic::ROWS),
    (Group::Geo, &geo::ROWS),
    (Group::Hash, &hash::ROWS),
    (Group::Hyperloglog, &hyperloglog::ROWS),
    (Group::List, &list::ROWS),
    (Group::Pubsub, &pubsub::ROWS),
    (Group::Scripting, &scripting::ROWS),
    (Group::Sentinel, &sentinel::ROWS),
    (Group::Server, &server::ROWS),
    (Group::Set, &set::ROWS),
    (Group::SortedSet, &sorted_set::ROWS),
    (Group::Stream, &stream::ROWS),
    (Group::String, &string::ROWS),
    (Group::Transactions, &transaction::ROWS),
];

/// Every row, at the index its id says.
pub(super) static TABLE: [Command; COUNT] = {
    let mut table = [GROUPS[0].1[0]; COUNT];
    let (mut at, mut group) = (0, 0);
    while group < GROUPS.len() {
        let (name, rows) = GROUPS[group];
        let mut i = 0;
        while i < rows.len() {
            assert!(rows[i].id as usize == at, "the order of the ids is the order of the rows");
            table[at] = rows[i].complete(name);
            at += 1;
            i += 1;
        }
        group += 1;
    }
    table
};
