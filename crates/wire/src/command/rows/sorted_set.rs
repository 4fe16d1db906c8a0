//! Commands of the group `sorted-set`.

use crate::command::Command;
use crate::command::CommandId as Id;
use crate::command::category::IN_SORTEDSET;
use crate::command::flag::{BLOCKING, DENYOOM, FAST, READONLY, WRITE};
use crate::command::keys::uses::{ACCESS, DELETE, OW, RO, RW, UPDATE};
use crate::command::keys::{Begin, Find, KeySpec};
use crate::command::row::command;

pub(super) const ROWS: [Command; 35] = [
    command(Id::Bzmpop, "bzmpop", -5, WRITE | BLOCKING, IN_SORTEDSET)
        .about(
            "7.0.0",
            "O(K) + O(M*log(N))",
            "Takes members from the first nonempty sorted set, waiting for one.",
        )
        .keys(&[KeySpec {
            begin: Begin::Index(2),
            find: Find::Count(0, 1, 1),
            uses: RW | ACCESS | DELETE,
        }]),
    command(Id::Bzpopmax, "bzpopmax", -3, WRITE | FAST | BLOCKING, IN_SORTEDSET)
        .about("5.0.0", "O(log(N))", "Takes the member with the highest score, waiting for one.")
        .keys(&[KeySpec {
            begin: Begin::Index(1),
            find: Find::Range(-2, 1, 0),
            uses: RW | ACCESS | DELETE,
        }]),
    command(Id::Bzpopmin, "bzpopmin", -3, WRITE | FAST | BLOCKING, IN_SORTEDSET)
        .about("5.0.0", "O(log(N))", "Takes the member with the lowest score, waiting for one.")
        .keys(&[KeySpec {
            begin: Begin::Index(1),
            find: Find::Range(-2, 1, 0),
            uses: RW | ACCESS | DELETE,
        }]),
    command(Id::Zadd, "zadd", -4, WRITE | DENYOOM | FAST, IN_SORTEDSET)
        .about("1.2.0", "O(log(N))", "Adds members or changes their scores.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RW | UPDATE }]),
    command(Id::Zcard, "zcard", 2, READONLY | FAST, IN_SORTEDSET)
        .about("1.2.0", "O(1)", "Counts the members of a sorted set.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RO }]),
    command(Id::Zcount, "zcount", 4, READONLY | FAST, IN_SORTEDSET)
        .about("2.0.0", "O(log(N))", "Counts the members in a range of scores.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RO | ACCESS }]),
    command(Id::Zdiff, "zdiff", -3, READONLY, IN_SORTEDSET)
        .about("6.2.0", "O(L + (N-K)log(N))", "Subtracts sorted sets from the first.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Count(0, 1, 1), uses: RO | ACCESS }]),
    command(Id::Zdiffstore, "zdiffstore", -4, WRITE | DENYOOM, IN_SORTEDSET)
        .about(
            "6.2.0",
            "O(L + (N-K)log(N))",
            "Subtracts sorted sets from the first and keeps the result.",
        )
        .keys(&[
            KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: OW | UPDATE },
            KeySpec { begin: Begin::Index(2), find: Find::Count(0, 1, 1), uses: RO | ACCESS },
        ]),
    command(Id::Zincrby, "zincrby", 4, WRITE | DENYOOM | FAST, IN_SORTEDSET)
        .about("1.2.0", "O(log(N))", "Adds to a member's score.")
        .keys(&[KeySpec {
            begin: Begin::Index(1),
            find: Find::Range(0, 1, 0),
            uses: RW | ACCESS | UPDATE,
        }]),
    command(Id::Zinter, "zinter", -3, READONLY, IN_SORTEDSET)
        .about("6.2.0", "O(N*K) + O(M*log(M))", "Intersects sorted sets.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Count(0, 1, 1), uses: RO | ACCESS }]),
    command(Id::Zintercard, "zintercard", -3, READONLY, IN_SORTEDSET)
        .about("7.0.0", "O(N*K)", "Counts the intersection of sorted sets.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Count(0, 1, 1), uses: RO | ACCESS }]),
    command(Id::Zinterstore, "zinterstore", -4, WRITE | DENYOOM, IN_SORTEDSET)
        .about("2.0.0", "O(N*K) + O(M*log(M))", "Intersects sorted sets and keeps the result.")
        .keys(&[
            KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: OW | UPDATE },
            KeySpec { begin: Begin::Index(2), find: Find::Count(0, 1, 1), uses: RO | ACCESS },
        ]),
    command(Id::Zlexcount, "zlexcount", 4, READONLY | FAST, IN_SORTEDSET)
        .about("2.8.9", "O(log(N))", "Counts the members in a lexical range.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RO | ACCESS }]),
    command(Id::Zmpop, "zmpop", -4, WRITE, IN_SORTEDSET)
        .about("7.0.0", "O(K) + O(M*log(N))", "Takes members from the first nonempty sorted set.")
        .keys(&[KeySpec {
            begin: Begin::Index(1),
            find: Find::Count(0, 1, 1),
            uses: RW | ACCESS | DELETE,
        }]),
    command(Id::Zmscore, "zmscore", -3, READONLY | FAST, IN_SORTEDSET)
        .about("6.2.0", "O(N)", "Reads the scores of members.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RO | ACCESS }]),
    command(Id::Zpopmax, "zpopmax", -2, WRITE | FAST, IN_SORTEDSET)
        .about("5.0.0", "O(log(N)*M)", "Takes the members with the highest scores.")
        .keys(&[KeySpec {
            begin: Begin::Index(1),
            find: Find::Range(0, 1, 0),
            uses: RW | ACCESS | DELETE,
        }]),
    command(Id::Zpopmin, "zpopmin", -2, WRITE | FAST, IN_SORTEDSET)
        .about("5.0.0", "O(log(N)*M)", "Takes the members with the lowest scores.")
        .keys(&[KeySpec {
            begin: Begin::Index(1),
            find: Find::Range(0, 1, 0),
            uses: RW | ACCESS | DELETE,
        }]),
    command(Id::Zrandmember, "zrandmember", -2, READONLY, IN_SORTEDSET)
        .about("6.2.0", "O(N)", "Picks members at random.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RO | ACCESS }])
        .tips(&["nondeterministic_output"]),
    command(Id::Zrange, "zrange", -4, READONLY, IN_SORTEDSET)
        .about("1.2.0", "O(log(N)+M)", "Reads a range by rank, score or name.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RO | ACCESS }]),
    command(Id::Zrangebylex, "zrangebylex", -4, READONLY, IN_SORTEDSET)
        .about("2.8.9", "O(log(N)+M)", "Reads a lexical range.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RO | ACCESS }])
        .deprecated("6.2.0"),
    command(Id::Zrangebyscore, "zrangebyscore", -4, READONLY, IN_SORTEDSET)
        .about("1.0.5", "O(log(N)+M)", "Reads a range of scores.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RO | ACCESS }])
        .deprecated("6.2.0"),
    command(Id::Zrangestore, "zrangestore", -5, WRITE | DENYOOM, IN_SORTEDSET)
        .about("6.2.0", "O(log(N)+M)", "Keeps a range in another key.")
        .keys(&[
            KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: OW | UPDATE },
            KeySpec { begin: Begin::Index(2), find: Find::Range(0, 1, 0), uses: RO | ACCESS },
        ]),
    command(Id::Zrank, "zrank", -3, READONLY | FAST, IN_SORTEDSET)
        .about("2.0.0", "O(log(N))", "Tells a member's rank from the lowest score.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RO | ACCESS }]),
    command(Id::Zrem, "zrem", -3, WRITE | FAST, IN_SORTEDSET)
        .about("1.2.0", "O(M*log(N))", "Removes members from a sorted set.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RW | DELETE }]),
    command(Id::Zremrangebylex, "zremrangebylex", 4, WRITE, IN_SORTEDSET)
        .about("2.8.9", "O(log(N)+M)", "Removes a lexical range.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RW | DELETE }]),
    command(Id::Zremrangebyrank, "zremrangebyrank", 4, WRITE, IN_SORTEDSET)
        .about("2.0.0", "O(log(N)+M)", "Removes a range of ranks.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RW | DELETE }]),
    command(Id::Zremrangebyscore, "zremrangebyscore", 4, WRITE, IN_SORTEDSET)
        .about("1.2.0", "O(log(N)+M)", "Removes a range of scores.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RW | DELETE }]),
    command(Id::Zrevrange, "zrevrange", -4, READONLY, IN_SORTEDSET)
        .about("1.2.0", "O(log(N)+M)", "Reads a range of ranks from the highest score.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RO | ACCESS }])
        .deprecated("6.2.0"),
    command(Id::Zrevrangebylex, "zrevrangebylex", -4, READONLY, IN_SORTEDSET)
        .about("2.8.9", "O(log(N)+M)", "Reads a lexical range backwards.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RO | ACCESS }])
        .deprecated("6.2.0"),
    command(Id::Zrevrangebyscore, "zrevrangebyscore", -4, READONLY, IN_SORTEDSET)
        .about("2.2.0", "O(log(N)+M)", "Reads a range of scores backwards.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RO | ACCESS }])
        .deprecated("6.2.0"),
    command(Id::Zrevrank, "zrevrank", -3, READONLY | FAST, IN_SORTEDSET)
        .about("2.0.0", "O(log(N))", "Tells a member's rank from the highest score.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RO | ACCESS }]),
    command(Id::Zscan, "zscan", -3, READONLY, IN_SORTEDSET)
        .about("2.8.0", "O(1)", "Walks a sorted set step by step.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RO | ACCESS }])
        .tips(&["nondeterministic_output"]),
    command(Id::Zscore, "zscore", 3, READONLY | FAST, IN_SORTEDSET)
        .about("1.2.0", "O(1)", "Reads the score of a member.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RO | ACCESS }]),
    command(Id::Zunion, "zunion", -3, READONLY, IN_SORTEDSET)
        .about("6.2.0", "O(N) + O(M*log(M))", "Unites sorted sets.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Count(0, 1, 1), uses: RO | ACCESS }]),
    command(Id::Zunionstore, "zunionstore", -4, WRITE | DENYOOM, IN_SORTEDSET)
        .about("2.0.0", "O(N) + O(M log(M))", "Unites sorted sets and keeps the result.")
        .keys(&[
            KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: OW | UPDATE },
            KeySpec { begin: Begin::Index(2), find: Find::Count(0, 1, 1), uses: RO | ACCESS },
        ]),
];
