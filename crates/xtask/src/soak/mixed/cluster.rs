//! A cluster of several makes on this host.

use super::super::alike;
use super::super::member::{Kind, Member, Programs};
use super::super::talk::{Talk, until};
use anyhow::{Context, Result, bail, ensure};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Command, Stdio};

/// `cluster-node-timeout` of clusters of several makes, in milliseconds.
pub(super) const NODE_TIMEOUT: u16 = 3000;

/// One node of it.
pub(super) struct Node {
    pub(super) member: Member,
    pub(super) id: String,
}

/// Its nodes, in the order in which they were started.
pub(super) struct Cluster {
    pub(super) programs: Programs,
    pub(super) nodes: Vec<Node>,
    /// The port of the next node.
    next: u16,
    /// `cluster-node-timeout` of all nodes, in milliseconds.
    timeout: u16,
    /// How many nodes began as primaries with slots.
    pub(super) shards: usize,
}

/// What a node says of another, as far as all must agree: whom it follows and its slots.
#[derive(PartialEq, Eq, Debug)]
struct Seen {
    primary: String,
    slots: String,
}

impl Cluster {
    /// Primaries that share the slots, then replicas, each with the index of its primary.
    pub(super) fn start(
        programs: &Programs,
        primaries: &[Kind],
        replicas: &[(Kind, usize)],
    ) -> Result<Self> {
        Self::start_with(programs, NODE_TIMEOUT, primaries, replicas)
    }

    /// The same with another node-timeout.
    pub(super) fn start_with(
        programs: &Programs,
        timeout: u16,
        primaries: &[Kind],
        replicas: &[(Kind, usize)],
    ) -> Result<Self> {
        let next = free_ports(primaries.len() + replicas.len() + 6)?;
        let mut cluster = Self {
            programs: programs.clone(),
            nodes: Vec::new(),
            next,
            timeout,
            shards: primaries.len(),
        };
        let kinds = primaries.iter().chain(replicas.iter().map(|(kind, _)| kind));
        for kind in kinds {
            cluster.add(*kind)?;
        }
        let share = 16384 / primaries.len();
        for index in 0..primaries.len() {
            let from = index * share;
            let to = if index + 1 == primaries.len() { 16383 } else { from + share - 1 };
            cluster.must(index, &format!("CLUSTER ADDSLOTSRANGE {from} {to}"))?;
            cluster.must(index, &format!("CLUSTER SET-CONFIG-EPOCH {}", index + 1))?;
        }
        for index in 1..cluster.nodes.len() {
            let port = cluster.port(index);
            cluster.must(0, &format!("CLUSTER MEET 127.0.0.1 {port}"))?;
        }
        cluster.settle()?;
        for (index, (_, primary)) in replicas.iter().enumerate() {
            let id = &cluster.nodes[*primary].id;
            cluster.must(primaries.len() + index, &format!("CLUSTER REPLICATE {id}"))?;
        }
        cluster.settle()?;
        Ok(cluster)
    }

    /// Starts one more node, which knows nobody; its index.
    pub(super) fn add(&mut self, kind: Kind) -> Result<usize> {
        let timeout = self.timeout.to_string();
        let member = Member::start_at(&self.programs, kind, self.next, &directives(&timeout))?;
        self.next += 1;
        let id = until("it knows its name", || {
            Ok(Some(member.talk()?.ask("CLUSTER MYID")?).filter(|id| id.len() == 40))
        })?;
        self.nodes.push(Node { member, id });
        Ok(self.nodes.len() - 1)
    }

    /// Where a node listens.
    pub(super) fn port(&self, node: usize) -> u16 {
        self.nodes[node].member.port
    }

    /// What a node answers.
    pub(super) fn ask(&self, node: usize, line: &str) -> Result<String> {
        Talk::to(self.port(node))?.ask(line)
    }

    /// What a node must answer with OK.
    pub(super) fn must(&self, node: usize, line: &str) -> Result<()> {
        let reply = self.ask(node, line)?;
        ensure!(reply == "OK", "{line}: {reply}");
        Ok(())
    }

    /// Starts a node that was killed again, with the data it has.
    pub(super) fn again(&mut self, node: usize) -> Result<()> {
        let (programs, timeout) = (self.programs.clone(), self.timeout.to_string());
        self.nodes[node].member.again_here(&programs, &directives(&timeout))
    }

    /// `master` or `slave`.
    pub(super) fn role(&self, node: usize) -> Result<String> {
        Talk::to(self.port(node))?.info("role")
    }

    /// Waits until a node is a primary.
    pub(super) fn promoted(&self, node: usize) -> Result<()> {
        until("it is a primary", || Ok((self.role(node)? == "master").then_some(())))
    }

    /// Waits until all nodes see the same whole cluster, and every replica has its primary's data.
    pub(super) fn settle(&self) -> Result<()> {
        let mut last = String::new();
        until("all see the same cluster", || {
            last = match self.fault() {
                Ok(None) => return Ok(Some(())),
                Ok(Some(fault)) => fault,
                Err(error) => format!("{error:#}"),
            };
            Ok(None)
        })
        .with_context(|| last)
    }

