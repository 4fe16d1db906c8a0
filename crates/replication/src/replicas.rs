//! The primary's end: its replicas, how far each is, and what each still has to be sent.

use crate::backlog::{Backlog, Piece};
use crate::identity::{Identity, ReplicationId};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use machine::{ConnId, Instant, Out, Span};
use wire::number;

/// A replica is handed no more than this many bytes ahead of what its socket took.
const AHEAD: usize = 1 << 20;

/// A host name has no more bytes.
const LONGEST_NAME: usize = 255;

/// What a primary knows of one replica.
#[derive(Clone, Debug)]
pub struct Replica {
    /// How far its attachment has come.
    pub stage: Stage,
    /// The port it says it listens on.
    pub port: u16,
    /// The address it says it has, if it says so.
    pub ip: Option<String>,
    /// It can be sent a snapshot of unknown length, ended by a mark.
    pub eof: bool,
    /// It understands a changed replication id in `+CONTINUE`.
    pub psync2: bool,
    /// It is one of ours.
    pub holdfast: bool,
    /// Position of the next byte for it.
    pub position: u64,
    /// Position it has said to have applied.
    pub acked: u64,
    /// Position it has said to have on disk.
    pub synced: Option<u64>,
    /// When it last said so, or took a part of its snapshot.
    pub heard: Instant,
    /// When it asked for the stream.
    pub asked: Instant,
    /// It wants a snapshot and no stream.
    pub snapshot_only: bool,
    /// It wants a snapshot without keys: for the functions, or for the stream alone.
    pub keyless: bool,
    /// It asked by SYNC: it never says how far it is.
    pub mute: bool,
    /// Bytes of its snapshot that waited for it when last looked at.
    queued: usize,
}

/// How far a replica's attachment has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// It has introduced itself and not asked for the stream.
    Introduced,
    /// It waits for a snapshot to begin.
    Waiting,
    /// Its snapshot is being put into a file.
    Promised,
    /// It is being sent a file.
    File,
    /// It is being sent a snapshot while that is made.
    Snapshot,
    /// The snapshot has been sent; its first acknowledgement starts the stream.
    Loading,
    /// It follows the stream.
    Online,
}

impl Stage {
    /// The word INFO shows.
    pub const fn name(self) -> &'static str {
        match self {
            Stage::Introduced | Stage::Waiting | Stage::Promised | Stage::Snapshot => "wait_bgsave",
            Stage::File => "send_bulk",
            Stage::Loading | Stage::Online => "online",
        }
    }
}

/// The answer to REPLCONF.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// `+OK`.
    Ok,
    /// Nothing is sent back.
    Silence,
    /// The primary asks for a position: `REPLCONF ACK` goes back.
    Acknowledge,
    /// An error of this text.
    Error(String),
}

/// The answer to PSYNC.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// The stream goes on from where the replica is.
    Continue,
    /// It needs a snapshot first.
    Full,
}

/// All replicas of a primary.
#[derive(Default)]
pub struct Replicas {
    by_conn: BTreeMap<ConnId, Replica>,
}

impl Replicas {
    /// Takes a REPLCONF (without its name). What it does not know it ignores, as coming from a
    /// newer replica.
    pub fn replconf(&mut self, conn: ConnId, words: &[&[u8]], now: Instant) -> Answer {
        let mut answer = Answer::Ok;
        for pair in words.chunks(2) {
            let [word, value] = pair else { return Answer::Error("ERR syntax error".into()) };
            match word.to_ascii_lowercase().as_slice() {
                b"ack" | b"fack" => {
                    self.acknowledge(conn, word, value, now);
                    answer = Answer::Silence;
                }
                b"getack" => return Answer::Acknowledge,
                word => {
                    if let Err(error) = self.introduce(conn, word, value, now) {
                        return Answer::Error(error);
                    }
                }
            }
        }
        answer
    }

