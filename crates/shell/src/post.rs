//! How machines of one process reach each other.

use crate::notes::{Note, Notifier};
use machine::{Address, Letter};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

enum Mailbox {
    /// Its driver has not started yet; letters wait.
    Waiting(Vec<(Address, Letter)>),
    Open(Notifier),
}

/// The registry of a process: each driver is made with a clone of it and an address of its own.
#[derive(Clone, Default)]
pub struct Post(Arc<Mutex<BTreeMap<Address, Mailbox>>>);

impl Post {
    /// An empty registry.
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens a mailbox and hands over the letters that waited.
    pub(crate) fn open(&self, address: Address, notifier: Notifier) {
        let mut boxes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Mailbox::Waiting(letters)) = boxes.remove(&address) {
            for (from, letter) in letters {
                notifier.send(Note::Mail(from, letter));
            }
        }
        boxes.insert(address, Mailbox::Open(notifier));
    }

    /// Sends a letter from one machine to another.
    pub fn send(&self, from: Address, to: Address, letter: Letter) {
        let mut boxes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match boxes.entry(to).or_insert_with(|| Mailbox::Waiting(Vec::new())) {
            Mailbox::Waiting(letters) => letters.push((from, letter)),
            Mailbox::Open(notifier) => notifier.send(Note::Mail(from, letter)),
        }
    }
}
