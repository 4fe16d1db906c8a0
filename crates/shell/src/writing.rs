//! Output: from a connection's queue to the system.

use crate::driver::{Driver, Later};
use crate::net;
use crate::stream::Stream;
use machine::{ConnId, Gate, Machine, Output};
use std::io::{self, IoSlice};

/// How many pieces one system call takes.
const PIECES: usize = 64;
/// How much one connection may write in a turn before others get theirs.
const TURN_OUTPUT: usize = 1024 * 1024;

/// What became of a write.
enum Written {
    /// Everything that may be written is.
    All,
    /// The system takes no more for now.
    Blocked,
    /// Others first.
    Enough,
    Failed(io::Error),
}

impl<M: Machine> Driver<M> {
    /// Writes what the last call queued, in the order it was queued.
    #[inline]
    pub(crate) fn flush_touched(&mut self) {
        self.out.take_drained(&mut self.asked);
        if !self.asked.is_empty() {
            self.note_drained();
        }
        if self.gates_moved || self.acknowledged != self.out.acknowledged_offset() {
            self.retry_gated();
        }
        self.out.take_touched(&mut self.touched);
        let mut index = 0;
        while let Some(&id) = self.touched.get(index) {
            self.flush(id);
            index += 1;
        }
        self.touched.clear();
    }

    /// At the end of a turn: as [`Driver::flush_touched`], marked connections first.
    pub(crate) fn flush_turn(&mut self) {
        if self.gates_moved || self.acknowledged != self.out.acknowledged_offset() {
            self.retry_gated();
        }
        self.out.take_touched(&mut self.touched);
        for index in 0..self.touched.len() {
            let id = self.touched[index];
            if self.out.is_first(id) {
                self.flush(id);
            }
        }
        // Those already written have nothing left: the second round passes over them.
        self.flush_touched();
    }

    /// Goes on writing what an earlier turn left; in its order if output is held for the turn's end.
    #[cold]
    pub(crate) fn write_again(&mut self, id: ConnId) {
        self.touched.push(id);
        if !self.out.holds_writes() {
            self.flush_touched();
        }
    }

    /// Those held back by a gate try again.
    #[cold]
    fn retry_gated(&mut self) {
        self.gates_moved = false;
        self.acknowledged = self.out.acknowledged_offset();
        for id in self.gated.drain(..) {
            if let Some(conn) = self.conns.get(id) {
                conn.gated = false;
                self.touched.push(id);
            }
        }
    }

    /// Remembers who asked to hear when all output is gone.
    #[cold]
    fn note_drained(&mut self) {
        for id in std::mem::take(&mut self.asked) {
            if let Some(conn) = self.conns.get(id) {
                conn.tell_drained = true;
                self.touched.push(id);
            }
        }
    }

    /// Writes what may be written of one connection.
    #[inline]
    pub(crate) fn flush(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get(id).filter(|conn| !conn.dropped) else {
            // It ended before its output left.
            let (output, pool) = self.out.output_of(id);
            output.clear(pool);
            return;
        };
        if conn.blocked || conn.connecting.is_some() {
            return;
        }
        let (output, pool) = self.out.output_of(id);
        if let Some(bytes) = output.plain()
            && !bytes.is_empty()
            && conn.broken.is_none()
            && let Ok(n) = conn.stream.write(bytes)
        {
            let all = n == bytes.len();
            output.advance(n, pool);
            self.vitals.net_output += n as u64;
            if all && !conn.tell_drained && conn.closing.is_none() {
                return;
            }
        }
        self.flush_rest(id);
    }

    /// The same for whatever is not one plain run of bytes taken at once.
    fn flush_rest(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get(id) else { return };
        let unfinished = &self.unfinished;
        let acknowledged = self.out.acknowledged_offset();
        let (output, pool) = self.out.output_of(id);
        if conn.broken.is_some() {
            output.clear(pool);
        }
        let is_open = |gate| match gate {
            Gate::Ticket(ticket) => !unfinished.contains(&ticket),
            Gate::Offset(offset) => offset <= acknowledged,
        };
        let (written, n) = write_out(&mut conn.stream, output, pool, is_open);
        self.vitals.net_output += n as u64;
        match written {
            Written::Blocked => conn.blocked = true,
            Written::Enough => self.unwritten.push(id),
            Written::Failed(error) => {
                conn.broken = Some(net::net_error(net::errno(&error)));
                output.clear(pool);
                // Whatever the other end sent before is still to be read.
                self.read_again(id);
            }
            Written::All if output.is_gated() && !conn.gated => {
                conn.gated = true;
                self.gated.push(id);
            }
            Written::All => {}
        }
        self.drained(id);
    }

    /// If all output is gone, tells those who waited for it.
    fn drained(&mut self, id: ConnId) {
        if self.out.queued(id) > 0 {
            return;
        }
        let Some(conn) = self.conns.get(id) else { return };
        if std::mem::take(&mut conn.tell_drained) {
            self.later.push_back(Later::Drained(id));
        }
        if conn.closing.is_some() {
            self.drop_conn(id);
        }
    }
}

/// Writes until there is no more to write, the system takes no more, or it is enough for a turn.
fn write_out(
    stream: &mut impl Stream,
    output: &mut Output,
    pool: &mut Vec<Vec<u8>>,
    is_open: impl Fn(Gate) -> bool,
) -> (Written, usize) {
    let mut total = 0;
    loop {
        output.open_gates(&is_open);
        let mut pieces = [IoSlice::new(&[]); PIECES];
        let mut count = 0;
        for (piece, bytes) in pieces.iter_mut().zip(output.writable()) {
            *piece = IoSlice::new(bytes);
            count += 1;
        }
        if count == 0 {
            return (Written::All, total);
        }
        if total >= TURN_OUTPUT {
            return (Written::Enough, total);
        }
        match stream.write_pieces(&pieces[..count]) {
            Ok(n) => {
                output.advance(n, pool);
                total += n;
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return (Written::Blocked, total),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return (Written::Failed(e), total),
        }
    }
}
