//! From bytes to requests: decoding, looking ahead, and handing over.

use crate::execute::{Call, Turn};
use crate::node::Node;
use front::Session;
use machine::{Action, ConnId, Now, Out};
use std::sync::Arc;
use store::command::Request;
use store::keyspace::Place;
use store::table::Hash;
use wire::ProtocolError;
use wire::command::Command;
use wire::reply::Reply;
use wire::request::{Assembled, BATCH, Batch, Limits, Progress};
use wire::slot::slot;

/// A connection that waits is read on, so that its end is noticed, until this much is kept of it;
/// then the system keeps the rest and tells the sender to wait.
const KEPT: usize = 64 << 10;

/// What is known of a request before it runs.
#[derive(Clone, Copy, Default)]
struct Ahead {
    row: Option<&'static Command>,
    hash: Hash,
    slot: u16,
}

impl Node {
    /// Bytes of a client: runs every complete request in them.
    pub(crate) fn received(&mut self, conn: ConnId, bytes: &[u8], now: Now, out: &mut Out) {
        let Some(mut session) = self.sessions.take(conn) else {
            if self.clients.moves.owns(conn) {
                return self.target_said(conn, bytes, now, out);
            }
            // A connection that is being turned away: what it says does not matter.
            return out.consumed(bytes.len());
        };
        if session.waiting.is_on() {
            session.decoder.set_unread(bytes.len());
            if bytes.len() >= KEPT {
                out.act(Action::PauseReads { conn });
            }
            return self.sessions.put_back(session);
        }
        let mut buffer = out.take_reply(conn);
        let before = buffer.len();
        session.active = now.mono;
        let ticks = if self.stages.clock { out.ticks() } else { 0 };
        let stamp = self.stamp(now);
        let mut turn = Turn { now, out, buffer: &mut buffer, ticks, stamp };
        let consumed = self.requests(&mut session, bytes, &mut turn);
        out.consumed(consumed);
        session.decoder.set_unread(bytes.len() - consumed);
        self.hand_over(session, buffer, before, out);
    }

    /// Ends what a connection's requests share: their replies leave, the session goes back.
    /// `before` is the length of the buffer when it was lent.
    #[inline(always)]
    pub(crate) fn hand_over(
        &mut self,
        session: Box<Session>,
        buffer: Vec<u8>,
        before: usize,
        out: &mut Out,
    ) {
        let conn = session.conn;
        if self.data.splices.is_empty() {
            out.put_reply(conn, buffer, before);
        } else {
            out.put_spliced(conn, buffer, before, &mut self.data.splices);
        }
        if session.closing {
            out.close_after_flush(conn);
        }
        self.sessions.put_back(session);
        if self.config.clients.output.normal.hard != 0 {
            self.check_output(conn, out);
        }
    }

    /// Runs a request under the name by which the rest of the world knows it: replicas have
    /// settings of their own.
    #[cold]
    fn execute_renamed(
        &mut self,
        row: &'static Command,
        session: &mut Session,
        call: &Call<'_>,
        turn: &mut Turn<'_>,
    ) {
        let mut args = call.request.args.to_vec();
        args[0] = row.name.as_bytes();
        let request = Request { args: &args, ..call.request };
        self.execute(session, &Call { row: Some(row), request, slot: call.slot, raw: &[] }, turn);
    }

    /// Runs a request that was kept; `row`: what it was then, since its name may have been
    /// replaced.
    pub(crate) fn execute_kept(
        &mut self,
        row: Option<&'static Command>,
        session: &mut Session,
        args: &[&[u8]],
        bodies: &[Arc<[u8]>],
        turn: &mut Turn<'_>,
    ) {
        let ahead = match row {
            Some(row) => self.look_ahead_as(row, args),
            None => self.look_ahead(args),
        };
        let request = Request { args, hash: ahead.hash, bodies };
        let call = Call { row: ahead.row, request, slot: ahead.slot, raw: &[] };
        match ahead.row {
            Some(row) if self.config.process.renames.is_new(args[0]) => {
                self.execute_renamed(row, session, &call, turn);
            }
            _ => self.execute(session, &call, turn),
        }
    }

    /// A large argument that the decoder asked for.
    pub(crate) fn body(&mut self, conn: ConnId, body: Arc<[u8]>) {
        if self.replication.is_link(conn) {
            return self.link_body(body);
        }
        if let Some(session) = self.sessions.get_mut(conn) {
            session.decoder.body(body);
        }
    }

