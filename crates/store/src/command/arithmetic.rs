//! Commands that do sums on strings.

use super::args::text;
use super::long_double::LongDouble;
use super::{Context, Handler, Request};
use crate::value::{Kind, New, View};
use wire::command::CommandId;
use wire::number;

pub(super) const HANDLERS: &[(CommandId, Handler)] = &[
    (CommandId::Incr, incr),
    (CommandId::Decr, decr),
    (CommandId::Incrby, incrby),
    (CommandId::Decrby, decrby),
    (CommandId::Incrbyfloat, incrbyfloat),
];

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

fn incrbyfloat(cx: &mut Context<'_>, request: &Request<'_>) {
    let key = request.arg(1);
    let mut edit = cx.data.edit(request.hash, key);
    let old = match edit.entry().map(|entry| entry.view()) {
        None => Ok(LongDouble::ZERO),
        Some(view) if view.kind() != Kind::String => Err(text::WRONG_TYPE),
        Some(View::Bytes(bytes)) => LongDouble::parse(bytes).ok_or(text::NOT_FLOAT),
        Some(view) if view.string_len() > LongDouble::LONGEST => Err(text::NOT_FLOAT),
        Some(view) => LongDouble::parse(&view.to_vec()).ok_or(text::NOT_FLOAT),
    };
    let sum = old.and_then(|old| {
        let by = LongDouble::parse(request.arg(2)).ok_or(text::NOT_FLOAT)?;
        old.add(by).ok_or("ERR increment would produce NaN or Infinity")
    });
    match sum {
        Ok(sum) => {
            let digits = sum.to_text();
            // Bytes even where they are an integer's: so Redis stores them.
            edit.put_keeping_expiry(New::raw(&digits));
            cx.data.effects.command(1, &[b"SET", key, &digits, b"KEEPTTL"]);
            cx.reply.bulk(&digits);
        }
        Err(error) => cx.reply.error(error),
    }
}
