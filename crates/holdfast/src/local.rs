//! `holdfast local`, also called `create-cluster`: servers of a cluster in the folder where it is
//! called, in the background, and what one does with them.

use crate::connection::wait_until;
use crate::{cli, cluster, topology};
use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

/// More servers than this are a mistake in the settings.
const MOST_NODES: u16 = 100;
const TIMEOUT: Duration = Duration::from_secs(5);
/// How long a server may take to answer.
const START: Duration = Duration::from_secs(20);
/// How long a server may take to end; it saves its data before.
const STOP: Duration = Duration::from_secs(60);
const SETTINGS: &str = "config.sh";

fn usage(name: &str) -> String {
    format!(
        "Usage: {name} [start|create|stop|restart|watch|tail|tailall|clean|clean-logs|call]\n\
         start       -- Launch Redis Cluster instances.\n\
         create [-f] -- Create a cluster using redis-cli --cluster create.\n\
         stop        -- Stop Redis Cluster instances.\n\
         restart     -- Stop them, and launch them again.\n\
         watch       -- Show CLUSTER NODES output (first 30 lines) of first node.\n\
         tail <id>   -- Run tail -f of instance at base port + ID.\n\
         tailall     -- Run tail -f for all the log files at once.\n\
         clean       -- Remove all instances data, logs, configs.\n\
         clean-logs  -- Remove just instances logs.\n\
         call <cmd>  -- Call a command on all nodes.\n\n\
         Everything happens in the folder where it is called. PORT, NODES, REPLICAS, TIMEOUT, \
         CLUSTER_HOST, PROTECTED_MODE and ADDITIONAL_OPTIONS are read from {SETTINGS} there."
    )
}

/// Runs a verb; `name` is what we are called.
pub(crate) fn main(name: &str, args: &[String]) -> ExitCode {
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let result = Settings::read(Path::new(SETTINGS)).and_then(|settings| match words[..] {
        ["start"] => settings.start(),
        ["create"] => return_code(settings.create(false)),
        ["create", "-f"] => return_code(settings.create(true)),
        ["stop"] => settings.stop(),
        ["restart"] => settings.stop().and_then(|()| settings.start()),
        ["watch"] => settings.watch(),
        ["tail", id] => settings.tail(id),
        ["tailall"] => settings.tail_all(),
        ["clean"] => settings.clean(false),
        ["clean-logs"] => settings.clean(true),
        ["call", ref command @ ..] if !command.is_empty() => settings.call(command),
        _ => {
            println!("{}", usage(name));
            Ok(())
        }
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if !error.is_empty() {
                eprintln!("{name}: {error}");
            }
            ExitCode::FAILURE
        }
    }
}

/// What went wrong was said already.
fn return_code(done: bool) -> Result<(), String> {
    if done { Ok(()) } else { Err(String::new()) }
}

/// How many servers there are, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Settings {
    host: String,
    /// The servers have the ports after this one.
    port: u16,
    nodes: u16,
    replicas: u16,
    timeout_ms: u32,
    protected: String,
    more: Vec<String>,
}

