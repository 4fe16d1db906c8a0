//! The handlers of commands on data.
//!
//! A handler reads its request, changes the keyspace through [`Context`], writes its reply and
//! says what it did. It never sees a socket.

mod args;
mod arithmetic;
mod database;
mod expiry;
mod generic;
mod lcs;
mod long_double;
mod moving;
mod object;
mod options;
mod string;
mod substring;
mod transfer;
mod walk;

pub use args::Args;
pub use object::encoding_name;

use crate::access::{Frequency, Stamp};
use crate::effects::Effects;
use crate::keyspace::{Keyspace, Place};
use crate::table::{Edit, EntryRef, Hash};
use crate::value::{Big, PAGE, View};
use machine::Splice;
use std::ops::Range;
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
    pub access: Stamp,
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
    /// How keys count their uses.
    pub frequency: Frequency,
    /// The eviction policy looks at each value's use, so small integers are not said to be shared.
    pub unshared: bool,
}

impl Counters {
    /// Starts counting anew.
    pub fn reset(&mut self) {
        (self.hits, self.misses, self.expired) = (0, 0, 0);
    }

    /// Counts a look-up.
    fn looked_up(&mut self, found: bool) {
        if found {
            self.hits += 1;
        } else {
            self.misses += 1;
        }
    }
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
    let families: [&[(CommandId, Handler)]; 11] = [
        string::HANDLERS,
        substring::HANDLERS,
        arithmetic::HANDLERS,
        generic::HANDLERS,
        expiry::HANDLERS,
        moving::HANDLERS,
        walk::HANDLERS,
        database::HANDLERS,
        object::HANDLERS,
        lcs::HANDLERS,
        transfer::HANDLERS,
    ];
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
        self.look_up::<true>(hash, key)
    }

    /// As [`Data::read`], for commands about keys rather than values: notes no access.
    pub fn look(&mut self, hash: Hash, key: &[u8]) -> Option<EntryRef<'_>> {
        self.look_up::<false>(hash, key)
    }

    #[inline(always)]
    fn look_up<const TOUCH: bool>(&mut self, hash: Hash, key: &[u8]) -> Option<EntryRef<'_>> {
        let access = self.access;
        let Some(mut edit) = self.keyspace.edit_existing(self.place, hash, key) else {
            self.counters.misses += 1;
            return None;
        };
        match edit.entry() {
            Some(entry) if !is_expired(entry, self.now, self.expired) => {
                if TOUCH {
                    self.counters.frequency.touch(access, entry);
                }
            }
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
        edit.start_with_access(self.access.bits());
        if let Some(entry) = edit.entry() {
            if is_expired(entry, self.now, self.expired) {
                expire_now(&mut edit, key, self.effects, self.counters);
            } else {
                self.counters.frequency.touch(self.access, entry);
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
        View::Big(big) => reply_big(reply, splices, big, 0..big.len()),
    }
}

/// Writes a part of a string value as a bulk reply; the range must lie inside.
fn reply_range(
    reply: &mut Reply<'_>,
    splices: &mut Vec<Splice>,
    view: View<'_>,
    range: Range<usize>,
) {
    match view {
        View::Bytes(bytes) => reply.bulk(&bytes[range]),
        View::Int(n) => reply.bulk(&itoa::Buffer::new().format(n).as_bytes()[range]),
        View::Big(big) => reply_big(reply, splices, big, range),
    }
}

#[cold]
fn reply_big(reply: &mut Reply<'_>, splices: &mut Vec<Splice>, big: &Big, range: Range<usize>) {
    let shared = range.len() >= SHARE_FROM;
    reply.bulk_header(range.len());
    let mut send = |bytes: &Arc<[u8]>, range: Range<usize>| {
        if shared {
            splices.push(Splice { at: reply.position(), bytes: Arc::clone(bytes), range });
        } else {
            reply.raw(&bytes[range]);
        }
    };
    match big {
        Big::Shared(bytes) => send(bytes, range),
        Big::Paged(pages) => {
            let mut at = range.start;
            while at < range.end {
                let page = &pages.pages()[at / PAGE];
                let within = at % PAGE;
                let n = (range.end - at).min(page.len - within);
                send(&page.bytes, page.start + within..page.start + within + n);
                at += n;
            }
        }
    }
    reply.bulk_trailer();
}
