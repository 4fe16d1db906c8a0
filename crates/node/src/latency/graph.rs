//! LATENCY GRAPH: the latest samples as columns of letters.

use super::{Sample, Series};

/// Height of the columns, and what they may be wide together.
const ROWS: usize = 4;
const COLUMNS: usize = 80;
/// The top of a column within its row: a low one and a high one.
const TOPS: [char; 2] = ['_', '#'];
/// Empty lines between the columns and how long ago they were.
const GAP: usize = 1;

/// The samples of an event, oldest first, each with its age written downwards below it.
pub(super) fn draw(event: &str, series: &Series, now: u64) -> String {
    let skipped = series.samples.len().saturating_sub(COLUMNS);
    let samples: Vec<Sample> = series.samples.iter().skip(skipped).copied().collect();
    let high = samples.iter().map(|sample| sample.millis).max().unwrap_or(0);
    let low = samples.iter().map(|sample| sample.millis).min().unwrap_or(0);
    let mut text = format!(
        "{event} - high {high} ms, low {low} ms (all time high {} ms)\n{}\n",
        series.longest,
        "-".repeat(COLUMNS)
    );
    for row in (0..ROWS).rev() {
        let line: String = samples.iter().map(|s| cell(s.millis, low, high, row)).collect();
        text += line.trim_end_matches('\n');
        text.push('\n');
    }
    text += &"\n".repeat(GAP);
    let ages: Vec<Vec<char>> =
        samples.iter().map(|sample| age(now.saturating_sub(sample.at)).chars().collect()).collect();
    for line in 0..ages.iter().map(Vec::len).max().unwrap_or(0) {
        text.extend(ages.iter().map(|age| age.get(line).copied().unwrap_or(' ')));
        text.push('\n');
    }
    text
}

/// What a column shows in a row, counted from below.
fn cell(millis: u64, low: u64, high: u64, row: usize) -> char {
    let steps = ROWS * TOPS.len();
    let span = (high - low).max(1);
    let step = (((millis - low) as usize * steps) / span as usize).min(steps - 1);
    match step.checked_sub(row * TOPS.len()) {
        None => ' ',
        Some(above) => TOPS.get(above).copied().unwrap_or('|'),
    }
}

/// A time in one unit.
fn age(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_over_their_ages() {
        let mut series = Series::default();
        [(100, 10), (200, 45), (290, 80)].iter().for_each(|(at, ms)| series.add(*at, *ms));
        let text = draw("command", &series, 300);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "command - high 80 ms, low 10 ms (all time high 80 ms)");
        assert_eq!(lines[2..], ["  #", " _|", " ||", "_||", "", "311", "mm0", "  s"]);
    }
}