impl Settings {
    /// Reads a file of the classic script: assignments of a shell.
    fn read(path: &Path) -> Result<Settings, String> {
        let mut settings = Settings {
            host: String::from("127.0.0.1"),
            port: 30_000,
            nodes: 6,
            replicas: 1,
            timeout_ms: 2000,
            protected: String::from("yes"),
            more: Vec::new(),
        };
        let text = match fs::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            other => other.map_err(|error| format!("{}: {error}", path.display()))?,
        };
        for (index, line) in text.lines().enumerate() {
            let wrong = |why: &str| format!("{}, line {}: {why}", path.display(), index + 1);
            settings.take(line).map_err(|why| wrong(&why))?;
        }
        let highest = u32::from(settings.port) + u32::from(settings.nodes) + 10_000;
        if settings.nodes == 0 || settings.nodes > MOST_NODES || highest > 65_535 {
            return Err(format!(
                "{} servers after port {} cannot be: at most {MOST_NODES} can, and each needs the \
                 port 10000 higher, too",
                settings.nodes, settings.port
            ));
        }
        Ok(settings)
    }

    fn take(&mut self, line: &str) -> Result<(), String> {
        let line = line.trim().trim_start_matches("export ");
        let Some((name, value)) = line.split_once('=').filter(|_| !line.starts_with('#')) else {
            return Ok(());
        };
        let value = match value.strip_prefix(['"', '\'']) {
            Some(rest) => rest.split(['"', '\'']).next().unwrap_or_default(),
            None => value.split([' ', '\t', '#', ';']).next().unwrap_or_default(),
        };
        fn number<T: std::str::FromStr>(name: &str, value: &str) -> Result<T, String> {
            value.parse().map_err(|_| format!("{name} wants a number, not {value:?}"))
        }
        match name {
            "PORT" => self.port = number(name, value)?,
            "NODES" => self.nodes = number(name, value)?,
            "REPLICAS" => self.replicas = number(name, value)?,
            "TIMEOUT" => self.timeout_ms = number(name, value)?,
            "CLUSTER_HOST" => self.host = value.to_string(),
            "PROTECTED_MODE" => self.protected = value.to_string(),
            "ADDITIONAL_OPTIONS" => {
                self.more = value.split_whitespace().map(String::from).collect();
            }
            // Where the programs are, we know; the rest is not for us.
            _ => {}
        }
        Ok(())
    }

    fn ports(&self) -> impl Iterator<Item = u16> {
        self.port + 1..=self.port + self.nodes
    }

    fn start(&self) -> Result<(), String> {
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut failed = Vec::new();
        for port in self.ports() {
            println!("Starting {port}");
            let mut command = Command::new(&program);
            command.arg("server");
            for (name, value) in [
                ("--port", port.to_string()),
                ("--protected-mode", self.protected.clone()),
                ("--cluster-enabled", "yes".into()),
                ("--cluster-config-file", format!("nodes-{port}.conf")),
                ("--cluster-node-timeout", self.timeout_ms.to_string()),
                ("--appendfilename", format!("appendonly-{port}.aof")),
                ("--appenddirname", format!("appendonlydir-{port}")),
                ("--dbfilename", format!("dump-{port}.rdb")),
                ("--logfile", format!("{port}.log")),
                ("--enable-debug-command", "local".into()),
                ("--daemonize", "yes".into()),
            ] {
                command.args([name, &value]);
            }
            let status = command.args(&self.more).status().map_err(|error| error.to_string())?;
            if !status.success() {
                failed.push(port.to_string());
            }
        }
        // So that what comes next finds them all.
        let answers = |port: &u16| self.say(*port, &["PING"]).is_ok();
        wait_until(START, || self.ports().all(|port| answers(&port)));
        failed.extend(self.ports().filter(|port| !answers(port)).map(|port| port.to_string()));
        failed.sort();
        failed.dedup();
        if failed.is_empty() {
            return Ok(());
        }
        let last = |port: &String| {
            let log = fs::read_to_string(format!("{port}.log")).unwrap_or_default();
            format!("\n{port}.log: {}", log.lines().last().unwrap_or("it is empty"))
        };
        let lines: String = failed.iter().map(last).collect();
        Err(format!("not started: {}{lines}", failed.join(", ")))
    }

    fn create(&self, yes: bool) -> bool {
        let mut words = vec![String::from("create")];
        words.extend(self.ports().map(|port| format!("{}:{port}", self.host)));
        words.extend([String::from("--replicas"), self.replicas.to_string()]);
        if yes {
            words.push(String::from("--yes"));
        }
        cluster::main(&words) == ExitCode::SUCCESS
    }

    fn say(&self, port: u16, words: &[&str]) -> Result<String, String> {
        topology::say(&self.host, port, words, TIMEOUT)
    }

    /// All are asked first: each saves its data, and would wait for the others.
    fn stop(&self) -> Result<(), String> {
        let mut ending = Vec::new();
        for port in self.ports() {
            println!("Stopping {port}");
            let info = match self.say(port, &["INFO", "server"]) {
                Ok(info) => info,
                Err(error) => {
                    eprintln!("{error}");
                    continue;
                }
            };
            let pid = info.lines().find_map(|line| line.strip_prefix("process_id:"));
            // The end of the connection is its answer. NOW: not one of them is to wait for another.
            let _ = self.say(port, &["SHUTDOWN", "SAVE", "NOW"]);
            ending.extend(pid.map(|pid| (port, format!("/proc/{}", pid.trim()))));
        }
        wait_until(STOP, || !ending.iter().any(|(_, path)| Path::new(path).exists()));
        let left: Vec<String> = ending
            .iter()
            .filter(|(_, path)| Path::new(path).exists())
            .map(|(port, _)| port.to_string())
            .collect();
        match left.is_empty() {
            true => Ok(()),
            false => Err(format!("these still run: {}", left.join(", "))),
        }
    }

    fn watch(&self) -> Result<(), String> {
        loop {
            let text = self.say(self.port + 1, &["CLUSTER", "NODES"]).unwrap_or_else(|e| e + "\n");
            let lines: Vec<&str> = text.lines().take(30).collect();
            // Home, and clear what is below.
            println!("\x1b[H\x1b[2J{}\n{}", date(), lines.join("\n"));
            std::thread::sleep(Duration::from_secs(1));
        }
    }

    fn tail(&self, id: &str) -> Result<(), String> {
        let id: u16 = id.parse().map_err(|_| format!("'{id}' is no number of a server"))?;
        follow(&[format!("{}.log", self.port.saturating_add(id))])
    }

    fn tail_all(&self) -> Result<(), String> {
        follow(&self.ports().map(|port| format!("{port}.log")).collect::<Vec<_>>())
    }

    fn call(&self, command: &[&str]) -> Result<(), String> {
        for port in self.ports() {
            let words: Vec<String> = ["-h", &self.host, "-p", &port.to_string()]
                .into_iter()
                .chain(command.iter().copied())
                .map(String::from)
                .collect();
            cli::main(&words);
        }
        Ok(())
    }

    /// Removes what servers of this kind leave, whatever ports they had.
    fn clean(&self, only_logs: bool) -> Result<(), String> {
        let running: Vec<String> = self
            .ports()
            .filter(|port| self.say(*port, &["PING"]).is_ok())
            .map(|port| port.to_string())
            .collect();
        if !running.is_empty() && !only_logs {
            return Err(format!("these still run: {}; stop them first", running.join(", ")));
        }
        let all = [("", ".log"), ("appendonlydir-", ""), ("dump-", ".rdb"), ("nodes-", ".conf")];
        for (begin, end) in if only_logs { &all[..1] } else { &all[..] } {
            println!("Cleaning {begin}*{end}");
            remove(begin, end)?;
        }
        Ok(())
    }
}

