//! A running machine: its connections, its inbox, its turns.

use crate::core::{Core, Happening};
use crate::disk::Opens;
use crate::network::StreamId;
use crate::world::HostId;
use machine::{
    Address, CloseReason, ConnId, Event, FileError, FileOutput, Letter, Machine, NetError, Now,
    Out, Peer, Signal, Stopwatch, Ticket, Token, Vitals,
};
use std::collections::{BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};

/// Makes a machine from a seed, at the start and at each restart.
pub(crate) type Factory = Box<dyn FnMut(u64) -> Box<dyn Machine>>;

/// How long a turn takes in any case, in nanoseconds.
const TURN: u64 = 2_000;
/// How long one unit of background work takes.
const UNIT: u64 = 2_000;
const VITALS_EVERY: u64 = 1_000_000_000;

/// What waits for a process.
pub(crate) enum Incoming {
    Started,
    Vitals,
    Accepted(ConnId, Token, Peer),
    Connected(ConnId, Token, Peer),
    ConnectFailed(Token, NetError),
    /// Something about a connection changed.
    Ready(ConnId),
    Listening(Token, SocketAddr),
    ListenFailed(Token, NetError),
    Resolved(Token, Vec<IpAddr>),
    FileDone(Ticket, Result<FileOutput, FileError>),
    JobDone(Ticket, Letter),
    Mail(Address, Letter),
    Signal(Signal),
    Drained(ConnId),
    Closed(ConnId, CloseReason),
}

/// A process's view of its end of a stream.
pub(crate) struct Conn {
    pub(crate) stream: StreamId,
    pub(crate) side: usize,
    /// Received and not consumed.
    pub(crate) rest: Vec<u8>,
    /// An announced body and its length.
    pub(crate) body: Option<(Vec<u8>, usize)>,
    /// The machine knows of it.
    pub(crate) announced: bool,
    pub(crate) paused: bool,
    pub(crate) offer: bool,
    /// Stands in the inbox as ready.
    pub(crate) queued: bool,
    pub(crate) tell_drained: bool,
    pub(crate) gated: bool,
    pub(crate) closing: bool,
}

/// How a life ends, if not by a kill between turns.
#[derive(Default)]
pub(crate) struct Ending {
    /// It has asked to exit, with this status.
    pub(crate) exit: Option<i32>,
    /// It will be killed in mid-turn, after so many more writes to streams.
    pub(crate) after_writes: Option<u64>,
}

pub(crate) struct Process {
    pub(crate) id: u32,
    /// Rises with each restart: what was meant for an earlier life does not reach a later one.
    pub(crate) life: u32,
    pub(crate) host: HostId,
    pub(crate) factory: Factory,
    pub(crate) machine: Option<Box<dyn Machine>>,
    pub(crate) out: Out,
    pub(crate) now: Now,
    pub(crate) conns: Vec<Option<Conn>>,
    pub(crate) free: Vec<ConnId>,
    pub(crate) over: Vec<ConnId>,
    pub(crate) inbox: VecDeque<Incoming>,
    pub(crate) paused: bool,
    pub(crate) end: Ending,
    /// When the next turn is due.
    turn_at: Option<u64>,
    /// Not before this: the last turn takes its time.
    busy_until: u64,
    pub(crate) opens: Opens,
    pub(crate) files_until: u64,
    pub(crate) unfinished: BTreeSet<Ticket>,
    pub(crate) gated: Vec<ConnId>,
    pub(crate) gates_moved: bool,
    pub(crate) acknowledged: u64,
    pub(crate) touched: Vec<ConnId>,
    pub(crate) vitals: Vitals,
}

impl Process {
    pub(crate) fn new(id: u32, host: HostId, factory: Factory) -> Self {
        Process {
            id,
            life: 0,
            host,
            factory,
            machine: None,
            out: Out::new(Stopwatch::Virtual(0)),
            now: Now::default(),
            conns: Vec::new(),
            free: Vec::new(),
            over: Vec::new(),
            inbox: VecDeque::new(),
            paused: false,
            end: Ending::default(),
            turn_at: None,
            busy_until: 0,
            opens: Opens::new(),
            files_until: 0,
            unfinished: BTreeSet::new(),
            gated: Vec::new(),
            gates_moved: false,
            acknowledged: 0,
            touched: Vec::new(),
            vitals: Vitals { pid: id + 1, os: "Simulated".into(), ..Vitals::default() },
        }
    }

    /// Begins a life with a new machine.
    pub(crate) fn start(&mut self, core: &mut Core) {
        let factory = std::mem::replace(&mut self.factory, Box::new(|_| unreachable!()));
        let life = self.life + 1;
        *self = Process::new(self.id, self.host, factory);
        self.life = life;
        self.machine = Some((self.factory)(core.chance.draw()));
        self.inbox.extend([Incoming::Started, Incoming::Vitals]);
        self.wake(core);
    }

    /// Takes in what came; a turn will see it.
    pub(crate) fn receive(&mut self, what: Incoming, core: &mut Core) {
        if self.machine.is_some() {
            self.inbox.push_back(what);
            self.wake(core);
        }
    }

