//! Commands on strings.

use super::args::text;
use super::{Args, Context, Handler, Request, reply_string};
use crate::value::{Big, INLINE_MAX, Kind, New, View};
use std::sync::Arc;
use wire::command::CommandId;
use wire::number;

pub(super) const HANDLERS: &[(CommandId, Handler)] = &[
    (CommandId::Get, get),
    (CommandId::Set, set),
    (CommandId::Incr, incr),
    (CommandId::Decr, decr),
    (CommandId::Incrby, incrby),
    (CommandId::Decrby, decrby),
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

/// What SET was asked to do besides setting.
#[derive(Default)]
struct SetOptions {
    only_new: bool,
    only_old: bool,
    get: bool,
    expiry: Option<SetExpiry>,
}

#[derive(Clone, Copy)]
enum SetExpiry {
    Keep,
    At(u64),
}

/// An expiry option: its unit in milliseconds, whether it counts from now, and its number.
struct Expiry {
    unit: i64,
    relative: bool,
    value: i64,
}

impl Expiry {
    /// Unix milliseconds, or `None` for a time that cannot be.
    fn at(self, now: u64) -> Option<u64> {
        if self.value <= 0 {
            return None;
        }
        let base = if self.relative { now as i64 } else { 0 };
        let at = self.value.checked_mul(self.unit)?.checked_add(base)?;
        Some(at as u64)
    }
}

fn set(cx: &mut Context<'_>, request: &Request<'_>) {
    if request.args.len() == 3 {
        let value = new_string(request, 2);
        cx.data.edit(request.hash, request.arg(1)).put(value, None);
        cx.data.effects.verbatim(1);
        return cx.reply.ok();
    }
    match set_options(&request.args[3..], cx.data.now) {
        Ok(options) => set_with(cx, request, &options),
        Err(error) => cx.reply.error(error),
    }
}

fn set_options(words: &[&[u8]], now: u64) -> Result<SetOptions, &'static str> {
    let mut args = Args::new(words);
    let mut options = SetOptions::default();
    let mut times: Option<Expiry> = None;
    while let Some(word) = args.next() {
        let free = options.expiry.is_none() && times.is_none();
        let mut time = |unit, relative, args: &mut Args<'_>| {
            if !free || args.is_empty() {
                return args.fail(text::SYNTAX);
            }
            times = Some(Expiry { unit, relative, value: args.integer() });
        };
        match word.to_ascii_lowercase().as_slice() {
            b"nx" if !options.only_old => options.only_new = true,
            b"xx" if !options.only_new => options.only_old = true,
            b"get" => options.get = true,
            b"keepttl" if free => options.expiry = Some(SetExpiry::Keep),
            b"ex" => time(1000, true, &mut args),
            b"px" => time(1, true, &mut args),
            b"exat" => time(1000, false, &mut args),
            b"pxat" => time(1, false, &mut args),
            _ => args.fail(text::SYNTAX),
        }
    }
    args.finish()?;
    if let Some(times) = times {
        let at = times.at(now).ok_or("ERR invalid expire time in 'set' command")?;
        options.expiry = Some(SetExpiry::At(at));
    }
    Ok(options)
}

fn set_with(cx: &mut Context<'_>, request: &Request<'_>, options: &SetOptions) {
    let key = request.arg(1);
    let old = cx.data.peek(request.hash, key).map(|entry| entry.view());
    let exists = old.is_some();
    if options.get {
        match old {
            None => cx.reply.null(),
            Some(view) if view.kind() == Kind::String => {
                reply_string(&mut cx.reply, cx.splices, view);
            }
            Some(_) => return cx.reply.error(text::WRONG_TYPE),
        }
    }
    if (options.only_new && exists) || (options.only_old && !exists) {
        if !options.get {
            cx.reply.null();
        }
        return;
    }
    let value = new_string(request, 2);
    let mut edit = cx.data.edit(request.hash, key);
    match options.expiry {
        None => edit.put(value, None),
        Some(SetExpiry::Keep) => edit.put_keeping_expiry(value),
        Some(SetExpiry::At(at)) => edit.put(value, Some(at)),
    }
    match options.expiry {
        Some(SetExpiry::At(at)) => {
            let at = at.to_string();
            cx.data.effects.command(1, &[b"SET", key, request.arg(2), b"PXAT", at.as_bytes()]);
        }
        _ => cx.data.effects.verbatim(1),
    }
    if !options.get {
        cx.reply.ok();
    }
}

/// An argument as a value: kept where it is when it came in an allocation of its own.
pub(super) fn new_string<'a>(request: &Request<'a>, index: usize) -> New<'a> {
    match request.bodies.get(index) {
        Some(body) if body.len() > INLINE_MAX => New::Big(Big::Shared(Arc::clone(body))),
        _ => New::string(request.arg(index)),
    }
}

fn incr(cx: &mut Context<'_>, request: &Request<'_>) {
    add(cx, request, 1);
}

fn decr(cx: &mut Context<'_>, request: &Request<'_>) {
    add(cx, request, -1);
}

fn incrby(cx: &mut Context<'_>, request: &Request<'_>) {
    match number::parse_i64(request.arg(2)) {
        Some(by) => add(cx, request, by),
        None => cx.reply.error(text::NOT_INTEGER),
    }
}

fn decrby(cx: &mut Context<'_>, request: &Request<'_>) {
    match number::parse_i64(request.arg(2)) {
        Some(i64::MIN) => cx.reply.error("ERR decrement would overflow"),
        Some(by) => add(cx, request, -by),
        None => cx.reply.error(text::NOT_INTEGER),
    }
}

fn add(cx: &mut Context<'_>, request: &Request<'_>, by: i64) {
    let mut edit = cx.data.edit(request.hash, request.arg(1));
    let old = match edit.entry().map(|entry| entry.view()) {
        None => Ok(0),
        Some(View::Int(n)) => Ok(n),
        Some(view) if view.kind() != Kind::String => Err(text::WRONG_TYPE),
        Some(View::Bytes(bytes)) => number::parse_i64(bytes).ok_or(text::NOT_INTEGER),
        Some(_) => Err(text::NOT_INTEGER),
    };
    let overflow = "ERR increment or decrement would overflow";
    match old.and_then(|old| old.checked_add(by).ok_or(overflow)) {
        Ok(sum) => {
            if !edit.set_int(sum) {
                edit.put_keeping_expiry(New::Int(sum));
            }
            cx.data.effects.verbatim(1);
            cx.reply.integer(sum);
        }
        Err(error) => cx.reply.error(error),
    }
}
