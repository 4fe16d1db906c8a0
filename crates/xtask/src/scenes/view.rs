//! What a node says of its cluster: CLUSTER NODES and CLUSTER INFO, read.

use super::stage::{Stage, until};
use anyhow::{Context, Result, ensure};

/// One line of CLUSTER NODES.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Node {
    pub(crate) id: String,
    /// Host and port, without what follows the `@`.
    pub(crate) address: String,
    pub(crate) port: u16,
    pub(crate) flags: String,
    /// Whom it follows; `-`: nobody.
    pub(crate) primary: String,
    pub(crate) epoch: u64,
    pub(crate) link: String,
    /// Runs of slots, and slots that are open.
    pub(crate) slots: Vec<String>,
}

impl Node {
    fn read(line: &str) -> Result<Self> {
        let words: Vec<&str> = line.split(' ').collect();
        ensure!(words.len() >= 8, "{} fields: {line}", words.len());
        let (address, _) = words[1].split_once('@').context("no bus port")?;
        let (_, port) = address.rsplit_once(':').context("no port")?;
        Ok(Node {
            id: words[0].to_string(),
            address: address.to_string(),
            port: port.parse()?,
            flags: words[2].to_string(),
            primary: words[3].to_string(),
            epoch: words[6].parse()?,
            link: words[7].to_string(),
            slots: words[8..].iter().map(ToString::to_string).collect(),
        })
    }

    /// Whether it has a flag: `fail?` is none of `fail`.
    pub(crate) fn is(&self, flag: &str) -> bool {
        self.flags.split(',').any(|one| one == flag)
    }

    /// Its runs of slots; those that are on their way are still their owner's.
    fn runs(&self) -> impl Iterator<Item = std::ops::RangeInclusive<usize>> {
        let words = self.slots.iter().filter(|word| !word.starts_with('['));
        let number = |word: &str| word.parse().unwrap_or(0);
        words.map(move |word| {
            let (first, last) = word.split_once('-').unwrap_or((word, word));
            number(first)..=number(last)
        })
    }

    /// How many slots it has.
    pub(crate) fn size(&self) -> usize {
        self.runs().map(|run| run.end() + 1 - run.start()).sum()
    }

    /// Whether it has this one.
    pub(crate) fn has(&self, slot: usize) -> bool {
        self.runs().any(|run| run.contains(&slot))
    }
}

/// The lines of CLUSTER NODES; none of a node that does not answer while it loads.
pub(crate) fn read(text: &str) -> Result<Vec<Node>> {
    if text.starts_with("LOADING ") {
        return Ok(Vec::new());
    }
    text.lines().map(Node::read).collect()
}

/// What the node at a port of this host sees.
pub(crate) fn nodes(stage: &Stage, port: u16) -> Result<Vec<Node>> {
    let text = stage.say(port, "cluster nodes")?;
    read(&text).with_context(|| format!("CLUSTER NODES at {port}: {text:?}"))
}

/// The node at a port, as another sees it.
pub(crate) fn node(stage: &Stage, at: u16, port: u16) -> Result<Node> {
    let found = nodes(stage, at)?.into_iter().find(|node| node.port == port);
    found.with_context(|| format!("{at} does not know {port}"))
}

/// The ports of those that follow the node at a port, as it sees them itself.
pub(crate) fn replicas(stage: &Stage, port: u16) -> Result<Vec<u16>> {
    let id = stage.say(port, "cluster myid")?;
    let nodes = nodes(stage, port)?;
    Ok(nodes.iter().filter(|node| node.primary == id).map(|node| node.port).collect())
}

/// Waits until the node at a port knows of a replica of its own, and of no other.
pub(crate) fn only_replica(stage: &Stage, port: u16) -> Result<u16> {
    let mut all = Vec::new();
    until(&format!("{port} has one replica"), || {
        all = replicas(stage, port)?;
        Ok(all.len() == 1)
    })?;
    Ok(all[0])
}

/// Waits until the replica at a port has its primary's data and follows the stream.
pub(crate) fn linked(stage: &Stage, port: u16) -> Result<()> {
    until(&format!("{port} follows"), || {
        let said = stage.say(port, "info replication")?;
        Ok(said.contains("role:slave") && said.contains("master_link_status:up"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read() {
        let line = "07c3 127.0.0.1:30004@31004,host slave,fail? e7d1 0 1426238317239 4 connected";
        let node = Node::read(line).unwrap();
        assert_eq!((node.port, node.primary.as_str(), node.epoch), (30004, "e7d1", 4));
        assert!(node.is("slave") && node.is("fail?") && !node.is("fail"));
        assert!(Node::read("07c3 127.0.0.1:30004@31004 slave e7d1 0 0 4").is_err());
    }

    #[test]
    fn slots_are_counted() {
        let line = "a :1@2 master - 0 0 1 connected 0-9 11 [12->-b] [13-<-c]";
        let node = Node::read(line).unwrap();
        assert_eq!(node.size(), 11);
        assert!(node.has(9) && node.has(11) && !node.has(10) && !node.has(13));
    }
}
