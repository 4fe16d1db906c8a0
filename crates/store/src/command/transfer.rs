//! DUMP and RESTORE: single values on their way between servers.

use super::args::{is, text};
use super::{Args, Context, Data, Expired, Handler, Request};
use crate::rdb::lzf::Compressor;
use crate::rdb::payload::{self, PayloadError};
use crate::rdb::{Limits, Loaded};
use wire::command::CommandId;
use wire::number;

pub(super) const HANDLERS: &[(CommandId, Handler)] =
    &[(CommandId::Dump, dump), (CommandId::Restore, restore), (CommandId::RestoreAsking, restore)];

fn dump(cx: &mut Context<'_>, request: &Request<'_>) {
    match cx.data.look(request.hash, request.arg(1)) {
        None => cx.reply.null(),
        Some(entry) => {
            let payload = payload::encode(entry.view(), Some(&mut Compressor::new()));
            cx.reply.bulk_header(payload.len());
            payload.pieces().for_each(|piece| cx.reply.raw(piece));
            cx.reply.bulk_trailer();
        }
    }
}

fn restore(cx: &mut Context<'_>, request: &Request<'_>) {
    match try_restore(&mut cx.data, request) {
        Ok(()) => cx.reply.ok(),
        Err(error) => cx.reply.error(error),
    }
}

/// The words after the payload.
#[derive(Default)]
struct Options {
    replace: bool,
    absolute: bool,
    idle: Option<u64>,
    frequency: Option<u8>,
}

impl Options {
    fn read(words: &[&[u8]]) -> Result<Self, &'static str> {
        let mut options = Options::default();
        let mut args = Args::new(words);
        while let Some(word) = args.next() {
            if is(word, "replace") {
                options.replace = true;
            } else if is(word, "absttl") {
                options.absolute = true;
            } else if is(word, "idletime") && !args.is_empty() && options.frequency.is_none() {
                match u64::try_from(args.integer()) {
                    Ok(idle) => options.idle = Some(idle),
                    Err(_) => args.fail("ERR Invalid IDLETIME value, must be >= 0"),
                }
            } else if is(word, "freq") && !args.is_empty() && options.idle.is_none() {
                match u8::try_from(args.integer()) {
                    Ok(frequency) => options.frequency = Some(frequency),
                    Err(_) => args.fail("ERR Invalid FREQ value, must be >= 0 and <= 255"),
                }
            } else {
                args.fail(text::SYNTAX);
            }
        }
        args.finish()?;
        Ok(options)
    }
}

fn try_restore(data: &mut Data<'_>, request: &Request<'_>) -> Result<(), &'static str> {
    let options = Options::read(&request.args[4..])?;
    let (key, hash) = (request.arg(1), request.hash);
    if !options.replace && data.edit(hash, key).entry().is_some() {
        return Err("BUSYKEY Target key name already exists.");
    }
    let ttl = number::parse_i64(request.arg(2)).ok_or(text::NOT_INTEGER)?;
    let ttl = u64::try_from(ttl).map_err(|_| "ERR Invalid TTL value, must be >= 0")?;
    let value =
        payload::decode(request.arg(3), Limits::default()).map_err(|error| match error {
            PayloadError::VersionOrChecksum => "ERR DUMP payload version or checksum are wrong",
            PayloadError::Format(_) => "ERR Bad data format",
        })?;
    let expires = match (ttl, options.absolute) {
        (0, _) => None,
        (at, true) => Some(at),
        (ttl, false) => Some(data.now.saturating_add(ttl)),
    };
    // A replica leaves it to its primary what has expired.
    if expires.is_some_and(|at| at <= data.now) && data.expired == Expired::Delete {
        if data.edit(hash, key).remove() {
            data.effects.command(1, &[b"DEL", key]);
        }
        return Ok(());
    }
    put(data, request, &value, expires, &options);
    Ok(())
}

/// Stores the value, and says so with a time that does not depend on when it is read.
fn put(
    data: &mut Data<'_>,
    request: &Request<'_>,
    value: &Loaded,
    expires: Option<u64>,
    options: &Options,
) {
    let access = data.access.known(options.idle, options.frequency);
    let mut edit = data.edit(request.hash, request.arg(1));
    edit.put(value.as_new(), expires);
    if let Some(entry) = edit.entry() {
        entry.set_access(access);
    }
    if options.absolute || expires.is_none() {
        return data.effects.verbatim(1);
    }
    let mut digits = itoa::Buffer::new();
    let mut args = request.args.to_vec();
    args[2] = digits.format(expires.unwrap_or(0)).as_bytes();
    args.push(b"ABSTTL");
    data.effects.command(1, &args);
}
