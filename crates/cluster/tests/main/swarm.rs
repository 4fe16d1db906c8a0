//! Faults drawn from a seed, with the checkers looking on; then peace, and all is well again.

use crate::rig::Rig;
use machine::Span;

/// What is wrong at present.
#[derive(Default)]
struct Troubles {
    killed: Vec<usize>,
    paused: Vec<usize>,
}

fn disturb(rig: &mut Rig, troubles: &mut Troubles) {
    let victim = rig.world.chance().between(0, 6) as usize;
    let ill = troubles.killed.contains(&victim) || troubles.paused.contains(&victim);
    match rig.world.chance().between(0, 8) {
        0 | 1 if !ill => {
            rig.kill(victim);
            troubles.killed.push(victim);
        }
        2 if !ill => {
            rig.pause(victim);
            troubles.paused.push(victim);
        }
        3 => rig.cut(&[victim]),
        4 => {
            let other = rig.world.chance().between(0, 6) as usize;
            let (a, b) = (rig.servers[victim].host, rig.servers[other].host);
            if a != b {
                rig.world.cut_one_way(a, b);
            }
        }
        5 => rig.world.heal_all(),
        6 => heal_one(rig, troubles),
        _ => {
            let other = (victim + 1) % 6;
            let (a, b) = (rig.servers[victim].host, rig.servers[other].host);
            rig.world.reset(a, b);
        }
    }
}

fn heal_one(rig: &mut Rig, troubles: &mut Troubles) {
    if let Some(index) = troubles.killed.pop() {
        rig.restart(index);
    } else if let Some(index) = troubles.paused.pop() {
        rig.resume(index);
    }
}

fn swarm(seed: u64) {
    let mut rig = Rig::formed(seed);
    let mut troubles = Troubles::default();
    for _ in 0..20 {
        disturb(&mut rig, &mut troubles);
        let pause = rig.world.chance().between(100, 4000);
        rig.run(Span::millis(pause));
    }
    rig.world.heal_all();
    while !troubles.killed.is_empty() || !troubles.paused.is_empty() {
        heal_one(&mut rig, &mut troubles);
    }
    let took = rig.wait(&format!("peace after seed {seed}"), Span::secs(60), Rig::is_settled);
    eprintln!("seed {seed}: all slots writable {took} ms after the last fault");
}

/// More with `HOLDFAST_SEEDS=n`.
#[test]
fn promises_hold_whatever_happens() {
    let seeds = std::env::var("HOLDFAST_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(8);
    for seed in 0..seeds {
        swarm(seed);
    }
}
