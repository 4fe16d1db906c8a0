//! Six servers, each a stub and a control plane on a host of its own.

use crate::checkers::{Checkers, PROBES};
use crate::stub::{Seen, Streams, Stub};
use cluster::{Cluster, Config, Setup};
use machine::{Address, Span};
use sim::{HostId, World};
use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;

/// `cluster-node-timeout` of all servers.
pub(crate) const TIMEOUT: u64 = 2000;
/// From the death of a primary to its successor's lease.
pub(crate) const BOUND: Span = Span::millis(TIMEOUT + 2500);

pub(crate) struct Server {
    pub(crate) host: HostId,
    pub(crate) stub: Address,
    pub(crate) cluster: Address,
    pub(crate) seen: Rc<RefCell<Seen>>,
    pub(crate) alive: bool,
}

pub(crate) struct Rig {
    pub(crate) world: World,
    pub(crate) servers: Vec<Server>,
    pub(crate) streams: Streams,
    checkers: Checkers,
}

fn ip(index: usize) -> IpAddr {
    Ipv4Addr::new(10, 0, 0, index as u8 + 1).into()
}

impl Rig {
    /// Six servers that do not know one another.
    pub(crate) fn apart(seed: u64) -> Self {
        Self::apart_with(seed, true)
    }

    fn apart_with(seed: u64, fast_failover: bool) -> Self {
        let mut world = World::new(seed);
        let mut servers = Vec::new();
        let streams = Streams::default();
        for index in 0..6 {
            let host = world.host(&format!("s{index}"), ip(index));
            let seen = Rc::new(RefCell::new(Seen::default()));
            let (stub, cluster) = (Address(2 * index as u32), Address(2 * index as u32 + 1));
            let (shared, ends) = (seen.clone(), streams.clone());
            let first = world
                .start(host, move |_| Box::new(Stub::new(shared.clone(), ends.clone(), cluster)));
            let second = world.start(host, move |seed| {
                let config = Config {
                    port: 7000,
                    bus_port: 17000,
                    node_timeout: TIMEOUT,
                    fast_failover,
                    ..Config::default()
                };
                Box::new(Cluster::new(Setup { config, seed, node: stub }))
            });
            assert_eq!((first, second), (stub, cluster));
            servers.push(Server { host, stub, cluster, seen, alive: true });
        }
        Rig { world, servers, streams, checkers: Checkers::default() }
    }

    /// Three primaries, each with a replica: server 3 of 0, 4 of 1, 5 of 2.
    pub(crate) fn formed(seed: u64) -> Self {
        Self::formed_with(seed, true)
    }

    /// The same, with `cluster-fast-failover` as given.
    pub(crate) fn formed_with(seed: u64, fast_failover: bool) -> Self {
        let mut rig = Self::apart_with(seed, fast_failover);
        rig.wait("all began", Span::secs(5), |rig| {
            rig.servers.iter().all(|s| s.seen.borrow().topology.is_some())
        });
        for index in 0..6 {
            rig.command(index, &["SET-CONFIG-EPOCH", &format!("{}", index + 1)]);
        }
        for (index, range) in [(0, "0 5460"), (1, "5461 10922"), (2, "10923 16383")] {
            let words: Vec<&str> = ["ADDSLOTSRANGE"].into_iter().chain(range.split(' ')).collect();
            rig.command(index, &words);
        }
        rig.run(Span::millis(200));
        for index in 1..6 {
            rig.command(0, &["MEET", &ip(index).to_string(), "7000"]);
        }
        rig.wait("all know all", Span::secs(20), |rig| {
            rig.servers.iter().all(|s| {
                let seen = s.seen.borrow();
                seen.topology.as_ref().is_some_and(|t| {
                    t.nodes.len() == 6 && t.nodes.iter().all(|n| !n.handshake && n.linked)
                })
            })
        });
        for index in 3..6 {
            let id = rig.id(index - 3);
            rig.command(index, &["REPLICATE", &id]);
        }
        rig.wait("formed", Span::secs(20), |rig| rig.is_settled());
        for server in &rig.servers {
            let seen = server.seen.borrow();
            assert!(seen.replies.iter().all(|r| r == "+OK\r\n"), "{:?}", seen.replies);
        }
        rig
    }

