//! `--latency`: the closed loop at depth 1, at rest and while BGSAVE runs.
//!
//! What a snapshot costs the clients shows in the tail, not in the mean.

use anyhow::{Context, Result};
use hdrhistogram::Histogram;

use super::batch::{self, Keys};
use super::client::Client;
use super::load::{Load, Work};
use super::measure::preload;
use super::options::{Case, Operation, Options};
use super::report;
use super::server::{self, Program, Server};

/// Prints p50, p99, p99.9 and the maximum of SET for every server.
pub(crate) fn run(options: &Options, programs: &[Program]) -> Result<()> {
    let head = ["server", "", "p50 µs", "p99 µs", "p99.9 µs", "max µs"];
    let mut rows = vec![head.map(str::to_string).to_vec()];
    for server in server::start_all(programs)? {
        let value = batch::value(options.shape.size);
        let mut load = Load::connect(server.port, options.shape.connections)?;
        preload(&mut load, options.shape.keys, &value)?;
        let rest = sample(options, &value, &mut load)?;
        rows.push(row(&server, "at rest", &rest));
        let saving = Client::connect(server.port)?.ask("BGSAVE").and_then(|_| {
            // The save may end before the sample does; a bigger --keys makes it last.
            sample(options, &value, &mut load)
        });
        match saving.with_context(|| format!("{} while saving", server.name)) {
            Ok(histogram) => rows.push(row(&server, "saving", &histogram)),
            Err(error) => eprintln!("{error:#}"),
        }
    }
    report::table(&rows);
    Ok(())
}

fn sample(options: &Options, value: &[u8], load: &mut Load) -> Result<Histogram<u64>> {
    let case = Case { operation: Operation::Set, depth: 1 };
    let mut keys = Keys::random(options.shape.keys, 1);
    let mut work = Work { case, value, keys: &mut keys };
    let mut histogram = Histogram::new_with_bounds(1_000, 10_000_000_000, 3)?;
    load.verify(&mut work)?;
    load.run(&mut work, case.requests(options.shape.seconds), Some(&mut histogram))?;
    Ok(histogram)
}

fn row(server: &Server, state: &str, histogram: &Histogram<u64>) -> Vec<String> {
    let microseconds = |nanoseconds: u64| format!("{:.0}", nanoseconds as f64 / 1e3);
    let mut row = vec![server.name.clone(), state.to_string()];
    for quantile in [0.5, 0.99, 0.999] {
        row.push(microseconds(histogram.value_at_quantile(quantile)));
    }
    row.push(microseconds(histogram.max()));
    row
}
