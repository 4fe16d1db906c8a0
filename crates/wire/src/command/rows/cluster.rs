//! Commands of the group `cluster`.

use crate::command::Command;
use crate::command::CommandId as Id;
use crate::command::category::IN_CONNECTION;
use crate::command::flag::{ADMIN, FAST, LOADING, NO_ASYNC_LOADING, NONE, NOSCRIPT, STALE};
use crate::command::row::command;

pub(super) const ROWS: [Command; 32] = [
    command(Id::Asking, "asking", 1, FAST, IN_CONNECTION)
        .about("3.0.0", "O(1)", "Lets the next command in while its slot is imported.")
        .built(),
    command(Id::Cluster, "cluster", -2, NONE, NONE)
        .about("3.0.0", "", "Commands about the cluster.")
        .built()
        .subcommands(&[
            Id::ClusterAddslots,
            Id::ClusterAddslotsrange,
            Id::ClusterBumpepoch,
            Id::ClusterCountFailureReports,
            Id::ClusterCountkeysinslot,
            Id::ClusterDelslots,
            Id::ClusterDelslotsrange,
            Id::ClusterFailover,
            Id::ClusterFlushslots,
            Id::ClusterForget,
            Id::ClusterGetkeysinslot,
            Id::ClusterHelp,
            Id::ClusterInfo,
            Id::ClusterKeyslot,
            Id::ClusterLinks,
            Id::ClusterMeet,
            Id::ClusterMyid,
            Id::ClusterMyshardid,
            Id::ClusterNodes,
            Id::ClusterReplicas,
            Id::ClusterReplicate,
            Id::ClusterReset,
            Id::ClusterSaveconfig,
            Id::ClusterSetConfigEpoch,
            Id::ClusterSetslot,
            Id::ClusterShards,
            Id::ClusterSlaves,
            Id::ClusterSlots,
        ]),
    command(Id::ClusterAddslots, "addslots", -3, NO_ASYNC_LOADING | ADMIN | STALE, NONE)
        .about("3.0.0", "O(N)", "Gives slots to this node.")
        .built()
        .within(Id::Cluster),
    command(Id::ClusterAddslotsrange, "addslotsrange", -4, NO_ASYNC_LOADING | ADMIN | STALE, NONE)
        .about("7.0.0", "O(N)", "Gives ranges of slots to this node.")
        .built()
        .within(Id::Cluster),
    command(Id::ClusterBumpepoch, "bumpepoch", 2, NO_ASYNC_LOADING | ADMIN | STALE, NONE)
        .about("3.0.0", "O(1)", "Raises the configuration epoch.")
        .built()
        .within(Id::Cluster)
        .tips(&["nondeterministic_output"]),
    command(Id::ClusterCountFailureReports, "count-failure-reports", 3, ADMIN | STALE, NONE)
        .about("3.0.0", "O(N)", "Counts who reports a node as failing.")
        .built()
        .within(Id::Cluster)
        .tips(&["nondeterministic_output"]),
    command(Id::ClusterCountkeysinslot, "countkeysinslot", 3, STALE, NONE)
        .about("3.0.0", "O(1)", "Counts the keys in a slot.")
        .built()
        .within(Id::Cluster),
    command(Id::ClusterDelslots, "delslots", -3, NO_ASYNC_LOADING | ADMIN | STALE, NONE)
        .about("3.0.0", "O(N)", "Makes this node forget who owns slots.")
        .built()
        .within(Id::Cluster),
    command(Id::ClusterDelslotsrange, "delslotsrange", -4, NO_ASYNC_LOADING | ADMIN | STALE, NONE)
        .about("7.0.0", "O(N)", "Makes this node forget who owns ranges of slots.")
        .built()
        .within(Id::Cluster),
    command(Id::ClusterFailover, "failover", -2, NO_ASYNC_LOADING | ADMIN | STALE, NONE)
        .about("3.0.0", "O(1)", "Makes this replica take over from its primary.")
        .built()
        .within(Id::Cluster),
    command(Id::ClusterFlushslots, "flushslots", 2, NO_ASYNC_LOADING | ADMIN | STALE, NONE)
        .about("3.0.0", "O(1)", "Makes this node own no slot.")
        .built()
        .within(Id::Cluster),
    command(Id::ClusterForget, "forget", 3, NO_ASYNC_LOADING | ADMIN | STALE, NONE)
        .about("3.0.0", "O(1)", "Removes a node from this node's view.")
        .built()
        .within(Id::Cluster),
    command(Id::ClusterGetkeysinslot, "getkeysinslot", 4, STALE, NONE)
        .about("3.0.0", "O(N)", "Lists keys in a slot.")
        .built()
        .within(Id::Cluster)
        .tips(&["nondeterministic_output"]),
    command(Id::ClusterHelp, "help", 2, LOADING | STALE, NONE)
        .about("5.0.0", "O(1)", "Describes the subcommands.")
        .built()
        .within(Id::Cluster),
    command(Id::ClusterInfo, "info", 2, STALE, NONE)
        .about("3.0.0", "O(1)", "Reports the state of the cluster.")
        .built()
        .within(Id::Cluster)
        .tips(&["nondeterministic_output"]),
    command(Id::ClusterKeyslot, "keyslot", 3, STALE, NONE)
        .about("3.0.0", "O(N)", "Tells the slot of a key.")
        .built()
        .within(Id::Cluster),
    command(Id::ClusterLinks, "links", 2, STALE, NONE)
        .about("7.0.0", "O(N)", "Lists the links to the other nodes.")
        .built()
        .within(Id::Cluster)
        .tips(&["nondeterministic_output"]),
    command(Id::ClusterMeet, "meet", -4, NO_ASYNC_LOADING | ADMIN | STALE, NONE)
        .about("3.0.0", "O(1)", "Introduces another node.")
        .built()
        .within(Id::Cluster),
    command(Id::ClusterMyid, "myid", 2, STALE, NONE)
        .about("3.0.0", "O(1)", "Tells this node's name.")
        .built()
        .within(Id::Cluster),
    command(Id::ClusterMyshardid, "myshardid", 2, STALE, NONE)
        .about("7.2.0", "O(1)", "Tells the name of this node's shard.")
        .built()
        .within(Id::Cluster)
        .tips(&["nondeterministic_output"]),
    command(Id::ClusterNodes, "nodes", 2, STALE, NONE)
        .about("3.0.0", "O(N)", "Describes the cluster as this node sees it.")
        .built()
        .within(Id::Cluster)
        .tips(&["nondeterministic_output"]),
    command(Id::ClusterReplicas, "replicas", 3, ADMIN | STALE, NONE)
        .about("5.0.0", "O(N)", "Lists the replicas of a primary.")
        .built()
        .within(Id::Cluster)
        .tips(&["nondeterministic_output"]),
    command(Id::ClusterReplicate, "replicate", 3, NO_ASYNC_LOADING | ADMIN | STALE, NONE)
        .about("3.0.0", "O(1)", "Makes this node a replica of a primary.")
        .built()
        .within(Id::Cluster),
    command(Id::ClusterReset, "reset", -2, ADMIN | STALE | NOSCRIPT, NONE)
        .about("3.0.0", "O(N)", "Makes this node forget the cluster.")
        .built()
        .within(Id::Cluster),
    command(Id::ClusterSaveconfig, "saveconfig", 2, NO_ASYNC_LOADING | ADMIN | STALE, NONE)
        .about("3.0.0", "O(1)", "Writes the cluster's state to disk.")
        .built()
        .within(Id::Cluster),
    command(
        Id::ClusterSetConfigEpoch,
        "set-config-epoch",
        3,
        NO_ASYNC_LOADING | ADMIN | STALE,
        NONE,
    )
    .about("3.0.0", "O(1)", "Sets the configuration epoch of a new node.")
    .built()
    .within(Id::Cluster),
    command(Id::ClusterSetslot, "setslot", -4, NO_ASYNC_LOADING | ADMIN | STALE, NONE)
        .about("3.0.0", "O(1)", "Moves a slot from hand to hand.")
        .built()
        .within(Id::Cluster),
    command(Id::ClusterShards, "shards", 2, LOADING | STALE, NONE)
        .about("7.0.0", "O(N)", "Describes the shards and their nodes.")
        .built()
        .within(Id::Cluster)
        .tips(&["nondeterministic_output"]),
    command(Id::ClusterSlaves, "slaves", 3, ADMIN | STALE, NONE)
        .about("3.0.0", "O(N)", "Lists the replicas of a primary.")
        .built()
        .within(Id::Cluster)
        .tips(&["nondeterministic_output"])
        .deprecated("5.0.0"),
    command(Id::ClusterSlots, "slots", 2, LOADING | STALE, NONE)
        .about("3.0.0", "O(N)", "Tells which nodes serve which slots.")
        .built()
        .within(Id::Cluster)
        .tips(&["nondeterministic_output"])
        .deprecated("7.0.0"),
    command(Id::Readonly, "readonly", 1, FAST | LOADING | STALE, IN_CONNECTION)
        .about("3.0.0", "O(1)", "Lets this connection read from a replica.")
        .built(),
    command(Id::Readwrite, "readwrite", 1, FAST | LOADING | STALE, IN_CONNECTION)
        .about("3.0.0", "O(1)", "Ends reading from a replica.")
        .built(),
];