    fn introduce(
        &mut self,
        conn: ConnId,
        word: &[u8],
        value: &[u8],
        now: Instant,
    ) -> Result<(), String> {
        const NUMBER: &str = "ERR value is not an integer or out of range";
        let replica = self.by_conn.entry(conn).or_insert_with(|| Replica::new(now));
        match word {
            b"listening-port" => {
                replica.port = number::parse_i64(value)
                    .and_then(|port| u16::try_from(port).ok())
                    .ok_or(NUMBER)?;
            }
            b"ip-address" if value.len() > LONGEST_NAME => {
                let len = value.len();
                return Err(format!(
                    "ERR REPLCONF ip-address provided by replica instance is too long: {len} bytes"
                ));
            }
            b"ip-address" => replica.ip = Some(String::from_utf8_lossy(value).into_owned()),
            b"capa" => match value.to_ascii_lowercase().as_slice() {
                b"eof" => replica.eof = true,
                b"psync2" => replica.psync2 = true,
                b"holdfast" => replica.holdfast = true,
                _ => {}
            },
            b"rdb-only" => match number::parse_i64(value).ok_or(NUMBER)? {
                flag @ 0..=1 => replica.snapshot_only = flag == 1,
                _ => return Err("ERR value is out of range, value must between 0 and 1".into()),
            },
            b"rdb-filter-only" => {
                replica.keyless = true;
                let mut words = value.split(|byte| *byte == b' ');
                let known =
                    |word: &[u8]| word.is_empty() || word.eq_ignore_ascii_case(b"functions");
                if let Some(word) = words.find(|word| !known(word)) {
                    let word = String::from_utf8_lossy(word);
                    return Err(format!("ERR Unsupported rdb-filter-only option: {word}"));
                }
            }
            b"version" => {}
            word => {
                let word = String::from_utf8_lossy(word);
                return Err(format!("ERR Unrecognized REPLCONF option: {word}"));
            }
        }
        Ok(())
    }

    fn acknowledge(&mut self, conn: ConnId, word: &[u8], value: &[u8], now: Instant) {
        let (Some(replica), Some(position)) =
            (self.by_conn.get_mut(&conn), number::parse_u64(value))
        else {
            return;
        };
        if word.eq_ignore_ascii_case(b"fack") {
            replica.synced = Some(replica.synced.unwrap_or(0).max(position));
            return;
        }
        replica.heard = now;
        replica.acked = replica.acked.max(position);
        if replica.stage == Stage::Loading {
            replica.stage = Stage::Online;
        }
    }

    /// Decides on a PSYNC. `asked` is the history and the position the replica is at, if any.
    pub fn psync(
        &mut self,
        conn: ConnId,
        asked: Option<(ReplicationId, u64)>,
        identity: &Identity,
        backlog: &Backlog,
        now: Instant,
    ) -> Verdict {
        let replica = self.by_conn.entry(conn).or_insert_with(|| Replica::new(now));
        replica.heard = now;
        replica.asked = now;
        match asked {
            Some((id, position)) if identity.shares(id, position) && backlog.holds(position) => {
                replica.stage = Stage::Online;
                replica.position = position;
                replica.acked = position;
                Verdict::Continue
            }
            _ => {
                replica.stage = Stage::Waiting;
                Verdict::Full
            }
        }
    }

    /// A SYNC: the snapshot comes without a word before it, and nothing is ever acknowledged.
    pub fn sync(&mut self, conn: ConnId, now: Instant) {
        let replica = self.by_conn.entry(conn).or_insert_with(|| Replica::new(now));
        replica.heard = now;
        replica.asked = now;
        replica.mute = true;
        replica.stage = Stage::Waiting;
    }

    /// The replicas that wait for a snapshot.
    pub fn waiting(&self) -> Vec<ConnId> {
        self.at(Stage::Waiting)
    }

    /// The replicas at a stage.
    pub fn at(&self, stage: Stage) -> Vec<ConnId> {
        let of = |(conn, replica): (&ConnId, &Replica)| (replica.stage == stage).then_some(*conn);
        self.by_conn.iter().filter_map(of).collect()
    }

    /// A snapshot of the data at `position` is being made for a replica: sent as it is made, or
    /// put into a file first.
    pub fn snapshot_began(&mut self, conn: ConnId, position: u64, file: bool) {
        if let Some(replica) = self.by_conn.get_mut(&conn) {
            replica.stage = if file { Stage::Promised } else { Stage::Snapshot };
            replica.position = position;
        }
    }

    /// The file with a replica's snapshot is whole and being sent.
    pub fn file_began(&mut self, conn: ConnId, now: Instant) {
        if let Some(replica) = self.by_conn.get_mut(&conn) {
            replica.stage = Stage::File;
            replica.heard = now;
        }
    }

