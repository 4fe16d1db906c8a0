//! MULTI, EXEC and WATCH.
//!
//! Requests are admitted when they are queued, once more all together at EXEC, and then run one
//! after another. What they did goes into the stream as one piece: a reader of the stream sees all
//! of a transaction or nothing.

use crate::admit::Refused;
use crate::clustering::{Presence, is_change};
use crate::execute::{Call, Turn};
use crate::node::Node;
use front::{Queue, Session, Watching};
use machine::{Level, Now};
use store::command::Request;
use wire::command::{Command, CommandId, flag};
use wire::reply::Reply;
use wire::slot::slot;

/// What a running transaction has put into the stream so far.
#[derive(Default)]
pub(crate) struct Pending {
    pub(crate) bytes: Vec<u8>,
    /// Selects the database of its first command. It stands before the brackets.
    pub(crate) select: Vec<u8>,
    /// Commands in it, those that only select a database not counted.
    pub(crate) commands: u32,
}

impl Node {
    /// Runs one of the transaction's own commands.
    pub(crate) fn transact(
        &mut self,
        id: CommandId,
        session: &mut Session,
        args: &[&[u8]],
        turn: &mut Turn<'_>,
    ) {
        let mut reply = Reply::new(turn.buffer, session.protocol);
        let queueing = session.transaction.queue.is_some();
        match id {
            CommandId::Exec => self.exec(session, turn),
            CommandId::Multi if queueing => reply.error("ERR MULTI calls can not be nested"),
            CommandId::Watch if queueing => reply.error("ERR WATCH inside MULTI is not allowed"),
            CommandId::Discard if !queueing => reply.error("ERR DISCARD without MULTI"),
            CommandId::Multi => {
                session.transaction.queue = Some(Box::default());
                session.set_gates();
                reply.ok();
            }
            CommandId::Discard => {
                self.end_transaction(session);
                reply.ok();
            }
            CommandId::Watch => {
                for key in &args[1..] {
                    self.watch(session, key, turn.now);
                }
                reply.ok();
            }
            _ => {
                self.unwatch(session);
                reply.ok();
            }
        }
    }

    /// Puts a request into the session's queue.
    pub(crate) fn enqueue(
        &mut self,
        row: &'static Command,
        session: &mut Session,
        call: &Call<'_>,
        turn: &mut Turn<'_>,
    ) {
        let Some(queue) = &mut session.transaction.queue else { return };
        Reply::new(turn.buffer, session.protocol).simple("QUEUED");
        if self.stages.clock {
            turn.ticks = turn.out.ticks();
        }
        if queue.aborted {
            // It will not run, so it need not be kept.
            return;
        }
        queue.demands |= self.specs[row.id as usize].demands;
        queue.requests.push(row, call.request.args, call.request.bodies);
        if queue.requests.bytes() > self.config.clients.max_query {
            session.closing = true;
            turn.out.log(
                Level::Warning,
                format_args!(
                    "Closing client that reached max query buffer length: {}",
                    session.remote()
                ),
            );
        }
    }

    /// Whether the queued requests may still run here: all their keys in one slot, and that ours.
    pub(crate) fn route_queue(&self, session: &Session, now: Now) -> Result<(), Refused> {
        let Some(queue) = &session.transaction.queue else { return Ok(()) };
        let mut common = None;
        let mut presence = Presence::default();
        let mut open = None;
        for index in 0..queue.requests.len() {
            let (row, args, _) = queue.requests.get(index);
            let Some(slot) = self.slot_of(row, &args)? else { continue };
            if common.is_some_and(|common| common != slot) {
                return Err(Refused::cross_slot());
            }
            common = Some(slot);
            if self.is_open(slot) {
                self.look_for(row, &args, now, &mut presence);
                // One that writes speaks for all.
                if open.is_none() || row.flags.has(flag::WRITE) {
                    open = Some((row, slot));
                }
            } else {
                self.route(row, &args, slot, session, now)?;
            }
        }
        open.map_or(Ok(()), |(row, slot)| self.route_open(row, slot, &presence, session, now))
    }

