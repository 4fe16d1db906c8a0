//! Many seeds, each with a tree of servers and faults of its own choice; in the end all are equal.

use crate::cases::writer;
use crate::deployment::{Deployment, line};
use machine::Span;
use node::config::Config;

const SERVERS: usize = 4;

/// Who follows whom.
struct Tree {
    primary: usize,
    /// Whom each server follows; the primary itself.
    above: [usize; SERVERS],
    writers: u64,
}

impl Tree {
    /// Whether `server` gets its stream by way of `other`.
    fn is_below(&self, server: usize, other: usize) -> bool {
        let mut at = server;
        while at != other && self.above[at] != at {
            at = self.above[at];
        }
        at == other
    }

    /// The writers go to the primary.
    fn write(&mut self, d: &mut Deployment) {
        d.hush();
        self.writers += 1;
        d.chatter(self.primary, writer(self.writers * 31));
    }

    /// Another server is the primary now, and the old one follows it.
    fn turn(&mut self, new: usize, d: &mut Deployment) {
        let old = std::mem::replace(&mut self.primary, new);
        self.above[new] = new;
        self.above[old] = new;
        self.write(d);
    }
}

fn draw(d: &mut Deployment, n: usize) -> usize {
    d.world.chance().between(0, n as u64) as usize
}

/// An order that may have to wait for the end of a load.
fn order(d: &mut Deployment, server: usize, words: &str) {
    for _ in 0..400 {
        let reply = d.ask(server, words);
        if !reply.starts_with("-LOADING") {
            assert!(reply.starts_with("OK"), "{words} at {server}: {reply}");
            return;
        }
        d.world.run_for(Span::millis(100));
    }
    panic!("{server} loads for ever: {}", d.tail());
}

fn follow(d: &mut Deployment, tree: &Tree, server: usize) {
    let above = tree.above[server];
    order(d, server, &format!("REPLICAOF {} 6379", crate::deployment::ip(above)));
}

/// One fault, or the end of some.
fn disturb(d: &mut Deployment, tree: &mut Tree) {
    let (a, b) = (draw(d, SERVERS), draw(d, SERVERS));
    match draw(d, 16) {
        0 | 1 if a != b => d.world.cut(d.hosts[a], d.hosts[b]),
        2 if a != b => d.world.cut_one_way(d.hosts[a], d.hosts[b]),
        3 if a != b => d.world.reset(d.hosts[a], d.hosts[b]),
        4 => d.world.heal_all(),
        5 => {
            d.world.pause(d.machines[a]);
            let pause = 10 + draw(d, 7000) as u64;
            d.world.run_for(Span::millis(pause));
            d.world.resume(d.machines[a]);
        }
        6 if a != tree.primary => {
            d.restart(a);
            follow(d, tree, a);
        }
        7 if a != tree.primary && !tree.is_below(b, a) => {
            tree.above[a] = b;
            follow(d, tree, a);
        }
        8 if a != tree.primary => {
            order(d, a, "REPLICAOF NO ONE");
            let old = tree.primary;
            tree.turn(a, d);
            follow(d, tree, old);
        }
        9 | 10 => {
            // A save that runs already does as well.
            d.ask(a, "SAVE");
        }
        11 if a != tree.primary => {
            d.crash(a);
            follow(d, tree, a);
        }
        12 => d.restart(tree.primary),
        13 => hand_over(d, tree),
        14 => {
            let way = ["yes", "no"][draw(d, 2)];
            d.ask(a, &format!("CONFIG SET repl-diskless-sync {way}"));
            let way = ["disabled", "on-empty-db", "swapdb"][draw(d, 3)];
            d.ask(a, &format!("CONFIG SET repl-diskless-load {way}"));
        }
        _ => {
            let (from, to) = (d.hosts[a], d.hosts[b]);
            let bandwidth = 1 << (16 + draw(d, 8));
            d.world.link(from, to).bandwidth = Some(bandwidth);
        }
    }
}

/// FAILOVER: afterwards exactly one of those who took part is a primary.
fn hand_over(d: &mut Deployment, tree: &mut Tree) {
    let old = tree.primary;
    if d.ask(old, "FAILOVER TIMEOUT 3000") != "OK" {
        return;
    }
    if draw(d, 2) == 0 {
        let span = draw(d, 100) as u64;
        d.world.run_for(Span::millis(span));
        let other = (old + 1 + draw(d, SERVERS - 1)) % SERVERS;
        d.world.reset(d.hosts[old], d.hosts[other]);
    }
    d.world.heal_all();
    d.wait(old, "master_failover_state", "no-failover");
    let primaries: Vec<usize> =
        (0..SERVERS).filter(|server| d.info(*server, "role") == "master").collect();
    assert_eq!(primaries.len(), 1, "{primaries:?} {}", d.tail());
    if primaries[0] != old {
        tree.turn(primaries[0], d);
    }
}

fn story(seed: u64) {
    let usual: fn(&mut Config) = |_| {};
    let narrow: fn(&mut Config) = |config| config.clients.output.replica.hard = 40_000;
    let mut d = Deployment::with(seed, SERVERS, if seed % 3 == 2 { narrow } else { usual });
    let mut tree = Tree { primary: 0, above: [0; SERVERS], writers: seed };
    tree.write(&mut d);
    for server in 1..SERVERS {
        tree.above[server] = draw(&mut d, server);
        follow(&mut d, &tree, server);
    }
    for _ in 0..14 {
        let pause = d.world.chance().between(10, 1500);
        d.world.run_for(Span::millis(pause));
        (0..SERVERS).for_each(|server| d.observe(server));
        disturb(&mut d, &mut tree);
    }
    d.world.heal_all();
    d.hush();
    d.world.run_for(Span::secs(20));
    for server in (0..SERVERS).filter(|server| *server != tree.primary) {
        // A primary that came back with older data, or none, is accepted by an order only.
        if !d.info(server, "master_refused").is_empty() {
            follow(&mut d, &tree, server);
        }
    }
    d.world.run_for(Span::secs(5));
    for server in (0..SERVERS).filter(|server| *server != tree.primary) {
        d.assert_equal(server, tree.primary);
        d.observe(server);
    }
    assert!(d.try_ask(tree.primary, line("PING")).is_some());
}

#[test]
fn all_servers_are_equal_after_any_faults() {
    let from = std::env::var("SWARM_FROM").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    let count = std::env::var("SWARM_COUNT").ok().and_then(|text| text.parse().ok()).unwrap_or(12);
    for seed in from..from + count {
        println!("seed {seed}");
        story(seed);
    }
}
