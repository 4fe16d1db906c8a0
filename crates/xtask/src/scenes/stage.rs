//! Where a scene plays: a folder, the programs by their classic names, servers at the tutorials'
//! ports.

use super::pty::Pty;
use crate::bench::Client;
use anyhow::{Context, Result, bail, ensure};
use std::ffi::OsString;
use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The names by which readers call us.
const NAMES: &[&str] = &[
    "redis-server",
    "redis-cli",
    "redis-benchmark",
    "redis-trib.rb",
    "redis-trib",
    "create-cluster",
    "holdfast",
];
const PATIENCE: Duration = Duration::from_secs(60);
/// The cluster of the tutorials.
pub(crate) const PORTS: std::ops::Range<u16> = 7000..7006;

/// Whose programs play.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Side {
    Ours,
    /// Debian's.
    Real,
}

impl Side {
    /// What tables call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Side::Ours => "holdfast",
            Side::Real => "redis",
        }
    }
}

/// See the module's documentation. What it started ends with it.
pub(crate) struct Stage {
    pub(crate) side: Side,
    /// Our program itself.
    pub(crate) ours: PathBuf,
    /// How often to measure.
    pub(crate) rounds: usize,
    /// What the scene found, for the comparison.
    pub(crate) facts: Vec<(&'static str, String)>,
    folder: PathBuf,
    servers: Vec<(u16, Child)>,
}

impl Stage {
    /// An empty stage.
    pub(crate) fn new(side: Side, ours: &Path, rounds: usize) -> Result<Self> {
        let name = format!("holdfast-scenes-{}-{}", std::process::id(), side.name());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(folder.join("bin"))?;
        for name in NAMES {
            let link = folder.join("bin").join(name);
            if !link.exists() {
                std::os::unix::fs::symlink(ours, &link)?;
            }
        }
        let (facts, servers) = (Vec::new(), Vec::new());
        Ok(Self { side, ours: ours.to_path_buf(), rounds, facts, folder, servers })
    }

    /// States a fact; it must be so on either side, unless the scene says otherwise.
    pub(crate) fn fact(&mut self, name: &'static str, value: impl Into<String>) {
        self.facts.push((name, value.into()));
    }

    /// A program by the name a reader types, of one side.
    pub(crate) fn program(&self, side: Side, name: &str) -> Command {
        let mut command = match side {
            Side::Ours => Command::new(self.folder.join("bin").join(name)),
            Side::Real => Command::new(name),
        };
        command.current_dir(&self.folder);
        command
    }

    /// A shell on a terminal, where the names lead to the programs of this side.
    pub(crate) fn shell(&self) -> Result<Pty> {
        let mut command = Command::new("sh");
        command.current_dir(&self.folder).env("PS1", "$ ");
        if self.side == Side::Ours {
            let mut path = OsString::from(self.folder.join("bin"));
            path.push(":");
            path.push(std::env::var_os("PATH").unwrap_or_default());
            command.env("PATH", path);
        }
        command.arg("-i");
        Pty::spawn(command)
    }

    /// Copies what the scene left in its folder; what was there from the last time goes.
    pub(crate) fn keep(&self, to: &Path) -> Result<()> {
        let _ = fs::remove_dir_all(to);
        fs::create_dir_all(to)?;
        let status = Command::new("cp").arg("-r").arg(self.path(".")).arg(to).status()?;
        ensure!(status.success(), "copying to {}: {status}", to.display());
        Ok(())
    }

    /// A path in the scene's folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// One line as typed at a shell in the scene's folder: its exit status, and what it printed.
    pub(crate) fn sh(&self, line: &str) -> Result<(i32, String)> {
        let mut command = Command::new("sh");
        command.args(["-c", line]).current_dir(&self.folder).stdin(Stdio::null());
        // Without colours.
        command.env("TERM", "dumb");
        if self.side == Side::Ours {
            let mut path = OsString::from(self.folder.join("bin"));
            path.push(":");
            path.push(std::env::var_os("PATH").unwrap_or_default());
            command.env("PATH", path);
        }
        let output = command.output()?;
        let text = [output.stdout, output.stderr].concat();
        let code = output.status.code().unwrap_or(-1);
        Ok((code, String::from_utf8_lossy(&text).into_owned()))
    }

    /// A line for the classic tool, as this side knows it: Debian's redis-trib.rb only says what to
    /// type instead.
    pub(crate) fn trib(&self, line: &str) -> String {
        match self.side {
            Side::Ours => format!("redis-trib.rb {line}"),
            Side::Real => format!("redis-cli --cluster {}", line.replace(" --", " --cluster-")),
        }
    }

    /// The classic tool, run at once: its exit status, and what it printed.
    pub(crate) fn run_trib(&self, line: &str) -> Result<(i32, String)> {
        self.sh(&self.trib(line))
    }

    /// The classic tool, which must succeed and say this.
    pub(crate) fn trib_says(&self, line: &str, text: &str) -> Result<String> {
        let (code, said) = self.run_trib(line)?;
        if code != 0 || !said.contains(text) {
            bail!("{line}: rc {code}, no {text:?} in: {said}");
        }
        Ok(said)
    }

    /// The classic tool, which must fail and say this.
    pub(crate) fn trib_refuses(&self, line: &str, text: &str) -> Result<String> {
        let (code, said) = self.run_trib(line)?;
        if code != 1 || !said.contains(text) {
            bail!("{line}: rc {code}, no {text:?} in: {said}");
        }
        Ok(said)
    }

