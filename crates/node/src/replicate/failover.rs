//! FAILOVER: a primary hands its role over to a replica that has everything.
//!
//! ```text
//! none ─FAILOVER─► waiting: nobody writes ─the replica has it all─► handing over: we follow it and
//!   ▲                 │ time is up, or ABORT                          │ ask it to become a primary
//!   └─────────────────┴──────────────◄───────────────────────────────┘ it does, refuses, or ABORT
//! ```

use crate::clients::hold;
use crate::execute::Turn;
use crate::node::Node;
use front::Session;
use machine::{ConnId, Instant, Level, Now, Out, Span};
use replication::{Stage, Target};
use wire::number;
use wire::reply::Reply;

/// How far a handover has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Phase {
    #[default]
    None,
    Waiting,
    Handing,
}

/// A handover under way.
#[derive(Default)]
pub(crate) struct Failover {
    phase: Phase,
    /// To whom; none: to whoever has everything first.
    target: Option<Target>,
    until: Option<Instant>,
    /// When time is up, the role is handed over in any case.
    force: bool,
    /// How often the target was asked: if it is a primary the second time, it may be our doing.
    asked: u32,
    /// The target has become a primary; it is followed like any other.
    taken: bool,
}

impl Failover {
    /// Whether there is one.
    pub(crate) fn is_on(&self) -> bool {
        self.phase != Phase::None
    }

    /// `master_failover_state`.
    pub(crate) fn name(&self) -> &'static str {
        match self.phase {
            Phase::None => "no-failover",
            Phase::Waiting => "waiting-for-sync",
            Phase::Handing => "failover-in-progress",
        }
    }

    /// Whether the link's other end is to be asked to become a primary.
    pub(crate) fn asks(&self) -> bool {
        self.phase == Phase::Handing && !self.taken
    }

    /// When its time is up.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.until.filter(|_| self.phase == Phase::Waiting)
    }
}

const NOT_A_NUMBER: &str = "ERR value is not an integer or out of range";

/// What FAILOVER was asked for.
#[derive(Default)]
struct Wish<'a> {
    target: Option<(&'a [u8], i64)>,
    timeout: Option<u64>,
    force: bool,
}

impl<'a> Wish<'a> {
    fn parse(words: &[&'a [u8]]) -> Result<Self, &'static str> {
        let mut wish = Wish::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let left = words.len();
            match word.to_ascii_lowercase().as_slice() {
                b"timeout" if left >= 1 && wish.timeout.is_none() => {
                    let millis = words.next().and_then(|word| number::parse_i64(word));
                    let millis = millis.ok_or(NOT_A_NUMBER)?;
                    let millis = u64::try_from(millis).ok().filter(|millis| *millis > 0);
                    wish.timeout =
                        Some(millis.ok_or("ERR FAILOVER timeout must be greater than 0")?);
                }
                b"to" if left >= 2 && wish.target.is_none() => {
                    let host = words.next().copied().unwrap_or_default();
                    let port = words.next().and_then(|word| number::parse_i64(word));
                    let port = port.ok_or(NOT_A_NUMBER)?;
                    wish.target = Some((host, port));
                }
                b"force" if !wish.force => wish.force = true,
                _ => return Err("ERR syntax error"),
            }
        }
        Ok(wish)
    }
}

impl Node {
    /// FAILOVER.
    pub(crate) fn failover(&mut self, words: &[&[u8]], session: &Session, turn: &mut Turn<'_>) {
        let result = self.begin_failover(words, turn.now, turn.out);
        let mut reply = Reply::new(turn.buffer, session.protocol);
        match result {
            Ok(()) => reply.ok(),
            Err(why) => reply.error(why),
        }
    }

    fn begin_failover(
        &mut self,
        words: &[&[u8]],
        now: Now,
        out: &mut Out,
    ) -> Result<(), &'static str> {
        if self.clustering.is_some() {
            return Err("ERR FAILOVER not allowed in cluster mode.");
        }
        if let [word] = words
            && word.eq_ignore_ascii_case(b"abort")
        {
            if !self.replication.failover.is_on() {
                return Err("ERR No failover in progress.");
            }
            self.abort_failover("Failover manually aborted", now, out);
            return Ok(());
        }
        let wish = Wish::parse(words)?;
        if self.replication.failover.is_on() {
            return Err("ERR FAILOVER already in progress.");
        }
        if self.replication.link.is_some() {
            return Err("ERR FAILOVER is not valid when server is a replica.");
        }
        if self.replication.replicas.is_empty() {
            return Err("ERR FAILOVER requires connected replicas.");
        }
        if wish.force && (wish.timeout.is_none() || wish.target.is_none()) {
            return Err("ERR FAILOVER with force option requires both a timeout and target HOST \
                        and IP.");
        }
        let target = match wish.target {
            Some((host, port)) => Some(self.failover_target(host, port)?),
            None => None,
        };
        match &target {
            Some(Target { host, port }) => {
                out.log(Level::Notice, format_args!("FAILOVER requested to {host}:{port}."));
            }
            None => out.log(Level::Notice, format_args!("FAILOVER requested to any replica.")),
        }
        // As far as the clock reaches.
        let until =
            wish.timeout.map(|millis| now.mono + Span::millis(millis.min(u64::MAX / 4_000_000)));
        self.replication.failover = Failover {
            phase: Phase::Waiting,
            target,
            until,
            force: wish.force,
            ..Failover::default()
        };
        self.clients.pause.hold(hold::FAILOVER, true);
        Ok(())
    }

