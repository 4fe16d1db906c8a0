//! What a snapshot keeps alive beside the data: counted, reported, and bounded.
//!
//! A write that meets an unwritten bucket pushes its old records out. When those pile up faster
//! than the encoder and the sink take them, connections that write are read more slowly: one
//! command, then a rest until the pile has shrunk. A sink that takes nothing for `repl-timeout`
//! meanwhile is given up, because then waiting does not help.

use crate::node::Node;
use front::Awaited;
use machine::{Action, ConnId, Instant, Level, Now, Out, Span};

/// Less than this never slows anybody.
const FLOOR: u64 = 64 << 20;
/// The part of the machine's memory that may be held: a twentieth.
const SHARE: u64 = 20;
/// Slowed connections go on when the pile has shrunk by this much.
const STEP: usize = 256 << 10;

/// How much the running snapshot holds, and who waits for it to shrink.
#[derive(Default)]
pub(crate) struct Pressure {
    /// Bytes held now.
    pub(crate) held: usize,
    /// The most that the running snapshot has held.
    pub(crate) peak: usize,
    /// The most that the last snapshot to a file held: `rdb_last_cow_size`.
    pub(crate) last_saved: usize,
    /// Writers are being slowed.
    pub(crate) high: bool,
    slowed: Vec<ConnId>,
    /// Held when the slowed were last let go on, and when that was.
    mark: usize,
    since: Instant,
}

impl Pressure {
    fn rest(&mut self) {
        *self = Pressure {
            last_saved: self.last_saved,
            slowed: std::mem::take(&mut self.slowed),
            ..Pressure::default()
        };
    }
}

impl Node {
    /// At a turn's end: how much is held, and whether writers may go on.
    pub(crate) fn weigh_export(&mut self, now: Now, out: &mut Out) {
        let pressure = &mut self.persist.pressure;
        let Some(export) = &self.persist.export else {
            if pressure.peak > 0 || pressure.high {
                pressure.rest();
                self.let_writers_go_on(out);
            }
            return;
        };
        let waiting = export.waiting(out);
        pressure.held = self.data.keyspace.held_for_snapshot() + waiting;
        pressure.peak = pressure.peak.max(pressure.held);
        // Tables that were flushed do not grow, so slowing writers would not help with them.
        let held = self.data.keyspace.snapshot().held() + waiting;
        let limit = FLOOR.max(self.vitals.memory_total / SHARE) as usize;
        if held <= limit {
            if std::mem::take(&mut pressure.high) {
                self.let_writers_go_on(out);
            }
            return;
        }
        if !pressure.high || held + STEP <= pressure.mark {
            pressure.high = true;
            pressure.mark = held;
            pressure.since = now.mono;
            return self.let_writers_go_on(out);
        }
        // The stream of our primary is never slowed: what waits in it could be lost with it.
        let hopeless = self.replication.link.is_some() && held > 2 * limit;
        if hopeless || now.mono.since(pressure.since) > Span::secs(self.config.repl_timeout) {
            self.give_up_on_sink(now, out);
        }
    }

    /// Drops the snapshot at hand before its end.
    pub(crate) fn drop_snapshot(&mut self) {
        self.persist.export = None;
        self.data.keyspace.abort_snapshot();
        self.data.memory.settle(self.persist.pressure.held as u64);
    }

    /// A connection has written while too much is held: it waits.
    #[cold]
    pub(crate) fn slow_down(&mut self, conn: ConnId, out: &mut Out) {
        if self.persist.pressure.slowed.last() == Some(&conn) {
            // A transaction writes more than once.
            return;
        }
        // What it sends meanwhile stays with the system, which tells the sender to wait.
        out.act(Action::PauseReads { conn });
        self.persist.pressure.slowed.push(conn);
    }

    /// A connection is gone; its number may be another's soon.
    pub(crate) fn forget_slowed(&mut self, conn: ConnId) {
        self.persist.pressure.slowed.retain(|slowed| *slowed != conn);
    }

    fn let_writers_go_on(&mut self, out: &mut Out) {
        for conn in std::mem::take(&mut self.persist.pressure.slowed) {
            self.end_wait(conn, Awaited::Memory, out);
        }
    }

    fn give_up_on_sink(&mut self, now: Now, out: &mut Out) {
        self.persist.pressure.since = now.mono;
        let Some(export) = &self.persist.export else { return };
        match export.slowest_replica(out) {
            Some(conn) => {
                out.log(
                    Level::Warning,
                    format_args!(
                        "Replica takes its snapshot more slowly than writes pile up beside it: \
                         disconnecting it"
                    ),
                );
                out.close(conn);
            }
            None => {
                if let Some(export) = &mut self.persist.export {
                    export.abandon(out);
                }
                self.save_failed("the disk is slower than writes pile up", now, out);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::{Setup, Stages};
    use machine::{Address, Peer, Stopwatch};

    fn resumed(out: &mut Out) -> usize {
        let mut actions = Vec::new();
        out.take_actions(&mut actions);
        actions.iter().filter(|action| matches!(action, Action::ResumeReads { .. })).count()
    }

    #[test]
    fn writers_that_wait_for_something_else_too_are_not_woken() {
        let mut node = Node::new(Setup {
            config: Config::default(),
            secret: [0; 16],
            run_id: "0".repeat(40),
            control: Address(1),
            stages: Stages::ALL,
        });
        let (conn, mut out) = (ConnId(3), Out::new(Stopwatch::Virtual(0)));
        let peer = Peer::Unix { path: String::from("socket") };
        node.sessions.open(conn, peer, Instant(0), true);
        let waiting = |node: &mut Node| node.sessions.get_mut(conn).unwrap().waiting;
        for awaited in [Awaited::Memory, Awaited::Listeners] {
            node.sessions.get_mut(conn).unwrap().waiting.begin(awaited);
        }
        node.slow_down(conn, &mut out);
        node.let_writers_go_on(&mut out);
        assert!(waiting(&mut node).is_for(Awaited::Listeners));
        assert!(!waiting(&mut node).is_for(Awaited::Memory));
        assert_eq!(resumed(&mut out), 0);
        node.answer_late(conn, Awaited::Listeners, b"+OK\r\n", &mut out);
        assert!(!waiting(&mut node).is_on());
        assert_eq!((resumed(&mut out), out.queued(conn)), (1, 5));
    }
}
