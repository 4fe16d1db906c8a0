//! LATENCY DOCTOR: what was slow, in words.

use super::{Latency, Series};

/// A report for an operator.
pub(super) fn advise(latency: &Latency, threshold: u64, now: u64) -> String {
    if threshold == 0 {
        return String::from(
            "Nothing is watched: latency monitoring is off. CONFIG SET latency-monitor-threshold \
             <milliseconds> turns it on; take the longest delay that your application can bear.\n",
        );
    }
    if latency.series.is_empty() {
        return format!("Nothing took {threshold} ms or more since the watch began.\n");
    }
    let mut text = format!("What took {threshold} ms or more, by event:\n\n");
    for (number, (event, series)) in latency.series.iter().enumerate() {
        text += &format!("{}. {event}: {}\n", number + 1, describe(series, now));
    }
    text += "\nWhat may help:\n\n";
    let mut given: Vec<&str> = Vec::new();
    for advice in latency.series.keys().flat_map(|event| advice(event)) {
        if !given.contains(advice) {
            text += &format!("- {advice}\n");
            given.push(advice);
        }
    }
    text
}

fn describe(series: &Series, now: u64) -> String {
    let count = series.samples.len() as u64;
    let total: u64 = series.samples.iter().map(|sample| sample.millis).sum();
    let mean = total / count.max(1);
    let spread: u64 = series.samples.iter().map(|sample| sample.millis.abs_diff(mean)).sum();
    let first = series.samples.front().map_or(now, |sample| sample.at);
    let period = now.saturating_sub(first) / count.max(1);
    format!(
        "{count} times, on average {mean} ms (mean deviation {} ms), about every {period} s; \
         the longest {} ms.",
        spread / count.max(1),
        series.longest
    )
}

fn advice(event: &str) -> &'static [&'static str] {
    match event {
        "command" => &[
            "SLOWLOG GET names the commands. Those over many keys or large values are better \
             split; KEYS is better replaced by SCAN.",
            "A DEL of large values keeps others waiting less as UNLINK.",
        ],
        "fast-command" => &[
            "Commands that are fast by nature were slow: look whether the machine swaps, is short \
             of processors, or has a busy neighbour.",
        ],
        "expire-cycle" => &["Many keys expire at the same moment: spread their times to live."],
        "eviction-cycle" | "eviction-del" => {
            &["Memory is at its limit: raise maxmemory, or write less at a time."]
        }
        _ => &["Look at what else the machine was doing at that time."],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_follows_what_was_slow() {
        let mut latency = Latency::default();
        assert!(advise(&latency, 0, 9).contains("latency-monitor-threshold"));
        assert!(advise(&latency, 5, 9).starts_with("Nothing took 5 ms"));
        latency.series.entry("command").or_default().add(1, 10);
        latency.series.entry("command").or_default().add(5, 20);
        let text = advise(&latency, 5, 9);
        assert!(text.contains("1. command: 2 times, on average 15 ms (mean deviation 5 ms)"));
        assert!(text.contains("about every 4 s; the longest 20 ms") && text.contains("SLOWLOG"));
    }
}
