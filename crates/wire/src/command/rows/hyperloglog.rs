//! Commands of the group `hyperloglog`.

use crate::command::Command;
use crate::command::CommandId as Id;
use crate::command::category::IN_HYPERLOGLOG;
use crate::command::flag::{ADMIN, DENYOOM, FAST, MAY_REPLICATE, READONLY, WRITE};
use crate::command::keys::uses::{ACCESS, INSERT, RO, RW};
use crate::command::keys::{Begin, Find, KeySpec};
use crate::command::row::command;

pub(super) const ROWS: [Command; 5] = [
    command(Id::Pfadd, "pfadd", -2, WRITE | DENYOOM | FAST, IN_HYPERLOGLOG)
        .about("2.8.9", "O(1)", "Adds elements to an estimator.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RW | INSERT }]),
    command(Id::Pfcount, "pfcount", -2, READONLY | MAY_REPLICATE, IN_HYPERLOGLOG)
        .about("2.8.9", "O(1)", "Estimates how many different elements were added.")
        .keys(&[KeySpec {
            begin: Begin::Index(1),
            find: Find::Range(-1, 1, 0),
            uses: RW | ACCESS,
        }]),
    command(Id::Pfdebug, "pfdebug", 3, WRITE | DENYOOM | ADMIN, IN_HYPERLOGLOG)
        .about("2.8.9", "", "Shows the inside of an estimator.")
        .keys(&[KeySpec { begin: Begin::Index(2), find: Find::Range(0, 1, 0), uses: RW | ACCESS }])
        .system(),
    command(Id::Pfmerge, "pfmerge", -2, WRITE | DENYOOM, IN_HYPERLOGLOG)
        .about("2.8.9", "O(N)", "Unites estimators into one.")
        .keys(&[
            KeySpec {
                begin: Begin::Index(1),
                find: Find::Range(0, 1, 0),
                uses: RW | ACCESS | INSERT,
            },
            KeySpec { begin: Begin::Index(2), find: Find::Range(-1, 1, 0), uses: RO | ACCESS },
        ]),
    command(Id::Pfselftest, "pfselftest", 1, ADMIN, IN_HYPERLOGLOG)
        .about("2.8.9", "", "Tests the estimator.")
        .system(),
];
