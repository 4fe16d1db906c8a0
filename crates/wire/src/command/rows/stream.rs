//! Commands of the group `stream`.

use crate::command::Command;
use crate::command::CommandId as Id;
use crate::command::category::IN_STREAM;
use crate::command::flag::{BLOCKING, DENYOOM, FAST, LOADING, NONE, READONLY, STALE, WRITE};
use crate::command::keys::uses::{ACCESS, DELETE, INSERT, RO, RW, UPDATE};
use crate::command::keys::{Begin, Find, KeySpec};
use crate::command::row::command;

pub(super) const ROWS: [Command; 25] = [
    command(Id::Xack, "xack", -4, WRITE | FAST, IN_STREAM)
        .about("5.0.0", "O(1)", "Marks messages as handled.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RW | UPDATE }]),
    command(Id::Xadd, "xadd", -5, WRITE | DENYOOM | FAST, IN_STREAM)
        .about("5.0.0", "O(1)", "Appends a message to a stream.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RW | UPDATE }])
        .tips(&["nondeterministic_output"]),
    command(Id::Xautoclaim, "xautoclaim", -6, WRITE | FAST, IN_STREAM)
        .about("6.2.0", "O(1)", "Takes over messages that waited long.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RW | DELETE }])
        .tips(&["nondeterministic_output"]),
    command(Id::Xclaim, "xclaim", -6, WRITE | FAST, IN_STREAM)
        .about("5.0.0", "O(log N)", "Takes over messages of another consumer.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RW | UPDATE }])
        .tips(&["nondeterministic_output"]),
    command(Id::Xdel, "xdel", -3, WRITE | FAST, IN_STREAM)
        .about("5.0.0", "O(1)", "Removes messages from a stream.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RW | DELETE }]),
    command(Id::Xgroup, "xgroup", -2, NONE, NONE)
        .about("5.0.0", "", "Commands about consumer groups.")
        .subcommands(&[
            Id::XgroupCreate,
            Id::XgroupCreateconsumer,
            Id::XgroupDelconsumer,
            Id::XgroupDestroy,
            Id::XgroupHelp,
            Id::XgroupSetid,
        ]),
    command(Id::XgroupCreate, "create", -5, WRITE | DENYOOM, IN_STREAM)
        .about("5.0.0", "O(1)", "Creates a consumer group.")
        .keys(&[KeySpec { begin: Begin::Index(2), find: Find::Range(0, 1, 0), uses: RW | INSERT }])
        .within(Id::Xgroup),
    command(Id::XgroupCreateconsumer, "createconsumer", 5, WRITE | DENYOOM, IN_STREAM)
        .about("6.2.0", "O(1)", "Creates a consumer.")
        .keys(&[KeySpec { begin: Begin::Index(2), find: Find::Range(0, 1, 0), uses: RW | INSERT }])
        .within(Id::Xgroup),
    command(Id::XgroupDelconsumer, "delconsumer", 5, WRITE, IN_STREAM)
        .about("5.0.0", "O(1)", "Removes a consumer.")
        .keys(&[KeySpec { begin: Begin::Index(2), find: Find::Range(0, 1, 0), uses: RW | DELETE }])
        .within(Id::Xgroup),
    command(Id::XgroupDestroy, "destroy", 4, WRITE, IN_STREAM)
        .about("5.0.0", "O(N)", "Removes a consumer group.")
        .keys(&[KeySpec { begin: Begin::Index(2), find: Find::Range(0, 1, 0), uses: RW | DELETE }])
        .within(Id::Xgroup),
    command(Id::XgroupHelp, "help", 2, LOADING | STALE, IN_STREAM)
        .about("5.0.0", "O(1)", "Describes the subcommands.")
        .within(Id::Xgroup),
    command(Id::XgroupSetid, "setid", -5, WRITE, IN_STREAM)
        .about("5.0.0", "O(1)", "Sets what a group has read last.")
        .keys(&[KeySpec { begin: Begin::Index(2), find: Find::Range(0, 1, 0), uses: RW | UPDATE }])
        .within(Id::Xgroup),
    command(Id::Xinfo, "xinfo", -2, NONE, NONE)
        .about("5.0.0", "", "Commands about streams and their groups.")
        .subcommands(&[Id::XinfoConsumers, Id::XinfoGroups, Id::XinfoHelp, Id::XinfoStream]),
    command(Id::XinfoConsumers, "consumers", 4, READONLY, IN_STREAM)
        .about("5.0.0", "O(1)", "Describes the consumers of a group.")
        .keys(&[KeySpec { begin: Begin::Index(2), find: Find::Range(0, 1, 0), uses: RO | ACCESS }])
        .within(Id::Xinfo)
        .tips(&["nondeterministic_output"]),
    command(Id::XinfoGroups, "groups", 3, READONLY, IN_STREAM)
        .about("5.0.0", "O(1)", "Describes the groups of a stream.")
        .keys(&[KeySpec { begin: Begin::Index(2), find: Find::Range(0, 1, 0), uses: RO | ACCESS }])
        .within(Id::Xinfo),
    command(Id::XinfoHelp, "help", 2, LOADING | STALE, IN_STREAM)
        .about("5.0.0", "O(1)", "Describes the subcommands.")
        .within(Id::Xinfo),
    command(Id::XinfoStream, "stream", -3, READONLY, IN_STREAM)
        .about("5.0.0", "O(1)", "Describes a stream.")
        .keys(&[KeySpec { begin: Begin::Index(2), find: Find::Range(0, 1, 0), uses: RO | ACCESS }])
        .within(Id::Xinfo),
    command(Id::Xlen, "xlen", 2, READONLY | FAST, IN_STREAM)
        .about("5.0.0", "O(1)", "Counts the messages of a stream.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RO }]),
    command(Id::Xpending, "xpending", -3, READONLY, IN_STREAM)
        .about("5.0.0", "O(N)", "Shows what was delivered and not yet marked as handled.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RO | ACCESS }])
        .tips(&["nondeterministic_output"]),
    command(Id::Xrange, "xrange", -4, READONLY, IN_STREAM)
        .about("5.0.0", "O(N)", "Reads messages in a range of ids.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RO | ACCESS }]),
    command(Id::Xread, "xread", -4, BLOCKING | READONLY | BLOCKING, IN_STREAM)
        .about("5.0.0", "", "Reads new messages of streams, waiting for them if asked.")
        .keys(&[KeySpec {
            begin: Begin::Keyword("STREAMS", 1),
            find: Find::Range(-1, 1, 2),
            uses: RO | ACCESS,
        }]),
    command(Id::Xreadgroup, "xreadgroup", -7, BLOCKING | WRITE, IN_STREAM)
        .about("5.0.0", "", "Reads messages of streams as a member of a group.")
        .keys(&[KeySpec {
            begin: Begin::Keyword("STREAMS", 4),
            find: Find::Range(-1, 1, 2),
            uses: RO | ACCESS,
        }]),
    command(Id::Xrevrange, "xrevrange", -4, READONLY, IN_STREAM)
        .about("5.0.0", "O(N)", "Reads messages in a range of ids, backwards.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RO | ACCESS }]),
    command(Id::Xsetid, "xsetid", -3, WRITE | DENYOOM | FAST, IN_STREAM)
        .about("5.0.0", "O(1)", "Sets the last id of a stream.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RW | UPDATE }]),
    command(Id::Xtrim, "xtrim", -4, WRITE, IN_STREAM)
        .about("5.0.0", "O(N)", "Removes the oldest messages.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RW | DELETE }])
        .tips(&["nondeterministic_output"]),
];
