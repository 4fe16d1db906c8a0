//! The suite that every driver must pass: probe machines that check the promises of the contract.
//!
//! A driver's tests give a [`Rig`] that can run machines, and call [`run`] for each of [`CASES`].

mod files;
mod input;
mod network;
mod output;
mod probe;

use crate::Machine;
use alloc::{boxed::Box, format, string::String, vec::Vec};
use core::net::IpAddr;

/// What a machine under test left behind.
pub struct Outcome {
    /// Its exit status, if it exited.
    pub status: Option<i32>,
    /// Its log lines.
    pub log: Vec<String>,
}

/// Runs machines on a driver.
pub trait Rig {
    /// The address on which machine `index` may listen.
    fn ip(&self, index: usize) -> IpAddr;

    /// Starts these machines, machine `i` as [`Address(i)`](crate::Address) and with an empty
    /// folder of its own, and runs them until all have exited. They exit by themselves within
    /// [`TIME_LIMIT`] of their own time.
    fn run(&mut self, machines: Vec<Box<dyn Machine + Send>>) -> Vec<Outcome>;
}

/// After this long a machine of the suite gives up and exits.
pub const TIME_LIMIT: crate::Span = crate::Span::secs(20);

type Make = fn(&[IpAddr]) -> Vec<Box<dyn Machine + Send>>;

/// A case of the suite.
pub struct Case {
    /// What it shows.
    pub name: &'static str,
    make: Make,
}

/// All cases.
pub const CASES: &[Case] = &[
    Case { name: "bytes arrive in order, so many a turn", make: input::order },
    Case { name: "what was not consumed is offered again", make: input::keep },
    Case { name: "kept bytes are offered anew on request", make: input::offer },
    Case { name: "announced bodies come whole", make: input::bodies },
    Case { name: "paused reads hold up the sender", make: input::pause },
    Case { name: "all bytes come before an orderly end", make: network::bytes_before_end },
    Case { name: "all bytes come before a reset", make: network::bytes_before_reset },
    Case { name: "the end comes once, also of a local close", make: network::closed_once },
    Case { name: "a crowd comes and goes, so many a turn", make: network::crowd },
    Case { name: "nobody listening refuses", make: network::refused },
    Case { name: "deadlines are honoured", make: network::deadlines },
    Case { name: "letters arrive in order", make: network::letters },
    Case { name: "marked connections are written first", make: output::first },
    Case { name: "gates hold back what follows", make: output::gates },
    Case { name: "a failed operation keeps its gate closed", make: output::failed_gate },
    Case { name: "drained is told once all is gone", make: output::drained },
    Case { name: "file operations end in order", make: files::order },
    Case { name: "a lock has one holder", make: files::lock },
    Case { name: "a file is replaced as a whole", make: files::replace },
];

/// Runs a case.
///
/// # Panics
///
/// If the driver broke a promise.
pub fn run(case: &Case, rig: &mut impl Rig) {
    let ips: Vec<IpAddr> = (0..2).map(|i| rig.ip(i)).collect();
    let outcomes = rig.run((case.make)(&ips));
    let failures: Vec<String> = outcomes
        .iter()
        .enumerate()
        .filter(|(_, o)| o.status != Some(0))
        .map(|(i, o)| format!("machine {i}: status {:?}, {:?}", o.status, o.log))
        .collect();
    assert!(failures.is_empty(), "{}: {failures:#?}", case.name);
}
