//! The loop that runs a machine.

use crate::accept::Listener;
use crate::background::Background;
use crate::clock::{Clock, monotonic, stopwatch};
use crate::conn::Conns;
use crate::files::Files;
use crate::notes::{Note, Notes, Notifier, notes};
use crate::offload::Offload;
use crate::options::{Allocator, LogSink, Options};
use crate::signals::Signals;
use crate::{Post, vitals};
use machine::{
    Action, Address, CloseReason, ConnId, Event, Instant, Machine, NetError, Now, Out, Span,
    TURN_CONNS, Ticket, Token, Vitals,
};
use mio::{Events, Poll, Waker};
use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// Poll tokens: below this, the number of a connection; from this on, a listener.
pub(crate) const LISTENERS: usize = 1 << 32;
const WAKER: mio::Token = mio::Token(usize::MAX - 1);
const SIGNALS: mio::Token = mio::Token(usize::MAX - 2);
/// How many events one poll takes.
const EVENTS: usize = 1024;
const VITALS_EVERY: Span = Span::millis(100);

/// An event that came about while another one was handled.
pub(crate) enum Later {
    Closed(ConnId, CloseReason),
    Drained(ConnId),
    Listening(Token, Option<SocketAddr>),
    ListenFailed(Token, NetError),
    ConnectFailed(Token, NetError),
    Unresolved(Token),
}

/// What lies outside the driver and is told things, or asked.
pub(crate) struct Told {
    pub(crate) log: LogSink,
    pub(crate) ready: Box<dyn FnMut() + Send>,
    pub(crate) memory: Option<Allocator>,
}

/// Runs one machine on the calling thread.
pub struct Driver<M: Machine> {
    pub(crate) machine: M,
    pub(crate) out: Out,
    pub(crate) now: Now,
    clock: Clock,
    pub(crate) poll: Poll,
    pub(crate) conns: Conns,
    pub(crate) listeners: Vec<Option<Listener>>,
    /// The one buffer into which connections are read.
    pub(crate) buffer: Vec<u8>,
    /// To be read next turn.
    pub(crate) ready: Vec<ConnId>,
    /// With new output.
    pub(crate) touched: Vec<ConnId>,
    /// With output left after their share of this turn.
    pub(crate) unwritten: Vec<ConnId>,
    /// With output behind a closed gate.
    pub(crate) gated: Vec<ConnId>,
    /// Asked to be told when all output is gone.
    pub(crate) asked: Vec<ConnId>,
    /// Whether any connection is being closed after its output.
    pub(crate) closing: bool,
    pub(crate) later: VecDeque<Later>,
    pub(crate) actions: Vec<Action>,
    /// File operations that have not succeeded: their gates are closed.
    pub(crate) unfinished: BTreeSet<Ticket>,
    pub(crate) gates_moved: bool,
    pub(crate) acknowledged: u64,
    pub(crate) files: Files,
    pub(crate) offload: Offload,
    pub(crate) notifier: Notifier,
    notes: Notes,
    pub(crate) post: Post,
    pub(crate) address: Address,
    signals: Option<Signals>,
    pub(crate) told: Told,
    pub(crate) vitals: Vitals,
    next_vitals: Instant,
    background: Background,
    pub(crate) keepalive: Option<Duration>,
    pub(crate) linger: Duration,
    pub(crate) exit: Option<i32>,
}

impl<M: Machine> Driver<M> {
    /// A driver with its threads, at rest. Letters to its address are kept from now on.
    pub fn new(machine: M, options: Options) -> io::Result<Self> {
        let poll = Poll::new()?;
        let (notifier, notes) = notes(Waker::new(poll.registry(), WAKER)?);
        let signals = match options.signals {
            true => Some(Signals::new(poll.registry(), SIGNALS)?),
            false => None,
        };
        options.post.open(options.address, notifier.clone());
        let mut out = Out::new(stopwatch());
        out.set_memory(options.memory.map(|allocator| allocator.allocated));
        Ok(Driver {
            machine,
            out,
            now: Now::default(),
            clock: Clock::new(),
            poll,
            conns: Conns::default(),
            listeners: Vec::new(),
            buffer: Vec::new(),
            ready: Vec::new(),
            touched: Vec::new(),
            unwritten: Vec::new(),
            gated: Vec::new(),
            asked: Vec::new(),
            closing: false,
            later: VecDeque::new(),
            actions: Vec::new(),
            unfinished: BTreeSet::new(),
            gates_moved: false,
            acknowledged: 0,
            files: Files::new(options.folder, notifier.clone())?,
            offload: Offload::new(notifier.clone())?,
            notifier,
            notes,
            post: options.post,
            address: options.address,
            signals,
            told: Told { log: options.log, ready: options.ready, memory: options.memory },
            vitals: vitals::constants(),
            next_vitals: Instant(0),
            background: Background::new(),
            keepalive: options.keepalive,
            linger: options.linger,
            exit: None,
        })
    }

