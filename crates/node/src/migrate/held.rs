//! Requests that wait for keys on their way.

use super::Moves;
use crate::execute::Call;
use crate::node::Node;
use front::{Awaited, Requests, Session};
use machine::{Now, Out};
use wire::command::{self, Command, CommandId, flag};
use wire::slot::slot;

impl Moves {
    /// Whether a request would change what is under way.
    fn concerns(&self, row: &'static Command, args: &[&[u8]]) -> bool {
        if !row.flags.has(flag::WRITE) {
            return false;
        }
        let keys = command::key_positions(row, args);
        let moving = || self.jobs.iter().filter(|job| !job.words.copy);
        if keys.is_empty() {
            return moving().next().is_some();
        }
        keys.iter().filter_map(|key| args.get(key.index)).any(|key| {
            moving().any(|job| job.under_way.contains(*key))
                || !self.closed.is_empty()
                    && self.closed.iter().any(|(_, closed)| *closed == slot(key))
        })
    }
}

impl Node {
    /// Keeps a request until what it would change has arrived, if that is so.
    pub(crate) fn awaits_move(
        &mut self,
        row: &'static Command,
        session: &mut Session,
        call: &Call<'_>,
    ) -> bool {
        let moves = &self.clients.moves;
        if !moves.holds_back() {
            return false;
        }
        let waits = match &session.transaction.queue {
            Some(queue) if row.id == CommandId::Exec => (0..queue.requests.len()).any(|index| {
                let (row, args, _) = queue.requests.get(index);
                moves.concerns(row, &args)
            }),
            // It is queued only.
            Some(_) => false,
            None => moves.concerns(row, call.request.args),
        };
        if waits {
            let mut requests = Requests::default();
            requests.push(row, call.request.args, call.request.bodies);
            session.waiting.begin(Awaited::Keys);
            self.clients.moves.held.push((session.conn, requests));
        }
        waits
    }

    /// At a turn's end: removes what has arrived, and runs what waited for that.
    pub(crate) fn advance_moves(&mut self, now: Now, out: &mut Out) {
        if !self.clients.pause.is_on() {
            while let Some(at) = self.clients.moves.jobs.iter().position(|job| job.is_over()) {
                let job = self.clients.moves.jobs.remove(at);
                self.clients.moves.over = true;
                self.settle(job, now, out);
            }
        }
        if std::mem::take(&mut self.clients.moves.over) {
            self.close_gates();
            for (conn, requests) in std::mem::take(&mut self.clients.moves.held) {
                self.run_kept(conn, Awaited::Keys, &requests, now, out);
            }
        }
    }
}
