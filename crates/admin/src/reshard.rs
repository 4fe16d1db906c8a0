//! Which slots leave which primaries, when a number of them is to go to another.

use crate::{Node, Picture};

/// A slot and the one that gives it.
pub type Move<'n> = (u16, &'n Node);

/// Chooses `count` slots from `sources`: each gives in proportion to what it has, its lowest slots
/// first. What rounding down leaves out is taken from the largest. With two sources that is what
/// Redis's tools do; with more, theirs only round the largest share up, and may move fewer than
/// were asked for.
pub fn plan<'n>(sources: &[&'n Node], count: usize) -> Vec<Move<'n>> {
    let mut sorted: Vec<&Node> = sources.to_vec();
    sorted.sort_by_key(|node| std::cmp::Reverse(node.slots.len()));
    let total: usize = sorted.iter().map(|node| node.slots.len()).sum();
    let mut left = count.min(total);
    let mut shares: Vec<usize> = Vec::new();
    for node in &sorted {
        // In the precision that Redis's tools use: where the limit is near, it decides.
        let exact = count as f32 / total as f32 * node.slots.len() as f32;
        let share = (exact as usize).min(node.slots.len()).min(left);
        shares.push(share);
        left -= share;
    }
    for (share, node) in shares.iter_mut().zip(&sorted) {
        let more = left.min(node.slots.len() - *share);
        *share += more;
        left -= more;
    }
    let given = sorted.iter().zip(&shares);
    given
        .flat_map(|(node, share)| node.slots.iter().take(*share).map(|slot| (slot, *node)))
        .collect()
}

/// The primary that an id names, as a source or target.
pub fn primary<'p>(picture: &'p Picture, id: &str) -> Result<&'p Node, String> {
    picture.find(id).filter(|node| node.is_primary()).ok_or_else(|| {
        format!("*** The specified node ({id}) is not known or not a master, please retry.")
    })
}

/// A source: any primary but the target.
pub fn source<'p>(picture: &'p Picture, id: &str, target: &Node) -> Result<&'p Node, String> {
    let node = primary(picture, id)?;
    if node.id == target.id {
        let why = "*** It is not possible to use the target node as source node.";
        return Err(String::from(why));
    }
    Ok(node)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::tests::cluster;

    fn shares(slots: &[&str], count: usize) -> Vec<(u16, usize)> {
        let picture = cluster(slots);
        let sources: Vec<&Node> = picture.nodes().collect();
        let moves = plan(&sources, count);
        let given = |port| moves.iter().filter(|(_, node)| node.port == port).count();
        sources.iter().map(|node| (node.port, given(node.port))).collect()
    }

    #[test]
    fn a_thousand_of_two_primaries_are_501_and_499() {
        let given = shares(&["5461-10922", "10923-16383"], 1000);
        assert_eq!(given, [(7000, 501), (7001, 499)]);
    }

    #[test]
    fn as_many_move_as_were_asked_for_if_there_are_so_many() {
        for count in [1, 7, 100, 999, 16384, 20000] {
            let given = shares(&["0-5000", "5001-10922", "10923-10999", "11000-16383"], count);
            let sum: usize = given.iter().map(|(_, n)| n).sum();
            assert_eq!(sum, count.min(16384), "{given:?}");
        }
        assert_eq!(shares(&["", ""], 5), [(7000, 0), (7001, 0)]);
    }

    #[test]
    fn the_lowest_slots_go_first() {
        let picture = cluster(&["9-12 100", "13-99"]);
        let nodes: Vec<&Node> = picture.nodes().collect();
        let slots: Vec<u16> = plan(&nodes[..1], 3).iter().map(|(slot, _)| *slot).collect();
        assert_eq!(slots, [9, 10, 11]);
    }

    #[test]
    fn wrong_ids_are_refused() {
        let picture = cluster(&["0-8000", "8001-16383"]);
        let nodes: Vec<&Node> = picture.nodes().collect();
        assert!(primary(&picture, "x").unwrap_err().contains("(x) is not known or not a master"));
        assert_eq!(primary(&picture, &nodes[1].id.to_uppercase()).unwrap().port, 7001);
        assert!(source(&picture, &nodes[1].id, nodes[1]).unwrap_err().contains("the target node"));
    }
}
