//! The data plane's end of the mail with the control plane.

use super::Clustering;
use super::command::slot_number;
use crate::clients::pause::hold;
use crate::config;
use crate::node::Node;
use cluster::mail::{Held, ToCluster, ToNode};
use front::{Awaited, Queue, Session};
use machine::{Action, ConnId, Letter, Level, Now, Out, Span};
use replication::Target;

/// How long writers wait for the lease of a primary that has just taken over, or begins to serve;
/// without that they would be told in every failover that the cluster is down, and at the start
/// that it is although CLUSTER INFO says it is not.
const LEASE_COMES: Span = Span::millis(3000);
/// A turn that took longer than this is looked at again before its replies leave.
const LONG_TURN: Span = Span::millis(100);

impl Node {
    /// A message of the control plane.
    pub(crate) fn mail(&mut self, letter: Letter, now: Now, out: &mut Out) {
        let Ok(message) = letter.downcast::<ToNode>() else { return };
        let Some(clustering) = &mut self.clustering else { return };
        match *message {
            ToNode::Topology(topology) => {
                let generation = topology.generation;
                let (served, serves) = (clustering.serves(), topology.serves());
                clustering.show(topology);
                if serves && !served && !clustering.lease.allows(now.mono) {
                    self.clients.pause.await_lease(now.mono + LEASE_COMES);
                } else if served && !serves {
                    self.clients.pause.lease_settled();
                }
                clustering.tell(ToCluster::Applied { generation }, out);
            }
            ToNode::Lease(lease) => {
                let lost = clustering.lease.allows(now.mono) && clustering.serves();
                clustering.lease = lease;
                self.lease_moved(lost, now);
            }
            ToNode::Freeze { epoch, to_the_end } => {
                let open = self.replication.link.as_ref().is_some_and(|link| link.conn().is_some());
                if to_the_end && open && !clustering.frozen {
                    clustering.draining = Some(epoch);
                } else {
                    self.freeze(epoch, now, out);
                }
            }
            ToNode::Thaw => self.thaw(out),
            ToNode::PauseWrites => {
                self.clients.pause.hold(hold::MANUAL, true);
                let offset = self.replication.end();
                clustering.tell(ToCluster::PausedAt { offset }, out);
            }
            ToNode::ResumeWrites => {
                // A primary that nobody replaced has to ask for its lease anew.
                if self.replication.link.is_none() && !clustering.lease.allows(now.mono) {
                    self.clients.pause.await_lease(now.mono + LEASE_COMES);
                }
                self.clients.pause.hold(hold::MANUAL, false);
            }
            ToNode::Tell => self.tell_state(now, out),
            ToNode::Follow { ip, port, .. } => {
                self.clients.pause.lease_settled();
                self.thaw(out);
                let target = Target { host: ip, port };
                let same =
                    self.replication.link.as_ref().is_some_and(|link| *link.target() == target);
                if !same {
                    self.follow(target, now, out);
                }
            }
            ToNode::Promote => {
                if !clustering.lease.allows(now.mono) {
                    self.clients.pause.await_lease(now.mono + LEASE_COMES);
                }
                self.thaw(out);
                self.promote(now, out);
                self.tell_state(now, out);
            }
            ToNode::Leave => {
                self.thaw(out);
                self.promote(now, out);
                self.drop_all_keys();
                self.tell_state(now, out);
            }
            ToNode::Reply { number, reply } => self.answer_asked(number, &reply, out),
        }
        self.close_gates();
    }

    /// Writers that wait for a lease go on with it. If there was one and is none any more (of nodes
    /// that have just met, links are made anew, and the lease with them), they wait for the next.
    fn lease_moved(&mut self, lost: bool, now: Now) {
        let Some(clustering) = &self.clustering else { return };
        if clustering.lease.allows(now.mono) {
            self.clients.pause.lease_settled();
        } else if lost {
            self.clients.pause.await_lease(now.mono + LEASE_COMES);
        }
    }

    /// Applies nothing more of the primary's stream, and says how far it was applied.
    fn freeze(&mut self, epoch: u64, now: Now, out: &mut Out) {
        let offset = self.replication.end();
        let data_age_ms = self.data_age(now);
        if let Some(conn) = self.replication.link.as_ref().and_then(|link| link.conn()) {
            out.act(Action::PauseReads { conn });
        }
        if let Some(clustering) = &mut self.clustering {
            clustering.frozen = true;
            clustering.draining = None;
            clustering.tell(ToCluster::Frozen { epoch, offset, data_age_ms }, out);
        }
    }

    /// The stream has been read to its end.
    pub(crate) fn drained(&mut self, now: Now, out: &mut Out) {
        if let Some(epoch) = self.clustering.as_mut().and_then(|clustering| clustering.draining) {
            self.freeze(epoch, now, out);
        }
    }

    fn thaw(&mut self, out: &mut Out) {
        let Some(clustering) = &mut self.clustering else { return };
        clustering.draining = None;
        if std::mem::take(&mut clustering.frozen)
            && let Some(conn) = self.replication.link.as_ref().and_then(|link| link.conn())
        {
            out.act(Action::ResumeReads { conn });
        }
    }

    /// How old our copy of the primary's data is; `None`: we have no copy.
    fn data_age(&self, now: Now) -> Option<u64> {
        let link = self.replication.link.as_ref()?;
        if !self.replication.placed {
            return None;
        }
        // Data from a file is of unknown age until its primary was followed.
        let heard = self.replication.chores.fresh.filter(|_| !link.is_following());
        let since = if link.is_following() { Some(link.heard()) } else { heard };
        since.map(|since| now.mono.since(since).as_millis())
    }

