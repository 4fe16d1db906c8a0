//! Commands that give a value another key or another database.

use super::args::{is, text};
use super::{Args, Context, Data, Handler, Request, is_expired};
use crate::keyspace::Place;
use crate::table::{EntryRef, Hash};
use crate::value::{Big, New, View};
use wire::command::CommandId;

pub(super) const HANDLERS: &[(CommandId, Handler)] = &[
    (CommandId::Copy, copy),
    (CommandId::Move, move_to),
    (CommandId::Rename, rename),
    (CommandId::Renamenx, renamenx),
];

/// A value with its expiry, on the way from one entry to another. A big one is shared.
struct Copied {
    value: Value,
    expires: Option<u64>,
    access: u32,
}

enum Value {
    Int(i64),
    Bytes(Vec<u8>),
    Raw(Vec<u8>),
    Big(Big),
}

impl Copied {
    fn of(entry: EntryRef<'_>) -> Self {
        let value = match entry.view() {
            View::Int(n) => Value::Int(n),
            View::Bytes(bytes) if entry.is_raw() => Value::Raw(bytes.to_vec()),
            View::Bytes(bytes) => Value::Bytes(bytes.to_vec()),
            View::Big(big) => Value::Big(big.clone()),
        };
        Copied { value, expires: entry.expires(), access: entry.access() }
    }

    fn put(self, data: &mut Data<'_>, place: Place, hash: Hash, key: &[u8]) {
        let mut edit = data.keyspace.edit(place, hash, key);
        let value = match &self.value {
            Value::Int(n) => New::Int(*n),
            Value::Bytes(bytes) => New::Bytes(bytes),
            Value::Raw(bytes) => New::Raw(bytes),
            Value::Big(big) => New::Big(big.clone()),
        };
        edit.put(value, self.expires);
        if let Some(entry) = edit.entry() {
            entry.set_access(self.access);
        }
    }
}

fn rename(cx: &mut Context<'_>, request: &Request<'_>) {
    if let Some(done) = rename_unless(cx, request, false) {
        debug_assert!(done);
        cx.reply.ok();
    }
}

fn renamenx(cx: &mut Context<'_>, request: &Request<'_>) {
    if let Some(done) = rename_unless(cx, request, true) {
        cx.reply.integer(i64::from(done));
    }
}

/// Renames, unless the new name is taken and must not be; `None` after an error reply.
fn rename_unless(cx: &mut Context<'_>, request: &Request<'_>, taken: bool) -> Option<bool> {
    let (from, to) = (request.arg(1), request.arg(2));
    let Some(entry) = cx.data.edit(request.hash, from).into_entry() else {
        cx.reply.error("ERR no such key");
        return None;
    };
    if from == to {
        return Some(!taken);
    }
    let copied = Copied::of(entry);
    let hash = cx.data.keyspace.hash(to);
    // What has expired under the new name goes first, and replicas are told so.
    let exists = cx.data.edit(hash, to).entry().is_some();
    if taken && exists {
        return Some(false);
    }
    let place = cx.data.place;
    cx.data.edit(request.hash, from).remove();
    copied.put(&mut cx.data, place, hash, to);
    cx.data.effects.verbatim(1);
    Some(true)
}

/// The place in another database, or an error.
fn elsewhere(data: &Data<'_>, db: i32) -> Result<Place, &'static str> {
    let known = u32::try_from(db).ok().filter(|&db| db < data.keyspace.databases());
    known.map(|db| Place::new(db, data.place.slot())).ok_or(text::NO_DATABASE)
}

/// Whether a key exists at a place that may be in another database. If it has expired, its removal
/// is said there: the effect is framed by SELECT.
fn is_taken(data: &mut Data<'_>, place: Place, hash: Hash, key: &[u8]) -> bool {
    if place.db() == data.place.db() {
        return data.edit(hash, key).entry().is_some();
    }
    let Some(entry) = data.keyspace.get(place, hash, key) else { return false };
    let due = is_expired(entry, data.now, data.expired);
    if due {
        data.keyspace.edit(place, hash, key).remove();
        data.counters.expired += 1;
        let mut digits = itoa::Buffer::new();
        data.effects.command(0, &[b"SELECT", digits.format(place.db()).as_bytes()]);
        data.effects.command(1, &[b"DEL", key]);
        data.effects.command(0, &[b"SELECT", digits.format(data.place.db()).as_bytes()]);
    }
    !due
}

fn move_to(cx: &mut Context<'_>, request: &Request<'_>) {
    match try_move(&mut cx.data, request) {
        Ok(moved) => cx.reply.integer(i64::from(moved)),
        Err(error) => cx.reply.error(error),
    }
}

fn try_move(data: &mut Data<'_>, request: &Request<'_>) -> Result<bool, &'static str> {
    if data.keyspace.is_slotted() {
        return Err("ERR MOVE is not allowed in cluster mode");
    }
    let mut args = Args::new(&request.args[2..]);
    let db = args.small_integer();
    args.finish()?;
    let target = elsewhere(data, db)?;
    if target == data.place {
        return Err(text::SAME_OBJECT);
    }
    let (hash, key) = (request.hash, request.arg(1));
    let Some(copied) = data.edit(hash, key).into_entry().map(Copied::of) else {
        return Ok(false);
    };
    if is_taken(data, target, hash, key) {
        return Ok(false);
    }
    data.edit(hash, key).remove();
    copied.put(data, target, hash, key);
    data.effects.verbatim(1);
    Ok(true)
}

fn copy(cx: &mut Context<'_>, request: &Request<'_>) {
    match try_copy(&mut cx.data, request) {
        Ok(copied) => cx.reply.integer(i64::from(copied)),
        Err(error) => cx.reply.error(error),
    }
}

fn try_copy(data: &mut Data<'_>, request: &Request<'_>) -> Result<bool, &'static str> {
    let mut args = Args::new(&request.args[3..]);
    let mut target = data.place;
    let mut replace = false;
    while let Some(word) = args.next() {
        if is(word, "replace") {
            replace = true;
        } else if is(word, "db") && !args.is_empty() {
            let db = args.small_integer();
            // An error in the number comes before what this makes of it.
            match elsewhere(data, db) {
                Ok(place) => target = place,
                Err(error) => args.fail(error),
            }
        } else {
            args.fail(text::SYNTAX);
        }
    }
    args.finish()?;
    let (from, to) = (request.arg(1), request.arg(2));
    if target == data.place && from == to {
        return Err(text::SAME_OBJECT);
    }
    let Some(copied) = data.read(request.hash, from).map(Copied::of) else {
        return Ok(false);
    };
    let hash = data.keyspace.hash(to);
    if is_taken(data, target, hash, to) && !replace {
        return Ok(false);
    }
    let fresh = Copied { access: data.access.bits(), ..copied };
    fresh.put(data, target, hash, to);
    data.effects.verbatim(1);
    Ok(true)
}