    /// Installs, and copies our redis.conf here, with its pidfile here too.
    pub(crate) fn settings(&self) -> Result<()> {
        let mut command = Command::new(&self.ours);
        let output = command.args(["install", "--prefix"]).arg(self.path("prefix")).output()?;
        if !output.status.success() {
            bail!("{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        }
        let text = fs::read_to_string(self.path("prefix/share/redis.conf"))?;
        let here = format!("{}/", self.folder.display());
        fs::write(self.path("redis.conf"), text.replace("/var/run/", &here))?;
        Ok(())
    }

    /// Starts a server of one side and waits until it answers.
    pub(crate) fn serve(&mut self, side: Side, port: u16, arguments: &[&str]) -> Result<()> {
        self.serve_with(side, port, None, arguments)
    }

    /// As [`Stage::serve`], with a file of settings.
    pub(crate) fn serve_with(
        &mut self,
        side: Side,
        port: u16,
        file: Option<&str>,
        arguments: &[&str],
    ) -> Result<()> {
        free(port)?;
        let mut command = self.program(side, "redis-server");
        command.args(file).args(["--port", &port.to_string()]).args(arguments);
        self.launch(port, command)?;
        until("the server answers", || {
            self.runs(port)?;
            Ok(Client::connect(port).is_ok_and(|mut client| client.ask("PING").is_ok()))
        })
    }

    /// Starts a server for a port by this command, in a folder of its own, where its log is.
    pub(crate) fn launch(&mut self, port: u16, mut command: Command) -> Result<()> {
        let home = self.folder.join(port.to_string());
        fs::create_dir_all(&home)?;
        let log = File::options().create(true).append(true).open(home.join("log"))?;
        let child = command
            .current_dir(&home)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("starting {command:?}"))?;
        self.servers.push((port, child));
        Ok(())
    }

    /// An error with its log, if the server that was started last has ended.
    pub(crate) fn runs(&mut self, port: u16) -> Result<()> {
        let (_, child) = self.servers.last_mut().context("it was started")?;
        if let Some(status) = child.try_wait()? {
            let log = self.log(port).unwrap_or_default();
            bail!("the server at port {port} ended ({status}):\n{log}");
        }
        Ok(())
    }

    /// What redis-cli prints for a line at a port, its last newline left out.
    pub(crate) fn say(&self, port: u16, line: &str) -> Result<String> {
        let (_, said) = self.sh(&format!("redis-cli -p {port} {line}"))?;
        Ok(said.replace('\r', "").trim_end().to_string())
    }

    /// A field of INFO at a port; empty: there is none.
    pub(crate) fn field(&self, port: u16, name: &str) -> Result<String> {
        let info = self.say(port, "info everything")?;
        let value = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        Ok(String::from(value.unwrap_or_default()))
    }

    /// The process of the server at a port.
    pub(crate) fn pid(&self, port: u16) -> Result<u32> {
        let server = self.servers.iter().find(|(at, _)| *at == port);
        Ok(server.context("it was started")?.1.id())
    }

    /// What the server at a port has logged.
    pub(crate) fn log(&self, port: u16) -> Result<String> {
        Ok(fs::read_to_string(self.path(&port.to_string()).join("log"))?)
    }

    /// Ends the server at a port.
    pub(crate) fn end(&mut self, port: u16) -> Result<()> {
        for (_, child) in self.servers.iter_mut().filter(|(at, _)| *at == port) {
            child.kill()?;
            child.wait()?;
        }
        self.servers.retain(|(at, _)| *at != port);
        Ok(())
    }

    /// Starts six servers that are to be a cluster.
    pub(crate) fn six(&mut self) -> Result<()> {
        self.six_with(&[])
    }

    fn six_with(&mut self, more: &[&str]) -> Result<()> {
        for port in PORTS.flat_map(|port| [port, port + 10_000]) {
            free(port)?;
        }
        PORTS.into_iter().try_for_each(|port| self.serve_node(port, more))
    }

    /// Starts a server of a cluster, with these directives as well.
    pub(crate) fn serve_node(&mut self, port: u16, more: &[&str]) -> Result<()> {
        let directives = ["--cluster-enabled", "yes", "--cluster-node-timeout", "5000"];
        self.serve(self.side, port, &[&directives[..], more].concat())
    }

    /// Makes a cluster of the six, without talk.
    pub(crate) fn cluster(&mut self) -> Result<()> {
        self.cluster_with(&[])
    }

    /// As [`Stage::cluster`], with more directives for each server.
    pub(crate) fn cluster_with(&mut self, more: &[&str]) -> Result<()> {
        self.six_with(more)?;
        let mut command = self.program(self.side, "redis-cli");
        command.args(["--cluster", "create"]);
        command.args(PORTS.map(|port| format!("127.0.0.1:{port}")));
        command.args(["--cluster-replicas", "1", "--cluster-yes"]);
        let output = command.output()?;
        if !output.status.success() {
            bail!("{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        }
        covered()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        for (_, child) in &mut self.servers {
            // It may have ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Waits until every node says that all slots are served.
pub(crate) fn covered() -> Result<()> {
    until("all slots are served", || {
        let ok = |port| -> Result<bool> {
            // While it loads, a replica does not say.
            let info = Client::connect(port)?.ask("CLUSTER INFO").unwrap_or_default();
            Ok(info.contains("cluster_state:ok") && info.contains("cluster_slots_ok:16384"))
        };
        PORTS.map(ok).try_fold(true, |all, one| Ok(all && one?))
    })
}

/// The scenes are played at the tutorials' ports; whoever has one must let go of it first.
fn free(port: u16) -> Result<()> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .with_context(|| format!("port {port}, which the tutorial uses, is not free"))?;
    Ok(())
}

/// Asks until it is so, for a bounded time.
pub(crate) fn until(what: &str, mut done: impl FnMut() -> Result<bool>) -> Result<()> {
    let end = Instant::now() + PATIENCE;
    while !done()? {
        if Instant::now() > end {
            bail!("not within {PATIENCE:?}: {what}");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
