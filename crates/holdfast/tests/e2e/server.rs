//! Starts a server as its users do, in a folder of its own, and ends it.

use crate::client::Client;
use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The most time that anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The program under test.
pub(crate) const HOLDFAST: &str = env!("CARGO_BIN_EXE_holdfast");

/// Which program to start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Program {
    /// Ours.
    Holdfast,
    /// The one to be compared with: `redis-server` as the system has it.
    Redis,
    /// Ours, where no file may grow beyond that many blocks of 512 bytes.
    SmallFiles(u32),
}

impl Program {
    /// The command that starts a server, without arguments.
    pub(crate) fn command(self) -> Command {
        match self {
            Program::Holdfast => {
                let mut command = Command::new(HOLDFAST);
                command.arg("server");
                command
            }
            Program::Redis => Command::new("redis-server"),
            Program::SmallFiles(blocks) => {
                let mut command = Command::new("sh");
                // Without the trap the signal for a file too large would end the process.
                let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" server \"$@\"");
                command.args(["-c", &script, HOLDFAST]);
                command
            }
        }
    }
}

/// A folder with a server's data and what it printed.
pub(crate) struct Home {
    folder: TempDir,
}

impl Home {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir(folder.path().join("data")).expect("a folder for data");
        Home { folder }
    }

    /// The folder that `--dir` names.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A file of the data folder.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.data().join(name)
    }

    /// A path beside the data.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// All that servers of this home have printed.
    pub(crate) fn printed(&self) -> String {
        let bytes = fs::read(self.beside("printed")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Starts a program here, without waiting for it.
    pub(crate) fn spawn(&self, mut command: Command) -> Process {
        let path = self.beside("printed");
        let file = File::options().create(true).append(true).open(path).expect("a log file");
        let errors = file.try_clone().expect("the same file again");
        command.stdin(Stdio::null()).stdout(file).stderr(errors);
        let program = format!("{command:?}");
        let child = command.spawn().unwrap_or_else(|error| panic!("{program}: {error}"));
        Process { child }
    }
}

/// A child that ends with its owner.
pub(crate) struct Process {
    child: Child,
}

impl Process {
    /// Its id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its status, if it has ended.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("the child's status")
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        until("the process ends", || self.ended())
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).expect("a signal");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A running server.
pub(crate) struct Server {
    process: Process,
    /// Where it listens on 127.0.0.1.
    pub(crate) port: u16,
    /// Its folder.
    pub(crate) home: Home,
}

impl Server {
    /// Ours, with a folder of its own and no save points.
    pub(crate) fn start() -> Self {
        Self::with(&["--save", ""])
    }

    /// Ours, with these directives.
    pub(crate) fn with(arguments: &[&str]) -> Self {
        Self::of(Program::Holdfast, Home::new(), arguments)
    }

    /// A program in a folder, answering.
    pub(crate) fn of(program: Program, home: Home, arguments: &[&str]) -> Self {
        let server = Self::listening(program, home, arguments);
        until("the data is loaded", || {
            let reply = server.client().call(&["PING"]);
            (!reply.starts_with("-LOADING")).then_some(())
        });
        server
    }

    /// A program in a folder that accepts connections; it may still be loading.
    pub(crate) fn listening(program: Program, home: Home, arguments: &[&str]) -> Self {
        Self::run(home, |home, port| {
            let mut command = program.command();
            command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--dir"]);
            command.arg(home.data()).args(arguments);
            command
        })
    }

    /// Whatever command starts a server at a port.
    pub(crate) fn run(home: Home, command: impl Fn(&Home, u16) -> Command) -> Self {
        for _ in 0..20 {
            let port = free_port();
            let mut process = home.spawn(command(&home, port));
            let stands = until("the server listens", || {
                // Another process may have taken the port in between.
                if process.ended().is_some() {
                    return Some(false);
                }
                (owns(process.id(), port)).then_some(true)
            });
            if stands {
                return Server { process, port, home };
            }
            let printed = home.printed();
            assert!(printed.contains("in use"), "the server ended at once:\n{printed}");
        }
        panic!("no free port found");
    }

    /// A new connection.
    pub(crate) fn client(&self) -> Client {
        Client::connect(self.port)
    }

    /// Its process.
    pub(crate) fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// A path under its process in `/proc`, as text.
    pub(crate) fn proc(&self, name: &str) -> String {
        fs::read_to_string(Path::new("/proc").join(self.process.id().to_string()).join(name))
            .expect("a file under /proc")
    }

    /// Its resident memory, in bytes.
    pub(crate) fn resident(&self) -> u64 {
        let status = self.proc("status");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("VmRSS");
        let kilobytes = line.split_whitespace().nth(1).expect("a number");
        kilobytes.parse::<u64>().expect("a number") * 1024
    }

    /// Ends it by a signal and waits; its folder remains.
    pub(crate) fn end(mut self, signal: rustix::process::Signal) -> (ExitStatus, Home) {
        self.process.signal(signal);
        let status = self.process.wait();
        (status, self.into_home())
    }

    /// Kills it, if it still runs; its folder remains.
    pub(crate) fn into_home(mut self) -> Home {
        std::mem::replace(&mut self.home, Home::new())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if thread::panicking() {
            let printed = self.home.printed();
            let from = printed.len().saturating_sub(4000);
            let tail = String::from_utf8_lossy(&printed.as_bytes()[from..]).into_owned();
            eprintln!("--- the server at port {} printed:\n{tail}\n---", self.port);
        }
    }
}

/// Asks for a result until there is one, for a bounded time.
pub(crate) fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(result) = ask() {
            return result;
        }
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        thread::park_timeout(Duration::from_millis(5));
    }
}

/// A port that nobody has just now.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address").port()
}

/// Whether a process listens at a port: not another one that was quicker.
fn owns(pid: u32, port: u16) -> bool {
    let addresses = ["0100007F", "00000000"].map(|ip| format!("{ip}:{port:04X}"));
    let table = fs::read_to_string("/proc/net/tcp").expect("the table of sockets");
    let Some(inode) = table.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let local = words.get(1).is_some_and(|word| addresses.iter().any(|ours| ours == word));
        let listens = local && words.get(3) == Some(&"0A");
        listens.then(|| words.get(9).map(|word| format!("socket:[{word}]"))).flatten()
    }) else {
        return false;
    };
    let Ok(descriptors) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    descriptors
        .flatten()
        .filter_map(|entry| fs::read_link(entry.path()).ok())
        .any(|target| target.as_os_str() == inode.as_str())
}