    /// Something about a connection changed.
    pub(crate) fn ready(&mut self, id: ConnId, core: &mut Core) {
        if let Some(conn) = self.conn(id)
            && !std::mem::replace(&mut conn.queued, true)
        {
            self.receive(Incoming::Ready(id), core);
        }
    }

    /// Schedules a turn as soon as may be.
    pub(crate) fn wake(&mut self, core: &mut Core) {
        self.turn_by(core.time, core);
    }

    fn turn_by(&mut self, at: u64, core: &mut Core) {
        let at = at.max(self.busy_until).max(core.time);
        if self.turn_at.is_none_or(|due| due > at) {
            self.turn_at = Some(at);
            core.schedule(at, Happening::Turn { process: self.id, life: self.life });
        }
    }

    /// Runs a turn, if one is due now.
    pub(crate) fn turn(&mut self, core: &mut Core) {
        if self.turn_at != Some(core.time) || self.paused || self.machine.is_none() {
            return;
        }
        self.turn_at = None;
        self.now = core.now(self.host);
        self.out.set_virtual_ticks(core.time);
        let start = self.out.ticks();
        let input = self.intake(core);
        let units = match self.out.take_more_work() {
            Some(_) => core.chance.between(1, 64) as u32,
            None => 0,
        };
        self.call(Event::TurnEnd { units }, core);
        self.emit(core);
        self.free.append(&mut self.over);
        if let Some(status) = self.end.exit {
            core.record(Some(self.host), format!("machine {} exits with {status}", self.id));
            self.die(core);
            return;
        }
        let spent = self.out.ticks() - start;
        let work = TURN + spent + input as u64 / 2 + u64::from(units) * UNIT;
        self.busy_until = self.busy_until.max(core.time) + work;
        self.vitals.max_turn_us = self.vitals.max_turn_us.max((self.busy_until - core.time) / 1000);
        let more = self.out.take_more_work();
        if let Some(percent) = more {
            // Kept for the next turn's end.
            self.out.more_work(percent);
        }
        if more.is_some() || !self.inbox.is_empty() {
            self.wake(core);
        }
        if let Some(at) = self.machine.as_ref().and_then(|m| m.deadline()) {
            self.turn_by(at.0, core);
        }
    }

    /// Does nothing for a while after this turn.
    pub(crate) fn stall(&mut self, nanos: u64, core: &Core) {
        self.busy_until = self.busy_until.max(core.time) + nanos;
    }

    /// Goes on after a pause.
    pub(crate) fn resume(&mut self, core: &mut Core) {
        self.paused = false;
        // The turn that fell into the pause was missed.
        self.turn_at = None;
        self.wake(core);
    }

    /// Hands one event over and sees to what came of it.
    pub(crate) fn call(&mut self, event: Event<'_>, core: &mut Core) {
        let Some(machine) = &mut self.machine else { return };
        machine.handle(self.now, event, &mut self.out);
        self.perform_actions(core);
        if !self.out.holds_writes() {
            self.emit(core);
        }
    }

    pub(crate) fn conn(&mut self, id: ConnId) -> Option<&mut Conn> {
        self.conns.get_mut(id.0 as usize)?.as_mut()
    }

    /// A number for a new connection.
    pub(crate) fn add_conn(&mut self, stream: StreamId, side: usize) -> ConnId {
        let id = self.free.pop().unwrap_or_else(|| {
            self.conns.push(None);
            ConnId(self.conns.len() as u32 - 1)
        });
        self.conns[id.0 as usize] = Some(Conn {
            stream,
            side,
            rest: Vec::new(),
            body: None,
            announced: false,
            paused: false,
            offer: false,
            queued: false,
            tell_drained: false,
            gated: false,
            closing: false,
        });
        id
    }

    /// Ends a connection; the machine hears of it later.
    pub(crate) fn end(&mut self, id: ConnId, why: CloseReason, core: &mut Core) {
        let Some(conn) = self.conns.get_mut(id.0 as usize).and_then(Option::take) else { return };
        if conn.closing
            && let Some(stream) = core.network.streams.get_mut(&conn.stream)
        {
            // Unread input must not cost the peer our last bytes.
            stream.ends[conn.side].received.clear();
        }
        core.close_end(conn.stream, conn.side);
        let why = if conn.closing { CloseReason::Local } else { why };
        self.inbox.push_back(Incoming::Closed(id, why));
    }

    /// Says when the next vitals come.
    pub(crate) fn next_vitals(&self, core: &mut Core) {
        let (process, life) = (self.id, Some(self.life));
        let what = Happening::Deliver { process, life, what: Incoming::Vitals };
        core.schedule(core.time + VITALS_EVERY, what);
    }

    /// The process is gone at once; its kernel closes what it had open.
    pub(crate) fn die(&mut self, core: &mut Core) {
        self.machine = None;
        self.end.after_writes = None;
        self.life += 1;
        self.inbox.clear();
        let id = self.id;
        core.network.listeners.retain(|_, (process, _, _)| *process != id);
        core.hosts[self.host.0].disk.release(id, &mut self.opens);
        for conn in std::mem::take(&mut self.conns).into_iter().flatten() {
            core.close_end(conn.stream, conn.side);
        }
    }
}