    fn exec(&mut self, session: &mut Session, turn: &mut Turn<'_>) {
        let changed = self.has_changed(session, turn.now);
        let Some(queue) = self.end_transaction(session) else {
            return Reply::new(turn.buffer, session.protocol).error("ERR EXEC without MULTI");
        };
        let mut reply = Reply::new(turn.buffer, session.protocol);
        if queue.aborted {
            return reply.error("EXECABORT Transaction discarded because of previous errors.");
        }
        if changed {
            return reply.null_array();
        }
        let count = queue.requests.len();
        if count > 0 && (0..count).all(|index| is_change(queue.requests.get(index).0.id)) {
            return self.ask_cluster_all(&queue, session, turn.out);
        }
        reply.array(count);
        let began = turn.ticks;
        session.transaction.running = Some(count);
        self.data.pending = Some(Pending::default());
        for index in 0..count {
            let (row, args, bodies) = queue.requests.get(index);
            let key = args.get(usize::from(row.first_key)).filter(|_| row.first_key > 0);
            let (hash, slot) = match key {
                Some(key) => (self.data.keyspace.hash(key), self.slot_if_any(key)),
                None => Default::default(),
            };
            let request = Request { args: &args, hash, bodies };
            let call = Call { row: Some(row), request, slot, raw: &[] };
            self.observe(row, session, &call, turn);
        }
        session.transaction.running = None;
        if self.flush_pending() {
            session.written = self.replication.end();
        }
        // EXEC took as long as all that was in it.
        turn.ticks = began;
    }

    fn slot_if_any(&self, key: &[u8]) -> u16 {
        if self.clustering.is_some() { slot(key) } else { 0 }
    }

    /// Ends what the transaction puts into the stream: in brackets, if it is more than one
    /// command. Whether it was anything.
    pub(crate) fn flush_pending(&mut self) -> bool {
        let Some(pending) = self.data.pending.take() else { return false };
        let Some(backlog) = self.replication.backlog.as_mut().filter(|_| pending.commands > 0)
        else {
            return false;
        };
        let bracket = pending.commands > 1;
        backlog.push(&pending.select);
        if bracket {
            backlog.push(b"*1\r\n$5\r\nMULTI\r\n");
        }
        backlog.push(&pending.bytes);
        if bracket {
            backlog.push(b"*1\r\n$4\r\nEXEC\r\n");
        }
        true
    }

    /// Ends a session's transaction without running it, and gives what was queued.
    pub(crate) fn end_transaction(&mut self, session: &mut Session) -> Option<Box<Queue>> {
        self.unwatch(session);
        let queue = session.transaction.queue.take();
        session.set_gates();
        queue
    }

    fn watch(&mut self, session: &mut Session, key: &[u8], now: Now) {
        let db = session.db;
        let watched = &mut session.transaction.watched;
        if watched.iter().any(|watching| watching.db == db && *watching.key == *key) {
            return;
        }
        let touched = self.data.keyspace.watch(db, key);
        let live = self.is_live(db, key, now);
        watched.push(Watching { db, key: key.into(), touched, live });
    }

    fn unwatch(&mut self, session: &mut Session) {
        for watching in session.transaction.watched.drain(..) {
            self.data.keyspace.unwatch(watching.db, &watching.key);
        }
    }

    /// Whether a key is there and has not expired.
    pub(crate) fn is_live(&self, db: u32, key: &[u8], now: Now) -> bool {
        let entry = self.data.keyspace.find(db, key);
        entry.is_some_and(|entry| entry.expires().is_none_or(|at| at >= now.wall.millis()))
    }

    /// Whether a watched key is no longer what it was.
    pub(crate) fn has_changed(&self, session: &Session, now: Now) -> bool {
        session.transaction.watched.iter().any(|watching| {
            let (db, key) = (watching.db, &*watching.key);
            let touches = self.data.keyspace.touched(db, key).saturating_sub(watching.touched);
            if watching.live {
                return touches > 0 || !self.is_live(db, key, now);
            }
            // What had expired may be removed: it was absent, and is.
            let removed = touches == 1 && self.data.keyspace.find(db, key).is_none();
            touches > 0 && !removed
        })
    }
}
