//! A cluster of one make becomes one of another, node by node, while clients write: what
//! `docs/migrate.md` tells operators to do, and how they go back.

use super::super::member::{Kind, Programs};
use super::super::talk::until;
use super::cluster::Cluster;
use super::load::Figures;
use super::rows::load;
use anyhow::{Result, ensure};

/// Three primaries, a replica each.
pub(super) fn play(programs: &Programs, old: Kind, new: Kind) -> Result<Figures> {
    let replicas = [(old, 0), (old, 1), (old, 2)];
    let mut cluster = Cluster::start(programs, &[old; 3], &replicas)?;
    let leaving: Vec<[String; 2]> =
        (0..3).map(|shard| [0, 3].map(|first| cluster.nodes[first + shard].id.clone())).collect();
    let load = load(&cluster)?;
    for [primary, replica] in &leaving {
        let heir = join(&mut cluster, new, primary)?;
        cluster.must(index(&cluster, &heir), "CLUSTER FAILOVER")?;
        cluster.promoted(index(&cluster, &heir))?;
        cluster.settle()?;
        join(&mut cluster, new, &heir)?;
        for gone in [primary, replica] {
            leave(&mut cluster, &heir, gone)?;
        }
    }
    let figures = load.end()?;
    cluster.compare()?;
    cluster.check()?;
    for node in 0..cluster.nodes.len() {
        let text = cluster.ask(node, "CLUSTER NODES")?;
        let known = text.lines().count();
        let stranger = leaving.iter().flatten().find(|id| text.contains(id.as_str()));
        ensure!(known == 6 && stranger.is_none(), "not only new nodes are left: {text}");
    }
    Ok(figures)
}

fn index(cluster: &Cluster, id: &str) -> usize {
    cluster.nodes.iter().position(|node| node.id == id).unwrap_or_default()
}

/// A new node follows this primary, and has its data; its id.
fn join(cluster: &mut Cluster, kind: Kind, primary: &str) -> Result<String> {
    let node = cluster.add(kind)?;
    let new = format!("127.0.0.1:{}", cluster.port(node));
    let known = index(cluster, primary);
    let words = [&new, "--cluster-slave", "--cluster-master-id", primary];
    cluster.tool(known, "add-node", &words)?;
    until("it has its primary's data", || {
        let up = cluster.ask(node, "INFO replication")?.contains("master_link_status:up");
        Ok(up.then_some(()))
    })?;
    cluster.settle()?;
    Ok(cluster.nodes[node].id.clone())
}

/// A node without slots leaves, and ends.
fn leave(cluster: &mut Cluster, known: &str, gone: &str) -> Result<()> {
    cluster.tool(index(cluster, known), "del-node", &[gone])?;
    // It still runs: nobody may be led astray by it.
    let left = index(cluster, gone);
    until("it is alone", || {
        Ok((cluster.ask(left, "CLUSTER NODES")?.lines().count() == 1).then_some(()))
    })?;
    cluster.drop_node(gone);
    cluster.settle()
}