/// Removes what is named by a number between `begin` and `end`, and what was kept beside it.
fn remove(begin: &str, end: &str) -> Result<(), String> {
    let at = |error: io::Error| error.to_string();
    for entry in fs::read_dir(".").map_err(at)? {
        let entry = entry.map_err(at)?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let middle = name.strip_prefix(begin).and_then(|rest| {
            let rest = rest.strip_suffix(".lock").unwrap_or(rest);
            rest.strip_suffix(end)
        });
        if middle.is_none_or(|port| port.parse::<u16>().is_err()) {
            continue;
        }
        let path = entry.path();
        match entry.file_type().map_err(at)?.is_dir() {
            true => fs::remove_dir_all(&path).map_err(at)?,
            false => fs::remove_file(&path).map_err(at)?,
        }
    }
    Ok(())
}

fn follow(files: &[String]) -> Result<(), String> {
    Err(format!("tail: {}", Command::new("tail").arg("-f").args(files).exec()))
}

/// The time of day, of the whole world's clock.
fn date() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let seconds = now.map_or(0, |since| since.as_secs()) % 86_400;
    format!("{:02}:{:02}:{:02} UTC", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_those_of_the_classic_script() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("config.sh");
        let standard = Settings::read(&file).expect("none is needed");
        assert_eq!(standard.ports().collect::<Vec<_>>(), (30_001..=30_006).collect::<Vec<_>>());
        let text = "# mine\nPORT=7000 # first\nNODES=\"3\"\nexport REPLICAS=0\nBIN_PATH=/x\n\
                    ADDITIONAL_OPTIONS='--save 60 1'\nif true; then\n";
        fs::write(&file, text).expect("a file");
        let settings = Settings::read(&file).expect("they are right");
        assert_eq!(settings.ports().collect::<Vec<_>>(), [7001, 7002, 7003]);
        assert_eq!(
            (settings.replicas, settings.more),
            (0, vec!["--save".into(), "60".into(), "1".into()])
        );
        for wrong in ["NODES=0", "NODES=x", "PORT=60000", "NODES=5000", "PORT=$((1+1))"] {
            fs::write(&file, wrong).expect("a file");
            assert!(Settings::read(&file).is_err(), "{wrong}");
        }
    }
}