    /// All of the snapshot has been handed to a replica's connection, which knows where it ends
    /// by a mark or by its length. Only a mark has to be acknowledged before the stream may follow.
    pub fn snapshot_sent(&mut self, conn: ConnId, marked: bool, now: Instant) {
        if let Some(replica) = self.by_conn.get_mut(&conn) {
            replica.stage = if marked { Stage::Loading } else { Stage::Online };
            replica.heard = now;
        }
    }

    /// Sends each replica that follows the stream as much as its connection takes.
    pub fn feed(&mut self, backlog: &Backlog, out: &mut Out) {
        for (conn, replica) in &mut self.by_conn {
            if replica.stage != Stage::Online {
                continue;
            }
            while out.queued(*conn) < AHEAD
                && let Some(piece) = backlog.at(replica.position)
            {
                // A copy would only wait, and a chunk that is nearly all copied be kept for its
                // rest: it waits in the backlog, until it is full or what is queued has gone.
                if matches!(piece, Piece::Fresh(_)) && out.queued(*conn) > 0 {
                    break;
                }
                replica.position += piece.len() as u64;
                match piece {
                    Piece::Shared(bytes, range) => out.chunk(*conn, bytes, range),
                    Piece::Fresh(bytes) => out.queue(*conn, bytes),
                }
            }
            if replica.position < backlog.end() {
                out.tell_drained(*conn);
            }
        }
    }

    /// The position of the replica that is furthest behind, of those that will need the stream.
    pub fn needed(&self) -> Option<u64> {
        let needs = |stage| !matches!(stage, Stage::Introduced | Stage::Waiting);
        self.by_conn.values().filter(|r| needs(r.stage)).map(|r| r.position).min()
    }

    /// How many replicas have acknowledged `position`.
    pub fn acknowledged(&self, position: u64) -> usize {
        self.online().filter(|replica| replica.acked >= position).count()
    }

    /// How many replicas follow the stream and were heard no more than `lag` seconds ago.
    pub fn good(&self, lag: u64, now: Instant) -> usize {
        let seconds = |replica: &Replica| now.since(replica.heard).as_millis() / 1000;
        self.online().filter(|replica| seconds(replica) <= lag).count()
    }

    fn online(&self) -> impl Iterator<Item = &Replica> {
        self.by_conn.values().filter(|replica| replica.stage == Stage::Online)
    }

    /// The replicas from which nothing was heard, or which took nothing of their snapshot, for
    /// longer than `timeout`.
    pub fn silent(&mut self, timeout: Span, now: Instant, out: &Out) -> Vec<ConnId> {
        for (conn, replica) in &mut self.by_conn {
            let queued = out.queued(*conn);
            let sent = matches!(replica.stage, Stage::Snapshot | Stage::File);
            if sent && (queued == 0 || queued != replica.queued) {
                replica.queued = queued;
                replica.heard = now;
            }
        }
        let timed = |stage| !matches!(stage, Stage::Introduced | Stage::Waiting | Stage::Promised);
        self.by_conn
            .iter()
            .filter(|(_, r)| timed(r.stage) && now.since(r.heard) > timeout)
            .filter(|(_, r)| !(r.mute && r.stage == Stage::Online))
            .map(|(conn, _)| *conn)
            .collect()
    }

    /// Forgets a replica whose connection ended; whether there was one.
    pub fn remove(&mut self, conn: ConnId) -> bool {
        self.by_conn.remove(&conn).is_some_and(|replica| replica.stage != Stage::Introduced)
    }

    /// A replica by its connection.
    pub fn get(&self, conn: ConnId) -> Option<&Replica> {
        self.by_conn.get(&conn)
    }

    /// Those that asked for the stream, by connection.
    pub fn iter(&self) -> impl Iterator<Item = (ConnId, &Replica)> {
        self.by_conn
            .iter()
            .filter(|(_, replica)| replica.stage != Stage::Introduced)
            .map(|(conn, replica)| (*conn, replica))
    }

    /// Whether none asked for the stream.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }
}

impl Replica {
    fn new(now: Instant) -> Self {
        Replica {
            stage: Stage::Introduced,
            port: 0,
            ip: None,
            eof: false,
            psync2: false,
            holdfast: false,
            position: 0,
            acked: 0,
            synced: None,
            heard: now,
            asked: now,
            snapshot_only: false,
            keyless: false,
            mute: false,
            queued: 0,
        }
    }
}
