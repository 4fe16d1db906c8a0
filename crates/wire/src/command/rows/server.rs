//! Commands of the group `server`.

use crate::command::Command;
use crate::command::CommandId as Id;
use crate::command::category::{IN_ADMIN, IN_CONNECTION, IN_DANGEROUS, IN_KEYSPACE};
use crate::command::flag::{
    ADMIN, ALLOW_BUSY, ASKING, DENYOOM, FAST, LOADING, NO_ASYNC_LOADING, NO_MULTI, NONE, NOSCRIPT,
    PROTECTED, READONLY, SENTINEL, STALE, WRITE,
};
use crate::command::keys::uses::{OW, RO, UPDATE};
use crate::command::keys::{Begin, Find, KeySpec};
use crate::command::row::command;

pub(super) const ROWS: [Command; 76] = [
    command(Id::Acl, "acl", -2, SENTINEL, NONE)
        .about("6.0.0", "", "Commands about access rules.")
        .subcommands(&[
            Id::AclCat,
            Id::AclDeluser,
            Id::AclDryrun,
            Id::AclGenpass,
            Id::AclGetuser,
            Id::AclHelp,
            Id::AclList,
            Id::AclLoad,
            Id::AclLog,
            Id::AclSave,
            Id::AclSetuser,
            Id::AclUsers,
            Id::AclWhoami,
        ]),
    command(Id::AclCat, "cat", -2, NOSCRIPT | LOADING | STALE | SENTINEL, NONE)
        .about("6.0.0", "O(1)", "Lists the command categories, or the commands of one.")
        .within(Id::Acl),
    command(Id::AclDeluser, "deluser", -3, ADMIN | NOSCRIPT | LOADING | STALE | SENTINEL, NONE)
        .about("6.0.0", "O(1)", "Removes users and closes their connections.")
        .within(Id::Acl)
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"]),
    command(Id::AclDryrun, "dryrun", -4, ADMIN | NOSCRIPT | LOADING | STALE | SENTINEL, NONE)
        .about("7.0.0", "O(1)", "Tells whether a user could run a command, without running it.")
        .within(Id::Acl),
    command(Id::AclGenpass, "genpass", -2, NOSCRIPT | LOADING | STALE | SENTINEL, NONE)
        .about("6.0.0", "O(1)", "Makes a random password.")
        .within(Id::Acl),
    command(Id::AclGetuser, "getuser", 3, ADMIN | NOSCRIPT | LOADING | STALE | SENTINEL, NONE)
        .about("6.0.0", "O(N)", "Shows the rules of one user.")
        .within(Id::Acl),
    command(Id::AclHelp, "help", 2, LOADING | STALE | SENTINEL, NONE)
        .about("6.0.0", "O(1)", "Describes the subcommands.")
        .within(Id::Acl),
    command(Id::AclList, "list", 2, ADMIN | NOSCRIPT | LOADING | STALE | SENTINEL, NONE)
        .about("6.0.0", "O(N)", "Lists all users as rules that recreate them.")
        .within(Id::Acl),
    command(Id::AclLoad, "load", 2, ADMIN | NOSCRIPT | LOADING | STALE | SENTINEL, NONE)
        .about("6.0.0", "O(N)", "Reads the users again from the ACL file.")
        .within(Id::Acl),
    command(Id::AclLog, "log", -2, ADMIN | NOSCRIPT | LOADING | STALE | SENTINEL, NONE)
        .about("6.0.0", "O(N)", "Shows recent refusals, or forgets them.")
        .within(Id::Acl),
    command(Id::AclSave, "save", 2, ADMIN | NOSCRIPT | LOADING | STALE | SENTINEL, NONE)
        .about("6.0.0", "O(N)", "Writes the users to the ACL file.")
        .within(Id::Acl)
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"]),
    command(Id::AclSetuser, "setuser", -3, ADMIN | NOSCRIPT | LOADING | STALE | SENTINEL, NONE)
        .about("6.0.0", "O(N)", "Creates a user or changes its rules.")
        .within(Id::Acl)
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"]),
    command(Id::AclUsers, "users", 2, ADMIN | NOSCRIPT | LOADING | STALE | SENTINEL, NONE)
        .about("6.0.0", "O(N)", "Lists the names of all users.")
        .within(Id::Acl),
    command(Id::AclWhoami, "whoami", 2, NOSCRIPT | LOADING | STALE | SENTINEL, NONE)
        .about("6.0.0", "O(1)", "Tells which user this connection acts as.")
        .within(Id::Acl),
    command(Id::Bgrewriteaof, "bgrewriteaof", 1, NO_ASYNC_LOADING | ADMIN | NOSCRIPT, NONE).about(
        "1.0.0",
        "O(1)",
        "Rewrites the append-only file in the background.",
    ),
    command(Id::Bgsave, "bgsave", -1, NO_ASYNC_LOADING | ADMIN | NOSCRIPT, NONE)
        .about("1.0.0", "O(1)", "Saves a snapshot in the background.")
        .built(),
    command(Id::Command, "command", -1, LOADING | STALE | SENTINEL, IN_CONNECTION)
        .about("2.8.13", "O(N)", "Describes all commands.")
        .built()
        .subcommands(&[
            Id::CommandCount,
            Id::CommandDocs,
            Id::CommandGetkeys,
            Id::CommandGetkeysandflags,
            Id::CommandHelp,
            Id::CommandInfo,
            Id::CommandList,
        ])
        .tips(&["nondeterministic_output_order"]),
    command(Id::CommandCount, "count", 2, LOADING | STALE | SENTINEL, IN_CONNECTION)
        .about("2.8.13", "O(1)", "Counts the commands.")
        .built()
        .within(Id::Command),
    command(Id::CommandDocs, "docs", -2, LOADING | STALE | SENTINEL, IN_CONNECTION)
        .about("7.0.0", "O(N)", "Documents commands for people.")
        .built()
        .within(Id::Command)
        .tips(&["nondeterministic_output_order"]),
    command(Id::CommandGetkeys, "getkeys", -3, LOADING | STALE | SENTINEL, IN_CONNECTION)
        .about("2.8.13", "O(N)", "Finds the keys in a command line.")
        .built()
        .within(Id::Command),
    command(
        Id::CommandGetkeysandflags,
        "getkeysandflags",
        -3,
        LOADING | STALE | SENTINEL,
        IN_CONNECTION,
    )
    .about("7.0.0", "O(N)", "Finds the keys in a command line and how each is used.")
    .built()
    .within(Id::Command),
    command(Id::CommandHelp, "help", 2, LOADING | STALE | SENTINEL, IN_CONNECTION)
        .about("5.0.0", "O(1)", "Describes the subcommands.")
        .built()
        .within(Id::Command),
    command(Id::CommandInfo, "info", -2, LOADING | STALE | SENTINEL, IN_CONNECTION)
        .about("2.8.13", "O(N)", "Describes the given commands.")
        .built()
        .within(Id::Command)
        .tips(&["nondeterministic_output_order"]),
    command(Id::CommandList, "list", -2, LOADING | STALE | SENTINEL, IN_CONNECTION)
        .about("7.0.0", "O(N)", "Lists the names of commands.")
        .built()
        .within(Id::Command)
        .tips(&["nondeterministic_output_order"]),
    command(Id::Config, "config", -2, NONE, NONE)
        .about("2.0.0", "", "Commands about configuration.")
        .built()
        .subcommands(&[
            Id::ConfigGet,
            Id::ConfigHelp,
            Id::ConfigResetstat,
            Id::ConfigRewrite,
            Id::ConfigSet,
        ]),
    command(Id::ConfigGet, "get", -3, ADMIN | NOSCRIPT | LOADING | STALE, NONE)
        .about("2.0.0", "O(N)", "Shows parameters whose names match.")
        .built()
        .within(Id::Config),
    command(Id::ConfigHelp, "help", 2, LOADING | STALE, NONE)
        .about("5.0.0", "O(1)", "Describes the subcommands.")
        .built()
        .within(Id::Config),
    command(Id::ConfigResetstat, "resetstat", 2, ADMIN | NOSCRIPT | LOADING | STALE, NONE)
        .about("2.0.0", "O(1)", "Sets the statistics back to zero.")
        .built()
        .within(Id::Config)
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"]),
    command(Id::ConfigRewrite, "rewrite", 2, ADMIN | NOSCRIPT | LOADING | STALE, NONE)
        .about("2.8.0", "O(1)", "Writes the parameters in force to the configuration file.")
        .built()
        .within(Id::Config)
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"]),
    command(Id::ConfigSet, "set", -4, ADMIN | NOSCRIPT | LOADING | STALE, NONE)
        .about("2.0.0", "O(N)", "Changes parameters of the running server.")
        .built()
        .within(Id::Config)
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"]),
    command(Id::Dbsize, "dbsize", 1, READONLY | FAST, IN_KEYSPACE)
        .about("1.0.0", "O(1)", "Counts the keys of the selected database.")
        .built()
        .tips(&["request_policy:all_shards", "response_policy:agg_sum"]),
    command(Id::Debug, "debug", -2, ADMIN | NOSCRIPT | LOADING | STALE | PROTECTED, NONE)
        .about("1.0.0", "", "Commands for testing the server itself.")
        .built()
        .system(),
    command(Id::Failover, "failover", -1, ADMIN | NOSCRIPT | STALE, NONE)
        .about("6.2.0", "O(1)", "Hands the primary role over to a replica in an orderly way.")
        .built(),
    command(Id::Flushall, "flushall", -1, WRITE, IN_KEYSPACE | IN_DANGEROUS)
        .about("1.0.0", "O(N)", "Removes all keys of all databases.")
        .built()
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"]),
    command(Id::Flushdb, "flushdb", -1, WRITE, IN_KEYSPACE | IN_DANGEROUS)
        .about("1.0.0", "O(N)", "Removes all keys of the selected database.")
        .built()
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"]),
    command(Id::Info, "info", -1, LOADING | STALE | SENTINEL, IN_DANGEROUS)
        .about("1.0.0", "O(1)", "Reports figures about the server.")
        .built()
        .tips(&["nondeterministic_output", "request_policy:all_shards", "response_policy:special"]),
    command(Id::Lastsave, "lastsave", 1, LOADING | STALE | FAST, IN_ADMIN | IN_DANGEROUS)
        .about("1.0.0", "O(1)", "Tells when the last snapshot was saved.")
        .built()
        .tips(&["nondeterministic_output"]),
    command(Id::Latency, "latency", -2, NONE, NONE)
        .about("2.8.13", "", "Commands about latency.")
        .built()
        .subcommands(&[
            Id::LatencyDoctor,
            Id::LatencyGraph,
            Id::LatencyHelp,
            Id::LatencyHistogram,
            Id::LatencyHistory,
            Id::LatencyLatest,
            Id::LatencyReset,
        ]),
    command(Id::LatencyDoctor, "doctor", 2, ADMIN | NOSCRIPT | LOADING | STALE, NONE)
        .about("2.8.13", "O(1)", "Explains observed latency in words.")
        .built()
        .within(Id::Latency)
        .tips(&["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"]),
    command(Id::LatencyGraph, "graph", 3, ADMIN | NOSCRIPT | LOADING | STALE, NONE)
        .about("2.8.13", "O(1)", "Draws the latency of an event.")
        .built()
        .within(Id::Latency)
        .tips(&["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"]),
    command(Id::LatencyHelp, "help", 2, LOADING | STALE, NONE)
        .about("2.8.13", "O(1)", "Describes the subcommands.")
        .built()
        .within(Id::Latency),
    command(Id::LatencyHistogram, "histogram", -2, ADMIN | NOSCRIPT | LOADING | STALE, NONE)
        .about("7.0.0", "O(N)", "Shows how long commands took, as histograms.")
        .built()
        .within(Id::Latency)
        .tips(&["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"]),
    command(Id::LatencyHistory, "history", 3, ADMIN | NOSCRIPT | LOADING | STALE, NONE)
        .about("2.8.13", "O(1)", "Shows the recorded spikes of an event.")
        .built()
        .within(Id::Latency)
        .tips(&["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"]),
    command(Id::LatencyLatest, "latest", 2, ADMIN | NOSCRIPT | LOADING | STALE, NONE)
        .about("2.8.13", "O(1)", "Shows the latest spike of every event.")
        .built()
        .within(Id::Latency)
        .tips(&["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"]),
    command(Id::LatencyReset, "reset", -2, ADMIN | NOSCRIPT | LOADING | STALE, NONE)
        .about("2.8.13", "O(1)", "Forgets recorded spikes.")
        .built()
        .within(Id::Latency)
        .tips(&["request_policy:all_nodes", "response_policy:agg_sum"]),
    command(Id::Lolwut, "lolwut", -1, READONLY | FAST, NONE)
        .about("5.0.0", "", "Draws a picture with the version.")
        .built(),
    command(Id::Memory, "memory", -2, NONE, NONE)
        .about("4.0.0", "", "Commands about memory.")
        .built()
        .subcommands(&[
            Id::MemoryDoctor,
            Id::MemoryHelp,
            Id::MemoryMallocStats,
            Id::MemoryPurge,
            Id::MemoryStats,
            Id::MemoryUsage,
        ]),
    command(Id::MemoryDoctor, "doctor", 2, NONE, NONE)
        .about("4.0.0", "O(1)", "Explains memory problems in words.")
        .built()
        .within(Id::Memory)
        .tips(&["nondeterministic_output", "request_policy:all_shards", "response_policy:special"]),
    command(Id::MemoryHelp, "help", 2, LOADING | STALE, NONE)
        .about("4.0.0", "O(1)", "Describes the subcommands.")
        .built()
        .within(Id::Memory),
    command(Id::MemoryMallocStats, "malloc-stats", 2, NONE, NONE)
        .about("4.0.0", "", "Reports the allocator's own figures.")
        .built()
        .within(Id::Memory)
        .tips(&["nondeterministic_output", "request_policy:all_shards", "response_policy:special"]),
    command(Id::MemoryPurge, "purge", 2, NONE, NONE)
        .about("4.0.0", "", "Asks the allocator to give memory back.")
        .built()
        .within(Id::Memory)
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"]),
    command(Id::MemoryStats, "stats", 2, NONE, NONE)
        .about("4.0.0", "O(1)", "Reports where the memory goes.")
        .built()
        .within(Id::Memory)
        .tips(&["nondeterministic_output", "request_policy:all_shards", "response_policy:special"]),
    command(Id::MemoryUsage, "usage", -3, READONLY, NONE)
        .about("4.0.0", "O(N)", "Estimates the memory one key takes.")
        .built()
        .keys(&[KeySpec { begin: Begin::Index(2), find: Find::Range(0, 1, 0), uses: RO }])
        .within(Id::Memory),
    command(Id::Module, "module", -2, NONE, NONE)
        .about("4.0.0", "", "Commands about modules.")
        .subcommands(&[
            Id::ModuleHelp,
            Id::ModuleList,
            Id::ModuleLoad,
            Id::ModuleLoadex,
            Id::ModuleUnload,
        ]),
    command(Id::ModuleHelp, "help", 2, LOADING | STALE, NONE)
        .about("5.0.0", "O(1)", "Describes the subcommands.")
        .within(Id::Module),
    command(Id::ModuleList, "list", 2, ADMIN | NOSCRIPT, NONE)
        .about("4.0.0", "O(N)", "Lists the loaded modules.")
        .within(Id::Module)
        .tips(&["nondeterministic_output_order"]),
    command(Id::ModuleLoad, "load", -3, NO_ASYNC_LOADING | ADMIN | NOSCRIPT | PROTECTED, NONE)
        .about("4.0.0", "O(1)", "Loads a module.")
        .within(Id::Module),
    command(Id::ModuleLoadex, "loadex", -3, NO_ASYNC_LOADING | ADMIN | NOSCRIPT | PROTECTED, NONE)
        .about("7.0.0", "O(1)", "Loads a module with configuration.")
        .within(Id::Module),
    command(Id::ModuleUnload, "unload", 3, NO_ASYNC_LOADING | ADMIN | NOSCRIPT | PROTECTED, NONE)
        .about("4.0.0", "O(1)", "Unloads a module.")
        .within(Id::Module),
    command(Id::Monitor, "monitor", 1, ADMIN | NOSCRIPT | LOADING | STALE, NONE)
        .about("1.0.0", "", "Streams every command the server runs.")
        .built(),
    command(Id::Psync, "psync", -3, NO_ASYNC_LOADING | ADMIN | NO_MULTI | NOSCRIPT, NONE)
        .about("2.8.0", "", "Asks a primary for its stream, from an offset on.")
        .built(),
    command(Id::Replconf, "replconf", -1, ADMIN | NOSCRIPT | LOADING | STALE | ALLOW_BUSY, NONE)
        .about("3.0.0", "O(1)", "Negotiates and reports between replica and primary.")
        .built()
        .system(),
    command(Id::Replicaof, "replicaof", 3, NO_ASYNC_LOADING | ADMIN | NOSCRIPT | STALE, NONE)
        .about("5.0.0", "O(1)", "Makes the server a replica of another, or a primary.")
        .built(),
    command(
        Id::RestoreAsking,
        "restore-asking",
        -4,
        WRITE | DENYOOM | ASKING,
        IN_KEYSPACE | IN_DANGEROUS,
    )
    .about("3.0.0", "O(1)", "Restores a key that is on its way between cluster nodes.")
    .built()
    .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: OW | UPDATE }])
    .system(),
    command(
        Id::Role,
        "role",
        1,
        NOSCRIPT | LOADING | STALE | FAST | SENTINEL,
        IN_ADMIN | IN_DANGEROUS,
    )
    .about("2.8.12", "O(1)", "Tells the server's part in replication.")
    .built(),
    command(Id::Save, "save", 1, NO_ASYNC_LOADING | ADMIN | NOSCRIPT | NO_MULTI, NONE)
        .about("1.0.0", "O(N)", "Saves a snapshot and waits for it.")
        .built(),
    command(
        Id::Shutdown,
        "shutdown",
        -1,
        ADMIN | NOSCRIPT | LOADING | STALE | NO_MULTI | SENTINEL | ALLOW_BUSY,
        NONE,
    )
    .about("1.0.0", "O(N)", "Ends the server, saving first if so configured.")
    .built(),
    command(Id::Slaveof, "slaveof", 3, NO_ASYNC_LOADING | ADMIN | NOSCRIPT | STALE, NONE)
        .about("1.0.0", "O(1)", "Makes the server a replica of another, or a primary.")
        .built()
        .deprecated("5.0.0"),
    command(Id::Slowlog, "slowlog", -2, NONE, NONE)
        .about("2.2.12", "", "Commands about slow commands.")
        .built()
        .subcommands(&[Id::SlowlogGet, Id::SlowlogHelp, Id::SlowlogLen, Id::SlowlogReset]),
    command(Id::SlowlogGet, "get", -2, ADMIN | LOADING | STALE, NONE)
        .about("2.2.12", "O(N)", "Shows the slowest recent commands.")
        .built()
        .within(Id::Slowlog)
        .tips(&["request_policy:all_nodes", "nondeterministic_output"]),
    command(Id::SlowlogHelp, "help", 2, LOADING | STALE, NONE)
        .about("6.2.0", "O(1)", "Describes the subcommands.")
        .built()
        .within(Id::Slowlog),
    command(Id::SlowlogLen, "len", 2, ADMIN | LOADING | STALE, NONE)
        .about("2.2.12", "O(1)", "Counts the entries of the slow log.")
        .built()
        .within(Id::Slowlog)
        .tips(&["request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"]),
    command(Id::SlowlogReset, "reset", 2, ADMIN | LOADING | STALE, NONE)
        .about("2.2.12", "O(N)", "Forgets the entries of the slow log.")
        .built()
        .within(Id::Slowlog)
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"]),
    command(Id::Swapdb, "swapdb", 3, WRITE | FAST, IN_KEYSPACE | IN_DANGEROUS)
        .about("4.0.0", "O(N)", "Exchanges two databases.")
        .built(),
    command(Id::Sync, "sync", 1, NO_ASYNC_LOADING | ADMIN | NO_MULTI | NOSCRIPT, NONE)
        .about("1.0.0", "", "Asks a primary for a whole copy and its stream.")
        .built(),
    command(Id::Time, "time", 1, LOADING | STALE | FAST, NONE)
        .about("2.6.0", "O(1)", "Tells the server's clock.")
        .built()
        .tips(&["nondeterministic_output"]),
];
