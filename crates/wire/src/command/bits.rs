//! What a row says of its command in bits: flags, ACL categories, groups.

/// The flags of a command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(pub u32);

/// The ACL categories of a command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Categories(pub u32);

impl Flags {
    /// Whether all of these flags (see [`flag`]) are set.
    #[inline]
    pub const fn has(self, flags: u32) -> bool {
        self.0 & flags == flags
    }

    /// The names COMMAND shows, in its order.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        flag::SHOWN.iter().filter(move |(bit, _)| self.has(*bit)).map(|(_, name)| *name)
    }
}

impl Categories {
    /// Whether the command is in all of these categories (see [`category`]).
    #[inline]
    pub const fn has(self, categories: u32) -> bool {
        self.0 & categories == categories
    }

    /// Their names without the `@`.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        category::NAMES
            .iter()
            .enumerate()
            .filter(move |(i, _)| self.has(1 << i))
            .map(|(_, name)| *name)
    }
}

/// The flags.
pub mod flag {
    /// No flag.
    pub const NONE: u32 = 0;
    /// May change data.
    pub const WRITE: u32 = 1 << 0;
    /// Only reads data.
    pub const READONLY: u32 = 1 << 1;
    /// May use more memory; refused when there is too little.
    pub const DENYOOM: u32 = 1 << 2;
    /// For operators.
    pub const ADMIN: u32 = 1 << 3;
    /// About channels.
    pub const PUBSUB: u32 = 1 << 4;
    /// Refused in scripts.
    pub const NOSCRIPT: u32 = 1 << 5;
    /// May wait.
    pub const BLOCKING: u32 = 1 << 6;
    /// Allowed while data is loaded.
    pub const LOADING: u32 = 1 << 7;
    /// Allowed on a replica that lost its primary.
    pub const STALE: u32 = 1 << 8;
    /// Hidden from MONITOR.
    pub const SKIP_MONITOR: u32 = 1 << 9;
    /// Hidden from the slow log.
    pub const SKIP_SLOWLOG: u32 = 1 << 10;
    /// Behaves as if after ASKING.
    pub const ASKING: u32 = 1 << 11;
    /// Takes constant or logarithmic time.
    pub const FAST: u32 = 1 << 12;
    /// Allowed before authentication.
    pub const NO_AUTH: u32 = 1 << 13;
    /// May reach replicas though it writes no key.
    pub const MAY_REPLICATE: u32 = 1 << 14;
    /// Exists in sentinels too.
    pub const SENTINEL: u32 = 1 << 15;
    /// Exists in sentinels only.
    pub const ONLY_SENTINEL: u32 = 1 << 16;
    /// May come without keys though it can take some.
    pub const NO_MANDATORY_KEYS: u32 = 1 << 17;
    /// Needs a configuration switch.
    pub const PROTECTED: u32 = 1 << 18;
    /// Refused while a replica loads beside its old data.
    pub const NO_ASYNC_LOADING: u32 = 1 << 19;
    /// Refused in transactions.
    pub const NO_MULTI: u32 = 1 << 20;
    /// The legacy triple does not tell all keys.
    pub const MOVABLEKEYS: u32 = 1 << 21;
    /// Allowed while a script runs too long.
    pub const ALLOW_BUSY: u32 = 1 << 22;
    /// May touch keys that its arguments do not name.
    pub const TOUCHES_ARBITRARY_KEYS: u32 = 1 << 23;

    /// Bits and names that COMMAND shows.
    pub(super) const SHOWN: [(u32, &str); 19] = [
        (WRITE, "write"),
        (READONLY, "readonly"),
        (DENYOOM, "denyoom"),
        (ADMIN, "admin"),
        (PUBSUB, "pubsub"),
        (NOSCRIPT, "noscript"),
        (BLOCKING, "blocking"),
        (LOADING, "loading"),
        (STALE, "stale"),
        (SKIP_MONITOR, "skip_monitor"),
        (SKIP_SLOWLOG, "skip_slowlog"),
        (ASKING, "asking"),
        (FAST, "fast"),
        (NO_AUTH, "no_auth"),
        (NO_MANDATORY_KEYS, "no_mandatory_keys"),
        (NO_ASYNC_LOADING, "no_async_loading"),
        (NO_MULTI, "no_multi"),
        (MOVABLEKEYS, "movablekeys"),
        (ALLOW_BUSY, "allow_busy"),
    ];
}

