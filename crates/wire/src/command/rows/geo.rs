//! Commands of the group `geo`.

use crate::command::Command;
use crate::command::CommandId as Id;
use crate::command::category::IN_GEO;
use crate::command::flag::{DENYOOM, READONLY, WRITE};
use crate::command::keys::uses::{ACCESS, OW, RO, RW, UPDATE};
use crate::command::keys::{Begin, Find, KeySpec};
use crate::command::row::command;

pub(super) const ROWS: [Command; 10] = [
    command(Id::Geoadd, "geoadd", -5, WRITE | DENYOOM, IN_GEO)
        .about("3.2.0", "O(log(N))", "Adds places to a key.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RW | UPDATE }]),
    command(Id::Geodist, "geodist", -4, READONLY, IN_GEO)
        .about("3.2.0", "O(1)", "Measures the distance between two places.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RO | ACCESS }]),
    command(Id::Geohash, "geohash", -2, READONLY, IN_GEO)
        .about("3.2.0", "O(1)", "Reads places as geohash strings.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RO | ACCESS }]),
    command(Id::Geopos, "geopos", -2, READONLY, IN_GEO)
        .about("3.2.0", "O(1)", "Reads the coordinates of places.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RO | ACCESS }]),
    command(Id::Georadius, "georadius", -6, WRITE | DENYOOM, IN_GEO)
        .about("3.2.0", "O(N+log(M))", "Finds places around a point, and may keep them.")
        .keys(&[
            KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RO | ACCESS },
            KeySpec {
                begin: Begin::Keyword("STORE", 6),
                find: Find::Range(0, 1, 0),
                uses: OW | UPDATE,
            },
            KeySpec {
                begin: Begin::Keyword("STOREDIST", 6),
                find: Find::Range(0, 1, 0),
                uses: OW | UPDATE,
            },
        ])
        .deprecated("6.2.0"),
    command(Id::GeoradiusRo, "georadius_ro", -6, READONLY, IN_GEO)
        .about("3.2.10", "O(N+log(M))", "Finds places around a point.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RO | ACCESS }])
        .deprecated("6.2.0"),
    command(Id::Georadiusbymember, "georadiusbymember", -5, WRITE | DENYOOM, IN_GEO)
        .about("3.2.0", "O(N+log(M))", "Finds places around a place, and may keep them.")
        .keys(&[
            KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RO | ACCESS },
            KeySpec {
                begin: Begin::Keyword("STORE", 5),
                find: Find::Range(0, 1, 0),
                uses: OW | UPDATE,
            },
            KeySpec {
                begin: Begin::Keyword("STOREDIST", 5),
                find: Find::Range(0, 1, 0),
                uses: OW | UPDATE,
            },
        ])
        .deprecated("6.2.0"),
    command(Id::GeoradiusbymemberRo, "georadiusbymember_ro", -5, READONLY, IN_GEO)
        .about("3.2.10", "O(N+log(M))", "Finds places around a place.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RO | ACCESS }])
        .deprecated("6.2.0"),
    command(Id::Geosearch, "geosearch", -7, READONLY, IN_GEO)
        .about("6.2.0", "O(N+log(M))", "Finds places in a circle or box.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: RO | ACCESS }]),
    command(Id::Geosearchstore, "geosearchstore", -8, WRITE | DENYOOM, IN_GEO)
        .about("6.2.0", "O(N+log(M))", "Finds places in a circle or box and keeps them.")
        .keys(&[
            KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: OW | UPDATE },
            KeySpec { begin: Begin::Index(2), find: Find::Range(0, 1, 0), uses: RO | ACCESS },
        ]),
];
