//! The primary's end: REPLCONF, PSYNC, WAIT, and snapshots to replicas.

use crate::clustering::Clustering;
use crate::execute::Turn;
use crate::export::Export;
use crate::node::Node;
use front::Session;
use machine::{Action, ConnId, Instant, Level, Now, Out, Span};
use replication::{Answer, Identity, Replica, ReplicationId, Stage, Verdict};
use std::fmt::Write;
use wire::number;
use wire::reply::Reply;

/// A client of WAIT.
pub(crate) struct Wait {
    conn: ConnId,
    /// Position of its last write.
    position: u64,
    replicas: usize,
    deadline: Option<Instant>,
}

impl Wait {
    /// Whether it ends by itself.
    pub(crate) fn has_deadline(&self) -> bool {
        self.deadline.is_some()
    }

    /// Whether it is this client's.
    pub(crate) fn is_of(&self, conn: ConnId) -> bool {
        self.conn == conn
    }
}

impl Node {
    /// REPLCONF.
    pub(crate) fn replconf(&mut self, args: &[&[u8]], session: &Session, turn: &mut Turn<'_>) {
        let answer = self.replication.replicas.replconf(session.conn, &args[1..], turn.now.mono);
        let mut reply = Reply::new(turn.buffer, session.protocol);
        match answer {
            Answer::Ok => reply.ok(),
            Answer::Error(text) => reply.error(text),
            Answer::Silence => {}
            // Only our own primary may ask, and that is answered where the stream is applied.
            Answer::Acknowledge => {}
        }
    }

    /// PSYNC: goes on from where the replica is, or leaves it to wait for a snapshot.
    pub(crate) fn psync(&mut self, args: &[&[u8]], session: &mut Session, turn: &mut Turn<'_>) {
        if self.clustering.as_ref().is_some_and(Clustering::is_hollow) {
            let text = "LOADING this primary does not know yet whether its data is current";
            return Reply::new(turn.buffer, session.protocol).error(text);
        }
        if let Some(link) = &self.replication.link
            && !link.is_following()
        {
            let text = "NOMASTERLINK Can't SYNC while not connected with my master";
            return Reply::new(turn.buffer, session.protocol).error(text);
        }
        if self.replica(session.conn).is_some_and(|replica| replica.stage != Stage::Introduced) {
            // It is a replica already, and what it is being sent must not be mixed up.
            return;
        }
        let id = ReplicationId::parse(args[1]);
        // On the wire a position is the number of the next byte, counted from one.
        let next =
            number::parse_i64(args[2]).and_then(|next| u64::try_from(next.checked_sub(1)?).ok());
        self.need_backlog();
        // From here on every change is in the stream, so our data has a place in its history.
        self.replication.placed = true;
        let Some(backlog) = &self.replication.backlog else { return };
        let verdict = self.replication.replicas.psync(
            session.conn,
            id.zip(next),
            &self.replication.identity,
            backlog,
            turn.now.mono,
        );
        session.modes.replica = true;
        session.set_gates();
        let who = self.replica_name(session.conn, session);
        turn.out.set_first(session.conn, true);
        turn.out.hold_writes(true);
        turn.out.log(Level::Notice, format_args!("Replica {who} asks for synchronization"));
        match verdict {
            Verdict::Continue => {
                self.replication.syncs[1] += 1;
                let psync2 = self.replica(session.conn).is_some_and(|replica| replica.psync2);
                let line = if psync2 {
                    format!("+CONTINUE {}\r\n", self.replication.identity.id)
                } else {
                    String::from("+CONTINUE\r\n")
                };
                turn.buffer.extend_from_slice(line.as_bytes());
                turn.out.log(
                    Level::Notice,
                    format_args!("Partial resynchronization request from {who} accepted."),
                );
            }
            Verdict::Full => {
                self.replication.syncs[0] += 1;
                if args[1] != b"?" {
                    self.replication.syncs[2] += 1;
                    self.log_refused_partial(&who, id.zip(next), turn.out);
                }
            }
        }
    }

    /// Says why a partial resync was not possible, and what would have made it so.
    fn log_refused_partial(&self, who: &str, asked: Option<(ReplicationId, u64)>, out: &mut Out) {
        let Some((id, position)) = asked else { return };
        let end = self.replication.end();
        if self.replication.identity.shares(id, position) {
            let missing = end.saturating_sub(position);
            out.log(
                Level::Notice,
                format_args!(
                    "Unable to partial resync with replica {who} for lack of backlog (Replica \
                     request was: {}). A repl-backlog-size of {missing} bytes would have been \
                     enough.",
                    position + 1
                ),
            );
            return;
        }
        let Identity { id: ours, previous } = self.replication.identity;
        let why = match previous {
            Some((previous, upto)) if previous == id => format!(
                "Requested offset for second ID was {}, but I can reply up to {}",
                position + 1,
                upto + 1
            ),
            previous => {
                let second = previous.map_or_else(|| "0".repeat(40), |(id, _)| id.to_string());
                format!(
                    "Replication ID mismatch (Replica asked for '{id}', my replication IDs are \
                     '{ours}' and '{second}')"
                )
            }
        };
        out.log(Level::Notice, format_args!("Partial resynchronization not accepted: {why}"));
    }