    /// Drops all data, as FLUSHALL does, replicas' too.
    fn drop_all_keys(&mut self) {
        (0..self.data.keyspace.databases()).for_each(|db| self.data.keyspace.clear(db));
        self.data.effects.command(1, &[b"FLUSHALL"]);
        self.commit(0, &[], b"");
    }

    /// Tells the control plane how replication stands.
    pub(crate) fn tell_state(&mut self, now: Now, out: &mut Out) {
        if self.persist.loading.is_some() {
            if let Some(clustering) = &self.clustering {
                clustering.tell(ToCluster::Loading, out);
            }
            return;
        }
        let data_age_ms = self.data_age(now);
        // A replica with data from a file does not stand for election, so nobody must wait for it.
        let replica = self.replication.link.is_some();
        let offset = if replica && data_age_ms.is_none() { 0 } else { self.replication.end() };
        let state = ToCluster::State {
            offset,
            linked: self.replication.link.as_ref().is_some_and(|link| link.is_following()),
            data_age_ms,
            empty: self.data.keyspace.is_empty(),
        };
        if let Some(clustering) = &mut self.clustering {
            clustering.tell(state, out);
        }
    }

    /// Tells the control plane of changed directives.
    pub(crate) fn tell_settings(&self, out: &mut Out) {
        if let Some(clustering) = &self.clustering {
            let config = config::cluster::control(&self.config);
            clustering.tell(ToCluster::Settings(Box::new(config)), out);
        }
    }

    /// Hands a changing CLUSTER command to the control plane; the client waits.
    pub(crate) fn ask_cluster(&mut self, args: &[&[u8]], session: &mut Session, out: &mut Out) {
        let Some(number) = self.new_question(session) else { return };
        let held = self.held_for(number, args);
        let words = words(args);
        if let Some(clustering) = &self.clustering {
            clustering.tell(ToCluster::Command { number, words, held }, out);
        }
        self.close_gates();
    }

    /// The same with all commands of a transaction.
    pub(crate) fn ask_cluster_all(&mut self, queue: &Queue, session: &mut Session, out: &mut Out) {
        let Some(number) = self.new_question(session) else { return };
        let mut commands = Vec::new();
        for index in 0..queue.requests.len() {
            let (_, args, _) = queue.requests.get(index);
            commands.push((words(&args), self.held_for(number, &args)));
        }
        if let Some(clustering) = &self.clustering {
            clustering.tell(ToCluster::Transaction { number, commands }, out);
        }
        self.close_gates();
    }

    fn new_question(&mut self, session: &mut Session) -> Option<u64> {
        let clustering = self.clustering.as_mut()?;
        clustering.numbers += 1;
        clustering.asked.push((clustering.numbers, session.conn));
        session.waiting.begin(Awaited::Cluster);
        Some(clustering.numbers)
    }

    /// What the control plane has to know of our data for a command. What it depends on does not
    /// change until the answer.
    fn held_for(&mut self, number: u64, args: &[&[u8]]) -> Held {
        let slot = assigned_slot(args);
        if let Some(slot) = slot {
            self.clients.moves.close_slot(number, slot);
        }
        Held {
            nothing: self.data.keyspace.is_empty(),
            in_slot: slot.map_or(0, |slot| self.keys_in(slot) as u64),
        }
    }

    fn answer_asked(&mut self, number: u64, reply: &[u8], out: &mut Out) {
        self.clients.moves.open_slot(number);
        let Some(clustering) = &mut self.clustering else { return };
        let Some(at) = clustering.asked.iter().position(|(n, _)| *n == number) else { return };
        let (_, conn) = clustering.asked.swap_remove(at);
        self.answer_late(conn, Awaited::Cluster, reply, out);
    }

    /// A client is gone: nobody waits for the answer any more.
    pub(crate) fn forget_asked(&mut self, conn: ConnId) {
        if let Some(clustering) = &mut self.clustering {
            clustering.asked.retain(|(_, asker)| *asker != conn);
            clustering.writers.retain(|writer| *writer != conn);
        }
    }

    /// Before replies leave: if the turn took so long that the lease ran out in it, another node
    /// may have taken over before the writes of this turn. Those who sent them learn nothing.
    pub(crate) fn check_lease(&mut self, now: Now, out: &mut Out) {
        let Some(clustering) = &mut self.clustering else { return };
        let late = now.mono.since(self.turn_began) > LONG_TURN;
        if !clustering.writers.is_empty() && late && !clustering.lease.allows(now.mono) {
            let writers = std::mem::take(&mut clustering.writers);
            out.log(
                Level::Warning,
                format_args!(
                    "The lease ran out within a turn; {} clients are not told of their writes",
                    writers.len()
                ),
            );
            writers.into_iter().for_each(|conn| out.close(conn));
        } else {
            clustering.writers.clear();
        }
    }
}

/// The words after CLUSTER.
fn words(args: &[&[u8]]) -> Vec<Vec<u8>> {
    args[1..].iter().map(|word| word.to_vec()).collect()
}

/// The slot that a command wants to give an owner, if it is such a command.
fn assigned_slot(args: &[&[u8]]) -> Option<u16> {
    let [_, name, slot, how, _] = args else { return None };
    let is = name.eq_ignore_ascii_case(b"setslot") && how.eq_ignore_ascii_case(b"node");
    slot_number(slot).filter(|_| is)
}

impl Clustering {
    fn tell(&self, message: ToCluster, out: &mut Out) {
        out.mail(self.address, Box::new(message));
    }
}
