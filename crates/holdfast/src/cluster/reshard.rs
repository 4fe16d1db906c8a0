//! `reshard`: moves a number of slots to one primary.

use super::carry::Progress;
use super::{Desk, SETTLE, look};
use admin::{Address, Node, Picture, move_slot, reshard, text};
use serde_json::{Value, json};

/// Answers that make no sense are asked for again, so often.
const TRIES: usize = 100;
const SLOTS: usize = 16384;
const PROBLEMS: &str = "*** Please fix your cluster problems before resharding";

/// Moves them; whether it was done.
pub(super) fn run(desk: &mut Desk<'_>, seed: &Address) -> Result<bool, String> {
    let picture = desk.session.settled(seed, SETTLE / 4)?;
    look::show_silent(desk, &picture);
    if !look::examine(desk, &picture, false).is_empty() {
        return Err(PROBLEMS.into());
    }
    let count = match desk.options.transfer.slots {
        Some(count) if (1..=SLOTS).contains(&count) => count,
        Some(count) => return Err(format!("*** {count} slots cannot be moved: 1 to {SLOTS} can.")),
        None => ask_count(desk)?,
    };
    let target = match &desk.options.transfer.to {
        Some(id) => reshard::primary(&picture, id)?,
        None => ask_target(desk, &picture)?,
    };
    let sources = match &desk.options.transfer.from {
        Some(ids) => named_sources(desk, &picture, target, ids)?,
        None => ask_sources(desk, &picture, target)?,
    };
    if sources.is_empty() {
        return Err(String::from("*** No source nodes given, operation aborted."));
    }
    let moves = reshard::plan(&sources, count);
    show(desk, &picture, &sources, target, &moves, count);
    if desk.options.manner.dry_run {
        desk.result(|| plan_json(&moves, target));
        return Ok(true);
    }
    let question = "Do you want to proceed with the proposed reshard plan (yes/no)? ";
    if !desk.talk.confirm(question)? {
        return Ok(false);
    }
    let others: Vec<Node> = picture.nodes().cloned().collect();
    let mut progress = Progress::new(moves.len())?;
    let moved = carry(desk, &mut progress, &moves, target, &others);
    desk.settle(seed);
    let keys = moved?;
    desk.result(|| json!({ "moved_slots": progress.done, "moved_keys": keys, "to": target.id }));
    Ok(true)
}

/// Moves slot after slot; how many keys went.
fn carry(
    desk: &mut Desk<'_>,
    progress: &mut Progress,
    moves: &[reshard::Move<'_>],
    target: &Node,
    others: &[Node],
) -> Result<u64, String> {
    let draws = desk.talk.draws();
    let mut carrier = desk.carrier();
    carrier.dots = !draws;
    for (slot, from) in moves {
        progress.goes_on()?;
        if !draws {
            let (from, to) = (text(&from.address()), text(&target.address()));
            carrier.talk.part(&format!("Moving slot {slot} from {from} to {to}: "));
        }
        let result = carrier.run(&move_slot(*slot, from, target, others.iter()));
        if !draws || result.is_err() {
            carrier.talk.part("\n");
        }
        result.map_err(|error| {
            format!(
                "{error}\n[ERR] Slot {slot} was not moved to its end and may be open: {} of {} \
                 slots are at their new owner. 'fix' completes it.",
                progress.done,
                moves.len()
            )
        })?;
        progress.step(carrier.talk, carrier.keys);
    }
    Ok(carrier.keys)
}

fn show(
    desk: &Desk<'_>,
    picture: &Picture,
    sources: &[&Node],
    target: &Node,
    moves: &[reshard::Move<'_>],
    count: usize,
) {
    let talk = &desk.talk;
    talk.line(format!("\nReady to move {count} slots."));
    talk.line("  Source nodes:");
    sources.iter().for_each(|node| talk.line(look::shown(picture, node, "    ")));
    talk.line("  Destination node:");
    talk.line(look::shown(picture, target, "    "));
    talk.line("  Resharding plan:");
    let line = |(slot, from): &reshard::Move<'_>| {
        format!("    Moving slot {slot} from {} to {}\n", from.id, target.id)
    };
    talk.part(&moves.iter().map(line).collect::<String>());
    if moves.len() < count {
        talk.line(format!("*** The source nodes have only {} slots.", moves.len()));
    }
}

fn plan_json(moves: &[reshard::Move<'_>], target: &Node) -> Value {
    let one = |(slot, from): &reshard::Move<'_>| {
        let (from, to) = (&from.id, &target.id);
        json!({ "slot": slot, "from": from, "to": to })
    };
    json!({ "moves": moves.iter().map(one).collect::<Value>() })
}

fn ask_count(desk: &Desk<'_>) -> Result<usize, String> {
    for _ in 0..TRIES {
        let question = format!("How many slots do you want to move (from 1 to {SLOTS})? ");
        let count = desk.talk.ask(&question)?.parse().unwrap_or(0);
        if (1..=SLOTS).contains(&count) {
            return Ok(count);
        }
    }
    Err(String::from("*** No number was given, operation aborted."))
}

fn ask_target<'p>(desk: &Desk<'_>, picture: &'p Picture) -> Result<&'p Node, String> {
    for _ in 0..TRIES {
        let id = desk.talk.ask("What is the receiving node ID? ")?;
        match reshard::primary(picture, &id) {
            Ok(node) => return Ok(node),
            Err(_) if id.is_empty() => {}
            Err(error) => desk.talk.line(error),
        }
    }
    Err(String::from("*** No receiving node was given, operation aborted."))
}

fn all<'p>(picture: &'p Picture, target: &Node) -> Vec<&'p Node> {
    picture.primaries().filter(|node| node.id != target.id).collect()
}

fn named_sources<'p>(
    desk: &Desk<'_>,
    picture: &'p Picture,
    target: &Node,
    ids: &str,
) -> Result<Vec<&'p Node>, String> {
    let ids: Vec<&str> = ids.split(',').filter(|id| !id.is_empty()).collect();
    if ids.contains(&"all") {
        return Ok(all(picture, target));
    }
    let mut sources: Vec<&Node> = Vec::new();
    for id in ids {
        match reshard::source(picture, id, target) {
            Ok(node) if sources.iter().any(|other| other.id == node.id) => {}
            Ok(node) => sources.push(node),
            // The target is left out, the others are meant.
            Err(error) if reshard::primary(picture, id).is_ok() => desk.talk.line(error),
            Err(error) => return Err(error),
        }
    }
    Ok(sources)
}

fn ask_sources<'p>(
    desk: &Desk<'_>,
    picture: &'p Picture,
    target: &Node,
) -> Result<Vec<&'p Node>, String> {
    desk.talk.line("Please enter all the source node IDs.");
    desk.talk.line(
        "  Type 'all' to use all the nodes as source nodes for the hash slots.\n  Type 'done' once \
         you entered all the source nodes IDs.",
    );
    let mut sources: Vec<&Node> = Vec::new();
    for _ in 0..TRIES {
        let answer = desk.talk.ask(&format!("Source node #{}: ", sources.len() + 1))?;
        match answer.as_str() {
            "" => continue,
            "done" => return Ok(sources),
            "all" => return Ok(all(picture, target)),
            id => match reshard::source(picture, id, target) {
                Ok(node) if sources.iter().any(|other| other.id == node.id) => {
                    desk.talk.line("*** This node is a source already.");
                }
                Ok(node) => sources.push(node),
                Err(error) => desk.talk.line(error),
            },
        }
    }
    Err(String::from("*** No source nodes given, operation aborted."))
}
