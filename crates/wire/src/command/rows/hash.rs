//! Commands of the group `hash`.

use crate::command::Command;
use crate::command::CommandId as Id;
use crate::command::category::IN_HASH;
use crate::command::flag::{DENYOOM, FAST, READONLY, WRITE};
use crate::command::keys::uses::{ACCESS, DELETE, INSERT, RO, RW, UPDATE};
use crate::command::keys::{Begin, Find, KeySpec};
use crate::command::row::command;

pub(super) const ROWS: [Command; 16] = [
    command(Id::Hdel, "hdel", -3, WRITE | FAST, IN_HASH)
        .about("2.0.0", "O(N)", "Removes fields of a hash.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RW | DELETE }]),
    command(Id::Hexists, "hexists", 3, READONLY | FAST, IN_HASH)
        .about("2.0.0", "O(1)", "Tells whether a field exists.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RO }]),
    command(Id::Hget, "hget", 3, READONLY | FAST, IN_HASH)
        .about("2.0.0", "O(1)", "Reads a field.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RO | ACCESS }]),
    command(Id::Hgetall, "hgetall", 2, READONLY, IN_HASH)
        .about("2.0.0", "O(N)", "Reads all fields and values.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RO | ACCESS }])
        .tips(&["nondeterministic_output_order"]),
    command(Id::Hincrby, "hincrby", 4, WRITE | DENYOOM | FAST, IN_HASH)
        .about("2.0.0", "O(1)", "Adds an amount to an integer field.")
        .keys(&[KeySpec {
            begin: Begin::Index(1),
            find: Find::Range(0, 1, 0),
            uses: RW | ACCESS | UPDATE,
        }]),
    command(Id::Hincrbyfloat, "hincrbyfloat", 4, WRITE | DENYOOM | FAST, IN_HASH)
        .about("2.6.0", "O(1)", "Adds an amount to a floating-point field.")
        .keys(&[KeySpec {
            begin: Begin::Index(1),
            find: Find::Range(0, 1, 0),
            uses: RW | ACCESS | UPDATE,
        }]),
    command(Id::Hkeys, "hkeys", 2, READONLY, IN_HASH)
        .about("2.0.0", "O(N)", "Reads the names of all fields.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RO | ACCESS }])
        .tips(&["nondeterministic_output_order"]),
    command(Id::Hlen, "hlen", 2, READONLY | FAST, IN_HASH)
        .about("2.0.0", "O(1)", "Counts the fields of a hash.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RO }]),
    command(Id::Hmget, "hmget", -3, READONLY | FAST, IN_HASH)
        .about("2.0.0", "O(N)", "Reads several fields.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RO | ACCESS }]),
    command(Id::Hmset, "hmset", -4, WRITE | DENYOOM | FAST, IN_HASH)
        .about("2.0.0", "O(N)", "Writes several fields.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RW | UPDATE }])
        .deprecated("4.0.0"),
    command(Id::Hrandfield, "hrandfield", -2, READONLY, IN_HASH)
        .about("6.2.0", "O(N)", "Picks fields at random.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RO | ACCESS }])
        .tips(&["nondeterministic_output"]),
    command(Id::Hscan, "hscan", -3, READONLY, IN_HASH)
        .about("2.8.0", "O(1)", "Walks a hash step by step.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RO | ACCESS }])
        .tips(&["nondeterministic_output"]),
    command(Id::Hset, "hset", -4, WRITE | DENYOOM | FAST, IN_HASH)
        .about("2.0.0", "O(1)", "Writes fields.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RW | UPDATE }]),
    command(Id::Hsetnx, "hsetnx", 4, WRITE | DENYOOM | FAST, IN_HASH)
        .about("2.0.0", "O(1)", "Writes a field if it does not exist.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RW | INSERT }]),
    command(Id::Hstrlen, "hstrlen", 3, READONLY | FAST, IN_HASH)
        .about("3.2.0", "O(1)", "Measures the value of a field.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RO }]),
    command(Id::Hvals, "hvals", 2, READONLY, IN_HASH)
        .about("2.0.0", "O(N)", "Reads the values of all fields.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RO | ACCESS }])
        .tips(&["nondeterministic_output_order"]),
];
