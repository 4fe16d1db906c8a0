//! Databases, statistics and commands.

use super::super::kind::Kind;
use super::super::row::{Access, INT, Row, ignored, obeyed};
use super::super::special;

/// Databases, statistics and commands.
pub(super) const ROWS: &[Row] = &[
    ignored("active-expire-effort", Kind::Int(1, 10), "1", Access::Mutable),
    ignored("activerehashing", Kind::Bool, "yes", Access::Mutable),
    ignored("busy-reply-threshold", Kind::Int(0, i64::MAX), "5000", Access::Mutable)
        .or("lua-time-limit"),
    obeyed("databases", Kind::Int(1, INT), "16", Access::Fixed, slot!(databases)),
    ignored("dynamic-hz", Kind::Bool, "yes", Access::Mutable),
    obeyed(
        "enable-debug-command",
        Kind::Enum(&["no", "yes", "local"]),
        "no",
        Access::Fixed,
        slot!(process.debug_command),
    ),
    ignored("enable-module-command", Kind::Enum(&["no", "yes", "local"]), "no", Access::Fixed),
    obeyed(
        "enable-protected-configs",
        Kind::Enum(&["no", "yes", "local"]),
        "no",
        Access::Fixed,
        slot!(process.protected_configs),
    ),
    ignored("hz", Kind::Int(0, INT), "10", Access::Mutable),
    obeyed(
        "latency-monitor-threshold",
        Kind::Int(0, i64::MAX),
        "0",
        Access::Mutable,
        slot!(slow.watch_from),
    ),
    obeyed("latency-tracking", Kind::Bool, "yes", Access::Mutable, slot!(slow.tracked)),
    obeyed(
        "latency-tracking-info-percentiles",
        Kind::Special(special::percentiles),
        "50 99 99.9",
        Access::Mutable,
        slot!(slow.percentiles),
    ),
    ignored("notify-keyspace-events", Kind::Special(special::events), "", Access::Mutable),
    obeyed(
        "slowlog-log-slower-than",
        Kind::Int(-1, i64::MAX),
        "10000",
        Access::Mutable,
        slot!(slow.log_from),
    ),
    obeyed("slowlog-max-len", Kind::Int(0, i64::MAX), "128", Access::Mutable, slot!(slow.log_len)),
    ignored("tracking-table-max-keys", Kind::Int(0, i64::MAX), "1000000", Access::Mutable),
];
