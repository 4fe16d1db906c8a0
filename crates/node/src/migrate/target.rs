//! The other server of a MIGRATE: reached, spoken to, and what becomes of the keys.

use super::job::{Failure, Job, State};
use super::words::Words;
use super::{MOST_IDLE, Moves};
use crate::execute::Turn;
use crate::node::Node;
use core::net::{IpAddr, SocketAddr};
use front::{Awaited, Session};
use machine::{Action, ConnId, Instant, NetError, Now, Out, Token};

use std::sync::Arc;
use store::command::Data;
use store::keyspace::Place;
use wire::command::CommandId;
use wire::reply::Reply;
use wire::slot::slot;

/// A line of a target is no longer than this.
const LINE: usize = 16 << 10;

/// A connection that the next command to the same target may use.
pub(super) struct Idle {
    host: String,
    port: u16,
    pub(super) conn: ConnId,
    /// Its database, if that is known.
    selected: Option<i64>,
    /// When it was last used.
    pub(super) since: Instant,
}

impl Node {
    /// MIGRATE.
    pub(crate) fn migrate(&mut self, args: &[&[u8]], session: &mut Session, turn: &mut Turn<'_>) {
        let (words, keys) = match Words::read(args) {
            Ok(read) => read,
            Err(error) => return Reply::new(turn.buffer, session.protocol).error(error),
        };
        if session.transaction.running.is_some() {
            // Its answer would come too late for its place among the replies.
            return Reply::new(turn.buffer, session.protocol)
                .error("ERR Command not allowed inside a transaction");
        }
        let keys: Vec<Vec<u8>> =
            keys.into_iter().filter(|key| self.is_here(session.db, key, turn)).collect();
        if keys.is_empty() {
            return Reply::new(turn.buffer, session.protocol).simple("NOKEY");
        }
        session.waiting.begin(Awaited::Target);
        let job = Job::new(session.conn, words, session.db, keys);
        self.clients.moves.jobs.push(job);
        let at = self.clients.moves.jobs.len() - 1;
        self.reach(at, turn.now, turn.out);
        self.close_gates();
    }

    /// Looks a key up as a read does.
    fn is_here(&mut self, db: u32, key: &[u8], turn: &Turn<'_>) -> bool {
        let slot = if self.clustering.is_some() { slot(key) } else { 0 };
        let hash = self.data.keyspace.hash(key);
        let mut data = Data {
            keyspace: &mut self.data.keyspace,
            place: Place::new(db, slot),
            now: turn.now.wall.millis(),
            access: turn.stamp,
            expired: self.data.expired,
            effects: &mut self.data.effects,
            counters: &mut self.data.counters,
        };
        data.read(hash, key).is_some()
    }

    /// Begins an attempt: over a connection that is kept, or a new one.
    fn reach(&mut self, at: usize, now: Now, out: &mut Out) {
        let moves = &mut self.clients.moves;
        let token = moves.token();
        let Some(job) = moves.jobs.get_mut(at) else { return };
        job.hear(now.mono);
        let words = &job.words;
        let kept = moves
            .idle
            .iter()
            .position(|idle| idle.host == words.host && idle.port == words.port)
            .filter(|_| !job.again);
        if let Some(kept) = kept {
            let idle = moves.idle.swap_remove(kept);
            job.greet(idle.conn, idle.selected, out);
            job.send(&self.data.keyspace, now.wall.millis(), out);
        } else if let Ok(ip) = words.host.parse::<IpAddr>() {
            let to = SocketAddr::new(ip, words.port);
            out.act(Action::Connect { token, to, from: None });
            job.state = State::Connecting(token);
        } else {
            out.act(Action::Resolve { token, host: words.host.clone() });
            job.state = State::Resolving(token);
        }
    }

    pub(crate) fn target_resolved(
        &mut self,
        token: Token,
        addresses: &[IpAddr],
        now: Now,
        out: &mut Out,
    ) {
        let next = self.clients.moves.token();
        let Some(job) = self.clients.moves.job_for(token) else { return };
        match addresses.first() {
            Some(ip) => {
                job.hear(now.mono);
                let to = SocketAddr::new(*ip, job.words.port);
                out.act(Action::Connect { token: next, to, from: None });
                job.state = State::Connecting(next);
            }
            None => job.end_unconnected(None),
        }
    }

    pub(crate) fn target_missed(&mut self, token: Token, why: NetError) {
        if let Some(job) = self.clients.moves.job_for(token) {
            job.end_unconnected(Some(why));
        }
    }

    pub(crate) fn target_connected(&mut self, token: Token, conn: ConnId, now: Now, out: &mut Out) {
        let Some(job) = self.clients.moves.job_for(token) else { return out.close(conn) };
        job.hear(now.mono);
        job.greet(conn, None, out);
        job.send(&self.data.keyspace, now.wall.millis(), out);
    }

    /// There is room for more.
    pub(crate) fn target_drained(&mut self, conn: ConnId, now: Now, out: &mut Out) {
        let moves = &mut self.clients.moves;
        if let Some(at) = moves.job_of(conn) {
            moves.jobs[at].hear(now.mono);
            moves.jobs[at].send(&self.data.keyspace, now.wall.millis(), out);
            self.end_if_answered(at, now);
        }
    }

