//! Commands of the group `bitmap`.

use crate::command::Command;
use crate::command::CommandId as Id;
use crate::command::category::IN_BITMAP;
use crate::command::flag::{DENYOOM, FAST, READONLY, WRITE};
use crate::command::keys::uses::{ACCESS, OW, RO, RW, UPDATE, VARIABLE_FLAGS};
use crate::command::keys::{Begin, Find, KeySpec};
use crate::command::row::command;

pub(super) const ROWS: [Command; 7] = [
    command(Id::Bitcount, "bitcount", -2, READONLY, IN_BITMAP)
        .about("2.6.0", "O(N)", "Counts the bits that are set.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RO | ACCESS }]),
    command(Id::Bitfield, "bitfield", -2, WRITE | DENYOOM, IN_BITMAP)
        .about("3.2.0", "O(1)", "Reads and changes integers of any width inside a string.")
        .keys(&[KeySpec {
            begin: Begin::Index(1),
            find: Find::Range(0, 1, 0),
            uses: RW | UPDATE | ACCESS | VARIABLE_FLAGS,
        }]),
    command(Id::BitfieldRo, "bitfield_ro", -2, READONLY | FAST, IN_BITMAP)
        .about("6.0.0", "O(1)", "Reads integers of any width inside a string.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RO | ACCESS }]),
    command(Id::Bitop, "bitop", -4, WRITE | DENYOOM, IN_BITMAP)
        .about("2.6.0", "O(N)", "Combines strings bit by bit into another.")
        .keys(&[
            KeySpec { begin: Begin::Index(2), find: Find::Range(0, 1, 0), uses: OW | UPDATE },
            KeySpec { begin: Begin::Index(3), find: Find::Range(-1, 1, 0), uses: RO | ACCESS },
        ]),
    command(Id::Bitpos, "bitpos", -3, READONLY, IN_BITMAP)
        .about("2.8.7", "O(N)", "Finds the first set or clear bit.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RO | ACCESS }]),
    command(Id::Getbit, "getbit", 3, READONLY | FAST, IN_BITMAP)
        .about("2.2.0", "O(1)", "Reads a bit.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RO | ACCESS }]),
    command(Id::Setbit, "setbit", 4, WRITE | DENYOOM, IN_BITMAP)
        .about("2.2.0", "O(1)", "Sets or clears a bit.")
        .keys(&[KeySpec {
            begin: Begin::Index(1),
            find: Find::Range(0, 1, 0),
            uses: RW | ACCESS | UPDATE,
        }]),
];
