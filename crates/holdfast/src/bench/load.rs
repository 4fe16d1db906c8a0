//! The generator: one thread, many connections, a pipeline at a time on each.

use super::options::{Load, Target};
use super::reply::{Reply, next};
use super::spread::{Node, Spread, open};
use super::workload::Template;
use hdrhistogram::Histogram;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// A server that says nothing for so long has failed.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a cluster may take to serve again.
const FAILOVER: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(100);
/// Latencies are kept up to a minute, in microseconds.
const LONGEST: u64 = 60_000_000;

/// What one thread is to do.
pub(crate) struct Work<'a> {
    pub(crate) target: &'a Target,
    pub(crate) load: &'a Load,
    pub(crate) template: &'a Template,
    pub(crate) clients: usize,
    pub(crate) requests: u64,
    /// What all threads have done so far.
    pub(crate) progress: &'a AtomicU64,
    pub(crate) stop: &'a AtomicBool,
}

/// What came of it.
pub(crate) struct Outcome {
    /// Microseconds.
    pub(crate) latencies: Histogram<u64>,
    /// Requests that were sent again: redirected, or lost with a connection.
    pub(crate) repeated: u64,
    /// From the first request to the last reply.
    pub(crate) took: Duration,
}

/// A latency histogram: three digits, as redis-benchmark keeps.
pub(crate) fn histogram() -> Histogram<u64> {
    Histogram::new_with_max(LONGEST, 3).expect("the bounds are in order")
}

struct Link {
    stream: TcpStream,
    /// Which of the nodes it leads to.
    node: usize,
    out: Vec<u8>,
    written: usize,
    /// Replies still to come.
    awaited: usize,
    input: Vec<u8>,
    sent_at: Instant,
}

/// How reading went on.
enum Progress {
    Waiting,
    /// The pipeline is answered.
    Done,
    /// A cluster has changed; so many answers were no results.
    Moved(usize),
}

/// Runs the work. An error is the text for the user.
pub(crate) fn run(work: &Work<'_>) -> Result<Outcome, String> {
    Generator::new(work)?.run()
}

struct Generator<'a> {
    work: &'a Work<'a>,
    spread: Spread,
    poll: Poll,
    links: Vec<Option<Link>>,
    /// Requests that nobody has sent yet.
    left: u64,
    done: u64,
    chance: u64,
    outcome: Outcome,
    last_reply: Instant,
    /// The cluster is not what it was.
    stale: bool,
}

impl<'a> Generator<'a> {
    fn new(work: &'a Work<'a>) -> Result<Self, String> {
        let mut seed = [0; 8];
        getrandom::fill(&mut seed).map_err(|error| error.to_string())?;
        Ok(Generator {
            work,
            spread: Spread::new(work.target)?,
            poll: Poll::new().map_err(|error| error.to_string())?,
            links: Vec::new(),
            left: work.requests,
            done: 0,
            chance: u64::from_le_bytes(seed) | 1,
            outcome: Outcome { latencies: histogram(), repeated: 0, took: Duration::ZERO },
            last_reply: Instant::now(),
            stale: false,
        })
    }

