//! Commands that read and write whole strings.

use super::args::text;
use super::options::{Of, Options, Time, Unit};
use super::{Context, Expired, Handler, Request, reply_string};
use crate::value::{Big, INLINE_MAX, Kind, New};
use std::sync::Arc;
use wire::command::CommandId;

pub(super) const HANDLERS: &[(CommandId, Handler)] = &[
    (CommandId::Get, get),
    (CommandId::Getdel, getdel),
    (CommandId::Getex, getex),
    (CommandId::Getset, getset),
    (CommandId::Mget, mget),
    (CommandId::Mset, mset),
    (CommandId::Msetnx, msetnx),
    (CommandId::Psetex, psetex),
    (CommandId::Set, set),
    (CommandId::Setex, setex),
    (CommandId::Setnx, setnx),
];

fn get(cx: &mut Context<'_>, request: &Request<'_>) {
    match cx.data.read(request.hash, request.arg(1)).map(|entry| entry.view()) {
        None => cx.reply.null(),
        Some(view) if view.kind() == Kind::String => {
            reply_string(&mut cx.reply, cx.splices, view);
        }
        Some(_) => cx.reply.error(text::WRONG_TYPE),
    }
}

fn set(cx: &mut Context<'_>, request: &Request<'_>) {
    if request.args.len() == 3 {
        let value = new_string(request, 2);
        cx.data.edit(request.hash, request.arg(1)).put(value, None);
        cx.data.effects.verbatim(1);
        return cx.reply.ok();
    }
    let invalid = "ERR invalid expire time in 'set' command";
    let options = Options::parse(&request.args[3..], Of::Set).and_then(|options| {
        let at = options.time.as_ref().map(|time| time.at(cx.data.now, invalid)).transpose()?;
        Ok((options, at))
    });
    match options {
        Ok((options, at)) => set_with(cx, request, &options, at),
        Err(error) => cx.reply.error(error),
    }
}

fn set_with(cx: &mut Context<'_>, request: &Request<'_>, options: &Options<'_>, at: Option<u64>) {
    let key = request.arg(1);
    let value = new_string(request, 2);
    let mut edit = cx.data.edit(request.hash, key);
    let old = edit.entry().map(|entry| entry.view());
    let exists = old.is_some();
    if options.get {
        match old {
            None => cx.reply.null(),
            Some(view) if view.kind() == Kind::String => {
                reply_string(&mut cx.reply, cx.splices, view);
            }
            Some(_) => {
                cx.data.counters.hits += 1;
                return cx.reply.error(text::WRONG_TYPE);
            }
        }
    }
    let refused = (options.only_new && exists) || (options.only_old && !exists);
    if !refused {
        if options.keep {
            edit.put_keeping_expiry(value);
        } else {
            edit.put(value, at);
        }
    }
    if options.get {
        cx.data.counters.looked_up(exists);
    } else if refused {
        cx.reply.null();
    } else {
        cx.reply.ok();
    }
    match (&options.time, at) {
        _ if refused => {}
        (Some(_), Some(at)) => {
            effect_of_set_at(cx, key, request.arg(2), at);
        }
        _ => cx.data.effects.verbatim(1),
    }
}

fn effect_of_set_at(cx: &mut Context<'_>, key: &[u8], value: &[u8], at: u64) {
    let mut digits = itoa::Buffer::new();
    let at = digits.format(at).as_bytes();
    cx.data.effects.command(1, &[b"SET", key, value, b"PXAT", at]);
}

/// An argument as a value: kept where it is when it came in an allocation of its own.
pub(super) fn new_string<'a>(request: &Request<'a>, index: usize) -> New<'a> {
    match request.bodies.get(index) {
        Some(body) if body.len() > INLINE_MAX => New::Big(Big::Shared(Arc::clone(body))),
        _ => New::string(request.arg(index)),
    }
}

fn setnx(cx: &mut Context<'_>, request: &Request<'_>) {
    let mut edit = cx.data.edit(request.hash, request.arg(1));
    let free = edit.entry().is_none();
    if free {
        edit.put(new_string(request, 2), None);
        cx.data.effects.verbatim(1);
    }
    cx.reply.integer(i64::from(free));
}

fn setex(cx: &mut Context<'_>, request: &Request<'_>) {
    set_for(cx, request, Unit::Ex, "ERR invalid expire time in 'setex' command");
}

fn psetex(cx: &mut Context<'_>, request: &Request<'_>) {
    set_for(cx, request, Unit::Px, "ERR invalid expire time in 'psetex' command");
}

fn set_for(cx: &mut Context<'_>, request: &Request<'_>, unit: Unit, invalid: &'static str) {
    match (Time { unit, word: request.arg(2) }).at(cx.data.now, invalid) {
        Ok(at) => {
            let (key, value) = (request.arg(1), new_string(request, 3));
            cx.data.edit(request.hash, key).put(value, Some(at));
            effect_of_set_at(cx, key, request.arg(3), at);
            cx.reply.ok();
        }
        Err(error) => cx.reply.error(error),
    }
}

