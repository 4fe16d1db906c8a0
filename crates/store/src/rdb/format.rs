//! The format's numbers.

/// The version written, in files and in payloads.
pub const VERSION: u32 = 10;

/// The newest version read.
pub const NEWEST_READABLE: u32 = 11;

/// Valkey 9's version, whose strings are written as in all others. Numbers in between are those of
/// other programs.
pub(super) const VALKEY: u32 = 80;

/// The first version that ends in a checksum.
pub(super) const CHECKSUM_SINCE: u32 = 5;

/// What stands before a record or in its place.
pub(super) mod opcode {
    /// Three lengths about a cluster slot; only a hint.
    pub(in crate::rdb) const SLOT_INFO: u8 = 244;
    /// The text of a function library.
    pub(in crate::rdb) const FUNCTION: u8 = 245;
    /// A function library as the release candidates of Redis 7.0 wrote it.
    pub(in crate::rdb) const FUNCTION_PRE_RELEASE: u8 = 246;
    /// Data of a module.
    pub(in crate::rdb) const MODULE_AUX: u8 = 247;
    /// The next key's idle time in seconds, as a length.
    pub(in crate::rdb) const IDLE: u8 = 248;
    /// The next key's access frequency, one byte.
    pub(in crate::rdb) const FREQ: u8 = 249;
    /// A name and a value, both strings.
    pub(in crate::rdb) const AUX: u8 = 250;
    /// How many keys, and how many with an expiry, the database holds.
    pub(in crate::rdb) const RESIZE_DB: u8 = 251;
    /// The next key's expiry in Unix milliseconds, eight bytes.
    pub(in crate::rdb) const EXPIRES_MS: u8 = 252;
    /// The next key's expiry in Unix seconds, four bytes.
    pub(in crate::rdb) const EXPIRES_S: u8 = 253;
    /// The database that the following keys belong to.
    pub(in crate::rdb) const SELECT_DB: u8 = 254;
    /// The end.
    pub(in crate::rdb) const END: u8 = 255;
}

/// The two high bits of a length's first byte tell its form; other forms are given whole.
pub(super) mod length {
    pub(in crate::rdb) const BITS_14: u8 = 0x40;
    pub(in crate::rdb) const BITS_32: u8 = 0x80;
    pub(in crate::rdb) const BITS_64: u8 = 0x81;
    pub(in crate::rdb) const ENCODED: u8 = 0xC0;
}

/// How a string is written that is not plain.
pub(super) mod encoding {
    pub(in crate::rdb) const INT8: u8 = 0;
    pub(in crate::rdb) const INT16: u8 = 1;
    pub(in crate::rdb) const INT32: u8 = 2;
    pub(in crate::rdb) const LZF: u8 = 3;
}

/// What precedes each number or string of a module's data.
pub(super) mod module {
    pub(in crate::rdb) const END: u64 = 0;
    pub(in crate::rdb) const SIGNED: u64 = 1;
    pub(in crate::rdb) const UNSIGNED: u64 = 2;
    pub(in crate::rdb) const FLOAT: u64 = 3;
    pub(in crate::rdb) const DOUBLE: u64 = 4;
    pub(in crate::rdb) const STRING: u64 = 5;
}

/// A string's type byte.
pub(super) const STRING: u8 = 0;

/// The name of a value's type and encoding; `None` for a byte that is none in any version read.
pub(super) fn type_name(code: u8) -> Option<&'static str> {
    Some(match code {
        STRING => "string",
        1 => "list",
        2 => "set",
        3 => "sorted set (scores as text)",
        4 => "hash",
        5 => "sorted set",
        6 => "module value (pre-release)",
        7 => "module value",
        9 => "hash (zipmap)",
        10 => "list (ziplist)",
        11 => "set (intset)",
        12 => "sorted set (ziplist)",
        13 => "hash (ziplist)",
        14 => "list (quicklist of ziplists)",
        15 => "stream",
        16 => "hash (listpack)",
        17 => "sorted set (listpack)",
        18 => "list (quicklist)",
        19 => "stream (of Redis 7.0)",
        20 => "set (listpack)",
        21 => "stream (of Redis 7.2)",
        22 => "hash (with expiring fields)",
        _ => return None,
    })
}
