//! One seed: a cluster is formed, goes through its faults, and is well again.

use crate::deployment::{Deployment, Health, Outcome};
use crate::plan::{Fault, Kind, Plan};
use crate::promises::{every_slot_is_served, replicas_are_equal};
use machine::Span;
use sim::HostId;

/// What came of a seed that kept all promises.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Figures {
    pub(crate) acknowledged: u64,
    /// Acknowledged and lost, where that is allowed.
    pub(crate) lost: u64,
    /// From the end of the last fault until every slot was served.
    pub(crate) healing: Span,
    /// Virtual time of the whole.
    pub(crate) lasted: Span,
}

/// A run in progress.
pub(crate) struct Story {
    pub(crate) deployment: Deployment,
    /// What still is wrong, and when it ends.
    troubles: Vec<Trouble>,
}

struct Trouble {
    until: u64,
    kind: Kind,
    server: usize,
    /// Pairs of hosts that were cut, or slowed, in this direction.
    cuts: Vec<(HostId, HostId)>,
}

/// A process that is to die while it writes dies anyway after this long.
const SOON: Span = Span::millis(100);
/// How many times longer a slow link or disk takes.
const SLOWER: u64 = 20;
/// How far the wall clock steps.
const STEP: i64 = 20_000_000;

impl Story {
    /// The deployment of a plan, not yet formed.
    pub(crate) fn new(plan: &Plan) -> Self {
        let deployment = Deployment::new(plan.seed, plan.shape.clone());
        Story { deployment, troubles: Vec::new() }
    }

    /// Plays it to the end.
    pub(crate) fn play(&mut self, plan: &Plan) -> Outcome<Figures> {
        self.deployment.promises.acknowledged.strict = plan.single;
        self.deployment.form()?;
        self.deployment.run(Span::secs(2))?;
        for fault in &plan.faults {
            self.pass(fault.pause)?;
            self.begin(fault)?;
            if plan.single {
                self.pass(Span(fault.lasts.0 + 1))?;
                self.deployment.wait("it is whole again", bound(plan), Deployment::is_whole)?;
            }
        }
        self.deployment.world.note("all faults end");
        self.end_all();
        let healing = every_slot_is_served(&mut self.deployment, bound(plan))?;
        replicas_are_equal(&mut self.deployment)?;
        let d = &self.deployment;
        let journal = d.journal.borrow();
        Ok(Figures {
            acknowledged: journal.acks.len() as u64,
            lost: d.promises.acknowledged.lost,
            healing,
            lasted: Span(d.world.time()),
        })
    }

    /// Lets time pass, and ends what is due.
    fn pass(&mut self, span: Span) -> Outcome<()> {
        let end = self.deployment.world.time() + span.0;
        loop {
            let due = self.troubles.iter().map(|trouble| trouble.until).min();
            let next = due.unwrap_or(end).min(end);
            let left = next.saturating_sub(self.deployment.world.time());
            self.deployment.run(Span(left))?;
            let now = self.deployment.world.time();
            while let Some(at) = self.troubles.iter().position(|t| t.until <= now) {
                let trouble = self.troubles.remove(at);
                self.end(&trouble);
            }
            if now >= end {
                return Ok(());
            }
        }
    }

    /// Whom a fault befalls now; nobody if its shard has no writer, or the server is ill already.
    fn victim(&self, fault: &Fault) -> Option<usize> {
        let d = &self.deployment;
        let primary = d.writer(d.shards()[fault.target.shard])?;
        let victim = match fault.target.replica {
            None => primary,
            Some(number) => *d.replicas(primary).get(number)?,
        };
        let ill = self.troubles.iter().any(|trouble| trouble.server == victim);
        (!ill && d.servers[victim].health == Health::Running).then_some(victim)
    }

