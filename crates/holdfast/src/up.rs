//! `holdfast up`: a local cluster in the foreground, watched over.

mod folder;

use crate::cluster;
use crate::connection::wait_until;
use crate::topology::{self, Node};
use admin::create::Plan;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// More processes than this are a mistake in the arguments.
const MOST_NODES: u16 = 100;
const HOST: &str = "127.0.0.1";
const TIMEOUT: Duration = Duration::from_millis(500);
/// How long the cluster may take until all slots are served.
const START: Duration = Duration::from_secs(60);
/// How long a node may take to end.
const STOP: Duration = Duration::from_secs(20);
/// How often a bus port is tried at the start, and the first pause in between; each is twice the
/// one before.
const BUS_TRIES: u32 = 5;
const BUS_PAUSE: Duration = Duration::from_millis(100);
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A node that ran this long has recovered: its next restart waits the shortest pause again.
const STEADY: Duration = Duration::from_secs(60);

/// Options of the command.
#[derive(clap::Args, Debug)]
pub(crate) struct Options {
    /// Primaries of the cluster
    #[arg(long, default_value_t = 3)]
    primaries: u16,
    /// Replicas of each primary
    #[arg(long, default_value_t = 1)]
    replicas: u16,
    /// Port of the first node; the others follow. Each bus port is 10000 higher
    #[arg(long, default_value_t = 30001)]
    port: u16,
    /// Folder for the data of all nodes
    #[arg(long, default_value = "holdfast-data")]
    dir: PathBuf,
    /// Milliseconds of silence after which a node counts as dead
    #[arg(long, default_value_t = 2000)]
    node_timeout: u64,
    /// Leave a dead node dead
    #[arg(long)]
    no_restart: bool,
    /// Directives for every server: --directive value ...
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    directives: Vec<String>,
}

/// Runs until Ctrl-C.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    let nodes = u32::from(options.primaries) * (u32::from(options.replicas) + 1);
    if options.primaries < 3 {
        return Err(String::from(
            "a cluster needs at least 3 primaries: a majority of them must be able to agree that \
             one is dead",
        ));
    }
    let count = u16::try_from(nodes).ok().filter(|count| *count <= MOST_NODES);
    let Some(count) = count else {
        return Err(format!("{nodes} nodes are too many for one host; at most {MOST_NODES}"));
    };
    let highest = 65_535 - 10_000 - count + 1;
    if options.port == 0 || options.port > highest {
        return Err(format!("--port must be between 1 and {highest} for {count} nodes"));
    }
    let _lock = lock(&options.dir)?;
    folder::check_left_over(&options.dir)?;
    folder::check_shape(&options.dir, options.port, options.primaries, count)?;
    check_ports(options.port, count)?;
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop))
            .map_err(|error| error.to_string())?;
    }
    let mut cluster = Cluster::start(options, count)?;
    let result = cluster.form(options, &stop).map(|()| {
        cluster.show();
        cluster.watch(options, &stop);
    });
    cluster.stop();
    if result.is_err() && cluster.unfinished {
        cluster.undo();
    }
    result
}

/// Holds the data folder, so that two clusters never share it.
fn lock(dir: &Path) -> Result<File, String> {
    fs::create_dir_all(dir).map_err(|error| format!("cannot make {}: {error}", dir.display()))?;
    let path = dir.join("up.lock");
    let file = File::create(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive).map_err(
        |_| {
            format!(
                "{} is in use by another 'holdfast up'; stop it, or choose another --dir",
                dir.display()
            )
        },
    )?;
    Ok(file)
}

/// Ports must be free. A bus port may be some connection's for a moment: the default ones lie where
/// the system takes ports for outgoing connections. The nodes themselves try again as well.
fn check_ports(first: u16, count: u16) -> Result<(), String> {
    for port in (first..first + count).flat_map(|port| [port, port + 10_000]) {
        let mut pause = BUS_PAUSE;
        let mut tries = if port >= first + 10_000 { BUS_TRIES } else { 1 };
        while let Err(error) = TcpListener::bind((HOST, port)) {
            tries -= 1;
            if tries == 0 {
                return Err(format!("port {port} cannot be used ({error}); choose another --port"));
            }
            println!("bus port {port} is taken; trying again in {} ms", pause.as_millis());
            std::thread::sleep(pause);
            pause *= 2;
        }
    }
    Ok(())
}

/// The nodes' processes.
struct Cluster {
    nodes: Vec<Process>,
    /// A cluster is being made of new nodes; what there is of it is worth nothing yet.
    unfinished: bool,
}

struct Process {
    port: u16,
    dir: PathBuf,
    args: Vec<String>,
    child: Option<Child>,
    started: Instant,
    pause: Duration,
    /// When to start it again.
    due: Option<Instant>,
}

