//! Servers on hosts of their own, clients, and the eyes that watch them.

use crate::promises::Promises;
use crate::raiser::{Journal, Raiser};
use crate::server::{PORT, Settings, View, ip};
use machine::{Address, Span};
use sim::desk::{Clerk, Desk, request, show};
use sim::{HostId, World};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use wire::value::Value;

/// What is the matter with a server's process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Health {
    Running,
    Paused,
    Dead,
}

/// A server, its process and its host.
pub(crate) struct Server {
    pub(crate) host: HostId,
    pub(crate) node: Address,
    pub(crate) bus: Address,
    pub(crate) view: Rc<RefCell<View>>,
    pub(crate) health: Health,
    /// How often its process was started.
    pub(crate) life: u64,
    desk: Rc<RefCell<Desk>>,
    /// A second client, which asks for INFO all the time.
    pub(crate) watch: Rc<RefCell<Desk>>,
}

/// What a deployment is made of.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    pub(crate) primaries: usize,
    /// Of each primary.
    pub(crate) replicas: usize,
    /// The first so many primaries have one more.
    pub(crate) spare: usize,
    pub(crate) clients: usize,
    /// The longest latency of a link between hosts.
    pub(crate) latency: Span,
    /// The longest delay of mail within a process.
    pub(crate) mail: Span,
    /// The longest rest of a client between two writes.
    pub(crate) rest: Span,
    pub(crate) settings: Settings,
}

/// See the module's documentation.
pub(crate) struct Deployment {
    pub(crate) world: World,
    pub(crate) shape: Shape,
    pub(crate) servers: Vec<Server>,
    pub(crate) clients: Vec<HostId>,
    pub(crate) journal: Rc<RefCell<Journal>>,
    pub(crate) promises: Promises,
    /// Rises with each thing a node is told.
    told: Rc<Cell<u64>>,
    looked: u64,
    next_watch: u64,
    /// When it was formed: the zero of scenarios.
    pub(crate) formed: u64,
}

/// What goes wrong ends a run.
pub(crate) type Outcome<T> = Result<T, String>;

/// How often the servers are asked for INFO.
const WATCH: Span = Span::millis(200);

impl Deployment {
    /// Empty servers that do not know one another.
    pub(crate) fn new(seed: u64, shape: Shape) -> Self {
        let mut world = World::new(seed);
        world.mail_takes(1_000, shape.mail.0);
        let told = Rc::new(Cell::new(0));
        let count = shape.primaries * (1 + shape.replicas) + shape.spare;
        let servers = (0..count).map(|number| Server::new(&mut world, &shape, number, &told));
        let mut deployment = Deployment {
            servers: servers.collect(),
            clients: Vec::new(),
            journal: Rc::default(),
            promises: Promises::default(),
            told,
            looked: 0,
            next_watch: 0,
            formed: 0,
            world,
            shape,
        };
        for number in 0..deployment.shape.clients {
            let address: IpAddr = Ipv4Addr::new(10, 0, 1, number as u8 + 1).into();
            let host = deployment.world.host(&format!("c{number}"), address);
            deployment.clients.push(host);
        }
        deployment.draw_links();
        deployment
    }

    fn draw_links(&mut self) {
        let hosts: Vec<HostId> =
            self.servers.iter().map(|s| s.host).chain(self.clients.iter().copied()).collect();
        for &from in &hosts {
            for &to in hosts.iter().filter(|to| **to != from) {
                let longest = self.shape.latency.0.max(60_000);
                let latency = self.world.chance().between(50_000, longest);
                self.world.link(from, to).latency = latency;
            }
        }
    }

