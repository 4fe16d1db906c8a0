//! Which of some empty nodes become primaries, with which slots, and whose replicas the rest are.

use crate::{Address, text};
use std::collections::BTreeMap;
use wire::slot::SLOTS;

/// What will be done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// Addresses of the primaries with the first and last slot of each.
    pub primaries: Vec<(Address, (u16, u16))>,
    /// Addresses of the replicas with the index of each one's primary.
    pub replicas: Vec<(Address, usize)>,
    /// How many of the replicas are beyond what was asked for.
    pub extra: usize,
}

/// What a replica on its primary's host counts against one beside another replica of it.
const TOGETHER: usize = 10_000;

impl Plan {
    /// The first of `nodes` become primaries, each with `replicas` of the others; hosts are taken
    /// in turn, and a replica goes to another host than its primary where there is one.
    pub fn new(nodes: &[Address], replicas: usize) -> Result<Plan, String> {
        for (i, node) in nodes.iter().enumerate() {
            if nodes[..i].contains(node) {
                return Err(format!("[ERR] The same address was given twice: {}", text(node)));
            }
        }
        let count = nodes.len() / replicas.saturating_add(1);
        if count < 3 {
            return Err(format!(
                "*** ERROR: Invalid configuration for cluster creation.\n\
                 *** Redis Cluster requires at least 3 master nodes.\n\
                 *** This is not possible with {} nodes and {replicas} replicas per node.\n\
                 *** At least {} nodes are required.",
                nodes.len(),
                replicas.saturating_add(1).saturating_mul(3)
            ));
        }
        if count > SLOTS {
            return Err(format!("[ERR] There are only {SLOTS} slots for {count} primaries."));
        }
        let mut rest = interleave(nodes);
        let chosen: Vec<Address> = rest.drain(..count).collect();
        let share = |i: usize| (SLOTS as f64 * i as f64 / count as f64).round() as u16;
        let end = |i: usize| if i + 1 == count { SLOTS as u16 - 1 } else { share(i + 1) - 1 };
        let primaries = chosen.into_iter().enumerate();
        let primaries = primaries.map(|(i, node)| (node, (share(i), end(i)))).collect();
        let mut plan = Plan { primaries, replicas: Vec::new(), extra: 0 };
        plan.extra = rest.len() - replicas * count;
        plan.give_out(rest, replicas);
        plan.spread();
        Ok(plan)
    }

    /// Each primary takes its replicas from other hosts if it can; what is left over goes round.
    fn give_out(&mut self, mut rest: Vec<Address>, replicas: usize) {
        let count = self.primaries.len();
        let turns = (0..count).flat_map(|index| std::iter::repeat_n(index, replicas));
        for index in turns.chain((0..count).cycle().take(self.extra)) {
            let host = &self.primaries[index].0.0;
            let at = rest.iter().position(|(other, _)| other != host).unwrap_or(0);
            self.replicas.push((rest.remove(at), index));
        }
    }

    /// Exchanges the primaries of two replicas wherever that keeps hosts further apart.
    fn spread(&mut self) {
        // Each round lessens the cost, which is finite; the bound is for large clusters.
        for _ in 0..self.replicas.len() {
            let mut better = false;
            for i in 0..self.replicas.len() {
                for j in 0..i {
                    let (a, b) = (self.replicas[i].1, self.replicas[j].1);
                    let before = self.cost(a) + self.cost(b);
                    if a == b || before == 0 {
                        continue;
                    }
                    (self.replicas[i].1, self.replicas[j].1) = (b, a);
                    if self.cost(a) + self.cost(b) < before {
                        better = true;
                    } else {
                        (self.replicas[i].1, self.replicas[j].1) = (a, b);
                    }
                }
            }
            if !better {
                return;
            }
        }
    }

    /// How badly the nodes of one shard share hosts.
    fn cost(&self, primary: usize) -> usize {
        let mut hosts: BTreeMap<&str, usize> = BTreeMap::new();
        for (node, _) in self.replicas.iter().filter(|(_, index)| *index == primary) {
            *hosts.entry(&node.0).or_default() += 1;
        }
        let beside = hosts.get(self.primaries[primary].0.0.as_str()).copied().unwrap_or(0);
        let siblings: usize = hosts.values().map(|n| n - 1).sum();
        beside * TOGETHER + siblings
    }