impl Cluster {
    fn start(options: &Options, count: u16) -> Result<Self, String> {
        let mut cluster = Cluster { nodes: Vec::new(), unfinished: false };
        for port in options.port..options.port + count {
            let dir = options.dir.join(port.to_string());
            fs::create_dir_all(&dir)
                .map_err(|error| format!("cannot make {}: {error}", dir.display()))?;
            let mut args: Vec<String> = vec!["server".into()];
            for (name, value) in [
                ("--port", port.to_string()),
                ("--bind", HOST.to_string()),
                ("--dir", dir.display().to_string()),
                ("--logfile", "node.log".to_string()),
                ("--cluster-enabled", "yes".to_string()),
                // Nobody waits here for more replicas to join a sync.
                ("--repl-diskless-sync-delay", "0".to_string()),
                ("--enable-debug-command", "local".to_string()),
                ("--cluster-config-file", "nodes.conf".to_string()),
                ("--cluster-node-timeout", options.node_timeout.to_string()),
            ] {
                args.extend([name.to_string(), value]);
            }
            args.extend(options.directives.iter().cloned());
            let mut process = Process {
                port,
                dir,
                args,
                child: None,
                started: Instant::now(),
                pause: FIRST_PAUSE,
                due: None,
            };
            if let Err(error) = process.spawn() {
                cluster.stop();
                return Err(format!("cannot start a node: {error}"));
            }
            cluster.nodes.push(process);
        }
        Ok(cluster)
    }

    /// Waits for the nodes, makes a cluster of new ones, and waits until it serves all slots.
    fn form(&mut self, options: &Options, stop: &AtomicBool) -> Result<(), String> {
        let stopped = || stop.load(Ordering::Relaxed);
        let mut dead = None;
        wait_until(START, || {
            dead = self.nodes.iter_mut().find_map(Process::death);
            dead.is_some() || stopped() || self.answering() == self.nodes.len()
        });
        if let Some(why) = dead {
            return Err(why);
        }
        let addresses: Vec<_> =
            self.nodes.iter().map(|node| (HOST.to_string(), node.port)).collect();
        let fresh = addresses.iter().all(|(host, port)| {
            topology::ask(host, *port, TIMEOUT).is_ok_and(|nodes| nodes.len() == 1)
        });
        if stopped() {
            return Err(String::from("stopped before the cluster stood"));
        }
        if fresh {
            let plan = Plan::new(&addresses, usize::from(options.replicas))?;
            cluster::check_empty(&plan)?;
            // From here on the nodes hold nothing but what is being made now.
            self.unfinished = true;
            cluster::form(&plan, |step| println!("{}...", step.trim_start_matches(">>> ")))?;
        }
        let primaries = usize::from(options.primaries);
        let serving = wait_until(START, || stopped() || self.is_serving(primaries));
        if stopped() {
            return Err(String::from("stopped before the cluster served all slots"));
        }
        if !serving {
            return Err(format!(
                "the cluster does not serve all slots after {} s; see node.log in {}",
                START.as_secs(),
                options.dir.display()
            ));
        }
        self.unfinished = false;
        Ok(())
    }

    /// Takes back a cluster that was never finished, so that the next start begins anew. Data is
    /// never touched: whatever a dump holds, it is not ours to judge.
    fn undo(&self) {
        for node in &self.nodes {
            // What is not there need not be removed.
            let _ = fs::remove_file(node.dir.join("nodes.conf"));
        }
    }

    fn answering(&self) -> usize {
        let up = |node: &&Process| topology::ask(HOST, node.port, TIMEOUT).is_ok();
        self.nodes.iter().filter(up).count()
    }

    /// Every primary takes a write: one that has no lease yet says that the cluster is down.
    fn takes_writes(&self) -> bool {
        let view = self.view().unwrap_or_default();
        view.iter().filter(|node| !node.slots.is_empty()).all(|node| {
            let owned = |key: &String| {
                let slot = wire::slot::slot(key.as_bytes());
                node.slots.contains(slot)
            };
            // Of a key that nobody has, so that nothing is changed.
            let key = (0..1_000_000).map(|n| format!("holdfast:up:{n}")).find(owned);
            key.is_some_and(|key| topology::say(HOST, node.port, &["DEL", &key], TIMEOUT).is_ok())
        })
    }

    /// Every node says that all slots are served, and every replica follows its primary.
    fn is_serving(&self, primaries: usize) -> bool {
        self.nodes.iter().all(|node| {
            let say =
                |words: &[&str]| topology::say(HOST, node.port, words, TIMEOUT).unwrap_or_default();
            let info = say(&["CLUSTER", "INFO"]);
            let linked = !say(&["INFO", "replication"]).contains("master_link_status:down");
            let size = format!("cluster_size:{primaries}\r");
            info.contains("cluster_state:ok") && info.contains(&size) && linked
        }) && self.takes_writes()
    }

