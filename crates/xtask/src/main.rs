//! Developers' tasks: what is run on Holdfast, never what is shipped with it.
//!
//! `cargo xtask --help` lists them; each lives in its own module.
#![forbid(unsafe_code)]

mod bench;
mod tree;

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
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().task {
        Task::Bench(options) => bench::run(&options),
    }
}