    /// Makes a cluster of the servers as `holdfast cluster create` does, and lets clients write.
    pub(crate) fn form(&mut self) -> Outcome<()> {
        let (primaries, count) = (self.shape.primaries, self.servers.len());
        let share = |n: usize| (16384.0 * n as f64 / primaries as f64).round() as u32;
        self.wait("all began", Span::secs(5), |d| {
            d.servers.iter().all(|server| server.view.borrow().topology.is_some())
        })?;
        for n in 0..primaries {
            let (first, last) = (share(n), share(n + 1) - 1);
            self.order(n, &format!("CLUSTER ADDSLOTSRANGE {first} {last}"))?;
            self.order(n, &format!("CLUSTER SET-CONFIG-EPOCH {}", n + 1))?;
        }
        for n in 1..count {
            self.order(0, &format!("CLUSTER MEET {} {PORT}", ip(n)))?;
        }
        self.wait("all know all", Span::secs(30), |d| {
            d.servers.iter().all(|server| {
                let view = server.view.borrow();
                view.topology.as_ref().is_some_and(|t| {
                    t.nodes.len() == count && t.nodes.iter().all(|n| !n.handshake && n.linked)
                })
            })
        })?;
        for n in primaries..count {
            let id = self.servers[n % primaries].view.borrow().id();
            let id = id.map(|id| id.to_string()).unwrap_or_default();
            self.order(n, &format!("CLUSTER REPLICATE {id}"))?;
        }
        self.wait("the cluster is formed", Span::secs(30), Self::is_whole)?;
        self.formed = self.world.time();
        let views: Vec<_> = self.servers.iter().map(|s| Rc::clone(&s.view)).collect();
        for (number, host) in self.clients.clone().into_iter().enumerate() {
            let (journal, views, rest) = (Rc::clone(&self.journal), views.clone(), self.shape.rest);
            self.world.start(host, move |seed| {
                Box::new(Raiser::new(number, seed, rest, Rc::clone(&journal), views.clone()))
            });
        }
        Ok(())
    }

    /// A command that must be answered with OK.
    pub(crate) fn order(&mut self, server: usize, words: &str) -> Outcome<()> {
        match self.ask(server, words) {
            Some(reply) if show(&reply) == "OK" => Ok(()),
            Some(reply) => Err(format!("{words} at {server}: {}", show(&reply))),
            None => Err(format!("{words} at {server}: no answer")),
        }
    }

    /// Gives a command without waiting for what comes of it.
    pub(crate) fn tell(&mut self, server: usize, words: &str) {
        self.servers[server].desk.borrow_mut().outgoing.push_back(request(words));
    }

    /// Asks a server over its host's own network; `None` without an answer within five seconds.
    pub(crate) fn ask(&mut self, server: usize, words: &str) -> Option<Value> {
        let desk = Rc::clone(&self.servers[server].desk);
        let connected = |_: &Deployment| desk.borrow().connected;
        if !self.until(Span::secs(5), connected).ok()? {
            return None;
        }
        let connection = desk.borrow().connections;
        desk.borrow_mut().replies.clear();
        desk.borrow_mut().outgoing.push_back(request(words));
        let answered = |_: &Deployment| {
            let desk = desk.borrow();
            !desk.replies.is_empty() || !desk.connected || desk.connections != connection
        };
        self.until(Span::secs(5), answered).ok()?;
        let reply = desk.borrow_mut().replies.pop_front();
        if reply.is_none() {
            let mut desk = desk.borrow_mut();
            desk.outgoing.clear();
            desk.leave = desk.connected;
        }
        reply
    }
}

impl Server {
    fn new(world: &mut World, shape: &Shape, number: usize, told: &Rc<Cell<u64>>) -> Self {
        let host = world.host(&format!("s{number}"), ip(number));
        let view = Rc::new(RefCell::new(View::default()));
        let first = 4 * number as u32;
        let (node, bus) = (Address(first), Address(first + 1));
        let (settings, eye, told) = (shape.settings.clone(), Rc::clone(&view), Rc::clone(told));
        world.start(host, move |seed| settings.node(number, seed, bus, &eye, &told));
        let settings = shape.settings.clone();
        world.start(host, move |seed| settings.bus(number, seed, node));
        world.unite(&[node, bus]);
        let target = SocketAddr::new(ip(number), PORT);
        let desks: [Rc<RefCell<Desk>>; 2] = [Rc::default(), Rc::default()];
        for desk in &desks {
            let desk = Rc::clone(desk);
            world.start(host, move |_| Box::new(Clerk::new(target, Rc::clone(&desk))));
        }
        let [desk, watch] = desks;
        let health = Health::Running;
        Server { host, node, bus, view, health, life: 1, desk, watch }
    }

