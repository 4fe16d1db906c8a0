//! Developers' tasks: what is run on Holdfast, never what is shipped with it.
//!
//! `cargo xtask --help` lists them; each lives in its own module.
#![forbid(unsafe_code)]

mod bench;
mod conformance;
mod docs;
mod relay;
mod scenes;
mod soak;
mod test;
mod tidy;
mod tree;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Developers' tasks of Holdfast")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Measure our server beside Valkey and Redis on this machine
    Bench(Box<bench::Options>),
    /// Run Redis's own test suite against our server
    Conformance(conformance::Options),
    /// Write the pages that are made from tables
    Docs,
    /// Replay what the classic tutorials type; REAL=1 compares with Redis
    Scenes(scenes::Options),
    /// Watch one figure over a long run
    Soak(soak::Options),
    /// Run everything a change must pass, up to the first red
    Test,
    /// Check the house rules: edges, budgets, bans, words
    Tidy(tidy::Options),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().task {
        Task::Bench(options) => bench::run(&options),
        Task::Conformance(options) => conformance::run(&options),
        Task::Docs => docs::run(),
        Task::Scenes(options) => scenes::run(&options),
        Task::Soak(options) => soak::run(&options),
        Task::Test => test::run(),
        Task::Tidy(options) => tidy::run(&options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
