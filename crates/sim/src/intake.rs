//! Input: from the inbox and the streams to the machine.

use crate::core::Core;
use crate::network::Packet;
use crate::process::{Incoming, Process};
use machine::{CloseReason, ConnId, Event, TURN_CONNS, TURN_INPUT};
use std::mem;
use std::sync::Arc;

impl Process {
    /// Hands over what waits; how many bytes that was.
    pub(crate) fn intake(&mut self, core: &mut Core) -> usize {
        let mut input = 0;
        let (mut new, mut over) = (0, 0);
        let mut early = Vec::new();
        for _ in 0..self.inbox.len() {
            let Some(incoming) = self.inbox.pop_front() else { break };
            let waits = match &incoming {
                Incoming::Accepted(id, ..) => {
                    new += 1;
                    if new > TURN_CONNS {
                        early.push(*id);
                    }
                    new > TURN_CONNS
                }
                Incoming::Closed(..) => {
                    over += 1;
                    over > TURN_CONNS
                }
                // The machine is still to hear of it.
                Incoming::Ready(id) => early.contains(id),
                _ => false,
            };
            if waits {
                self.inbox.push_back(incoming);
                continue;
            }
            input += self.take(incoming, core);
        }
        // After all input: who was heard of in this very turn has not been silent for too long.
        let deadline = self.machine.as_ref().and_then(|m| m.deadline());
        if deadline.is_some_and(|at| at <= self.now.mono) {
            self.call(Event::Wake, core);
        }
        input
    }

    fn take(&mut self, incoming: Incoming, core: &mut Core) -> usize {
        match incoming {
            Incoming::Started => self.call(Event::Started, core),
            Incoming::Vitals => {
                self.next_vitals(core);
                let vitals = self.vitals.clone();
                self.call(Event::Vitals(&vitals), core);
            }
            Incoming::Accepted(conn, listener, peer) => {
                self.announce(conn);
                self.call(Event::Accepted { conn, listener, peer: &peer }, core);
            }
            Incoming::Connected(conn, token, peer) => {
                self.announce(conn);
                self.call(Event::Connected { conn, token, peer: &peer }, core);
            }
            Incoming::ConnectFailed(token, why) => {
                self.call(Event::ConnectFailed { token, why }, core);
            }
            Incoming::Ready(conn) => return self.serve(conn, core),
            Incoming::Listening(token, address) => {
                self.call(Event::Listening { token, address: Some(address) }, core);
            }
            Incoming::ListenFailed(token, why) => {
                self.call(Event::ListenFailed { token, why }, core);
            }
            Incoming::Resolved(token, addresses) => {
                self.call(Event::Resolved { token, addresses: &addresses }, core);
            }
            Incoming::FileDone(ticket, result) => {
                if result.is_ok() {
                    self.unfinished.remove(&ticket);
                    self.gates_moved = true;
                }
                self.call(Event::FileDone { ticket, result }, core);
            }
            Incoming::JobDone(ticket, result) => self.call(Event::JobDone { ticket, result }, core),
            Incoming::Mail(from, letter) => self.call(Event::Mail { from, letter }, core),
            Incoming::Signal(signal) => self.call(Event::Signal(signal), core),
            Incoming::Drained(conn) => {
                if self.conn(conn).is_some() {
                    self.call(Event::Drained { conn }, core);
                }
            }
            Incoming::Closed(conn, why) => {
                self.call(Event::Closed { conn, why }, core);
                self.out.forget(conn);
                self.over.push(conn);
            }
        }
        0
    }

    fn announce(&mut self, id: ConnId) {
        if let Some(conn) = self.conn(id) {
            conn.announced = true;
        }
    }

    /// Whether the machine takes input from this connection now.
    fn is_reading(&mut self, id: ConnId) -> bool {
        self.conn(id).is_some_and(|c| c.announced && !c.paused && !c.closing)
    }

