//! `holdfast server`: the arguments of redis-server, and the driver that runs the node.

use crate::process::{self, DataLock, PidFile};
use crate::{control, settings, supervisor, syslog};
use machine::Level;
use node::config::{self, Config};
use node::{Node, Setup, Stages};
use shell::{Driver, LogSink, Options, Post, RedisLog, Role};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

const USAGE: &str = "\
Usage: holdfast server [redis.conf] [--directive value ...]
       holdfast server --port 7777 --save 60 1000
       holdfast server - (read settings from standard input)
       holdfast server -h or --help
       holdfast server -v or --version
";

/// Runs a server until it is told to stop.
pub(crate) fn main(args: &[String]) -> ExitCode {
    if args.iter().any(|arg| arg == "--bench-stages") {
        Stages::NAMES.iter().for_each(|name| println!("{name}"));
        return ExitCode::SUCCESS;
    }
    if args.first().is_some_and(|arg| arg == "--list-directives") {
        print!("{}", config::page());
        return ExitCode::SUCCESS;
    }
    if args.first().is_some_and(|arg| arg == "-v" || arg == "--version") {
        println!("Redis server v={} (Holdfast {})", node::REDIS_VERSION, node::VERSION);
        return ExitCode::SUCCESS;
    }
    if args.first().is_some_and(|arg| arg == "-h" || arg == "--help") {
        print!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    for flag in ["--test-memory", "--check-system", "--sentinel"] {
        if args.first().is_some_and(|arg| arg == flag) {
            eprintln!("redis-server {flag} is not built yet");
            return ExitCode::FAILURE;
        }
    }
    match begin(args) {
        Ok(status) => ExitCode::from(status as u8),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Reads the settings, and takes the shape of a process that they ask for.
fn begin(args: &[String]) -> Result<i32, Box<dyn std::error::Error>> {
    let handed_over = process::handed_over();
    let settings = settings::read(handed_over.as_deref().unwrap_or(args))?;
    let config = settings.config;
    if handed_over.is_some() {
        process::settle();
    } else if config.process.daemonize {
        if settings.from_stdin {
            return Err("daemonize cannot be set by standard input".into());
        }
        process::detach(args, &config)?;
        return Ok(0);
    } else if !settings.from_stdin && called_redis_server() {
        process::retitle(args, &config);
    }
    run(config).map_err(|error| format!("holdfast: {error}").into())
}

fn called_redis_server() -> bool {
    let program = std::env::args_os().next().unwrap_or_default();
    Path::new(&program).file_name().is_some_and(|name| name == "redis-server")
}

/// Where log lines go: a file or standard output, and the system's log if the settings say so.
struct Logs {
    process: config::Process,
    role: Role,
}

impl Logs {
    fn file(&self) -> Option<&Path> {
        let name = self.process.logfile.as_str();
        (!name.is_empty()).then(|| Path::new(name))
    }

    /// How grave a line must be to be logged.
    fn least(&self) -> Level {
        match self.process.loglevel.as_str() {
            "debug" => Level::Debug,
            "verbose" => Level::Verbose,
            "notice" => Level::Notice,
            _ => Level::Warning,
        }
    }

    /// Takes the lines that are as grave as `least`.
    fn sink(&self, least: Level) -> std::io::Result<LogSink> {
        let own = match self.file() {
            None => RedisLog::stdout(self.role.clone(), least),
            Some(path) => RedisLog::file(path, self.role.clone(), least)?,
        };
        let face = &self.process.face;
        Ok(match face.syslog {
            true => {
                syslog::beside(own.into_sink(), least, &face.syslog_ident, &face.syslog_facility)
            }
            false => own.into_sink(),
        })
    }
}

fn run(mut config: Config) -> Result<i32, Box<dyn std::error::Error>> {
    std::env::set_current_dir(&config.process.dir)
        .map_err(|error| format!("can't change to the folder '{}': {error}", config.process.dir))?;
    if let Ok(folder) = std::env::current_dir() {
        config.process.dir = folder.to_string_lossy().into_owned();
    }
    let logs = Logs { process: config.process.clone(), role: Role::new('M') };
    let log = || logs.sink(logs.least());
    if config.process.crash_log {
        shell::crash::report_to(logs.file())?;
    }
    let _lock = DataLock::take(&config).inspect_err(|why| {
        if let Ok(mut log) = log() {
            log(Level::Warning, why);
        }
    })?;
    let _pid_file = PidFile::write(&config);
    // Some descriptors are for listeners, files and the poll itself.
    let files = u64::from(config.clients.most) + 128;
    let files = shell::raise_open_files(files)?.min(files);
    // Without it, the system makes clients wait for the room at some time.
    let _ = shell::make_room_for_files(files);
    let mut secret = [0; 16];
    let mut id = [0; 20];
    let mut seed = [0; 8];
    for random in [&mut secret[..], &mut id, &mut seed] {
        getrandom::fill(random)?;
    }
    let run_id = id.iter().map(|byte| format!("{byte:02x}")).collect();
    let stages = match std::env::var("HOLDFAST_BENCH_WITHOUT") {
        Ok(name) => Stages::without(&name).ok_or_else(|| format!("no such stage: {name}"))?,
        Err(_) => Stages::ALL,
    };
    let post = Post::new();
    let control = config.cluster.enabled.then(|| control::setup(&config, u64::from_le_bytes(seed)));
    // Without it, growing is as fast as the system gives memory out.
    shell::allocator::keep_memory_ready();
    if let Some(setup) = &control {
        control::await_port(setup, &mut log()?)?;
    }
    if config.port == 0 && config.process.unixsocket.is_empty() {
        log()?(Level::Warning, "Configured to not listen anywhere, exiting.");
        return Ok(1);
    }
    let keepalive = config.clients.keepalive;
    let node = Node::new(Setup { config, secret, run_id, control: control::CONTROL, stages });
    let options = Options {
        keepalive: (keepalive > 0).then(|| Duration::from_secs(keepalive)),
        // The node leaves out what is not grave enough: that may change while it runs.
        log: logs.sink(Level::Debug)?,
        ready: supervisor::teller(&logs.process.face.supervised),
        post: post.clone(),
        address: control::NODE,
        memory: Some(shell::allocator::ALLOCATOR),
        signals: true,
        ..Options::default()
    };
    let mut driver = Driver::new(node, options)?;
    if let Some(setup) = control {
        control::start(setup, post, log()?)?;
    }
    Ok(driver.run()?)
}