    /// Decodes and runs; how many bytes are done with.
    fn requests(&mut self, session: &mut Session, bytes: &[u8], turn: &mut Turn<'_>) -> usize {
        let mut at = 0;
        let mut batch = Batch::new();
        while !session.closing && !session.waiting.is_on() {
            let limits = Limits {
                authenticated: session.is_authenticated(),
                max_bulk: self.config.max_bulk,
                max_query: self.config.clients.max_query,
            };
            batch.clear();
            match session.decoder.decode(&bytes[at..], &mut batch, &limits) {
                Ok(Progress::More { consumed }) => {
                    match self.batch(session, &batch, turn) {
                        None => at += consumed,
                        // The rest will be offered again when the session goes on.
                        Some(next) => {
                            session.decoder.rewind();
                            at = next.as_ptr() as usize - bytes.as_ptr() as usize;
                            break;
                        }
                    }
                    if batch.is_empty() || at == bytes.len() {
                        break;
                    }
                }
                Ok(Progress::Want { consumed, len }) => {
                    at += consumed;
                    turn.out.want(len);
                    break;
                }
                Ok(Progress::Assembled { consumed, request }) => {
                    at += consumed;
                    self.assembled(session, &request, turn);
                }
                Err(error) => {
                    self.protocol_error(session, &error, turn);
                    return bytes.len();
                }
            }
        }
        if session.closing { bytes.len() } else { at }
    }

    /// Runs a batch in sweeps, so that memory has time to arrive: look up and ask for buckets (in
    /// a cluster, for slots' tables and then for buckets), ask for entries, execute. Returns the
    /// first request that has to wait, if one has.
    #[inline]
    fn batch<'a>(
        &mut self,
        session: &mut Session,
        batch: &Batch<'a>,
        turn: &mut Turn<'_>,
    ) -> Option<&'a [u8]> {
        let mut ahead = [Ahead::default(); BATCH];
        let before = turn.buffer.len();
        let streaming = self.replication.backlog.is_some();
        let slotted = self.clustering.is_some();
        let prefetch = self.stages.prefetch && batch.len() > 1;
        for (i, ahead) in ahead[..batch.len()].iter_mut().enumerate() {
            let args = batch.args(i);
            *ahead = self.look_ahead(args);
            if prefetch && ahead.hash != Hash::default() {
                let place = Place::new(session.db, ahead.slot);
                if slotted {
                    self.data.keyspace.prefetch_table(place);
                } else {
                    self.data.keyspace.prefetch_bucket(place, ahead.hash);
                }
            }
        }
        if prefetch && slotted {
            for ahead in ahead[..batch.len()].iter().filter(|ahead| ahead.hash != Hash::default()) {
                self.data.keyspace.prefetch_bucket(Place::new(session.db, ahead.slot), ahead.hash);
            }
        }
        if prefetch {
            for (i, ahead) in ahead[..batch.len()].iter().enumerate() {
                if ahead.hash != Hash::default() {
                    // A new value is about as long as the old one, and a read one as the last ones.
                    let len = batch.args(i).get(2).map_or(self.usual_reply, |value| value.len());
                    let place = Place::new(session.db, ahead.slot);
                    self.data.keyspace.prefetch_entry(place, ahead.hash, len);
                }
            }
        }
        for (i, ahead) in ahead[..batch.len()].iter().enumerate() {
            let request = Request { args: batch.args(i), hash: ahead.hash, bodies: &[] };
            let raw = if streaming { batch.raw(i) } else { &[] };
            let call = Call { row: ahead.row, request, slot: ahead.slot, raw };
            match ahead.row {
                Some(row) if self.config.process.renames.is_new(request.args[0]) => {
                    self.execute_renamed(row, session, &call, turn);
                }
                _ => self.execute(session, &call, turn),
            }
            if session.closing {
                break;
            }
            if session.waiting.is_on() && i + 1 < batch.len() {
                return Some(batch.raw(i + 1));
            }
        }
        let grown = turn.buffer.len() - before;
        self.usual_reply = (self.usual_reply * 3 + grown / batch.len().max(1)) / 4;
        None
    }

    #[inline]
    fn look_ahead(&self, args: &[&[u8]]) -> Ahead {
        let renames = &self.config.process.renames;
        let Some(row) = args.first().and_then(|name| renames.find(name)) else {
            return Ahead::default();
        };
        self.look_ahead_as(row, args)
    }

    #[inline]
    fn look_ahead_as(&self, row: &'static Command, args: &[&[u8]]) -> Ahead {
        let key = match row.first_key {
            0 => None,
            index => args.get(usize::from(index)),
        };
        let Some(key) = key else { return Ahead { row: Some(row), ..Ahead::default() } };
        let slot = if self.clustering.is_some() { slot(key) } else { 0 };
        Ahead { row: Some(row), hash: self.data.keyspace.hash(key), slot }
    }

    #[cold]
    fn assembled(&mut self, session: &mut Session, request: &Assembled, turn: &mut Turn<'_>) {
        let args: Vec<&[u8]> = request.args.iter().map(|arg| &arg[..]).collect();
        self.execute_kept(None, session, &args, &request.args, turn);
    }

    #[cold]
    fn protocol_error(
        &mut self,
        session: &mut Session,
        error: &ProtocolError,
        turn: &mut Turn<'_>,
    ) {
        self.statistics.protocol_errors += 1;
        session.closing = true;
        if !error.is_silent() {
            let start = turn.buffer.len();
            let mut reply = Reply::new(turn.buffer, session.protocol);
            reply.error(&format!("ERR Protocol error: {error}"));
            self.statistics.rejected(None, &turn.buffer[start..]);
        }
    }
}
