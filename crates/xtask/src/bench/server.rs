//! The servers under test: child processes on the server's core, each with its own folder.
//!
//! All of them are started once and stay up; one that is idle costs nothing.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::pin;

/// How to start one server.
#[derive(Clone)]
pub(crate) struct Program {
    /// What the tables call it.
    pub(crate) name: String,
    /// The program and its arguments; `{port}` stands for the port, `{bus}` for another.
    pub(crate) command: Vec<String>,
    /// Environment variables to set.
    pub(crate) environment: Vec<(String, String)>,
}

impl Program {
    /// A program that takes redis-server's arguments.
    pub(crate) fn like_redis(name: &str, path: PathBuf, subcommand: Option<&str>) -> Self {
        let mut command = vec![path.to_string_lossy().into_owned()];
        command.extend(subcommand.map(str::to_string));
        let arguments = ["--port", "{port}", "--save", "", "--appendonly", "no"];
        command.extend(arguments.map(str::to_string));
        Self { name: name.to_string(), command, environment: Vec::new() }
    }
}

/// A running server; stopped when dropped.
pub(crate) struct Server {
    /// What the tables call it.
    pub(crate) name: String,
    /// Where it listens on the loopback address.
    pub(crate) port: u16,
    child: Child,
    folder: PathBuf,
}

/// Starts all of them on the server's core and leaves this thread on the generator's.
pub(crate) fn start_all(programs: &[Program]) -> Result<Vec<Server>> {
    pin::on_server_core(|| programs.iter().map(Server::start).collect())
}

impl Server {
    /// Starts one where this thread may run.
    pub(crate) fn start(program: &Program) -> Result<Self> {
        let port = free_port()?;
        let folder =
            std::env::temp_dir().join(format!("holdfast-bench-{}-{port}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let log = File::create(folder.join("log"))?;
        let (port_word, bus_word) = (port.to_string(), free_port()?.to_string());
        let fill = |word: &String| word.replace("{port}", &port_word).replace("{bus}", &bus_word);
        let arguments: Vec<String> = program.command.iter().map(fill).collect();
        let child = Command::new(&arguments[0])
            .args(&arguments[1..])
            .envs(program.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(&folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("starting {}", arguments[0]))?;
        let mut server = Self { name: program.name.clone(), port, child, folder };
        server.wait_until_up()?;
        Ok(server)
    }

    fn wait_until_up(&mut self) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            let ended = self.child.try_wait()?;
            if ended.is_some() || Instant::now() > deadline {
                let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
                bail!("{} does not come up; it says:\n{log}", self.name);
            }
            sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Nothing can be done here about a child that is already gone.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port())
}
