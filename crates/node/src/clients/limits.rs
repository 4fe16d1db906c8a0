//! Clients that are idle, that do not read what they are sent, or that take too much memory.

use crate::config::OutputLimit;
use crate::node::Node;
use front::{Kind, Session};
use machine::{ConnId, Level, Now, Out, Span};

/// With less than this for clients nobody could talk to the server, not even to set it right.
const LEAST_FOR_CLIENTS: u64 = 128 << 10;

impl Node {
    /// What is looked after a few times a second.
    pub(crate) fn check_clients(&mut self, now: Now, out: &mut Out) {
        self.check_outputs(now, out);
        self.check_memory(out);
        if now.mono.since(self.clients.swept) >= Span::secs(1) {
            self.clients.swept = now.mono;
            self.check_idle(now, out);
        }
    }

    /// Closes those that have said nothing for `timeout` seconds.
    fn check_idle(&mut self, now: Now, out: &mut Out) {
        let limit = self.config.clients.timeout;
        if limit == 0 {
            return;
        }
        let idle = |session: &&Session| {
            now.mono.since(session.active) > Span::secs(limit)
                && !session.waiting.is_on()
                && !session.closing
                && !session.modes.monitor
                && self.kind(session.conn) == Kind::Normal
        };
        let idle: Vec<ConnId> = self.sessions.iter().filter(idle).map(|s| s.conn).collect();
        for conn in idle {
            out.log(Level::Verbose, format_args!("Closing idle client"));
            self.close_client(conn, out);
        }
    }

    /// Closes those whose output has grown beyond a limit, or beyond the soft one for too long.
    fn check_outputs(&mut self, now: Now, out: &mut Out) {
        let limits = self.config.clients.output;
        let mut over = Vec::new();
        for session in self.sessions.iter().filter(|session| !session.closing) {
            let kind = self.kind(session.conn);
            let limit = match kind {
                // Less than the backlog would end what a partial sync has just begun.
                Kind::Replica if limits.replica.hard > 0 => OutputLimit {
                    hard: limits.replica.hard.max(self.config.repl_backlog_size),
                    ..limits.replica
                },
                Kind::Replica => limits.replica,
                Kind::Pubsub => limits.pubsub,
                Kind::Normal | Kind::Primary => limits.normal,
            };
            if limit == OutputLimit::default() {
                continue;
            }
            let queued = self.output_bytes(session.conn, kind, out);
            if limit.hard > 0 && queued >= limit.hard {
                over.push(session.conn);
            } else if limit.soft > 0 && queued >= limit.soft {
                let since = *self.clients.over.entry(session.conn).or_insert(now.mono);
                if now.mono.since(since) > Span::secs(limit.seconds) {
                    over.push(session.conn);
                }
            } else {
                self.clients.over.remove(&session.conn);
            }
        }
        for conn in over {
            self.overflowed(conn, out);
        }
    }

    /// What waits to be sent to a client; for a replica the part of the stream it has not got, but
    /// not a snapshot: that is taken from memory no faster than the replica reads it.
    fn output_bytes(&self, conn: ConnId, kind: Kind, out: &Out) -> u64 {
        let queued = out.queued(conn) as u64;
        match self.replication.replicas.get(conn) {
            Some(replica) if kind == Kind::Replica => match replica.stage {
                replication::Stage::Online => {
                    queued + self.replication.end().saturating_sub(replica.position)
                }
                replication::Stage::Waiting | replication::Stage::Introduced => 0,
                _ => self.replication.end().saturating_sub(replica.position),
            },
            _ => queued,
        }
    }

    /// After a client's requests: whether their replies are beyond the hard limit at once.
    #[cold]
    pub(crate) fn check_output(&mut self, conn: ConnId, out: &mut Out) {
        let hard = self.config.clients.output.normal.hard;
        if self.kind(conn) == Kind::Normal && out.queued(conn) as u64 >= hard {
            self.overflowed(conn, out);
        }
    }

    fn overflowed(&mut self, conn: ConnId, out: &mut Out) {
        let Some(session) = self.sessions.get(conn).filter(|session| !session.closing) else {
            return;
        };
        out.log(
            Level::Warning,
            format_args!(
                "Client id={} addr={} scheduled to be closed ASAP for overcoming of output buffer \
                 limits.",
                session.id,
                session.remote()
            ),
        );
        self.clients.overflowed += 1;
        self.close_client(conn, out);
    }

    /// Closes the largest clients until all together take no more than `maxmemory-clients`. Gives
    /// what the closed ones took.
    pub(crate) fn check_memory(&mut self, out: &mut Out) -> u64 {
        let limit = self.config.clients.max_memory.bytes(self.config.memory.limit);
        if limit == 0 {
            return 0;
        }
        let limit = limit.max(LEAST_FOR_CLIENTS);
        let mut closed = 0;
        let may_go = |session: &&Session| {
            !session.closing && !session.modes.no_evict && self.kind(session.conn) == Kind::Normal
        };
        let clients = self.sessions.iter().filter(may_go);
        let mut sizes: Vec<(u64, ConnId)> = clients
            .map(|session| (self.figures(session, out).footprint(session) as u64, session.conn))
            .collect();
        let mut total: u64 = sizes.iter().map(|(size, _)| size).sum();
        sizes.sort_unstable_by_key(|(size, _)| *size);
        while total > limit
            && let Some((size, conn)) = sizes.pop()
        {
            total -= size;
            closed += size;
            out.log(Level::Notice, format_args!("Evicting client of {size} bytes"));
            self.clients.evicted += 1;
            self.close_client(conn, out);
        }
        closed
    }
}
