//! What brings a damaged cluster in order: open slots are closed, slots without an owner get one,
//! slots with several keep one, and every key goes to its slot's owner.

use crate::{Node, Picture, Slots, Step, move_slot, take_over, text};
use std::collections::BTreeMap;

/// How many keys of a slot each node has, by id; who has none may be left out.
pub type Keys = BTreeMap<String, u64>;

fn count(keys: &Keys, node: &Node) -> u64 {
    keys.get(&node.id).copied().unwrap_or(0)
}

/// Why it would be dangerous to go on: nodes that do not answer may own what seems to be nobody's.
pub fn danger(picture: &Picture, what: &str) -> Option<String> {
    let silent = picture.silent_primaries();
    (silent > 0).then(|| {
        format!(
            "*** Fixing {what} with {silent} unreachable masters is dangerous: redis-cli will \
             assume that slots about masters that are not reachable are not covered, and will try \
             to reassign them to the reachable nodes. This can cause data loss and is rarely what \
             you want to do. If you really want to proceed use the \
             --cluster-fix-with-unreachable-masters option."
        )
    })
}

/// Closes a slot that is open somewhere. A move under way is completed; without one, keys go to the
/// owner; without a single owner, whoever has the most keys becomes it.
pub fn open_slot(picture: &Picture, slot: u16, keys: &Keys) -> Result<Vec<Step>, String> {
    let mut steps = vec![Step::Tell(format!(">>> Fixing open slot {slot}"))];
    let primaries: Vec<&Node> = picture.primaries().collect();
    let owners: Vec<&Node> =
        primaries.iter().copied().filter(|node| node.slots.contains(slot)).collect();
    for node in &primaries {
        if !node.slots.contains(slot) && count(keys, node) > 0 {
            let at = text(&node.address());
            steps.push(Step::Tell(format!(
                "*** Found keys about slot {slot} in non-owner node {at}!"
            )));
        }
    }
    let names = |open: &dyn Fn(&Node) -> bool| {
        let nodes = primaries.iter().filter(|node| open(node));
        nodes.map(|node| text(&node.address())).collect::<Vec<_>>().join(",")
    };
    for (state, names) in [
        ("migrating", names(&|node| node.migrating.contains_key(&slot))),
        ("importing", names(&|node| node.importing.contains_key(&slot))),
    ] {
        if !names.is_empty() {
            steps.push(Step::Tell(format!("Set as {state} in: {names}")));
        }
    }
    let [owner] = owners[..] else {
        steps.push(Step::Tell(
            ">>> No single clear owner for the slot, selecting an owner by # of keys...".into(),
        ));
        let owner = with_most(&primaries, slot, keys)
            .ok_or("[ERR] Can't select a slot owner. Impossible to fix.")?;
        let at = text(&owner.address());
        steps.push(Step::Tell(format!("*** Configuring {at} as the slot owner")));
        steps.push(Step::stable(owner, slot));
        steps.extend(take_over(owner, &[slot]));
        steps.extend(gather(slot, owner, &primaries, keys));
        return Ok(steps);
    };
    steps.extend(one_owner(slot, owner, &primaries, keys));
    Ok(steps)
}

/// The owner is clear; is a move under way?
fn one_owner(slot: u16, owner: &Node, primaries: &[&Node], keys: &Keys) -> Vec<Step> {
    let mut steps = Vec::new();
    let target = owner.migrating.get(&slot).and_then(|id| {
        let named = primaries.iter().copied().find(|node| node.id == *id && node.id != owner.id);
        named.filter(|node| node.importing.contains_key(&slot))
    });
    let Some(to) = target else {
        if owner.migrating.contains_key(&slot) {
            let at = text(&owner.address());
            steps.push(Step::Tell(format!(">>> Case 4: Closing slot {slot} on {at}")));
        }
        if owner.migrating.contains_key(&slot) || owner.importing.contains_key(&slot) {
            steps.push(Step::stable(owner, slot));
        }
        let rest = gather(slot, owner, primaries, keys);
        if rest.iter().any(|step| matches!(step, Step::MoveKeys { .. })) {
            let at = text(&owner.address());
            steps.push(Step::Tell(format!(
                ">>> Case 2: Moving all the {slot} slot keys to its owner {at}"
            )));
        }
        steps.extend(rest);
        return steps;
    };
    let (a, b) = (text(&owner.address()), text(&to.address()));
    let concerned = |node: &&Node| {
        node.importing.contains_key(&slot)
            || node.migrating.contains_key(&slot)
            || count(keys, node) > 0
    };
    let third = |node: &&Node| node.id != owner.id && node.id != to.id;
    let closing = primaries.iter().copied().filter(third).any(|node| concerned(&node));
    steps.push(Step::Tell(match closing {
        false => format!(">>> Case 1: Moving slot {slot} from {a} to {b}"),
        true => format!(
            ">>> Case 3: Moving slot {slot} from {a} to {b} and closing it on all the other \
             importing nodes."
        ),
    }));
    steps.extend(move_slot(slot, owner, to, primaries.iter().copied()));
    let others: Vec<&Node> = primaries.iter().copied().filter(third).collect();
    steps.extend(gather(slot, to, &others, keys));
    steps
}