    fn run(mut self) -> Result<Outcome, String> {
        for index in 0..self.work.clients {
            let link = self.connect(index)?;
            self.links.push(Some(link));
        }
        let began = Instant::now();
        self.last_reply = began;
        self.begin_all()?;
        let mut events = Events::with_capacity(1024);
        while self.done < self.work.requests && !self.work.stop.load(Relaxed) {
            match self.poll.poll(&mut events, Some(Duration::from_millis(250))) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                result => result.map_err(|error| error.to_string())?,
            }
            let ready: Vec<usize> = events.iter().map(|event| event.token().0).collect();
            for index in ready {
                self.serve(index)?;
                if self.stale {
                    self.again()?;
                    break;
                }
            }
            if self.last_reply.elapsed() > PATIENCE {
                return Err(format!("Error: no reply for {} s", PATIENCE.as_secs()));
            }
        }
        self.outcome.took = began.elapsed();
        Ok(self.outcome)
    }

    fn connect(&mut self, index: usize) -> Result<Link, String> {
        let node = index % self.spread.nodes.len();
        let stream = open(self.work.target, &self.spread.nodes[node])?;
        let mut stream = TcpStream::from_std(stream);
        let interest = Interest::READABLE | Interest::WRITABLE;
        let registry = self.poll.registry();
        registry
            .register(&mut stream, Token(index), interest)
            .map_err(|error| error.to_string())?;
        let (out, input) = (Vec::new(), Vec::new());
        Ok(Link { stream, node, out, written: 0, awaited: 0, input, sent_at: Instant::now() })
    }

    /// Sends the next pipeline over a connection, if anything is left to be sent.
    fn begin(&mut self, index: usize) -> Result<(), String> {
        let count = self.left.min(self.work.load.pipeline as u64);
        self.left -= count;
        let Some(link) = &mut self.links[index] else { return Ok(()) };
        link.out.clear();
        link.written = 0;
        link.awaited = count as usize;
        let Node { tags, .. } = &self.spread.nodes[link.node];
        let chance = &mut self.chance;
        for _ in 0..count {
            let tag = (!tags.is_empty()).then(|| tags[random(chance) as usize % tags.len()]);
            let range = self.work.load.range;
            let chance = &mut *chance;
            let draw = range.map(|range| move || random(chance) % range);
            self.work.template.append(&mut link.out, tag.as_ref(), draw);
        }
        link.sent_at = Instant::now();
        self.go_on(index, |link| link.write())
    }

    fn serve(&mut self, index: usize) -> Result<(), String> {
        self.go_on(index, |link| link.write())?;
        let Some(link) = &mut self.links[index] else { return Ok(()) };
        if link.awaited == 0 {
            return Ok(());
        }
        let before = link.awaited;
        let cluster = self.work.target.cluster;
        let result = link.read(&mut self.outcome.latencies, cluster);
        let answered = before - link.awaited;
        let again = if let Ok(Progress::Moved(again)) = &result { *again } else { 0 };
        let counted = (answered - again) as u64;
        self.done += counted;
        self.work.progress.fetch_add(counted, Relaxed);
        if counted > 0 {
            self.last_reply = Instant::now();
        }
        match result {
            Ok(Progress::Waiting) => Ok(()),
            Ok(Progress::Done) if self.work.load.keep_alive || self.left == 0 => self.begin(index),
            Ok(Progress::Done) => {
                self.links[index] = None;
                match self.connect(index) {
                    Ok(link) => self.links[index] = Some(link),
                    Err(error) => return self.lost(error),
                }
                self.begin(index)
            }
            Ok(Progress::Moved(_)) => {
                self.stale = true;
                Ok(())
            }
            Err(error) => self.lost(error),
        }
    }

    fn go_on(
        &mut self,
        index: usize,
        step: impl FnOnce(&mut Link) -> Result<(), String>,
    ) -> Result<(), String> {
        match self.links[index].as_mut().map_or(Ok(()), step) {
            Ok(()) => Ok(()),
            Err(error) => self.lost(error),
        }
    }

    /// A connection is lost: without a cluster that is the end.
    fn lost(&mut self, error: String) -> Result<(), String> {
        if !self.work.target.cluster || error.starts_with("Error from server") {
            return Err(error);
        }
        self.stale = true;
        Ok(())
    }

    fn begin_all(&mut self) -> Result<(), String> {
        (0..self.links.len()).try_for_each(|index| self.begin(index))
    }

    /// Learns the cluster anew and opens all connections again. What was on its way is sent again.
    fn again(&mut self) -> Result<(), String> {
        while self.stale {
            let late = self.last_reply.elapsed() > FAILOVER || self.work.stop.load(Relaxed);
            self.stale = false;
            self.links.iter_mut().for_each(|link| *link = None);
            let repeated = self.work.requests - self.done - self.left;
            self.outcome.repeated += repeated;
            self.left += repeated;
            // Whoever answers that the cluster is down does so at once.
            std::thread::sleep(PAUSE);
            match self.reconnect() {
                Ok(()) => self.begin_all()?,
                Err(error) if late => return Err(error),
                Err(_) => self.stale = true,
            }
        }
        Ok(())
    }

    fn reconnect(&mut self) -> Result<(), String> {
        self.spread.refresh(self.work.target)?;
        for index in 0..self.links.len() {
            let link = self.connect(index)?;
            self.links[index] = Some(link);
        }
        Ok(())
    }
}

impl Link {
    fn write(&mut self) -> Result<(), String> {
        while self.written < self.out.len() {
            match self.stream.write(&self.out[self.written..]) {
                Ok(n) => self.written += n,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(format!("Error writing to the server: {error}")),
            }
        }
        Ok(())
    }

    fn read(&mut self, latencies: &mut Histogram<u64>, cluster: bool) -> Result<Progress, String> {
        let mut buffer = [0; 64 << 10];
        let mut again = 0;
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(String::from("Error: Server closed the connection")),
                Ok(n) => self.input.extend_from_slice(&buffer[..n]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(format!("Error: {error}")),
            }
            let micros = self.sent_at.elapsed().as_micros() as u64;
            let mut at = 0;
            while let Some((reply, length)) = next(&self.input[at..])? {
                match reply {
                    Reply::Push => {}
                    _ if self.awaited == 0 => {
                        return Err(String::from("Error from server: a reply too many"));
                    }
                    Reply::Good => {
                        self.awaited -= 1;
                        latencies.saturating_record(micros);
                    }
                    Reply::Moved if cluster => {
                        self.awaited -= 1;
                        again += 1;
                    }
                    Reply::Moved | Reply::Error => {
                        let text = String::from_utf8_lossy(&self.input[at + 1..at + length]);
                        return Err(format!("Error from server: {}", text.trim_end()));
                    }
                }
                at += length;
            }
            self.input.drain(..at);
            if self.awaited == 0 && self.input.is_empty() {
                break;
            }
        }
        match (again, self.awaited) {
            (0, 0) => Ok(Progress::Done),
            (0, _) => Ok(Progress::Waiting),
            (again, _) => Ok(Progress::Moved(again)),
        }
    }
}

/// xorshift: which keys are drawn need not be secret.
fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state >> 1
}
