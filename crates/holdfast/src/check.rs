//! `holdfast check`: proves that a cluster loses nothing it acknowledged.
//!
//! A thousand counters are raised; what each must hold is remembered. Before a counter is raised it
//! is read: less than remembered means that acknowledged writes were lost, more that a write was
//! carried out whose reply never came.

use crate::client::Client;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use wire::slot::slot;
use wire::value::Value;

/// Counters: `key_0` to `key_999`.
const KEYS: usize = 1000;
/// How long the first node may take to answer.
const FIRST: Duration = Duration::from_secs(5);
/// Pause after an error.
const PAUSE: Duration = Duration::from_millis(5);
/// Slots are watched for unavailability in groups of this many.
const GROUP: u16 = 1024;

/// Options of the command.
#[derive(clap::Args, Debug)]
pub(crate) struct Options {
    /// Hosts and ports of nodes to begin with, in turn: HOST PORT [HOST PORT ...]
    #[arg(required = true, num_args = 2..)]
    nodes: Vec<String>,
    /// Stop after so many seconds
    #[arg(long)]
    duration: Option<u64>,
    /// Clients that write at the same time, each its own counters
    #[arg(long, default_value_t = 4)]
    clients: usize,
    /// A reply that takes longer counts as an error
    #[arg(long, default_value_t = 250, value_parser = clap::value_parser!(u64).range(1..))]
    timeout_ms: u64,
    /// Print the result as JSON at the end, and nothing else
    #[arg(long)]
    json: bool,
}

/// What all clients count together.
#[derive(Default)]
struct Counts {
    reads: AtomicU64,
    read_errors: AtomicU64,
    writes: AtomicU64,
    write_errors: AtomicU64,
    lost: AtomicU64,
    unacknowledged: AtomicU64,
    /// The longest time a group of slots did not answer, in microseconds.
    longest_us: AtomicU64,
    stop: Arc<AtomicBool>,
}

impl Counts {
    fn add(counter: &AtomicU64, n: u64) {
        counter.fetch_add(n, Ordering::Relaxed);
    }

    fn get(counter: &AtomicU64) -> u64 {
        counter.load(Ordering::Relaxed)
    }
}

/// Runs the check; whether nothing was lost.
pub(crate) fn run(options: &Options) -> Result<bool, String> {
    let seeds = addresses(&options.nodes)?;
    // Errors are counted for as long as it takes, but there must have been a cluster once.
    Client::new(seeds.clone(), FIRST).look().map_err(|error| {
        format!("none of the nodes can be asked who serves what: {error}. Is a cluster there?")
    })?;
    let counts = Arc::new(Counts::default());
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&counts.stop))
            .map_err(|error| error.to_string())?;
    }
    let clients = options.clients.clamp(1, KEYS);
    let timeout = Duration::from_millis(options.timeout_ms);
    let threads: Vec<_> = (0..clients)
        .map(|number| {
            let (counts, seeds) = (Arc::clone(&counts), seeds.clone());
            std::thread::spawn(move || {
                let client = Client::new(seeds, timeout);
                Worker::new(client, number, clients).run(&counts);
            })
        })
        .collect();
    let began = Instant::now();
    let over = |began: Instant| {
        options.duration.is_some_and(|secs| began.elapsed() >= Duration::from_secs(secs))
    };
    while !counts.stop.load(Ordering::Relaxed) && !over(began) {
        std::thread::sleep(
            Duration::from_secs(1)
                .min(Duration::from_millis(1000 - u64::from(began.elapsed().subsec_millis()))),
        );
        if !options.json {
            println!("{}", line(&counts));
        }
    }
    counts.stop.store(true, Ordering::Relaxed);
    threads.into_iter().for_each(|thread| drop(thread.join()));
    report(&counts, options.json);
    if Counts::get(&counts.writes) == 0 {
        return Err(String::from("nothing was proved: no write succeeded. Is a cluster there?"));
    }
    Ok(Counts::get(&counts.lost) == 0)
}

fn addresses(words: &[String]) -> Result<Vec<(String, u16)>, String> {
    if !words.len().is_multiple_of(2) {
        return Err(String::from("give host and port of each node: holdfast check HOST PORT"));
    }
    words
        .chunks_exact(2)
        .map(|pair| {
            let port = pair[1].parse().map_err(|_| format!("'{}' is not a port", pair[1]))?;
            Ok((pair[0].clone(), port))
        })
        .collect()
}

/// The classic line: `N R (0 err) | N W (0 err) |`, then what went wrong, if anything did.
fn line(counts: &Counts) -> String {
    let mut text = format!(
        "{} R ({} err) | {} W ({} err) |",
        Counts::get(&counts.reads),
        Counts::get(&counts.read_errors),
        Counts::get(&counts.writes),
        Counts::get(&counts.write_errors)
    );
    for (counter, word) in [(&counts.lost, "lost"), (&counts.unacknowledged, "noack")] {
        let n = Counts::get(counter);
        if n > 0 {
            text.push_str(&format!(" {n} {word} |"));
        }
    }
    text
}

