//! CLUSTER: reads are answered from the picture being served, changes go to the control plane.

use super::nodes;
use crate::execute::Turn;
use crate::node::Node;
use cluster::topology::NOBODY;
use cluster::{NodeId, Topology};
use front::Session;
use store::keyspace::Place;
use wire::command::CommandId;
use wire::number;
use wire::reply::{Protocol, Reply};
use wire::slot::{SLOTS, slot};

/// Whether a subcommand is one that changes the cluster: the control plane does it. A transaction
/// of such alone goes there as a whole, as `redis-cli --cluster fix` wants it; among others they
/// are refused, since their replies would come too late for their places.
pub(crate) fn is_change(id: CommandId) -> bool {
    matches!(
        id,
        CommandId::ClusterAddslots
            | CommandId::ClusterAddslotsrange
            | CommandId::ClusterBumpepoch
            | CommandId::ClusterDelslots
            | CommandId::ClusterDelslotsrange
            | CommandId::ClusterFailover
            | CommandId::ClusterFlushslots
            | CommandId::ClusterForget
            | CommandId::ClusterMeet
            | CommandId::ClusterReplicate
            | CommandId::ClusterReset
            | CommandId::ClusterSaveconfig
            | CommandId::ClusterSetConfigEpoch
            | CommandId::ClusterSetslot
    )
}

impl Node {
    /// Runs a CLUSTER subcommand.
    pub(crate) fn cluster_command(
        &mut self,
        id: CommandId,
        args: &[&[u8]],
        session: &mut Session,
        turn: &mut Turn<'_>,
    ) {
        let mut reply = Reply::new(turn.buffer, session.protocol);
        let Some(clustering) = &self.clustering else {
            return reply.error("ERR This instance has cluster support disabled");
        };
        let Some(topology) = clustering.topology.clone() else {
            return reply.error("CLUSTERDOWN The cluster is down");
        };
        let prefer = self.config.cluster.announce.endpoint.as_str();
        match id {
            CommandId::ClusterMyid => reply.bulk(topology.me().id.as_str().as_bytes()),
            CommandId::ClusterMyshardid => reply.bulk(topology.me().shard.as_str().as_bytes()),
            CommandId::ClusterNodes => {
                reply.verbatim(*b"txt", nodes::nodes(&topology).as_bytes());
            }
            CommandId::ClusterSlots => nodes::slots(&topology, prefer, &mut reply),
            CommandId::ClusterShards => nodes::shards(&topology, prefer, &mut reply),
            CommandId::ClusterInfo => {
                reply.verbatim(*b"txt", info(&topology).as_bytes());
            }
            CommandId::ClusterKeyslot => reply.integer(i64::from(slot(args[2]))),
            CommandId::ClusterCountkeysinslot => match slot_number(args[2]) {
                Some(slot) => reply.integer(self.keys_in(slot) as i64),
                None => reply.error("ERR Invalid slot"),
            },
            CommandId::ClusterGetkeysinslot => self.get_keys(args, &mut reply),
            CommandId::ClusterReplicas | CommandId::ClusterSlaves => {
                replicas(&topology, args[2], &mut reply);
            }
            _ if session.transaction.running.is_some() => {
                reply.error("ERR Command not allowed inside a transaction");
            }
            CommandId::ClusterLinks => {
                let version = if session.protocol == Protocol::Resp3 { "3" } else { "2" };
                self.ask_cluster(&[b"cluster", b"links", version.as_bytes()], session, turn.out);
            }
            CommandId::ClusterHelp => drop(front::command(id, args, &mut reply)),
            _ => self.ask_cluster(args, session, turn.out),
        }
    }

    pub(super) fn keys_in(&self, slot: u16) -> usize {
        self.data.keyspace.table(Place::new(0, slot)).map_or(0, |table| table.len())
    }

    fn get_keys(&self, args: &[&[u8]], reply: &mut Reply<'_>) {
        let Some(slot) = slot_number(args[2]) else { return reply.error("ERR Invalid slot") };
        let count = number::parse_i64(args[3]).and_then(|count| usize::try_from(count).ok());
        let Some(count) = count else { return reply.error("ERR Invalid number of keys") };
        let count = count.min(self.keys_in(slot));
        reply.array(count);
        let Some(table) = self.data.keyspace.table(Place::new(0, slot)) else { return };
        let (mut position, mut left) = (0, count);
        while left > 0 {
            position = table.scan(position, |entry| {
                if left > 0 {
                    left -= 1;
                    reply.bulk(entry.key());
                }
            });
            if position == 0 {
                break;
            }
        }
    }
}

pub(super) fn slot_number(word: &[u8]) -> Option<u16> {
    let slot = number::parse_i64(word)?;
    u16::try_from(slot).ok().filter(|slot| usize::from(*slot) < SLOTS)
}

fn replicas(topology: &Topology, id: &[u8], reply: &mut Reply<'_>) {
    let Some(node) = NodeId::parse(id).and_then(|id| topology.node(id)) else {
        let id = String::from_utf8_lossy(id);
        return reply.error(&format!("ERR Unknown node {id}"));
    };
    if node.primary.is_some() {
        return reply.error("ERR The specified node is not a master");
    }
    let lines: Vec<String> =
        topology.replicas(node.id).map(|replica| nodes::line(topology, replica)).collect();
    reply.array(lines.len());
    lines.iter().for_each(|line| reply.bulk(line.as_bytes()));
}

/// CLUSTER INFO.
fn info(topology: &Topology) -> String {
    let mut counts = [0; 4];
    for owner in topology.owners.iter().filter(|owner| **owner != NOBODY) {
        let owner = &topology.nodes[usize::from(*owner)];
        counts[0] += 1;
        let state = if owner.fail {
            3
        } else if owner.pfail {
            2
        } else {
            1
        };
        counts[state] += 1;
    }
    let me = topology.me();
    let my_epoch = me
        .primary
        .and_then(|id| topology.node(id))
        .map_or(me.config_epoch, |primary| primary.config_epoch);
    let fields = [
        ("cluster_state", String::from(if topology.ok { "ok" } else { "fail" })),
        ("cluster_slots_assigned", counts[0].to_string()),
        ("cluster_slots_ok", counts[1].to_string()),
        ("cluster_slots_pfail", counts[2].to_string()),
        ("cluster_slots_fail", counts[3].to_string()),
        ("cluster_known_nodes", topology.nodes.len().to_string()),
        ("cluster_size", topology.size.to_string()),
        ("cluster_current_epoch", topology.current_epoch.to_string()),
        ("cluster_my_epoch", my_epoch.to_string()),
    ];
    let fields = fields.into_iter().map(|(name, value)| (name.to_string(), value));
    let all = fields.chain(topology.traffic.fields());
    all.map(|(name, value)| format!("{name}:{value}\r\n")).collect()
}
