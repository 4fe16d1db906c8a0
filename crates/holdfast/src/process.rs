//! The server as a process: in the background, by its title, with its pid in a file, and alone on
//! its data.

use node::config::Config;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The arguments that a process was started with before its title took their place.
const ARGUMENTS: &str = "HOLDFAST_ARGUMENTS";
/// Set for a process that goes to the background.
const DETACHED: &str = "HOLDFAST_DETACHED";

/// The arguments handed over by [`retitle`] or [`detach`].
pub(crate) fn handed_over() -> Option<Vec<String>> {
    let text = std::env::var(ARGUMENTS).ok()?;
    let (pid, text) = text.split_once(' ').unwrap_or((&text, ""));
    // Only for the process that it was meant for, not for what that starts in turn.
    let ours = pid == std::process::id().to_string()
        || (pid == "child" && std::env::var_os(DETACHED).is_some());
    let words = wire::words::split(text.as_bytes()).ok()?;
    ours.then(|| words.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect())
}

/// The command that is this program again, under its title.
fn again(owner: &str, args: &[String], config: &Config) -> std::io::Result<Command> {
    let mut text = Vec::from(owner.as_bytes());
    for arg in args {
        text.push(b' ');
        wire::words::quote(arg.as_bytes(), &mut text);
    }
    let mut command = Command::new(std::env::current_exe()?);
    if config.process.face.set_title {
        command.arg0(title(config));
    }
    command.env(ARGUMENTS, String::from_utf8_lossy(&text).as_ref());
    Ok(command)
}

/// What `ps` shows: `proc-title-template` filled in.
fn title(config: &Config) -> String {
    let process = &config.process;
    let first = config.bind.split_whitespace().next().unwrap_or("*").trim_start_matches('-');
    let address = match config.port {
        0 if !process.unixsocket.is_empty() => process.unixsocket.clone(),
        port => format!("{first}:{port}"),
    };
    let mode = if config.cluster.enabled { "[cluster]" } else { "" };
    let title = process
        .face
        .title
        .replace("{title}", "redis-server")
        .replace("{listen-addr}", &address)
        .replace("{server-mode}", mode)
        .replace("{port}", &config.port.to_string())
        .replace("{tls-port}", "0")
        .replace("{unixsocket}", &process.unixsocket)
        .replace("{config-file}", &process.file);
    String::from(title.trim_end())
}

/// Starts this program again in its own place, so that its title is Redis's. It goes on as it is
/// if the system does not let it.
pub(crate) fn retitle(args: &[String], config: &Config) {
    if let Ok(mut command) = again(&std::process::id().to_string(), args, config) {
        let _ = command.exec();
    }
}

/// Starts this program again in the background.
pub(crate) fn detach(args: &[String], config: &Config) -> std::io::Result<()> {
    let mut command = again("child", args, config)?;
    command.env(DETACHED, "1");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    Ok(())
}

/// In a process begun by [`retitle`] or [`detach`]: takes the name that `killall` looks for, and
/// leaves the terminal.
pub(crate) fn settle() {
    // Both are for the eyes of others: without them the server serves as well.
    let _ = std::fs::write("/proc/self/comm", "redis-server");
    if std::env::var_os(DETACHED).is_some() {
        let _ = rustix::process::setsid();
    }
}

/// The file with the process's number, removed at the end.
pub(crate) struct PidFile(PathBuf);

impl PidFile {
    /// Writes it, if the settings ask for one; an error is no reason not to serve.
    pub(crate) fn write(config: &Config) -> Option<PidFile> {
        let path = match (config.process.pidfile.as_str(), config.process.daemonize) {
            ("", false) => return None,
            ("", true) => "/var/run/redis.pid",
            (path, _) => path,
        };
        let path = std::path::absolute(path).ok()?;
        std::fs::write(&path, format!("{}\n", std::process::id())).ok()?;
        Some(PidFile(path))
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A lock on the file that snapshots go to: two servers that write one file lose both data.
pub(crate) struct DataLock {
    _file: File,
    path: PathBuf,
}

impl DataLock {
    /// Takes it in the current folder; without save points, and where nothing can be written,
    /// there is nothing to keep apart.
    ///
    /// # Errors
    /// Who holds it, and what to set.
    pub(crate) fn take(config: &Config) -> Result<Option<DataLock>, String> {
        if config.save.is_empty() {
            return Ok(None);
        }
        let Ok(folder) = std::env::current_dir() else { return Ok(None) };
        let path = folder.join(format!(".{}.lock", config.dbfilename));
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let Ok(mut file) = file else { return Ok(None) };
        if let Err(std::fs::TryLockError::WouldBlock) = file.try_lock() {
            let mut holder = String::new();
            let _ = file.read_to_string(&mut holder);
            let data = folder.join(&config.dbfilename);
            return Err(format!(
                "Another server (pid {}) keeps its data in {}. Set 'dir' or 'dbfilename' to \
                 something of this server's own, or 'save \"\"' if it is to keep nothing.",
                holder.trim(),
                data.display()
            ));
        }
        // Its last holder may have removed it while we waited: the next one would make a new file.
        match (file.metadata(), std::fs::metadata(&path)) {
            (Ok(ours), Ok(there)) if ours.ino() == there.ino() => {}
            _ => return Err(String::from("Another server is leaving its data; try again.")),
        }
        let _ = file.set_len(0);
        let _ = writeln!(file, "{}", std::process::id());
        Ok(Some(DataLock { _file: file, path }))
    }
}

impl Drop for DataLock {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}
