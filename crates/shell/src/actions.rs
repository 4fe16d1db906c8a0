//! Carrying out what a machine asked for.

use crate::clock::span;
use crate::crash;
use crate::driver::{Driver, Later};
use crate::stream::Stream;
use crate::{net, offload};
use machine::{Action, CloseReason, ConnId, Level, Machine};
use std::time::Duration;

impl<M: Machine> Driver<M> {
    /// Carries out the actions of the last call, in order. What they bring about at once is handed
    /// over later in the turn, never from here.
    #[cold]
    pub(crate) fn perform_actions(&mut self) {
        let mut actions = std::mem::take(&mut self.actions);
        self.out.take_actions(&mut actions);
        for action in actions.drain(..) {
            self.perform(action);
        }
        self.actions = actions;
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Listen { token, on, backlog } => self.listen(token, on, backlog),
            Action::Unlisten { token } => self.unlisten(token),
            Action::Connect { token, to, from } => self.connect(token, to, from),
            Action::Resolve { token, host } => {
                let asked = offload::resolve(token, host, self.notifier.clone());
                if asked.is_err() {
                    self.later.push_back(Later::Unresolved(token));
                }
            }
            Action::Close { conn, flush } => self.close(conn, flush),
            Action::PauseReads { conn } => {
                if let Some(conn) = self.conns.get(conn) {
                    conn.paused = true;
                }
            }
            Action::ResumeReads { conn } => {
                if let Some(c) = self.conns.get(conn) {
                    c.paused = false;
                    c.offer = c.rest.len() > 0;
                    self.read_again(conn);
                }
            }
            Action::GatherOutput { conn, on } => {
                if let Some(conn) = self.conns.get(conn) {
                    net::gather(conn.stream.fd(), on);
                }
            }
            Action::File { ticket, op } => {
                self.unfinished.insert(ticket);
                self.files.ask(ticket, op);
            }
            Action::Offload { ticket, job } => self.offload.run(ticket, job),
            Action::Mail { to, letter } => self.post.send(self.address, to, letter),
            Action::Log { level, text } => (self.told.log)(level, &text),
            Action::ResetMaxTurn => self.vitals.max_turn_us = 0,
            Action::PurgeMemory => {
                if let Some(allocator) = self.told.memory {
                    (allocator.purge)();
                }
            }
            Action::Ready => (self.told.ready)(),
            Action::Stall { span } => std::thread::sleep(Duration::from_nanos(span.0)),
            Action::Crash { how } => crash::happen(how),
            Action::Exit { status } => self.exit = Some(status),
        }
    }

    fn close(&mut self, id: ConnId, flush: bool) {
        let Some(conn) = self.conns.get(id) else { return };
        if flush && conn.broken.is_none() {
            let until = self.now.mono + span(self.linger);
            conn.closing.get_or_insert(until);
            conn.rest.clear();
            conn.body = None;
            self.closing = true;
            if self.out.queued(id) > 0 {
                return;
            }
        }
        self.drop_conn(id);
    }

    /// Ends a connection for the machine, now or in one of the next turns: nothing more is read or
    /// written.
    pub(crate) fn drop_conn(&mut self, id: ConnId) {
        if self.conns.may_end() {
            return self.end(id, CloseReason::Local);
        }
        let Some(conn) = self.conns.get(id) else { return };
        conn.dropped = true;
        conn.closing.get_or_insert(self.now.mono);
        conn.rest.clear();
        conn.body = None;
        let (output, pool) = self.out.output_of(id);
        output.clear(pool);
        self.conns.depart(id);
    }

    /// Closes those whose time to write what was queued is over.
    #[cold]
    pub(crate) fn end_lingering(&mut self) {
        let now = self.now.mono;
        let ids: Vec<ConnId> = self.conns.ids().collect();
        self.closing = false;
        for id in ids {
            let closing = self.conns.get(id).filter(|c| !c.dropped).and_then(|c| c.closing);
            self.closing |= closing.is_some_and(|until| until > now);
            if closing.is_some_and(|until| until <= now) {
                (self.told.log)(Level::Verbose, "Closed a connection whose output was not taken");
                self.drop_conn(id);
            }
        }
    }
}
