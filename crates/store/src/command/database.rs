//! Commands on databases.

use super::args::text;
use super::{Context, Data, Handler, Request};
use wire::command::CommandId;
use wire::number;

pub(super) const HANDLERS: &[(CommandId, Handler)] =
    &[(CommandId::Dbsize, dbsize), (CommandId::Swapdb, swapdb)];

fn dbsize(cx: &mut Context<'_>, _request: &Request<'_>) {
    let count = cx.data.keyspace.count(cx.data.place.db());
    cx.reply.integer(count as i64);
}

fn swapdb(cx: &mut Context<'_>, request: &Request<'_>) {
    match try_swap(&mut cx.data, request) {
        Ok(()) => cx.reply.ok(),
        Err(error) => cx.reply.error(error),
    }
}

fn try_swap(data: &mut Data<'_>, request: &Request<'_>) -> Result<(), &'static str> {
    if data.keyspace.is_slotted() {
        return Err("ERR SWAPDB is not allowed in cluster mode");
    }
    let number = |index, error| {
        let value = number::parse_i64(request.arg(index)).and_then(|n| i32::try_from(n).ok());
        value.ok_or(error)
    };
    let a = number(1, "ERR invalid first DB index")?;
    let b = number(2, "ERR invalid second DB index")?;
    let known = |db: i32| {
        let db = u32::try_from(db).ok().filter(|&db| db < data.keyspace.databases());
        db.ok_or(text::NO_DATABASE)
    };
    let (a, b) = (known(a)?, known(b)?);
    if a != b {
        data.keyspace.swap(a, b, data.now);
    }
    data.effects.verbatim(1);
    Ok(())
}
