//! The suite of crate `machine`, on virtual time.

use machine::conformance::{CASES, Outcome, Rig, TIME_LIMIT, run};
use machine::{Machine, Span};
use sim::World;
use std::net::{IpAddr, Ipv4Addr};

/// Each machine on a host of its own.
struct Hosts {
    seed: u64,
}

impl Rig for Hosts {
    fn ip(&self, index: usize) -> IpAddr {
        Ipv4Addr::new(10, 0, 0, index as u8 + 1).into()
    }

    fn run(&mut self, machines: Vec<Box<dyn Machine + Send>>) -> Vec<Outcome> {
        let mut world = World::new(self.seed);
        let mut addresses = Vec::new();
        for (index, machine) in machines.into_iter().enumerate() {
            let host = world.host(&format!("h{index}"), self.ip(index));
            let mut machine = Some(machine);
            let address = world.start(host, move |_| Box::new(machine.take().expect("one life")));
            addresses.push(address);
        }
        let bound = Span(TIME_LIMIT.0 * 2);
        world.run_until(bound, |w| addresses.iter().all(|a| !w.is_alive(*a)));
        let outcome = |(index, address)| {
            let host = format!("h{index}");
            let lines = world.transcript().iter().filter(|e| e.host == host);
            let log = lines.map(|e| e.to_string()).collect();
            Outcome { status: world.exit_status(address), log }
        };
        addresses.iter().copied().enumerate().map(outcome).collect()
    }
}

#[test]
fn every_promise_is_kept() {
    for seed in 0..8 {
        for case in CASES {
            run(case, &mut Hosts { seed });
        }
    }
}
