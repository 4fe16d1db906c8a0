//! The command line of Holdfast: one binary, a subcommand for each part.
//!
//! Started through a link named after one of Redis's programs, it behaves as that program.

mod bench;
mod check;
mod cli;
mod client;
mod cluster;
mod connection;
mod control;
mod example;
mod install;
mod local;
mod pipe;
mod process;
mod server;
mod settings;
mod supervisor;
mod syslog;
mod topology;
mod up;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Holdfast: a Redis-compatible, highly available in-memory data store
#[derive(Parser)]
#[command(name = "holdfast", version, disable_version_flag = true)]
struct Cli {
    #[command(subcommand)]
    command: Tool,
    /// Show the version
    #[arg(short = 'v', long, action = clap::ArgAction::Version)]
    version: Option<bool>,
}

#[derive(Subcommand)]
enum Tool {
    /// Run a server: holdfast server [redis.conf] [--directive value ...]
    #[command(disable_help_flag = true)]
    Server {
        /// The arguments of redis-server
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Talk to a server: holdfast cli [-h host] [-p port] [-c] [command ...]
    #[command(disable_help_flag = true)]
    Cli {
        /// The arguments of redis-cli
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Generate load and measure: holdfast bench [-c clients] [-n requests] [-t tests] [-q]
    #[command(disable_help_flag = true)]
    Bench {
        /// The arguments of redis-benchmark
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Run a local cluster in the foreground, and watch over it
    Up(up::Options),
    /// Raise counters through a cluster and prove that no acknowledged write is lost
    Check(check::Options),
    /// Write numbers into a cluster, for ever, and read them back
    Example(example::Options),
    /// Servers of a cluster in this folder, in the background: holdfast local start
    #[command(disable_help_flag = true)]
    Local {
        /// A verb, such as start, and its arguments
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Lay out bin/ with the names of Redis's programs, and share/ with settings
    Install(install::Options),
    /// Make, examine and change clusters: holdfast cluster help
    #[command(disable_help_flag = true)]
    Cluster {
        /// The arguments of redis-cli --cluster
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
}

fn main() -> ExitCode {
    let args: Vec<String> = match std::env::args_os().map(|arg| arg.into_string()).collect() {
        Ok(args) => args,
        Err(arg) => {
            eprintln!("holdfast: {arg:?} is not text; values of any bytes go through 'cli -x'");
            return ExitCode::FAILURE;
        }
    };
    let serves = args.get(1).is_some_and(|word| word == "server" || word == "up");
    let program = std::path::Path::new(args.first().map_or("", String::as_str))
        .file_name()
        .and_then(|name| name.to_str());
    // Started again by itself, under a title instead of arguments.
    if args.len() < 2 && process::handed_over().is_some() {
        return server::main(&[]);
    }
    if !serves && program != Some("redis-server") {
        pipe::end_quietly();
    }
    if let Some(why) = program.and_then(install::unbuilt) {
        eprintln!("{why}");
        return ExitCode::FAILURE;
    }
    // The server's arguments are redis-server's, which no ordinary parser understands.
    match (program, args.get(1).map(String::as_str)) {
        (Some("redis-server"), _) => return server::main(&args[1..]),
        (Some("redis-cli"), _) => return cli::main(&args[1..]),
        (Some("redis-benchmark"), _) => return bench::main(&args[1..]),
        (Some("create-cluster"), _) => return local::main("create-cluster", &args[1..]),
        (Some("redis-trib.rb" | "redis-trib"), _) => return cluster::main(&args[1..]),
        (_, Some("bench")) => return bench::main(&args[2..]),
        (_, Some("server")) => return server::main(&args[2..]),
        (_, Some("cli")) => return cli::main(&args[2..]),
        (_, Some("local")) => return local::main("holdfast local", &args[2..]),
        (_, Some("cluster")) => return cluster::main(&args[2..]),
        _ => {}
    }
    let result = match Cli::parse().command {
        Tool::Server { args } => return server::main(&args),
        Tool::Cli { args } => return cli::main(&args),
        Tool::Bench { args } => return bench::main(&args),
        Tool::Up(options) => up::run(&options).map(|()| true),
        Tool::Install(options) => install::run(&options).map(|()| true),
        Tool::Check(options) => check::run(&options),
        Tool::Example(options) => example::run(&options).map(|()| true),
        Tool::Local { args } => return local::main("holdfast local", &args),
        Tool::Cluster { args } => return cluster::main(&args),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("holdfast: {error}");
            ExitCode::FAILURE
        }
    }
}
