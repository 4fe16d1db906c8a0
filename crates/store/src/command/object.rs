//! Commands about how values are kept.

use super::args::{is, text};
use super::{Args, Context, Handler, Request};
use crate::table::EntryRef;
use crate::value::View;
use wire::command::CommandId;
use wire::reply::Reply;

pub(super) const HANDLERS: &[(CommandId, Handler)] = &[
    (CommandId::MemoryUsage, usage),
    (CommandId::ObjectEncoding, encoding),
    (CommandId::ObjectFreq, freq),
    (CommandId::ObjectHelp, help),
    (CommandId::ObjectIdletime, idletime),
    (CommandId::ObjectRefcount, refcount),
];

/// Looks the key up and lets `answer` reply, or replies nil.
fn inspect(
    cx: &mut Context<'_>,
    request: &Request<'_>,
    answer: impl FnOnce(EntryRef<'_>, &mut Reply<'_>),
) {
    let key = request.arg(2);
    let hash = cx.data.keyspace.hash(key);
    match cx.data.look(hash, key) {
        None => cx.reply.null(),
        Some(entry) => answer(entry, &mut cx.reply),
    }
}

/// Redis keeps a short string in the same allocation as its header, up to this length.
const EMBEDDED: usize = 44;

fn encoding(cx: &mut Context<'_>, request: &Request<'_>) {
    inspect(cx, request, |entry, reply| reply.bulk(encoding_name(entry).as_bytes()));
}

/// How a value is kept, in Redis's terms.
pub fn encoding_name(entry: EntryRef<'_>) -> &'static str {
    match entry.view() {
        View::Int(_) => "int",
        View::Bytes(bytes) if bytes.len() <= EMBEDDED && !entry.is_raw() => "embstr",
        _ => "raw",
    }
}

fn refcount(cx: &mut Context<'_>, request: &Request<'_>) {
    let may_share = !cx.data.counters.unshared;
    inspect(cx, request, |entry, reply| {
        // Redis shares one object for each of these numbers, and shows a count that says so.
        let shared = may_share && matches!(entry.view(), View::Int(0..=9999));
        reply.integer(if shared { i64::from(i32::MAX) } else { 1 });
    });
}

fn idletime(cx: &mut Context<'_>, request: &Request<'_>) {
    let now = cx.data.access;
    inspect(cx, request, |entry, reply| match now.is_lfu() {
        false => reply.integer(i64::from(now.idle(entry.access()))),
        true => reply.error(
            "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that \
             when switching between policies at runtime LRU and LFU data will take some time to \
             adjust.",
        ),
    });
}

fn freq(cx: &mut Context<'_>, request: &Request<'_>) {
    let (now, decay) = (cx.data.access, cx.data.counters.frequency.decay);
    inspect(cx, request, |entry, reply| match now.is_lfu() {
        true => reply.integer(i64::from(now.frequency(entry.access(), decay))),
        false => reply.error(
            "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please \
             note that when switching between policies at runtime LRU and LFU data will take \
             some time to adjust.",
        ),
    });
}

fn help(cx: &mut Context<'_>, _request: &Request<'_>) {
    const LINES: [&str; 11] = [
        "OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "ENCODING <key>",
        "    Tell how the value is represented.",
        "FREQ <key>",
        "    Tell how often the key was used of late, on a logarithmic scale.",
        "IDLETIME <key>",
        "    Tell for how many seconds the key was not used.",
        "REFCOUNT <key>",
        "    Tell how many references the value has.",
        "HELP",
        "    Print this help.",
    ];
    cx.reply.array(LINES.len());
    for line in LINES {
        cx.reply.simple(line);
    }
}

fn usage(cx: &mut Context<'_>, request: &Request<'_>) {
    /// What an entry takes of its bucket: a tag and an address.
    const LANE: usize = 9;
    let mut args = Args::new(&request.args[3..]);
    while let Some(word) = args.next() {
        // The value's size is known, not estimated: samples are read and make no difference.
        if !is(word, "samples") || args.is_empty() || args.integer() < 0 {
            args.fail(text::SYNTAX);
        }
    }
    if let Err(error) = args.finish() {
        return cx.reply.error(error);
    }
    let key = request.arg(2);
    let hash = cx.data.keyspace.hash(key);
    match cx.data.peek(hash, key) {
        None => cx.reply.null(),
        Some(entry) => cx.reply.integer((entry.footprint() + LANE) as i64),
    }
}
