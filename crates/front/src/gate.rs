//! Which conditions a command must pass before it runs, as bits.
//!
//! A command row *demands* things (to be authenticated, to be allowed to write …); a session has
//! gates that are *closed* at the moment. When the two words have no bit in common, which is the
//! rule, one AND admits the command. Otherwise the slow path looks at the gates in Redis's order,
//! because which error wins is visible.

use wire::command::{Command, CommandId, flag};

/// Needs an authenticated session.
pub const AUTH: u32 = 1 << 0;
/// Writes: refused on read-only replicas, without enough replicas, after a failed save, or
/// without the lease of a cluster's primary.
pub const WRITE: u32 = 1 << 1;
/// May need more memory.
pub const MEMORY: u32 = 1 << 2;
/// Not to be answered from stale data.
pub const FRESH: u32 = 1 << 3;
/// Not to be answered while loading.
pub const LOADED: u32 = 1 << 4;
/// Not to be answered while a script is busy.
pub const IDLE: u32 = 1 << 5;
/// Is queued inside MULTI.
pub const QUEUED: u32 = 1 << 6;
/// Not to be sent in RESP2 while subscribed.
pub const UNSUBSCRIBED: u32 = 1 << 7;
/// Has keys: in cluster mode, their slots must be served here.
pub const KEYS: u32 = 1 << 8;
/// Is refused inside MULTI.
pub const SINGLE: u32 = 1 << 9;
/// Reads or changes keys: refused where only the stream or MONITOR may be followed.
pub const KEYSPACE: u32 = 1 << 10;
/// Not to run while the data is about to be replaced.
pub const SETTLED: u32 = 1 << 12;
/// Needs a switch in the settings: closed unless everybody may.
pub const PROTECTED: u32 = 1 << 11;
/// Demanded by every command: closed when a session needs the slow path in any case.
pub const ALL: u32 = 1 << 31;

/// What a command demands.
pub fn demands(row: &Command) -> u32 {
    let has = |bit: u32| row.flags.has(bit);
    let rules = [
        (!has(flag::NO_AUTH), AUTH),
        (has(flag::WRITE), WRITE),
        (has(flag::DENYOOM), MEMORY),
        (!has(flag::STALE), FRESH),
        (!has(flag::LOADING), LOADED),
        (has(flag::NO_ASYNC_LOADING), SETTLED),
        (!has(flag::ALLOW_BUSY), IDLE),
        (!matches!(row.id, Exec | Discard | Multi | Watch | Quit | Reset), QUEUED),
        (!matches!(row.id, Ping | Quit | Reset) && !has(flag::PUBSUB), UNSUBSCRIBED),
        (!row.keys.is_empty(), KEYS),
        (has(flag::NO_MULTI), SINGLE),
        (has(flag::WRITE) || has(flag::READONLY) || has(flag::MAY_REPLICATE), KEYSPACE),
        (has(flag::PROTECTED), PROTECTED),
        (true, ALL),
    ];
    use CommandId::{Discard, Exec, Multi, Ping, Quit, Reset, Watch};
    rules.into_iter().filter(|(applies, _)| *applies).fold(0, |word, (_, bit)| word | bit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::command::get;

    #[test]
    fn demands_follow_the_flags() {
        let of = |id| demands(get(id));
        assert_eq!(of(CommandId::Auth) & AUTH, 0);
        assert_ne!(of(CommandId::Get) & (AUTH | FRESH | LOADED | IDLE | QUEUED | KEYS), 0);
        assert_eq!(of(CommandId::Get) & WRITE, 0);
        assert_eq!(of(CommandId::Set) & (WRITE | MEMORY), WRITE | MEMORY);
        assert_eq!(of(CommandId::Del) & MEMORY, 0);
        assert_eq!(of(CommandId::Exec) & QUEUED, 0);
        assert_eq!(of(CommandId::Ping) & UNSUBSCRIBED, 0);
        assert!(wire::command::all().iter().all(|row| demands(row) & ALL != 0));
    }
}