/// Brings everything of a slot to its owner: whoever else claims it lets go, keys move, and what is
/// open is closed.
fn gather(slot: u16, owner: &Node, nodes: &[&Node], keys: &Keys) -> Vec<Step> {
    let mut steps = Vec::new();
    for node in nodes.iter().filter(|node| node.id != owner.id) {
        let claims = node.slots.contains(slot);
        let open = node.importing.contains_key(&slot) || node.migrating.contains_key(&slot);
        let has = count(keys, node) > 0;
        if claims {
            steps.push(Step::attempt(node, &format!("CLUSTER DELSLOTS {slot}")));
        }
        if claims || open || has {
            steps.push(Step::set(node, slot, "NODE", owner));
        }
        if has {
            // So that it does not send us to the owner when we ask it to move keys.
            steps.push(Step::set(node, slot, "IMPORTING", owner));
            steps.push(Step::keys(slot, node, owner));
        }
        if claims || open || has {
            let at = text(&node.address());
            steps.push(Step::Tell(format!(">>> Setting {slot} as STABLE in {at}")));
            steps.push(Step::stable(node, slot));
        }
    }
    steps
}

/// Who has the most keys; of several, who claims it with the greatest epoch, then who imports it.
fn with_most<'n>(nodes: &[&'n Node], slot: u16, keys: &Keys) -> Option<&'n Node> {
    let rank = |node: &Node| {
        let claim = if node.slots.contains(slot) { node.epoch + 1 } else { 0 };
        (count(keys, node), claim, node.importing.contains_key(&slot))
    };
    // Of equals the first.
    nodes.iter().copied().rev().max_by_key(|node| rank(node))
}

/// Slots that nobody owns, by how many nodes have keys of them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Uncovered {
    /// Nobody has keys.
    pub none: Slots,
    /// One has.
    pub single: Slots,
    /// Several have.
    pub multiple: Slots,
}

/// Sorts the slots that nobody owns; `keys` knows who has keys of each.
pub fn uncovered(picture: &Picture, keys: &BTreeMap<u16, Keys>) -> Uncovered {
    let slots = Slots::all().without(&picture.covered());
    let holders = |slot: u16| {
        keys.get(&slot).map_or(0, |keys| keys.values().filter(|count| **count > 0).count())
    };
    Uncovered {
        none: slots.iter().filter(|slot| holders(*slot) == 0).collect(),
        single: slots.iter().filter(|slot| holders(*slot) == 1).collect(),
        multiple: slots.iter().filter(|slot| holders(*slot) > 1).collect(),
    }
}

/// Gives slots without an owner to whoever has the most keys of each; those of which nobody has
/// any, to those with the fewest slots.
pub fn cover(
    picture: &Picture,
    slots: &Slots,
    keys: &BTreeMap<u16, Keys>,
) -> Result<Vec<Step>, String> {
    let primaries: Vec<&Node> = picture.primaries().collect();
    let mut load: Vec<usize> = primaries.iter().map(|node| node.slots.len()).collect();
    let mut steps = Vec::new();
    let none = Keys::new();
    for slot in slots.iter() {
        let keys = keys.get(&slot).unwrap_or(&none);
        let has_keys = keys.values().any(|count| *count > 0);
        let least = (0..primaries.len()).min_by_key(|i| load[*i]);
        let least = least.ok_or("[ERR] There is no master to cover the slots.")?;
        let most = with_most(&primaries, slot, keys).filter(|_| has_keys);
        let owner = most.unwrap_or(primaries[least]);
        for (node, load) in primaries.iter().zip(&mut load) {
            *load += usize::from(node.id == owner.id);
        }
        let at = text(&owner.address());
        let several = keys.values().filter(|count| **count > 0).count() > 1;
        let how = if several { "moving keys to" } else { "with" };
        steps.push(Step::Tell(format!(">>> Covering slot {slot} {how} {at}")));
        steps.extend(take_over(owner, &[slot]));
        if several {
            steps.push(Step::stable(owner, slot));
        }
        steps.extend(gather(slot, owner, &primaries, keys));
    }
    Ok(steps)
}