fn report(counts: &Counts, as_json: bool) {
    let seconds = Counts::get(&counts.longest_us) as f64 / 1e6;
    if !as_json {
        println!("{}", line(counts));
        println!("longest unavailability: {seconds:.3} s");
        return;
    }
    let report = json!({
        "reads": Counts::get(&counts.reads),
        "read_errors": Counts::get(&counts.read_errors),
        "writes": Counts::get(&counts.writes),
        "write_errors": Counts::get(&counts.write_errors),
        "lost": Counts::get(&counts.lost),
        "unacknowledged": Counts::get(&counts.unacknowledged),
        "longest_unavailability_s": (seconds * 1e3).round() / 1e3,
    });
    println!("{report}");
}

/// One client with its share of the counters.
struct Worker {
    client: Client,
    /// Key and the value it must hold, once known.
    counters: Vec<(String, Option<i64>)>,
    /// Since when each group of slots has not answered.
    down: Vec<Option<Instant>>,
    chance: u64,
}

impl Worker {
    fn new(client: Client, number: usize, of: usize) -> Self {
        let mine = (number..KEYS).step_by(of);
        Worker {
            client,
            counters: mine.map(|i| (format!("key_{i}"), None)).collect(),
            down: vec![None; usize::from(wire::slot::SLOTS as u16 / GROUP)],
            chance: number as u64 + 1,
        }
    }

    fn run(mut self, counts: &Counts) {
        while !counts.stop.load(Ordering::Relaxed) {
            let index = self.random() % self.counters.len();
            if !self.step(index, counts) {
                std::thread::sleep(PAUSE);
            }
        }
        // What never came back was away until the end.
        for group in 0..self.down.len() {
            self.note(group, true, counts);
        }
    }

    /// Reads a counter, compares, and raises it; whether both went well.
    fn step(&mut self, index: usize, counts: &Counts) -> bool {
        let key = self.counters[index].0.clone();
        let group = usize::from(slot(key.as_bytes()) / GROUP);
        match self.client.call(key.as_bytes(), &[b"GET", key.as_bytes()]) {
            Ok(value) => {
                Counts::add(&counts.reads, 1);
                self.compare(index, &value, counts);
            }
            Err(_) => {
                Counts::add(&counts.read_errors, 1);
                self.note(group, false, counts);
                return false;
            }
        }
        match self.client.call(key.as_bytes(), &[b"INCR", key.as_bytes()]) {
            Ok(Value::Integer(n)) => {
                Counts::add(&counts.writes, 1);
                self.note(group, true, counts);
                self.raised(index, n, counts);
                true
            }
            _ => {
                Counts::add(&counts.write_errors, 1);
                self.note(group, false, counts);
                false
            }
        }
    }

    fn compare(&mut self, index: usize, value: &Value, counts: &Counts) {
        let found = match value {
            Value::Bulk(text) => wire::number::parse_i64(text).unwrap_or(0),
            _ => 0,
        };
        self.settle(index, found, counts);
    }

    /// INCR answered `n`: one more than was there just before.
    fn raised(&mut self, index: usize, n: i64, counts: &Counts) {
        self.settle(index, n - 1, counts);
        self.counters[index].1 = Some(n);
    }

    /// Books the difference between what is there and what must be, and takes it from there.
    fn settle(&mut self, index: usize, found: i64, counts: &Counts) {
        let expected = &mut self.counters[index].1;
        if let Some(expected) = *expected {
            if found < expected {
                Counts::add(&counts.lost, expected.abs_diff(found));
            } else if found > expected {
                Counts::add(&counts.unacknowledged, found.abs_diff(expected));
            }
        }
        *expected = Some(found);
    }

    /// A group of slots answered, or did not.
    fn note(&mut self, group: usize, answered: bool, counts: &Counts) {
        match (&mut self.down[group], answered) {
            (since @ Some(_), true) => {
                let micros = since.take().map_or(0, |since| since.elapsed().as_micros() as u64);
                counts.longest_us.fetch_max(micros, Ordering::Relaxed);
            }
            (down @ None, false) => *down = Some(Instant::now()),
            _ => {}
        }
    }

    /// xorshift: the order of the counters need not be secret.
    fn random(&mut self) -> usize {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        self.chance as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lost_and_unacknowledged_writes_are_told_apart() {
        let counts = Counts::default();
        let client = Client::new(Vec::new(), Duration::ZERO);
        let mut worker = Worker::new(client, 0, KEYS);
        worker.compare(0, &Value::Null, &counts);
        worker.raised(0, 1, &counts);
        worker.raised(0, 2, &counts);
        assert_eq!(line(&counts), "0 R (0 err) | 0 W (0 err) |");
        worker.compare(0, &Value::Bulk(b"5".to_vec()), &counts);
        assert_eq!(Counts::get(&counts.unacknowledged), 3);
        worker.compare(0, &Value::Bulk(b"0".to_vec()), &counts);
        assert_eq!(Counts::get(&counts.lost), 5);
        worker.raised(0, 1, &counts);
        assert_eq!(line(&counts), "0 R (0 err) | 0 W (0 err) | 5 lost | 3 noack |");
    }
}