/// The ACL categories.
pub mod category {
    /// `@keyspace`
    pub const IN_KEYSPACE: u32 = 1 << 0;
    /// `@read`
    pub const IN_READ: u32 = 1 << 1;
    /// `@write`
    pub const IN_WRITE: u32 = 1 << 2;
    /// `@set`
    pub const IN_SET: u32 = 1 << 3;
    /// `@sortedset`
    pub const IN_SORTEDSET: u32 = 1 << 4;
    /// `@list`
    pub const IN_LIST: u32 = 1 << 5;
    /// `@hash`
    pub const IN_HASH: u32 = 1 << 6;
    /// `@string`
    pub const IN_STRING: u32 = 1 << 7;
    /// `@bitmap`
    pub const IN_BITMAP: u32 = 1 << 8;
    /// `@hyperloglog`
    pub const IN_HYPERLOGLOG: u32 = 1 << 9;
    /// `@geo`
    pub const IN_GEO: u32 = 1 << 10;
    /// `@stream`
    pub const IN_STREAM: u32 = 1 << 11;
    /// `@pubsub`
    pub const IN_PUBSUB: u32 = 1 << 12;
    /// `@admin`
    pub const IN_ADMIN: u32 = 1 << 13;
    /// `@fast`
    pub const IN_FAST: u32 = 1 << 14;
    /// `@slow`
    pub const IN_SLOW: u32 = 1 << 15;
    /// `@blocking`
    pub const IN_BLOCKING: u32 = 1 << 16;
    /// `@dangerous`
    pub const IN_DANGEROUS: u32 = 1 << 17;
    /// `@connection`
    pub const IN_CONNECTION: u32 = 1 << 18;
    /// `@transaction`
    pub const IN_TRANSACTION: u32 = 1 << 19;
    /// `@scripting`
    pub const IN_SCRIPTING: u32 = 1 << 20;

    /// Names by bit.
    pub const NAMES: [&str; 21] = [
        "keyspace",
        "read",
        "write",
        "set",
        "sortedset",
        "list",
        "hash",
        "string",
        "bitmap",
        "hyperloglog",
        "geo",
        "stream",
        "pubsub",
        "admin",
        "fast",
        "slow",
        "blocking",
        "dangerous",
        "connection",
        "transaction",
        "scripting",
    ];

    /// The bit of a category by its name without the `@`; case is ignored.
    pub fn by_name(name: &[u8]) -> Option<u32> {
        let at = NAMES.iter().position(|known| known.as_bytes().eq_ignore_ascii_case(name))?;
        Some(1 << at)
    }
}

/// What a command is about, as COMMAND DOCS says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Group {
    Bitmap,
    Cluster,
    Connection,
    Generic,
    Geo,
    Hash,
    Hyperloglog,
    List,
    Pubsub,
    Scripting,
    Sentinel,
    Server,
    Set,
    SortedSet,
    Stream,
    String,
    Transactions,
}

impl Group {
    /// The name COMMAND DOCS shows.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bitmap => "bitmap",
            Self::Cluster => "cluster",
            Self::Connection => "connection",
            Self::Generic => "generic",
            Self::Geo => "geo",
            Self::Hash => "hash",
            Self::Hyperloglog => "hyperloglog",
            Self::List => "list",
            Self::Pubsub => "pubsub",
            Self::Scripting => "scripting",
            Self::Sentinel => "sentinel",
            Self::Server => "server",
            Self::Set => "set",
            Self::SortedSet => "sorted-set",
            Self::Stream => "stream",
            Self::String => "string",
            Self::Transactions => "transactions",
        }
    }
}
