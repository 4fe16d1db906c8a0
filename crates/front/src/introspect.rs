//! COMMAND: what the server can do, told to clients; and HELP of the commands with subcommands.

use crate::speak::Spoken;
use wire::command::category;
use wire::command::keys::{Begin, Find, uses};
use wire::command::{self, Command, CommandId, KeyPositions, KeySpec};
use wire::glob;
use wire::reply::Reply;

/// Runs COMMAND and its subcommands, and HELP. Only commands that are built are shown.
pub fn command(id: CommandId, args: &[&[u8]], reply: &mut Reply<'_>) -> Spoken {
    let names = args.get(2..).unwrap_or_default();
    match id {
        CommandId::Command => list_infos(built(), reply),
        CommandId::CommandCount => reply.integer(built().count() as i64),
        CommandId::CommandList => list(names, reply),
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
        CommandId::CommandDocs => all_docs(names, reply),
        CommandId::CommandGetkeys => {
            if let Some(keys) = keys_of(names, reply) {
                reply.array(keys.len());
                keys.iter().for_each(|key| reply.bulk(names[key.index]));
            }
        }
        CommandId::CommandGetkeysandflags => {
            if let Some(keys) = keys_of(names, reply) {
                reply.array(keys.len());
                for key in keys {
                    reply.array(2);
                    reply.bulk(names[key.index]);
                    use_names(key.uses, reply);
                }
            }
        }
        id => return help(id, reply),
    }
    Spoken::Done
}

/// HELP of a command with subcommands: what there is, as the table has it.
fn help(id: CommandId, reply: &mut Reply<'_>) -> Spoken {
    let row = command::get(id);
    let Some(parent) = row.parent.map(command::get).filter(|_| row.name == "help") else {
        return Spoken::Foreign;
    };
    let name = parent.name.to_ascii_uppercase();
    let rows: Vec<&Command> = subcommands(parent).filter(|row| row.name != "help").collect();
    reply.array(1 + 2 * rows.len() + 2);
    reply.simple(&format!("{name} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"));
    for row in rows {
        reply.simple(&row.name.to_ascii_uppercase());
        reply.simple(&format!("    {}", row.summary));
    }
    reply.simple("HELP");
    reply.simple("    Prints this help.");
    Spoken::Done
}

fn built() -> impl Iterator<Item = &'static Command> {
    command::all().iter().filter(|row| row.built && row.parent.is_none())
}

fn subcommands(row: &Command) -> impl Iterator<Item = &'static Command> {
    row.subcommands.iter().map(|id| command::get(*id)).filter(|row| row.built)
}

/// A command by its name, or a subcommand by `command|subcommand`.
fn find(name: &[u8]) -> Option<&'static Command> {
    let mut words = name.splitn(2, |byte| *byte == b'|');
    let row = command::lookup(words.next()?).filter(|row| row.built)?;
    match words.next() {
        None => Some(row),
        Some(sub) => command::lookup_sub(row, sub).filter(|row| row.built),
    }
}

/// COMMAND LIST: all names, those of subcommands too, or those that a filter lets through.
fn list(words: &[&[u8]], reply: &mut Reply<'_>) {
    let name = |row: &Command| row.full_name().to_string();
    let takes: &dyn Fn(&Command) -> bool = match words {
        [] => &|_| true,
        [filter, by, value] if filter.eq_ignore_ascii_case(b"filterby") => {
            match by.to_ascii_lowercase().as_slice() {
                // There are no modules.
                b"module" => &|_| false,
                b"aclcat" => {
                    &|row| category::by_name(value).is_some_and(|bit| row.categories.has(bit))
                }
                b"pattern" => &|row| glob::matches_ignoring_case(value, name(row).as_bytes()),
                _ => return reply.error("ERR syntax error"),
            }
        }
        _ => return reply.error("ERR syntax error"),
    };
    let rows = built().flat_map(|row| std::iter::once(row).chain(subcommands(row)));
    let names: Vec<String> = rows.filter(|row| takes(row)).map(name).collect();
    reply.array(names.len());
    names.iter().for_each(|name| reply.bulk(name.as_bytes()));
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
    reply.array(row.keys.len());
    row.keys.iter().for_each(|spec| key_spec(spec, reply));
    list_infos(subcommands(row), reply);
}

fn use_names(bits: u16, reply: &mut Reply<'_>) {
    let named = || uses::NAMES.iter().enumerate().filter(|(bit, _)| bits & 1 << bit != 0);
    reply.set(named().count());
    named().for_each(|(_, name)| reply.simple(name));
}

