//! Answers that come in a later turn than the request.

use crate::node::Node;
use front::Replies;
use machine::{Action, ConnId, Out};

impl Node {
    /// Answers a request that was worked on over several turns, if its client is still there and
    /// wants to hear it; the client goes on.
    pub(crate) fn answer_late(&mut self, conn: ConnId, reply: &[u8], out: &mut Out) {
        let Some(session) = self.sessions.get_mut(conn) else { return };
        session.waiting = false;
        match session.modes.replies {
            Replies::All => out.queue(conn, reply),
            Replies::None => {}
            Replies::Skip | Replies::SkipNext => {
                session.modes.replies = Replies::All;
                session.set_gates();
            }
        }
        out.act(Action::ResumeReads { conn });
    }
}
