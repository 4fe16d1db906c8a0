//! Input: from a readable connection to the machine. The hot path.

use crate::buffer::{Body, fill};
use crate::driver::Driver;
use crate::net;
use machine::{CloseReason, ConnId, Event, Machine, TURN_INPUT};
use std::io;
use std::mem;
use std::sync::Arc;

/// Up to this many kept bytes are copied in front of the next ones in the shared buffer; more of
/// them stay in a buffer of the connection's own, which then grows.
const JOIN: usize = 4096;

impl<M: Machine> Driver<M> {
    /// Has a connection read in the next turn, whether or not the system reports it.
    #[inline]
    pub(crate) fn read_again(&mut self, id: ConnId) {
        if let Some(conn) = self.conns.get(id)
            && !conn.ready
        {
            conn.ready = true;
            self.ready.push(id);
        }
    }

    /// Reads once and hands over.
    #[inline]
    pub(crate) fn read(&mut self, id: ConnId) {
        let may_end = self.conns.may_end();
        let Some(conn) = self.conns.get(id) else { return };
        if !conn.is_reading() {
            return;
        }
        if conn.ending && !may_end {
            return self.conns.depart(id);
        }
        let mut most = TURN_INPUT;
        if conn.offer || conn.body.is_some() {
            match self.read_special(id, most) {
                Some(left) if left > 0 => most = left,
                _ => return,
            }
        }
        let Some(conn) = self.conns.get(id) else { return };
        if !conn.is_reading() {
            return;
        }
        let joined = conn.rest.len() <= JOIN;
        let (mut buffer, start) = if joined {
            let mut buffer = mem::take(&mut self.buffer);
            buffer.clear();
            buffer.extend_from_slice(conn.rest.unread());
            (buffer, 0)
        } else {
            (mem::take(&mut conn.rest.bytes), conn.rest.start)
        };
        let result = fill(&mut buffer, most, &mut conn.stream);
        match result {
            Ok(n) if n > 0 => {
                if joined {
                    conn.rest.clear();
                }
                if n == most || conn.ending {
                    self.read_again(id);
                }
                self.vitals.net_input += n as u64;
                let done = self.deliver(id, &buffer, start);
                self.keep(id, buffer, done, joined);
            }
            result => {
                self.keep_unchanged(id, buffer, start, joined);
                self.read_failed(id, result);
            }
        }
    }

    /// Keeps what the machine left of `buffer`, from `done` on.
    #[inline]
    fn keep(&mut self, id: ConnId, buffer: Vec<u8>, done: usize, joined: bool) {
        if joined {
            if done < buffer.len()
                && let Some(conn) = self.conns.get(id)
            {
                conn.rest.bytes.extend_from_slice(&buffer[done..]);
            }
            self.buffer = buffer;
        } else if let Some(conn) = self.conns.get(id) {
            conn.rest.put(buffer, done);
        }
    }

    fn keep_unchanged(&mut self, id: ConnId, buffer: Vec<u8>, start: usize, joined: bool) {
        if joined {
            self.buffer = buffer;
        } else if let Some(conn) = self.conns.get(id) {
            conn.rest.put(buffer, start);
        }
    }

    /// Hands over `bytes` from `at` on; up to where they are done with.
    #[inline]
    fn deliver(&mut self, id: ConnId, bytes: &[u8], mut at: usize) -> usize {
        loop {
            self.machine.handle(
                self.now,
                Event::Received { conn: id, bytes: &bytes[at..] },
                &mut self.out,
            );
            at += self.out.take_consumed();
            debug_assert!(at <= bytes.len(), "a machine consumed more than it was offered");
            let want = self.out.take_want();
            self.after_call();
            let Some(len) = want else { return at };
            match self.begin_body(id, len, &bytes[at..]) {
                None => return bytes.len(),
                Some(used) => at += used,
            }
            let reading = self.conns.get(id).is_some_and(|c| c.is_reading() && c.body.is_none());
            if at == bytes.len() || !reading {
                return at;
            }
        }
    }

    /// Starts an announced body with the bytes that have arrived. How many of them it took if it is
    /// complete and handed over; none if it needs them all and more.
    fn begin_body(&mut self, id: ConnId, len: usize, arrived: &[u8]) -> Option<usize> {
        let Some(conn) = self.conns.get(id).filter(|c| c.closing.is_none()) else {
            return Some(arrived.len());
        };
        if arrived.len() < len {
            conn.body = Some(Body::new(len, arrived));
            return None;
        }
        self.deliver_body(id, Arc::from(&arrived[..len]));
        Some(len)
    }

    fn deliver_body(&mut self, id: ConnId, body: Arc<[u8]>) {
        self.machine.handle(self.now, Event::Body { conn: id, body }, &mut self.out);
        self.out.take_consumed();
        let want = self.out.take_want();
        self.after_call();
        if let Some(len) = want
            && let Some(conn) = self.conns.get(id)
        {
            conn.body = Some(Body::new(len, &[]));
        }
    }

    /// Offers kept bytes anew or reads on into a body. How much may still be read in this turn;
    /// none if the connection is done for now.
    #[cold]
    fn read_special(&mut self, id: ConnId, mut most: usize) -> Option<usize> {
        let conn = self.conns.get(id)?;
        if mem::take(&mut conn.offer) && conn.body.is_none() {
            let rest = mem::take(&mut conn.rest);
            let done = self.deliver(id, &rest.bytes, rest.start);
            let conn = self.conns.get(id)?;
            conn.rest.put(rest.bytes, done);
            // The system will not report again what it reported while reads were paused.
            self.read_again(id);
            return None;
        }
        loop {
            let conn = self.conns.get(id).filter(|c| c.is_reading())?;
            let Some(mut body) = conn.body.take() else { return Some(most) };
            if !body.is_complete() {
                // What a body asked for while another one was handed over may be at hand already.
                match body.fill(most, &mut conn.stream) {
                    Ok((n, asked)) if n > 0 => {
                        most -= n;
                        self.vitals.net_input += n as u64;
                        let drained = n < asked && !conn.ending;
                        if !body.is_complete() {
                            conn.body = Some(body);
                            if !drained {
                                self.read_again(id);
                            }
                            return None;
                        }
                    }
                    result => {
                        conn.body = Some(body);
                        self.read_failed(id, result.map(|(n, _)| n));
                        return None;
                    }
                }
            }
            self.deliver_body(id, body.finish());
            if most == 0 {
                self.read_again(id);
                return None;
            }
        }
    }

    /// A read that brought nothing: the end, an error, or only a pause.
    #[cold]
    fn read_failed(&mut self, id: ConnId, result: io::Result<usize>) {
        let Some(conn) = self.conns.get(id) else { return };
        let why = match (result, conn.broken) {
            (Err(e), _) if e.kind() == io::ErrorKind::Interrupted => return self.read_again(id),
            (Err(e), None) if e.kind() == io::ErrorKind::WouldBlock => {
                conn.ending = false;
                return;
            }
            (_, Some(broken)) => CloseReason::Error(broken),
            (Ok(_), None) => CloseReason::Remote,
            (Err(e), None) => CloseReason::Error(net::net_error(net::errno(&e))),
        };
        self.end(id, why);
    }
}