/// How some of a command's keys are found, as COMMAND INFO tells it.
fn key_spec(spec: &KeySpec, reply: &mut Reply<'_>) {
    reply.map(3);
    reply.bulk(b"flags");
    use_names(spec.uses, reply);
    reply.bulk(b"begin_search");
    match spec.begin {
        Begin::Index(index) => typed("index", &[("index", index)], None, reply),
        Begin::Keyword(word, from) => {
            typed("keyword", &[("startfrom", from)], Some(("keyword", word)), reply);
        }
        Begin::Unknown => typed("unknown", &[], None, reply),
    }
    reply.bulk(b"find_keys");
    match spec.find {
        Find::Range(last, step, limit) => {
            typed("range", &[("lastkey", last), ("keystep", step), ("limit", limit)], None, reply);
        }
        Find::Count(at, first, step) => {
            let numbers = [("keynumidx", at), ("firstkey", first), ("keystep", step)];
            typed("keynum", &numbers, None, reply);
        }
        Find::Unknown => typed("unknown", &[], None, reply),
    }
}

/// A step of a search: its type and its figures, a word before them if there is one.
fn typed(kind: &str, numbers: &[(&str, i16)], word: Option<(&str, &str)>, reply: &mut Reply<'_>) {
    reply.map(2);
    reply.bulk(b"type");
    reply.bulk(kind.as_bytes());
    reply.bulk(b"spec");
    reply.map(numbers.len() + usize::from(word.is_some()));
    if let Some((name, word)) = word {
        reply.bulk(name.as_bytes());
        reply.bulk(word.as_bytes());
    }
    for (name, number) in numbers {
        reply.bulk(name.as_bytes());
        reply.integer(i64::from(*number));
    }
}

fn all_docs(names: &[&[u8]], reply: &mut Reply<'_>) {
    let rows: Vec<&Command> = if names.is_empty() {
        built().collect()
    } else {
        names.iter().filter_map(|name| find(name)).collect()
    };
    reply.map(rows.len());
    rows.iter().for_each(|row| docs(row, reply));
}

fn docs(row: &Command, reply: &mut Reply<'_>) {
    let subcommands: Vec<&Command> = subcommands(row).collect();
    let texts = [
        ("summary", row.summary),
        ("since", row.since),
        ("group", row.group.name()),
        ("complexity", row.complexity),
    ];
    let texts = texts.into_iter().filter(|(_, text)| !text.is_empty());
    let marks = [(row.deprecated.is_some(), "deprecated"), (row.system, "syscmd")];
    let marks: Vec<&str> = marks.iter().filter(|(is, _)| *is).map(|(_, mark)| *mark).collect();
    let fields = texts.clone().count()
        + usize::from(!marks.is_empty())
        + usize::from(row.deprecated.is_some())
        + usize::from(!subcommands.is_empty());
    reply.bulk(row.full_name().to_string().as_bytes());
    reply.map(fields);
    for (field, text) in texts {
        reply.bulk(field.as_bytes());
        reply.bulk(text.as_bytes());
    }
    if !marks.is_empty() {
        reply.bulk(b"doc_flags");
        reply.set(marks.len());
        marks.iter().for_each(|mark| reply.simple(mark));
    }
    if let Some(since) = row.deprecated {
        reply.bulk(b"deprecated_since");
        reply.bulk(since.as_bytes());
    }
    if !subcommands.is_empty() {
        reply.bulk(b"subcommands");
        reply.map(subcommands.len());
        subcommands.iter().for_each(|row| docs(row, reply));
    }
}

/// The keys of a request; an error is written when there are none.
fn keys_of(args: &[&[u8]], reply: &mut Reply<'_>) -> Option<KeyPositions> {
    let row = command::lookup(args[0]).filter(|row| row.built);
    let row = match (row, args.get(1)) {
        (Some(row), Some(word)) if !row.subcommands.is_empty() => {
            command::lookup_sub(row, word).filter(|row| row.built)
        }
        (row, _) => row,
    };
    let Some(row) = row else {
        reply.error("ERR Invalid command specified");
        return None;
    };
    if row.keys.is_empty() {
        reply.error("ERR The command has no key arguments");
        return None;
    }
    if !row.accepts(args.len()) {
        reply.error("ERR Invalid number of arguments specified for command");
        return None;
    }
    let keys = command::key_positions(row, args);
    if keys.is_empty() {
        reply.error("ERR Invalid arguments specified for command");
        return None;
    }
    Some(keys)
}
