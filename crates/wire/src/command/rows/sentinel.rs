//! Commands of the group `sentinel`.

use crate::command::Command;
use crate::command::CommandId as Id;
use crate::command::flag::{ADMIN, LOADING, NONE, ONLY_SENTINEL, SENTINEL, STALE};
use crate::command::row::command;

pub(super) const ROWS: [Command; 22] = [
    command(Id::Sentinel, "sentinel", -2, ADMIN | SENTINEL | ONLY_SENTINEL, NONE)
        .about("2.8.4", "", "Commands about the watched deployments.")
        .subcommands(&[
            Id::SentinelCkquorum,
            Id::SentinelConfig,
            Id::SentinelDebug,
            Id::SentinelFailover,
            Id::SentinelFlushconfig,
            Id::SentinelGetMasterAddrByName,
            Id::SentinelHelp,
            Id::SentinelInfoCache,
            Id::SentinelIsMasterDownByAddr,
            Id::SentinelMaster,
            Id::SentinelMasters,
            Id::SentinelMonitor,
            Id::SentinelMyid,
            Id::SentinelPendingScripts,
            Id::SentinelRemove,
            Id::SentinelReplicas,
            Id::SentinelReset,
            Id::SentinelSentinels,
            Id::SentinelSet,
            Id::SentinelSimulateFailure,
            Id::SentinelSlaves,
        ]),
    command(Id::SentinelCkquorum, "ckquorum", 3, ADMIN | SENTINEL | ONLY_SENTINEL, NONE)
        .about("2.8.4", "", "Tells whether enough sentinels are reachable for a failover.")
        .within(Id::Sentinel),
    command(Id::SentinelConfig, "config", -4, ADMIN | SENTINEL | ONLY_SENTINEL, NONE)
        .about("6.2.0", "O(N)", "Shows or changes sentinel-wide parameters.")
        .within(Id::Sentinel),
    command(Id::SentinelDebug, "debug", -2, ADMIN | SENTINEL | ONLY_SENTINEL, NONE)
        .about("7.0.0", "O(N)", "Shows or changes the timing used in tests.")
        .within(Id::Sentinel),
    command(Id::SentinelFailover, "failover", 3, ADMIN | SENTINEL | ONLY_SENTINEL, NONE)
        .about("2.8.4", "", "Starts a failover without asking the others.")
        .within(Id::Sentinel),
    command(Id::SentinelFlushconfig, "flushconfig", 2, ADMIN | SENTINEL | ONLY_SENTINEL, NONE)
        .about("2.8.4", "O(1)", "Writes the configuration file again.")
        .within(Id::Sentinel),
    command(
        Id::SentinelGetMasterAddrByName,
        "get-master-addr-by-name",
        3,
        ADMIN | SENTINEL | ONLY_SENTINEL,
        NONE,
    )
    .about("2.8.4", "O(1)", "Tells the address of a primary.")
    .within(Id::Sentinel),
    command(Id::SentinelHelp, "help", 2, LOADING | STALE | SENTINEL | ONLY_SENTINEL, NONE)
        .about("6.2.0", "O(1)", "Describes the subcommands.")
        .within(Id::Sentinel),
    command(Id::SentinelInfoCache, "info-cache", -3, ADMIN | SENTINEL | ONLY_SENTINEL, NONE)
        .about("3.2.0", "O(N)", "Shows the last INFO of each server.")
        .within(Id::Sentinel),
    command(
        Id::SentinelIsMasterDownByAddr,
        "is-master-down-by-addr",
        6,
        ADMIN | SENTINEL | ONLY_SENTINEL,
        NONE,
    )
    .about("2.8.4", "O(1)", "Asks whether a primary seems down, and for a vote.")
    .within(Id::Sentinel),
    command(Id::SentinelMaster, "master", 3, ADMIN | SENTINEL | ONLY_SENTINEL, NONE)
        .about("2.8.4", "O(1)", "Describes one watched primary.")
        .within(Id::Sentinel),
    command(Id::SentinelMasters, "masters", 2, ADMIN | SENTINEL | ONLY_SENTINEL, NONE)
        .about("2.8.4", "O(N)", "Describes the watched primaries.")
        .within(Id::Sentinel),
    command(Id::SentinelMonitor, "monitor", 6, ADMIN | SENTINEL | ONLY_SENTINEL, NONE)
        .about("2.8.4", "O(1)", "Begins to watch a primary.")
        .within(Id::Sentinel),
    command(Id::SentinelMyid, "myid", 2, ADMIN | SENTINEL | ONLY_SENTINEL, NONE)
        .about("6.2.0", "O(1)", "Tells this sentinel's name.")
        .within(Id::Sentinel),
    command(
        Id::SentinelPendingScripts,
        "pending-scripts",
        2,
        ADMIN | SENTINEL | ONLY_SENTINEL,
        NONE,
    )
    .about("2.8.4", "", "Lists the scripts that wait or run.")
    .within(Id::Sentinel),
    command(Id::SentinelRemove, "remove", 3, ADMIN | SENTINEL | ONLY_SENTINEL, NONE)
        .about("2.8.4", "O(1)", "Stops watching a primary.")
        .within(Id::Sentinel),
    command(Id::SentinelReplicas, "replicas", 3, ADMIN | SENTINEL | ONLY_SENTINEL, NONE)
        .about("5.0.0", "O(N)", "Describes the replicas of a primary.")
        .within(Id::Sentinel),
    command(Id::SentinelReset, "reset", 3, ADMIN | SENTINEL | ONLY_SENTINEL, NONE)
        .about("2.8.4", "O(N)", "Forgets what was learnt about primaries.")
        .within(Id::Sentinel),
    command(Id::SentinelSentinels, "sentinels", 3, ADMIN | SENTINEL | ONLY_SENTINEL, NONE)
        .about("2.8.4", "O(N)", "Describes the other sentinels of a primary.")
        .within(Id::Sentinel),
    command(Id::SentinelSet, "set", -5, ADMIN | SENTINEL | ONLY_SENTINEL, NONE)
        .about("2.8.4", "O(1)", "Changes how a primary is watched.")
        .within(Id::Sentinel),
    command(
        Id::SentinelSimulateFailure,
        "simulate-failure",
        -3,
        ADMIN | SENTINEL | ONLY_SENTINEL,
        NONE,
    )
    .about("3.2.0", "", "Crashes at a chosen point of a failover.")
    .within(Id::Sentinel),
    command(Id::SentinelSlaves, "slaves", 3, ADMIN | SENTINEL | ONLY_SENTINEL, NONE)
        .about("2.8.0", "O(N)", "Describes the replicas of a primary.")
        .within(Id::Sentinel)
        .deprecated("5.0.0"),
];
