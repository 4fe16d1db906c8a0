//! R5: the tutorial's redis-benchmark line, typed as it stands there.
//!
//! Rounds are interleaved: each starts Redis's server and ours in turn at the port that the line
//! means, and runs the line with Redis's program and with ours. Medians count.
//!
//! On two cores Redis's generator has a core of its own to burn and is the limit: whichever server
//! it talks to, the figures differ by chance. So with it ours must be as fast up to that, and the
//! figures of the tutorial must be reached with one of the generators.

use super::Scene;
use super::stage::{Side, Stage};
use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;

pub(crate) const SCENE: Scene = Scene {
    name: "R5",
    what: "redis-benchmark -c 50 -n 100000 -d 256",
    better: &[],
    compares: true,
    run,
};

const LINE: &[&str] = &["-c", "50", "-n", "100000", "-d", "256", "-t", "set,get", "-q"];
/// The port that a line without one means.
const PORT: u16 = 6379;
/// What the tutorial shows.
const SHOWN: &[(&str, f64)] = &[("GET", 110_000.0), ("SET", 81_000.0)];

/// What two servers that are as fast may differ by, where the generator is the limit.
const CHANCE: f64 = 0.9;

/// Figures by generator, server and test.
type Figures = BTreeMap<(&'static str, &'static str, &'static str), Vec<f64>>;

fn run(stage: &mut Stage) -> Result<()> {
    let mut figures = Figures::new();
    for round in 0..stage.rounds.max(1) {
        // Who comes first changes: nobody always has the warmer machine.
        let mut servers = [Side::Real, Side::Ours];
        servers.rotate_left(round % 2);
        for server in servers {
            stage.serve(server, PORT, &[])?;
            for generator in [Side::Real, Side::Ours] {
                let printed = type_line(stage, generator)?;
                for (test, _) in SHOWN {
                    let key = (generator.name(), server.name(), *test);
                    figures.entry(key).or_default().push(rate(&printed, test)?);
                }
            }
            stage.end(PORT)?;
        }
    }
    judge(&figures)
}

/// Runs the line; what it leaves on the screen.
fn type_line(stage: &Stage, generator: Side) -> Result<String> {
    let mut command = stage.program(generator, "redis-benchmark");
    let output = command.args(LINE).output()?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "{command:?} failed: {printed}");
    let lines = printed.matches(" requests per second").count();
    ensure!(lines == 2, "{lines} lines, not two: {printed}");
    Ok(printed)
}

/// The figure in `GET: 123456.78 requests per second, …`.
fn rate(printed: &str, test: &str) -> Result<f64> {
    let start = format!("{test}: ");
    let mut lines = printed.split(['\r', '\n']).filter_map(|line| line.strip_prefix(&start));
    let figure = lines.find_map(|line| line.split_once(" requests per second")?.0.parse().ok());
    figure.with_context(|| format!("no figure for {test} in {printed:?}"))
}

fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

fn judge(figures: &Figures) -> Result<()> {
    println!("{:<12} {:<5} {:>12} {:>12}  (medians)", "generator", "test", "holdfast", "redis");
    let mut short = Vec::new();
    for (test, shown) in SHOWN {
        let mut best = 0.0_f64;
        for (generator, least) in [(Side::Real.name(), CHANCE), (Side::Ours.name(), 1.0)] {
            let of = |server: Side| {
                let found = figures.get(&(generator, server.name(), *test));
                found.map(|figures| median(figures)).context("a server was not measured")
            };
            let (ours, theirs) = (of(Side::Ours)?, of(Side::Real)?);
            println!("{generator:<12} {test:<5} {ours:>12.0} {theirs:>12.0}");
            best = best.max(ours);
            if ours < theirs * least {
                short.push(format!("{test} by {generator}'s: {ours:.0} is below {theirs:.0}"));
            }
        }
        if best < *shown {
            short.push(format!("{test}: {best:.0} is below {shown:.0}"));
        }
    }
    ensure!(short.is_empty(), "{}", short.join("; "));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_found_between_the_progress_lines() {
        let printed =
            "SET: rps=0.0 (overall: nan)\r   \rSET: 81.50 requests per second, p50=1 msec\n";
        assert_eq!(rate(printed, "SET").unwrap(), 81.5);
        assert!(rate(printed, "GET").is_err());
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
    }

    #[test]
    fn a_server_that_is_slower_fails() {
        let with = |ours: f64, theirs: f64, by_redis: f64| {
            let mut figures = Figures::new();
            for test in ["GET", "SET"] {
                figures.insert(("holdfast", "holdfast", test), vec![ours]);
                figures.insert(("holdfast", "redis", test), vec![theirs]);
                figures.insert(("redis", "holdfast", test), vec![by_redis]);
                figures.insert(("redis", "redis", test), vec![80_000.0]);
            }
            judge(&figures)
        };
        assert!(with(120_000.0, 119_000.0, 80_000.0).is_ok());
        assert!(with(120_000.0, 119_000.0, 75_000.0).is_ok());
        assert!(with(120_000.0, 119_000.0, 70_000.0).is_err());
        assert!(with(120_000.0, 121_000.0, 80_000.0).is_err());
        assert!(with(100_000.0, 90_000.0, 80_000.0).is_err());
    }
}
