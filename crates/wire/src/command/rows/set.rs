//! Commands of the group `set`.

use crate::command::Command;
use crate::command::CommandId as Id;
use crate::command::category::IN_SET;
use crate::command::flag::{DENYOOM, FAST, READONLY, WRITE};
use crate::command::keys::uses::{ACCESS, DELETE, INSERT, OW, RO, RW, UPDATE};
use crate::command::keys::{Begin, Find, KeySpec};
use crate::command::row::command;

pub(super) const ROWS: [Command; 17] = [
    command(Id::Sadd, "sadd", -3, WRITE | DENYOOM | FAST, IN_SET)
        .about("1.0.0", "O(1)", "Adds members to a set.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RW | INSERT }]),
    command(Id::Scard, "scard", 2, READONLY | FAST, IN_SET)
        .about("1.0.0", "O(1)", "Counts the members of a set.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RO }]),
    command(Id::Sdiff, "sdiff", -2, READONLY, IN_SET)
        .about("1.0.0", "O(N)", "Subtracts sets from the first.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(-1, 1, 0), uses: RO | ACCESS }])
        .tips(&["nondeterministic_output_order"]),
    command(Id::Sdiffstore, "sdiffstore", -3, WRITE | DENYOOM, IN_SET)
        .about("1.0.0", "O(N)", "Subtracts sets from the first and keeps the result.")
        .keys(&[
            KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: OW | UPDATE },
            KeySpec { begin: Begin::Index(2), find: Find::Range(-1, 1, 0), uses: RO | ACCESS },
        ]),
    command(Id::Sinter, "sinter", -2, READONLY, IN_SET)
        .about("1.0.0", "O(N*M)", "Intersects sets.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(-1, 1, 0), uses: RO | ACCESS }])
        .tips(&["nondeterministic_output_order"]),
    command(Id::Sintercard, "sintercard", -3, READONLY, IN_SET)
        .about("7.0.0", "O(N*M)", "Counts the intersection of sets.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Count(0, 1, 1), uses: RO | ACCESS }]),
    command(Id::Sinterstore, "sinterstore", -3, WRITE | DENYOOM, IN_SET)
        .about("1.0.0", "O(N*M)", "Intersects sets and keeps the result.")
        .keys(&[
            KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RW | UPDATE },
            KeySpec { begin: Begin::Index(2), find: Find::Range(-1, 1, 0), uses: RO | ACCESS },
        ]),
    command(Id::Sismember, "sismember", 3, READONLY | FAST, IN_SET)
        .about("1.0.0", "O(1)", "Tells whether a member is in a set.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RO }]),
    command(Id::Smembers, "smembers", 2, READONLY, IN_SET)
        .about("1.0.0", "O(N)", "Reads all members.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RO | ACCESS }])
        .tips(&["nondeterministic_output_order"]),
    command(Id::Smismember, "smismember", -3, READONLY | FAST, IN_SET)
        .about("6.2.0", "O(N)", "Tells which members are in a set.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RO | ACCESS }]),
    command(Id::Smove, "smove", 4, WRITE | FAST, IN_SET)
        .about("1.0.0", "O(1)", "Moves a member to another set.")
        .keys(&[
            KeySpec {
                begin: Begin::Index(1),
                find: Find::Range(0, 1, 0),
                uses: RW | ACCESS | DELETE,
            },
            KeySpec { begin: Begin::Index(2), find: Find::Range(0, 1, 0), uses: RW | INSERT },
        ]),
    command(Id::Spop, "spop", -2, WRITE | FAST, IN_SET)
        .about("1.0.0", "", "Takes random members out of a set.")
        .keys(&[KeySpec {
            begin: Begin::Index(1),
            find: Find::Range(0, 1, 0),
            uses: RW | ACCESS | DELETE,
        }])
        .tips(&["nondeterministic_output"]),
    command(Id::Srandmember, "srandmember", -2, READONLY, IN_SET)
        .about("1.0.0", "", "Picks members at random.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RO | ACCESS }])
        .tips(&["nondeterministic_output"]),
    command(Id::Srem, "srem", -3, WRITE | FAST, IN_SET)
        .about("1.0.0", "O(N)", "Removes members of a set.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RW | DELETE }]),
    command(Id::Sscan, "sscan", -3, READONLY, IN_SET)
        .about("2.8.0", "O(1)", "Walks a set step by step.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RO | ACCESS }])
        .tips(&["nondeterministic_output"]),
    command(Id::Sunion, "sunion", -2, READONLY, IN_SET)
        .about("1.0.0", "O(N)", "Unites sets.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(-1, 1, 0), uses: RO | ACCESS }])
        .tips(&["nondeterministic_output_order"]),
    command(Id::Sunionstore, "sunionstore", -3, WRITE | DENYOOM, IN_SET)
        .about("1.0.0", "O(N)", "Unites sets and keeps the result.")
        .keys(&[
            KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: OW | UPDATE },
            KeySpec { begin: Begin::Index(2), find: Find::Range(-1, 1, 0), uses: RO | ACCESS },
        ]),
];