/// Slots of which more than one node is the owner or has keys.
pub fn multiple_owners<'p>(
    picture: &'p Picture,
    keys: &BTreeMap<u16, Keys>,
) -> BTreeMap<u16, Vec<&'p Node>> {
    let primaries: Vec<&Node> = picture.primaries().collect();
    let mut out = BTreeMap::new();
    for slot in Slots::all().iter() {
        let keys = keys.get(&slot);
        let part = |node: &&Node| {
            node.slots.contains(slot) || keys.is_some_and(|keys| count(keys, node) > 0)
        };
        let owners: Vec<&Node> = primaries.iter().copied().filter(part).collect();
        if owners.len() > 1 {
            out.insert(slot, owners);
        }
    }
    out
}

/// Leaves a slot to one of its owners: to whoever has the most keys.
pub fn one_of_many(picture: &Picture, slot: u16, keys: &Keys) -> Result<Vec<Step>, String> {
    let primaries: Vec<&Node> = picture.primaries().collect();
    let owner = with_most(&primaries, slot, keys)
        .ok_or("[ERR] Can't select a slot owner. Impossible to fix.")?;
    let mut steps = vec![
        Step::Tell(format!(">>> Fixing multiple owners for slot {slot}...")),
        Step::Tell(format!(">>> Setting slot {slot} owner: {}", text(&owner.address()))),
    ];
    steps.extend(take_over(owner, &[slot]));
    steps.extend(gather(slot, owner, &primaries, keys));
    Ok(steps)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::tests::cluster;

    const SLOTS: [&str; 3] = ["0-5460", "5461-10922", "10923-16383"];

    fn id(picture: &Picture, i: usize) -> String {
        picture.members[i].node.id.clone()
    }

    fn keys(picture: &Picture, counts: [u64; 3]) -> Keys {
        (0..3).map(|i| (id(picture, i), counts[i])).collect()
    }

    fn opened(from: Option<usize>, to: Option<usize>) -> Picture {
        let mut picture = cluster(&SLOTS);
        let (a, b) = (id(&picture, from.unwrap_or(0)), id(&picture, to.unwrap_or(1)));
        if let Some(from) = from {
            picture.members[from].node.migrating.insert(7, b);
        }
        if let Some(to) = to {
            picture.members[to].node.importing.insert(7, a);
        }
        picture
    }

    /// The steps in short: the port and what it is told, or whose keys go where.
    fn short(steps: &[Step]) -> Vec<String> {
        let one = |step: &Step| match step {
            Step::Tell(_) => None,
            Step::Say((_, port), words) | Step::Try((_, port), words) => {
                let rest = words[1..].join(" ");
                let name = rest.rsplit(' ').next().map_or("", |id| &id[..id.len().min(1)]);
                let long = rest.len() > 40;
                let text = if long { format!("{}{name}", &rest[..rest.len() - 40]) } else { rest };
                Some(format!("{port} {text}"))
            }
            Step::MoveKeys { from, to, .. } => Some(format!("{} keys to {}", from.1, to.1)),
        };
        steps.iter().filter_map(one).collect()
    }

    fn told(steps: &[Step], text: &str) -> bool {
        steps.iter().any(|step| matches!(step, Step::Tell(line) if line.contains(text)))
    }

    #[test]
    fn a_move_under_way_is_completed() {
        let picture = opened(Some(0), Some(1));
        let steps = open_slot(&picture, 7, &keys(&picture, [3, 4, 0])).unwrap();
        assert!(told(&steps, "Case 1: Moving slot 7 from h:7000 to h:7001"));
        assert_eq!(
            short(&steps),
            [
                "7001 SETSLOT 7 IMPORTING a",
                "7000 SETSLOT 7 MIGRATING b",
                "7000 keys to 7001",
                "7001 SETSLOT 7 NODE b",
                "7000 SETSLOT 7 NODE b",
                "7002 SETSLOT 7 NODE b"
            ]
        );
    }

    #[test]
    fn who_imports_what_nobody_gives_hands_its_keys_back() {
        let picture = opened(None, Some(1));
        let steps = open_slot(&picture, 7, &keys(&picture, [3, 4, 0])).unwrap();
        assert!(told(&steps, "Case 2"));
        assert_eq!(
            short(&steps),
            [
                "7001 SETSLOT 7 NODE a",
                "7001 SETSLOT 7 IMPORTING a",
                "7001 keys to 7000",
                "7001 SETSLOT 7 STABLE"
            ]
        );
        let steps = open_slot(&picture, 7, &keys(&picture, [3, 0, 0])).unwrap();
        assert_eq!(short(&steps), ["7001 SETSLOT 7 NODE a", "7001 SETSLOT 7 STABLE"]);
    }

    #[test]
    fn who_gives_what_nobody_takes_keeps_it() {
        let picture = opened(Some(0), None);
        let steps = open_slot(&picture, 7, &keys(&picture, [3, 0, 0])).unwrap();
        assert!(told(&steps, "Case 4: Closing slot 7 on h:7000"));
        assert_eq!(short(&steps), ["7000 SETSLOT 7 STABLE"]);
    }

    #[test]
    fn of_two_owners_the_one_with_more_keys_stays() {
        let mut picture = opened(Some(0), None);
        picture.members[1].node.slots = (7..=7).chain(5461..=10922).collect();
        let steps = open_slot(&picture, 7, &keys(&picture, [0, 4, 0])).unwrap();
        assert!(told(&steps, "Configuring h:7001 as the slot owner"));
        assert_eq!(
            short(&steps),
            [
                "7001 SETSLOT 7 STABLE",
                "7001 DELSLOTS 7",
                "7001 ADDSLOTS 7",
                "7001 BUMPEPOCH",
                "7000 DELSLOTS 7",
                "7000 SETSLOT 7 NODE b",
                "7000 SETSLOT 7 STABLE"
            ]
        );
        // Without keys, who claims it with the greater epoch.
        let steps = open_slot(&picture, 7, &Keys::new()).unwrap();
        assert!(told(&steps, "Configuring h:7001 as the slot owner"));
    }

    #[test]
    fn a_third_that_imports_is_closed_as_well() {
        let mut picture = opened(Some(0), Some(1));
        let source = id(&picture, 0);
        picture.members[2].node.importing.insert(7, source);
        let steps = open_slot(&picture, 7, &keys(&picture, [3, 0, 1])).unwrap();
        assert!(told(&steps, "Case 3"));
        let end = ["7002 SETSLOT 7 IMPORTING b", "7002 keys to 7001", "7002 SETSLOT 7 STABLE"];
        assert!(short(&steps).ends_with(&end.map(String::from)), "{:?}", short(&steps));
    }

    #[test]
    fn slots_of_nobody_go_to_who_has_their_keys() {
        let mut picture = cluster(&["0-5459", "5461-10922", "10923-16380"]);
        let per_slot: BTreeMap<u16, Keys> = [
            (5460, keys(&picture, [0, 0, 2])),
            (16381, keys(&picture, [1, 2, 0])),
            (16382, keys(&picture, [0, 0, 0])),
        ]
        .into();
        let found = uncovered(&picture, &per_slot);
        assert_eq!(found.none.plain(), "16382-16383");
        assert_eq!((found.single.plain(), found.multiple.plain()), ("5460".into(), "16381".into()));
        let steps = cover(&picture, &found.none, &per_slot).unwrap();
        assert!(told(&steps, "Covering slot 16382 with h:7002"), "it has the fewest slots");
        let steps = short(&cover(&picture, &found.single, &per_slot).unwrap());
        assert!(steps.contains(&String::from("7002 ADDSLOTS 5460")), "{steps:?}");
        let steps = short(&cover(&picture, &found.multiple, &per_slot).unwrap());
        assert!(steps.contains(&String::from("7000 keys to 7001")), "{steps:?}");
        picture.silent.push(Node { flags: vec!["master".into()], ..Node::default() });
        let danger = danger(&picture, "slots coverage").unwrap();
        assert!(danger.contains("slots coverage with 1 unreachable masters is dangerous"));
    }

    #[test]
    fn keys_with_somebody_else_make_a_second_owner() {
        let picture = cluster(&SLOTS);
        let per_slot: BTreeMap<u16, Keys> = [(9, keys(&picture, [5, 0, 1]))].into();
        let owners = multiple_owners(&picture, &per_slot);
        let ports: Vec<u16> = owners[&9].iter().map(|node| node.port).collect();
        assert_eq!((owners.len(), ports), (1, vec![7000, 7002]));
        let steps = one_of_many(&picture, 9, &per_slot[&9]).unwrap();
        assert!(short(&steps).contains(&String::from("7002 keys to 7000")));
    }
}
