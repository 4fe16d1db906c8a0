//! COMMAND: what the server can do, told to clients.

use crate::speak::Spoken;
use wire::command::{self, Command, CommandId};
use wire::reply::Reply;

/// Runs COMMAND and its subcommands. Only commands that are built are shown.
pub fn command(id: CommandId, args: &[&[u8]], reply: &mut Reply<'_>) -> Spoken {
    let names = args.get(2..).unwrap_or_default();
    match id {
        CommandId::Command => list_infos(built(), reply),
        CommandId::CommandCount => reply.integer(built().count() as i64),
        CommandId::CommandList => {
            reply.array(built().count());
            built().for_each(|row| reply.bulk(row.name.as_bytes()));
        }
        CommandId::CommandInfo if names.is_empty() => list_infos(built(), reply),
        CommandId::CommandInfo => {
            reply.array(names.len());
            for name in names {
                match find(name) {
                    Some(row) => info(row, reply),
                    None => reply.null(),
                }
            }
        }
        CommandId::CommandDocs => docs(names, reply),
        CommandId::CommandGetkeys => get_keys(names, reply),
        _ => return Spoken::Foreign,
    }
    Spoken::Done
}

fn built() -> impl Iterator<Item = &'static Command> {
    command::all().iter().filter(|row| row.built && row.parent.is_none())
}

fn find(name: &[u8]) -> Option<&'static Command> {
    command::lookup(name).filter(|row| row.built)
}

fn list_infos(rows: impl Iterator<Item = &'static Command>, reply: &mut Reply<'_>) {
    let rows: Vec<_> = rows.collect();
    reply.array(rows.len());
    for row in rows {
        info(row, reply);
    }
}

fn info(row: &Command, reply: &mut Reply<'_>) {
    reply.array(10);
    reply.bulk(row.full_name().to_string().as_bytes());
    reply.integer(i64::from(row.arity));
    let flags: Vec<_> = row.flags.names().collect();
    reply.set(flags.len());
    flags.iter().for_each(|name| reply.simple(name));
    let (first, last, step) = row.legacy_keys;
    for n in [first, last, step] {
        reply.integer(i64::from(n));
    }
    let categories: Vec<_> = row.categories.names().collect();
    reply.set(categories.len());
    categories.iter().for_each(|name| reply.simple(&format!("@{name}")));
    reply.array(row.tips.len());
    row.tips.iter().for_each(|tip| reply.bulk(tip.as_bytes()));
    // Key specifications are left out until a client is found that needs more than the triple.
    reply.array(0);
    let subcommands: Vec<_> =
        row.subcommands.iter().map(|id| command::get(*id)).filter(|row| row.built).collect();
    reply.array(subcommands.len());
    for subcommand in subcommands {
        info(subcommand, reply);
    }
}

fn docs(names: &[&[u8]], reply: &mut Reply<'_>) {
    let rows: Vec<&Command> = if names.is_empty() {
        built().collect()
    } else {
        names.iter().filter_map(|name| find(name)).collect()
    };
    reply.map(rows.len());
    for row in rows {
        reply.bulk(row.name.as_bytes());
        reply.map(4);
        for (field, text) in [
            ("summary", row.summary),
            ("since", row.since),
            ("group", row.group.name()),
            ("complexity", row.complexity),
        ] {
            reply.bulk(field.as_bytes());
            reply.bulk(text.as_bytes());
        }
    }
}

fn get_keys(args: &[&[u8]], reply: &mut Reply<'_>) {
    let Some(row) = find(args[0]) else {
        return reply.error("ERR Invalid command specified");
    };
    if !row.accepts(args.len()) {
        return reply.error("ERR Invalid number of arguments specified for command");
    }
    let keys = command::key_positions(row, args);
    if keys.is_empty() {
        return reply.error("ERR The command has no key arguments");
    }
    reply.array(keys.len());
    for key in keys {
        reply.bulk(args.get(key.index).copied().unwrap_or_default());
    }
}
