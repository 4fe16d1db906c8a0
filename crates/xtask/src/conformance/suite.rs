//! The suite itself: where it comes from, how a file of it is run, and what it reports.

use anyhow::{Context, Result, bail};
use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

const OBTAIN: &str = include_str!("suite.sh");
/// What becomes of a test of [`CLUSTER`].
const CLUSTER_TEST: &str = include_str!("cluster.tcl");
/// Files with this in front of their names are those of `runtest-cluster`.
const CLUSTER: &str = "cluster/";
/// No file may take longer.
const PATIENCE: Duration = Duration::from_secs(900);
/// Nor may it be silent for longer.
const SILENCE: Duration = Duration::from_secs(240);

/// The suite's folder: a copy, since each run cleans up behind all others of its folder.
pub(crate) struct Suite {
    folder: PathBuf,
}

impl Drop for Suite {
    fn drop(&mut self) {
        // Nobody looks for it any more.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Tests of a file that are not expected to pass.
pub(crate) struct Excused {
    /// The file goes on behind them, where the suite would leave it.
    pub(crate) may_fail: BTreeSet<String>,
    /// They are not run.
    pub(crate) left_out: BTreeSet<String>,
}

/// What became of one test.
pub(crate) enum Outcome {
    Passed,
    Failed(String),
}

/// What became of one file.
pub(crate) struct Report {
    pub(crate) tests: Vec<(String, Outcome)>,
    /// Why it was left before its end, if it was.
    pub(crate) aborted: Option<String>,
    pub(crate) took: Duration,
}

impl Suite {
    /// Downloads it unless it is there, and puts our binary under the names it expects.
    pub(crate) fn obtain(ours: &Path) -> Result<Self> {
        let ours = ours.canonicalize().with_context(|| format!("{}", ours.display()))?;
        let home = std::env::var_os("HOME").context("HOME is not set")?;
        let cache = Path::new(&home).join(".cache/holdfast-peers");
        let output = Command::new("bash").args(["-c", OBTAIN, "suite"]).arg(&cache).output()?;
        if !output.status.success() {
            bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
        }
        let kept = PathBuf::from(String::from_utf8(output.stdout)?.trim());
        let folder = std::env::temp_dir().join(format!("holdfast-suite-{}", std::process::id()));
        let copied = Command::new("cp").arg("-r").args([&kept, &folder]).status()?;
        if !copied.success() {
            bail!("the suite cannot be copied to {}", folder.display());
        }
        // Of runs before there were copies.
        let _ = fs::remove_dir_all(folder.join("tests/tmp"));
        for name in ["server", "cli", "benchmark", "check-rdb", "check-aof", "sentinel"] {
            let link = folder.join("src").join(format!("redis-{name}"));
            // It may be there from another build.
            let _ = fs::remove_file(&link);
            symlink(&ours, &link).with_context(|| format!("{}", link.display()))?;
        }
        fs::create_dir_all(folder.join("tests/tmp"))?;
        Ok(Self { folder })
    }

    /// Runs one file, all of whose processes are a group of their own.
    pub(crate) fn run(&self, file: &str, excused: &Excused, loud: bool) -> Result<Report> {
        let began = Instant::now();
        let mut command = match file.strip_prefix(CLUSTER) {
            Some(name) => self.cluster_command(name, excused)?,
            None => self.command(file, excused)?,
        };
        command.current_dir(&self.folder).env("TERM", "dumb").process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().context("starting tclsh (Debian: tcl)")?;
        let mut reading = Reading::default();
        let cut = follow(&mut child, |line| {
            if loud {
                println!("    {line}");
            }
            reading.line(line);
        });
        // What the suite started and did not end must not outlive it.
        let group = Pid::from_raw(child.id() as i32).context("a child has a pid")?;
        let _ = kill_process_group(group, Signal::KILL);
        let status = child.wait()?;
        let aborted = cut.or_else(|| reading.aborted(status.success()));
        Ok(Report { tests: reading.tests, aborted, took: began.elapsed() })
    }

    fn command(&self, file: &str, excused: &Excused) -> Result<Command> {
        let mut command = Command::new("tclsh");
        let port = free_range(21_000)?.to_string();
        command.args(["tests/test_helper.tcl", "--durable", "--clients", "1", "--single", file]);
        command.args(["--baseport", &port, "--portcount", "200"]);
        for test in excused.left_out.iter().filter(|test| *test != "*") {
            command.args(["--skiptest", test]);
        }
        Ok(command)
    }

    /// The same for a file of `runtest-cluster`, which has a program of its own.
    fn cluster_command(&self, name: &str, excused: &Excused) -> Result<Command> {
        let folder = self.folder.join("tests/cluster");
        if !folder.join("tests").join(format!("{name}.tcl")).exists() {
            bail!("there is no {CLUSTER}{name}");
        }
        let program = fs::read_to_string(folder.join("run.tcl")).context("run.tcl")?;
        // The append-only file is not built yet; with save points the data outlives its process,
        // too.
        let program = program.replace("appendonly yes", "appendonly no");
        let program = program.replacen("proc main", "source ../ours.tcl\nproc main", 1);
        fs::write(folder.join("run-ours.tcl"), program)?;
        fs::write(folder.join("ours.tcl"), CLUSTER_TEST)?;
        // Its processes look for each other's folders here.
        fs::create_dir_all(folder.join("tmp"))?;
        let lines = |tests: &BTreeSet<String>| {
            tests.iter().map(String::as_str).collect::<Vec<&str>>().join("\n")
        };
        let mut command = Command::new("tclsh");
        command.args(["tests/cluster/run-ours.tcl", "--single", &format!("/{name}.tcl")]);
        // The bus needs ports 10000 above these.
        command.env("HOLDFAST_PORT", free_range(11_000)?.to_string());
        command.env("HOLDFAST_MAY_FAIL", lines(&excused.may_fail));
        command.env("HOLDFAST_LEFT_OUT", lines(&excused.left_out));
        Ok(command)
    }
}

/// Hands over a child's lines until its end; why it was not waited for, if it was not.
fn follow(child: &mut Child, mut each: impl FnMut(&str)) -> Option<String> {
    let stdout = child.stdout.take()?;
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        let mut reader = BufReader::new(stdout);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
            if sender.send(String::from_utf8_lossy(&line).trim_end().to_string()).is_err() {
                return;
            }
            line.clear();
        }
    });
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        match lines.recv_timeout(SILENCE) {
            Ok(line) => each(&line),
            Err(RecvTimeoutError::Disconnected) => return None,
            Err(RecvTimeoutError::Timeout) => {
                return Some(format!("nothing was heard for {SILENCE:.0?}"));
            }
        }
    }
    Some(format!("not done within {PATIENCE:.0?}"))
}

