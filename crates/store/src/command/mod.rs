//! The handlers of commands on data.
//!
//! A handler reads its request, changes the keyspace through [`Context`], writes its reply and
//! says what it did. It never sees a socket.

mod args;
mod generic;
mod string;

pub use args::Args;

use crate::effects::Effects;
use crate::keyspace::{Keyspace, Place};
use crate::table::{Edit, EntryRef, Hash};
use crate::value::{Big, View};
use machine::Splice;
use std::sync::Arc;
use wire::command::CommandId;
use wire::reply::Reply;

/// A request for the store.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// The command's name and its arguments.
    pub args: &'a [&'a [u8]],
    /// The hash of the first key.
    pub hash: Hash,
    /// The same arguments as shared bytes, when they came that way; else empty.
    pub bodies: &'a [Arc<[u8]>],
}

impl<'a> Request<'a> {
    /// An argument by its place; empty when there is none, which arity rules out.
    #[inline]
    pub fn arg(&self, index: usize) -> &'a [u8] {
        self.args.get(index).copied().unwrap_or_default()
    }
}

/// What a handler works on.
pub struct Context<'c> {
    /// The data and what goes with changing it.
    pub data: Data<'c>,
    /// Where the reply goes.
    pub reply: Reply<'c>,
    /// Large values within the reply.
    pub splices: &'c mut Vec<Splice>,
}

/// The data as one command sees it.
pub struct Data<'c> {
    /// All keys.
    pub keyspace: &'c mut Keyspace,
    /// Database, and slot in cluster mode, of the command's keys.
    pub place: Place,
    /// The time of the command, in Unix milliseconds.
    pub now: u64,
    /// Access bits for a key that is touched now.
    pub access: u32,
    /// What to do about expired keys.
    pub expired: Expired,
    /// What the command did.
    pub effects: &'c mut Effects,
    /// What INFO counts.
    pub counters: &'c mut Counters,
}

/// What a command does about a key whose time has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expired {
    /// Deletes it and tells replicas: on a primary.
    Delete,
    /// Treats it as absent, and waits for the primary's word: for clients of a replica.
    Hide,
    /// Takes no notice: for the primary's own stream.
    Ignore,
}

/// Counts that handlers keep.
#[derive(Default, Clone, Debug)]
pub struct Counters {
    /// `keyspace_hits`.
    pub hits: u64,
    /// `keyspace_misses`.
    pub misses: u64,
    /// `expired_keys`.
    pub expired: u64,
}

/// A handler. The arity has been checked.
pub type Handler = fn(&mut Context<'_>, &Request<'_>);

/// The handler of a command that works on data, if it is built.
#[inline]
pub fn handler(id: CommandId) -> Option<Handler> {
    HANDLERS[id as usize]
}

const HANDLERS: [Option<Handler>; wire::command::COUNT] = {
    let mut table = [None; wire::command::COUNT];
    let mut family = 0;
    let families: [&[(CommandId, Handler)]; 2] = [string::HANDLERS, generic::HANDLERS];
    while family < families.len() {
        let mut row = 0;
        while row < families[family].len() {
            let (id, handler) = families[family][row];
            table[id as usize] = Some(handler);
            row += 1;
        }
        family += 1;
    }
    table
};

impl Data<'_> {
    /// A key for reading: counts a hit or a miss, notes the access, hides what has expired.
    #[inline(always)]
    pub fn read(&mut self, hash: Hash, key: &[u8]) -> Option<EntryRef<'_>> {
        let access = self.access;
        let Some(mut edit) = self.keyspace.edit_existing(self.place, hash, key) else {
            self.counters.misses += 1;
            return None;
        };
        match edit.entry() {
            Some(entry) if !is_expired(entry, self.now, self.expired) => entry.set_access(access),
            found => {
                self.counters.misses += 1;
                if found.is_some() && self.expired == Expired::Delete {
                    expire_now(&mut edit, key, self.effects, self.counters);
                }
                return None;
            }
        }
        self.counters.hits += 1;
        edit.into_entry()
    }

    /// A key for looking at without a trace in statistics and access bits.
    pub fn peek(&mut self, hash: Hash, key: &[u8]) -> Option<EntryRef<'_>> {
        let mut edit = self.keyspace.edit_existing(self.place, hash, key)?;
        if is_expired(edit.entry()?, self.now, self.expired) {
            if self.expired == Expired::Delete {
                expire_now(&mut edit, key, self.effects, self.counters);
            }
            return None;
        }
        edit.into_entry()
    }

    /// A key for changing; what has expired is removed first.
    #[inline(always)]
    pub fn edit<'s, 'k>(&'s mut self, hash: Hash, key: &'k [u8]) -> Edit<'s, 'k> {
        let mut edit = self.keyspace.edit(self.place, hash, key);
        if let Some(entry) = edit.entry() {
            if is_expired(entry, self.now, self.expired) {
                expire_now(&mut edit, key, self.effects, self.counters);
            } else {
                entry.set_access(self.access);
            }
        }
        edit
    }
}

#[cold]
fn expire_now(edit: &mut Edit<'_, '_>, key: &[u8], effects: &mut Effects, counters: &mut Counters) {
    edit.remove();
    counters.expired += 1;
    effects.command(1, &[b"DEL", key]);
}

#[inline]
fn is_expired(entry: EntryRef<'_>, now: u64, rule: Expired) -> bool {
    entry.expires().is_some_and(|at| at < now) && rule != Expired::Ignore
}

/// Strings from this length on are sent from where they are instead of being copied.
const SHARE_FROM: usize = 16 * 1024;

/// Writes a string value as a bulk reply.
#[inline]
pub fn reply_string(reply: &mut Reply<'_>, splices: &mut Vec<Splice>, view: View<'_>) {
    match view {
        View::Bytes(bytes) => reply.bulk(bytes),
        View::Int(n) => reply.bulk(itoa::Buffer::new().format(n).as_bytes()),
        View::Big(big) => reply_big(reply, splices, big),
    }
}

#[cold]
fn reply_big(reply: &mut Reply<'_>, splices: &mut Vec<Splice>, big: &Big) {
    reply.bulk_header(big.len());
    for run in big.runs() {
        if big.len() < SHARE_FROM {
            reply.raw(run.as_slice());
        } else {
            let range = run.start..run.start + run.len;
            splices.push(Splice { at: reply.position(), bytes: run.bytes, range });
        }
    }
    reply.bulk_trailer();
}
