//! The command line of `cargo xtask bench`, and the cases it asks for.
//!
//! A case is one operation at one pipeline depth.

use std::path::PathBuf;

/// What to measure, and on what.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// A built `holdfast` to measure, in place of building one
    #[arg(long, value_name = "PATH")]
    pub(crate) ours: Option<PathBuf>,
    /// The Valkey server to compare with
    #[arg(long, value_name = "PATH")]
    pub(crate) valkey: Option<PathBuf>,
    /// Build Valkey from Debian's source package if it is not there yet
    #[arg(long)]
    pub(crate) build_peers: bool,
    /// One more server, as a command line in which {port} stands for the port
    #[arg(long, value_name = "COMMAND")]
    pub(crate) floor: Option<String>,
    /// Leave our own server out
    #[arg(long)]
    pub(crate) peers_only: bool,
    #[command(flatten)]
    pub(crate) shape: Shape,
    /// Measure only the cases whose name contains this, for example `get` or `set-16`
    #[arg(long, value_name = "CASE")]
    pub(crate) only: Option<String>,
    /// Also write the figures to this file, as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Fail when a target against Valkey is missed
    #[arg(long)]
    pub(crate) gate: bool,
    /// Print what each stage of our server costs: in full, minus without it
    #[arg(long)]
    pub(crate) stages: bool,
    /// Compare our server in cluster mode with itself alone
    #[arg(long)]
    pub(crate) cluster: bool,
    /// Measure bytes per key instead: a million keys of 16 bytes with values of 32
    #[arg(long)]
    pub(crate) memory: bool,
    /// Measure latency at depth 1 instead, at rest and while BGSAVE runs
    #[arg(long)]
    pub(crate) latency: bool,
}

/// How much of everything.
#[derive(clap::Args)]
pub(crate) struct Shape {
    /// Keys loaded before, and drawn from during the measurement
    #[arg(long, default_value_t = 100_000)]
    pub(crate) keys: u64,
    /// Bytes in a value
    #[arg(long, default_value_t = 256)]
    pub(crate) size: usize,
    /// Connections of the load generator
    #[arg(long, default_value_t = 50)]
    pub(crate) connections: usize,
    /// Rounds; the median counts
    #[arg(long, default_value_t = 5)]
    pub(crate) rounds: usize,
    /// About how long one case lasts; every server gets the same number of requests
    #[arg(long, default_value_t = 1.0)]
    pub(crate) seconds: f64,
}

/// What a case asks of the server.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Set,
    Get,
}

/// One operation at one pipeline depth.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    pub(crate) operation: Operation,
    pub(crate) depth: usize,
}

impl Case {
    /// `set-16` and the like, as `--only` and the tables have it.
    pub(crate) fn name(self) -> String {
        let operation = match self.operation {
            Operation::Set => "set",
            Operation::Get => "get",
        };
        format!("{operation}-{}", self.depth)
    }

    /// How many requests keep a middling server busy for so long. A fixed number, the same for
    /// every server, so that all of them do the same work.
    pub(crate) fn requests(self, seconds: f64) -> u64 {
        let per_second = match self.depth {
            1 => 120_000.0,
            16 => 800_000.0,
            _ => 1_500_000.0,
        };
        (per_second * seconds) as u64
    }
}

/// From how many keys on the data no longer fits any cache.
pub(crate) const MANY_KEYS: u64 = 5_000_000;

impl Options {
    /// The cases to run: with many keys depth 1 says nothing new and is left out.
    pub(crate) fn cases(&self) -> Vec<Case> {
        let mut cases = self.all_cases();
        if let Some(only) = &self.only {
            let wanted = |case: &Case| case.name() == *only;
            if cases.iter().any(wanted) {
                cases.retain(wanted);
            } else {
                cases.retain(|case| case.name().contains(only.as_str()));
            }
        }
        cases
    }

    /// All names that `--only` could have meant.
    pub(crate) fn case_names(&self) -> String {
        self.all_cases().iter().map(|case| case.name()).collect::<Vec<_>>().join(", ")
    }

    fn all_cases(&self) -> Vec<Case> {
        let depths: &[usize] = if self.shape.keys >= MANY_KEYS { &[16, 64] } else { &[1, 16, 64] };
        let mut cases = Vec::new();
        for &depth in depths {
            for operation in [Operation::Set, Operation::Get] {
                cases.push(Case { operation, depth });
            }
        }
        cases
    }
}
