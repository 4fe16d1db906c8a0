//! Clients beyond their requests: who they are, who is held back, who watches, who is too much.
//!
//! All of it costs a client nothing while it is not used: `execute` sees one closed gate at most.

mod late;
mod limits;
mod listing;
mod monitor;
pub(crate) mod pause;

pub(crate) use pause::hold;

use crate::debug::Switches;
use crate::execute::Turn;
use crate::migrate::Moves;
use crate::node::Node;
use front::{Awaited, Figures, Filter, Kind, Requests, Session, describe};
use machine::{ConnId, Instant, Out};
use replication::{Stage, Target};
use std::collections::{BTreeMap, VecDeque};
use wire::command::CommandId;
use wire::number;
use wire::reply::Reply;

/// What a node knows of its clients beside their sessions.
#[derive(Default)]
pub(crate) struct Clients {
    pub(crate) pause: pause::Pause,
    /// Requests that wait for the end of the pause.
    postponed: Vec<(ConnId, Requests)>,
    /// Keys on their way to other servers, and requests that wait for their arrival.
    pub(crate) moves: Moves,
    /// Lists of clients that are being made.
    listings: VecDeque<listing::Listing>,
    /// Those that are shown every command.
    pub(crate) monitors: Vec<ConnId>,
    /// Since when clients have had more output than the soft limit.
    over: BTreeMap<ConnId, Instant>,
    /// `client_output_buffer_limit_disconnections`.
    pub(crate) overflowed: u64,
    /// What DEBUG has switched off, and who waits for it.
    pub(crate) switches: Switches,
    /// `evicted_clients`.
    pub(crate) evicted: u64,
    /// When idle clients were last looked for.
    swept: Instant,
}

impl Clients {
    /// A client is gone.
    pub(crate) fn forget(&mut self, conn: ConnId) {
        self.postponed.retain(|(postponed, _)| *postponed != conn);
        self.moves.forget(conn);
        self.listings.retain(|listing| !listing.is_of(conn));
        self.monitors.retain(|monitor| *monitor != conn);
        self.over.remove(&conn);
    }
}

/// Clients counted.
#[derive(Default)]
pub(crate) struct Census {
    /// Without replicas.
    pub(crate) connected: usize,
    /// Those that wait for something that others do, and those of them that wait for a time only.
    pub(crate) blocked: usize,
    pub(crate) timed: usize,
    /// Those that watch keys, and how many keys.
    pub(crate) watching: usize,
    pub(crate) watched: usize,
    /// The most that one holds of unfinished requests.
    pub(crate) largest_input: usize,
    /// Bytes that all take, their output apart.
    pub(crate) memory: usize,
}

impl Node {
    /// Counts the clients, the one that asks included.
    pub(crate) fn census(&self) -> Census {
        let waits = &self.replication.waits;
        let replicas = self.replication.replicas.iter();
        let replicas = replicas.filter(|(_, r)| r.stage != Stage::Introduced).count();
        let mut census = Census {
            connected: self.sessions.len().saturating_sub(replicas).max(1),
            blocked: waits.len() + self.clients.postponed.len() + self.clients.moves.waiting(),
            timed: waits.iter().filter(|wait| wait.has_deadline()).count(),
            ..Census::default()
        };
        for session in self.sessions.iter() {
            let watched = session.transaction.watched.len();
            census.watching += usize::from(watched > 0);
            census.watched += watched;
            let input = session.decoder.held_bytes();
            census.largest_input = census.largest_input.max(input);
            census.memory += size_of::<Session>() + input + session.transaction.footprint();
        }
        census
    }

    /// Runs a subcommand of CLIENT that concerns others as well.
    pub(crate) fn client_command(
        &mut self,
        id: CommandId,
        session: &mut Session,
        args: &[&[u8]],
        turn: &mut Turn<'_>,
    ) {
        let mut reply = Reply::new(turn.buffer, session.protocol);
        match id {
            CommandId::ClientInfo => {
                let figures = self.own_figures(session, args, reply.position(), turn);
                let mut text = Vec::new();
                describe(session, &figures, turn.now.mono, &mut text);
                Reply::new(turn.buffer, session.protocol).verbatim(*b"txt", &text);
            }
            CommandId::ClientList => self.client_list(session, args, turn),
            CommandId::ClientKill => match Filter::of_kill(&args[2..]) {
                Ok(filter) => {
                    let killed = self.kill(&filter, session, turn);
                    let mut reply = Reply::new(turn.buffer, session.protocol);
                    match (args.len(), killed) {
                        (3, 0) => reply.error("ERR No such client"),
                        (3, _) => reply.ok(),
                        _ => reply.integer(killed),
                    }
                }
                Err(error) => reply.error(&error),
            },
            CommandId::ClientPause => self.pause(args, turn.now, &mut reply),
            CommandId::ClientUnpause => {
                self.clients.pause.end();
                self.close_gates();
                reply.ok();
            }
            _ => self.unblock(&args[2..], &mut reply, turn.out),
        }
    }

