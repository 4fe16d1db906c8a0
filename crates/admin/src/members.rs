//! Nodes that join a cluster and nodes that leave it.

use crate::{Node, Picture, Step, text};

/// Whom a new node is to follow.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Role {
    /// Nobody: it becomes a primary without slots.
    Primary,
    /// Whoever has the fewest replicas.
    Replica,
    /// This one.
    ReplicaOf(String),
}

/// The primary that a new node will follow, if any.
pub fn to_follow<'p>(picture: &'p Picture, role: &Role) -> Result<Option<&'p Node>, String> {
    match role {
        Role::Primary => Ok(None),
        Role::Replica => {
            let node = picture.fewest_replicas("");
            node.map(Some).ok_or_else(|| String::from("[ERR] There is no master to follow."))
        }
        Role::ReplicaOf(id) => {
            let node = picture.find(id).filter(|node| node.is_primary());
            node.map(Some).ok_or_else(|| format!("[ERR] No such master ID {id}"))
        }
    }
}

/// Takes a node out: its replicas follow others, everybody forgets it, and it forgets the cluster.
pub fn remove(picture: &Picture, id: &str) -> Result<Vec<Step>, String> {
    // A node that does not answer can be forgotten, too; it only cannot be told.
    let silent = || picture.silent.iter().find(|node| node.id.eq_ignore_ascii_case(id));
    let node = picture.find(id).or_else(silent);
    let node = node.ok_or_else(|| format!("[ERR] No such node ID {id}"))?;
    if !node.slots.is_empty() {
        return Err(format!(
            "[ERR] Node {} is not empty! Reshard data away and try again.",
            text(&node.address())
        ));
    }
    if picture.members.len() == 1 && picture.find(id).is_some() {
        return Err(String::from("[ERR] It is the only node that can be reached."));
    }
    let mut steps =
        vec![Step::Tell(">>> Sending CLUSTER FORGET messages to the cluster...".into())];
    let others = || picture.nodes().filter(|other| other.id != node.id);
    // Where replicas are few, each orphan lessens that for the next.
    let mut picture = picture.clone();
    let orphans: Vec<Node> =
        others().filter(|other| other.primary.as_deref() == Some(&node.id)).cloned().collect();
    for orphan in orphans {
        let next = picture.fewest_replicas(&node.id).cloned();
        let next = next.ok_or("[ERR] No master is left for its replicas to follow.")?;
        let (from, to) = (text(&orphan.address()), text(&next.address()));
        steps.push(Step::Tell(format!(">>> {from} as replica of {to}")));
        steps.push(Step::say(&orphan, &format!("CLUSTER REPLICATE {}", next.id)));
        for member in picture.members.iter_mut().filter(|member| member.node.id == orphan.id) {
            member.node.primary = Some(next.id.clone());
        }
    }
    steps.extend(others().map(|other| Step::say(other, &format!("CLUSTER FORGET {}", node.id))));
    if picture.find(id).is_none() {
        steps.push(Step::Tell(
            "*** The node does not answer: if it comes back, tell it CLUSTER RESET.".into(),
        ));
        return Ok(steps);
    }
    steps.push(Step::Tell(">>> Sending CLUSTER RESET SOFT to the deleted node.".into()));
    steps.push(Step::say(node, "CLUSTER RESET SOFT"));
    Ok(steps)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::tests::cluster;

    #[test]
    fn a_node_with_slots_stays() {
        let picture = cluster(&["0-8000", "8001-16383", ""]);
        let id = |i: usize| picture.members[i].node.id.clone();
        let error = remove(&picture, &id(1)).unwrap_err();
        assert_eq!(error, "[ERR] Node h:7001 is not empty! Reshard data away and try again.");
        assert_eq!(remove(&picture, "x").unwrap_err(), "[ERR] No such node ID x");
        let steps = remove(&picture, &id(2)).unwrap();
        let forget = format!("CLUSTER FORGET {}", id(2));
        for at in [0, 1] {
            assert!(steps.contains(&Step::say(&picture.members[at].node, &forget)));
        }
        assert!(!steps.contains(&Step::say(&picture.members[2].node, &forget)));
        let reset = Step::say(&picture.members[2].node, "CLUSTER RESET SOFT");
        assert_eq!(steps.last(), Some(&reset));
    }

    #[test]
    fn its_replicas_follow_whoever_has_the_fewest() {
        let mut picture = cluster(&["0-8000", "8001-16383", "", "", ""]);
        for replica in [3, 4] {
            picture.members[replica].node.primary = Some(picture.members[2].node.id.clone());
        }
        let steps = remove(&picture, &picture.members[2].node.id).unwrap();
        let told: Vec<&str> = steps
            .iter()
            .filter_map(|step| match step {
                Step::Tell(text) => text.strip_prefix(">>> h:"),
                _ => None,
            })
            .collect();
        assert_eq!(told, ["7003 as replica of h:7000", "7004 as replica of h:7001"]);
    }

    #[test]
    fn a_node_that_does_not_answer_is_forgotten_all_the_same() {
        let mut picture = cluster(&["0-8000", "8001-16383", ""]);
        let gone = picture.members.pop().unwrap().node;
        picture.silent.push(gone.clone());
        let steps = remove(&picture, &gone.id).unwrap();
        let told = |step: &&Step| matches!(step, Step::Say((_, port), _) if *port == gone.port);
        assert!(steps.len() > 2 && steps.iter().find(told).is_none(), "{steps:?}");
    }

    #[test]
    fn whom_to_follow() {
        let mut picture = cluster(&["0-8000", "8001-16383", ""]);
        picture.members[2].node.primary = Some(picture.members[0].node.id.clone());
        let port = |role| to_follow(&picture, &role).map(|node| node.map(|node| node.port));
        assert_eq!(port(Role::Primary), Ok(None));
        assert_eq!(port(Role::Replica), Ok(Some(7001)));
        let id = picture.members[0].node.id.clone();
        assert_eq!(port(Role::ReplicaOf(id)), Ok(Some(7000)));
        let replica = picture.members[2].node.id.clone();
        let wrong = port(Role::ReplicaOf(replica.clone())).unwrap_err();
        assert_eq!(wrong, format!("[ERR] No such master ID {replica}"));
    }
}
