//! `holdfast check` beside a cluster, and what it counts.

use super::super::member::Programs;
use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use std::io::Read;
use std::process::{Child, Command, Stdio};

/// A check that runs; killed when dropped.
pub(super) struct Load {
    child: Child,
}

/// What a check counted.
pub(super) struct Figures {
    /// The longest time for which a group of slots was not served, in seconds.
    pub(super) gap: f64,
    /// Acknowledged, and not there any more.
    pub(super) lost: u64,
    /// There without having been acknowledged.
    pub(super) unacknowledged: u64,
    /// Reads and writes that failed.
    pub(super) errors: u64,
    /// Writes that were acknowledged.
    pub(super) writes: u64,
}

impl Load {
    /// Starts it with these nodes to begin with.
    pub(super) fn start(programs: &Programs, ports: &[u16]) -> Result<Self> {
        let mut command = Command::new(&programs.holdfast);
        command.args(["check", "--json"]);
        for port in ports {
            command.args(["127.0.0.1", &port.to_string()]);
        }
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        Ok(Self { child: child.context("starting the check")? })
    }

    /// Ends it; what it counted.
    pub(super) fn end(mut self) -> Result<Figures> {
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        let mut text = String::new();
        self.child.stdout.take().context("it is piped")?.read_to_string(&mut text)?;
        self.child.wait()?;
        let figure = |name: &str| -> Result<f64> {
            let (_, rest) = text.split_once(&format!("\"{name}\":")).context("no such figure")?;
            let digits = rest.split([',', '}']).next().unwrap_or_default();
            digits.trim().parse().with_context(|| format!("{name} in {text}"))
        };
        let count = |name: &str| figure(name).map(|n| n as u64);
        let figures = Figures {
            gap: figure("longest_unavailability_s")?,
            lost: count("lost")?,
            unacknowledged: count("unacknowledged")?,
            errors: count("read_errors")? + count("write_errors")?,
            writes: count("writes")?,
        };
        if figures.writes < 1000 {
            bail!("only {} writes: that proves nothing", figures.writes);
        }
        Ok(figures)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
