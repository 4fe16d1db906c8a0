//! Commands that go over keys nobody named.

use super::args::{is, text};
use super::{Args, Context, Expired, Handler, Request};
use crate::keyspace::Place;
use crate::table::EntryRef;
use wire::command::CommandId;
use wire::glob;
use wire::reply::Reply;
use wire::slot::SLOTS;

pub(super) const HANDLERS: &[(CommandId, Handler)] =
    &[(CommandId::Keys, keys), (CommandId::Randomkey, randomkey), (CommandId::Scan, scan)];

/// Keys written as bulk strings, before it is known how many they are.
struct Found {
    bytes: Vec<u8>,
    count: usize,
}

impl Found {
    fn new() -> Self {
        Found { bytes: Vec::new(), count: 0 }
    }

    fn add(&mut self, key: &[u8]) {
        Reply::new(&mut self.bytes, wire::reply::Protocol::Resp2).bulk(key);
        self.count += 1;
    }

    fn reply(&self, reply: &mut Reply<'_>) {
        reply.array(self.count);
        reply.raw(&self.bytes);
    }
}

fn keys(cx: &mut Context<'_>, request: &Request<'_>) {
    let (pattern, db) = (request.arg(1), cx.data.place.db());
    let (now, rule) = (cx.data.now, cx.data.expired);
    let hidden = |entry: EntryRef<'_>| super::is_expired(entry, now, rule);
    let keyspace = &*cx.data.keyspace;
    let mut found = Found::new();
    if glob::is_literal(pattern) {
        let slot = if keyspace.is_slotted() { wire::slot::slot(pattern) } else { 0 };
        let entry = keyspace.get(Place::new(db, slot), keyspace.hash(pattern), pattern);
        if entry.is_some_and(|entry| !hidden(entry)) {
            found.add(pattern);
        }
        return found.reply(&mut cx.reply);
    }
    let every = pattern == b"*";
    for (_, table) in keyspace.tables(db) {
        let mut position = 0;
        loop {
            position = table.scan(position, |entry| {
                if (every || glob::matches(pattern, entry.key())) && !hidden(entry) {
                    found.add(entry.key());
                }
            });
            if position == 0 {
                break;
            }
        }
    }
    found.reply(&mut cx.reply);
}

fn randomkey(cx: &mut Context<'_>, _request: &Request<'_>) {
    /// A replica cannot remove what has expired; after so many it shows one of them.
    const PATIENCE: u32 = 100;
    let (db, now, rule) = (cx.data.place.db(), cx.data.now, cx.data.expired);
    let mut tries = 0;
    loop {
        let Some((place, entry)) = cx.data.keyspace.random(db) else {
            return cx.reply.null();
        };
        tries += 1;
        if !super::is_expired(entry, now, rule) || (rule == Expired::Hide && tries == PATIENCE) {
            return cx.reply.bulk(entry.key());
        }
        if rule == Expired::Delete {
            let key = entry.key().to_vec();
            remove_expired(cx, place, &key);
        }
    }
}

/// Lets a key go whose time has come.
fn remove_expired(cx: &mut Context<'_>, place: Place, key: &[u8]) {
    let hash = cx.data.keyspace.hash(key);
    let own = std::mem::replace(&mut cx.data.place, place);
    cx.data.peek(hash, key);
    cx.data.place = own;
    cx.data.effects.apart();
}

/// What SCAN was asked for.
struct Wish<'a> {
    count: usize,
    pattern: Option<&'a [u8]>,
    kind: Option<&'a [u8]>,
}

impl<'a> Wish<'a> {
    fn parse(words: &'a [&'a [u8]]) -> Result<Self, &'static str> {
        let mut args = Args::new(words);
        let mut wish = Wish { count: 10, pattern: None, kind: None };
        while let Some(word) = args.next() {
            if args.is_empty() {
                args.fail(text::SYNTAX);
            } else if is(word, "count") {
                match args.integer() {
                    count @ 1.. => wish.count = count as usize,
                    // An earlier error stays the first.
                    _ => args.fail(text::SYNTAX),
                }
            } else if is(word, "match") {
                wish.pattern = args.next().filter(|pattern| *pattern != b"*");
            } else if is(word, "type") {
                wish.kind = args.next();
            } else {
                args.fail(text::SYNTAX);
            }
        }
        args.finish().map(|()| wish)
    }

    fn fits(&self, entry: EntryRef<'_>) -> bool {
        self.pattern.is_none_or(|pattern| glob::matches(pattern, entry.key()))
            && self.kind.is_none_or(|kind| is(kind, entry.view().kind().name()))
    }
}

