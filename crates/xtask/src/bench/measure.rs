//! Rounds: for each round, each server; for each server, each case.
//!
//! Rounds are interleaved so that a slow minute of the machine falls on all servers alike.

use std::time::Duration;

use anyhow::{Context, Result};

use super::batch::{self, Keys};
use super::cpu;
use super::load::{Load, Work};
use super::options::{Case, Operation, Options, Shape};
use super::server::Server;

/// One case on one server, in one round.
#[derive(Clone, Copy)]
pub(crate) struct Sample {
    /// Commands a second.
    pub(crate) throughput: f64,
    /// The server's CPU time per command, in microseconds.
    pub(crate) cpu: f64,
}

/// All rounds of one server, by case.
pub(crate) struct Figures {
    /// The server's name.
    pub(crate) server: String,
    samples: Vec<Vec<Sample>>,
}

impl Figures {
    /// The medians of this case.
    pub(crate) fn median(&self, case: usize) -> Sample {
        let middle = |of: fn(&Sample) -> f64| {
            let mut values: Vec<f64> = self.samples[case].iter().map(of).collect();
            values.sort_by(f64::total_cmp);
            (values[(values.len() - 1) / 2] + values[values.len() / 2]) / 2.0
        };
        Sample { throughput: middle(|sample| sample.throughput), cpu: middle(|sample| sample.cpu) }
    }
}

/// Loads every server, then runs all rounds.
pub(crate) fn rounds(
    options: &Options,
    cases: &[Case],
    servers: &mut [Server],
) -> Result<Vec<Figures>> {
    let shape = &options.shape;
    let value = batch::value(shape.size);
    let mut loads = Vec::new();
    let mut figures = Vec::new();
    for server in &*servers {
        let mut load = Load::connect(server.port, shape.connections)?;
        preload(&mut load, shape.keys, &value).with_context(|| server.name.clone())?;
        loads.push(load);
        let samples = cases.iter().map(|_| Vec::new()).collect();
        figures.push(Figures { server: server.name.clone(), samples });
    }
    for round in 0..shape.rounds {
        eprintln!("round {} of {}", round + 1, shape.rounds);
        for ((server, load), figures) in servers.iter().zip(&mut loads).zip(&mut figures) {
            for (case, samples) in cases.iter().zip(&mut figures.samples) {
                let sample = sample(shape, *case, &value, server, load)
                    .with_context(|| format!("{} in {}", server.name, case.name()))?;
                samples.push(sample);
            }
        }
    }
    Ok(figures)
}

/// Sets every key once.
pub(crate) fn preload(load: &mut Load, keys: u64, value: &[u8]) -> Result<()> {
    let case = Case { operation: Operation::Set, depth: 64 };
    let mut work = Work { case, value, keys: &mut Keys::each(keys) };
    load.verify(&mut work)?;
    load.run(&mut work, keys, None)?;
    Ok(())
}

fn sample(
    shape: &Shape,
    case: Case,
    value: &[u8],
    server: &Server,
    load: &mut Load,
) -> Result<Sample> {
    let mut keys = Keys::random(shape.keys, u64::from(server.port));
    let mut work = Work { case, value, keys: &mut keys };
    let requests = case.requests(shape.seconds);
    load.verify(&mut work)?;
    // A twentieth to warm caches up, uncounted.
    load.run(&mut work, requests / 20, None)?;
    let before = cpu::used_by(server.pid())?;
    let (commands, elapsed) = load.run(&mut work, requests, None)?;
    let used = settled(server.pid())?.saturating_sub(before);
    Ok(Sample {
        throughput: commands as f64 / elapsed.as_secs_f64(),
        cpu: used.as_secs_f64() * 1e6 / commands as f64,
    })
}

/// The scheduler brings a thread's account up to date when it goes to sleep, which the server does
/// a moment after its last reply.
fn settled(pid: u32) -> Result<Duration> {
    std::thread::sleep(Duration::from_millis(2));
    cpu::used_by(pid)
}
