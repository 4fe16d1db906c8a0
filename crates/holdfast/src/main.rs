//! The command line of Holdfast: one binary, a subcommand for each part.
//!
//! Started through a link named after one of Redis's programs, it behaves as that program.

mod server;

use std::process::ExitCode;

const USAGE: &str = "\
Holdfast: a Redis-compatible, highly available in-memory data store

Usage: holdfast <command> [arguments]

Commands:
  server    run a server: holdfast server [redis.conf] [--directive value ...]

Options:
  -h, --help       show this text
  -v, --version    show the version
";

fn main() -> ExitCode {
    let mut args = std::env::args();
    let program = args.next().unwrap_or_default();
    let args: Vec<String> = args.collect();
    let program = std::path::Path::new(&program).file_name().and_then(|name| name.to_str());
    if program == Some("redis-server") {
        return server::main(&args);
    }
    match args.split_first() {
        Some((command, rest)) if command == "server" => server::main(rest),
        Some((word, _)) if word == "-v" || word == "--version" => {
            println!("holdfast {}", node::VERSION);
            ExitCode::SUCCESS
        }
        Some((word, _)) if word == "-h" || word == "--help" || word == "help" => {
            print!("{USAGE}");
            ExitCode::SUCCESS
        }
        Some((word, _)) => {
            eprintln!("holdfast: there is no command '{word}'. Try 'holdfast --help'.");
            ExitCode::from(2)
        }
        None => {
            eprint!("{USAGE}");
            ExitCode::from(2)
        }
    }
}
