//! Commands of the group `string`.

use crate::command::Command;
use crate::command::CommandId as Id;
use crate::command::category::IN_STRING;
use crate::command::flag::{DENYOOM, FAST, READONLY, WRITE};
use crate::command::keys::uses::{ACCESS, DELETE, INSERT, OW, RO, RW, UPDATE, VARIABLE_FLAGS};
use crate::command::keys::{Begin, Find, KeySpec};
use crate::command::row::command;

pub(super) const ROWS: [Command; 22] = [
    command(Id::Append, "append", 3, WRITE | DENYOOM | FAST, IN_STRING)
        .about("2.0.0", "O(1)", "Adds to the end of a string.")
        .built()
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RW | INSERT }]),
    command(Id::Decr, "decr", 2, WRITE | DENYOOM | FAST, IN_STRING)
        .about("1.0.0", "O(1)", "Takes one from an integer.")
        .built()
        .keys(&[KeySpec {
            begin: Begin::Index(1),
            find: Find::Range(0, 1, 0),
            uses: RW | ACCESS | UPDATE,
        }]),
    command(Id::Decrby, "decrby", 3, WRITE | DENYOOM | FAST, IN_STRING)
        .about("1.0.0", "O(1)", "Takes an amount from an integer.")
        .built()
        .keys(&[KeySpec {
            begin: Begin::Index(1),
            find: Find::Range(0, 1, 0),
            uses: RW | ACCESS | UPDATE,
        }]),
    command(Id::Get, "get", 2, READONLY | FAST, IN_STRING)
        .about("1.0.0", "O(1)", "Reads a string.")
        .built()
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RO | ACCESS }]),
    command(Id::Getdel, "getdel", 2, WRITE | FAST, IN_STRING)
        .about("6.2.0", "O(1)", "Reads a string and removes it.")
        .built()
        .keys(&[KeySpec {
            begin: Begin::Index(1),
            find: Find::Range(0, 1, 0),
            uses: RW | ACCESS | DELETE,
        }]),
    command(Id::Getex, "getex", -2, WRITE | FAST, IN_STRING)
        .about("6.2.0", "O(1)", "Reads a string and changes its expiry.")
        .built()
        .keys(&[KeySpec {
            begin: Begin::Index(1),
            find: Find::Range(0, 1, 0),
            uses: RW | ACCESS | UPDATE,
        }]),
    command(Id::Getrange, "getrange", 4, READONLY, IN_STRING)
        .about("2.4.0", "O(N)", "Reads a part of a string.")
        .built()
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RO | ACCESS }]),
    command(Id::Getset, "getset", 3, WRITE | DENYOOM | FAST, IN_STRING)
        .about("1.0.0", "O(1)", "Reads a string and replaces it.")
        .built()
        .keys(&[KeySpec {
            begin: Begin::Index(1),
            find: Find::Range(0, 1, 0),
            uses: RW | ACCESS | UPDATE,
        }])
        .deprecated("6.2.0"),
    command(Id::Incr, "incr", 2, WRITE | DENYOOM | FAST, IN_STRING)
        .about("1.0.0", "O(1)", "Adds one to an integer.")
        .built()
        .keys(&[KeySpec {
            begin: Begin::Index(1),
            find: Find::Range(0, 1, 0),
            uses: RW | ACCESS | UPDATE,
        }]),
    command(Id::Incrby, "incrby", 3, WRITE | DENYOOM | FAST, IN_STRING)
        .about("1.0.0", "O(1)", "Adds an amount to an integer.")
        .built()
        .keys(&[KeySpec {
            begin: Begin::Index(1),
            find: Find::Range(0, 1, 0),
            uses: RW | ACCESS | UPDATE,
        }]),
    command(Id::Incrbyfloat, "incrbyfloat", 3, WRITE | DENYOOM | FAST, IN_STRING)
        .about("2.6.0", "O(1)", "Adds an amount to a floating-point number.")
        .built()
        .keys(&[KeySpec {
            begin: Begin::Index(1),
            find: Find::Range(0, 1, 0),
            uses: RW | ACCESS | UPDATE,
        }]),
    command(Id::Lcs, "lcs", -3, READONLY, IN_STRING)
        .about("7.0.0", "O(N*M)", "Finds the longest common subsequence of two strings.")
        .built()
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(1, 1, 0), uses: RO | ACCESS }]),
    command(Id::Mget, "mget", -2, READONLY | FAST, IN_STRING)
        .about("1.0.0", "O(N)", "Reads several strings.")
        .built()
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(-1, 1, 0), uses: RO | ACCESS }])
        .tips(&["request_policy:multi_shard"]),
    command(Id::Mset, "mset", -3, WRITE | DENYOOM, IN_STRING)
        .about("1.0.1", "O(N)", "Writes several strings.")
        .built()
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(-1, 2, 0), uses: OW | UPDATE }])
        .tips(&["request_policy:multi_shard", "response_policy:all_succeeded"]),
    command(Id::Msetnx, "msetnx", -3, WRITE | DENYOOM, IN_STRING)
        .about("1.0.1", "O(N)", "Writes several strings if none of the keys exists.")
        .built()
        .keys(&[KeySpec {
            begin: Begin::Index(1),
            find: Find::Range(-1, 2, 0),
            uses: OW | INSERT,
        }]),
    command(Id::Psetex, "psetex", 4, WRITE | DENYOOM, IN_STRING)
        .about("2.6.0", "O(1)", "Writes a string that expires after milliseconds.")
        .built()
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: OW | UPDATE }])
        .deprecated("2.6.12"),
    command(Id::Set, "set", -3, WRITE | DENYOOM, IN_STRING)
        .about("1.0.0", "O(1)", "Writes a string, whatever the key held before.")
        .built()
        .keys(&[KeySpec {
            begin: Begin::Index(1),
            find: Find::Range(0, 1, 0),
            uses: RW | ACCESS | UPDATE | VARIABLE_FLAGS,
        }]),
    command(Id::Setex, "setex", 4, WRITE | DENYOOM, IN_STRING)
        .about("2.0.0", "O(1)", "Writes a string that expires after seconds.")
        .built()
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: OW | UPDATE }])
        .deprecated("2.6.12"),
    command(Id::Setnx, "setnx", 3, WRITE | DENYOOM | FAST, IN_STRING)
        .about("1.0.0", "O(1)", "Writes a string if the key does not exist.")
        .built()
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: OW | INSERT }])
        .deprecated("2.6.12"),
    command(Id::Setrange, "setrange", 4, WRITE | DENYOOM, IN_STRING)
        .about("2.2.0", "O(1)", "Overwrites a part of a string.")
        .built()
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RW | UPDATE }]),
    command(Id::Strlen, "strlen", 2, READONLY | FAST, IN_STRING)
        .about("2.2.0", "O(1)", "Measures a string.")
        .built()
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RO }]),
    command(Id::Substr, "substr", 4, READONLY, IN_STRING)
        .about("1.0.0", "O(N)", "Reads a part of a string.")
        .built()
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RO | ACCESS }])
        .deprecated("2.0.0"),
];
