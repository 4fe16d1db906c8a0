//! A large cluster at rest: what its gossip costs, and whether leases and failover stand the size.

use crate::deployment::{Deployment, Outcome, Shape};
use crate::server::Settings;
use machine::Span;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

/// `cluster-node-timeout` as Redis has it by default.
const TIMEOUT: u64 = 15_000;
/// How often it is looked whether each shard has its writer.
const LOOK: Span = Span::millis(500);
/// How long after a death the slots may be without a writer.
const BACK: Span = Span::millis(1000);
/// A packet of the bus without its gossip section, and an entry of that, in bytes.
const HEADER: f64 = 2256.0;
const ENTRY: f64 = 104.0;

/// What was seen of it.
struct Figures {
    nodes: usize,
    seconds: f64,
    /// Between hosts, of the node that sent most, and of all.
    most: u64,
    total: u64,
    back: Span,
}

/// Lets half as many primaries as `nodes`, each with a replica, rest for so many virtual seconds.
pub(crate) fn run(nodes: usize, seconds: u64) -> ExitCode {
    let settings = Settings {
        node_timeout: TIMEOUT,
        save: String::new(),
        full_coverage: true,
        backlog: 16 << 10,
    };
    let shape = Shape {
        primaries: nodes.div_ceil(2).max(1),
        replicas: 1,
        spare: 0,
        clients: 0,
        latency: Span::millis(1),
        mail: Span::micros(50),
        rest: Span::millis(50),
        settings,
    };
    let mut deployment = Deployment::new(1, shape);
    match play(&mut deployment, seconds) {
        Ok(figures) => {
            figures.print();
            ExitCode::SUCCESS
        }
        Err(why) => {
            println!("FAILED at {:.3} s: {why}", deployment.world.time() as f64 / 1e9);
            ExitCode::FAILURE
        }
    }
}

fn play(d: &mut Deployment, seconds: u64) -> Outcome<Figures> {
    d.form()?;
    d.watches(false);
    d.run(Span::secs(30))?;
    let hosts: Vec<_> = d.hosts().collect();
    let before: Vec<u64> = hosts.iter().map(|host| d.world.sent(*host)).collect();
    let (begun, end) = (d.world.time(), d.world.time() + seconds * 1_000_000_000);
    while d.world.time() < end {
        d.run(LOOK)?;
        let idle = d.shards().into_iter().filter(|slot| d.writer(*slot).is_none()).count();
        if idle > 0 {
            return Err(format!("{idle} of {} shards have no writer at rest", d.shards().len()));
        }
        progress(d.world.time() - begun, end - begun);
    }
    let sent = hosts.iter().zip(before).map(|(host, before)| d.world.sent(*host) - before);
    let sent: Vec<u64> = sent.collect();
    let slot = d.shards()[0];
    d.kill(d.writer(slot).unwrap_or_default());
    let back = d.wait("the dead primary is replaced", BACK, |d| d.writer(slot).is_some())?;
    Ok(Figures {
        nodes: hosts.len(),
        seconds: (end - begun) as f64 / 1e9,
        most: sent.iter().copied().max().unwrap_or(0),
        total: sent.iter().sum(),
        back,
    })
}

fn progress(passed: u64, whole: u64) {
    if std::io::stderr().is_terminal() {
        // Nobody reads it any more if this fails.
        let _ = write!(std::io::stderr(), "\r\x1b[K{:3} %", passed * 100 / whole.max(1));
    }
}

impl Figures {
    fn print(&self) {
        if std::io::stderr().is_terminal() {
            eprint!("\r\x1b[K");
        }
        let nodes = self.nodes as f64;
        // Each PINGs every other one each half node-timeout, and answers as many PINGs; gossip
        // tells of a tenth of the nodes, and of three at least. What one learns from others of
        // third nodes spares some of the PINGs.
        let packets = 2.0 * (nodes - 1.0) / (TIMEOUT as f64 / 2000.0);
        let packet = HEADER + ENTRY * (nodes / 10.0).floor().max(3.0);
        let formula = packets * packet;
        let measured = self.total as f64 / nodes / self.seconds;
        println!("nodes                          {:>10}", self.nodes);
        println!("virtual seconds at rest        {:>10.0}", self.seconds);
        println!("sent per node and second       {measured:>10.0} bytes");
        println!("the same, busiest node         {:>10.0} bytes", self.most as f64 / self.seconds);
        println!("Redis, at most (2(N-1)/(T/2))  {formula:>10.0} bytes");
        println!("ratio                          {:>10.2}", measured / formula);
        println!("a killed primary's slots back  {:>10} ms", self.back.as_millis());
    }
}
