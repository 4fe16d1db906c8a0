//! `sim`: whole clusters on virtual time, under faults drawn from seeds.
//!
//! A simulated server is what a real process is: a node and a control plane, joined by mail. Each
//! seed draws a deployment and its faults; checkers look on. A seed that breaks a promise can be
//! played again, to the byte.

mod crowd;
mod deployment;
mod options;
mod plan;
mod promises;
mod raiser;
mod scenario;
mod server;
mod story;
mod swarm;

use options::Options;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match Options::parse(&arguments) {
        Ok(Some(options)) => match &options.scenario {
            Some(file) => play(file),
            None if options.crowd > 0 => crowd::run(options.crowd, options.virtual_secs),
            None => swarm::run(&options),
        },
        Ok(None) => {
            print!("{}", options::USAGE);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("sim: {error}\n\n{}", options::USAGE);
            ExitCode::FAILURE
        }
    }
}

/// Plays a scenario and prints what happened.
fn play(file: &str) -> ExitCode {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) => {
            eprintln!("sim: {file}: {error}");
            return ExitCode::FAILURE;
        }
    };
    let (transcript, outcome) = scenario::play(&text);
    print!("{transcript}");
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            println!("FAILED: {why}");
            ExitCode::FAILURE
        }
    }
}
