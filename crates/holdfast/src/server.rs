//! `holdfast server`: the arguments of redis-server, and the driver that runs the node.

use crate::control;
use machine::Level;
use node::config::Config;
use node::{Node, Setup, Stages};
use shell::{Driver, Options, Post, RedisLog, Role};
use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "\
Usage: holdfast server [redis.conf] [--directive value ...]
       holdfast server --port 7777 --save 60 1000
       holdfast server -h or --help
       holdfast server -v or --version
";

/// Runs a server until it is told to stop.
pub(crate) fn main(args: &[String]) -> ExitCode {
    if args.iter().any(|arg| arg == "--bench-stages") {
        Stages::NAMES.iter().for_each(|name| println!("{name}"));
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
    let config = match read_config(args) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    match run(config) {
        Ok(status) => ExitCode::from(status as u8),
        Err(error) => {
            eprintln!("holdfast: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Settings while they are read.
#[derive(Default)]
struct Settings {
    config: Config,
    /// Save points so far: unlike other directives, each `save` adds to those before it.
    save: Vec<String>,
}

impl Settings {
    fn apply(&mut self, name: &str, words: &[&str]) -> Result<(), String> {
        self.config.apply(name, words)?;
        if !name.eq_ignore_ascii_case("save") {
            return Ok(());
        }
        match words {
            [""] => self.save.clear(),
            words => self.save.extend(words.iter().map(|word| String::from(*word))),
        }
        self.config.apply(name, &[&self.save.join(" ")])
    }
}

/// The settings from a file, if one is named, and the directives after it.
fn read_config(args: &[String]) -> Result<Config, String> {
    let mut config = Settings::default();
    let mut args = args;
    if let Some((file, rest)) = args.split_first()
        && !file.starts_with("--")
    {
        read_file(&mut config, file)?;
        args = rest;
    }
    let mut lines: Vec<Vec<&str>> = Vec::new();
    for arg in args {
        match (arg.strip_prefix("--"), lines.last_mut()) {
            (Some(name), _) => lines.push(vec![name]),
            (None, Some(line)) => line.push(arg),
            (None, None) => return Err(format!("holdfast: what is '{arg}'? Try --help.")),
        }
    }
    for (index, line) in lines.iter().enumerate() {
        let values: String = line[1..].iter().map(|word| format!(" \"{word}\"")).collect();
        let text = format!("{}{values}", line[0]);
        config.apply(line[0], &line[1..]).map_err(|why| fatal(index + 1, &text, &why))?;
    }
    Ok(config.config)
}

fn read_file(config: &mut Settings, file: &str) -> Result<(), String> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        format!("*** FATAL CONFIG FILE ERROR ***\nCan't open config file '{file}': {error}")
    })?;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let words = wire::words::split(line.as_bytes())
            .map_err(|_| fatal(index + 1, line, "Unbalanced quotes in configuration line"))?;
        let words: Vec<String> =
            words.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        if let Some((name, values)) = words.split_first() {
            config.apply(name, values).map_err(|why| fatal(index + 1, line, &why))?;
        }
    }
    Ok(())
}

/// A refused directive, in the block that Redis prints.
fn fatal(number: usize, line: &str, why: &str) -> String {
    format!(
        "\n*** FATAL CONFIG FILE ERROR (Redis {}) ***\n\
         Reading the configuration file, at line {number}\n>>> '{line}'\n{why}",
        node::REDIS_VERSION
    )
}

fn run(config: Config) -> Result<i32, Box<dyn std::error::Error>> {
    std::env::set_current_dir(&config.dir)
        .map_err(|error| format!("can't change to the folder '{}': {error}", config.dir))?;
    let least = match config.loglevel.as_str() {
        "debug" => Level::Debug,
        "verbose" => Level::Verbose,
        "notice" => Level::Notice,
        _ => Level::Warning,
    };
    let role = Role::new('M');
    let logfile = config.logfile.clone();
    let log = || match logfile.as_str() {
        "" => Ok(RedisLog::stdout(role.clone(), least).into_sink()),
        path => RedisLog::file(Path::new(path), role.clone(), least).map(RedisLog::into_sink),
    };
    // Some descriptors are for listeners, files and the poll itself.
    shell::raise_open_files(u64::from(config.clients.most) + 128)?;
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
    let control = config.cluster_enabled.then(|| control::setup(&config, u64::from_le_bytes(seed)));
    // Without it, growing is as fast as the system gives memory out.
    shell::allocator::keep_memory_ready();
    if let Some(setup) = &control {
        control::await_port(setup, &mut log()?)?;
    }
    let keepalive = config.clients.keepalive;
    let keepalive = (keepalive > 0).then(|| std::time::Duration::from_secs(keepalive));
    let node = Node::new(Setup { config, secret, run_id, control: control::CONTROL, stages });
    let options = Options {
        log: log()?,
        post: post.clone(),
        address: control::NODE,
        memory: Some(shell::allocator::report),
        signals: true,
        keepalive,
        ..Options::default()
    };
    let mut driver = Driver::new(node, options)?;
    if let Some(setup) = control {
        control::start(setup, post, log()?)?;
    }
    Ok(driver.run()?)
}
