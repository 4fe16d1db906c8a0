//! A server of a chain: it is started, ended as its operators do, and started again.

use super::talk::{Talk, until};
use crate::bench::{cached_valkey, on_path};
use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Whose program it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Holdfast,
    Redis,
    Valkey,
}

impl Kind {
    /// All of them.
    pub(super) const ALL: [Kind; 3] = [Kind::Holdfast, Kind::Redis, Kind::Valkey];

    /// What the table calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Holdfast => "holdfast",
            Kind::Redis => "redis",
            Kind::Valkey => "valkey",
        }
    }

    /// Why a snapshot of ours, if we are this, is of no use to the other.
    pub(super) fn cannot_feed(self, replica: Kind) -> Option<&'static str> {
        let refused = self == Kind::Valkey && replica == Kind::Redis;
        refused.then_some("Valkey 9.1 sends RDB version 11, which redis-server 7.0 does not read")
    }
}

/// Where the programs are.
#[derive(Clone)]
pub(super) struct Programs {
    pub(super) holdfast: PathBuf,
    redis: PathBuf,
    valkey: PathBuf,
    by_file: bool,
}

impl Programs {
    /// Finds them; Valkey is built when it is not there.
    pub(super) fn find(ours: &Path, by_file: bool) -> Result<Self> {
        let holdfast = ours.canonicalize().with_context(|| format!("{}", ours.display()))?;
        let redis = on_path("redis-server").context("no redis-server on the PATH")?;
        let valkey = cached_valkey(true)?.context("no Valkey")?;
        Ok(Self { holdfast, redis, valkey, by_file })
    }

    /// What starts a server of this kind, without arguments.
    fn command(&self, kind: Kind) -> Command {
        match kind {
            Kind::Holdfast => {
                let mut command = Command::new(&self.holdfast);
                command.arg("server");
                command
            }
            Kind::Redis => Command::new(&self.redis),
            Kind::Valkey => Command::new(&self.valkey),
        }
    }
}

/// More than is written while a chain is played, in bytes.
pub(super) const BACKLOG: &str = "67108864";

/// What all of them are told. Heartbeats would put a primary ahead of its replicas when nobody
/// writes, and whoever is ahead cannot go on in the other's history.
const DIRECTIVES: &[&str] = &[
    "--bind",
    "127.0.0.1",
    "--save",
    "",
    "--repl-backlog-size",
    BACKLOG,
    "--repl-ping-replica-period",
    "3600",
    "--repl-diskless-sync-delay",
    "0",
];

/// A running server; ended when dropped.
pub(super) struct Member {
    /// Whose program it is.
    pub(super) kind: Kind,
    /// Where it listens; another after it was started again.
    pub(super) port: u16,
    folder: PathBuf,
    child: Child,
}

impl Member {
    /// Starts one without data.
    pub(super) fn start(programs: &Programs, kind: Kind) -> Result<Self> {
        Self::start_at(programs, kind, free_port()?, &[])
    }

    /// The same at this port, with more directives.
    pub(super) fn start_at(
        programs: &Programs,
        kind: Kind,
        port: u16,
        more: &[&str],
    ) -> Result<Self> {
        let name = format!("holdfast-pairs-{}-{port}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder)?;
        let child = spawn(programs, kind, &folder, port, more)?;
        let mut member = Self { kind, port, folder, child };
        member.wait_until_up()?;
        Ok(member)
    }

    /// Saves and ends, as `SHUTDOWN` does for an operator who keeps the data.
    pub(super) fn shut_down(&mut self) -> Result<()> {
        // The connection ends instead of a reply.
        let reply = self.talk()?.ask("SHUTDOWN SAVE");
        if let Ok(reply) = reply {
            bail!("{} at SHUTDOWN: {reply}", self.kind.name());
        }
        let status = until("a server ends", || Ok(self.child.try_wait()?))?;
        if !status.success() {
            bail!("{} ended with {status}", self.kind.name());
        }
        Ok(())
    }

    /// Sends its process a signal.
    pub(super) fn signal(&self, signal: Signal) -> Result<()> {
        kill_process(Pid::from_child(&self.child), signal)?;
        Ok(())
    }

    /// Its process ends without a chance to do anything.
    pub(super) fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Starts again with its data, at another port.
    pub(super) fn again(&mut self, programs: &Programs, more: &[&str]) -> Result<()> {
        self.port = free_port()?;
        self.again_here(programs, more)
    }

    /// Starts again with its data, at the same port.
    pub(super) fn again_here(&mut self, programs: &Programs, more: &[&str]) -> Result<()> {
        self.child = spawn(programs, self.kind, &self.folder, self.port, more)?;
        self.wait_until_up()
    }

    /// A connection to it.
    pub(super) fn talk(&self) -> Result<Talk> {
        Talk::to(self.port)
    }

    /// Its log.
    pub(super) fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    fn wait_until_up(&mut self) -> Result<()> {
        until("a server comes up", || {
            if self.child.try_wait()?.is_some() {
                bail!("{} does not come up; it says:\n{}", self.kind.name(), self.log());
            }
            let reply = Talk::to(self.port).and_then(|mut talk| talk.ask("PING"));
            Ok(reply.ok().filter(|reply| !reply.starts_with("-LOADING")))
        })?;
        Ok(())
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        // Nothing can be done here about a child that is already gone.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn spawn(
    programs: &Programs,
    kind: Kind,
    folder: &Path,
    port: u16,
    more: &[&str],
) -> Result<Child> {
    let log = File::options().create(true).append(true).open(folder.join("log"))?;
    let straight = if programs.by_file { "no" } else { "yes" };
    let mut command = programs.command(kind);
    command.args(["--port", &port.to_string(), "--dir"]).arg(folder).args(DIRECTIVES);
    command.args(["--repl-diskless-sync", straight]).args(more);
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    command.spawn().with_context(|| format!("starting {}", kind.name()))
}

fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port())
}
