//! What the nodes of a cluster say about it, each for itself, and where they differ.

use crate::{Address, Node, Slots, text};
use std::collections::{BTreeMap, BTreeSet};

/// What one node says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Member {
    /// What it says of itself.
    pub node: Node,
    /// Who owns what, in its eyes: equal texts, equal views.
    pub view: String,
    /// Ids it knows.
    pub known: BTreeSet<String>,
    /// Whom it has no bus link to, with the port that link goes to.
    pub unlinked: Vec<(Address, u16)>,
    /// The others, as it knows them.
    pub others: Vec<Node>,
}

impl Member {
    /// Reads what CLUSTER NODES says; `asked` stands in for an address that a node does not know of
    /// itself.
    pub fn read(lines: &str, asked: &str) -> Result<Member, String> {
        let nodes = lines
            .lines()
            .map(|line| Node::read(line, asked).ok_or(format!("not a node line: {line}")))
            .collect::<Result<Vec<Node>, String>>()?;
        let mut owners: Vec<String> = nodes
            .iter()
            .filter(|node| !node.slots.is_empty())
            .map(|node| format!("{}:{}", node.id, node.slots.plain()))
            .collect();
        owners.sort();
        let known = nodes.iter().map(|node| node.id.clone()).collect();
        let (mine, others): (Vec<Node>, Vec<Node>) = nodes.into_iter().partition(|n| n.myself);
        let node = mine.into_iter().next().ok_or("no line is about the node itself")?;
        let unlinked = others
            .iter()
            .filter(|other| !other.linked || other.is("handshake"))
            .map(|other| (other.address(), other.bus_port))
            .collect();
        Ok(Member { node, view: owners.join("|"), known, unlinked, others })
    }
}

/// See the module's documentation.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Picture {
    /// Those that answered; the first is the one that was asked first.
    pub members: Vec<Member>,
    /// Those that the first knows and that did not answer.
    pub silent: Vec<Node>,
}