    /// What the operator should know before saying yes.
    pub fn warnings(&self) -> Vec<String> {
        let mut out = Vec::new();
        let cost: usize = (0..self.primaries.len()).map(|i| self.cost(i)).sum();
        if cost >= TOGETHER {
            out.push(String::from(
                "[WARNING] Some slaves are in the same host as their master\n\
                 Losing that host loses a primary and its replica at once: where there are more \
                 hosts, give nodes of each.",
            ));
        } else if cost > 0 {
            out.push(String::from("[WARNING] Some slaves of the same master are in the same host"));
        }
        let mut hosts: BTreeMap<&str, usize> = BTreeMap::new();
        for node in self.addresses() {
            hosts.entry(&node.0).or_default();
        }
        for (node, _) in &self.primaries {
            *hosts.entry(&node.0).or_default() += 1;
        }
        let all = self.primaries.len();
        if let Some((host, n)) = hosts.iter().find(|(_, n)| hosts.len() > 1 && **n * 2 > all) {
            out.push(format!(
                "[WARNING] {host} holds {n} of the {all} masters: if that host is lost, no \
                 majority is left to elect others, and the cluster is down until it is back. \
                 Three hosts or more avoid this."
            ));
        }
        out
    }

    /// All nodes, primaries first.
    pub fn addresses(&self) -> impl Iterator<Item = &Address> {
        let replicas = self.replicas.iter().map(|(address, _)| address);
        self.primaries.iter().map(|(address, _)| address).chain(replicas)
    }
}

/// One node of each host in turn, the hosts as they were named.
fn interleave(nodes: &[Address]) -> Vec<Address> {
    let mut queues: Vec<(&str, std::collections::VecDeque<Address>)> = Vec::new();
    for node in nodes {
        match queues.iter_mut().find(|(host, _)| *host == node.0) {
            Some((_, queue)) => queue.push_back(node.clone()),
            None => queues.push((&node.0, [node.clone()].into())),
        }
    }
    let mut out = Vec::new();
    while out.len() < nodes.len() {
        out.extend(queues.iter_mut().filter_map(|(_, queue)| queue.pop_front()));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(hosts: &[(&str, u16)]) -> Vec<Address> {
        hosts.iter().map(|(host, port)| (host.to_string(), *port)).collect()
    }

    #[test]
    fn replicas_stand_on_another_host_than_their_primary() {
        let nodes = nodes(&[("a", 1), ("a", 2), ("a", 3), ("b", 4), ("b", 5), ("b", 6)]);
        let plan = Plan::new(&nodes, 1).unwrap();
        let slots: Vec<_> =
            plan.primaries.iter().map(|((_, port), slots)| (*port, *slots)).collect();
        assert_eq!(slots, [(1, (0, 5460)), (4, (5461, 10922)), (2, (10923, 16383))]);
        assert_eq!((plan.replicas.len(), plan.extra), (3, 0));
        let apart = |(node, index): &(Address, usize)| node.0 != plan.primaries[*index].0.0;
        assert!(plan.replicas.iter().all(apart), "{plan:?}");
        let warnings = plan.warnings();
        assert_eq!(warnings.len(), 1);
        assert!(warnings[0].contains("a holds 2 of the 3 masters"), "{warnings:?}");
    }

    #[test]
    fn too_few_nodes_are_refused_with_the_number_needed() {
        let error = Plan::new(&nodes(&[("a", 1), ("a", 2), ("a", 3), ("a", 4)]), 1).unwrap_err();
        assert!(error.contains("at least 3 master nodes") && error.contains("At least 6 nodes"));
        assert!(Plan::new(&nodes(&[("a", 1), ("a", 2), ("a", 1)]), 0).is_err());
        assert!(Plan::new(&[], usize::MAX).is_err());
    }

    #[test]
    fn nodes_left_over_become_replicas_too() {
        let nodes = nodes(&[("a", 1), ("a", 2), ("a", 3), ("a", 4), ("a", 5)]);
        let plan = Plan::new(&nodes, 0).unwrap();
        assert_eq!((plan.primaries.len(), plan.extra), (5, 0));
        let plan = Plan::new(&[&nodes[..], &[("a".into(), 6), ("a".into(), 7)]].concat(), 1);
        let plan = plan.unwrap();
        assert_eq!((plan.primaries.len(), plan.replicas.len(), plan.extra), (3, 4, 1));
        // In the order in which they were named, as the tutorials show it.
        let pairs: Vec<_> =
            plan.replicas.iter().map(|((_, port), index)| (*port, *index)).collect();
        assert_eq!(pairs, [(4, 0), (5, 1), (6, 2), (7, 0)]);
        assert!(plan.warnings()[0].contains("same host as their master"));
        assert_eq!(plan.primaries.last().map(|(_, slots)| slots.1), Some(16383));
    }

    #[test]
    fn an_exchange_separates_what_taking_turns_put_together() {
        let node = |host: &str, port| (host.to_string(), port);
        let mut plan = Plan {
            primaries: vec![(node("a", 1), (0, 1)), (node("b", 2), (2, 3))],
            replicas: vec![(node("a", 3), 0), (node("b", 4), 1)],
            extra: 0,
        };
        plan.spread();
        assert_eq!(plan.cost(0) + plan.cost(1), 0, "{plan:?}");
    }
}