    /// Sees to one connection: writes what may be written now, then reads.
    fn serve(&mut self, id: ConnId, core: &mut Core) -> usize {
        if let Some(conn) = self.conn(id) {
            conn.queued = false;
        }
        if self.out.queued(id) > 0 && self.conn(id).is_some_and(|c| c.announced) {
            // Not at once: this turn's output may have to wait for that of others.
            self.touched.push(id);
            if !self.out.holds_writes() {
                self.emit(core);
            }
        }
        if !self.is_reading(id) {
            return 0;
        }
        let Some(conn) = self.conn(id) else { return 0 };
        if mem::take(&mut conn.offer) && conn.body.is_none() && !conn.rest.is_empty() {
            let kept = mem::take(&mut conn.rest);
            self.deliver(id, kept, core);
            self.ready(id, core);
            return 0;
        }
        let (stream, side) = (conn.stream, conn.side);
        let Some(state) = core.network.streams.get_mut(&stream) else { return 0 };
        let end = &mut state.ends[side];
        let n = end.received.len().min(TURN_INPUT);
        if n == 0 {
            let why = match end.failed {
                Some(error) => CloseReason::Error(error),
                None if end.finished => CloseReason::Remote,
                None => return 0,
            };
            self.end(id, why, core);
            return 0;
        }
        let fresh: Vec<u8> = end.received.drain(..n).collect();
        let more = !end.received.is_empty() || end.finished || end.failed.is_some();
        core.transmit(stream, side, Packet::Taken(n));
        self.vitals.net_input += n as u64;
        self.feed(id, fresh, core);
        if more {
            self.ready(id, core);
        }
        n
    }

    /// Adds fresh bytes to a body or to what was kept, and hands over.
    fn feed(&mut self, id: ConnId, mut fresh: Vec<u8>, core: &mut Core) {
        let Some(conn) = self.conn(id) else { return };
        if let Some((body, len)) = &mut conn.body {
            let missing = *len - body.len();
            let rest = fresh.split_off(missing.min(fresh.len()));
            body.append(&mut fresh);
            if body.len() < *len {
                return;
            }
            fresh = rest;
            let body = conn.body.take().map(|(body, _)| body).unwrap_or_default();
            self.deliver_body(id, body, core);
        } else {
            let mut kept = mem::take(&mut conn.rest);
            kept.append(&mut fresh);
            fresh = kept;
        }
        self.deliver(id, fresh, core);
    }

    /// Offers these bytes and keeps what the machine leaves.
    fn deliver(&mut self, id: ConnId, mut bytes: Vec<u8>, core: &mut Core) {
        while !bytes.is_empty() && self.is_reading(id) {
            if self.conn(id).is_some_and(|c| c.body.is_some()) {
                // Announced while another body was handed over.
                return self.feed(id, bytes, core);
            }
            let Some(machine) = &mut self.machine else { return };
            machine.handle(self.now, Event::Received { conn: id, bytes: &bytes }, &mut self.out);
            bytes.drain(..self.out.take_consumed());
            let want = self.out.take_want();
            self.perform_actions(core);
            if !self.out.holds_writes() {
                self.emit(core);
            }
            let Some(len) = want else { break };
            if bytes.len() < len {
                if let Some(conn) = self.conn(id) {
                    conn.body = Some((bytes, len));
                }
                return;
            }
            let rest = bytes.split_off(len);
            self.deliver_body(id, bytes, core);
            bytes = rest;
        }
        if let Some(conn) = self.conn(id) {
            conn.rest = bytes;
        }
    }

    fn deliver_body(&mut self, id: ConnId, body: Vec<u8>, core: &mut Core) {
        let body: Arc<[u8]> = body.into();
        let Some(machine) = &mut self.machine else { return };
        machine.handle(self.now, Event::Body { conn: id, body }, &mut self.out);
        self.out.take_consumed();
        if let Some(len) = self.out.take_want()
            && let Some(conn) = self.conn(id)
        {
            conn.body = Some((Vec::new(), len));
        }
        self.perform_actions(core);
        if !self.out.holds_writes() {
            self.emit(core);
        }
    }
}
