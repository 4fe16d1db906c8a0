//! `fix`: closes open slots, covers slots without an owner, and leaves each slot one owner.

use super::{Desk, SETTLE, look};
use admin::{Address, Picture, Slots, Step, fix, json};

/// Brings the cluster in order; whether nothing is wrong afterwards.
pub(super) fn run(desk: &mut Desk<'_>, seed: &Address) -> Result<bool, String> {
    let picture = desk.session.settled(seed, SETTLE / 4)?;
    look::show_silent(desk, &picture);
    look::show_primaries(desk, &picture)?;
    look::examine(desk, &picture, false);
    let mut changed = open_slots(desk, &picture)?;
    let picture = after(desk, seed, picture, changed)?;
    let covered = coverage(desk, &picture)?;
    changed |= covered;
    let picture = after(desk, seed, picture, covered)?;
    if desk.options.search_owners {
        let separated = owners(desk, &picture)?;
        changed |= separated;
    }
    if desk.options.manner.dry_run {
        desk.result(|| json::picture(&picture, &[]));
        return Ok(true);
    }
    let picture = after(desk, seed, picture, changed)?;
    let problems = match changed {
        true => look::examine(desk, &picture, true),
        false => problems(&picture),
    };
    desk.result(|| json::picture(&picture, &problems));
    Ok(problems.is_empty())
}

/// The picture after changes, if there were any.
fn after(
    desk: &mut Desk<'_>,
    seed: &Address,
    before: Picture,
    changed: bool,
) -> Result<Picture, String> {
    match changed && !desk.options.manner.dry_run {
        true => desk.session.settled(seed, SETTLE),
        false => Ok(before),
    }
}

/// Without another word.
fn problems(picture: &Picture) -> Vec<String> {
    let whole = picture.agrees() && picture.open().is_empty() && picture.covered() == Slots::all();
    if whole { Vec::new() } else { vec![String::from("[ERR] The cluster is not in order.")] }
}

/// Refuses what is dangerous while owners may be among those that do not answer.
fn guard(desk: &Desk<'_>, picture: &Picture, what: &str) -> Result<(), String> {
    match fix::danger(picture, what) {
        Some(why) if !desk.options.despite_silent => Err(why),
        _ => Ok(()),
    }
}

fn carry(desk: &mut Desk<'_>, steps: &[Step]) -> Result<(), String> {
    if desk.options.manner.dry_run {
        steps.iter().for_each(|step| desk.talk.line(described(step)));
        return Ok(());
    }
    let mut carrier = desk.carrier();
    carrier.dots = true;
    let result = carrier.run(steps);
    if carrier.keys > 0 {
        carrier.talk.part("\n");
    }
    result
}

/// What a step would do.
pub(super) fn described(step: &Step) -> String {
    match step {
        Step::Tell(line) => line.clone(),
        Step::Say(node, words) | Step::Try(node, words) => {
            format!("    {}: {}", admin::text(node), words.join(" "))
        }
        Step::MoveKeys { slot, from, to } => {
            let (from, to) = (admin::text(from), admin::text(to));
            format!("    keys of slot {slot} from {from} to {to}")
        }
    }
}

fn open_slots(desk: &mut Desk<'_>, picture: &Picture) -> Result<bool, String> {
    let open = picture.open();
    if open.is_empty() {
        return Ok(false);
    }
    guard(desk, picture, "open slots")?;
    let keys = look::keys(desk, picture, &open.iter().copied().collect())?;
    for slot in open {
        let none = fix::Keys::new();
        let steps = fix::open_slot(picture, slot, keys.get(&slot).unwrap_or(&none))?;
        carry(desk, &steps)?;
    }
    Ok(true)
}

fn coverage(desk: &mut Desk<'_>, picture: &Picture) -> Result<bool, String> {
    let missing = Slots::all().without(&picture.covered());
    if missing.is_empty() {
        return Ok(false);
    }
    guard(desk, picture, "slots coverage")?;
    desk.talk.line(">>> Fixing slots coverage...");
    let keys = look::keys(desk, picture, &missing)?;
    let found = fix::uncovered(picture, &keys);
    let mut changed = false;
    for (slots, which, question) in [
        (
            &found.none,
            "The following uncovered slots have no keys across the cluster:",
            "Fix these slots by covering with a random node?",
        ),
        (
            &found.single,
            "The following uncovered slots have keys in just one node:",
            "Fix these slots by covering with those nodes?",
        ),
        (
            &found.multiple,
            "The following uncovered slots have keys in multiple nodes:",
            "Fix these slots by moving keys into a single node?",
        ),
    ] {
        if slots.is_empty() {
            continue;
        }
        desk.talk.line(which);
        desk.talk.line(slots.to_string());
        if desk.options.manner.dry_run || desk.talk.accept(question)? {
            let steps = fix::cover(picture, slots, &keys)?;
            carry(desk, &steps)?;
            changed = true;
        }
    }
    Ok(changed)
}

fn owners(desk: &mut Desk<'_>, picture: &Picture) -> Result<bool, String> {
    desk.talk.line(">>> Check for multiple slot owners...");
    let keys = look::keys(desk, picture, &Slots::all())?;
    look::show_owners(desk, picture, &keys);
    let many: Vec<u16> = fix::multiple_owners(picture, &keys).into_keys().collect();
    for slot in &many {
        let none = fix::Keys::new();
        let steps = fix::one_of_many(picture, *slot, keys.get(slot).unwrap_or(&none))?;
        carry(desk, &steps)?;
    }
    Ok(!many.is_empty())
}
