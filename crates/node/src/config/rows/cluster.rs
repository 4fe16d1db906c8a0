//! Cluster mode.

use super::super::cluster::{hostname, human_name};
use super::super::kind::Kind;
use super::super::row::{Access, INT, MEMORY, Row, ignored, obeyed};

/// Cluster mode.
pub(super) const ROWS: &[Row] = &[
    ignored("cluster-allow-pubsubshard-when-down", Kind::Bool, "yes", Access::Mutable),
    obeyed(
        "cluster-allow-reads-when-down",
        Kind::Bool,
        "no",
        Access::Mutable,
        slot!(cluster.allow_reads_when_down),
    ),
    obeyed(
        "cluster-allow-replica-migration",
        Kind::Bool,
        "yes",
        Access::Mutable,
        slot!(cluster.allow_replica_migration),
    ),
    obeyed(
        "cluster-announce-bus-port",
        Kind::Int(0, 65535),
        "0",
        Access::Mutable,
        slot!(cluster.announce.bus_port),
    ),
    obeyed(
        "cluster-announce-hostname",
        Kind::Special(hostname),
        "",
        Access::Mutable,
        slot!(cluster.announce.hostname),
    ),
    obeyed(
        "cluster-announce-human-nodename",
        Kind::Special(human_name),
        "",
        Access::Mutable,
        slot!(cluster.announce.human_name),
    ),
    obeyed("cluster-announce-ip", Kind::Text, "", Access::Mutable, slot!(cluster.announce.ip)),
    obeyed(
        "cluster-announce-port",
        Kind::Int(0, 65535),
        "0",
        Access::Mutable,
        slot!(cluster.announce.port),
    ),
    ignored("cluster-announce-tls-port", Kind::Int(0, 65535), "0", Access::Mutable),
    obeyed(
        "cluster-busy-timeout",
        Kind::Int(0, INT),
        "0",
        Access::Mutable,
        slot!(cluster.busy_timeout),
    ),
    obeyed(
        "cluster-config-file",
        Kind::Text,
        "nodes.conf",
        Access::Fixed,
        slot!(cluster.config_file),
    ),
    obeyed("cluster-enabled", Kind::Bool, "no", Access::Fixed, slot!(cluster.enabled)),
    obeyed(
        "cluster-fast-failover",
        Kind::Bool,
        "yes",
        Access::Mutable,
        slot!(cluster.fast_failover),
    ),
    obeyed(
        "cluster-link-sendbuf-limit",
        Kind::Memory(0, MEMORY),
        "0",
        Access::Mutable,
        slot!(cluster.link_limit),
    ),
    obeyed(
        "cluster-migration-barrier",
        Kind::Int(0, INT),
        "1",
        Access::Mutable,
        slot!(cluster.migration_barrier),
    ),
    obeyed(
        "cluster-node-timeout",
        Kind::Int(1, INT),
        "15000",
        Access::Mutable,
        slot!(cluster.node_timeout),
    ),
    obeyed("cluster-port", Kind::Int(0, 65535), "0", Access::Fixed, slot!(cluster.port)),
    obeyed(
        "cluster-preferred-endpoint-type",
        Kind::Enum(&["ip", "hostname", "unknown-endpoint"]),
        "ip",
        Access::Mutable,
        slot!(cluster.announce.endpoint),
    ),
    obeyed(
        "cluster-replica-no-failover",
        Kind::Bool,
        "no",
        Access::Mutable,
        slot!(cluster.replica_no_failover),
    )
    .or("cluster-slave-no-failover"),
    obeyed(
        "cluster-replica-validity-factor",
        Kind::Int(0, INT),
        "10",
        Access::Mutable,
        slot!(cluster.replica_validity_factor),
    )
    .or("cluster-slave-validity-factor"),
    obeyed(
        "cluster-require-full-coverage",
        Kind::Bool,
        "yes",
        Access::Mutable,
        slot!(cluster.require_full_coverage),
    ),
];
