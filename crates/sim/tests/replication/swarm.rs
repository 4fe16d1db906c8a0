//! Many seeds, each with faults of its own choice; in the end all servers are equal.

use crate::cases::writer;
use crate::deployment::Deployment;
use machine::Span;

/// One fault, or the end of some.
fn disturb(d: &mut Deployment, primary: &mut usize) {
    let draw = |d: &mut Deployment, n: u64| d.world.chance().between(0, n) as usize;
    let (a, b) = (draw(d, 3), draw(d, 3));
    match draw(d, 10) {
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
        6 if a != *primary => {
            d.world.kill(d.machines[a]);
            d.world.run_for(Span::millis(100));
            d.world.restart(d.machines[a]);
            d.follow(a, *primary);
        }
        7 if a != b && a != *primary => {
            // Another order: a chain, if the other one follows the primary.
            let to = if b == *primary { b } else { *primary };
            d.follow(a, to);
        }
        8 if a != *primary => {
            assert_eq!(d.ask(a, "REPLICAOF NO ONE"), "OK");
            d.hush();
            let seed = draw(d, 1000) as u64;
            d.chatter(a, writer(seed));
            let old = std::mem::replace(primary, a);
            d.follow(old, a);
            let to = if draw(d, 2) == 0 { a } else { old };
            d.follow(3 - old - a, to);
        }
        _ => {
            let (from, to) = (d.hosts[a], d.hosts[b]);
            let bandwidth = 1 << (16 + draw(d, 8));
            d.world.link(from, to).bandwidth = Some(bandwidth);
        }
    }
}

fn story(seed: u64) {
    let mut d = Deployment::new(seed, 3);
    let mut primary = 0;
    d.chatter(0, writer(seed * 31));
    d.follow(1, 0);
    d.follow(2, if seed.is_multiple_of(2) { 0 } else { 1 });
    for _ in 0..12 {
        let pause = d.world.chance().between(10, 1500);
        d.world.run_for(Span::millis(pause));
        (0..3).for_each(|server| d.observe(server));
        disturb(&mut d, &mut primary);
    }
    d.world.heal_all();
    d.hush();
    d.world.run_for(Span::secs(20));
    let others: Vec<usize> = (0..3).filter(|server| *server != primary).collect();
    for server in others {
        d.assert_equal(server, primary);
        d.observe(server);
    }
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