    /// The view of the first node that answers.
    fn view(&self) -> Option<Vec<Node>> {
        self.nodes.iter().find_map(|node| topology::ask(HOST, node.port, TIMEOUT).ok())
    }

    fn show(&self) {
        let Some(mut view) = self.view() else { return };
        view.sort_by_key(|node| node.port);
        let ports: BTreeMap<String, u16> =
            view.iter().map(|node| (node.id.clone(), node.port)).collect();
        println!();
        println!(
            "{:<17} {:<8} {:>6}  {:<12} {:<11} pid",
            "address", "role", "slots", "range", "replica of"
        );
        for node in &view {
            let of = node.primary.as_ref().and_then(|id| ports.get(id));
            let process = self.nodes.iter().find(|process| process.port == node.port);
            let pid = process.and_then(|process| process.child.as_ref()).map(Child::id);
            let count = node.slots.len();
            println!(
                "{:<17} {:<8} {:>6}  {:<12} {:<11} {}",
                format!("{}:{}", node.host, node.port),
                if of.is_some() { "replica" } else { "primary" },
                if count > 0 { count.to_string() } else { String::from("-") },
                if count > 0 { node.slots.plain() } else { String::from("-") },
                of.map_or(String::from("-"), u16::to_string),
                pid.map_or(String::from("-"), |pid| pid.to_string()),
            );
        }
        println!();
        println!(
            "All 16384 slots are served. Connect with: redis-cli -c -p {}",
            self.nodes[0].port
        );
        println!("Ctrl-C stops all nodes.");
        println!();
    }

    /// Shows changes, and starts dead nodes again.
    fn watch(&mut self, options: &Options, stop: &AtomicBool) {
        let began = Instant::now();
        let mut last: BTreeMap<u16, String> = BTreeMap::new();
        let say = |text: String| println!("[{:8.3}] {text}", began.elapsed().as_secs_f64());
        while !stop.load(Ordering::Relaxed) {
            for node in &mut self.nodes {
                if let Some(text) = node.tend(!options.no_restart) {
                    say(text);
                }
            }
            if let Some(view) = self.view() {
                for (port, state) in states(&view) {
                    let before = last.insert(port, state.clone());
                    if before.is_some_and(|before| before != state) {
                        say(format!("{HOST}:{port} is {state}"));
                    }
                }
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Ends all nodes in order.
    fn stop(&mut self) {
        for child in self.nodes.iter().filter_map(|node| node.child.as_ref()) {
            if let Some(pid) = rustix::process::Pid::from_raw(child.id() as i32) {
                // A node that is gone already needs no signal.
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
            }
        }
        let nodes = &mut self.nodes;
        wait_until(STOP, || nodes.iter_mut().all(|node| node.death().is_some()));
        for child in self.nodes.iter_mut().filter_map(|node| node.child.as_mut()) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Each node's state in a word or two.
fn states(view: &[Node]) -> Vec<(u16, String)> {
    let port = |id: &String| view.iter().find(|node| node.id == *id).map(|node| node.port);
    view.iter()
        .map(|node| {
            let role = match &node.primary {
                Some(id) => format!("a replica of {}", port(id).unwrap_or(0)),
                None => format!("a primary of {} slots", node.slots.len()),
            };
            let state = if node.failing() { format!("failing, {role}") } else { role };
            (node.port, state)
        })
        .collect()
}

impl Process {
    fn spawn(&mut self) -> io::Result<()> {
        let child = Command::new(std::env::current_exe()?)
            .args(&self.args)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::options().create(true).append(true).open(self.dir.join("node.err"))?)
            .spawn()?;
        self.child = Some(child);
        self.started = Instant::now();
        self.due = None;
        Ok(())
    }

    /// Why the process is not running, if it is not.
    fn death(&mut self) -> Option<String> {
        let Some(child) = &mut self.child else {
            return Some(format!("node {} is not running", self.port));
        };
        let status = child.try_wait().ok()??;
        self.child = None;
        let log = self.dir.join("node.log");
        Some(format!("node {} ended ({status}); see {}", self.port, log.display()))
    }

    /// Looks after the process; what happened, if anything did.
    fn tend(&mut self, restart: bool) -> Option<String> {
        if self.child.is_some() {
            let why = self.death()?;
            if !restart {
                return Some(why);
            }
            if self.started.elapsed() >= STEADY {
                self.pause = FIRST_PAUSE;
            }
            self.due = Some(Instant::now() + self.pause);
            let text = format!("{why}; starting it again in {} s", self.pause.as_secs());
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
            return Some(text);
        }
        if self.due? > Instant::now() {
            return None;
        }
        Some(match self.spawn() {
            Ok(()) => format!("node {} started again", self.port),
            Err(error) => {
                self.due = Some(Instant::now() + self.pause);
                format!("node {} cannot be started: {error}", self.port)
            }
        })
    }
}
