//! What a machine leaves for its driver.

use crate::{Action, Address, ConnId, FileOp, Gate, Job, Letter, Level, Output, Ticket};
use alloc::{string::String, sync::Arc, vec::Vec};
use core::fmt::Write;
use core::ops::Range;

/// Where `ticks` come from. They measure for reports and decide nothing.
pub enum Stopwatch {
    /// A counter of the hardware and its frequency in ticks a second.
    Hardware(fn() -> u64, u64),
    /// Virtual time in nanoseconds, moved on by a fixed cost a reading.
    Virtual(u64),
}

/// Tells how many bytes the allocator has handed out, or 0 where that is unknown. Reading it costs
/// a few nanoseconds.
pub type MemoryGauge = fn() -> u64;

/// Shared bytes to be put into a reply at a place in its buffer.
pub struct Splice {
    /// After how many bytes of the buffer.
    pub at: usize,
    /// The bytes.
    pub bytes: Arc<[u8]>,
    /// Which of them.
    pub range: Range<usize>,
}

/// Output and requests of a machine, kept by its driver and handed to every call.
pub struct Out {
    outputs: Vec<Output>,
    /// Connections with new output, in the order of their first byte.
    touched: Vec<ConnId>,
    first: Vec<ConnId>,
    drained: Vec<ConnId>,
    pool: Vec<Vec<u8>>,
    actions: Vec<Action>,
    consumed: usize,
    want: Option<usize>,
    hold: bool,
    more_work: Option<u8>,
    tickets: u64,
    acknowledged: u64,
    stopwatch: Stopwatch,
    memory: Option<MemoryGauge>,
    /// The least grave lines that are logged; none: nothing is.
    least: Option<Level>,
}

/// Cost of one command in virtual nanoseconds, about that of real hardware.
const VIRTUAL_COST: u64 = 500;

/// For machines.
impl Out {
    /// Lends the write buffer of `conn`; give it back with [`Out::put_reply`].
    pub fn take_reply(&mut self, conn: ConnId) -> Vec<u8> {
        let buffer = self.output(conn).take_tail();
        if buffer.capacity() == 0 { self.pool.pop().unwrap_or_default() } else { buffer }
    }

    /// Gives back what [`Out::take_reply`] lent; what was appended is queued for writing.
    /// `before` is the buffer's length when it was lent.
    pub fn put_reply(&mut self, conn: ConnId, buffer: Vec<u8>, before: usize) {
        let added = buffer.len() - before;
        self.output(conn).put_tail(buffer, added);
        if added > 0 {
            self.touched.push(conn);
        }
    }

    /// As [`Out::put_reply`], with shared bytes put in at their places, which must ascend.
    pub fn put_spliced(
        &mut self,
        conn: ConnId,
        mut buffer: Vec<u8>,
        before: usize,
        splices: &mut Vec<Splice>,
    ) {
        let mut from = before;
        let rest =
            if let Some(first) = splices.first() { buffer.split_off(first.at) } else { Vec::new() };
        self.put_reply(conn, buffer, before);
        if splices.is_empty() {
            return;
        }
        from = from.max(splices[0].at);
        let base = from;
        let mut done = 0;
        let count = splices.len();
        for (i, splice) in splices.drain(..).enumerate() {
            let upto = splice.at - base;
            if upto > done {
                self.queue(conn, &rest[done..upto]);
                done = upto;
            }
            self.output(conn).share(splice.bytes, splice.range);
            if i + 1 == count {
                self.queue(conn, &rest[done..]);
            }
        }
        self.touched.push(conn);
    }

    /// Queues a copy of `bytes`.
    pub fn queue(&mut self, conn: ConnId, bytes: &[u8]) {
        let mut buffer = self.take_reply(conn);
        let before = buffer.len();
        buffer.extend_from_slice(bytes);
        self.put_reply(conn, buffer, before);
    }

    /// Queues `bytes` without copying them.
    pub fn hand_over(&mut self, conn: ConnId, bytes: Vec<u8>) {
        self.output(conn).append(bytes);
        self.touched.push(conn);
    }

    /// Queues shared bytes without copying them.
    pub fn chunk(&mut self, conn: ConnId, bytes: Arc<[u8]>, range: Range<usize>) {
        self.output(conn).share(bytes, range);
        self.touched.push(conn);
    }

    /// Holds back whatever is queued for `conn` after this, until `gate` opens.
    pub fn gate(&mut self, conn: ConnId, gate: Gate) {
        self.output(conn).gate(gate);
    }

    /// Opens every [`Gate::Offset`] up to `offset`.
    pub fn acknowledged(&mut self, offset: u64) {
        self.acknowledged = self.acknowledged.max(offset);
    }

