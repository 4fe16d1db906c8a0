//! CLIENT PAUSE: requests wait, and nothing else changes data or moves the stream meanwhile.

use crate::execute::{Call, Turn};
use crate::node::Node;
use front::{Awaited, Kind, Requests, Session, gate};
use machine::{ConnId, Instant, Now, Out, Span};
use wire::command::{Command, CommandId, flag};
use wire::number;
use wire::reply::Reply;

/// Until when clients are held back, and which of their requests.
#[derive(Default)]
pub(crate) struct Pause {
    until: Option<Instant>,
    /// All requests wait, not only those that may write.
    all: bool,
    /// Why requests that write are held back beside that.
    held: u8,
    /// When [`hold::LEASE`] ends at the latest.
    lease_until: Option<Instant>,
}

/// Reasons of our own to hold back requests that write.
pub(crate) mod hold {
    /// The role is being handed over.
    pub(crate) const FAILOVER: u8 = 1;
    /// The process is about to end.
    pub(crate) const SHUTDOWN: u8 = 2;
    /// A replica of the cluster is taking over.
    pub(crate) const MANUAL: u8 = 4;
    /// We have taken over and the lease is on its way.
    pub(crate) const LEASE: u8 = 8;
}

impl Pause {
    /// Whether there is one.
    pub(crate) fn is_on(&self) -> bool {
        self.until.is_some() || self.held != 0
    }

    /// Whether a client has asked for it: then what a primary says waits too.
    pub(crate) fn is_asked(&self) -> bool {
        self.until.is_some()
    }

    /// Begins or ends to hold back requests that write, for a reason.
    pub(crate) fn hold(&mut self, reason: u8, on: bool) {
        if on {
            self.held |= reason;
        } else {
            self.held &= !reason;
        }
    }

    /// Holds back requests that write until we have a lease, but no longer than this.
    pub(crate) fn await_lease(&mut self, until: Instant) {
        self.hold(hold::LEASE, true);
        self.lease_until = Some(until);
    }

    /// Whether slots are being handed over, so that a lease may be missing for a moment.
    pub(crate) fn is_handover(&self) -> bool {
        self.held & (hold::LEASE | hold::MANUAL) != 0
    }

    /// There is a lease, or nothing to wait for.
    pub(crate) fn lease_settled(&mut self) {
        self.hold(hold::LEASE, false);
        self.lease_until = None;
    }

    /// When it ends.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.until.into_iter().chain(self.lease_until).min()
    }

    /// Ends what a client asked for.
    pub(crate) fn end(&mut self) {
        *self = Pause { held: self.held, lease_until: self.lease_until, ..Pause::default() };
    }
}

impl Node {
    /// CLIENT PAUSE. A longer pause, or one of all requests, is not cut short by another.
    pub(super) fn pause(&mut self, args: &[&[u8]], now: Now, reply: &mut Reply<'_>) {
        let words = &args[2..];
        let mut all = true;
        if let [_, mode, rest @ ..] = words {
            all = match mode.to_ascii_lowercase().as_slice() {
                b"write" if rest.is_empty() => false,
                b"all" if rest.is_empty() => true,
                _ if !rest.is_empty() => {
                    let name = String::from_utf8_lossy(args[1]);
                    return reply.error(&format!(
                        "ERR unknown subcommand or wrong number of arguments for '{name}'. Try \
                         CLIENT HELP."
                    ));
                }
                _ => return reply.error("ERR CLIENT PAUSE mode must be WRITE or ALL"),
            };
        }
        let Some(millis) = number::parse_i64(words[0]) else {
            return reply.error("ERR timeout is not an integer or out of range");
        };
        let Ok(millis) = u64::try_from(millis) else {
            return reply.error("ERR timeout is negative");
        };
        // As far as the clock reaches.
        let millis = millis.min(u64::MAX / 4_000_000);
        let pause = &mut self.clients.pause;
        let until = now.mono + Span::millis(millis);
        pause.until = Some(pause.until.map_or(until, |before| before.max(until)));
        pause.all |= all;
        self.close_gates();
        reply.ok();
    }

    /// What of a pause is due by time.
    pub(crate) fn tick_pause(&mut self, now: Now) {
        if self.clients.pause.until.is_some_and(|until| until <= now.mono) {
            self.clients.pause.end();
            self.close_gates();
        }
        if self.clients.pause.lease_until.is_some_and(|until| until <= now.mono) {
            self.clients.pause.lease_settled();
            self.close_gates();
        }
    }

    /// Keeps a request for the end of the pause, if it has to wait for that.
    pub(crate) fn hold_back(
        &mut self,
        row: &'static Command,
        session: &mut Session,
        call: &Call<'_>,
    ) -> bool {
        if self.awaits_move(row, session, call) {
            return true;
        }
        if !self.clients.pause.is_on() || self.kind(session.conn) == Kind::Replica {
            return false;
        }
        let queue = session.transaction.queue.as_ref().filter(|_| row.id == CommandId::Exec);
        let writes = row.flags.has(flag::WRITE)
            || row.flags.has(flag::MAY_REPLICATE)
            || queue.is_some_and(|queue| queue.demands & gate::WRITE != 0);
        if !writes && !self.clients.pause.all {
            return false;
        }
        let mut requests = Requests::default();
        requests.push(row, call.request.args, call.request.bodies);
        session.waiting.begin(Awaited::Pause);
        self.clients.postponed.push((session.conn, requests));
        true
    }

    /// Runs what was held back, once there is no pause.
    pub(crate) fn go_on(&mut self, now: Now, out: &mut Out) {
        if self.clients.pause.is_on() {
            return;
        }
        self.resume_link(out);
        for (conn, requests) in std::mem::take(&mut self.clients.postponed) {
            self.run_kept(conn, Awaited::Pause, &requests, now, out);
        }
    }

    /// Runs a request that was held back, and lets its client go on.
    pub(crate) fn run_kept(
        &mut self,
        conn: ConnId,
        awaited: Awaited,
        requests: &Requests,
        now: Now,
        out: &mut Out,
    ) {
        let Some(mut session) = self.sessions.take(conn) else { return };
        session.waiting.end(awaited);
        let mut buffer = out.take_reply(conn);
        let before = buffer.len();
        let ticks = out.ticks();
        let stamp = self.stamp(now);
        let mut turn = Turn { now, out, buffer: &mut buffer, ticks, stamp };
        let (row, args, bodies) = requests.get(0);
        self.execute_kept(Some(row), &mut session, &args, bodies, &mut turn);
        if !session.waiting.is_on() {
            out.act(machine::Action::ResumeReads { conn });
        }
        self.hand_over(session, buffer, before, out);
    }
}
