//! The network and its clients.

use super::super::kind::Kind;
use super::super::row::{Access, INT, MEMORY, Row, ignored, obeyed};
use super::super::special;

/// The network and its clients.
pub(super) const ROWS: &[Row] = &[
    obeyed("bind", Kind::Words, "* -::*", Access::Mutable, slot!(bind)),
    obeyed("bind-source-addr", Kind::Text, "", Access::Mutable, slot!(repl.source)),
    obeyed(
        "client-output-buffer-limit",
        Kind::Special(special::output_limits),
        "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
        Access::Mutable,
        slot!(clients.output),
    ),
    obeyed(
        "client-query-buffer-limit",
        Kind::Memory(1 << 20, MEMORY),
        "1073741824",
        Access::Mutable,
        slot!(clients.max_query),
    ),
    ignored("io-threads", Kind::Int(1, 128), "1", Access::Fixed),
    ignored("io-threads-do-reads", Kind::Bool, "no", Access::Fixed),
    obeyed(
        "maxclients",
        Kind::Int(1, u32::MAX as i64),
        "10000",
        Access::Mutable,
        slot!(clients.most),
    ),
    obeyed(
        "maxmemory-clients",
        Kind::MemoryOrPercent,
        "0",
        Access::Mutable,
        slot!(clients.max_memory),
    ),
    obeyed("port", Kind::Int(0, 65535), "6379", Access::Mutable, slot!(port)),
    obeyed("protected-mode", Kind::Bool, "yes", Access::Mutable, slot!(process.protected_mode)),
    obeyed(
        "proto-max-bulk-len",
        Kind::Memory(1 << 20, MEMORY),
        "536870912",
        Access::Mutable,
        slot!(max_bulk),
    ),
    ignored("socket-mark-id", Kind::Int(0, u32::MAX as i64), "0", Access::Fixed),
    obeyed("tcp-backlog", Kind::Int(0, INT), "511", Access::Fixed, slot!(process.tcp_backlog)),
    obeyed("tcp-keepalive", Kind::Int(0, INT), "300", Access::Mutable, slot!(clients.keepalive)),
    obeyed("timeout", Kind::Int(0, INT), "0", Access::Mutable, slot!(clients.timeout)),
    obeyed("unixsocket", Kind::Text, "", Access::Fixed, slot!(process.unixsocket)),
    obeyed("unixsocketperm", Kind::Octal, "0", Access::Fixed, slot!(process.unixsocketperm)),
];