    /// Why it is not whole yet.
    fn fault(&self) -> Result<Option<String>> {
        let mut first: Option<BTreeMap<String, Seen>> = None;
        for index in 0..self.nodes.len() {
            let port = self.port(index);
            let text = self.ask(index, "CLUSTER NODES")?;
            let mut seen = BTreeMap::new();
            for line in text.lines() {
                let words: Vec<&str> = line.split(' ').collect();
                let [id, _, flags, primary, _, _, _, link, ..] = words[..] else {
                    bail!("not a node: {line}")
                };
                let sound = flags
                    .split(',')
                    .all(|flag| ["myself", "master", "slave", "nofailover"].contains(&flag));
                if !sound || link != "connected" {
                    return Ok(Some(format!("{port} says {line}")));
                }
                let slots = words[8..].join(" ");
                seen.insert(id.to_string(), Seen { primary: primary.to_string(), slots });
            }
            if seen.len() != self.nodes.len() {
                return Ok(Some(format!("{port} knows {} nodes", seen.len())));
            }
            if first.as_ref().is_some_and(|first| *first != seen) {
                return Ok(Some(format!("{port} differs: {text}")));
            }
            let info = self.ask(index, "INFO replication")?;
            if info.contains("master_link_status:down") {
                return Ok(Some(format!("{port} has no link to its primary")));
            }
            let served = seen.values().any(|seen| !seen.slots.is_empty());
            if served && !self.ask(index, "CLUSTER INFO")?.contains("cluster_state:ok") {
                return Ok(Some(format!("{port} does not serve")));
            }
            first = Some(seen);
        }
        Ok(None)
    }

    /// Waits until every replica is fed: Redis begins a stream up to a second after the snapshot
    /// was loaded.
    pub(super) fn streaming(&self) -> Result<()> {
        for node in 0..self.nodes.len() {
            let mut talk = Talk::to(self.port(node))?;
            if talk.info("role")? == "master" {
                continue;
            }
            let field = "slave_repl_offset";
            let before = talk.info(field)?;
            until("it is fed", || Ok((talk.info(field)? != before).then_some(())))?;
        }
        Ok(())
    }

    /// Whether every replica holds what its primary holds; nobody may write meanwhile.
    pub(super) fn compare(&self) -> Result<()> {
        let text = self.ask(0, "CLUSTER NODES")?;
        let port = |id: &str| -> Result<u16> {
            let node = self.nodes.iter().find(|node| node.id == id).context("an unknown node")?;
            Ok(node.member.port)
        };
        let mut shards: BTreeMap<u16, Vec<u16>> = BTreeMap::new();
        for line in text.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            if let Some(primary) = words.get(3).filter(|primary| **primary != "-") {
                shards.entry(port(primary)?).or_default().push(port(words[0])?);
            }
        }
        for (primary, replicas) in shards {
            let keys = alike::settled(primary, &replicas)?;
            ensure!(keys > 0, "the primary at {primary} has no keys");
        }
        Ok(())
    }

    /// `redis-cli --cluster` with a node; what it prints. It must succeed.
    pub(super) fn tool(&self, node: usize, verb: &str, words: &[&str]) -> Result<String> {
        let at = format!("127.0.0.1:{}", self.port(node));
        let mut command = Command::new("redis-cli");
        command.args(["--cluster", verb]);
        // The first words of add-node come before the cluster's own address.
        let (before, after) =
            if verb == "add-node" { words.split_at(1) } else { (&words[..0], words) };
        command.args(before).arg(at).args(after).stdin(Stdio::null());
        let output = command.output().context("redis-cli")?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(output.status.success(), "redis-cli --cluster {verb}: {text}");
        Ok(text)
    }

    /// `redis-cli --cluster check` finds nothing, whichever node it asks.
    pub(super) fn check(&self) -> Result<()> {
        for node in 0..self.nodes.len() {
            let text = self.tool(node, "check", &[])?;
            let clean = text.contains("[OK] All nodes agree about slots configuration.")
                && text.contains("[OK] All 16384 slots covered.")
                && !text.contains("[WARNING]")
                && !text.contains("[ERR]");
            ensure!(clean, "{text}");
        }
        Ok(())
    }

    /// Removes a node that has left, and ends it.
    pub(super) fn drop_node(&mut self, id: &str) {
        self.nodes.retain(|node| node.id != id);
    }
}

/// What all nodes are told besides.
fn directives(timeout: &str) -> [&str; 6] {
    [
        "--cluster-enabled",
        "yes",
        "--cluster-node-timeout",
        timeout,
        "--repl-ping-replica-period",
        "10",
    ]
}

/// The first of so many ports in a row that are free, and whose bus ports are; below those that the
/// system hands out by itself.
fn free_ports(count: usize) -> Result<u16> {
    let free = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    let start = (std::process::id() % 9000) as u16;
    (0..400)
        .map(|step| 11_000 + (start + step * 23) % 9000)
        .find(|first| (*first..first + count as u16).all(|port| free(port) && free(port + 10_000)))
        .context("no free ports")
}
