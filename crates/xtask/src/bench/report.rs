//! What is printed, what is written as JSON, and whether the targets are met.
//!
//! The targets are ratios to Valkey in the same run: absolute figures belong to one machine.

use anyhow::{Result, bail};

use super::measure::Figures;
use super::options::{Case, MANY_KEYS, Options};

/// Prints one line per case and server.
pub(crate) fn print(cases: &[Case], figures: &[Figures]) {
    let head = ["case", "server", "commands/s", "CPU µs", "to valkey", "to redis"];
    let mut rows = vec![head.map(str::to_string).to_vec()];
    for (index, case) in cases.iter().enumerate() {
        for figure in figures {
            let sample = figure.median(index);
            let ratio = |peer| {
                ratio(figures, figure, peer, index).map_or("-".into(), |r| format!("{r:.2}"))
            };
            let throughput = format!("{:.0}", sample.throughput);
            let cpu = format!("{:.3}", sample.cpu);
            let (valkey, redis) = (ratio("valkey"), ratio("redis"));
            rows.push(vec![case.name(), figure.server.clone(), throughput, cpu, valkey, redis]);
        }
    }
    table(&rows);
}

/// The CPU time of this server over that of a peer.
fn ratio(all: &[Figures], figure: &Figures, peer: &str, case: usize) -> Option<f64> {
    let peer = all.iter().find(|figure| figure.server == peer)?;
    Some(figure.median(case).cpu / peer.median(case).cpu)
}

/// Prints rows in aligned columns: words to the left, numbers to the right.
pub(crate) fn table(rows: &[Vec<String>]) {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    for row in rows {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let words = rows.last().is_some_and(|row| {
                row.get(column).is_some_and(|cell| cell.starts_with(char::is_alphabetic))
            });
            let padding = " ".repeat(width - cell.chars().count());
            let (before, after) = if words { ("", &*padding) } else { (&*padding, "") };
            line += &format!("{before}{cell}{after}  ");
        }
        println!("{}", line.trim_end());
    }
}

/// The figures as a JSON array, one object per case and server.
pub(crate) fn json(options: &Options, cases: &[Case], figures: &[Figures]) -> String {
    let mut objects = Vec::new();
    for (index, case) in cases.iter().enumerate() {
        for figure in figures {
            let sample = figure.median(index);
            let ratio = |peer| {
                ratio(figures, figure, peer, index).map_or("null".into(), |r| format!("{r:.4}"))
            };
            // No name here needs escaping.
            objects.push(format!(
                "  {{\"case\": \"{}\", \"server\": \"{}\", \"keys\": {}, \"size\": {}, \
                 \"rounds\": {}, \"commands_per_s\": {:.0}, \"cpu_us\": {:.4}, \
                 \"to_valkey\": {}, \"to_redis\": {}}}",
                case.name(),
                figure.server,
                options.shape.keys,
                options.shape.size,
                options.shape.rounds,
                sample.throughput,
                sample.cpu,
                ratio("valkey"),
                ratio("redis"),
            ));
        }
    }
    format!("[\n{}\n]\n", objects.join(",\n"))
}

/// Fails if our server misses a target against Valkey.
pub(crate) fn gate(options: &Options, cases: &[Case], figures: &[Figures]) -> Result<()> {
    if options.shape.size != 256 {
        bail!("the targets are for values of 256 bytes");
    }
    let Some(ours) = figures.iter().find(|figure| figure.server == "holdfast") else {
        bail!("our own server did not take part");
    };
    let mut missed = 0;
    for (index, case) in cases.iter().enumerate() {
        let Some(ratio) = ratio(figures, ours, "valkey", index) else {
            bail!("Valkey did not take part");
        };
        let target = target(options.shape.keys, case.depth);
        if ratio > target {
            println!("missed: {} takes {ratio:.3} of Valkey's CPU, not {target}", case.name());
            missed += 1;
        }
    }
    if missed > 0 {
        bail!("{missed} of {} targets missed", cases.len());
    }
    println!("all {} targets met", cases.len());
    Ok(())
}

/// The most our server may use per command, as a share of what Valkey uses.
fn target(keys: u64, depth: usize) -> f64 {
    match (keys >= MANY_KEYS, depth) {
        (false, 1) => 0.95,
        (false, 16) => 0.58,
        (false, _) => 0.45,
        (true, 16) => 0.58,
        (true, _) => 0.52,
    }
}
