//! Commands of the group `generic`.

use crate::command::Command;
use crate::command::CommandId as Id;
use crate::command::category::{
    IN_CONNECTION, IN_DANGEROUS, IN_KEYSPACE, IN_LIST, IN_SET, IN_SORTEDSET,
};
use crate::command::flag::{
    DENYOOM, FAST, LOADING, NONE, NOSCRIPT, READONLY, STALE, TOUCHES_ARBITRARY_KEYS, WRITE,
};
use crate::command::keys::uses::{ACCESS, DELETE, INCOMPLETE, INSERT, OW, RM, RO, RW, UPDATE};
use crate::command::keys::{Begin, Find, KeySpec};
use crate::command::row::command;

pub(super) const ROWS: [Command; 34] = [
    command(Id::Copy, "copy", -3, WRITE | DENYOOM, IN_KEYSPACE)
        .about("6.2.0", "O(N)", "Copies a key and its value.")
        .built()
        .keys(&[
            KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RO | ACCESS },
            KeySpec { begin: Begin::Index(2), find: Find::Range(0, 1, 0), uses: OW | UPDATE },
        ]),
    command(Id::Del, "del", -2, WRITE, IN_KEYSPACE)
        .about("1.0.0", "O(N)", "Removes keys.")
        .built()
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(-1, 1, 0), uses: RM | DELETE }])
        .tips(&["request_policy:multi_shard", "response_policy:agg_sum"]),
    command(Id::Dump, "dump", 2, READONLY, IN_KEYSPACE)
        .about("2.6.0", "O(1)", "Serializes the value of a key.")
        .built()
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RO | ACCESS }])
        .tips(&["nondeterministic_output"]),
    command(Id::Exists, "exists", -2, READONLY | FAST, IN_KEYSPACE)
        .about("1.0.0", "O(N)", "Counts which of the keys exist.")
        .built()
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(-1, 1, 0), uses: RO }])
        .tips(&["request_policy:multi_shard", "response_policy:agg_sum"]),
    command(Id::Expire, "expire", -3, WRITE | FAST, IN_KEYSPACE)
        .about("1.0.0", "O(1)", "Lets a key expire after seconds.")
        .built()
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RW | UPDATE }]),
    command(Id::Expireat, "expireat", -3, WRITE | FAST, IN_KEYSPACE)
        .about("1.2.0", "O(1)", "Lets a key expire at a second of the clock.")
        .built()
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RW | UPDATE }]),
    command(Id::Expiretime, "expiretime", 2, READONLY | FAST, IN_KEYSPACE)
        .about("7.0.0", "O(1)", "Tells the second at which a key expires.")
        .built()
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RO | ACCESS }]),
    command(Id::Keys, "keys", 2, READONLY, IN_KEYSPACE | IN_DANGEROUS)
        .about("1.0.0", "O(N)", "Lists the keys that match a pattern.")
        .built()
        .tips(&["request_policy:all_shards", "nondeterministic_output_order"]),
    command(Id::Migrate, "migrate", -6, WRITE, IN_KEYSPACE | IN_DANGEROUS)
        .about("2.6.0", "", "Moves keys to another server.")
        .built()
        .keys(&[
            KeySpec {
                begin: Begin::Index(3),
                find: Find::Range(0, 1, 0),
                uses: RW | ACCESS | DELETE,
            },
            KeySpec {
                begin: Begin::Keyword("KEYS", -2),
                find: Find::Range(-1, 1, 0),
                uses: RW | ACCESS | DELETE | INCOMPLETE,
            },
        ])
        .tips(&["nondeterministic_output"]),
    command(Id::Move, "move", 3, WRITE | FAST, IN_KEYSPACE)
        .about("1.0.0", "O(1)", "Moves a key to another database.")
        .built()
        .keys(&[KeySpec {
            begin: Begin::Index(1),
            find: Find::Range(0, 1, 0),
            uses: RW | ACCESS | UPDATE,
        }]),
    command(Id::Object, "object", -2, NONE, NONE)
        .about("2.2.3", "", "Commands about the representation of values.")
        .built()
        .subcommands(&[
            Id::ObjectEncoding,
            Id::ObjectFreq,
            Id::ObjectHelp,
            Id::ObjectIdletime,
            Id::ObjectRefcount,
        ]),
    command(Id::ObjectEncoding, "encoding", 3, READONLY, IN_KEYSPACE)
        .about("2.2.3", "O(1)", "Tells how a value is represented.")
        .built()
        .keys(&[KeySpec { begin: Begin::Index(2), find: Find::Range(0, 1, 0), uses: RO }])
        .within(Id::Object)
        .tips(&["nondeterministic_output"]),
    command(Id::ObjectFreq, "freq", 3, READONLY, IN_KEYSPACE)
        .about("4.0.0", "O(1)", "Tells how often a key is used.")
        .built()
        .keys(&[KeySpec { begin: Begin::Index(2), find: Find::Range(0, 1, 0), uses: RO }])
        .within(Id::Object)
        .tips(&["nondeterministic_output"]),
    command(Id::ObjectHelp, "help", 2, LOADING | STALE, IN_KEYSPACE)
        .about("6.2.0", "O(1)", "Describes the subcommands.")
        .built()
        .within(Id::Object),
    command(Id::ObjectIdletime, "idletime", 3, READONLY, IN_KEYSPACE)
        .about("2.2.3", "O(1)", "Tells how long a key was not used.")
        .built()
        .keys(&[KeySpec { begin: Begin::Index(2), find: Find::Range(0, 1, 0), uses: RO }])
        .within(Id::Object)
        .tips(&["nondeterministic_output"]),
    command(Id::ObjectRefcount, "refcount", 3, READONLY, IN_KEYSPACE)
        .about("2.2.3", "O(1)", "Tells how many references a value has.")
        .built()
        .keys(&[KeySpec { begin: Begin::Index(2), find: Find::Range(0, 1, 0), uses: RO }])
        .within(Id::Object)
        .tips(&["nondeterministic_output"]),
    command(Id::Persist, "persist", 2, WRITE | FAST, IN_KEYSPACE)
        .about("2.2.0", "O(1)", "Takes a key's expiry away.")
        .built()
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RW | UPDATE }]),
    command(Id::Pexpire, "pexpire", -3, WRITE | FAST, IN_KEYSPACE)
        .about("2.6.0", "O(1)", "Lets a key expire after milliseconds.")
        .built()
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RW | UPDATE }]),
    command(Id::Pexpireat, "pexpireat", -3, WRITE | FAST, IN_KEYSPACE)
        .about("2.6.0", "O(1)", "Lets a key expire at a millisecond of the clock.")
        .built()
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RW | UPDATE }]),
    command(Id::Pexpiretime, "pexpiretime", 2, READONLY | FAST, IN_KEYSPACE)
        .about("7.0.0", "O(1)", "Tells the millisecond at which a key expires.")
        .built()
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RO | ACCESS }]),
    command(Id::Pttl, "pttl", 2, READONLY | FAST, IN_KEYSPACE)
        .about("2.6.0", "O(1)", "Tells in how many milliseconds a key expires.")
        .built()
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RO | ACCESS }])
        .tips(&["nondeterministic_output"]),
    command(Id::Randomkey, "randomkey", 1, READONLY | TOUCHES_ARBITRARY_KEYS, IN_KEYSPACE)
        .about("1.0.0", "O(1)", "Picks a key at random.")
        .built()
        .tips(&["request_policy:all_shards", "response_policy:special", "nondeterministic_output"]),
    command(Id::Rename, "rename", 3, WRITE, IN_KEYSPACE)
        .about("1.0.0", "O(1)", "Renames a key over any other.")
        .built()
        .keys(&[
            KeySpec {
                begin: Begin::Index(1),
                find: Find::Range(0, 1, 0),
                uses: RW | ACCESS | DELETE,
            },
            KeySpec { begin: Begin::Index(2), find: Find::Range(0, 1, 0), uses: OW | UPDATE },
        ]),
    command(Id::Renamenx, "renamenx", 3, WRITE | FAST, IN_KEYSPACE)
        .about("1.0.0", "O(1)", "Renames a key if the new name is free.")
        .built()
        .keys(&[
            KeySpec {
                begin: Begin::Index(1),
                find: Find::Range(0, 1, 0),
                uses: RW | ACCESS | DELETE,
            },
            KeySpec { begin: Begin::Index(2), find: Find::Range(0, 1, 0), uses: OW | INSERT },
        ]),
    command(Id::Restore, "restore", -4, WRITE | DENYOOM, IN_KEYSPACE | IN_DANGEROUS)
        .about("2.6.0", "O(1)", "Makes a key from a serialized value.")
        .built()
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: OW | UPDATE }]),
    command(Id::Scan, "scan", -2, READONLY | TOUCHES_ARBITRARY_KEYS, IN_KEYSPACE)
        .about("2.8.0", "O(1)", "Walks the keys step by step.")
        .built()
        .tips(&["nondeterministic_output", "request_policy:special", "response_policy:special"]),
    command(Id::Sort, "sort", -2, WRITE | DENYOOM, IN_SET | IN_SORTEDSET | IN_LIST | IN_DANGEROUS)
        .about(
            "1.0.0",
            "O(N+M*log(M))",
            "Sorts a list, set or sorted set, and may keep the result.",
        )
        .keys(&[
            KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RO | ACCESS },
            KeySpec { begin: Begin::Unknown, find: Find::Unknown, uses: RO | ACCESS },
            KeySpec { begin: Begin::Unknown, find: Find::Unknown, uses: OW | UPDATE },
        ]),
    command(Id::SortRo, "sort_ro", -2, READONLY, IN_SET | IN_SORTEDSET | IN_LIST | IN_DANGEROUS)
        .about("7.0.0", "O(N+M*log(M))", "Sorts a list, set or sorted set.")
        .keys(&[
            KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RO | ACCESS },
            KeySpec { begin: Begin::Unknown, find: Find::Unknown, uses: RO | ACCESS },
        ]),
    command(Id::Touch, "touch", -2, READONLY | FAST, IN_KEYSPACE)
        .about("3.2.1", "O(N)", "Renews the keys' last use.")
        .built()
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(-1, 1, 0), uses: RO }])
        .tips(&["request_policy:multi_shard", "response_policy:agg_sum"]),
    command(Id::Ttl, "ttl", 2, READONLY | FAST, IN_KEYSPACE)
        .about("1.0.0", "O(1)", "Tells in how many seconds a key expires.")
        .built()
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RO | ACCESS }])
        .tips(&["nondeterministic_output"]),
    command(Id::Type, "type", 2, READONLY | FAST, IN_KEYSPACE)
        .about("1.0.0", "O(1)", "Tells the type of a value.")
        .built()
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RO }]),
    command(Id::Unlink, "unlink", -2, WRITE | FAST, IN_KEYSPACE)
        .about("4.0.0", "O(1)", "Removes keys and frees their values later.")
        .built()
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(-1, 1, 0), uses: RM | DELETE }])
        .tips(&["request_policy:multi_shard", "response_policy:agg_sum"]),
    command(Id::Wait, "wait", 3, NONE, IN_CONNECTION)
        .about("3.0.0", "O(1)", "Waits until replicas have received this connection's writes.")
        .built()
        .tips(&["request_policy:all_shards", "response_policy:agg_min"]),
    command(Id::Waitaof, "waitaof", 4, NOSCRIPT, IN_CONNECTION)
        .about("7.2.0", "O(1)", "Waits until this connection's writes are on disk.")
        .tips(&["request_policy:all_shards", "response_policy:agg_min"]),
];