    /// What a client is to us.
    pub(crate) fn kind(&self, conn: ConnId) -> Kind {
        match self.replication.replicas.get(conn) {
            Some(replica) if replica.stage != Stage::Introduced => Kind::Replica,
            _ => Kind::Normal,
        }
    }

    pub(crate) fn figures(&self, session: &Session, out: &Out) -> Figures {
        Figures {
            kind: self.kind(session.conn),
            blocked: session.waiting.is_for(Awaited::Replicas)
                || session.waiting.is_for(Awaited::Pause),
            dirty: false,
            request: (0, 0),
            output: out.shape(session.conn),
            held: out.footprint(session.conn),
        }
    }

    /// Those of the session whose request is at hand; `buffered` bytes of output are lent out.
    fn own_figures(
        &self,
        session: &Session,
        args: &[&[u8]],
        buffered: usize,
        turn: &Turn<'_>,
    ) -> Figures {
        let mut framed = Vec::new();
        store::effects::encode(args, &mut framed);
        let mut figures = self.figures(session, turn.out);
        figures.request = (framed.len(), args.iter().map(|arg| arg.len()).sum());
        figures.output.0 = buffered;
        figures.held += buffered;
        figures.dirty = self.has_changed(session, turn.now);
        figures
    }

    /// Closes the clients that are meant, and says how many.
    fn kill(&mut self, filter: &Filter, session: &mut Session, turn: &mut Turn<'_>) -> i64 {
        let now = turn.now.mono;
        let mut killed = 0;
        if filter.myself && filter.takes(session, self.kind(session.conn), now) {
            // It gets its answer first.
            session.closing = true;
            killed += 1;
        }
        let takes =
            |other: &&Session| !other.closing && filter.takes(other, self.kind(other.conn), now);
        let others: Vec<ConnId> = self.sessions.iter().filter(takes).map(|s| s.conn).collect();
        for conn in others {
            killed += 1;
            self.close_client(conn, turn.out);
        }
        if self.is_link_meant(filter) {
            killed += 1;
            self.drop_link(turn.now, turn.out);
        }
        killed
    }

    /// Whether the link to our primary is meant: by its kind, or by the address it leads to.
    fn is_link_meant(&self, filter: &Filter) -> bool {
        let Some(link) = self.replication.link.as_ref().filter(|link| link.conn().is_some()) else {
            return false;
        };
        let Target { host, port } = link.target();
        let named = filter.kind == Some(Kind::Primary);
        let other = filter.kind.is_some() && !named;
        let restricted = filter.ids.is_some() || filter.laddr.is_some() || filter.max_age.is_some();
        match &filter.addr {
            Some(addr) => *addr == format!("{host}:{port}") && !other && !restricted,
            None => named && !restricted,
        }
    }

    /// Closes another client's connection at once; nothing more of it is run.
    pub(crate) fn close_client(&mut self, conn: ConnId, out: &mut Out) {
        if let Some(session) = self.sessions.get_mut(conn) {
            session.closing = true;
        }
        out.close(conn);
    }

    /// CLIENT UNBLOCK.
    fn unblock(&mut self, words: &[&[u8]], reply: &mut Reply<'_>, out: &mut Out) {
        let mut failing = false;
        if let Some(reason) = words.get(1) {
            failing = match reason.to_ascii_lowercase().as_slice() {
                b"timeout" => false,
                b"error" => true,
                _ => {
                    let text = "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR";
                    return reply.error(text);
                }
            };
        }
        let Some(id) = number::parse_i64(words[0]) else {
            return reply.error("ERR value is not an integer or out of range");
        };
        let conn = self.sessions.iter().find(|other| other.id as i64 == id).map(|s| s.conn);
        let done = conn.is_some_and(|conn| self.unblock_wait(conn, failing, out));
        reply.integer(i64::from(done));
    }
}
