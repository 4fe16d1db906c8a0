//! `cargo xtask conformance`: Redis 7.0.15's own test suite against our server.
//!
//! The suite starts the servers itself. A test that fails must be on the list of exceptions with
//! its reason, and one on the list that passes must leave it: the list only shrinks.

mod exceptions;
mod suite;

use anyhow::{Result, bail};
use std::path::PathBuf;

use exceptions::Exceptions;
use suite::{Outcome, Suite};

/// What to run.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Files of the suite, such as `unit/type/string`, or `cluster/00-base` for those of
    /// `runtest-cluster`; without any, all that must pass
    files: Vec<String>,
    /// Only the files that are quick
    #[arg(long, conflicts_with = "files")]
    fast: bool,
    /// A built `holdfast`
    #[arg(long, value_name = "PATH", default_value = "target/release/holdfast")]
    ours: PathBuf,
    /// Take tests that pass off the list of exceptions
    #[arg(long)]
    shrink: bool,
    /// Print what the suite prints
    #[arg(long)]
    verbose: bool,
}

/// Files that are quick, and those that are not.
const FAST: &[&str] = &[
    "unit/auth",
    "unit/quit",
    "unit/type/incr",
    "unit/keyspace",
    "unit/protocol",
    "unit/type/string",
    "unit/scan",
    "unit/info",
    "unit/introspection-2",
    "unit/limits",
    "unit/obuf-limits",
    "unit/querybuf",
    "unit/networking",
    "unit/slowlog",
    "unit/latency-monitor",
    "unit/shutdown",
    "unit/wait",
    "unit/cluster/misc",
];
const SLOW: &[&str] = &[
    "unit/expire",
    "unit/multi",
    "unit/introspection",
    "unit/maxmemory",
    "unit/memefficiency",
    "unit/pause",
    "integration/replication",
    "integration/replication-2",
    "integration/replication-3",
    "integration/replication-4",
    "integration/replication-buffer",
    "integration/replication-psync",
    "integration/psync2",
    "integration/psync2-pingoff",
    "integration/psync2-reg",
    "integration/psync2-master-restart",
    "integration/block-repl",
    "integration/failover",
    "integration/logging",
    "unit/cluster/links",
    "unit/cluster/announced-endpoints",
    "unit/cluster",
];
/// Those of `runtest-cluster`, twenty nodes each. Left out: what is about lists, scripts and the
/// append-only file (04), or pub/sub (09, 25, 26), and what Redis has disabled itself (20, 21).
const CLUSTER: &[&str] = &[
    "cluster/00-base",
    "cluster/01-faildet",
    "cluster/02-failover",
    "cluster/03-failover-loop",
    "cluster/05-slave-selection",
    "cluster/06-slave-stop-cond",
    "cluster/07-replica-migration",
    "cluster/08-update-msg",
    "cluster/10-manual-failover",
    "cluster/11-manual-takeover",
    "cluster/12-replica-migration-2",
    "cluster/12.1-replica-migration-3",
    "cluster/13-no-failover-option",
    "cluster/14-consistency-check",
    "cluster/15-cluster-slots",
    "cluster/16-transactions-on-replica",
    "cluster/17-diskless-load-swapdb",
    "cluster/18-info",
    "cluster/19-cluster-nodes-slots",
    "cluster/22-replica-in-sync",
    "cluster/23-multiple-slot-operations",
    "cluster/24-links",
    "cluster/27-endpoints",
    "cluster/28-cluster-shards",
    "cluster/29-slot-migration-response",
];

/// Runs the files and compares with the exceptions.
pub(crate) fn run(options: &Options) -> Result<()> {
    let suite = Suite::obtain(&options.ours)?;
    let named: Vec<&str> = options.files.iter().map(String::as_str).collect();
    let files = match (named.is_empty(), options.fast) {
        (false, _) => named,
        (true, true) => FAST.to_vec(),
        (true, false) => FAST.iter().chain(SLOW).chain(CLUSTER).copied().collect(),
    };
    let mut exceptions = Exceptions::read()?;
    let (mut unexpected, mut passed, mut excused) = (0, 0, 0);
    for file in files {
        let report = suite.run(file, &exceptions.excused(file), options.verbose)?;
        let mut bad = 0;
        for (test, outcome) in &report.tests {
            match (outcome, exceptions.reason(file, test)) {
                (Outcome::Passed, None) => passed += 1,
                (Outcome::Passed, Some(_)) if options.shrink => exceptions.remove(file, test),
                (Outcome::Passed, Some(_)) => {
                    bad += 1;
                    println!("  passes, and is still on the list: {test}");
                }
                (Outcome::Failed(_), Some(_)) => excused += 1,
                (Outcome::Failed(why), None) => {
                    bad += 1;
                    println!("  FAILED {test}\n         {why}");
                }
            }
        }
        if let Some(why) = &report.aborted
            && exceptions.reason(file, "*").is_none()
        {
            bad += 1;
            println!("  ENDED EARLY: {why}");
        }
        let count = report.tests.len();
        println!("{file}: {count} tests in {:.0?}, {bad} unexpected", report.took);
        unexpected += bad;
    }
    if options.shrink {
        exceptions.write()?;
    }
    println!("{passed} as Redis, {excused} excused, {unexpected} unexpected");
    if unexpected > 0 {
        bail!("{unexpected} outcomes differ from what is expected");
    }
    Ok(())
}
