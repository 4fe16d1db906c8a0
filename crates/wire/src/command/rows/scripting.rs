//! Commands of the group `scripting`.

use crate::command::Command;
use crate::command::CommandId as Id;
use crate::command::category::IN_SCRIPTING;
use crate::command::flag::{
    ALLOW_BUSY, DENYOOM, LOADING, MAY_REPLICATE, NO_MANDATORY_KEYS, NONE, NOSCRIPT, READONLY,
    SKIP_MONITOR, STALE, WRITE,
};
use crate::command::keys::uses::{ACCESS, RO, RW, UPDATE};
use crate::command::keys::{Begin, Find, KeySpec};
use crate::command::row::command;

pub(super) const ROWS: [Command; 23] = [
    command(
        Id::Eval,
        "eval",
        -3,
        NOSCRIPT | SKIP_MONITOR | MAY_REPLICATE | NO_MANDATORY_KEYS | STALE,
        IN_SCRIPTING,
    )
    .about("2.6.0", "", "Runs a script.")
    .keys(&[KeySpec {
        begin: Begin::Index(2),
        find: Find::Count(0, 1, 1),
        uses: RW | ACCESS | UPDATE,
    }]),
    command(
        Id::EvalRo,
        "eval_ro",
        -3,
        NOSCRIPT | SKIP_MONITOR | NO_MANDATORY_KEYS | STALE | READONLY,
        IN_SCRIPTING,
    )
    .about("7.0.0", "", "Runs a script that only reads.")
    .keys(&[KeySpec { begin: Begin::Index(2), find: Find::Count(0, 1, 1), uses: RO | ACCESS }]),
    command(
        Id::Evalsha,
        "evalsha",
        -3,
        NOSCRIPT | SKIP_MONITOR | MAY_REPLICATE | NO_MANDATORY_KEYS | STALE,
        IN_SCRIPTING,
    )
    .about("2.6.0", "", "Runs a known script by its digest.")
    .keys(&[KeySpec {
        begin: Begin::Index(2),
        find: Find::Count(0, 1, 1),
        uses: RW | ACCESS | UPDATE,
    }]),
    command(
        Id::EvalshaRo,
        "evalsha_ro",
        -3,
        NOSCRIPT | SKIP_MONITOR | NO_MANDATORY_KEYS | STALE | READONLY,
        IN_SCRIPTING,
    )
    .about("7.0.0", "", "Runs a known script that only reads, by its digest.")
    .keys(&[KeySpec { begin: Begin::Index(2), find: Find::Count(0, 1, 1), uses: RO | ACCESS }]),
    command(
        Id::Fcall,
        "fcall",
        -3,
        NOSCRIPT | SKIP_MONITOR | MAY_REPLICATE | NO_MANDATORY_KEYS | STALE,
        IN_SCRIPTING,
    )
    .about("7.0.0", "", "Calls a function.")
    .keys(&[KeySpec {
        begin: Begin::Index(2),
        find: Find::Count(0, 1, 1),
        uses: RW | ACCESS | UPDATE,
    }]),
    command(
        Id::FcallRo,
        "fcall_ro",
        -3,
        NOSCRIPT | SKIP_MONITOR | NO_MANDATORY_KEYS | STALE | READONLY,
        IN_SCRIPTING,
    )
    .about("7.0.0", "", "Calls a function that only reads.")
    .keys(&[KeySpec { begin: Begin::Index(2), find: Find::Count(0, 1, 1), uses: RO | ACCESS }]),
    command(Id::Function, "function", -2, NONE, NONE)
        .about("7.0.0", "", "Commands about libraries of functions.")
        .subcommands(&[
            Id::FunctionDelete,
            Id::FunctionDump,
            Id::FunctionFlush,
            Id::FunctionHelp,
            Id::FunctionKill,
            Id::FunctionList,
            Id::FunctionLoad,
            Id::FunctionRestore,
            Id::FunctionStats,
        ]),
    command(Id::FunctionDelete, "delete", 3, NOSCRIPT | WRITE, IN_SCRIPTING)
        .about("7.0.0", "O(1)", "Removes a library.")
        .within(Id::Function)
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"]),
    command(Id::FunctionDump, "dump", 2, NOSCRIPT, IN_SCRIPTING)
        .about("7.0.0", "O(N)", "Serializes all libraries.")
        .within(Id::Function),
    command(Id::FunctionFlush, "flush", -2, NOSCRIPT | WRITE, IN_SCRIPTING)
        .about("7.0.0", "O(N)", "Removes all libraries.")
        .within(Id::Function)
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"]),
    command(Id::FunctionHelp, "help", 2, LOADING | STALE, IN_SCRIPTING)
        .about("7.0.0", "O(1)", "Describes the subcommands.")
        .within(Id::Function),
    command(Id::FunctionKill, "kill", 2, NOSCRIPT | ALLOW_BUSY, IN_SCRIPTING)
        .about("7.0.0", "O(1)", "Stops the running function.")
        .within(Id::Function)
        .tips(&["request_policy:all_shards", "response_policy:one_succeeded"]),
    command(Id::FunctionList, "list", -2, NOSCRIPT, IN_SCRIPTING)
        .about("7.0.0", "O(N)", "Lists the libraries.")
        .within(Id::Function)
        .tips(&["nondeterministic_output_order"]),
    command(Id::FunctionLoad, "load", -3, NOSCRIPT | WRITE | DENYOOM, IN_SCRIPTING)
        .about("7.0.0", "O(1)", "Adds a library.")
        .within(Id::Function)
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"]),
    command(Id::FunctionRestore, "restore", -3, NOSCRIPT | WRITE | DENYOOM, IN_SCRIPTING)
        .about("7.0.0", "O(N)", "Adds serialized libraries.")
        .within(Id::Function)
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"]),
    command(Id::FunctionStats, "stats", 2, NOSCRIPT | ALLOW_BUSY, IN_SCRIPTING)
        .about("7.0.0", "O(1)", "Reports about the running function and the engines.")
        .within(Id::Function)
        .tips(&["nondeterministic_output", "request_policy:all_shards", "response_policy:special"]),
    command(Id::Script, "script", -2, NONE, NONE)
        .about("2.6.0", "", "Commands about scripts.")
        .subcommands(&[
            Id::ScriptDebug,
            Id::ScriptExists,
            Id::ScriptFlush,
            Id::ScriptHelp,
            Id::ScriptKill,
            Id::ScriptLoad,
        ]),
    command(Id::ScriptDebug, "debug", 3, NOSCRIPT, IN_SCRIPTING)
        .about("3.2.0", "O(1)", "Sets how scripts of this connection are debugged.")
        .within(Id::Script),
    command(Id::ScriptExists, "exists", -3, NOSCRIPT, IN_SCRIPTING)
        .about("2.6.0", "O(N)", "Tells which scripts are known.")
        .within(Id::Script)
        .tips(&["request_policy:all_shards", "response_policy:agg_logical_and"]),
    command(Id::ScriptFlush, "flush", -2, NOSCRIPT, IN_SCRIPTING)
        .about("2.6.0", "O(N)", "Forgets all scripts.")
        .within(Id::Script)
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"]),
    command(Id::ScriptHelp, "help", 2, LOADING | STALE, IN_SCRIPTING)
        .about("5.0.0", "O(1)", "Describes the subcommands.")
        .within(Id::Script),
    command(Id::ScriptKill, "kill", 2, NOSCRIPT | ALLOW_BUSY, IN_SCRIPTING)
        .about("2.6.0", "O(1)", "Stops the running script.")
        .within(Id::Script)
        .tips(&["request_policy:all_shards", "response_policy:one_succeeded"]),
    command(Id::ScriptLoad, "load", 3, NOSCRIPT | STALE, IN_SCRIPTING)
        .about("2.6.0", "O(N)", "Makes a script known without running it.")
        .within(Id::Script)
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"]),
];
