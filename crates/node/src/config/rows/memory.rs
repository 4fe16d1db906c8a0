//! Memory and encodings.

use super::super::field::Policy;
use super::super::kind::Kind;
use super::super::row::{Access, INT, MEMORY, Row, ignored, obeyed};

/// Memory and encodings.
pub(super) const ROWS: &[Row] = &[
    ignored("active-defrag-cycle-max", Kind::Int(1, 99), "25", Access::Mutable),
    ignored("active-defrag-cycle-min", Kind::Int(1, 99), "1", Access::Mutable),
    ignored("active-defrag-ignore-bytes", Kind::Memory(1, MEMORY), "104857600", Access::Mutable),
    ignored("active-defrag-max-scan-fields", Kind::Int(1, i64::MAX), "1000", Access::Mutable),
    ignored("active-defrag-threshold-lower", Kind::Int(0, 1000), "10", Access::Mutable),
    ignored("active-defrag-threshold-upper", Kind::Int(0, 1000), "100", Access::Mutable),
    ignored("activedefrag", Kind::Bool, "no", Access::Mutable),
    ignored("hash-max-listpack-entries", Kind::Int(0, i64::MAX), "512", Access::Mutable)
        .or("hash-max-ziplist-entries"),
    ignored("hash-max-listpack-value", Kind::Memory(0, MEMORY), "64", Access::Mutable)
        .or("hash-max-ziplist-value"),
    ignored("hll-sparse-max-bytes", Kind::Memory(0, MEMORY), "3000", Access::Mutable),
    ignored("jemalloc-bg-thread", Kind::Bool, "yes", Access::Mutable),
    obeyed(
        "lazyfree-lazy-eviction",
        Kind::Bool,
        "no",
        Access::Mutable,
        slot!(memory.lazy_eviction),
    ),
    ignored("lazyfree-lazy-expire", Kind::Bool, "no", Access::Mutable),
    ignored("lazyfree-lazy-server-del", Kind::Bool, "no", Access::Mutable),
    ignored("lazyfree-lazy-user-del", Kind::Bool, "no", Access::Mutable),
    ignored("lazyfree-lazy-user-flush", Kind::Bool, "no", Access::Mutable),
    obeyed("lfu-decay-time", Kind::Int(0, INT), "1", Access::Mutable, slot!(memory.lfu_decay)),
    obeyed("lfu-log-factor", Kind::Int(0, INT), "10", Access::Mutable, slot!(memory.lfu_factor)),
    ignored("list-compress-depth", Kind::Int(0, INT), "0", Access::Mutable),
    ignored("list-max-listpack-size", Kind::Int(i32::MIN as i64, INT), "-2", Access::Mutable)
        .or("list-max-ziplist-size"),
    obeyed("maxmemory", Kind::Memory(0, u64::MAX), "0", Access::Mutable, slot!(memory.limit)),
    obeyed(
        "maxmemory-eviction-tenacity",
        Kind::Int(0, 100),
        "10",
        Access::Mutable,
        slot!(memory.tenacity),
    ),
    obeyed(
        "maxmemory-policy",
        Kind::Enum(&Policy::NAMES),
        "noeviction",
        Access::Mutable,
        slot!(memory.policy),
    ),
    obeyed("maxmemory-samples", Kind::Int(1, 64), "5", Access::Mutable, slot!(memory.samples)),
    ignored("set-max-intset-entries", Kind::Int(0, i64::MAX), "512", Access::Mutable),
    ignored("set-max-listpack-entries", Kind::Int(0, i64::MAX), "128", Access::Mutable),
    ignored("set-max-listpack-value", Kind::Memory(0, MEMORY), "64", Access::Mutable),
    ignored("stream-node-max-bytes", Kind::Memory(0, MEMORY), "4096", Access::Mutable),
    ignored("stream-node-max-entries", Kind::Int(0, i64::MAX), "100", Access::Mutable),
    ignored("zset-max-listpack-entries", Kind::Int(0, i64::MAX), "128", Access::Mutable)
        .or("zset-max-ziplist-entries"),
    ignored("zset-max-listpack-value", Kind::Memory(0, MEMORY), "64", Access::Mutable)
        .or("zset-max-ziplist-value"),
];
