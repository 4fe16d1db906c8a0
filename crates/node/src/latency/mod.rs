//! LATENCY: events that took longer than `latency-monitor-threshold`.

mod doctor;
mod graph;

use crate::execute::Turn;
use crate::node::Node;
use front::Session;
use std::collections::{BTreeMap, VecDeque};
use wire::command::CommandId;
use wire::reply::Reply;

/// How many samples of an event are kept.
const SAMPLES: usize = 160;

const HELP: &[&str] = &[
    "LATENCY <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "DOCTOR",
    "    Explain in words what was slow and what to do about it.",
    "GRAPH <event>",
    "    Draw the latest times of an event.",
    "HISTOGRAM [COMMAND ...]",
    "    Show how the times of commands are distributed, in microseconds.",
    "HISTORY <event>",
    "    Show the latest times of an event.",
    "LATEST",
    "    Show the last time of each event.",
    "RESET [<event> ...]",
    "    Forget the times of some events, or of all.",
    "HELP",
    "    Print this help.",
];

/// Something that was slow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Sample {
    /// When, in Unix seconds.
    at: u64,
    /// How long it took, in milliseconds.
    millis: u64,
}

/// The slow times of one kind of event.
#[derive(Default)]
struct Series {
    samples: VecDeque<Sample>,
    /// The longest ever, in milliseconds.
    longest: u64,
}

impl Series {
    /// Keeps a sample; of one second only the longest.
    fn add(&mut self, at: u64, millis: u64) {
        self.longest = self.longest.max(millis);
        match self.samples.back_mut() {
            Some(last) if last.at == at => last.millis = last.millis.max(millis),
            _ => {
                self.samples.push_back(Sample { at, millis });
                if self.samples.len() > SAMPLES {
                    self.samples.pop_front();
                }
            }
        }
    }
}

/// What was slow, by the name of the event.
#[derive(Default)]
pub(crate) struct Latency {
    series: BTreeMap<&'static str, Series>,
}

impl Latency {
    fn reset(&mut self, names: &[&[u8]]) -> usize {
        let before = self.series.len();
        self.series.retain(|event, _| {
            !(names.is_empty()
                || names.iter().any(|name| name.eq_ignore_ascii_case(event.as_bytes())))
        });
        before - self.series.len()
    }

    fn find(&self, name: &[u8]) -> Option<(&'static str, &Series)> {
        let mut series = self.series.iter();
        let found = series.find(|(event, _)| name.eq_ignore_ascii_case(event.as_bytes()))?;
        Some((found.0, found.1))
    }
}

impl Node {
    /// Keeps the time of an event, in ticks, if it is to be kept.
    #[inline]
    pub(crate) fn watch_latency(&mut self, event: &'static str, ticks: u64, seconds: u64) {
        if self.config.slow.watch_from == 0 {
            return;
        }
        let millis = (self.statistics.micros(ticks) / 1000.0) as u64;
        if millis >= self.config.slow.watch_from {
            self.statistics.latency.series.entry(event).or_default().add(seconds, millis);
        }
    }

    /// LATENCY.
    pub(crate) fn latency_command(
        &mut self,
        id: CommandId,
        session: &Session,
        args: &[&[u8]],
        turn: &mut Turn<'_>,
    ) {
        let mut reply = Reply::new(turn.buffer, session.protocol);
        let now = turn.now.wall.secs();
        match id {
            CommandId::LatencyHistogram => self.latency_histogram(&args[2..], &mut reply),
            CommandId::LatencyHistory => self.latency_history(args[2], &mut reply),
            CommandId::LatencyLatest => self.latency_latest(&mut reply),
            CommandId::LatencyReset => {
                reply.integer(self.statistics.latency.reset(&args[2..]) as i64)
            }
            CommandId::LatencyGraph => match self.statistics.latency.find(args[2]) {
                Some((event, series)) => {
                    reply.verbatim(*b"txt", graph::draw(event, series, now).as_bytes());
                }
                None => reply.error(&format!(
                    "ERR No samples available for event '{}'",
                    String::from_utf8_lossy(args[2])
                )),
            },
            CommandId::LatencyDoctor => {
                let text =
                    doctor::advise(&self.statistics.latency, self.config.slow.watch_from, now);
                reply.verbatim(*b"txt", text.as_bytes());
            }
            _ => {
                reply.array(HELP.len());
                HELP.iter().for_each(|line| reply.simple(line));
            }
        }
    }

    fn latency_history(&self, name: &[u8], reply: &mut Reply<'_>) {
        let Some((_, series)) = self.statistics.latency.find(name) else { return reply.array(0) };
        reply.array(series.samples.len());
        for sample in &series.samples {
            reply.array(2);
            reply.integer(sample.at as i64);
            reply.integer(sample.millis as i64);
        }
    }

    fn latency_latest(&self, reply: &mut Reply<'_>) {
        reply.array(self.statistics.latency.series.len());
        for (event, series) in &self.statistics.latency.series {
            let last = series.samples.back().copied().unwrap_or(Sample { at: 0, millis: 0 });
            reply.array(4);
            reply.bulk(event.as_bytes());
            reply.integer(last.at as i64);
            reply.integer(last.millis as i64);
            reply.integer(series.longest as i64);
        }
    }

    fn latency_histogram(&self, names: &[&[u8]], reply: &mut Reply<'_>) {
        let wanted = |row: &wire::command::Command| {
            let is = |name: String| {
                names.iter().any(|wanted| wanted.eq_ignore_ascii_case(name.as_bytes()))
            };
            // A command's name stands for all its subcommands.
            let parent = row.parent.map(wire::command::get);
            names.is_empty()
                || is(row.full_name().to_string())
                || parent.is_some_and(|parent| is(parent.full_name().to_string()))
        };
        let rows: Vec<_> =
            self.statistics.used().filter(|(row, stats)| stats.calls > 0 && wanted(row)).collect();
        reply.map(rows.len());
        for (row, stats) in rows {
            reply.bulk(row.full_name().to_string().as_bytes());
            reply.map(2);
            reply.bulk(b"calls");
            reply.integer(stats.calls as i64);
            reply.bulk(b"histogram_usec");
            let histogram = self.statistics.histogram(stats);
            reply.map(histogram.len());
            for (upper, count) in histogram {
                reply.integer(upper as i64);
                reply.integer(count as i64);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_one_a_second_and_bounded() {
        let mut series = Series::default();
        series.add(1, 20);
        series.add(1, 50);
        series.add(1, 30);
        assert_eq!(series.samples, [Sample { at: 1, millis: 50 }]);
        (2..1000).for_each(|second| series.add(second, 5));
        assert_eq!((series.samples.len(), series.longest), (SAMPLES, 50));
        assert_eq!(series.samples[0].at, 1000 - SAMPLES as u64);
    }

    #[test]
    fn some_or_all_are_forgotten() {
        let mut latency = Latency::default();
        latency.series.entry("command").or_default().add(1, 1);
        latency.series.entry("expire-cycle").or_default().add(1, 1);
        assert_eq!(latency.reset(&[b"nothing"]), 0);
        assert_eq!(latency.reset(&[b"COMMAND"]), 1);
        assert!(latency.find(b"command").is_none());
        assert_eq!(latency.reset(&[]), 1);
    }
}
