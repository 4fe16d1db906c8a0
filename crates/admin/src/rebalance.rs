//! Which slots move where so that every primary has what its weight gives it.

use crate::{Node, Picture, reshard};
use std::collections::BTreeMap;
use wire::slot::SLOTS;

/// What the operator wants.
#[derive(Clone, PartialEq, Debug)]
pub struct Wish {
    /// Beginnings of ids with their weights; the others have 1.
    pub weights: Vec<(String, f32)>,
    /// Primaries without slots take part.
    pub use_empty: bool,
    /// By how many per cent a primary must be off before anything moves.
    pub threshold: f32,
}

/// So many slots from one to another.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Transfer<'n> {
    /// Who gives.
    pub from: &'n Node,
    /// Who gets.
    pub to: &'n Node,
    /// What moves.
    pub slots: Vec<u16>,
}

/// What will be done.
#[derive(Clone, PartialEq, Debug)]
pub struct Plan<'n> {
    /// One after the other; empty: nobody is off by more than the threshold.
    pub transfers: Vec<Transfer<'n>>,
    /// Each primary that takes part, with how many slots it has too many.
    pub balances: Vec<(&'n Node, i64)>,
    /// The sum of the weights.
    pub total: f32,
}

/// Compares and matches those that have too much with those that lack.
pub fn plan<'p>(picture: &'p Picture, wish: &Wish) -> Result<Plan<'p>, String> {
    let mut weights: BTreeMap<&str, f32> = BTreeMap::new();
    for (begin, weight) in &wish.weights {
        // A replica's weight is taken and counts for nothing, as with redis-cli.
        let node = picture.find_prefix(begin);
        let node = node.ok_or_else(|| format!("*** No such master node {begin}"))?;
        if !weight.is_finite() || *weight < 0.0 {
            return Err(format!("*** invalid input {begin}={weight}"));
        }
        weights.insert(&node.id, *weight);
    }
    let involved: Vec<&Node> =
        picture.primaries().filter(|node| wish.use_empty || !node.slots.is_empty()).collect();
    let weight = |node: &Node| weights.get(&node.id[..]).copied().unwrap_or(1.0);
    let total: f32 = involved.iter().map(|node| weight(node)).sum();
    if total <= 0.0 {
        return Err(String::from("*** All weights are zero: nobody could take the slots."));
    }
    let expected = |node: &Node| (SLOTS as f32 / total * weight(node)) as i64;
    let mut balances: Vec<(&Node, i64)> =
        involved.iter().map(|node| (*node, node.slots.len() as i64 - expected(node))).collect();
    let off = |node: &Node| match node.slots.len() {
        0 => expected(node) > 1,
        n => (100.0 - 100.0 * expected(node) as f32 / n as f32).abs() > wish.threshold,
    };
    if !involved.iter().any(|node| off(node)) {
        return Ok(Plan { transfers: Vec::new(), balances, total });
    }
    settle(&mut balances);
    let transfers = transfers(&balances);
    Ok(Plan { transfers, balances, total })
}

/// Rounding leaves a few slots to nobody: who lacks some takes one more each.
fn settle(balances: &mut [(&Node, i64)]) {
    let mut over: i64 = balances.iter().map(|(_, balance)| balance).sum();
    while over > 0 {
        let before = over;
        for (_, balance) in balances.iter_mut().filter(|(_, balance)| *balance <= 0) {
            if over > 0 {
                *balance -= 1;
                over -= 1;
            }
        }
        // With nobody who lacks any, those with too much keep it.
        if over == before {
            break;
        }
    }
    balances.sort_by_key(|(_, balance)| *balance);
}

/// The neediest gets from the richest, until one of them has what it should.
fn transfers<'n>(balances: &[(&'n Node, i64)]) -> Vec<Transfer<'n>> {
    let mut balances = balances.to_vec();
    let mut given: BTreeMap<&str, usize> = BTreeMap::new();
    let mut out = Vec::new();
    let (mut needy, mut rich) = (0, balances.len().saturating_sub(1));
    while needy < rich {
        let (to, lacks) = balances[needy];
        let (from, has) = balances[rich];
        let count = (-lacks).min(has).max(0);
        if count > 0 {
            let already = given.entry(&from.id).or_default();
            let all = reshard::plan(&[from], *already + count as usize);
            let slots: Vec<u16> = all.iter().skip(*already).map(|(slot, _)| *slot).collect();
            *already += count as usize;
            out.push(Transfer { from, to, slots });
        }
        balances[needy].1 += count;
        balances[rich].1 -= count;
        if balances[needy].1 >= 0 {
            needy += 1;
        }
        if balances[rich].1 <= 0 {
            rich = rich.saturating_sub(1);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::tests::cluster;

    fn wish() -> Wish {
        Wish { weights: Vec::new(), use_empty: false, threshold: 2.0 }
    }

    /// How many slots each has afterwards.
    fn after(slots: &[&str], wish: &Wish) -> Vec<usize> {
        let picture = cluster(slots);
        let plan = plan(&picture, wish).unwrap();
        let mut counts: BTreeMap<u16, usize> =
            picture.nodes().map(|node| (node.port, node.slots.len())).collect();
        let mut seen = std::collections::BTreeSet::new();
        for transfer in &plan.transfers {
            for slot in &transfer.slots {
                assert!(transfer.from.slots.contains(*slot) && seen.insert(*slot), "{slot}");
            }
            *counts.get_mut(&transfer.from.port).unwrap() -= transfer.slots.len();
            *counts.get_mut(&transfer.to.port).unwrap() += transfer.slots.len();
        }
        counts.into_values().collect()
    }

    #[test]
    fn shares_become_equal() {
        let slots = ["0-6460", "6461-10922", "10923-16383"];
        assert_eq!(after(&slots, &wish()), [5461, 5462, 5461]);
        let picture = cluster(&slots);
        let plan = plan(&picture, &wish()).unwrap();
        let first = &plan.transfers[0];
        assert_eq!((first.from.port, first.to.port, first.slots.len()), (7000, 7001, 1000));
    }

    #[test]
    fn empty_primaries_take_part_when_told_to() {
        let slots = ["0-8191", "8192-16383", ""];
        assert_eq!(after(&slots, &wish()), [8192, 8192, 0]);
        let wish = Wish { use_empty: true, ..wish() };
        assert_eq!(after(&slots, &wish), [5461, 5461, 5462]);
    }

    #[test]
    fn weights_are_obeyed_and_zero_empties() {
        let slots = ["0-5460", "5461-10922", "10923-16383"];
        let weights = vec![(String::from("a"), 0.0), (String::from("b"), 3.0)];
        assert_eq!(after(&slots, &Wish { weights, ..wish() }), [0, 12288, 4096]);
        let unknown = Wish { weights: vec![(String::from("x"), 1.0)], ..wish() };
        assert!(plan(&cluster(&slots), &unknown).unwrap_err().contains("No such master node x"));
        let weights = ["a", "b", "c"].map(|name| (name.to_string(), 0.0)).to_vec();
        assert!(plan(&cluster(&slots), &Wish { weights, ..wish() }).is_err());
    }

    #[test]
    fn within_the_threshold_nothing_moves() {
        let slots = ["0-5500", "5501-10922", "10923-16383"];
        assert_eq!(after(&slots, &wish()), [5501, 5422, 5461]);
        assert_eq!(after(&slots, &Wish { threshold: 0.5, ..wish() }), [5461, 5462, 5461]);
    }
}
