//! How results are told: in redis-benchmark's forms, and as JSON.

use super::load::Outcome;
use super::options::{Load, Style};
use serde_json::{Value, json};
use std::time::Duration;

/// One test's result.
pub(crate) struct Row {
    pub(crate) title: String,
    pub(crate) requests: u64,
    pub(crate) outcome: Outcome,
}

/// How to tell them.
pub(crate) struct Report<'a> {
    pub(crate) style: Style,
    pub(crate) precision: usize,
    pub(crate) load: &'a Load,
    /// `save` and `appendonly` of the server, if it tells.
    pub(crate) server: Option<(String, String)>,
}

const CSV_HEAD: &str = "\"test\",\"rps\",\"avg_latency_ms\",\"min_latency_ms\",\
    \"p50_latency_ms\",\"p95_latency_ms\",\"p99_latency_ms\",\"max_latency_ms\"";

/// Requests a second.
pub(crate) fn rate(requests: u64, took: Duration) -> f64 {
    requests as f64 / took.as_secs_f64().max(1e-6)
}

impl Row {
    fn rate(&self) -> f64 {
        rate(self.requests, self.outcome.took)
    }

    /// Mean, least, median, 95 and 99 percent, most, in milliseconds.
    fn latencies(&self) -> [f64; 6] {
        let h = &self.outcome.latencies;
        let at = |share: f64| h.value_at_quantile(share) as f64;
        [h.mean(), h.min() as f64, at(0.5), at(0.95), at(0.99), h.max() as f64].map(|us| us / 1e3)
    }
}

impl Report<'_> {
    /// What comes before all rows.
    pub(crate) fn head(&self) {
        if self.style == Style::Csv {
            println!("{CSV_HEAD}");
        }
    }

    /// One row, as soon as it is known.
    pub(crate) fn row(&self, row: &Row) {
        let precision = self.precision;
        match self.style {
            Style::Quiet => {
                let p50 = row.latencies()[2];
                println!(
                    "{}: {:.2} requests per second, p50={p50:.precision$} msec",
                    row.title,
                    row.rate()
                );
            }
            Style::Csv => {
                let figures = row.latencies().map(|ms| format!(",\"{ms:.precision$}\"")).concat();
                println!("\"{}\",\"{:.2}\"{figures}", row.title.replace('"', "\"\""), row.rate());
            }
            Style::Json => {}
            Style::Full => self.full(row),
        }
        if row.outcome.repeated > 0 && self.style != Style::Json {
            eprintln!("{}: {} requests were sent again", row.title, row.outcome.repeated);
        }
    }

    fn full(&self, row: &Row) {
        let (load, precision) = (self.load, self.precision);
        println!("====== {} ======", row.title);
        println!(
            "  {} requests completed in {:.2} seconds",
            row.requests,
            row.outcome.took.as_secs_f64()
        );
        println!("  {} parallel clients", load.clients);
        println!("  {} bytes payload", load.size);
        println!("  keep alive: {}", u8::from(load.keep_alive));
        if let Some((save, append)) = &self.server {
            println!("  host configuration \"save\": {save}");
            println!("  host configuration \"appendonly\": {append}");
        }
        println!("  multi-thread: {}", if load.threads > 1 { "yes" } else { "no" });
        if load.threads > 1 {
            println!("  threads: {}", load.threads);
        }
        println!("\nLatency by percentile distribution:");
        let h = &row.outcome.latencies;
        let line = |share: f64, micros: u64, count: u64| {
            let ms = micros as f64 / 1e3;
            println!("{share:.3}% <= {ms:.precision$} milliseconds (cumulative count {count})");
        };
        for step in h.iter_quantiles(1) {
            let micros = step.value_iterated_to().min(h.max());
            line(step.quantile_iterated_to() * 100.0, micros, h.count_between(0, micros));
        }
        println!("\nCumulative distribution of latencies:");
        let mut micros = 100;
        loop {
            let count = h.count_between(0, micros);
            line(count as f64 * 100.0 / row.requests as f64, micros, count);
            if micros >= h.max() {
                break;
            }
            micros += if micros < 2_000 { 100 } else { 1_000 * (1 + micros / 100_000) };
        }
        println!("\nSummary:");
        println!("  throughput summary: {:.2} requests per second", row.rate());
        println!("  latency summary (msec):");
        println!(
            "    {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
            "avg", "min", "p50", "p95", "p99", "max"
        );
        let figures = row.latencies().map(|ms| format!(" {ms:>9.precision$}")).concat();
        println!("   {figures}\n");
    }

    /// What comes after all rows.
    pub(crate) fn tail(&self, rows: &[Row]) {
        if self.style == Style::Json {
            println!("{}", told(rows));
        }
    }
}

fn told(rows: &[Row]) -> Value {
    let rounded = |figure: f64, digits: i32| {
        let scale = 10f64.powi(digits);
        (figure * scale).round() / scale
    };
    let one = |row: &Row| {
        let [avg, min, p50, p95, p99, max] = row.latencies().map(|ms| rounded(ms, 3));
        json!({
            "test": row.title,
            "requests": row.requests,
            "seconds": rounded(row.outcome.took.as_secs_f64(), 6),
            "rps": rounded(row.rate(), 2),
            "repeated": row.outcome.repeated,
            "latency_ms": {
                "avg": avg, "min": min, "p50": p50, "p95": p95, "p99": p99, "max": max
            },
        })
    };
    json!({ "tests": rows.iter().map(one).collect::<Value>() })
}
