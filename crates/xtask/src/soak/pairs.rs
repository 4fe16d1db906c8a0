//! `cargo xtask soak --pairs`: every chain of three that our server, Redis 7.0 and Valkey 9.1 can
//! form, under load, through all that may happen to it.
//!
//! A cell of the table shows the full and the partial syncs that the first server of the chain
//! gave, then those that the second gave. Data is compared after every step.

use super::Options;
use super::chain::{expectations, names, play};
use super::member::{Kind, Programs};
use anyhow::{Result, bail};

/// Plays all chains that the options want, and prints a row for each.
pub(super) fn run(options: &Options) -> Result<()> {
    let programs = Programs::find(&options.ours, options.by_file)?;
    let mut table = Table::new();
    let (mut faults, mut skipped) = (Vec::new(), Vec::new());
    println!("full+partial syncs given by the first, and by the second");
    table.print("first>second>third", &names());
    table.print("expected", &expectations());
    for kinds in chains() {
        let name = kinds.map(Kind::name).join(">");
        if !name.contains(&options.only) {
            continue;
        }
        let reason = kinds.windows(2).find_map(|pair| pair[0].cannot_feed(pair[1]));
        if let Some(reason) = reason {
            skipped.push(format!("{name}: skipped, {reason}"));
            continue;
        }
        let (cells, wrong) = play(&programs, kinds);
        table.print(&name, &cells);
        table.rows += 1;
        faults.extend(wrong.into_iter().map(|fault| format!("{name}: {fault}")));
    }
    skipped.iter().chain(&faults).for_each(|line| println!("{line}"));
    if table.rows == 0 {
        bail!("there is no such chain");
    }
    if !faults.is_empty() {
        bail!("{} differences", faults.len());
    }
    println!("{} chains, all as expected", table.rows);
    Ok(())
}

fn chains() -> impl Iterator<Item = [Kind; 3]> {
    let all = Kind::ALL;
    all.into_iter().flat_map(move |top| {
        all.into_iter().flat_map(move |middle| all.map(|leaf| [top, middle, leaf]))
    })
}

/// Prints rows whose cells stand below one another.
struct Table {
    widths: Vec<usize>,
    rows: usize,
}

impl Table {
    fn new() -> Self {
        // A cell with a fault has two characters more.
        let width = |(name, cell): (&String, &String)| name.len().max(cell.len() + 2);
        Self { widths: names().iter().zip(&expectations()).map(width).collect(), rows: 0 }
    }

    fn print(&self, name: &str, cells: &[String]) {
        let mut line = format!("{name:<26}");
        for (cell, width) in cells.iter().zip(&self.widths) {
            line += &format!("  {cell:<width$}");
        }
        println!("{}", line.trim_end());
    }
}
