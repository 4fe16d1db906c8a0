//! Carrying out what a machine asked for.

use crate::core::{Core, Happening};
use crate::network::{End, Holder, Packet, Stream};
use crate::process::{Incoming, Process};
use crate::world::HostId;
use machine::{
    Action, Address, CloseReason, ConnId, FileOp, Letter, ListenOn, NetError, Ticket, Token,
};
use std::collections::btree_map::Entry;
use std::net::{IpAddr, SocketAddr};

/// How long a connect waits for an answer.
const CONNECT_PATIENCE: u64 = 60_000_000_000;
/// How long a connect to an address of no host takes to fail.
const UNREACHABLE_AFTER: u64 = 1_000_000;

impl Process {
    pub(crate) fn perform_actions(&mut self, core: &mut Core) {
        if !self.out.has_actions() {
            return;
        }
        let mut actions = Vec::new();
        self.out.take_actions(&mut actions);
        for action in actions {
            self.perform(action, core);
        }
    }

    fn perform(&mut self, action: Action, core: &mut Core) {
        match action {
            Action::Listen { token, on, .. } => self.listen(token, on, core),
            Action::Unlisten { token } => {
                let id = self.id;
                core.network.listeners.retain(|_, (p, _, t)| (*p, *t) != (id, token));
            }
            Action::Connect { token, to, from } => self.connect(token, to, from, core),
            Action::Resolve { token, host } => {
                let found = core.hosts.iter().filter(|h| h.name == host).map(|h| h.ip).collect();
                self.later(200_000, Incoming::Resolved(token, found), core);
            }
            Action::Close { conn, flush } => self.close(conn, flush, core),
            Action::PauseReads { conn } => {
                if let Some(conn) = self.conn(conn) {
                    conn.paused = true;
                }
            }
            Action::ResumeReads { conn: id } => {
                if let Some(conn) = self.conn(id) {
                    conn.paused = false;
                    conn.offer = true;
                    self.ready(id, core);
                }
            }
            Action::File { ticket, op } => self.file(ticket, op, core),
            Action::Offload { ticket, job } => {
                let result = job();
                let cost = core.chance.between(10_000, 200_000);
                self.later(cost, Incoming::JobDone(ticket, result), core);
            }
            Action::Mail { to, letter } => self.mail(to, letter, core),
            Action::Log { level, text } => {
                core.record(Some(self.host), format!("machine {} {level:?}: {text}", self.id));
            }
            Action::ResetMaxTurn => self.vitals.max_turn_us = 0,
            // There is no allocator of its own.
            Action::PurgeMemory => {}
            // A packet here is as large as what is written at once.
            Action::GatherOutput { .. } => {}
            Action::Ready => {}
            Action::Stall { span } => self.stall(span.0, core),
            Action::Crash { .. } => self.end.exit = Some(128 + 11),
            Action::Exit { status } => self.end.exit = Some(status),
        }
    }

    /// Something reaches this life of this process after a while.
    fn later(&self, after: u64, what: Incoming, core: &mut Core) {
        let (process, life) = (self.id, Some(self.life));
        core.schedule(core.time + after, Happening::Deliver { process, life, what });
    }

    fn mail(&self, to: Address, letter: Letter, core: &mut Core) {
        let from = Address(self.id);
        let drawn = core.time + core.chance.between(core.mail.0, core.mail.1);
        let last = core.letters.entry((from, to)).or_default();
        *last = drawn.max(*last);
        let (at, life) = (*last, self.life);
        core.schedule(at, Happening::Letter { from, life, to, letter });
    }

    fn file(&mut self, ticket: Ticket, op: FileOp, core: &mut Core) {
        let cost = match &op {
            FileOp::Sync { .. } | FileOp::Replace { .. } | FileOp::Rename { .. } => {
                core.chance.between(200_000, 5_000_000)
            }
            FileOp::Append { range, .. } => 5_000 + range.len() as u64 / 2,
            FileOp::Read { len, .. } => 5_000 + *len as u64 / 4,
            _ => 20_000,
        };
        self.unfinished.insert(ticket);
        let cost = cost * (1 + core.hosts[self.host.0].disk.slower);
        self.files_until = self.files_until.max(core.time) + cost;
        let (process, life) = (self.id, self.life);
        core.schedule(self.files_until, Happening::File { process, life, ticket, op });
    }

    fn listen(&mut self, token: Token, on: ListenOn, core: &mut Core) {
        let ip = core.hosts[self.host.0].ip;
        let address = match on {
            ListenOn::Tcp(address) => address,
            // Nobody in this world can connect to one.
            ListenOn::Unix { .. } => {
                let failed = Incoming::ListenFailed(token, NetError::Other(0));
                return self.later(0, failed, core);
            }
        };
        let mut place = SocketAddr::new(ip, address.port());
        while place.port() == 0
            || address.port() == 0 && core.network.listeners.contains_key(&place)
        {
            place.set_port(core.network.port());
        }
        let ours =
            address.ip() == ip || address.ip().is_unspecified() || address.ip().is_loopback();
        let answer = if !ours {
            Incoming::ListenFailed(token, NetError::AddressNotAvailable)
        } else if let Entry::Vacant(free) = core.network.listeners.entry(place) {
            free.insert((self.id, self.life, token));
            Incoming::Listening(token, place)
        } else {
            Incoming::ListenFailed(token, NetError::AddressInUse)
        };
        self.later(0, answer, core);
    }

    fn connect(&mut self, token: Token, to: SocketAddr, from: Option<IpAddr>, core: &mut Core) {
        let own = core.hosts[self.host.0].ip;
        let ip = if to.ip().is_loopback() { own } else { to.ip() };
        let Some(target) = core.hosts.iter().position(|h| h.ip == ip) else {
            let failed = Incoming::ConnectFailed(token, NetError::Unreachable);
            return self.later(UNREACHABLE_AFTER, failed, core);
        };
        if from.is_some_and(|from| from != own && !from.is_unspecified()) {
            let failed = Incoming::ConnectFailed(token, NetError::AddressNotAvailable);
            return self.later(0, failed, core);
        }
        let local = SocketAddr::new(own, core.network.port());
        let stream = core.network.add(Stream {
            ends: [
                End::new(self.host, Holder::Nobody, local),
                End::new(HostId(target), Holder::Nobody, SocketAddr::new(ip, to.port())),
            ],
            token,
        });
        let id = self.add_conn(stream, 0);
        if let Some(state) = core.network.streams.get_mut(&stream) {
            state.ends[0].holder = Holder::Process(self.id, self.life, id);
        }
        core.transmit(stream, 0, Packet::Syn);
        core.schedule(core.time + CONNECT_PATIENCE, Happening::ConnectTimeout(stream));
    }

    fn close(&mut self, id: ConnId, flush: bool, core: &mut Core) {
        let queued = self.out.queued(id) > 0;
        let Some(conn) = self.conn(id) else { return };
        if flush {
            conn.closing = true;
            if queued {
                self.touched.push(id);
                return;
            }
        }
        self.end(id, CloseReason::Local, core);
    }
}
