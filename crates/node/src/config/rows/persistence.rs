//! Files of data.

use super::super::kind::Kind;
use super::super::row::{Access, INT, MEMORY, Row, ignored, obeyed, refused};
use super::super::special;

/// Files of data.
pub(super) const ROWS: &[Row] = &[
    ignored("aof-disable-auto-gc", Kind::Bool, "no", Access::Mutable),
    ignored("aof-load-truncated", Kind::Bool, "yes", Access::Mutable),
    ignored("aof-rewrite-incremental-fsync", Kind::Bool, "yes", Access::Mutable),
    ignored("aof-timestamp-enabled", Kind::Bool, "no", Access::Mutable),
    ignored("aof-use-rdb-preamble", Kind::Bool, "yes", Access::Mutable),
    ignored("appenddirname", Kind::Special(special::appenddirname), "appendonlydir", Access::Fixed),
    ignored(
        "appendfilename",
        Kind::Special(special::appendfilename),
        "appendonly.aof",
        Access::Fixed,
    ),
    ignored("appendfsync", Kind::Enum(&["everysec", "always", "no"]), "everysec", Access::Mutable),
    refused(
        "appendonly",
        Kind::Bool,
        "no",
        Access::Mutable,
        "the append-only file is not built yet; use 'no'",
    ),
    ignored("auto-aof-rewrite-min-size", Kind::Memory(0, MEMORY), "67108864", Access::Mutable),
    ignored("auto-aof-rewrite-percentage", Kind::Int(0, INT), "100", Access::Mutable),
    obeyed(
        "dbfilename",
        Kind::Special(special::dbfilename),
        "dump.rdb",
        Access::Protected,
        slot!(dbfilename),
    ),
    obeyed(
        "key-load-delay",
        Kind::Int(i32::MIN as i64, INT),
        "0",
        Access::Mutable,
        slot!(rdb.key_load_delay),
    )
    .hidden(),
    ignored("no-appendfsync-on-rewrite", Kind::Bool, "no", Access::Mutable),
    obeyed("rdb-del-sync-files", Kind::Bool, "no", Access::Mutable, slot!(repl.delete_files)),
    obeyed(
        "rdb-key-save-delay",
        Kind::Int(i32::MIN as i64, INT),
        "0",
        Access::Mutable,
        slot!(rdb.key_save_delay),
    )
    .hidden(),
    ignored("rdb-save-incremental-fsync", Kind::Bool, "yes", Access::Mutable),
    obeyed("rdbchecksum", Kind::Bool, "yes", Access::Fixed, slot!(rdb.checksum)),
    obeyed("rdbcompression", Kind::Bool, "yes", Access::Mutable, slot!(rdb.compression)),
    ignored("sanitize-dump-payload", Kind::Enum(&["no", "yes", "clients"]), "no", Access::Mutable),
    obeyed(
        "save",
        Kind::Special(special::save),
        "3600 1 300 100 60 10000",
        Access::Mutable,
        slot!(save),
    ),
    obeyed(
        "stop-writes-on-bgsave-error",
        Kind::Bool,
        "yes",
        Access::Mutable,
        slot!(rdb.stop_writes_on_error),
    ),
];
