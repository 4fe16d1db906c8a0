//! `cargo xtask scenes [R…]`: what readers of the classic tutorials type, and what they must see.
//!
//! Each scene is one file: it starts what it needs, types, and states facts. With `REAL=1` the same
//! script runs against Debian's programs as well, and every fact that differs is printed; only the
//! differences that a scene declares to be on purpose are forgiven. Ports are the tutorials' own.

mod ask;
mod broken;
mod checker;
mod create;
mod cuts;
mod example;
mod fields;
mod folders;
mod follow;
mod handover;
mod hosts;
mod lan;
mod losses;
mod members;
mod moves;
mod orphans;
mod place;
mod play;
mod prove;
mod pty;
mod segfault;
mod stage;
mod throughput;
mod typed;
mod view;

use anyhow::{Context, Result, bail};
use stage::{Side, Stage};
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use crate::tree;

/// What to run.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Scenes by number, such as R15; all without one
    scenes: Vec<String>,
    /// A built `holdfast`; without it the release build is made and taken
    #[arg(long, value_name = "PATH")]
    ours: Option<PathBuf>,
    /// Rounds of scenes that measure
    #[arg(long, default_value_t = 5)]
    rounds: usize,
}

/// One scene.
pub(crate) struct Scene {
    name: &'static str,
    what: &'static str,
    /// Facts that may differ from Redis's: ours are better on purpose.
    better: &'static [&'static str],
    /// It starts Redis's server by itself and compares.
    compares: bool,
    run: fn(&mut Stage) -> Result<()>,
}

const SCENES: &[Scene] = &[
    typed::INSTALL,
    typed::DAEMON,
    typed::WRONG,
    throughput::SCENE,
    typed::FILES,
    typed::REACH,
    hosts::CREATE,
    hosts::FAILS,
    hosts::AGAIN,
    hosts::DEMO,
    losses::SCENE,
    folders::CREATE_CLUSTER,
    folders::CLUSTER_TEST,
    create::SCENE,
    play::SCENE,
    example::SCENE,
    prove::SCENE,
    segfault::SCENE,
    fields::SCENE,
    handover::SCENE,
    moves::SCENE,
    broken::SCENE,
    ask::SCENE,
    members::ADD,
    members::REPLICA,
    members::REMOVE,
    orphans::SCENE,
    follow::WAYS,
    follow::INFO,
    cuts::CUTS,
    cuts::GATES,
    follow::TREE,
    cuts::BEATS,
    follow::BY_HAND,
];

struct Row {
    scene: &'static Scene,
    side: &'static str,
    outcome: Result<()>,
    seconds: f64,
}

/// Runs the scenes that the options name.
pub(crate) fn run(options: &Options) -> Result<()> {
    let wanted = wanted(options)?;
    let ours = match &options.ours {
        Some(path) => path.canonicalize().with_context(|| path.display().to_string())?,
        None => build()?,
    };
    let real = std::env::var_os("REAL").is_some_and(|value| value == "1");
    let mut rows = Vec::new();
    for scene in wanted {
        println!("== {} {}", scene.name, scene.what);
        let mut facts = Vec::new();
        for side in [Side::Ours, Side::Real] {
            if side == Side::Real && (!real || scene.compares) {
                continue;
            }
            let began = Instant::now();
            let mut stage = Stage::new(side, &ours, options.rounds)?;
            let mut outcome = (scene.run)(&mut stage);
            facts.push(std::mem::take(&mut stage.facts));
            let kept = tree::target_folder().join("scenes").join(scene.name).join(side.name());
            if outcome.is_err() {
                stage.keep(&kept)?;
            }
            drop(stage);
            if let ([ours, theirs], Ok(())) = (facts.as_slice(), &outcome) {
                outcome = compare(scene, ours, theirs);
            }
            if let Err(error) = &outcome {
                println!("{} on {}: {error:#}", scene.name, side.name());
                println!("{} on {}: its files are in {}", scene.name, side.name(), kept.display());
            }
            let seconds = began.elapsed().as_secs_f64();
            rows.push(Row { scene, side: side.name(), outcome, seconds });
        }
    }
    table(&rows)
}

fn wanted(options: &Options) -> Result<Vec<&'static Scene>> {
    let known: Vec<&str> = SCENES.iter().map(|scene| scene.name).collect();
    if let Some(name) = options.scenes.iter().find(|name| !known.contains(&name.as_str())) {
        bail!("there is no scene {name}; there are: {}", known.join(" "));
    }
    let chosen = |scene: &&Scene| {
        options.scenes.is_empty() || options.scenes.iter().any(|name| name == scene.name)
    };
    Ok(SCENES.iter().filter(chosen).collect())
}

fn build() -> Result<PathBuf> {
    let status = Command::new(tree::cargo())
        .args(["build", "--release", "-q", "-p", "holdfast"])
        .current_dir(tree::root())
        .status()?;
    if !status.success() {
        bail!("the release build failed");
    }
    Ok(tree::target_folder().join("release/holdfast"))
}

/// Prints where the two differ; a difference that is not on purpose is an error.
fn compare(
    scene: &Scene,
    ours: &[(&'static str, String)],
    theirs: &[(&'static str, String)],
) -> Result<()> {
    let mut unwanted = Vec::new();
    for (name, value) in ours {
        let other = theirs.iter().find(|(other, _)| other == name).map(|(_, value)| value);
        if other == Some(value) {
            continue;
        }
        let star = scene.better.contains(name);
        let mark = if star { "☆" } else { "!" };
        println!("{mark} {}, {name}: ours {value:?}, Redis's {other:?}", scene.name);
        if !star {
            unwanted.push(*name);
        }
    }
    if !unwanted.is_empty() {
        bail!("differs from Redis in: {}", unwanted.join(", "));
    }
    Ok(())
}

fn table(rows: &[Row]) -> Result<()> {
    println!("\n{:<6} {:<44} {:<9} {:<7} {:>7}", "scene", "what", "side", "result", "seconds");
    for row in rows {
        let result = if row.outcome.is_ok() { "ok" } else { "FAILED" };
        println!(
            "{:<6} {:<44} {:<9} {result:<7} {:>7.1}",
            row.scene.name, row.scene.what, row.side, row.seconds
        );
    }
    let failed = rows.iter().filter(|row| row.outcome.is_err()).count();
    if failed > 0 {
        bail!("{failed} of {} runs failed", rows.len());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_differences_on_purpose_are_forgiven() {
        let facts = |hint: &str, slots: &str| vec![("hint", hint.into()), ("slots", slots.into())];
        let scene = Scene { better: &["hint"], ..create::SCENE };
        assert!(compare(&scene, &facts("a", "1"), &facts("b", "1")).is_ok());
        assert!(compare(&scene, &facts("a", "1"), &facts("a", "2")).is_err());
    }
}
