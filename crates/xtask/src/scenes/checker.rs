//! `holdfast check`, run beside a scene and read: the same program on either side.

use super::pty::Pty;
use super::stage::Stage;
use anyhow::{Context, Result, ensure};
use std::process::Command;

/// How long it runs at most, in seconds: no wait of a scene is longer.
const LONGEST: &str = "170";

/// A check that runs.
pub(crate) struct Check {
    pty: Pty,
}

/// What it has counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Seen {
    pub(crate) read_errors: u64,
    pub(crate) writes: u64,
    pub(crate) write_errors: u64,
    pub(crate) lost: u64,
    pub(crate) noack: u64,
}

impl Check {
    /// Starts it on the tutorials' cluster, and waits until every counter was raised a few times.
    pub(crate) fn start(stage: &Stage) -> Result<Self> {
        Self::start_with(stage, &[])
    }

    /// The same for a busy machine: a reply that is late is no error, only one that says so.
    pub(crate) fn patient(stage: &Stage) -> Result<Self> {
        Self::start_with(stage, &["--timeout-ms", "10000"])
    }

    fn start_with(stage: &Stage, more: &[&str]) -> Result<Self> {
        let mut command = Command::new(&stage.ours);
        command.args(["check", "127.0.0.1", "7000", "--duration", LONGEST]).args(more);
        let mut check = Check { pty: Pty::spawn(command)? };
        check.until(|seen| seen.writes >= 10_000)?;
        Ok(check)
    }

    /// Reads its lines until one is so, and gives that one.
    pub(crate) fn until(&mut self, mut so: impl FnMut(&Seen) -> bool) -> Result<Seen> {
        loop {
            let line = self.pty.expect("\r\n")?;
            let seen = Seen::read(line.trim_end()).with_context(|| format!("its line {line:?}"))?;
            if so(&seen) {
                return Ok(seen);
            }
        }
    }

    /// Ends it: its last line, the longest time that a part of the cluster did not answer, in
    /// seconds, and its exit status.
    pub(crate) fn end(mut self) -> Result<(Seen, f64, i32)> {
        self.pty.interrupt()?;
        let shown = self.pty.rest()?;
        let mut lines = shown.lines().rev();
        let longest = lines.next().and_then(|line| line.strip_prefix("longest unavailability: "));
        let longest = longest.and_then(|text| text.strip_suffix(" s"));
        let longest = longest.with_context(|| format!("its end: {shown}"))?.parse()?;
        let seen = lines.next().and_then(Seen::read);
        let seen = seen.with_context(|| format!("its last line: {shown}"))?;
        Ok((seen, longest, self.pty.finish()?))
    }

    /// Ends it; it must have seen neither errors nor losses.
    pub(crate) fn end_clean(self) -> Result<()> {
        let (seen, longest, code) = self.end()?;
        ensure!(seen.is_clean() && code == 0, "rc {code}, {longest} s, {seen:?}");
        Ok(())
    }
}

impl Seen {
    /// `N R (0 err) | N W (0 err) |`, then ` K lost |` and ` K noack |` if there are any.
    fn read(line: &str) -> Option<Self> {
        let mut parts = line.strip_suffix(" |")?.split(" | ");
        let (_, read_errors) = operations(parts.next()?, 'R')?;
        let (writes, write_errors) = operations(parts.next()?, 'W')?;
        let mut seen = Seen { read_errors, writes, write_errors, lost: 0, noack: 0 };
        for part in parts {
            let (count, what) = part.split_once(' ')?;
            match what {
                "lost" => seen.lost = count.parse().ok()?,
                "noack" => seen.noack = count.parse().ok()?,
                _ => return None,
            }
        }
        Some(seen)
    }

    /// Errors of either kind.
    pub(crate) fn errors(&self) -> u64 {
        self.read_errors + self.write_errors
    }

    pub(crate) fn is_clean(&self) -> bool {
        self.errors() + self.lost + self.noack == 0
    }
}

/// `N R (E err)`.
fn operations(part: &str, letter: char) -> Option<(u64, u64)> {
    let (count, rest) = part.split_once(&format!(" {letter} ("))?;
    Some((count.parse().ok()?, rest.strip_suffix(" err)")?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_line_is_read() {
        let seen = |line| Seen::read(line).unwrap();
        let clean = seen("12 R (0 err) | 34 W (0 err) |");
        assert!(clean.is_clean() && clean.writes == 34);
        let bad = seen("12 R (1 err) | 34 W (2 err) | 5 lost | 7 noack |");
        assert_eq!((bad.errors(), bad.lost, bad.noack), (3, 5, 7));
        assert_eq!(seen("1 R (0 err) | 1 W (0 err) | 6 noack |").noack, 6);
        for other in ["", "12 R (0 err) |", "12 R (0 err) | 34 W (0 err) | 5 found |"] {
            assert_eq!(Seen::read(other), None, "{other}");
        }
    }
}
