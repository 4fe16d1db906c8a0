//! The channel by which other threads report to a driver.

use machine::{Address, FileError, FileOutput, Letter, Ticket, Token};
use mio::Waker;
use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

/// What another thread has to report.
pub(crate) enum Note {
    FileDone(Ticket, Result<FileOutput, FileError>),
    JobDone(Ticket, Letter),
    Resolved(Token, Vec<IpAddr>),
    Mail(Address, Letter),
}

/// The end that other threads hold.
#[derive(Clone)]
pub(crate) struct Notifier {
    sender: Sender<Note>,
    waker: Arc<Waker>,
    /// Whether the driver has been woken and has not looked yet: then waking again is waste.
    woken: Arc<AtomicBool>,
}

/// The end that the driver holds.
pub(crate) struct Notes {
    receiver: Receiver<Note>,
    /// Those of the turn at hand.
    taken: VecDeque<Note>,
    woken: Arc<AtomicBool>,
}

/// A channel whose driver is woken through `waker`.
pub(crate) fn notes(waker: Waker) -> (Notifier, Notes) {
    let (sender, receiver) = channel();
    let woken = Arc::new(AtomicBool::new(false));
    let notifier = Notifier { sender, waker: Arc::new(waker), woken: woken.clone() };
    (notifier, Notes { receiver, taken: VecDeque::new(), woken })
}

impl Notifier {
    /// Reports. A driver that is gone hears nothing.
    pub(crate) fn send(&self, note: Note) {
        if self.sender.send(note).is_ok() && !self.woken.swap(true, Ordering::AcqRel) {
            let woken: io::Result<()> = self.waker.wake();
            woken.expect("an eventfd takes a wake-up");
        }
    }
}

impl Notes {
    /// Collects what there is: from now on a new note wakes the driver again, and is for the next
    /// turn. Otherwise a thread that answers what one note asked for before the next is looked at
    /// could keep a turn going for as long as it has answers.
    pub(crate) fn look(&mut self) {
        self.woken.swap(false, Ordering::AcqRel);
        self.taken.extend(self.receiver.try_iter());
    }

    /// The next of the notes collected.
    pub(crate) fn take(&mut self) -> Option<Note> {
        self.taken.pop_front()
    }
}