    /// Bytes queued for `conn` and not yet taken by the system.
    pub fn queued(&self, conn: ConnId) -> usize {
        self.outputs.get(conn.0 as usize).map_or(0, Output::queued)
    }

    /// Bytes of memory that the queue of `conn` takes.
    pub fn footprint(&self, conn: ConnId) -> usize {
        self.outputs.get(conn.0 as usize).map_or(0, Output::footprint)
    }

    /// Bytes of memory that only the queue of `conn` keeps: see [`Output::exclusive`].
    pub fn exclusive(&self, conn: ConnId) -> usize {
        self.outputs.get(conn.0 as usize).map_or(0, Output::exclusive)
    }

    /// Bytes of emptied buffers that are kept to be used again.
    pub fn spare(&self) -> usize {
        self.pool.iter().map(Vec::capacity).sum()
    }

    /// How the queue of `conn` is made up: see [`Output::shape`].
    pub fn shape(&self, conn: ConnId) -> (usize, usize, usize) {
        self.outputs.get(conn.0 as usize).map_or((0, 0, 0), Output::shape)
    }

    /// Asks for one [`Event::Drained`](crate::Event::Drained) when all output of `conn` is gone.
    pub fn tell_drained(&mut self, conn: ConnId) {
        self.drained.push(conn);
    }

    /// Says that `n` bytes of the [`Event::Received`](crate::Event::Received) at hand are done with.
    pub fn consumed(&mut self, n: usize) {
        self.consumed = n;
    }

    /// From how grave on lines are logged; none: nothing is. At first everything is.
    pub fn set_log_level(&mut self, least: Option<Level>) {
        self.least = least;
    }

    /// Announces that the `len` bytes after the consumed ones shall come as one
    /// [`Event::Body`](crate::Event::Body).
    pub fn want(&mut self, len: usize) {
        self.want = Some(len);
    }

    /// Whether output waits for the end of the turn (see the crate's documentation).
    pub fn hold_writes(&mut self, hold: bool) {
        self.hold = hold;
    }

    /// Marks a connection to be written before all unmarked ones at the end of a turn, or takes
    /// the mark away. The driver takes it away at the connection's end.
    pub fn set_first(&mut self, conn: ConnId, first: bool) {
        self.first.retain(|c| *c != conn);
        if first {
            self.first.push(conn);
        }
    }

    /// Says that background work waits: the driver then does not sleep. While there is other
    /// work, it gets at most `percent` of the time; all idle time is its own in any case.
    pub fn more_work(&mut self, percent: u8) {
        self.more_work = Some(percent);
    }

    /// A reading of the stopwatch.
    #[inline]
    pub fn ticks(&mut self) -> u64 {
        match &mut self.stopwatch {
            Stopwatch::Hardware(read, _) => read(),
            Stopwatch::Virtual(now) => {
                *now += VIRTUAL_COST;
                *now
            }
        }
    }

    /// Bytes that the allocator has handed out, as of now; none where the driver cannot tell. The
    /// one fact that a machine may look at in the middle of a turn, because a turn may change it a
    /// lot: limits of memory are checked against it.
    #[inline]
    pub fn memory(&self) -> Option<u64> {
        self.memory.map(|read| read()).filter(|bytes| *bytes > 0)
    }

    /// How many ticks make a second.
    pub fn ticks_per_second(&self) -> u64 {
        match self.stopwatch {
            Stopwatch::Hardware(_, rate) => rate,
            Stopwatch::Virtual(_) => 1_000_000_000,
        }
    }

    /// A new ticket.
    pub fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        Ticket(self.tickets)
    }

    /// Leaves a request for the driver.
    pub fn act(&mut self, action: Action) {
        self.actions.push(action);
    }

    /// Asks for a file operation.
    pub fn file(&mut self, op: FileOp) -> Ticket {
        let ticket = self.ticket();
        self.act(Action::File { ticket, op });
        ticket
    }

    /// Asks for a computation beside the machine.
    pub fn offload(&mut self, job: Job) -> Ticket {
        let ticket = self.ticket();
        self.act(Action::Offload { ticket, job });
        ticket
    }

    /// Sends a message to another machine.
    pub fn mail(&mut self, to: Address, letter: Letter) {
        self.act(Action::Mail { to, letter });
    }

    /// Closes a connection once its queued output is written.
    pub fn close_after_flush(&mut self, conn: ConnId) {
        self.act(Action::Close { conn, flush: true });
    }

    /// Closes a connection at once.
    pub fn close(&mut self, conn: ConnId) {
        self.act(Action::Close { conn, flush: false });
    }

    /// Writes a line to the log.
    pub fn log(&mut self, level: Level, text: core::fmt::Arguments<'_>) {
        if self.least.is_none_or(|least| level < least) {
            return;
        }
        let mut line = String::new();
        // Writing to a String cannot fail.
        let _ = line.write_fmt(text);
        self.act(Action::Log { level, text: line });
    }

    fn output(&mut self, conn: ConnId) -> &mut Output {
        let index = conn.0 as usize;
        if index >= self.outputs.len() {
            self.outputs.resize_with(index + 1, Output::default);
        }
        &mut self.outputs[index]
    }
}