    /// Whether a write to `slot` would run here at this time.
    pub(crate) fn writes(&self, slot: u16, at: u64) -> bool {
        self.health == Health::Running && self.view.borrow().writes(slot, at)
    }
}

/// Letting time pass, with the checkers looking on.
impl Deployment {
    /// Lets time pass.
    pub(crate) fn run(&mut self, span: Span) -> Outcome<()> {
        self.until(span, |_| false).map(|_| ())
    }

    /// Lets time pass until a condition holds, but no longer than `bound`; whether it holds.
    pub(crate) fn until(
        &mut self,
        bound: Span,
        fits: impl Fn(&Deployment) -> bool,
    ) -> Outcome<bool> {
        let end = self.world.time() + bound.0;
        loop {
            if fits(self) {
                return Ok(true);
            }
            if self.world.time() >= end {
                return Ok(false);
            }
            self.step(end)?;
        }
    }

    /// As `until`, but a condition that does not come is a failure. How long it took.
    pub(crate) fn wait(
        &mut self,
        what: &str,
        bound: Span,
        fits: impl Fn(&Deployment) -> bool,
    ) -> Outcome<Span> {
        let begun = self.world.time();
        match self.until(bound, fits)? {
            true => Ok(Span(self.world.time() - begun)),
            false => Err(format!("not within {} ms: {what}", bound.as_millis())),
        }
    }

    /// The next thing happens, if it is due before `end`.
    fn step(&mut self, end: u64) -> Outcome<()> {
        if self.world.time() >= self.next_watch {
            self.next_watch = self.world.time() + WATCH.0;
            self.watch()?;
        }
        let limit = end.min(self.next_watch);
        let left = Span(limit.saturating_sub(self.world.time()));
        let seen = Cell::new(0);
        // As many steps as tell no node anything and as nobody logs anything in: there is nothing
        // to look at in between.
        let told = self.told.get();
        let logged = self.world.transcript().len();
        let ack = self.journal.borrow().acks.len();
        let (counter, journal) = (Rc::clone(&self.told), Rc::clone(&self.journal));
        let happened = self.world.run_until(left, |world| {
            seen.set(seen.get() + 1);
            let acknowledged = journal.borrow().acks.len() != ack;
            let said = world.transcript().len() != logged;
            counter.get() != told || acknowledged || said || seen.get() > 256
        });
        if !happened {
            self.world.run_for(Span(limit.saturating_sub(self.world.time())));
        }
        if self.looked != self.told.get() || self.journal.borrow().acks.len() != ack {
            self.looked = self.told.get();
            self.promises.look(self.world.time(), &self.servers, &self.journal.borrow())?;
        }
        Ok(())
    }

    /// Whether the servers are asked for their replication state from now on.
    pub(crate) fn watches(&mut self, on: bool) {
        self.next_watch = if on { self.world.time() } else { u64::MAX };
    }

    /// Asks all servers for their replication state, and has the answers looked at.
    fn watch(&mut self) -> Outcome<()> {
        for number in 0..self.servers.len() {
            let server = &self.servers[number];
            let mut replies = std::mem::take(&mut server.watch.borrow_mut().replies);
            for reply in replies.drain(..) {
                self.promises.heard(number, server.life, &show(&reply))?;
            }
            let mut desk = server.watch.borrow_mut();
            if desk.connected && desk.outgoing.is_empty() {
                desk.outgoing.push_back(request("INFO replication"));
            }
            let ended = |machine| self.world.exit_status(machine).is_some();
            if server.health == Health::Running && (ended(server.node) || ended(server.bus)) {
                return Err(format!("server {number} ended by itself"));
            }
        }
        Ok(())
    }
}

/// Looking.
impl Deployment {
    /// Who may write a slot.
    pub(crate) fn writer(&self, slot: u16) -> Option<usize> {
        let time = self.world.time();
        self.servers.iter().position(|server| server.writes(slot, time))
    }

