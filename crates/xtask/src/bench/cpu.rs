//! The CPU time of another process, in nanoseconds.
//!
//! `/proc/PID/stat` counts in ticks of 10 ms; the scheduler's own account is exact, but kept by
//! thread.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

/// What all threads of this process have used so far. Threads that ended are not counted; servers
/// keep theirs.
pub(crate) fn used_by(pid: u32) -> Result<Duration> {
    let tasks = format!("/proc/{pid}/task");
    let mut nanoseconds = 0;
    for task in fs::read_dir(&tasks).with_context(|| format!("reading {tasks}"))? {
        let path = task?.path().join("schedstat");
        // A thread may end between the listing and the reading.
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let running = text.split_whitespace().next().and_then(|word| word.parse::<u64>().ok());
        nanoseconds += running.with_context(|| format!("{}: {text:?}", path.display()))?;
    }
    Ok(Duration::from_nanos(nanoseconds))
}

/// The resident set of this process, in bytes.
pub(crate) fn resident_bytes(pid: u32) -> Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kilobytes * 1024)
}

/// How many tasks of the whole machine wanted a core over the last minute.
pub(crate) fn machine_load() -> Result<f64> {
    let text = fs::read_to_string("/proc/loadavg")?;
    Ok(text.split_whitespace().next().context("an empty /proc/loadavg")?.parse()?)
}