/// For drivers.
impl Out {
    /// An empty one.
    pub fn new(stopwatch: Stopwatch) -> Self {
        Out {
            outputs: Vec::new(),
            touched: Vec::new(),
            first: Vec::new(),
            drained: Vec::new(),
            pool: Vec::new(),
            actions: Vec::new(),
            consumed: 0,
            want: None,
            hold: false,
            more_work: None,
            tickets: 0,
            acknowledged: 0,
            stopwatch,
            memory: None,
            least: Some(Level::Debug),
        }
    }

    /// Sets where [`Out::memory`] comes from.
    pub fn set_memory(&mut self, gauge: Option<MemoryGauge>) {
        self.memory = gauge;
    }

    /// What the last `Received` consumed; resets it.
    pub fn take_consumed(&mut self) -> usize {
        core::mem::take(&mut self.consumed)
    }

    /// The length announced with [`Out::want`], if any; resets it.
    pub fn take_want(&mut self) -> Option<usize> {
        self.want.take()
    }

    /// Moves the requested actions to the end of `into`.
    pub fn take_actions(&mut self, into: &mut Vec<Action>) {
        into.append(&mut self.actions);
    }

    /// Whether any action waits.
    pub fn has_actions(&self) -> bool {
        !self.actions.is_empty()
    }

    /// Moves the connections with new output to the end of `into`; one may appear twice.
    pub fn take_touched(&mut self, into: &mut Vec<ConnId>) {
        into.append(&mut self.touched);
    }

    /// Moves the connections of which [`Out::tell_drained`] was asked to the end of `into`.
    pub fn take_drained(&mut self, into: &mut Vec<ConnId>) {
        into.append(&mut self.drained);
    }

    /// What [`Out::more_work`] said, if it was called; resets it.
    pub fn take_more_work(&mut self) -> Option<u8> {
        self.more_work.take()
    }

    /// Whether output waits for the end of the turn.
    pub fn holds_writes(&self) -> bool {
        self.hold
    }

    /// Whether `conn` is to be written before unmarked ones.
    pub fn is_first(&self, conn: ConnId) -> bool {
        self.first.contains(&conn)
    }

    /// The offset up to which [`Gate::Offset`]s are open.
    pub fn acknowledged_offset(&self) -> u64 {
        self.acknowledged
    }

    /// The queue of `conn`, with the pool its emptied buffers go to.
    pub fn output_of(&mut self, conn: ConnId) -> (&mut Output, &mut Vec<Vec<u8>>) {
        self.output(conn);
        (&mut self.outputs[conn.0 as usize], &mut self.pool)
    }

    /// Forgets everything of a connection that is over.
    pub fn forget(&mut self, conn: ConnId) {
        let (output, pool) = self.output_of(conn);
        output.clear(pool);
        self.first.retain(|c| *c != conn);
        self.drained.retain(|c| *c != conn);
    }

    /// Sets virtual time, for a driver whose stopwatch is virtual.
    pub fn set_virtual_ticks(&mut self, nanos: u64) {
        if let Stopwatch::Virtual(now) = &mut self.stopwatch {
            *now = (*now).max(nanos);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn splices_land_at_their_places() {
        let mut out = Out::new(Stopwatch::Virtual(0));
        let conn = ConnId(3);
        out.queue(conn, b"old ");
        let mut buffer = out.take_reply(conn);
        let before = buffer.len();
        buffer.extend_from_slice(b"$3\r\n\r\n$2\r\n\r\n:1\r\n");
        let mut splices = vec![
            Splice { at: before + 4, bytes: Arc::from(&b"abc"[..]), range: 0..3 },
            Splice { at: before + 10, bytes: Arc::from(&b"xyz"[..]), range: 1..3 },
        ];
        out.put_spliced(conn, buffer, before, &mut splices);
        let (output, _) = out.output_of(conn);
        let all: Vec<u8> = output.writable().flatten().copied().collect();
        assert_eq!(all, b"old $3\r\nabc\r\n$2\r\nyz\r\n:1\r\n");
        assert_eq!(output.queued(), all.len());
    }
}
