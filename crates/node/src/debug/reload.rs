//! DEBUG RELOAD: save, forget everything, load what was saved.

use crate::execute::Turn;
use crate::node::Node;
use crate::persist::Asked;
use front::Session;
use machine::{Action, Now, Out};
use replication::Link;
use wire::reply::Reply;

impl Node {
    /// Saves first; the rest follows when that has succeeded.
    pub(super) fn debug_reload(&mut self, session: &mut Session, turn: &mut Turn<'_>) {
        let mut reply = Reply::new(turn.buffer, session.protocol);
        self.save_for(Asked::Reload, session, turn.now, turn.out, &mut reply);
    }

    /// After a save that was made for reloading.
    pub(crate) fn reload(&mut self, now: Now, out: &mut Out) {
        if self.clients.switches.reloading.is_empty() {
            return;
        }
        for db in 0..self.data.keyspace.databases() {
            self.data.keyspace.clear(db);
        }
        self.start_loading(now, out);
        self.close_gates();
        if let Some(conn) = self.replication.link.as_ref().and_then(Link::conn) {
            // What our primary sends meanwhile is for the whole data.
            out.act(Action::PauseReads { conn });
        }
    }

    /// Whether what is loaded is what was saved a moment ago.
    pub(crate) fn is_reloading(&self) -> bool {
        !self.clients.switches.reloading.is_empty()
    }

    /// After a load: whoever asked for it goes on.
    pub(crate) fn reloaded(&mut self, out: &mut Out) {
        if let Some(conn) = self.replication.link.as_ref().and_then(Link::conn) {
            out.act(Action::ResumeReads { conn });
        }
        for conn in std::mem::take(&mut self.clients.switches.reloading) {
            if let Some(session) = self.sessions.get_mut(conn) {
                session.waiting = false;
                out.queue(conn, b"+OK\r\n");
                out.act(Action::ResumeReads { conn });
            }
        }
    }
}
