//! Replication.

use super::super::kind::Kind;
use super::super::row::{Access, INT, MEMORY, Row, moot, obeyed};
use super::super::special;

/// Replication.
pub(super) const ROWS: &[Row] = &[
    obeyed("masterauth", Kind::Text, "", Access::Mutable, slot!(masterauth)),
    obeyed("masteruser", Kind::Text, "", Access::Mutable, slot!(masteruser)),
    obeyed("min-replicas-max-lag", Kind::Int(0, INT), "10", Access::Mutable, slot!(repl.good_lag))
        .or("min-slaves-max-lag"),
    obeyed(
        "min-replicas-to-write",
        Kind::Int(0, INT),
        "0",
        Access::Mutable,
        slot!(repl.good_least),
    )
    .or("min-slaves-to-write"),
    obeyed(
        "propagation-error-behavior",
        Kind::Enum(&["ignore", "panic", "panic-on-replicas"]),
        "ignore",
        Access::Mutable,
        slot!(repl.on_error),
    ),
    obeyed(
        "repl-backlog-size",
        Kind::Memory(1, MEMORY),
        "1048576",
        Access::Mutable,
        slot!(repl_backlog_size),
    ),
    obeyed(
        "repl-backlog-ttl",
        Kind::Int(0, i64::MAX),
        "3600",
        Access::Mutable,
        slot!(repl.backlog_ttl),
    ),
    obeyed("repl-disable-tcp-nodelay", Kind::Bool, "no", Access::Mutable, slot!(repl.gathered)),
    obeyed(
        "repl-diskless-load",
        Kind::Enum(&["disabled", "on-empty-db", "swapdb"]),
        "disabled",
        Access::Mutable,
        slot!(repl.diskless_load),
    ),
    obeyed("repl-diskless-sync", Kind::Bool, "yes", Access::Mutable, slot!(repl.diskless_sync)),
    obeyed(
        "repl-diskless-sync-delay",
        Kind::Int(0, INT),
        "5",
        Access::Mutable,
        slot!(repl.diskless_delay),
    ),
    obeyed(
        "repl-diskless-sync-max-replicas",
        Kind::Int(0, INT),
        "0",
        Access::Mutable,
        slot!(repl.diskless_most),
    ),
    obeyed(
        "repl-ping-replica-period",
        Kind::Int(1, INT),
        "10",
        Access::Mutable,
        slot!(repl_ping_period),
    )
    .or("repl-ping-slave-period"),
    obeyed("repl-timeout", Kind::Int(1, INT), "60", Access::Mutable, slot!(repl_timeout)),
    obeyed(
        "replica-accept-empty-primary",
        Kind::Bool,
        "no",
        Access::Mutable,
        slot!(replica_accept_empty_primary),
    ),
    obeyed("replica-announce-ip", Kind::Text, "", Access::Mutable, slot!(repl.announce_ip))
        .or("slave-announce-ip"),
    obeyed(
        "replica-announce-port",
        Kind::Int(0, 65535),
        "0",
        Access::Mutable,
        slot!(repl.announce_port),
    )
    .or("slave-announce-port"),
    obeyed("replica-announced", Kind::Bool, "yes", Access::Mutable, slot!(repl.announced)),
    moot(
        "replica-ignore-disk-write-errors",
        Kind::Bool,
        "no",
        Access::Mutable,
        "a replica that cannot save follows its primary all the same",
    ),
    obeyed(
        "replica-ignore-maxmemory",
        Kind::Bool,
        "yes",
        Access::Mutable,
        slot!(memory.replica_ignores),
    )
    .or("slave-ignore-maxmemory"),
    moot(
        "replica-lazy-flush",
        Kind::Bool,
        "no",
        Access::Mutable,
        "what a snapshot replaces is always freed beside the commands",
    )
    .or("slave-lazy-flush"),
    obeyed("replica-priority", Kind::Int(0, INT), "100", Access::Mutable, slot!(repl.priority))
        .or("slave-priority"),
    obeyed("replica-read-only", Kind::Bool, "yes", Access::Mutable, slot!(replica_read_only))
        .or("slave-read-only"),
    obeyed(
        "replica-serve-stale-data",
        Kind::Bool,
        "yes",
        Access::Mutable,
        slot!(replica_serve_stale_data),
    )
    .or("slave-serve-stale-data"),
    obeyed("replicaof", Kind::Special(special::replicaof), "", Access::Fixed, slot!(replicaof))
        .or("slaveof"),
];
