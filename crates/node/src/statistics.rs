//! What INFO and LATENCY count.

use crate::latency::Latency;
use crate::rates::Rates;
use std::collections::BTreeMap;
use wire::command::{self, CommandId};

/// Buckets of a latency histogram: one for each power of two of microseconds.
const BUCKETS: usize = 40;

/// Counts of one command.
#[derive(Clone)]
pub(crate) struct CommandStats {
    /// Calls that ran.
    pub calls: u64,
    /// Their time, in ticks.
    pub ticks: u64,
    /// Calls refused before they ran.
    pub rejected: u64,
    /// Calls that ran and answered an error.
    pub failed: u64,
    /// Calls by the binary logarithm of their ticks.
    histogram: [u64; 64],
}

/// All counts.
pub(crate) struct Statistics {
    commands: Vec<CommandStats>,
    errors: BTreeMap<String, u64>,
    ticks_per_second: u64,
    /// From how many ticks on a command is looked at for the slow log or the latency monitor.
    pub notable: u64,
    /// `total_commands_processed`.
    pub processed: u64,
    /// `total_connections_received`.
    pub connections: u64,
    /// `rejected_connections`.
    pub rejected_connections: u64,
    /// `total_error_replies`.
    pub error_replies: u64,
    /// `acl_access_denied_auth`, and others that are only counted.
    pub protocol_errors: u64,
    /// What was slow, for LATENCY.
    pub latency: Latency,
    /// Figures per second.
    pub rates: Rates,
    /// `used_memory_peak`.
    pub memory_peak: u64,
}

impl Statistics {
    /// No counts yet; a second has this many ticks.
    pub(crate) fn new(ticks_per_second: u64) -> Self {
        Statistics {
            commands: vec![CommandStats::new(); command::COUNT],
            errors: BTreeMap::new(),
            ticks_per_second,
            notable: u64::MAX,
            processed: 0,
            connections: 0,
            rejected_connections: 0,
            error_replies: 0,
            protocol_errors: 0,
            latency: Latency::default(),
            rates: Rates::default(),
            memory_peak: 0,
        }
    }

    /// Sets the stopwatch's rate, known once the driver runs.
    pub(crate) fn set_rate(&mut self, ticks_per_second: u64) {
        self.ticks_per_second = ticks_per_second.max(1);
    }

    /// Counts a command that ran.
    #[inline]
    pub(crate) fn ran(&mut self, id: CommandId, ticks: u64) {
        let stats = &mut self.commands[id as usize];
        stats.calls += 1;
        stats.ticks += ticks;
        stats.histogram[(63 - (ticks | 1).leading_zeros()) as usize] += 1;
    }

    /// Counts a command that answered an error, by the error's first word.
    #[cold]
    pub(crate) fn failed(&mut self, id: CommandId, reply: &[u8]) {
        self.commands[id as usize].failed += 1;
        self.error(reply);
    }

    /// Counts a command that was refused.
    #[cold]
    pub(crate) fn rejected(&mut self, id: Option<CommandId>, reply: &[u8]) {
        if let Some(id) = id {
            self.commands[id as usize].rejected += 1;
        }
        self.error(reply);
    }

    fn error(&mut self, reply: &[u8]) {
        /// Errors that scripts invent must not fill the memory.
        const KINDS: usize = 128;
        self.error_replies += 1;
        let text = reply.strip_prefix(b"-").unwrap_or(reply);
        let end = text.iter().position(|b| *b == b' ' || *b == b'\r').unwrap_or(text.len());
        let word = String::from_utf8_lossy(&text[..end]).into_owned();
        if self.errors.len() < KINDS || self.errors.contains_key(&word) {
            *self.errors.entry(word).or_default() += 1;
        }
    }

    /// Microseconds of that many ticks.
    pub(crate) fn micros(&self, ticks: u64) -> f64 {
        ticks as f64 * 1e6 / self.ticks_per_second as f64
    }

    /// Ticks of that many microseconds.
    pub(crate) fn ticks(&self, micros: u64) -> u64 {
        (u128::from(micros) * u128::from(self.ticks_per_second) / 1_000_000) as u64
    }

    /// The commands that were called or refused, with their counts.
    pub(crate) fn used(&self) -> impl Iterator<Item = (&'static command::Command, &CommandStats)> {
        command::all()
            .iter()
            .map(|row| (row, &self.commands[row.id as usize]))
            .filter(|(_, stats)| stats.calls + stats.rejected + stats.failed > 0)
    }

    /// Errors by their first word.
    pub(crate) fn errors(&self) -> &BTreeMap<String, u64> {
        &self.errors
    }

    /// Calls at or below each power of two of microseconds, cumulated, as LATENCY HISTOGRAM
    /// tells them; powers without a call are left out.
    pub(crate) fn histogram(&self, stats: &CommandStats) -> Vec<(u64, u64)> {
        let mut by_micros = [0; BUCKETS];
        for (log, count) in stats.histogram.iter().enumerate() {
            let upper = self.micros(1u64.checked_shl(log as u32 + 1).unwrap_or(u64::MAX));
            let upper = (upper.max(1.0) as u64).min(1 << 62);
            let power = upper.next_power_of_two().trailing_zeros() as usize;
            by_micros[power.min(BUCKETS - 1)] += count;
        }
        let mut total = 0;
        let mut out = Vec::new();
        for (power, count) in by_micros.into_iter().enumerate() {
            total += count;
            if count > 0 {
                out.push((1 << power, total));
            }
        }
        out
    }

    /// The latency that a share of the calls did not exceed, in microseconds, to within a power
    /// of two of ticks.
    pub(crate) fn percentile(&self, stats: &CommandStats, percent: f64) -> f64 {
        let wanted = (stats.calls as f64 * percent / 100.0).ceil() as u64;
        let mut seen = 0;
        for (log, count) in stats.histogram.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return self.micros(1u64.checked_shl(log as u32 + 1).unwrap_or(u64::MAX));
            }
        }
        0.0
    }

    /// Forgets all counts, as CONFIG RESETSTAT does.
    pub(crate) fn reset(&mut self) {
        *self = Statistics {
            notable: self.notable,
            latency: std::mem::take(&mut self.latency),
            memory_peak: self.memory_peak,
            ..Statistics::new(self.ticks_per_second)
        };
    }
}

impl CommandStats {
    fn new() -> Self {
        CommandStats { calls: 0, ticks: 0, rejected: 0, failed: 0, histogram: [0; 64] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_counted_by_their_first_word() {
        let mut statistics = Statistics::new(1_000_000);
        statistics.failed(CommandId::Get, b"-WRONGTYPE Operation\r\n");
        statistics.failed(CommandId::Get, b"-WRONGTYPE again\r\n");
        statistics.rejected(None, b"-ERR unknown\r\n");
        let errors: Vec<_> = statistics.errors().iter().map(|(k, v)| (k.as_str(), *v)).collect();
        assert_eq!(errors, [("ERR", 1), ("WRONGTYPE", 2)]);
    }

    #[test]
    fn histograms_cumulate_in_powers_of_two() {
        let mut statistics = Statistics::new(1_000_000);
        for micros in [1, 1, 3, 900] {
            statistics.ran(CommandId::Get, micros);
        }
        let (_, stats) = statistics.used().next().unwrap();
        assert_eq!(statistics.histogram(stats), [(2, 2), (4, 3), (1024, 4)]);
        assert_eq!(statistics.percentile(stats, 50.0), 2.0);
        assert_eq!(statistics.percentile(stats, 99.9), 1024.0);
    }
}