    fn replica(&self, conn: ConnId) -> Option<&Replica> {
        self.replication.replicas.get(conn)
    }

    fn replica_name(&self, conn: ConnId, session: &Session) -> String {
        let port = self.replica(conn).map_or(0, |replica| replica.port);
        let remote = session.remote();
        let host = remote.rsplit_once(':').map_or(remote.as_str(), |(host, _)| host);
        format!("{host}:{port}")
    }

    /// Starts a snapshot for the replicas that wait for one. Called between turns' commands, so
    /// that position and data belong together.
    pub(crate) fn start_sync(&mut self, now: Now, out: &mut Out) {
        if self.persist.export.is_some() || self.persist.loading.is_some() {
            return;
        }
        let waiting = self.replication.replicas.waiting();
        if waiting.is_empty() {
            return;
        }
        let position = self.replication.end();
        let id = self.replication.identity.id;
        let line = format!("+FULLRESYNC {id} {position}\r\n");
        for conn in &waiting {
            out.queue(*conn, line.as_bytes());
            self.replication.replicas.snapshot_began(*conn, position);
        }
        // The next effect names its database: the snapshot's reader has selected none.
        self.replication.selected = None;
        let mut mark = [0; 40];
        mark.copy_from_slice(self.replication.new_id().as_str().as_bytes());
        let offset = position.to_string();
        // The stream of our own primary goes on in the database it has selected.
        let selected = self.replication.link.as_ref().map_or(0, |_| self.replication.stream_db);
        let selected = selected.to_string();
        let created = now.wall.secs().to_string();
        let aux = [
            ("redis-ver", crate::REDIS_VERSION),
            ("redis-bits", "64"),
            ("ctime", &created),
            ("repl-stream-db", &selected),
            ("repl-id", id.as_str()),
            ("repl-offset", &offset),
            ("aof-base", "0"),
        ];
        let options = self.rdb_options(now);
        let count = waiting.len();
        self.persist.export = Some(Export::to_replicas(
            &mut self.data.keyspace,
            &aux,
            (waiting, mark),
            options,
            now.mono,
            out,
        ));
        out.log(
            Level::Notice,
            format_args!("Starting snapshot for SYNC with target: {count} replicas sockets"),
        );
    }

    /// A snapshot has been handed to these connections.
    pub(crate) fn sync_sent(&mut self, conns: &[ConnId], now: Now, out: &mut Out) {
        for conn in conns {
            self.replication.replicas.snapshot_sent(*conn, now.mono);
        }
        let count = conns.len();
        out.log(Level::Notice, format_args!("Snapshot sent to {count} replicas"));
    }

    /// A connection ended: it may have been a replica's.
    pub(crate) fn replica_closed(&mut self, conn: ConnId, out: &mut Out) {
        self.replication.waits.retain(|wait| wait.conn != conn);
        if !self.replication.replicas.remove(conn) {
            return;
        }
        out.log(Level::Notice, format_args!("Connection with replica lost."));
        if self.replication.replicas.is_empty() && self.clustering.is_none() {
            out.hold_writes(false);
        }
        if let Some(export) = &mut self.persist.export
            && export.is_for_replicas()
            && export.forget(conn)
        {
            self.persist.export = None;
            self.data.keyspace.abort_snapshot();
        }
    }

    /// Lets go of all replicas; they will ask again.
    pub(crate) fn drop_replicas(&mut self, out: &mut Out) {
        self.replication.replicas.iter().for_each(|(conn, _)| out.close(conn));
    }

    /// Shows replicas that wait to be alive; lets go of those that are silent for too long.
    pub(crate) fn check_replicas(&mut self, now: Now, out: &mut Out) {
        if now.mono.since(self.replication.blank) >= Span::secs(1) {
            // They must not take our waiting for our end.
            self.replication.blank = now.mono;
            let waiting = self.replication.replicas.waiting();
            waiting.into_iter().for_each(|conn| out.queue(conn, b"\n"));
        }
        let timeout = Span::secs(self.config.repl_timeout);
        for conn in self.replication.replicas.silent(timeout, now.mono, out) {
            // One that loads its snapshot sends empty lines.
            let active = self.sessions.get(conn).map(|session| session.active);
            if active.is_some_and(|active| now.mono.since(active) <= timeout) {
                continue;
            }
            out.log(
                Level::Warning,
                format_args!("Disconnecting timedout replica (streaming sync)"),
            );
            out.close(conn);
        }
    }

