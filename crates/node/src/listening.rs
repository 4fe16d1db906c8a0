//! Where clients may connect: `bind`, `port` and `unixsocket`, at the start and when CONFIG SET
//! moves them.

use crate::config::{Config, Row};
use crate::execute::Turn;
use crate::node::Node;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use front::{Awaited, Session};
use machine::{Action, ConnId, Level, ListenOn, NetError, Out, Token};
use std::collections::{BTreeMap, BTreeSet};
use wire::reply::Reply;

/// What it means when an address cannot be had.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Need {
    /// The process is of no use, or the change fails.
    Must,
    /// Nothing, if this host does not have the address.
    May,
    /// A line in the log: it was given up for a change that failed.
    Regain,
}

/// One address.
#[derive(Clone, Copy)]
struct Listener {
    /// None: the Unix socket.
    at: Option<SocketAddr>,
    need: Need,
    stands: bool,
}

/// All addresses, by token.
#[derive(Default)]
pub(crate) struct Listeners {
    by_token: BTreeMap<u64, Listener>,
    next: u64,
    /// One that may not fail has; the process ends.
    failed: bool,
    /// The process's starter knows that we serve.
    pub(crate) announced: bool,
    moving: Option<Move>,
}

/// A directive and its new value.
pub(crate) type Change = (&'static Row, String);

/// A change of `bind` or `port` that is under way.
struct Move {
    /// Who asked for it, and what else was asked for with it: others may change settings meanwhile.
    conn: ConnId,
    changes: Vec<Change>,
    to_port: bool,
    /// What was closed for it.
    closed: Vec<Listener>,
    /// What was opened for it, and what of that has not answered yet.
    opened: Vec<Token>,
    waiting: BTreeSet<u64>,
    failed: bool,
}

impl Listeners {
    /// Whether clients can connect.
    pub(crate) fn is_standing(&self) -> bool {
        self.by_token.values().any(|listener| listener.stands)
    }

    fn add(&mut self, listener: Listener) -> Token {
        let token = self.next;
        self.next += 1;
        self.by_token.insert(token, listener);
        Token(token)
    }
}

/// The addresses that `bind` and `port` mean; the first word that is none.
fn addresses(config: &Config) -> Result<Vec<Listener>, String> {
    if config.port == 0 {
        return Ok(Vec::new());
    }
    let words = config.bind.split_whitespace();
    let listeners = words.map(|word| {
        // A minus says that the address may be missing.
        let (need, word) = match word.strip_prefix('-') {
            Some(word) => (Need::May, word),
            None => (Need::Must, word),
        };
        let ip: Option<IpAddr> = match word {
            "*" => Some(Ipv4Addr::UNSPECIFIED.into()),
            "::*" => Some(Ipv6Addr::UNSPECIFIED.into()),
            word => word.parse().ok(),
        };
        let ip = ip.ok_or_else(|| String::from(word))?;
        let at = Some(SocketAddr::new(ip, config.port));
        Ok(Listener { at, need, stands: false })
    });
    listeners.collect()
}

impl Node {
    /// Listens where the settings say.
    pub(crate) fn listen(&mut self, out: &mut Out) {
        let process = &self.config.process;
        if !process.unixsocket.is_empty() {
            let mode = u32::from_str_radix(&process.unixsocketperm, 8).unwrap_or(0);
            let on = ListenOn::Unix { path: process.unixsocket.clone(), mode };
            let listener = Listener { at: None, need: Need::Must, stands: false };
            let token = self.listeners.add(listener);
            out.act(Action::Listen { token, on, backlog: process.tcp_backlog });
        }
        match addresses(&self.config) {
            Ok(listeners) => {
                for listener in listeners {
                    self.open(listener, out);
                }
            }
            Err(word) => {
                out.log(
                    Level::Warning,
                    format_args!(
                        "Could not create server TCP listening socket {word}: not an address"
                    ),
                );
                out.act(Action::Exit { status: 1 });
            }
        }
    }

    fn open(&mut self, listener: Listener, out: &mut Out) -> Option<Token> {
        let on = ListenOn::Tcp(listener.at?);
        let token = self.listeners.add(Listener { stands: false, ..listener });
        out.act(Action::Listen { token, on, backlog: self.config.process.tcp_backlog });
        Some(token)
    }

    /// A listener stands.
    pub(crate) fn listening(&mut self, token: Token, out: &mut Out) {
        let first = !self.listeners.is_standing();
        if let Some(listener) = self.listeners.by_token.get_mut(&token.0) {
            listener.stands = true;
        }
        if first && !self.listeners.failed && !self.listeners.announced {
            out.log(
                Level::Notice,
                format_args!("Server initialized, listening on port {}", self.config.port),
            );
            out.log(Level::Notice, format_args!("Ready to accept connections tcp"));
        }
        self.serves_if_loaded(out);
        self.moved(token, true, out);
    }

    /// A listener could not be made.
    pub(crate) fn listen_failed(&mut self, token: Token, why: NetError, out: &mut Out) {
        let Some(listener) = self.listeners.by_token.remove(&token.0) else { return };
        let missing = matches!(why, NetError::AddressNotAvailable | NetError::Other(_));
        if listener.need == Need::May && missing {
            self.moved(token, true, out);
            if self.listeners.by_token.is_empty() && self.listeners.moving.is_none() {
                let text = format_args!("Configured to not listen anywhere, exiting.");
                out.log(Level::Warning, text);
                out.act(Action::Exit { status: 1 });
            }
            return;
        }
        let port = listener.at.map_or(self.config.port, |at| at.port());
        let text = match listener.at {
            Some(_) => {
                format!("Warning: Could not create server TCP listening socket *:{port}: {why}")
            }
            None => {
                let path = &self.config.process.unixsocket;
                format!("Failed opening Unix socket: {path}: {why}")
            }
        };
        out.log(Level::Warning, format_args!("{text}"));
        if self.listeners.moving.is_some() || listener.need == Need::Regain {
            return self.moved(token, false, out);
        }
        self.listeners.failed = true;
        if listener.at.is_some() {
            let text = format_args!("Failed listening on port {port} (tcp), aborting.");
            out.log(Level::Warning, text);
        }
        out.act(Action::Exit { status: 1 });
    }

    /// Whether these settings say to listen elsewhere.
    pub(crate) fn moves(&self, config: &Config) -> bool {
        (config.port, &config.bind) != (self.config.port, &self.config.bind)
    }

    /// Listens where other settings say. They hold, and the client hears it, once that is so; if
    /// it fails, everything is as it was.
    pub(crate) fn move_to(
        &mut self,
        config: Config,
        changes: Vec<Change>,
        session: &mut Session,
        turn: &mut Turn<'_>,
    ) {
        let mut reply = Reply::new(turn.buffer, session.protocol);
        let to_port = self.config.port != config.port;
        // The answer comes in a later turn, and a transaction is answered in one.
        let possible = self.listeners.moving.is_none() && session.transaction.running.is_none();
        let wanted = match addresses(&config) {
            Ok(wanted) if possible => wanted,
            _ => return reply.error(&refusal(to_port)),
        };
        let mut closed = Vec::new();
        let gone = |listener: &Listener| {
            listener.at.is_some() && wanted.iter().all(|wanted| wanted.at != listener.at)
        };
        // What is to close goes first: an address of all interfaces keeps single ones from opening.
        self.listeners.by_token.retain(|token, listener| {
            if gone(listener) {
                turn.out.act(Action::Unlisten { token: Token(*token) });
                closed.push(*listener);
            }
            !gone(listener)
        });
        let standing: Vec<_> = self.listeners.by_token.values().map(|l| l.at).collect();
        let new = wanted.into_iter().filter(|wanted| !standing.contains(&wanted.at));
        let opened: Vec<Token> = new.filter_map(|new| self.open(new, turn.out)).collect();
        if opened.is_empty() {
            reply.ok();
            return self.adopt(config, turn.out);
        }
        let waiting = opened.iter().map(|token| token.0).collect();
        let conn = session.conn;
        let failed = false;
        let moving = Move { conn, changes, to_port, closed, opened, waiting, failed };
        self.listeners.moving = Some(moving);
        session.waiting.begin(Awaited::Listeners);
    }

    /// A listener has answered; perhaps one of a move.
    fn moved(&mut self, token: Token, stands: bool, out: &mut Out) {
        let Some(moving) = &mut self.listeners.moving else { return };
        moving.failed |= moving.waiting.remove(&token.0) && !stands;
        self.finish_move(out);
    }

    fn finish_move(&mut self, out: &mut Out) {
        let Some(moving) = self.listeners.moving.take_if(|moving| moving.waiting.is_empty()) else {
            return;
        };
        let reply = if moving.failed {
            for token in moving.opened {
                if self.listeners.by_token.remove(&token.0).is_some() {
                    out.act(Action::Unlisten { token });
                }
            }
            for listener in moving.closed {
                self.open(Listener { need: Need::Regain, ..listener }, out);
            }
            format!("-{}\r\n", refusal(moving.to_port))
        } else {
            let mut config = self.config.clone();
            for (row, value) in &moving.changes {
                // It was valid when it was asked for.
                let _ = config.set(row, &[value]);
            }
            self.adopt(config, out);
            String::from("+OK\r\n")
        };
        self.answer_late(moving.conn, Awaited::Listeners, reply.as_bytes(), out);
    }

    /// Whose connection is over hears nothing; its number may be another's by then.
    pub(crate) fn forget_move(&mut self, conn: ConnId) {
        if let Some(moving) = self.listeners.moving.as_mut().filter(|moving| moving.conn == conn) {
            moving.conn = ConnId(u32::MAX);
        }
    }
}

/// The error for a move that does not succeed.
fn refusal(port: bool) -> String {
    let (name, why) = match port {
        true => ("port", "Unable to listen on this port. Check server logs."),
        false => ("bind", "Failed to bind to specified addresses."),
    };
    format!("ERR CONFIG SET failed (possibly related to argument '{name}') - {why}")
}
