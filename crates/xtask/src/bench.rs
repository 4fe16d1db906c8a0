//! `cargo xtask bench`: our server beside Valkey and Redis, in interleaved rounds.
//!
//! The server under test has core 0 to itself and the load generator core 1. What ranks servers is
//! the CPU time they spend per command: at high depths the generator, not the server, sets the
//! throughput.

mod batch;
mod client;
mod cluster;
mod cpu;
mod latency;
mod load;
mod measure;
mod memory;
mod options;
mod peers;
mod pin;
mod report;
mod server;
mod stages;

pub(crate) use client::Client;
pub(crate) use options::Options;
pub(crate) use peers::{cached_valkey, on_path};
pub(crate) use pin::on_server_core;
pub(crate) use server::{Program, Server};

use std::fs::File;

use anyhow::{Context, Result, bail};

/// Other work on the machine takes time on both cores and empties the caches.
fn warn_if_busy() -> Result<()> {
    let load = cpu::machine_load()?;
    if load > 0.5 {
        eprintln!("the machine is busy (load {load:.1}): figures will be too high and unsteady");
    }
    Ok(())
}

/// Waits for any other benchmark on this machine to end: both would use the same two cores.
fn take_turn() -> Result<File> {
    let path = std::env::temp_dir().join("holdfast-bench.lock");
    let file = File::create(&path).with_context(|| path.display().to_string())?;
    if file.try_lock().is_err() {
        eprintln!("waiting for another benchmark to end");
        file.lock()?;
    }
    Ok(file)
}

/// Runs the variant of the benchmark that the options ask for.
pub(crate) fn run(options: &Options) -> Result<()> {
    pin::check()?;
    let cases = options.cases();
    if cases.is_empty() {
        bail!("--only names no case; there are: {}", options.case_names());
    }
    let _turn = take_turn()?;
    if options.stages {
        return stages::run(options, &cases);
    }
    if options.cluster {
        warn_if_busy()?;
        return cluster::run(options, &cases);
    }
    let programs = peers::programs(options)?;
    warn_if_busy()?;
    if options.memory {
        return memory::run(options, &programs);
    }
    if options.latency {
        return latency::run(options, &programs);
    }
    let mut servers = server::start_all(&programs)?;
    let figures = measure::rounds(options, &cases, &mut servers)?;
    report::print(&cases, &figures);
    if let Some(path) = &options.json {
        std::fs::write(path, report::json(options, &cases, &figures))?;
    }
    if options.gate { report::gate(options, &cases, &figures) } else { Ok(()) }
}