    /// The replica of this address, if it follows the stream.
    fn failover_target(&self, host: &[u8], port: i64) -> Result<Target, &'static str> {
        let host = String::from_utf8_lossy(host).into_owned();
        let Some((conn, replica)) = self.replica_at(&host, port) else {
            return Err("ERR FAILOVER target HOST and PORT is not a replica.");
        };
        match self.replication.replicas.get(conn).map(|replica| replica.stage) {
            Some(Stage::Online) => Ok(Target { host, port: replica }),
            _ => Err("ERR FAILOVER target replica is not online."),
        }
    }

    fn replica_at(&self, host: &str, port: i64) -> Option<(ConnId, u16)> {
        let found = self.replication.replicas.iter().find(|(conn, replica)| {
            i64::from(replica.port) == port && self.replica_host(*conn, replica) == host
        });
        found.map(|(conn, replica)| (conn, replica.port))
    }

    /// At a turn's end: whether the role can be handed over, or time is up.
    pub(crate) fn check_failover(&mut self, now: Now, out: &mut Out) {
        let failover = &self.replication.failover;
        if failover.phase != Phase::Waiting {
            return;
        }
        if failover.until.is_some_and(|until| until <= now.mono) {
            let Some(target) = failover.target.clone().filter(|_| failover.force) else {
                return self.abort_failover("Replica never caught up before timeout", now, out);
            };
            let Target { host, port } = &target;
            out.log(
                Level::Notice,
                format_args!("FAILOVER to {host}:{port} time out exceeded, failing over."),
            );
            return self.hand_over_role(target, now, out);
        }
        let Some(target) = self.whole_replica() else { return };
        let Target { host, port } = &target;
        out.log(
            Level::Notice,
            format_args!("Failover target {host}:{port} is synced, failing over."),
        );
        self.hand_over_role(target, now, out);
    }

    /// The replica to hand over to, once it has acknowledged all of the stream.
    fn whole_replica(&self) -> Option<Target> {
        let end = self.replication.end();
        let wanted = self.replication.failover.target.as_ref();
        let mut replicas = self.replication.replicas.iter();
        replicas.find_map(|(conn, replica)| {
            let host = self.replica_host(conn, replica);
            let target = Target { host, port: replica.port };
            let whole = replica.stage == Stage::Online && replica.acked == end;
            (whole && wanted.is_none_or(|wanted| *wanted == target)).then_some(target)
        })
    }

    fn hand_over_role(&mut self, target: Target, now: Now, out: &mut Out) {
        self.replication.failover.phase = Phase::Handing;
        self.replication.failover.target = Some(target.clone());
        self.follow(target, now, out);
        self.close_gates();
    }

    /// Gives a handover up. What had been handed over is taken back.
    pub(crate) fn abort_failover(&mut self, why: &str, now: Now, out: &mut Out) {
        let to = match &self.replication.failover.target {
            Some(Target { host, port }) => format!("{host}:{port}"),
            None => String::from("any replica"),
        };
        out.log(Level::Notice, format_args!("FAILOVER to {to} aborted: {why}"));
        let handing = self.replication.failover.phase == Phase::Handing;
        self.end_failover();
        if handing {
            self.promote(now, out);
        }
        self.close_gates();
    }

    /// The target is a primary, and we are its replica.
    pub(crate) fn failover_done(&mut self) {
        if self.replication.failover.phase == Phase::Handing {
            self.end_failover();
        }
    }

    /// The link's other end does not let us have its stream; whether because it is a primary
    /// already.
    pub(crate) fn failover_rejected(&mut self, primary: bool, now: Now, out: &mut Out) {
        self.abandon_incoming(out);
        let failover = &mut self.replication.failover;
        if failover.phase != Phase::Handing {
            return;
        }
        if failover.taken || (primary && failover.asked > 1) {
            // Its first answer was lost. To take the role back would make two primaries.
            failover.taken = true;
            return;
        }
        self.abort_failover("Failover target rejected psync request", now, out);
    }

    /// The link has asked its other end.
    pub(crate) fn failover_asked(&mut self) {
        let failover = &mut self.replication.failover;
        failover.asked += u32::from(failover.phase == Phase::Handing);
    }

    fn end_failover(&mut self) {
        self.replication.failover = Failover::default();
        self.clients.pause.hold(hold::FAILOVER, false);
    }

    /// Our primary asks us to take its role.
    pub(crate) fn take_over(
        &mut self,
        id: &[u8],
        session: &Session,
        turn: &mut Turn<'_>,
    ) -> Result<(), &'static str> {
        let id = String::from_utf8_lossy(id).into_owned();
        turn.out.log(Level::Warning, format_args!("Failover request received for replid {id}."));
        if self.clustering.is_some() {
            return Err("ERR PSYNC FAILOVER is not for cluster mode.");
        }
        if self.replication.link.is_none() {
            return Err("ERR PSYNC FAILOVER can't be sent to a master.");
        }
        let ours = self.replication.identity.id;
        if !self.replication.placed || !id.eq_ignore_ascii_case(ours.as_str()) {
            return Err("ERR PSYNC FAILOVER replid must match my replid.");
        }
        let remote = session.remote();
        self.promote_for(&format!("failover request from '{remote}'"), turn.now, turn.out);
        Ok(())
    }
}