    pub(crate) fn target_said(&mut self, conn: ConnId, bytes: &[u8], now: Now, out: &mut Out) {
        let moves = &mut self.clients.moves;
        let Some(at) = moves.job_of(conn) else {
            // Nothing was asked.
            moves.idle.retain(|idle| idle.conn != conn);
            out.consumed(bytes.len());
            return out.close(conn);
        };
        let job = &mut moves.jobs[at];
        job.hear(now.mono);
        let mut done = 0;
        let mut sane = true;
        while let Some(length) = bytes[done..].iter().position(|byte| *byte == b'\n') {
            let line = &bytes[done..done + length];
            sane &= job.answered(line.strip_suffix(b"\r").unwrap_or(line));
            done += length + 1;
        }
        if !sane || bytes.len() - done > LINE {
            out.consumed(bytes.len());
            return self.target_lost(at, Failure::Closed, now, out);
        }
        out.consumed(done);
        self.end_if_answered(at, now);
    }

    fn end_if_answered(&mut self, at: usize, now: Now) {
        let moves = &mut self.clients.moves;
        let job = &mut moves.jobs[at];
        let Some(conn) = job.conn().filter(|_| job.is_answered()) else { return };
        let Words { host, port, db, .. } = &job.words;
        let selected = job.is_selected().then_some(*db);
        let idle = Idle { host: host.clone(), port: *port, conn, selected, since: now.mono };
        job.end();
        moves.idle.push(idle);
    }

    pub(crate) fn target_closed(&mut self, conn: ConnId, now: Now, out: &mut Out) {
        let moves = &mut self.clients.moves;
        moves.idle.retain(|idle| idle.conn != conn);
        if let Some(at) = moves.job_of(conn) {
            self.lost(at, Failure::Closed, false, now, out);
        }
    }

    /// Gives a connection up.
    fn target_lost(&mut self, at: usize, failure: Failure, now: Now, out: &mut Out) {
        let Some(conn) = self.clients.moves.jobs[at].conn() else { return };
        let unsent = out.queued(conn) > 0;
        out.close(conn);
        self.lost(at, failure, unsent, now, out);
    }

    fn lost(&mut self, at: usize, failure: Failure, unsent: bool, now: Now, out: &mut Out) {
        if self.clients.moves.jobs[at].end_lost(failure, unsent) {
            self.reach(at, now, out);
        }
    }

    /// What is due by time.
    pub(crate) fn tick_moves(&mut self, now: Now, out: &mut Out) {
        for at in 0..self.clients.moves.jobs.len() {
            let job = &mut self.clients.moves.jobs[at];
            if job.deadline().is_none_or(|until| until > now.mono) {
                continue;
            }
            match job.conn() {
                Some(_) => self.target_lost(at, Failure::TimedOut, now, out),
                None => job.end_unconnected(None),
            }
        }
        let moves = &mut self.clients.moves;
        while moves.idle.len() > MOST_IDLE {
            out.close(moves.idle.remove(0).conn);
        }
    }

    /// A command is over: removes what has arrived, and answers.
    pub(super) fn settle(&mut self, job: Job, now: Now, out: &mut Out) {
        let State::Over(mut reply) = job.state else { return };
        if !job.words.copy && !job.arrived.is_empty() {
            match self.may_remove(now) {
                Ok(()) => self.remove_arrived(job.db, &job.arrived, job.asker),
                Err(why) => reply = why.into(),
            }
        }
        if reply.starts_with('-') {
            self.statistics.failed(CommandId::Migrate, reply.as_bytes());
        }
        reply += "\r\n";
        if let Some(asker) = job.asker {
            self.answer_late(asker, Awaited::Target, reply.as_bytes(), out);
        }
    }

    fn may_remove(&self, now: Now) -> Result<(), &'static str> {
        if self.replication.link.is_some() {
            return Err("-UNBLOCKED force unblock from blocking operation, \
                        instance state changed (master -> replica?)");
        }
        match &self.clustering {
            Some(clustering) if !clustering.lease.allows(now.mono) => {
                Err("-CLUSTERDOWN The cluster is down")
            }
            _ => Ok(()),
        }
    }

    fn remove_arrived(&mut self, db: u32, arrived: &[Arc<[u8]>], asker: Option<ConnId>) {
        let mut removed: Vec<&[u8]> = vec![b"DEL"];
        for key in arrived {
            let slot = if self.clustering.is_some() { slot(key) } else { 0 };
            let hash = self.data.keyspace.hash(key);
            let place = Place::new(db, slot);
            let edit = self.data.keyspace.edit_existing(place, hash, key);
            if edit.is_some_and(|mut edit| edit.remove()) {
                removed.push(key);
            }
        }
        if removed.len() == 1 {
            return;
        }
        self.data.effects.command(removed.len() as u64 - 1, &removed);
        self.commit(db, &[], &[]);
        let written = self.replication.end();
        if let Some(session) = asker.and_then(|asker| self.sessions.get_mut(asker)) {
            session.written = written;
            if let Some(clustering) = &mut self.clustering {
                clustering.writers.push(session.conn);
            }
        }
    }
}

impl Moves {
    fn job_for(&mut self, token: Token) -> Option<&mut Job> {
        self.jobs.iter_mut().find(|job| job.is_waiting_for(token))
    }
}