    /// Some slot of each shard, as the cluster was formed.
    pub(crate) fn shards(&self) -> Vec<u16> {
        let share = |n: usize| 16384 * n / self.shape.primaries + 1;
        (0..self.shape.primaries).map(|n| share(n) as u16).collect()
    }

    /// Whether all servers take the cluster for up, each shard has a writer, and everybody else
    /// follows one, over a link that stands. Replicas may have migrated.
    pub(crate) fn is_whole(&self) -> bool {
        let ok = |server: &Server| {
            let view = server.view.borrow();
            server.health == Health::Running
                && view.topology.as_ref().is_some_and(|t| t.ok && t.nodes.iter().all(|n| !n.fail))
        };
        let writers: Option<BTreeSet<usize>> =
            self.shards().into_iter().map(|slot| self.writer(slot)).collect();
        let Some(writers) = writers else { return false };
        let ids: BTreeSet<_> =
            writers.iter().map(|n| self.servers[*n].view.borrow().id()).collect();
        let placed = |(number, server): (usize, &Server)| {
            let primary = server.view.borrow().primary();
            let follows = primary.is_some() && ids.contains(&primary);
            writers.contains(&number) || follows && self.promises.offsets.is_linked(number)
        };
        self.servers.iter().all(ok) && self.servers.iter().enumerate().all(placed)
    }

    /// The servers that follow this one.
    pub(crate) fn replicas(&self, of: usize) -> Vec<usize> {
        let id = self.servers[of].view.borrow().id();
        let follows = |n: &usize| id.is_some() && self.servers[*n].view.borrow().primary() == id;
        (0..self.servers.len()).filter(follows).collect()
    }
}

/// Disturbing.
impl Deployment {
    /// Kills a process, as by SIGKILL.
    pub(crate) fn kill(&mut self, number: usize) {
        let server = &mut self.servers[number];
        server.health = Health::Dead;
        self.promises.offsets.gone(number);
        self.world.kill(server.node);
        self.world.kill(server.bus);
    }

    /// Starts a process again.
    pub(crate) fn restart(&mut self, number: usize) {
        let server = &mut self.servers[number];
        if server.health != Health::Dead {
            return;
        }
        (server.health, server.life) = (Health::Running, server.life + 1);
        server.watch.borrow_mut().replies.clear();
        self.world.restart(server.node);
        self.world.restart(server.bus);
    }

    /// Cuts a host's power.
    pub(crate) fn crash(&mut self, number: usize) {
        let server = &mut self.servers[number];
        server.health = Health::Dead;
        self.promises.offsets.gone(number);
        self.world.crash(server.host);
    }

    /// Gives the host power again, and starts what ran on it.
    pub(crate) fn power_on(&mut self, number: usize) {
        self.world.power_on(self.servers[number].host);
        let first = self.servers[number].node.0;
        for desk in [&self.servers[number].desk, &self.servers[number].watch] {
            *desk.borrow_mut() = Desk::default();
        }
        self.world.restart(Address(first + 2));
        self.world.restart(Address(first + 3));
        self.restart(number);
    }

    /// Stops a process where it is, as by SIGSTOP.
    pub(crate) fn pause(&mut self, number: usize) {
        let server = &mut self.servers[number];
        server.health = Health::Paused;
        self.world.pause(server.node);
        self.world.pause(server.bus);
    }

    /// Lets it go on.
    pub(crate) fn resume(&mut self, number: usize) {
        let server = &mut self.servers[number];
        if server.health == Health::Paused {
            server.health = Health::Running;
            self.world.resume(server.node);
            self.world.resume(server.bus);
        }
    }

    /// Cuts one side off from all other hosts.
    pub(crate) fn cut(&mut self, side: &[HostId]) {
        let others: Vec<HostId> = self.hosts().filter(|host| !side.contains(host)).collect();
        for &a in side {
            for &b in &others {
                self.world.cut(a, b);
            }
        }
    }

    /// All hosts.
    pub(crate) fn hosts(&self) -> impl Iterator<Item = HostId> {
        self.servers.iter().map(|server| server.host).chain(self.clients.iter().copied())
    }
}
