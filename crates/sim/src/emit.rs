//! Output: from the queues to the streams.

use crate::core::Core;
use crate::network::Packet;
use crate::process::{Incoming, Process};
use machine::{CloseReason, ConnId, Gate};

impl Process {
    /// Writes all new output, marked connections first.
    pub(crate) fn emit(&mut self, core: &mut Core) {
        let mut asked = Vec::new();
        self.out.take_drained(&mut asked);
        for id in asked {
            if let Some(conn) = self.conn(id) {
                conn.tell_drained = true;
                self.touched.push(id);
            }
        }
        if self.gates_moved || self.acknowledged != self.out.acknowledged_offset() {
            self.gates_moved = false;
            self.acknowledged = self.out.acknowledged_offset();
            for id in std::mem::take(&mut self.gated) {
                if let Some(conn) = self.conn(id) {
                    conn.gated = false;
                    self.touched.push(id);
                }
            }
        }
        let mut touched = std::mem::take(&mut self.touched);
        self.out.take_touched(&mut touched);
        let (first, others): (Vec<ConnId>, Vec<ConnId>) =
            touched.into_iter().partition(|id| self.out.is_first(*id));
        for id in first.into_iter().chain(others) {
            self.write(id, core);
            if self.end.after_writes == Some(0) {
                core.record(Some(self.host), format!("machine {} is killed", self.id));
                return self.die(core);
            }
        }
    }

    /// Writes what may be written of one connection.
    pub(crate) fn write(&mut self, id: ConnId, core: &mut Core) {
        let place = self.conn(id).map(|c| (c.stream, c.side));
        let state = place.and_then(|(stream, _)| core.network.streams.get_mut(&stream));
        let (Some((stream, side)), Some(state)) = (place, state) else {
            // It ended before its output left.
            let (output, pool) = self.out.output_of(id);
            output.clear(pool);
            return;
        };
        let end = &mut state.ends[side];
        let unfinished = &self.unfinished;
        let acknowledged = self.acknowledged;
        let (output, pool) = self.out.output_of(id);
        if end.failed.is_some() {
            output.clear(pool);
        }
        output.open_gates(|gate| match gate {
            Gate::Ticket(ticket) => !unfinished.contains(&ticket),
            Gate::Offset(offset) => offset <= acknowledged,
        });
        let mut bytes = Vec::new();
        for piece in output.writable() {
            let room = end.space - bytes.len();
            bytes.extend_from_slice(&piece[..piece.len().min(room)]);
        }
        let n = bytes.len();
        output.advance(n, pool);
        end.space -= n;
        let again = n > 0 && output.is_gated();
        let gated = output.is_gated();
        if n > 0 {
            core.transmit(stream, side, Packet::Data(bytes));
            self.vitals.net_output += n as u64;
            let left = &mut self.end.after_writes;
            *left = left.map(|left| left.saturating_sub(1));
        }
        if again {
            // The next gate may be open already.
            return self.write(id, core);
        }
        self.settle(id, gated, core);
    }

    fn settle(&mut self, id: ConnId, gated: bool, core: &mut Core) {
        let empty = self.out.queued(id) == 0;
        let Some(conn) = self.conn(id) else { return };
        let newly = gated && !std::mem::replace(&mut conn.gated, gated);
        let drained = empty && std::mem::take(&mut conn.tell_drained);
        let over = empty && conn.closing;
        if newly {
            self.gated.push(id);
        }
        if drained {
            self.inbox.push_back(Incoming::Drained(id));
        }
        if over {
            self.end(id, CloseReason::Local, core);
        }
    }
}
