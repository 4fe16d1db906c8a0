//! Cluster mode.

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
    ignored("cluster-allow-replica-migration", Kind::Bool, "yes", Access::Mutable),
    ignored("cluster-announce-bus-port", Kind::Int(0, 65535), "0", Access::Mutable),
    ignored("cluster-announce-hostname", Kind::Text, "", Access::Mutable),
    ignored("cluster-announce-human-nodename", Kind::Text, "", Access::Mutable),
    obeyed("cluster-announce-ip", Kind::Text, "", Access::Fixed, slot!(cluster.announce_ip)),
    ignored("cluster-announce-port", Kind::Int(0, 65535), "0", Access::Mutable),
    ignored("cluster-announce-tls-port", Kind::Int(0, 65535), "0", Access::Mutable),
    obeyed(
        "cluster-busy-timeout",
        Kind::Int(0, INT),
        "0",
        Access::Fixed,
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
    obeyed("cluster-fast-failover", Kind::Bool, "yes", Access::Fixed, slot!(cluster.fast_failover)),
    ignored("cluster-link-sendbuf-limit", Kind::Memory(0, MEMORY), "0", Access::Mutable),
    ignored("cluster-migration-barrier", Kind::Int(0, INT), "1", Access::Mutable),
    obeyed(
        "cluster-node-timeout",
        Kind::Int(1, INT),
        "15000",
        Access::Fixed,
        slot!(cluster.node_timeout),
    ),
    obeyed("cluster-port", Kind::Int(0, 65535), "0", Access::Fixed, slot!(cluster.port)),
    ignored(
        "cluster-preferred-endpoint-type",
        Kind::Enum(&["ip", "hostname", "unknown-endpoint"]),
        "ip",
        Access::Mutable,
    ),
    obeyed(
        "cluster-replica-no-failover",
        Kind::Bool,
        "no",
        Access::Fixed,
        slot!(cluster.replica_no_failover),
    )
    .or("cluster-slave-no-failover"),
    obeyed(
        "cluster-replica-validity-factor",
        Kind::Int(0, INT),
        "10",
        Access::Fixed,
        slot!(cluster.replica_validity_factor),
    )
    .or("cluster-slave-validity-factor"),
    obeyed(
        "cluster-require-full-coverage",
        Kind::Bool,
        "yes",
        Access::Fixed,
        slot!(cluster.require_full_coverage),
    ),
];