    fn begin(&mut self, fault: &Fault) -> Outcome<()> {
        let Some(server) = self.victim(fault) else {
            self.deployment.world.note(&format!("nobody for: {fault}"));
            return Ok(());
        };
        let d = &mut self.deployment;
        d.world.note(&format!("server {server}: {fault}"));
        let (host, node) = (d.servers[server].host, d.servers[server].node);
        let mut cuts = Vec::new();
        let mut slowed = Vec::new();
        match fault.kind {
            Kind::Kill { dump, writes } => {
                if writes > 0 {
                    d.world.kill_after_writes(node, writes);
                    d.until(SOON, |d| !d.world.is_alive(node))?;
                }
                d.kill(server);
                if !dump {
                    d.world.remove_file(host, "dump.rdb");
                }
            }
            Kind::Pause => d.pause(server),
            Kind::Stall => d.world.pause(node),
            Kind::Cut { shard, client } => cuts = between(d, &side(d, server, shard, client)),
            Kind::HalfOpen { inward } => {
                cuts = between(d, &[host]);
                cuts.retain(|(from, _)| (*from == host) != inward);
            }
            Kind::Slow => slowed = between(d, &[host]),
            Kind::Reset => {
                let hosts: Vec<HostId> = d.hosts().filter(|other| *other != host).collect();
                hosts.into_iter().for_each(|other| d.world.reset(host, other));
            }
            Kind::Crash => d.crash(server),
            Kind::FullDisk => d.world.fill_disk(host, true),
            Kind::SlowDisk => d.world.slow_disk(host, SLOWER),
            Kind::Handover { force } => {
                let replica = d.replicas(server).first().copied();
                let words = if force { "CLUSTER FAILOVER FORCE" } else { "CLUSTER FAILOVER" };
                replica.into_iter().for_each(|replica| d.tell(replica, words));
            }
            Kind::Clock { forward } => d.world.step_clock(host, if forward { STEP } else { -STEP }),
        }
        cuts.iter().for_each(|(from, to)| d.world.cut_one_way(*from, *to));
        slowed.iter().for_each(|(from, to)| d.world.link(*from, *to).latency *= SLOWER);
        cuts.extend(slowed);
        let until = d.world.time() + fault.lasts.0;
        self.troubles.push(Trouble { until, kind: fault.kind, server, cuts });
        Ok(())
    }

    fn end(&mut self, trouble: &Trouble) {
        let (d, server) = (&mut self.deployment, trouble.server);
        match trouble.kind {
            Kind::Kill { .. } => d.restart(server),
            Kind::Pause => d.resume(server),
            Kind::Stall => {
                let node = d.servers[server].node;
                d.world.resume(node);
            }
            Kind::Crash => d.power_on(server),
            Kind::SlowDisk => {
                let host = d.servers[server].host;
                d.world.slow_disk(host, 1);
            }
            Kind::FullDisk => {
                let host = d.servers[server].host;
                d.world.fill_disk(host, false);
            }
            Kind::Cut { .. } | Kind::HalfOpen { .. } => self.heal(&trouble.cuts),
            Kind::Slow => {
                for (from, to) in &trouble.cuts {
                    d.world.link(*from, *to).latency /= SLOWER;
                }
            }
            Kind::Reset | Kind::Clock { .. } | Kind::Handover { .. } => {}
        }
    }

    /// Joins what was cut, unless another fault cuts it as well.
    fn heal(&mut self, cuts: &[(HostId, HostId)]) {
        let cutting = self.troubles.iter().filter(|trouble| trouble.kind != Kind::Slow);
        let others: Vec<_> = cutting.flat_map(|t| t.cuts.clone()).collect();
        for cut in cuts.iter().filter(|cut| !others.contains(cut)) {
            let back = others.contains(&(cut.1, cut.0));
            self.deployment.world.heal(cut.0, cut.1);
            if back {
                self.deployment.world.cut_one_way(cut.1, cut.0);
            }
        }
    }

    fn end_all(&mut self) {
        for trouble in std::mem::take(&mut self.troubles) {
            self.end(&trouble);
        }
        self.deployment.world.heal_all();
    }
}

/// How long a cluster may take to be whole again.
fn bound(plan: &Plan) -> Span {
    Span::millis(60_000 + 10 * plan.shape.settings.node_timeout)
}

/// Who is cut off together.
fn side(d: &Deployment, server: usize, shard: bool, client: bool) -> Vec<HostId> {
    let mut side = vec![d.servers[server].host];
    if shard {
        let primary = d.servers[server].view.borrow().primary();
        let is = |n: &usize| primary.is_some() && d.servers[*n].view.borrow().id() == primary;
        let primary = (0..d.servers.len()).find(is).unwrap_or(server);
        let all = d.replicas(primary).into_iter().chain([primary]);
        side.extend(all.filter(|n| *n != server).map(|n| d.servers[n].host));
    }
    if client {
        side.extend(d.clients.first());
    }
    side
}

/// All pairs of hosts of which one is on this side, both directions.
fn between(d: &Deployment, side: &[HostId]) -> Vec<(HostId, HostId)> {
    let others: Vec<HostId> = d.hosts().filter(|host| !side.contains(host)).collect();
    let pairs = side.iter().flat_map(|a| others.iter().map(|b| (*a, *b)));
    pairs.flat_map(|(a, b)| [(a, b), (b, a)]).collect()
}
