//! What is to be done: one step after the other, the next only when the last succeeded.

use crate::{Address, Node};

/// One step.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// Tell the operator.
    Tell(String),
    /// A command to a node, which must succeed.
    Say(Address, Vec<String>),
    /// A command to a node; it may have no reason any more, and its error is no failure.
    Try(Address, Vec<String>),
    /// Bring all keys of a slot from one node to another, which accepts them.
    MoveKeys {
        /// Whose keys.
        slot: u16,
        /// Where they are.
        from: Address,
        /// Where they belong.
        to: Address,
    },
}

impl Step {
    /// A command to a node, written as a line.
    pub fn say(node: &Node, line: &str) -> Step {
        Step::Say(node.address(), words(line))
    }

    /// A command to a node whose error is no failure.
    pub fn attempt(node: &Node, line: &str) -> Step {
        Step::Try(node.address(), words(line))
    }

    /// SETSLOT with a state and a node.
    pub(crate) fn set(at: &Node, slot: u16, state: &str, other: &Node) -> Step {
        Step::say(at, &format!("CLUSTER SETSLOT {slot} {state} {}", other.id))
    }

    /// SETSLOT STABLE.
    pub(crate) fn stable(at: &Node, slot: u16) -> Step {
        Step::say(at, &format!("CLUSTER SETSLOT {slot} STABLE"))
    }

    /// The keys of a slot.
    pub(crate) fn keys(slot: u16, from: &Node, to: &Node) -> Step {
        Step::MoveKeys { slot, from: from.address(), to: to.address() }
    }
}

fn words(line: &str) -> Vec<String> {
    line.split(' ').map(String::from).collect()
}

/// Moves a slot with its keys, clients being served all the while. The target hears first that it
/// will get the slot, since a client that is sent there must be served; and it hears first that it
/// owns it, since an owner that is unknown to itself serves nobody. The source may have become a
/// replica with its last slot, and the others hear it by gossip anyway.
pub fn move_slot<'n>(
    slot: u16,
    from: &'n Node,
    to: &'n Node,
    others: impl Iterator<Item = &'n Node>,
) -> Vec<Step> {
    let mut steps = vec![
        Step::set(to, slot, "IMPORTING", from),
        Step::set(from, slot, "MIGRATING", to),
        Step::keys(slot, from, to),
        Step::set(to, slot, "NODE", to),
    ];
    let owner = format!("CLUSTER SETSLOT {slot} NODE {}", to.id);
    let rest = others.filter(|node| node.id != from.id && node.id != to.id && node.is_primary());
    steps.push(Step::attempt(from, &owner));
    steps.extend(rest.map(|node| Step::attempt(node, &owner)));
    steps
}

/// Makes a node the owner of slots, by its own word: with a new epoch, so that it wins over whoever
/// claims them.
pub fn take_over(node: &Node, slots: &[u16]) -> Vec<Step> {
    let release = |slot: &u16| Step::attempt(node, &format!("CLUSTER DELSLOTS {slot}"));
    let mut steps: Vec<Step> = slots.iter().map(release).collect();
    let list: Vec<String> = slots.iter().map(u16::to_string).collect();
    steps.push(Step::say(node, &format!("CLUSTER ADDSLOTS {}", list.join(" "))));
    steps.push(Step::attempt(node, "CLUSTER BUMPEPOCH"));
    steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::tests::cluster;

    #[test]
    fn the_target_hears_first() {
        let picture = cluster(&["0-8000", "8001-16383", ""]);
        let nodes: Vec<&Node> = picture.nodes().collect();
        let steps = move_slot(7, nodes[0], nodes[2], picture.nodes());
        let at = |step: &Step| match step {
            Step::Say((_, port), words) | Step::Try((_, port), words) => (*port, words[3].clone()),
            Step::MoveKeys { from, .. } => (from.1, String::from("keys")),
            Step::Tell(_) => panic!("nothing is told"),
        };
        let order: Vec<(u16, String)> = steps.iter().map(at).collect();
        let order: Vec<(u16, &str)> = order.iter().map(|(port, word)| (*port, &word[..])).collect();
        assert_eq!(
            order,
            [
                (7002, "IMPORTING"),
                (7000, "MIGRATING"),
                (7000, "keys"),
                (7002, "NODE"),
                (7000, "NODE"),
                (7001, "NODE")
            ]
        );
    }
}
