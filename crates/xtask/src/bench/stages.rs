//! `--stages`: what each stage of our server costs, as full minus without.
//!
//! One server runs in full and one without each stage that `holdfast server --bench-stages` names;
//! all of them take part in the same interleaved rounds.

use std::process::Command;

use anyhow::{Context, Result, bail};

use super::options::{Case, Options};
use super::{measure, peers, report, server};

/// Measures our server in full and without each of its stages.
pub(crate) fn run(options: &Options, cases: &[Case]) -> Result<()> {
    let full = peers::ours(options)?;
    let mut programs = vec![full.clone()];
    for stage in stage_names(&full.command[0])? {
        let mut program = full.clone();
        program.name = stage.clone();
        program.environment.push(("HOLDFAST_BENCH_WITHOUT".to_string(), stage));
        programs.push(program);
    }
    let mut servers = server::start_all(&programs)?;
    let figures = measure::rounds(options, cases, &mut servers)?;
    let mut rows = vec![vec!["cost in ns per command".to_string()]];
    rows[0].extend(cases.iter().map(|case| case.name()));
    for (index, figure) in figures.iter().enumerate() {
        let mut row = vec![if index == 0 { "in full".to_string() } else { figure.server.clone() }];
        for case in 0..cases.len() {
            let full = figures[0].median(case).cpu;
            let cost = if index == 0 { full } else { full - figure.median(case).cpu };
            row.push(format!("{:.0}", cost * 1e3));
        }
        rows.push(row);
    }
    report::table(&rows);
    Ok(())
}

fn stage_names(program: &str) -> Result<Vec<String>> {
    let output = Command::new(program)
        .args(["server", "--bench-stages"])
        .output()
        .with_context(|| format!("starting {program}"))?;
    if !output.status.success() {
        bail!("{program} server --bench-stages: {}", output.status);
    }
    let names = String::from_utf8(output.stdout)?;
    Ok(names.lines().map(str::to_string).filter(|name| !name.is_empty()).collect())
}
