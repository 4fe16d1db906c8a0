//! Commands of the group `list`.

use crate::command::Command;
use crate::command::CommandId as Id;
use crate::command::category::IN_LIST;
use crate::command::flag::{BLOCKING, DENYOOM, FAST, READONLY, WRITE};
use crate::command::keys::uses::{ACCESS, DELETE, INSERT, RO, RW, UPDATE};
use crate::command::keys::{Begin, Find, KeySpec};
use crate::command::row::command;

pub(super) const ROWS: [Command; 22] = [
    command(Id::Blmove, "blmove", 6, WRITE | DENYOOM | BLOCKING, IN_LIST)
        .about("6.2.0", "O(1)", "Moves an element between lists, waiting for one.")
        .keys(&[
            KeySpec {
                begin: Begin::Index(1),
                find: Find::Range(0, 1, 0),
                uses: RW | ACCESS | DELETE,
            },
            KeySpec { begin: Begin::Index(2), find: Find::Range(0, 1, 0), uses: RW | INSERT },
        ]),
    command(Id::Blmpop, "blmpop", -5, WRITE | BLOCKING, IN_LIST)
        .about("7.0.0", "O(N+M)", "Takes elements from the first nonempty list, waiting for one.")
        .keys(&[KeySpec {
            begin: Begin::Index(2),
            find: Find::Count(0, 1, 1),
            uses: RW | ACCESS | DELETE,
        }]),
    command(Id::Blpop, "blpop", -3, WRITE | BLOCKING, IN_LIST)
        .about("2.0.0", "O(N)", "Takes the first element of a list, waiting for one.")
        .keys(&[KeySpec {
            begin: Begin::Index(1),
            find: Find::Range(-2, 1, 0),
            uses: RW | ACCESS | DELETE,
        }]),
    command(Id::Brpop, "brpop", -3, WRITE | BLOCKING, IN_LIST)
        .about("2.0.0", "O(N)", "Takes the last element of a list, waiting for one.")
        .keys(&[KeySpec {
            begin: Begin::Index(1),
            find: Find::Range(-2, 1, 0),
            uses: RW | ACCESS | DELETE,
        }]),
    command(Id::Brpoplpush, "brpoplpush", 4, WRITE | DENYOOM | BLOCKING, IN_LIST)
        .about(
            "2.2.0",
            "O(1)",
            "Moves the last element to the front of another list, waiting for one.",
        )
        .keys(&[
            KeySpec {
                begin: Begin::Index(1),
                find: Find::Range(0, 1, 0),
                uses: RW | ACCESS | DELETE,
            },
            KeySpec { begin: Begin::Index(2), find: Find::Range(0, 1, 0), uses: RW | INSERT },
        ])
        .deprecated("6.2.0"),
    command(Id::Lindex, "lindex", 3, READONLY, IN_LIST)
        .about("1.0.0", "O(N)", "Reads an element by its index.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RO | ACCESS }]),
    command(Id::Linsert, "linsert", 5, WRITE | DENYOOM, IN_LIST)
        .about("2.2.0", "O(N)", "Inserts an element beside another.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RW | INSERT }]),
    command(Id::Llen, "llen", 2, READONLY | FAST, IN_LIST)
        .about("1.0.0", "O(1)", "Counts the elements of a list.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RO }]),
    command(Id::Lmove, "lmove", 5, WRITE | DENYOOM, IN_LIST)
        .about("6.2.0", "O(1)", "Moves an element between lists.")
        .keys(&[
            KeySpec {
                begin: Begin::Index(1),
                find: Find::Range(0, 1, 0),
                uses: RW | ACCESS | DELETE,
            },
            KeySpec { begin: Begin::Index(2), find: Find::Range(0, 1, 0), uses: RW | INSERT },
        ]),
    command(Id::Lmpop, "lmpop", -4, WRITE, IN_LIST)
        .about("7.0.0", "O(N+M)", "Takes elements from the first nonempty list.")
        .keys(&[KeySpec {
            begin: Begin::Index(1),
            find: Find::Count(0, 1, 1),
            uses: RW | ACCESS | DELETE,
        }]),
    command(Id::Lpop, "lpop", -2, WRITE | FAST, IN_LIST)
        .about("1.0.0", "O(N)", "Takes elements from the front of a list.")
        .keys(&[KeySpec {
            begin: Begin::Index(1),
            find: Find::Range(0, 1, 0),
            uses: RW | ACCESS | DELETE,
        }]),
    command(Id::Lpos, "lpos", -3, READONLY, IN_LIST)
        .about("6.0.6", "O(N)", "Finds an element in a list.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RO | ACCESS }]),
    command(Id::Lpush, "lpush", -3, WRITE | DENYOOM | FAST, IN_LIST)
        .about("1.0.0", "O(1)", "Adds elements to the front of a list.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RW | INSERT }]),
    command(Id::Lpushx, "lpushx", -3, WRITE | DENYOOM | FAST, IN_LIST)
        .about("2.2.0", "O(1)", "Adds elements to the front of a list that exists.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RW | INSERT }]),
    command(Id::Lrange, "lrange", 4, READONLY, IN_LIST)
        .about("1.0.0", "O(S+N)", "Reads a range of a list.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RO | ACCESS }]),
    command(Id::Lrem, "lrem", 4, WRITE, IN_LIST)
        .about("1.0.0", "O(N+M)", "Removes elements equal to a value.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RW | DELETE }]),
    command(Id::Lset, "lset", 4, WRITE | DENYOOM, IN_LIST)
        .about("1.0.0", "O(N)", "Replaces an element by its index.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RW | UPDATE }]),
    command(Id::Ltrim, "ltrim", 4, WRITE, IN_LIST)
        .about("1.0.0", "O(N)", "Keeps only a range of a list.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RW | DELETE }]),
    command(Id::Rpop, "rpop", -2, WRITE | FAST, IN_LIST)
        .about("1.0.0", "O(N)", "Takes elements from the end of a list.")
        .keys(&[KeySpec {
            begin: Begin::Index(1),
            find: Find::Range(0, 1, 0),
            uses: RW | ACCESS | DELETE,
        }]),
    command(Id::Rpoplpush, "rpoplpush", 3, WRITE | DENYOOM, IN_LIST)
        .about("1.2.0", "O(1)", "Moves the last element to the front of another list.")
        .keys(&[
            KeySpec {
                begin: Begin::Index(1),
                find: Find::Range(0, 1, 0),
                uses: RW | ACCESS | DELETE,
            },
            KeySpec { begin: Begin::Index(2), find: Find::Range(0, 1, 0), uses: RW | INSERT },
        ])
        .deprecated("6.2.0"),
    command(Id::Rpush, "rpush", -3, WRITE | DENYOOM | FAST, IN_LIST)
        .about("1.0.0", "O(1)", "Adds elements to the end of a list.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RW | INSERT }]),
    command(Id::Rpushx, "rpushx", -3, WRITE | DENYOOM | FAST, IN_LIST)
        .about("2.2.0", "O(1)", "Adds elements to the end of a list that exists.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RW | INSERT }]),
];
