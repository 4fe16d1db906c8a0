//! Commands on keys of any type.

use super::{Context, Handler, Request};
use wire::command::CommandId;

pub(super) const HANDLERS: &[(CommandId, Handler)] = &[
    (CommandId::Del, del),
    (CommandId::Unlink, del),
    (CommandId::Exists, exists),
    (CommandId::Touch, touch),
    (CommandId::Type, kind),
];

fn del(cx: &mut Context<'_>, request: &Request<'_>) {
    let mut deleted = 0;
    for (index, key) in request.args[1..].iter().enumerate() {
        let hash = if index == 0 { request.hash } else { cx.data.keyspace.hash(key) };
        if cx.data.edit(hash, key).remove() {
            deleted += 1;
        }
    }
    if deleted > 0 {
        cx.data.effects.verbatim(deleted);
    }
    cx.reply.integer(deleted as i64);
}

fn exists(cx: &mut Context<'_>, request: &Request<'_>) {
    let mut found = 0;
    for (index, key) in request.args[1..].iter().enumerate() {
        let hash = if index == 0 { request.hash } else { cx.data.keyspace.hash(key) };
        found += i64::from(cx.data.look(hash, key).is_some());
    }
    cx.reply.integer(found);
}

fn touch(cx: &mut Context<'_>, request: &Request<'_>) {
    let mut found = 0;
    for key in &request.args[1..] {
        let hash = cx.data.keyspace.hash(key);
        found += i64::from(cx.data.read(hash, key).is_some());
    }
    cx.reply.integer(found);
}

fn kind(cx: &mut Context<'_>, request: &Request<'_>) {
    let kind = cx.data.look(request.hash, request.arg(1)).map(|entry| entry.view().kind());
    cx.reply.simple(kind.map_or("none", |kind| kind.name()));
}
