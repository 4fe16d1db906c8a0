//! `info` and `check`: what a cluster looks like, and what is wrong with it.

use super::{Desk, SETTLE};
use admin::{Address, Node, Picture, Slots, fix, json, text};
use std::collections::BTreeMap;

/// Shows the primaries with their keys.
pub(super) fn info(desk: &mut Desk<'_>, seed: &Address) -> Result<bool, String> {
    let picture = desk.session.picture(seed)?;
    show_silent(desk, &picture);
    show_primaries(desk, &picture)?;
    desk.result(|| json::picture(&picture, &[]));
    Ok(true)
}

/// Shows all nodes and examines them; whether nothing is wrong.
pub(super) fn check(desk: &mut Desk<'_>, seed: &Address) -> Result<bool, String> {
    // After a change nodes may differ for a moment.
    let picture = desk.session.settled(seed, SETTLE / 4)?;
    show_silent(desk, &picture);
    show_primaries(desk, &picture)?;
    let mut problems = examine(desk, &picture, false);
    if desk.options.search_owners {
        desk.talk.line(">>> Check for multiple slot owners...");
        let keys = keys(desk, &picture, &Slots::all())?;
        problems.extend(show_owners(desk, &picture, &keys));
    }
    desk.result(|| json::picture(&picture, &problems));
    Ok(problems.is_empty())
}

/// Tells of nodes that do not answer.
pub(super) fn show_silent(desk: &Desk<'_>, picture: &Picture) {
    for node in &picture.silent {
        desk.talk.line(format!("Could not connect to Redis at {}", text(&node.address())));
    }
    for node in picture.nodes() {
        if let Some(id) = node.primary.as_deref().filter(|id| picture.find(id).is_none()) {
            let at = text(&node.address());
            desk.talk
                .line(format!("*** WARNING: {at} claims to be slave of unknown node ID {id}."));
        }
    }
}

pub(super) fn show_primaries(desk: &mut Desk<'_>, picture: &Picture) -> Result<(), String> {
    let (mut all, mut masters) = (0, 0);
    for node in picture.primaries() {
        let keys = desk.session.say(&node.address(), &["DBSIZE"])?;
        desk.talk.line(format!(
            "{} ({}...) -> {keys} keys | {} slots | {} slaves.",
            text(&node.address()),
            &node.id[..8.min(node.id.len())],
            node.slots.len(),
            picture.replicas(&node.id)
        ));
        all += keys.parse::<u64>().unwrap_or(0);
        masters += 1;
    }
    desk.talk.line(format!("[OK] {all} keys in {masters} masters."));
    desk.talk.line(format!("{:.2} keys per slot on average.", all as f64 / 16384.0));
    Ok(())
}

/// Looks for what is wrong, telling what it finds; the problems.
pub(super) fn examine(desk: &Desk<'_>, picture: &Picture, quiet: bool) -> Vec<String> {
    let talk = &desk.talk;
    let mut problems = Vec::new();
    let mut problem = |line: String| {
        talk.line(&line);
        problems.push(line);
    };
    let Some(first) = picture.nodes().next() else { return problems };
    let at = text(&first.address());
    talk.line(format!(">>> Performing Cluster Check (using node {at})"));
    if !quiet {
        picture.nodes().for_each(|node| talk.line(shown(picture, node, "")));
    }
    if picture.agrees() {
        talk.line("[OK] All nodes agree about slots configuration.");
    } else {
        problem("[ERR] Nodes don't agree about configuration!".into());
        for group in picture.opinions() {
            talk.line(format!("    of one opinion: {}", group.join(", ")));
        }
    }
    talk.line(">>> Check for open slots...");
    for node in picture.nodes() {
        let at = text(&node.address());
        for (state, slots) in [("migrating", &node.migrating), ("importing", &node.importing)] {
            if !slots.is_empty() {
                let list = list(slots.keys());
                problem(format!("[WARNING] Node {at} has slots in {state} state {list}."));
            }
        }
    }
    let open = picture.open();
    if !open.is_empty() {
        talk.line(format!("[WARNING] The following slots are open: {}.", list(open.iter())));
    }
    for (epoch, nodes) in picture.shared_epochs() {
        let nodes = nodes.join(", ");
        talk.line(format!("[WARNING] The config epoch {epoch} is shared by {nodes}."));
    }
    talk.line(">>> Check slots coverage...");
    let covered = picture.covered();
    if covered == Slots::all() {
        talk.line("[OK] All 16384 slots covered.");
    } else {
        problem("[ERR] Not all 16384 slots are covered by nodes.\n".into());
    }
    problems
}

fn list<'s>(slots: impl Iterator<Item = &'s u16>) -> String {
    slots.map(u16::to_string).collect::<Vec<_>>().join(",")
}

/// A node as people see it.
pub(super) fn shown(picture: &Picture, node: &Node, indent: &str) -> String {
    let role = if node.is_primary() { "M" } else { "S" };
    let mut out = format!(
        "{indent}{role}: {} {}\n{indent}   slots:{} ({} slots) {}",
        node.id,
        text(&node.address()),
        if node.slots.is_empty() { String::from(" ") } else { node.slots.to_string() }.trim_end(),
        node.slots.len(),
        node.flags.join(",")
    );
    let replicas = picture.replicas(&node.id);
    match &node.primary {
        Some(id) => out.push_str(&format!("\n{indent}   replicates {id}")),
        None if replicas > 0 => {
            out.push_str(&format!("\n{indent}   {replicas} additional replica(s)"));
        }
        None => {}
    }
    out
}

/// How many keys each primary has in each of these slots; slots without any are left out.
pub(super) fn keys(
    desk: &mut Desk<'_>,
    picture: &Picture,
    slots: &Slots,
) -> Result<BTreeMap<u16, fix::Keys>, String> {
    let slots: Vec<u16> = slots.iter().collect();
    let mut out: BTreeMap<u16, fix::Keys> = BTreeMap::new();
    for node in picture.primaries() {
        let counts = desk.session.counts(&node.address(), &slots)?;
        for (slot, count) in slots.iter().zip(counts).filter(|(_, count)| *count > 0) {
            out.entry(*slot).or_default().insert(node.id.clone(), count);
        }
    }
    Ok(out)
}

/// Tells of slots that several have keys of; one problem each.
pub(super) fn show_owners(
    desk: &Desk<'_>,
    picture: &Picture,
    keys: &BTreeMap<u16, fix::Keys>,
) -> Vec<String> {
    let many = fix::multiple_owners(picture, keys);
    if many.is_empty() {
        desk.talk.line("[OK] No multiple owners found.");
    }
    many.iter()
        .map(|(slot, owners)| {
            let problem = format!("[WARNING] Slot {slot} has {} owners:", owners.len());
            desk.talk.line(&problem);
            for owner in owners {
                desk.talk.line(format!("    {}", text(&owner.address())));
            }
            problem
        })
        .collect()
}
