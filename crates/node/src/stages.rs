//! Switches that leave a stage of every command out, to measure what it costs.

/// Which stages run. All do, except while measuring: results without one are wrong on purpose
/// (no statistics, no slow log, slower lookups), never unsafe.
#[derive(Clone, Copy, Debug)]
pub struct Stages {
    /// One reading of the stopwatch a command.
    pub clock: bool,
    /// Counts and latency histogram of each command.
    pub statistics: bool,
    /// Looking at the gates.
    pub admit: bool,
    /// Bringing buckets and entries towards the processor before the batch runs.
    pub prefetch: bool,
}

impl Stages {
    /// The names of the stages.
    pub const NAMES: [&str; 4] = ["clock", "statistics", "admit", "prefetch"];

    /// All stages.
    pub const ALL: Stages = Stages { clock: true, statistics: true, admit: true, prefetch: true };

    /// All stages but the named one; `None` for an unknown name.
    pub fn without(name: &str) -> Option<Stages> {
        let mut stages = Stages::ALL;
        match name {
            "clock" => stages.clock = false,
            "statistics" => stages.statistics = false,
            "admit" => stages.admit = false,
            "prefetch" => stages.prefetch = false,
            _ => return None,
        }
        Some(stages)
    }
}
