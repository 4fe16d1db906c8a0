//! Commands of the group `transactions`.

use crate::command::Command;
use crate::command::CommandId as Id;
use crate::command::category::IN_TRANSACTION;
use crate::command::flag::{ALLOW_BUSY, FAST, LOADING, NOSCRIPT, SKIP_SLOWLOG, STALE};
use crate::command::keys::uses::RO;
use crate::command::keys::{Begin, Find, KeySpec};
use crate::command::row::command;

pub(super) const ROWS: [Command; 5] = [
    command(
        Id::Discard,
        "discard",
        1,
        NOSCRIPT | LOADING | STALE | FAST | ALLOW_BUSY,
        IN_TRANSACTION,
    )
    .about("2.0.0", "O(N)", "Drops the queued commands of a transaction.")
    .built(),
    command(Id::Exec, "exec", 1, NOSCRIPT | LOADING | STALE | SKIP_SLOWLOG, IN_TRANSACTION)
        .about("1.2.0", "", "Runs the queued commands of a transaction.")
        .built(),
    command(Id::Multi, "multi", 1, NOSCRIPT | LOADING | STALE | FAST | ALLOW_BUSY, IN_TRANSACTION)
        .about("1.2.0", "O(1)", "Begins a transaction.")
        .built(),
    command(
        Id::Unwatch,
        "unwatch",
        1,
        NOSCRIPT | LOADING | STALE | FAST | ALLOW_BUSY,
        IN_TRANSACTION,
    )
    .about("2.2.0", "O(1)", "Forgets all watched keys.")
    .built(),
    command(Id::Watch, "watch", -2, NOSCRIPT | LOADING | STALE | FAST | ALLOW_BUSY, IN_TRANSACTION)
        .about("2.2.0", "O(1)", "Makes the next transaction depend on keys staying as they are.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(-1, 1, 0), uses: RO }])
        .built(),
];