/// A cursor as strtoul reads it: empty is 0, a sign is allowed, and a NUL ends it.
fn parse_cursor(word: &[u8]) -> Option<u64> {
    let word = word.split(|&byte| byte == 0).next().unwrap_or_default();
    let (negative, digits) = match word {
        [] => return Some(0),
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    if digits.is_empty() {
        return None;
    }
    let value = digits.iter().try_fold(0u64, |sum, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    })?;
    Some(if negative { value.wrapping_neg() } else { value })
}

/// Where a scan stands: a slot, and a prefix of a hash within its table.
///
/// As a cursor it has 48 bits, so that any client can hold it. They are the position's leading
/// ones; with slots 34 of them, above the 14 of the slot. No table has more buckets than that.
#[derive(Clone, Copy)]
struct Cursor {
    slot: usize,
    position: u64,
}

const SLOT_BITS: u32 = SLOTS.trailing_zeros();

impl Cursor {
    fn of(number: u64, slotted: bool) -> Self {
        if slotted {
            let slot = number as usize % SLOTS;
            Cursor { slot, position: number >> SLOT_BITS << (16 + SLOT_BITS) }
        } else {
            Cursor { slot: 0, position: number << 16 }
        }
    }

    fn number(self, slotted: bool) -> u64 {
        if slotted {
            self.position >> (16 + SLOT_BITS) << SLOT_BITS | self.slot as u64
        } else {
            self.position >> 16
        }
    }
}

fn scan(cx: &mut Context<'_>, request: &Request<'_>) {
    let Some(number) = parse_cursor(request.arg(1)) else {
        return cx.reply.error("ERR invalid cursor");
    };
    let wish = match Wish::parse(&request.args[2..]) {
        Ok(wish) => wish,
        Err(error) => return cx.reply.error(error),
    };
    let slotted = cx.data.keyspace.is_slotted();
    let (db, now, rule) = (cx.data.place.db(), cx.data.now, cx.data.expired);
    let mut found = Found::new();
    let mut expired: Vec<(Place, Vec<u8>)> = Vec::new();
    let cursor = walk(cx, Cursor::of(number, slotted), wish.count, |slot, entry| {
        if !super::is_expired(entry, now, rule) {
            if wish.fits(entry) {
                found.add(entry.key());
            }
        } else if rule == Expired::Delete {
            expired.push((Place::new(db, slot), entry.key().to_vec()));
        }
    });
    for (place, key) in &expired {
        remove_expired(cx, *place, key);
    }
    cx.reply.array(2);
    let number = cursor.map_or(0, |cursor| cursor.number(slotted));
    cx.reply.bulk(itoa::Buffer::new().format(number).as_bytes());
    found.reply(&mut cx.reply);
}

/// Visits entries from `at` on, until there were `count` of them or ten times as many buckets;
/// where to go on, or `None` at the end.
fn walk(
    cx: &Context<'_>,
    mut at: Cursor,
    count: usize,
    mut each: impl FnMut(u16, EntryRef<'_>),
) -> Option<Cursor> {
    let keyspace = &*cx.data.keyspace;
    let tables = if keyspace.is_slotted() { SLOTS } else { 1 };
    let (mut entries, mut buckets) = (0, count.saturating_mul(10));
    while at.slot < tables {
        let slot = at.slot as u16;
        if let Some(table) = keyspace.table(Place::new(cx.data.place.db(), slot)) {
            loop {
                if entries >= count || buckets == 0 {
                    return Some(at);
                }
                buckets -= 1;
                at.position = table.scan(at.position, |entry| {
                    entries += 1;
                    each(slot, entry);
                });
                if at.position == 0 {
                    break;
                }
            }
        }
        at = Cursor { slot: at.slot + 1, position: 0 };
    }
    None
}
