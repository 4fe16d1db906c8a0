//! Commands that set, show and remove expiries.

use super::args::{is, text};
use super::string::remove_expiry;
use super::{Context, Expired, Handler, Request};
use wire::command::CommandId;
use wire::number;

pub(super) const HANDLERS: &[(CommandId, Handler)] = &[
    (CommandId::Expire, expire),
    (CommandId::Expireat, expireat),
    (CommandId::Expiretime, expiretime),
    (CommandId::Persist, persist),
    (CommandId::Pexpire, pexpire),
    (CommandId::Pexpireat, pexpireat),
    (CommandId::Pexpiretime, pexpiretime),
    (CommandId::Pttl, pttl),
    (CommandId::Ttl, ttl),
];

fn expire(cx: &mut Context<'_>, request: &Request<'_>) {
    let invalid = "ERR invalid expire time in 'expire' command";
    change(cx, request, Scale { unit: 1000, relative: true, invalid });
}

fn pexpire(cx: &mut Context<'_>, request: &Request<'_>) {
    let invalid = "ERR invalid expire time in 'pexpire' command";
    change(cx, request, Scale { unit: 1, relative: true, invalid });
}

fn expireat(cx: &mut Context<'_>, request: &Request<'_>) {
    let invalid = "ERR invalid expire time in 'expireat' command";
    change(cx, request, Scale { unit: 1000, relative: false, invalid });
}

fn pexpireat(cx: &mut Context<'_>, request: &Request<'_>) {
    let invalid = "ERR invalid expire time in 'pexpireat' command";
    change(cx, request, Scale { unit: 1, relative: false, invalid });
}

/// What a command's number means.
#[derive(Clone, Copy)]
struct Scale {
    /// In milliseconds.
    unit: i64,
    /// Whether it counts from now.
    relative: bool,
    /// The error for what cannot be a time.
    invalid: &'static str,
}

impl Scale {
    fn at(self, word: &[u8], now: u64) -> Result<i64, &'static str> {
        let value = number::parse_i64(word).ok_or(text::NOT_INTEGER)?;
        let base = if self.relative { now as i64 } else { 0 };
        let at = value.checked_mul(self.unit).and_then(|millis| millis.checked_add(base));
        at.ok_or(self.invalid)
    }
}

/// Under which condition the expiry changes.
#[derive(Default)]
struct Conditions {
    none: bool,
    some: bool,
    greater: bool,
    less: bool,
}

impl Conditions {
    fn parse(words: &[&[u8]]) -> Result<Self, Vec<u8>> {
        let mut conditions = Conditions::default();
        for word in words {
            let flag = match word {
                word if is(word, "nx") => &mut conditions.none,
                word if is(word, "xx") => &mut conditions.some,
                word if is(word, "gt") => &mut conditions.greater,
                word if is(word, "lt") => &mut conditions.less,
                _ => {
                    // The word goes as far as C would print it.
                    let shown = word.split(|&byte| byte == 0).next().unwrap_or_default();
                    return Err([b"ERR Unsupported option ", shown].concat());
                }
            };
            *flag = true;
        }
        let Conditions { none, some, greater, less } = conditions;
        if none && (some || greater || less) {
            let error = b"ERR NX and XX, GT or LT options at the same time are not compatible";
            return Err(error.to_vec());
        }
        if greater && less {
            let error = b"ERR GT and LT options at the same time are not compatible";
            return Err(error.to_vec());
        }
        Ok(conditions)
    }

    /// No expiry counts as one that never comes.
    fn allow(&self, current: Option<u64>, at: i64) -> bool {
        let current = current.map(|at| at as i64);
        !(self.none && current.is_some()
            || self.some && current.is_none()
            || self.greater && current.is_none_or(|current| at <= current)
            || self.less && current.is_some_and(|current| at >= current))
    }
}

fn change(cx: &mut Context<'_>, request: &Request<'_>, scale: Scale) {
    let conditions = match Conditions::parse(&request.args[3..]) {
        Ok(conditions) => conditions,
        Err(error) => return cx.reply.error_bytes(&error),
    };
    let at = match scale.at(request.arg(2), cx.data.now) {
        Ok(at) => at,
        Err(error) => return cx.reply.error(error),
    };
    let key = request.arg(1);
    // Only a primary decides that a key's time has come.
    let gone = at <= cx.data.now as i64 && cx.data.expired == Expired::Delete;
    let mut edit = cx.data.edit(request.hash, key);
    let Some(entry) = edit.entry() else { return cx.reply.integer(0) };
    if !conditions.allow(entry.expires(), at) {
        return cx.reply.integer(0);
    }
    cx.reply.integer(1);
    if gone {
        edit.remove();
        return cx.data.effects.command(1, &[b"DEL", key]);
    }
    edit.set_expires(Some(at.max(0) as u64));
    effect(cx, request, at, scale);
}

/// PEXPIREAT with the request's own conditions.
fn effect(cx: &mut Context<'_>, request: &Request<'_>, at: i64, scale: Scale) {
    if scale.unit == 1 && !scale.relative {
        return cx.data.effects.verbatim(1);
    }
    let mut digits = itoa::Buffer::new();
    let at = digits.format(at).as_bytes();
    let key = request.arg(1);
    if request.args.len() == 3 {
        return cx.data.effects.command(1, &[b"PEXPIREAT", key, at]);
    }
    let words: Vec<&[u8]> =
        [b"PEXPIREAT", key, at].into_iter().chain(request.args[3..].iter().copied()).collect();
    cx.data.effects.command(1, &words);
}

fn ttl(cx: &mut Context<'_>, request: &Request<'_>) {
    show(cx, request, |at, now| (at.saturating_sub(now) + 500) / 1000);
}

fn pttl(cx: &mut Context<'_>, request: &Request<'_>) {
    show(cx, request, |at, now| at.saturating_sub(now));
}

fn expiretime(cx: &mut Context<'_>, request: &Request<'_>) {
    show(cx, request, |at, _| (at + 500) / 1000);
}

fn pexpiretime(cx: &mut Context<'_>, request: &Request<'_>) {
    show(cx, request, |at, _| at);
}

fn show(cx: &mut Context<'_>, request: &Request<'_>, how: impl Fn(u64, u64) -> u64) {
    let now = cx.data.now;
    let answer = match cx.data.look(request.hash, request.arg(1)) {
        None => -2,
        Some(entry) => entry.expires().map_or(-1, |at| how(at, now) as i64),
    };
    cx.reply.integer(answer);
}

fn persist(cx: &mut Context<'_>, request: &Request<'_>) {
    let removed = remove_expiry(cx, request);
    if removed {
        cx.data.effects.verbatim(1);
    }
    cx.reply.integer(i64::from(removed));
}