impl Picture {
    /// All nodes that answered.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.members.iter().map(|member| &member.node)
    }

    /// Those of them that are primaries.
    pub fn primaries(&self) -> impl Iterator<Item = &Node> {
        self.nodes().filter(|node| node.is_primary())
    }

    /// Primaries that did not answer.
    pub fn silent_primaries(&self) -> usize {
        self.silent.iter().filter(|node| node.is_primary()).count()
    }

    /// A node by its whole id.
    pub fn find(&self, id: &str) -> Option<&Node> {
        self.nodes().find(|node| node.id.eq_ignore_ascii_case(id))
    }

    /// A node by the beginning of its id.
    pub fn find_prefix(&self, begin: &str) -> Option<&Node> {
        let begin = begin.to_ascii_lowercase();
        self.nodes().find(|node| !begin.is_empty() && node.id.starts_with(&begin))
    }

    /// How many replicas follow a node.
    pub fn replicas(&self, id: &str) -> usize {
        self.nodes().filter(|node| node.primary.as_deref() == Some(id)).count()
    }

    /// The primary with the fewest replicas that is not `except`. Those with slots come first:
    /// others have nothing to lose.
    pub fn fewest_replicas(&self, except: &str) -> Option<&Node> {
        let free = self.primaries().filter(|node| node.id != except);
        free.min_by_key(|node| (node.slots.is_empty(), self.replicas(&node.id)))
    }

    /// Whether all agree who owns what.
    pub fn agrees(&self) -> bool {
        self.members.windows(2).all(|pair| pair[0].view == pair[1].view)
    }

    /// The addresses of those that see the same, the largest group first.
    pub fn opinions(&self) -> Vec<Vec<String>> {
        let mut groups: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for member in &self.members {
            groups.entry(&member.view).or_default().push(text(&member.node.address()));
        }
        let mut groups: Vec<Vec<String>> = groups.into_values().collect();
        groups.sort_by_key(|group| std::cmp::Reverse(group.len()));
        groups
    }

    /// Whether every node knows every other, with a link that stands.
    pub fn joined(&self) -> bool {
        let ids: BTreeSet<String> = self.nodes().map(|node| node.id.clone()).collect();
        self.members.iter().all(|member| member.known == ids && member.unlinked.is_empty())
    }

    /// Slots that some node owns by its own account.
    pub fn covered(&self) -> Slots {
        self.nodes().flat_map(|node| node.slots.iter()).collect()
    }

    /// Slots on their way somewhere.
    pub fn open(&self) -> BTreeSet<u16> {
        self.nodes()
            .flat_map(|node| node.migrating.keys().chain(node.importing.keys()))
            .copied()
            .collect()
    }

    /// Primaries with slots that have one configuration epoch together: neither can win over the
    /// other.
    pub fn shared_epochs(&self) -> Vec<(u64, Vec<String>)> {
        let mut epochs: BTreeMap<u64, Vec<String>> = BTreeMap::new();
        for node in self.primaries().filter(|node| !node.slots.is_empty()) {
            epochs.entry(node.epoch).or_default().push(text(&node.address()));
        }
        epochs.into_iter().filter(|(_, nodes)| nodes.len() > 1).collect()
    }

    /// Nodes that others have no link to: the node, its bus port, and from where it is missed.
    pub fn unreachable(&self) -> BTreeMap<(Address, u16), Vec<String>> {
        let mut missed: BTreeMap<(Address, u16), Vec<String>> = BTreeMap::new();
        for member in &self.members {
            let from = text(&member.node.address());
            for target in &member.unlinked {
                missed.entry(target.clone()).or_default().push(from.clone());
            }
            for other in self.nodes().filter(|other| !member.known.contains(&other.id)) {
                // A node in handshake is known by a name that is not its own yet.
                let bus = (other.address(), other.bus_port);
                let from_all = missed.entry(bus).or_default();
                if !from_all.contains(&from) {
                    from_all.push(from.clone());
                }
            }
        }
        missed
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A cluster of primaries `a`, `b`, ... with these slots, whose views are all alike.
    pub(crate) fn cluster(slots: &[&str]) -> Picture {
        let name = |i: usize| char::from(b'a' + i as u8).to_string().repeat(40);
        let line = |i: usize, me: usize| {
            let flags = if i == me { "myself,master" } else { "master" };
            let (port, epoch) = (7000 + i, i + 1);
            format!("{} h:{port}@1{port} {flags} - 0 0 {epoch} connected {}", name(i), slots[i])
        };
        let view = |me: usize| (0..slots.len()).map(|i| line(i, me) + "\n").collect::<String>();
        let members = (0..slots.len()).map(|me| Member::read(&view(me), "h").unwrap()).collect();
        Picture { members, silent: Vec::new() }
    }

    #[test]
    fn a_whole_cluster_has_no_problem() {
        let picture = cluster(&["0-5460", "5461-10922", "10923-16383"]);
        assert!(picture.agrees() && picture.joined() && picture.open().is_empty());
        assert_eq!(picture.covered(), Slots::all());
        assert!(picture.shared_epochs().is_empty() && picture.unreachable().is_empty());
        assert_eq!(picture.find_prefix("BB").map(|node| node.port), Some(7001));
        assert!(picture.find("bb").is_none() && picture.find_prefix("").is_none());
    }

    #[test]
    fn differences_between_views_are_found() {
        let mut picture = cluster(&["0-5460", "5461-10922", "10923-16383"]);
        picture.members[2].view.push('x');
        picture.members[2].known.pop_first();
        picture.members[1].node.epoch = 1;
        picture.members[0].node.migrating.insert(7, String::from("b"));
        assert!(!picture.agrees() && !picture.joined());
        assert_eq!(picture.opinions(), [vec!["h:7000", "h:7001"], vec!["h:7002"]]);
        assert_eq!(picture.shared_epochs(), [(1, vec!["h:7000".into(), "h:7001".into()])]);
        assert_eq!(picture.open().into_iter().collect::<Vec<_>>(), [7]);
        let missed: Vec<_> = picture.unreachable().into_iter().collect();
        assert_eq!(missed, [((("h".into(), 7000), 17000), vec![String::from("h:7002")])]);
    }

    #[test]
    fn the_primary_with_the_fewest_replicas_has_slots() {
        let mut picture = cluster(&["0-5460", "5461-10922", "10923-16383", "", "", ""]);
        let id = |i: usize| char::from(b'a' + i as u8).to_string().repeat(40);
        picture.members[4].node.primary = Some(id(0));
        picture.members[5].node.primary = Some(id(1));
        assert_eq!(picture.fewest_replicas("").map(|node| node.port), Some(7002));
        assert_eq!(picture.fewest_replicas(&id(2)).map(|node| node.port), Some(7000));
    }
}