/// How a line begins that tells why a file is left.
const ENDS: &[&str] =
    &["[exception]: ", "FAILED: caught an error in the test", ">>>>>>>> Problems starting"];
/// What the last line holds, in either program.
const DONE: &[&str] =
    &["All tests passed", "following tests failed", "GOOD! No errors.", "test(s) failed."];

/// What has been read of a file's output.
#[derive(Default)]
struct Reading {
    tests: Vec<(String, Outcome)>,
    done: bool,
    /// Lines of an exception that ends the file.
    exception: Option<String>,
    /// The last line belongs to a failure whose reason follows.
    explaining: bool,
}

impl Reading {
    fn line(&mut self, line: &str) {
        let line = plain(line);
        if std::mem::take(&mut self.explaining)
            && let Some((_, Outcome::Failed(why))) = self.tests.last_mut()
        {
            why.push_str(line.trim());
        }
        if let Some(rest) = line.strip_prefix("[ok]: ") {
            let name = rest.rsplit_once(" (").map_or(rest, |(name, _)| name);
            self.tests.push((name.to_string(), Outcome::Passed));
        } else if let Some(rest) = line.strip_prefix("[err]: ") {
            match rest.rsplit_once(" in tests/") {
                Some((name, _)) => {
                    self.tests.push((name.to_string(), Outcome::Failed(String::new())));
                    self.explaining = true;
                }
                // Between tests, which ends the file.
                None => self.exception = Some(rest.to_string()),
            }
        } else if let Some(rest) = ENDS.iter().find_map(|begin| line.strip_prefix(begin)) {
            self.exception.get_or_insert_with(|| rest.to_string());
        }
        self.done |= DONE.iter().any(|end| line.contains(end));
    }

    fn aborted(&self, success: bool) -> Option<String> {
        match &self.exception {
            Some(exception) => Some(exception.clone()),
            None if !self.done => Some(format!("it did not say that it was done ({success})")),
            None => None,
        }
    }
}

/// A line without the escapes of colours.
fn plain(line: &str) -> String {
    let mut text = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('\x1b') {
        text.push_str(before);
        rest = after.split_once('m').map_or("", |(_, after)| after);
    }
    text + rest
}

/// The first of some ports from this one on, below those that the system hands out by itself;
/// servers come one after the other, and the suite passes over those in use.
fn free_range(from: u16) -> Result<u16> {
    let start = from + (std::process::id() % 40) as u16 * 200;
    for base in (start..from + 9000).step_by(200) {
        // The suite itself listens 32 ports below the servers.
        let free = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
        if free(base) && free(base - 32) {
            return Ok(base);
        }
    }
    bail!("no free ports from {from} on");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_read_with_their_reasons() {
        let mut reading = Reading::default();
        let lines = [
            "\x1b[0;32m[ok]\x1b[0m: SET and GET (an item) (3 ms)",
            "[\x1b[0;32mok\x1b[0m]: not so",
            "[err]: INCR fails in tests/unit/type/incr.tcl",
            "Expected 'a' to equal or match 'b'",
            "[ok]: last (0 ms)",
            "!!! WARNING The following tests failed:",
        ];
        lines.iter().for_each(|line| reading.line(line));
        let shown: Vec<_> = reading
            .tests
            .iter()
            .map(|(name, outcome)| match outcome {
                Outcome::Passed => name.clone(),
                Outcome::Failed(why) => format!("{name}: {why}"),
            })
            .collect();
        let failed = "INCR fails: Expected 'a' to equal or match 'b'";
        assert_eq!(shown, ["SET and GET (an item)", "not so", failed, "last"]);
        assert_eq!(reading.aborted(true), None);
        reading.line("[exception]: Executing test client: gone.");
        assert!(reading.aborted(true).is_some());
        // The other program's last words.
        for (last, done) in [("WARNING 1 test(s) failed.", true), ("Cleaning up...", false)] {
            let mut reading = Reading::default();
            reading.line("[err]: Cluster is up in tests/cluster");
            reading.line("assertion:no");
            reading.line(last);
            assert_eq!(reading.aborted(true).is_none(), done);
        }
        // An error between two tests is none of a test.
        let mut reading = Reading::default();
        reading.line("[err]: n command 'hset', with args beginning with: '898'");
        reading.line("!!! WARNING The following tests failed:");
        assert!(reading.tests.is_empty());
        assert!(reading.aborted(true).is_some_and(|why| why.contains("hset")));
    }
}
