//! The contract between protocol and world.
//!
//! Every participant of a protocol (a node, its cluster bus, a Sentinel, a proxy) is a [`Machine`]:
//! a plain struct without I/O, threads, clocks or randomness of its own. A *driver* owns the
//! sockets, files and clocks, hands over what happened as [`Event`]s, and carries out what the
//! machine left in [`Out`]. Two drivers exist: `shell` on a real system, `sim` on virtual time.
//!
//! # The turn
//!
//! The driver hands over everything that is ready, one [`Event`] a call, and then
//! [`Event::TurnEnd`]. After each call it takes the requested actions from `Out`. Output is written
//! after the call when [`Out::hold_writes`] is off; when it is on, at the end of the turn: first
//! the connections marked with [`Out::set_first`] (replica links), then the others.
//!
//! # What a driver promises
//!
//! 1. Bytes of a connection arrive in order; a turn offers at most [`TURN_INPUT`] bytes of each.
//! 2. What [`Out::consumed`] did not cover is kept and offered again, before the next bytes.
//! 3. After an error or hang-up every readable byte is delivered before [`Event::Closed`].
//! 4. `Closed` comes exactly once for each connection, also for one the machine closed itself; a
//!    [`ConnId`] is not used again before that.
//! 5. File operations on one file complete in the order in which they were asked for.
//! 6. Within a turn, marked connections are written before the others.
//! 7. `now` is read anew for `TurnEnd`. It never goes back, and [`Machine::deadline`] is honoured:
//!    a call comes soon after it.
//! 8. A turn brings at most [`TURN_CONNS`] new connections of each listener, and tells of at most
//!    as many ends; the others wait for the next turns.
//!
//! # What a machine promises
//!
//! 1. No call lasts: long work is cut into units, and goes on at [`Event::TurnEnd`].
//! 2. Time decides nothing but through `now`; [`Out::ticks`] is for reporting only.
//! 3. A dead [`ConnId`] is forgotten at `Closed`.
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;

mod action;
#[cfg(feature = "conformance")]
pub mod conformance;
mod event;
mod out;
mod output;
mod time;

pub use action::{
    Action, Address, Crash, FileId, FileOp, Job, Letter, Level, ListenOn, OpenMode, Ticket, Token,
};
pub use event::{
    CloseReason, ConnId, Event, FileError, FileErrorKind, FileOutput, NetError, Peer, Signal,
    Vitals,
};
pub use out::{MemoryGauge, Out, Splice, Stopwatch};
pub use output::{Gate, Output};
pub use time::{Instant, Now, Span, UnixMicros};

/// The most input of one connection that a driver hands over in one turn, in bytes.
pub const TURN_INPUT: usize = 64 * 1024;

/// The most connections that a listener brings in one turn, and the most whose ends are told in
/// one: each costs several calls into the system.
pub const TURN_CONNS: usize = 32;

/// A protocol participant. See the crate's documentation for the order of calls.
pub trait Machine {
    /// Takes in one event and leaves in `out` what shall be done about it.
    fn handle(&mut self, now: Now, event: Event<'_>, out: &mut Out);

    /// When to be called again with [`Event::Wake`] at the latest; `None`: only when something
    /// happens. Must cost O(1): the driver asks after every turn.
    fn deadline(&self) -> Option<Instant>;
}

impl<M: Machine + ?Sized> Machine for alloc::boxed::Box<M> {
    fn handle(&mut self, now: Now, event: Event<'_>, out: &mut Out) {
        (**self).handle(now, event, out);
    }

    fn deadline(&self) -> Option<Instant> {
        (**self).deadline()
    }
}
