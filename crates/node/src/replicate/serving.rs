//! The primary's end: REPLCONF, PSYNC, WAIT, and snapshots to replicas.

use crate::clustering::Clustering;
use crate::execute::Turn;
use crate::export::Export;
use crate::node::Node;
use crate::replicate::applying::panic_over;
use front::{Awaited, Session};
use machine::{Action, ConnId, Instant, Level, Now, Out, Span};
use replication::{Answer, Identity, Replica, ReplicationId, Stage, Verdict};
use std::fmt::Write;
use store::rdb::{Encoded, Encoder, Piece};
use wire::command::Command;
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
}

impl Node {
    /// REPLCONF.
    pub(crate) fn replconf(&mut self, args: &[&[u8]], session: &Session, turn: &mut Turn<'_>) {
        let answer = self.replication.replicas.replconf(session.conn, &args[1..], turn.now.mono);
        let mut reply = Reply::new(turn.buffer, session.protocol);
        match answer {
            Answer::Ok => reply.ok(),
            Answer::Error(text) => reply.error(&text),
            Answer::Silence => {}
            // Only our own primary may ask, and that is answered where the stream is applied.
            Answer::Acknowledge => {}
        }
    }

    /// PSYNC: goes on from where the replica is, or leaves it to wait for a snapshot.
    pub(crate) fn psync(&mut self, args: &[&[u8]], session: &mut Session, turn: &mut Turn<'_>) {
        if self.replica(session.conn).is_some_and(|replica| replica.stage != Stage::Introduced) {
            // It is a replica already, and what it is being sent must not be mixed up.
            return;
        }
        let word = args.get(3).filter(|word| word.eq_ignore_ascii_case(b"failover"));
        if word.is_some()
            && let Err(why) = self.take_over(args[1], session, turn)
        {
            return Reply::new(turn.buffer, session.protocol).error(why);
        }
        if let Some(why) = self.no_sync_now(session, turn) {
            return Reply::new(turn.buffer, session.protocol).error(why);
        }
        let who = self.replica_name(session.conn, session);
        turn.out.log(Level::Notice, format_args!("Replica {who} asks for synchronization"));
        let Some(next) = number::parse_i64(args[2]) else {
            turn.out.log(
                Level::Warning,
                format_args!("Replica {who} asks for synchronization but with a wrong offset"),
            );
            let text = "ERR value is not an integer or out of range";
            return Reply::new(turn.buffer, session.protocol).error(text);
        };
        // On the wire a position is the number of the next byte, counted from one.
        let next = next.checked_sub(1).and_then(|next| u64::try_from(next).ok());
        let asked = ReplicationId::parse(args[1]).zip(next);
        let placed = self.become_source(session, turn);
        let Some(backlog) = &self.replication.backlog else { return };
        let verdict = self.replication.replicas.psync(
            session.conn,
            asked.filter(|_| placed),
            &self.replication.identity,
            backlog,
            turn.now.mono,
        );
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
                    self.log_refused_partial(&who, asked, turn.out);
                }
            }
        }
    }

    /// SYNC: as PSYNC without a position, from who does not know PSYNC.
    pub(crate) fn sync(&mut self, session: &mut Session, turn: &mut Turn<'_>) {
        if self.replica(session.conn).is_some_and(|replica| replica.stage != Stage::Introduced) {
            return;
        }
        if let Some(why) = self.no_sync_now(session, turn) {
            return Reply::new(turn.buffer, session.protocol).error(why);
        }
        let who = self.replica_name(session.conn, session);
        turn.out.log(Level::Notice, format_args!("Replica {who} asks for synchronization"));
        self.become_source(session, turn);
        self.replication.replicas.sync(session.conn, turn.now.mono);
        self.replication.syncs[0] += 1;
    }

    /// Why this replica cannot have our stream now.
    fn no_sync_now(&self, session: &Session, turn: &Turn<'_>) -> Option<&'static str> {
        if self.clustering.as_ref().is_some_and(Clustering::is_hollow) {
            return Some("LOADING this primary does not know yet whether its data is current");
        }
        if self.replication.failover.is_on() {
            return Some("NOMASTERLINK Can't SYNC while failing over");
        }
        let linked = self.replication.link.as_ref().is_none_or(|link| link.is_following());
        if !linked {
            return Some("NOMASTERLINK Can't SYNC while not connected with my master");
        }
        // Replies to what was said before would be taken for a part of the snapshot.
        let pending = !turn.buffer.is_empty() || turn.out.queued(session.conn) > 0;
        if pending {
            return Some("ERR SYNC and PSYNC are invalid with pending output");
        }
        let endless =
            self.replica(session.conn).is_some_and(|replica| replica.keyless && !replica.eof);
        endless.then_some("ERR Filtered replica requires EOF capability")
    }

    /// From here on every change is in the stream, and the session's connection is a replica's.
    /// Whether our data had a place in the stream's history before.
    fn become_source(&mut self, session: &mut Session, turn: &mut Turn<'_>) -> bool {
        self.need_backlog();
        session.modes.replica = true;
        session.set_gates();
        turn.out.set_first(session.conn, true);
        if self.config.repl.gathered {
            turn.out.act(Action::GatherOutput { conn: session.conn, on: true });
        }
        turn.out.hold_writes(true);
        std::mem::replace(&mut self.replication.placed, true)
    }

    /// Whether `min-replicas-to-write` forbids a primary to write.
    pub(crate) fn lacks_replicas(&self) -> bool {
        let repl = &self.config.repl;
        repl.good_least > 0
            && repl.good_lag > 0
            && self.replication.link.is_none()
            && (self.replication.chores.good as u64) < repl.good_least
    }

    /// Counts the replicas that were heard within `min-replicas-max-lag`.
    pub(crate) fn count_good_replicas(&mut self, now: Now) {
        let lag = self.config.repl.good_lag;
        self.replication.chores.good = self.replication.replicas.good(lag, now.mono);
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
        self.send_keyless(now, out);
        let waiting = self.replication.replicas.waiting();
        if waiting.is_empty() || self.persist.loading.is_some() {
            return;
        }
        if let Some(export) = &self.persist.export {
            // Others wait for the same file already, so the stream from its position on is kept.
            if let Some(position) = export.promised {
                self.offer_snapshot(&waiting, position, true, out);
            }
            return;
        }
        let repl = &self.config.repl;
        // Only a length, which a file has, ends a snapshot for who does not know the mark.
        let straight = repl.diskless_sync
            && waiting.iter().all(|conn| self.replica(*conn).is_some_and(|replica| replica.eof));
        if straight && !self.is_sync_due(&waiting, now) {
            return;
        }
        let position = self.replication.end();
        // The next effect names its database: the snapshot's reader has selected none.
        self.replication.selected = None;
        self.offer_snapshot(&waiting, position, !straight, out);
        let count = waiting.len();
        let target = if straight { "replicas sockets" } else { "disk" };
        out.log(
            Level::Notice,
            format_args!("Starting snapshot for SYNC with target: {target} ({count} replicas)"),
        );
        if !straight {
            self.start_save(now, out);
            if let Some(export) = &mut self.persist.export {
                export.promised = Some(position);
            }
            return;
        }
        let mark = self.new_mark();
        let aux = self.sync_fields(now);
        let aux: Vec<_> = aux.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let options = self.rdb_options(now);
        self.persist.export = Some(Export::to_replicas(
            &mut self.data.keyspace,
            &aux,
            (waiting, mark),
            options,
            now.mono,
            out,
        ));
    }

    /// Whoever wants no keys has its snapshot at once: there are no functions.
    fn send_keyless(&mut self, now: Now, out: &mut Out) {
        let mut waiting = self.replication.replicas.waiting();
        waiting.retain(|conn| self.replica(*conn).is_some_and(|replica| replica.keyless));
        if waiting.is_empty() || self.persist.loading.is_some() {
            return;
        }
        self.replication.selected = None;
        self.offer_snapshot(&waiting, self.replication.end(), false, out);
        let mark = self.new_mark();
        let aux = self.sync_fields(now);
        let aux: Vec<_> = aux.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let (mut encoder, mut snapshot) = (Encoder::new(self.rdb_options(now)), Encoded::default());
        encoder.begin(&aux, &mut snapshot);
        encoder.finish(&mut snapshot);
        let pieces: Vec<_> = snapshot.into_iter().map(Piece::into_page).collect();
        for conn in &waiting {
            out.queue(*conn, &[&b"$EOF:"[..], &mark, b"\r\n"].concat());
            pieces.iter().for_each(|page| out.queue(*conn, page.as_slice()));
            out.queue(*conn, &mark);
        }
        self.sync_sent(&waiting, true, now, out);
    }

    /// What ends a snapshot of unknown length.
    fn new_mark(&mut self) -> [u8; 40] {
        let mut mark = [0; 40];
        mark.copy_from_slice(self.replication.new_id().as_str().as_bytes());
        mark
    }

    /// The fields beside the keys of a snapshot for replicas.
    fn sync_fields(&self, now: Now) -> Vec<(&'static str, String)> {
        let mut aux = vec![
            ("redis-ver", crate::REDIS_VERSION.to_string()),
            ("redis-bits", "64".to_string()),
            ("ctime", now.wall.secs().to_string()),
        ];
        aux.extend(self.origin_fields());
        aux.push(("aof-base", "0".to_string()));
        aux
    }

    /// Whether those that wait have waited long enough for others to join them.
    fn is_sync_due(&self, waiting: &[ConnId], now: Now) -> bool {
        let repl = &self.config.repl;
        let delay = Span::secs(repl.diskless_delay);
        let enough = repl.diskless_most > 0 && waiting.len() as u64 >= repl.diskless_most;
        let asked = waiting.iter().filter_map(|conn| self.replica(*conn)).map(|r| r.asked).min();
        enough || asked.is_none_or(|asked| now.mono.since(asked) >= delay)
    }

    /// Says to replicas what their snapshot will be, and whether it comes by way of a file.
    fn offer_snapshot(&mut self, conns: &[ConnId], position: u64, file: bool, out: &mut Out) {
        let id = self.replication.identity.id;
        let primary = self.replication.link.is_none();
        for conn in conns {
            let Some(replica) = self.replica(*conn) else { continue };
            if !replica.mute {
                // Ours are told that the history is our own; others do not look so far.
                let word = if replica.holdfast && primary { " holdfast" } else { "" };
                out.queue(*conn, format!("+FULLRESYNC {id} {position}{word}\r\n").as_bytes());
            }
            self.replication.replicas.snapshot_began(*conn, position, file);
        }
    }

    /// A snapshot has been handed to these connections.
    pub(crate) fn sync_sent(&mut self, conns: &[ConnId], marked: bool, now: Now, out: &mut Out) {
        for conn in conns {
            self.replication.replicas.snapshot_sent(*conn, marked, now.mono);
            if self.replica(*conn).is_some_and(|replica| replica.snapshot_only) {
                out.close_after_flush(*conn);
            }
        }
        let count = conns.len();
        if marked {
            // Redis's words, which tools look for; there is no pipe.
            out.log(
                Level::Notice,
                format_args!(
                    "Diskless rdb transfer, done reading from pipe, {count} replicas still up."
                ),
            );
        } else {
            out.log(Level::Notice, format_args!("Snapshot sent to {count} replicas"));
        }
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
        self.forget_filing(conn, out);
        let Some(export) = &mut self.persist.export else { return };
        if export.is_for_replicas() && export.forget(conn) {
            out.log(
                Level::Warning,
                // Redis's words, which tools look for; there is no child.
                format_args!("Diskless rdb transfer, last replica dropped, killing fork child."),
            );
            self.drop_snapshot();
        } else if export.promised.is_some()
            && self.replication.replicas.at(Stage::Promised).is_empty()
        {
            // A save point would have asked for the file as well.
            export.promised = None;
            if self.save_points().is_empty() && self.persist.waiting.is_empty() {
                self.give_up_save(out);
            }
        }
    }

    /// Who follows the stream cannot be answered: a reply would be taken for a part of it.
    pub(crate) fn silence_replica(
        &mut self,
        session: &mut Session,
        row: Option<&Command>,
        start: usize,
        turn: &mut Turn<'_>,
    ) {
        let Some(reply) = turn.buffer.get(start..).filter(|reply| !reply.is_empty()) else {
            return;
        };
        let name = row.map_or(String::from("NULL"), |row| row.full_name().to_string());
        if reply[0] == b'-' {
            let reply = String::from_utf8_lossy(reply).trim_end().to_string();
            turn.out.log(
                Level::Warning,
                format_args!(
                    "== CRITICAL == This master is sending an error to its replica: '{reply}' \
                     after processing the command '{name}'"
                ),
            );
            if self.config.repl.on_error == "panic" {
                panic_over(("master", "replica"), &name, turn.out);
            }
        }
        let who = format!("id={} addr={}", session.id, session.remote());
        turn.out.log(
            Level::Warning,
            format_args!("Replica generated a reply to command '{name}', disconnecting it: {who}"),
        );
        turn.buffer.truncate(start);
        self.data.splices.retain(|splice| splice.at <= start);
        session.closing = true;
        turn.out.close(session.conn);
    }

    /// Lets go of all replicas; they will ask again.
    pub(crate) fn drop_replicas(&mut self, out: &mut Out) {
        self.replication.replicas.iter().for_each(|(conn, _)| out.close(conn));
    }

    /// Shows replicas that wait to be alive; lets go of those that are silent for too long.
    pub(crate) fn check_replicas(&mut self, now: Now, out: &mut Out) {
        if now.mono.since(self.replication.chores.blank) >= Span::secs(1) {
            // They must not take our waiting for our end.
            self.replication.chores.blank = now.mono;
            for stage in [Stage::Waiting, Stage::Promised] {
                let waiting = self.replication.replicas.at(stage);
                waiting.into_iter().for_each(|conn| out.queue(conn, b"\n"));
            }
        }
        let timeout = Span::secs(self.config.repl_timeout);
        for conn in self.replication.replicas.silent(timeout, now.mono, out) {
            // One that loads its snapshot sends empty lines.
            let active = self.sessions.get(conn).map(|session| session.active);
            if active.is_some_and(|active| now.mono.since(active) <= timeout) {
                continue;
            }
            let replica = self.replica(conn);
            let streaming = replica.is_some_and(|replica| replica.stage == Stage::Online);
            let what = if streaming { "streaming" } else { "full" };
            let who = self.sessions.get(conn).map(|session| self.replica_name(conn, session));
            let who = who.unwrap_or_default();
            out.log(
                Level::Warning,
                format_args!("Disconnecting timedout replica ({what} sync): {who}"),
            );
            out.close(conn);
        }
        self.count_good_replicas(now);
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
        session.waiting.begin(Awaited::Replicas);
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
        self.answer_late(conn, Awaited::Replicas, text.as_bytes(), out);
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
            self.answer_late(wait.conn, Awaited::Replicas, format!(":{have}\r\n").as_bytes(), out);
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
            let online = replica.stage == Stage::Online;
            let lag = now.mono.since(replica.heard).as_millis() / 1000 * u64::from(online);
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
