//! Which core does what.
//!
//! A child inherits the affinity of the thread that starts it, so a server is started by a thread
//! that has moved to the server's core for that moment.

use anyhow::{Context, Result, bail};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

const SERVER: usize = 0;
const GENERATOR: usize = 1;

/// Complains if the two cores are not there to be used.
pub(crate) fn check() -> Result<()> {
    let allowed = sched_getaffinity(None).context("asking for the usable cores")?;
    if !allowed.is_set(SERVER) || !allowed.is_set(GENERATOR) {
        bail!("the benchmark needs cores {SERVER} and {GENERATOR} to itself");
    }
    Ok(())
}

/// Runs `start` on the server's core, so that what it starts stays there, then moves this thread
/// to the generator's.
pub(crate) fn on_server_core<T>(start: impl FnOnce() -> Result<T>) -> Result<T> {
    move_to(SERVER)?;
    let result = start();
    move_to(GENERATOR)?;
    result
}

fn move_to(core: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    sched_setaffinity(None, &set).with_context(|| format!("moving to core {core}"))
}