/// Replies with the string that a command is about to change; whether the command may go on.
/// `None` stands for no such key.
fn reply_old(cx: &mut Context<'_>, request: &Request<'_>) -> Option<bool> {
    match cx.data.read(request.hash, request.arg(1)).map(|entry| entry.view()) {
        None => {
            cx.reply.null();
            None
        }
        Some(view) if view.kind() == Kind::String => {
            reply_string(&mut cx.reply, cx.splices, view);
            Some(true)
        }
        Some(_) => {
            cx.reply.error(text::WRONG_TYPE);
            Some(false)
        }
    }
}

fn getset(cx: &mut Context<'_>, request: &Request<'_>) {
    if reply_old(cx, request) == Some(false) {
        return;
    }
    let (key, value) = (request.arg(1), new_string(request, 2));
    cx.data.edit(request.hash, key).put(value, None);
    cx.data.effects.command(1, &[b"SET", key, request.arg(2)]);
}

fn getdel(cx: &mut Context<'_>, request: &Request<'_>) {
    if reply_old(cx, request) == Some(true) {
        let key = request.arg(1);
        cx.data.edit(request.hash, key).remove();
        cx.data.effects.command(1, &[b"DEL", key]);
    }
}

fn getex(cx: &mut Context<'_>, request: &Request<'_>) {
    let options = match Options::parse(&request.args[2..], Of::Getex) {
        Ok(options) => options,
        Err(error) => return cx.reply.error(error),
    };
    let before = cx.reply.position();
    let spliced = cx.splices.len();
    if reply_old(cx, request) != Some(true) {
        return;
    }
    let key = request.arg(1);
    let Some(time) = &options.time else {
        if options.persist && remove_expiry(cx, request) {
            cx.data.effects.command(1, &[b"PERSIST", key]);
        }
        return;
    };
    match time.at(cx.data.now, "ERR invalid expire time in 'getex' command") {
        Err(error) => {
            cx.reply.rewind(before);
            cx.splices.truncate(spliced);
            cx.reply.error(error);
        }
        Ok(at) => {
            // Only a primary decides that a key's time has come.
            let gone =
                time.unit.is_absolute() && at <= cx.data.now && cx.data.expired == Expired::Delete;
            let mut edit = cx.data.edit(request.hash, key);
            if gone {
                edit.remove();
                return cx.data.effects.command(1, &[b"DEL", key]);
            }
            edit.set_expires(Some(at));
            let mut digits = itoa::Buffer::new();
            let at = digits.format(at).as_bytes();
            cx.data.effects.command(1, &[b"PEXPIREAT", key, at]);
        }
    }
}

/// Takes the expiry of the request's key away; whether it had one.
pub(super) fn remove_expiry(cx: &mut Context<'_>, request: &Request<'_>) -> bool {
    let mut edit = cx.data.edit(request.hash, request.arg(1));
    let volatile = edit.entry().is_some_and(|entry| entry.expires().is_some());
    volatile && edit.set_expires(None)
}

fn mget(cx: &mut Context<'_>, request: &Request<'_>) {
    cx.reply.array(request.args.len() - 1);
    for (index, key) in request.args[1..].iter().enumerate() {
        let hash = if index == 0 { request.hash } else { cx.data.keyspace.hash(key) };
        match cx.data.read(hash, key).map(|entry| entry.view()) {
            Some(view) if view.kind() == Kind::String => {
                reply_string(&mut cx.reply, cx.splices, view);
            }
            _ => cx.reply.null(),
        }
    }
}

fn mset(cx: &mut Context<'_>, request: &Request<'_>) {
    if request.args.len().is_multiple_of(2) {
        return cx.reply.error("ERR wrong number of arguments for 'mset' command");
    }
    set_all(cx, request);
    cx.reply.ok();
}

fn msetnx(cx: &mut Context<'_>, request: &Request<'_>) {
    if request.args.len().is_multiple_of(2) {
        return cx.reply.error("ERR wrong number of arguments for 'msetnx' command");
    }
    for key in request.args[1..].iter().step_by(2) {
        let hash = cx.data.keyspace.hash(key);
        if cx.data.peek(hash, key).is_some() {
            return cx.reply.integer(0);
        }
    }
    set_all(cx, request);
    cx.reply.integer(1);
}

fn set_all(cx: &mut Context<'_>, request: &Request<'_>) {
    for index in (1..request.args.len()).step_by(2) {
        let key = request.arg(index);
        let hash = if index == 1 { request.hash } else { cx.data.keyspace.hash(key) };
        cx.data.edit(hash, key).put(new_string(request, index + 1), None);
    }
    cx.data.effects.verbatim((request.args.len() / 2) as u64);
}
