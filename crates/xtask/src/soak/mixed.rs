//! `cargo xtask soak --mixed`: clusters of our nodes and of others, Redis 7.0 or Valkey 9.1, under
//! `holdfast check`: each takes over from the other, is handed its shard, gives it slots and takes
//! them; and a whole cluster of theirs becomes one of ours, and the other way round.
//!
//! A row shows for how long any slot was not served, and what the check counted. A row fails when
//! that took longer than it may, when acknowledged writes were lost (but for the last ones of a
//! process of theirs that died or hung), or when the nodes do not end as one whole cluster whose
//! replicas hold what their primaries hold.

mod cluster;
mod load;
mod ours;
mod replace;
mod rows;

use super::Options;
use super::member::{Kind, Programs};
use anyhow::{Result, bail};
use load::Figures;
use rows::Row;

/// Plays all rows that the options want, with Redis and with Valkey.
pub(super) fn run(options: &Options) -> Result<()> {
    let programs = Programs::find(&options.ours, options.by_file)?;
    let rows = match options.failover {
        true => (0..options.rounds).flat_map(|_| ours::rows()).collect(),
        false => [Kind::Redis, Kind::Valkey].into_iter().flat_map(rows::of).collect(),
    };
    let rows: Vec<Row> = rows;
    let wanted: Vec<Row> =
        rows.into_iter().filter(|row| row.name().contains(&options.only)).collect();
    if wanted.is_empty() {
        bail!("there is no such row");
    }
    let width = wanted.iter().map(|row| row.name().len()).max().unwrap_or(0);
    println!("{:<width$}  back within  at most  lost  no ack  errors  writes", "row");
    let mut faults = Vec::new();
    for row in &wanted {
        let played = row.play(&programs);
        match &played {
            Ok(figures) => println!("{:<width$}  {}", row.name(), cells(figures, row.within)),
            Err(_) => println!("{:<width$}  failed", row.name()),
        }
        let fault = played.and_then(|figures| row.judge(&figures)).err();
        faults.extend(fault.map(|fault| format!("{}: {fault:#}", row.name())));
    }
    faults.iter().for_each(|fault| println!("{fault}"));
    if !faults.is_empty() {
        bail!("{} of {} rows failed", faults.len(), wanted.len());
    }
    println!("{} rows, all as they must be", wanted.len());
    Ok(())
}

fn cells(figures: &Figures, within: f64) -> String {
    let Figures { gap, lost, unacknowledged, errors, writes } = figures;
    format!(
        "{gap:>9.3} s  {within:>5.1} s  {lost:>4}  {unacknowledged:>6}  {errors:>6}  {writes:>6}"
    )
}
