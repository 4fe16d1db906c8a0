//! `--cluster`: what cluster mode costs, our server beside itself.
//!
//! The node in cluster mode owns all slots, so that every request is routed and none redirected.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::client::Client;
use super::measure::{self, Figures};
use super::options::{Case, Options};
use super::peers;
use super::report;
use super::server::{self, Program};

/// The most that cluster mode may use per command, as a multiple of what it uses without.
const TARGET: f64 = 1.15;

/// Measures both, prints them, and with `--gate` fails when the target is missed.
pub(crate) fn run(options: &Options, cases: &[Case]) -> Result<()> {
    let alone = peers::ours(options)?;
    let mut clustered = Program { name: "in a cluster".into(), ..alone.clone() };
    let more = ["--cluster-enabled", "yes", "--cluster-port", "{bus}"];
    clustered.command.extend(more.map(str::to_string));
    let mut servers = server::start_all(&[alone, clustered])?;
    own_all_slots(servers[1].port)?;
    let figures = measure::rounds(options, cases, &mut servers)?;
    let missed = print(cases, &figures);
    if options.gate && missed > 0 {
        bail!("{missed} of {} targets missed", cases.len());
    }
    Ok(())
}

fn own_all_slots(port: u16) -> Result<()> {
    let mut client = Client::connect(port)?;
    client.ask("CLUSTER ADDSLOTSRANGE 0 16383")?;
    let deadline = Instant::now() + Duration::from_secs(10);
    while !client.ask("CLUSTER INFO")?.contains("cluster_state:ok") {
        if Instant::now() > deadline {
            bail!("the cluster of one node does not become ok");
        }
        sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// Prints a line per case; how many missed the target.
fn print(cases: &[Case], figures: &[Figures]) -> usize {
    let head = ["case", "CPU µs alone", "in a cluster", "ratio", "target"];
    let mut rows = vec![head.map(str::to_string).to_vec()];
    let mut missed = 0;
    for (index, case) in cases.iter().enumerate() {
        let [alone, clustered] = [0, 1].map(|n: usize| figures[n].median(index).cpu);
        let ratio = clustered / alone;
        missed += usize::from(ratio > TARGET);
        let numbers = [alone, clustered].map(|cpu| format!("{cpu:.3}"));
        let mut row = vec![case.name()];
        row.extend(numbers);
        row.extend([format!("{ratio:.2}"), format!("{TARGET:.2}")]);
        rows.push(row);
    }
    report::table(&rows);
    missed
}