    /// Runs the machine until it asks to exit; its exit status. File operations it asked for are
    /// finished first.
    pub fn run(&mut self) -> io::Result<i32> {
        self.now = self.clock.read();
        self.call(Event::Started);
        self.send_vitals();
        self.end_turn(true);
        let mut events = Events::with_capacity(EVENTS);
        while self.exit.is_none() {
            let patience = self.patience();
            match self.poll.poll(&mut events, patience) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                polled => polled?,
            }
            self.now = self.clock.read();
            let busy = self.intake(&events);
            self.end_turn(busy);
        }
        self.files.finish();
        Ok(self.exit.unwrap_or_default())
    }

    /// Hands one event over and sees to what came of it.
    pub(crate) fn call(&mut self, event: Event<'_>) {
        self.machine.handle(self.now, event, &mut self.out);
        self.after_call();
    }

    /// Carries out what the last call left.
    #[inline]
    pub(crate) fn after_call(&mut self) {
        if self.out.has_actions() {
            self.perform_actions();
        }
        if !self.out.holds_writes() {
            self.flush_touched();
        }
    }

    /// How long to wait for something to happen; none: until it does.
    fn patience(&mut self) -> Option<Duration> {
        let at_once = !self.ready.is_empty()
            || !self.later.is_empty()
            || !self.unwritten.is_empty()
            || self.conns.has_departing()
            || self.background.is_wanted();
        if at_once {
            return Some(Duration::ZERO);
        }
        let mut until = self.next_vitals;
        if let Some(deadline) = self.machine.deadline() {
            until = until.min(deadline);
        }
        if self.closing {
            // Lingering connections are looked at often enough, not to the millisecond.
            until = until.min(self.now.mono + Span::millis(100));
        }
        for listener in self.listeners.iter().flatten() {
            until = listener.retry.map_or(until, |at| until.min(at));
        }
        // The poll rounds up to its own unit, so it never returns just before the deadline.
        Some(Duration::from_nanos(until.since(monotonic()).0))
    }

    /// Hands over everything that is ready; whether that was anything.
    fn intake(&mut self, events: &Events) -> bool {
        let mut carried = std::mem::take(&mut self.ready);
        let mut busy = !events.is_empty() || !carried.is_empty();
        for event in events {
            match event.token() {
                mio::Token(id) if id < LISTENERS => self.conn_event(ConnId(id as u32), event),
                WAKER => self.take_notes(),
                SIGNALS => self.take_signals(),
                mio::Token(listener) => self.accept(listener - LISTENERS),
            }
        }
        for id in carried.drain(..) {
            if let Some(conn) = self.conns.get(id)
                && std::mem::take(&mut conn.ready)
            {
                self.read(id);
            }
        }
        if self.ready.is_empty() {
            self.ready = carried;
        }
        for id in std::mem::take(&mut self.unwritten) {
            busy = true;
            self.write_again(id);
        }
        busy | self.take_timed()
    }

    #[inline]
    fn conn_event(&mut self, id: ConnId, event: &mio::event::Event) {
        let Some(conn) = self.conns.get(id) else { return };
        if conn.connecting.is_some() && !self.connected(id) {
            return;
        }
        let Some(conn) = self.conns.get(id) else { return };
        if event.is_read_closed() || event.is_write_closed() || event.is_error() {
            conn.ending = true;
        }
        let readable = event.is_readable() || conn.ending;
        // One that is in the list is read from there, once a turn.
        let read = readable && !conn.ready;
        if conn.blocked && (event.is_writable() || conn.ending) {
            conn.blocked = false;
            self.write_again(id);
        }
        if read {
            self.read(id);
        }
    }

    fn take_notes(&mut self) {
        self.notes.look();
        while let Some(note) = self.notes.take() {
            match note {
                Note::FileDone(ticket, result) => {
                    if result.is_ok() {
                        self.unfinished.remove(&ticket);
                        self.gates_moved = true;
                    }
                    self.call(Event::FileDone { ticket, result });
                }
                Note::JobDone(ticket, result) => self.call(Event::JobDone { ticket, result }),
                Note::Resolved(token, addresses) => {
                    self.call(Event::Resolved { token, addresses: &addresses });
                }
                Note::Mail(from, letter) => self.call(Event::Mail { from, letter }),
            }
        }
    }

    fn take_signals(&mut self) {
        let Some(mut signals) = self.signals.take() else { return };
        for signal in signals.take() {
            self.call(Event::Signal(signal));
        }
        self.signals = Some(signals);
    }

    /// Hands over what time or earlier calls brought about; whether that was anything.
    fn take_timed(&mut self) -> bool {
        let mut busy = !self.later.is_empty();
        for index in 0..self.listeners.len() {
            let retry = self.listeners[index].as_ref().and_then(|l| l.retry);
            if retry.is_some_and(|at| at <= self.now.mono) {
                busy = true;
                self.accept(index);
            }
        }
        if self.closing {
            self.end_lingering();
        }
        if self.conns.has_departing() {
            busy = true;
            self.let_depart();
        }
        if self.next_vitals <= self.now.mono {
            self.send_vitals();
        }
        self.take_later();
        // After all input: who was heard of in this very turn has not been silent for too long.
        if self.machine.deadline().is_some_and(|at| at <= self.now.mono) {
            busy = true;
            self.call(Event::Wake);
            self.take_later();
        }
        busy
    }

    /// Ends those that have waited for a turn with room.
    #[cold]
    fn let_depart(&mut self) {
        for _ in 0..TURN_CONNS {
            let Some((id, dropped)) = self.conns.next_departing() else { return };
            if dropped {
                self.end(id, CloseReason::Local);
            } else {
                // What it sent before its end comes first.
                self.read(id);
            }
        }
    }

    /// Hands over what earlier calls brought about; what comes of that waits for the next round.
    fn take_later(&mut self) {
        for _ in 0..self.later.len() {
            let Some(later) = self.later.pop_front() else { return };
            match later {
                Later::Closed(..) if self.conns.has_told_enough() => self.later.push_back(later),
                Later::Closed(conn, why) => {
                    self.call(Event::Closed { conn, why });
                    self.out.forget(conn);
                    self.conns.retire(conn);
                }
                Later::Drained(conn) => {
                    if self.conns.get(conn).is_some_and(|conn| !conn.dropped) {
                        self.call(Event::Drained { conn });
                    }
                }
                Later::Listening(token, address) => self.call(Event::Listening { token, address }),
                Later::ListenFailed(token, why) => self.call(Event::ListenFailed { token, why }),
                Later::ConnectFailed(token, why) => self.call(Event::ConnectFailed { token, why }),
                Later::Unresolved(token) => self.call(Event::Resolved { token, addresses: &[] }),
            }
        }
    }

    fn send_vitals(&mut self) {
        self.next_vitals = self.now.mono + VITALS_EVERY;
        vitals::measure(&mut self.vitals, self.told.memory);
        let vitals = std::mem::take(&mut self.vitals);
        self.machine.handle(self.now, Event::Vitals(&vitals), &mut self.out);
        self.vitals = vitals;
        self.after_call();
    }

    fn end_turn(&mut self, busy: bool) {
        self.background.ask(self.out.take_more_work());
        let began = self.now.mono;
        // A process that was stopped in mid-turn must see it here, before its replies leave.
        self.now = self.clock.read();
        let before = self.now.mono;
        let units = self.background.grant(busy, before.since(began));
        self.call(Event::TurnEnd { units });
        let after = if units > 0 { monotonic() } else { before };
        self.background.took(before, after);
        self.background.ask(self.out.take_more_work());
        self.flush_turn();
        self.conns.recycle();
        let turn = monotonic().since(began).as_micros();
        self.vitals.max_turn_us = self.vitals.max_turn_us.max(turn);
    }

    /// Ends a connection; the machine hears of it later in the turn.
    pub(crate) fn end(&mut self, id: ConnId, why: CloseReason) {
        let Some(mut conn) = self.conns.remove(id) else { return };
        let local = conn.closing.is_some();
        if local {
            // Unread input would turn our end into a reset, which may cost the peer our last bytes.
            let _ = crate::buffer::fill(&mut Vec::new(), 64 * 1024, &mut conn.stream);
        }
        let why = if local { CloseReason::Local } else { why };
        self.later.push_back(Later::Closed(id, why));
    }
}