    pub(crate) fn command(&mut self, index: usize, words: &[&str]) {
        let words = words.iter().map(|word| word.to_string()).collect();
        self.servers[index].seen.borrow_mut().commands.push_back(words);
    }

    pub(crate) fn id(&self, index: usize) -> String {
        let seen = self.servers[index].seen.borrow();
        seen.topology.as_ref().expect("it began").me().id.to_string()
    }

    /// Lets time pass, with the checkers looking on.
    pub(crate) fn run(&mut self, span: Span) {
        self.until(span, |_| false);
    }

    /// Lets time pass until a condition holds; whether it did within the bound.
    pub(crate) fn until(&mut self, bound: Span, fits: impl Fn(&Rig) -> bool) -> bool {
        let end = self.world.time() + bound.0;
        while self.world.time() < end {
            self.world.step();
            let time = self.world.time();
            self.checkers.look(time, &self.servers);
            if fits(self) {
                return true;
            }
        }
        false
    }

    /// As `until`; how many milliseconds it took.
    pub(crate) fn wait(&mut self, what: &str, bound: Span, fits: impl Fn(&Rig) -> bool) -> u64 {
        let start = self.world.time();
        if !self.until(bound, fits) {
            for entry in self.world.transcript().iter().rev().take(60).rev() {
                eprintln!("{entry}");
            }
            for (index, server) in self.servers.iter().enumerate() {
                let seen = server.seen.borrow();
                let Some(topology) = &seen.topology else { continue };
                eprintln!("s{index} ok {} lease {:?}", topology.ok, seen.lease);
            }
            panic!("not within the bound: {what}");
        }
        (self.world.time() - start) / 1_000_000
    }

    /// Whether someone may write this slot.
    pub(crate) fn writer(&self, slot: u16) -> Option<usize> {
        let time = self.world.time();
        let writes = |server: &Server| server.alive && server.seen.borrow().writes(slot, time);
        self.servers.iter().position(writes)
    }

    /// Whether every live server takes the cluster for up and every shard can be written.
    pub(crate) fn is_settled(&self) -> bool {
        let ok = |server: &Server| {
            let seen = server.seen.borrow();
            !server.alive || seen.topology.as_ref().is_some_and(|t| t.ok)
        };
        self.servers.iter().all(ok) && PROBES.iter().all(|slot| self.writer(*slot).is_some())
    }

    pub(crate) fn is_replica(&self, index: usize) -> bool {
        let seen = self.servers[index].seen.borrow();
        seen.topology.as_ref().is_some_and(|t| t.me().primary.is_some())
    }

    pub(crate) fn logged(&self, index: usize, text: &str) -> usize {
        let host = format!("s{index}");
        let entries = self.world.transcript().iter();
        entries.filter(|e| e.host == host && e.text.contains(text)).count()
    }

    pub(crate) fn kill(&mut self, index: usize) {
        self.servers[index].alive = false;
        self.world.kill(self.servers[index].stub);
        self.world.kill(self.servers[index].cluster);
    }

    pub(crate) fn restart(&mut self, index: usize) {
        self.servers[index].alive = true;
        self.world.restart(self.servers[index].stub);
        self.world.restart(self.servers[index].cluster);
    }

    pub(crate) fn pause(&mut self, index: usize) {
        self.world.pause(self.servers[index].stub);
        self.world.pause(self.servers[index].cluster);
    }

    pub(crate) fn resume(&mut self, index: usize) {
        self.world.resume(self.servers[index].stub);
        self.world.resume(self.servers[index].cluster);
    }

    /// Cuts these servers off from all others.
    pub(crate) fn cut(&mut self, side: &[usize]) {
        for &a in side {
            for b in (0..self.servers.len()).filter(|b| !side.contains(b)) {
                self.world.cut(self.servers[a].host, self.servers[b].host);
            }
        }
    }

    pub(crate) fn conf(&self, index: usize) -> String {
        let bytes = self.world.file(self.servers[index].host, "nodes.conf").unwrap_or_default();
        String::from_utf8_lossy(bytes).into_owned()
    }
}