    /// WAIT: answered at once, or when enough replicas have acknowledged, or in time.
    pub(crate) fn wait(&mut self, args: &[&[u8]], session: &mut Session, turn: &mut Turn<'_>) {
        let mut reply = Reply::new(turn.buffer, session.protocol);
        if self.replication.link.is_some() {
            return reply.error(
                "ERR WAIT cannot be used with replica instances. Please also note that since \
                 Redis 4.0 if a replica is configured to be writable (which is not the default) \
                 writes to replicas are just local and are not propagated.",
            );
        }
        let Some(replicas) = number::parse_i64(args[1]) else {
            return reply.error("ERR value is not an integer or out of range");
        };
        let Some(timeout) = number::parse_i64(args[2]) else {
            return reply.error("ERR timeout is not an integer or out of range");
        };
        let Ok(timeout) = u64::try_from(timeout) else {
            return reply.error("ERR timeout is negative");
        };
        let replicas = usize::try_from(replicas).unwrap_or(0);
        let have = self.replication.replicas.acknowledged(session.written);
        if have >= replicas || session.transaction.running.is_some() {
            return reply.integer(have as i64);
        }
        session.waiting = true;
        let deadline = (timeout > 0).then(|| turn.now.mono + Span::millis(timeout));
        let wait = Wait { conn: session.conn, position: session.written, replicas, deadline };
        self.replication.waits.push(wait);
        self.ask_positions();
    }

    /// Ends a client's WAIT before its time, with an error if so wanted; whether there was one.
    pub(crate) fn unblock_wait(&mut self, conn: ConnId, failing: bool, out: &mut Out) -> bool {
        let waits = &mut self.replication.waits;
        let Some(at) = waits.iter().position(|wait| wait.conn == conn) else { return false };
        let wait = waits.remove(at);
        let have = self.replication.replicas.acknowledged(wait.position);
        let text = if failing {
            String::from("-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n")
        } else {
            format!(":{have}\r\n")
        };
        if let Some(session) = self.sessions.get_mut(conn) {
            session.waiting = false;
            out.queue(conn, text.as_bytes());
            out.act(Action::ResumeReads { conn });
        }
        true
    }

    /// Answers the clients of WAIT whose time or replicas have come.
    pub(crate) fn answer_waits(&mut self, now: Now, out: &mut Out) {
        let mut waits = std::mem::take(&mut self.replication.waits);
        waits.retain(|wait| {
            let have = self.replication.replicas.acknowledged(wait.position);
            let over = wait.deadline.is_some_and(|deadline| deadline <= now.mono);
            if have < wait.replicas && !over {
                return true;
            }
            if let Some(session) = self.sessions.get_mut(wait.conn) {
                session.waiting = false;
                out.queue(wait.conn, format!(":{have}\r\n").as_bytes());
                out.act(Action::ResumeReads { conn: wait.conn });
            }
            false
        });
        self.replication.waits = waits;
    }

    /// We are no primary any more: nobody's writes will be acknowledged.
    pub(crate) fn unblock_waits(&mut self, out: &mut Out) {
        for wait in std::mem::take(&mut self.replication.waits) {
            let text = "-UNBLOCKED force unblock from blocking operation, instance state changed \
                        (master -> replica?)\r\n";
            out.queue(wait.conn, text.as_bytes());
            out.close_after_flush(wait.conn);
        }
    }

    /// When the next client of WAIT runs out of time.
    pub(crate) fn wait_deadline(&self) -> Option<Instant> {
        self.replication.waits.iter().filter_map(|wait| wait.deadline).min()
    }

    /// The lines of INFO about replicas.
    pub(crate) fn replica_lines(&self, now: Now) -> String {
        let mut text = String::new();
        for (number, (conn, replica)) in self.replication.replicas.iter().enumerate() {
            let host = self.replica_host(conn, replica);
            let lag = now.mono.since(replica.heard).as_millis() / 1000;
            // Writing to a String cannot fail.
            let _ = write!(
                text,
                "slave{number}:ip={host},port={},state={},offset={},lag={lag}\r\n",
                replica.port,
                replica.stage.name(),
                replica.acked
            );
        }
        text
    }

    /// The address a replica is reached at.
    pub(crate) fn replica_host(&self, conn: ConnId, replica: &Replica) -> String {
        if let Some(ip) = &replica.ip {
            return ip.clone();
        }
        let remote = self.sessions.get(conn).map(Session::remote).unwrap_or_default();
        remote.rsplit_once(':').map_or(remote.clone(), |(host, _)| host.to_string())
    }
}
