//! Answers that come in a later turn than the request.

use crate::node::Node;
use front::{Awaited, Replies};
use machine::{Action, ConnId, Out};

impl Node {
    /// Answers a request that was worked on over several turns, if its client is still there and
    /// wants to hear it; the client goes on.
    pub(crate) fn answer_late(
        &mut self,
        conn: ConnId,
        awaited: Awaited,
        reply: &[u8],
        out: &mut Out,
    ) {
        if self.is_heard(conn) {
            out.queue(conn, reply);
        }
        self.end_wait(conn, awaited, out);
    }

    /// Whether a client that waits is there and wants the answer that comes now.
    pub(super) fn is_heard(&mut self, conn: ConnId) -> bool {
        let Some(session) = self.sessions.get_mut(conn) else { return false };
        match session.modes.replies {
            Replies::All => true,
            Replies::None => false,
            Replies::Skip | Replies::SkipNext => {
                session.modes.replies = Replies::All;
                session.set_gates();
                false
            }
        }
    }

    /// What a client waited for has come; it goes on if it waits for nothing else.
    pub(crate) fn end_wait(&mut self, conn: ConnId, awaited: Awaited, out: &mut Out) {
        if let Some(session) = self.sessions.get_mut(conn)
            && session.waiting.end(awaited)
        {
            out.act(Action::ResumeReads { conn });
        }
    }
}
