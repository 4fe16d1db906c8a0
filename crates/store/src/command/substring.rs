//! Commands on parts of strings.

use super::args::text;
use super::string::new_string;
use super::{Context, Handler, Request, reply_range};
use crate::table::Edit;
use crate::value::{Big, INLINE_MAX, Kind, New, Pages, View};
use wire::command::CommandId;
use wire::number;
use wire::reply::EMPTY_BULK;

pub(super) const HANDLERS: &[(CommandId, Handler)] = &[
    (CommandId::Append, append),
    (CommandId::Getrange, getrange),
    (CommandId::Setrange, setrange),
    (CommandId::Strlen, strlen),
    (CommandId::Substr, getrange),
];

/// No string may become longer: `proto-max-bulk-len` as it is unless configured.
const LONGEST: usize = 512 << 20;

fn strlen(cx: &mut Context<'_>, request: &Request<'_>) {
    match cx.data.read(request.hash, request.arg(1)).map(|entry| entry.view()) {
        None => cx.reply.integer(0),
        Some(view) if view.kind() == Kind::String => cx.reply.integer(view.string_len() as i64),
        Some(_) => cx.reply.error(text::WRONG_TYPE),
    }
}

fn getrange(cx: &mut Context<'_>, request: &Request<'_>) {
    let bounds = (number::parse_i64(request.arg(2)), number::parse_i64(request.arg(3)));
    let (Some(start), Some(end)) = bounds else {
        return cx.reply.error(text::NOT_INTEGER);
    };
    let view = match cx.data.read(request.hash, request.arg(1)).map(|entry| entry.view()) {
        None => return cx.reply.raw(EMPTY_BULK),
        Some(view) if view.kind() == Kind::String => view,
        Some(_) => return cx.reply.error(text::WRONG_TYPE),
    };
    match clip(start, end, view.string_len()) {
        Some(range) => reply_range(&mut cx.reply, cx.splices, view, range),
        None => cx.reply.raw(EMPTY_BULK),
    }
}

/// The bytes from `start` to `end`, both included and counted from the end if negative.
fn clip(start: i64, end: i64, len: usize) -> Option<std::ops::Range<usize>> {
    let len = len as i64;
    let from_start = |at: i64| if at < 0 { (len + at).max(0) } else { at };
    // Both before the string would otherwise meet at its first byte.
    if start < 0 && end < 0 && start > end {
        return None;
    }
    let (start, end) = (from_start(start), from_start(end).min(len - 1));
    (start <= end && len > 0).then(|| start as usize..end as usize + 1)
}

fn append(cx: &mut Context<'_>, request: &Request<'_>) {
    let tail = request.arg(2);
    let mut scratch = std::mem::take(&mut cx.data.keyspace.scratch);
    let mut edit = cx.data.edit(request.hash, request.arg(1));
    let result = match edit.entry().map(|entry| entry.view()) {
        None => {
            edit.put(new_string(request, 2), None);
            Ok(tail.len())
        }
        Some(view) if view.kind() != Kind::String => Err(text::WRONG_TYPE),
        Some(view) => {
            let len = view.string_len();
            let end = fits(len, tail);
            if end.is_ok() {
                write(&mut edit, len, tail, &mut scratch);
            }
            end
        }
    };
    cx.data.keyspace.scratch = scratch;
    match result {
        Ok(len) => {
            cx.data.effects.verbatim(1);
            cx.reply.integer(len as i64);
        }
        Err(error) => cx.reply.error(error),
    }
}

fn setrange(cx: &mut Context<'_>, request: &Request<'_>) {
    let Some(offset) = number::parse_i64(request.arg(2)) else {
        return cx.reply.error(text::NOT_INTEGER);
    };
    let Ok(offset) = usize::try_from(offset) else {
        return cx.reply.error("ERR offset is out of range");
    };
    let bytes = request.arg(3);
    let mut scratch = std::mem::take(&mut cx.data.keyspace.scratch);
    let mut edit = cx.data.edit(request.hash, request.arg(1));
    let result = match edit.entry().map(|entry| entry.view()) {
        Some(view) if view.kind() != Kind::String => Err(text::WRONG_TYPE),
        old => {
            let len = old.map_or(0, View::string_len);
            if bytes.is_empty() {
                Ok(len)
            } else {
                fits(offset, bytes).map(|end| {
                    write(&mut edit, offset, bytes, &mut scratch);
                    len.max(end)
                })
            }
        }
    };
    cx.data.keyspace.scratch = scratch;
    match result {
        Ok(len) => {
            if !bytes.is_empty() {
                cx.data.effects.verbatim(1);
            }
            cx.reply.integer(len as i64);
        }
        Err(error) => cx.reply.error(error),
    }
}

/// Where `bytes` written at `at` end, unless that is too far.
fn fits(at: usize, bytes: &[u8]) -> Result<usize, &'static str> {
    at.checked_add(bytes.len()).filter(|&end| end <= LONGEST).ok_or(text::TOO_LONG)
}

/// Writes into the key's string, with zeros where there was nothing. A long string changes in
/// place, by pages; a short one is put together in `scratch` and stored anew.
fn write(edit: &mut Edit<'_, '_>, at: usize, bytes: &[u8], scratch: &mut Vec<u8>) {
    let changed = edit.change_big(|big| {
        if let Big::Shared(whole) = big {
            *big = Big::Paged(Pages::of(whole));
        }
        if let Big::Paged(pages) = big {
            pages.write(at, bytes);
        }
    });
    if changed.is_some() {
        return;
    }
    let end = at + bytes.len();
    scratch.clear();
    if let Some(entry) = edit.entry() {
        entry.view().append_to(scratch);
    }
    if scratch.len().max(end) > INLINE_MAX {
        let mut pages = Pages::default();
        pages.append(scratch);
        pages.write(at, bytes);
        return edit.put_keeping_expiry(New::Big(Big::Paged(pages)));
    }
    if scratch.len() < end {
        scratch.resize(end, 0);
    }
    scratch[at..end].copy_from_slice(bytes);
    edit.put_keeping_expiry(New::Raw(scratch));
}
