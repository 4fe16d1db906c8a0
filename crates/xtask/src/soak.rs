//! `cargo xtask soak`: long runs that watch one figure.
//!
//! `full-sync`: a replica is attached to a million keys under paced writes; the longest turn of the
//! primary and of the replica must stay under two milliseconds, and both must be equal in the end.
//!
//! `clients`: ten thousand clients connect, are told of, and leave; none of it may keep anybody
//! waiting for more than five milliseconds.
//!
//! `--pairs`: chains of our server, Redis and Valkey, in [`pairs`].
//!
//! `--mixed` and `--failover`: clusters under `holdfast check`, in [`mixed`].
//!
//! `--hours`: the simulator, with seeds that nobody has played.

mod alike;
mod chain;
mod crowd;
mod member;
mod mixed;
mod pairs;
mod talk;
mod writer;

use crate::bench::{Client, Program, Server, on_server_core};
use anyhow::{Context, Result, bail};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

/// What to run.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The case: `full-sync` or `clients`
    #[arg(long, default_value = "full-sync")]
    case: String,
    /// A built `holdfast`
    #[arg(long, value_name = "PATH", default_value = "target/release/holdfast")]
    ours: PathBuf,
    /// Which end has a core to itself, and must stay under the target
    #[arg(long, value_enum, default_value = "primary")]
    measured: Measured,
    /// How many times
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// How many keys there are
    #[arg(long, default_value_t = 1_000_000)]
    keys: u64,
    /// How many of them are written a second
    #[arg(long, default_value_t = 20_000)]
    rate: u64,
    /// How many clients there are
    #[arg(long, default_value_t = 10_000)]
    clients: usize,
    /// Chains of our server, Redis and Valkey, instead of a case
    #[arg(long)]
    pairs: bool,
    /// Clusters of our nodes and those of Redis or Valkey, instead of a case
    #[arg(long, conflicts_with = "pairs")]
    mixed: bool,
    /// Clusters of our nodes alone that lose primaries, as many `--rounds` as asked for
    #[arg(long, conflicts_with_all = ["pairs", "mixed"])]
    failover: bool,
    /// The simulator with new seeds for so many hours
    #[arg(long, conflicts_with_all = ["pairs", "mixed", "failover"])]
    hours: Option<f64>,
    /// With `--pairs`, `--mixed` or `--failover`: only what has this in its name
    #[arg(long, value_name = "PART", default_value = "")]
    only: String,
    /// With `--pairs`: snapshots are sent from a file
    #[arg(long)]
    by_file: bool,
}

/// Whose turns are measured: that end has a core to itself.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Measured {
    Primary,
    Replica,
}

/// No turn may take longer, in microseconds.
const LONGEST: u64 = 2000;
/// Nothing may take longer than this.
const PATIENCE: Duration = Duration::from_secs(120);

/// Runs the case that the options name.
pub(crate) fn run(options: &Options) -> Result<()> {
    if options.pairs {
        return pairs::run(options);
    }
    if options.mixed || options.failover {
        return mixed::run(options);
    }
    if let Some(hours) = options.hours {
        return simulate(hours);
    }
    match options.case.as_str() {
        "full-sync" => (0..options.rounds).try_for_each(|_| full_sync(options)),
        "clients" => crowd::run(options),
        other => bail!("there is no case {other}"),
    }
}

/// Seeds that follow from the time, so that no two runs play the same.
fn simulate(hours: f64) -> Result<()> {
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed()?.as_secs();
    let (first, minutes) = (now * 1000, (hours * 60.0).ceil().max(1.0));
    let mut command = Command::new("cargo");
    command.args(["run", "--release", "-q", "-p", "sim", "--bin", "sim", "--"]);
    command.args(["--for", &format!("{minutes}m"), "--seed", &first.to_string()]);
    if !command.status()?.success() {
        bail!("the simulator has found something");
    }
    Ok(())
}

fn full_sync(options: &Options) -> Result<()> {
    let program = Program::like_redis("holdfast", options.ours.clone(), Some("server"));
    // Each end gets a core; the writer shares that of the end which is not being measured.
    let (primary, replica) = match options.measured {
        Measured::Primary => {
            (on_server_core(|| Server::start(&program))?, Server::start(&program)?)
        }
        Measured::Replica => {
            let replica = on_server_core(|| Server::start(&program))?;
            (Server::start(&program)?, replica)
        }
    };
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, primary.port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    for from in (0..options.keys).step_by(10_000) {
        write(&mut stream, from..options.keys.min(from + 10_000), options.keys)?;
    }
    let stop = AtomicBool::new(false);
    let figures = thread::scope(|scope| {
        let writer = scope.spawn(|| pace(&mut stream, options, &stop));
        let figures = attach(&primary, &replica);
        stop.store(true, Relaxed);
        let writes = writer.join().map_err(|_| anyhow::anyhow!("the writer failed"))??;
        figures.map(|figures| (figures, writes))
    });
    let ((took, of_primary, of_replica), writes) = figures?;
    compare(&primary, &replica, options.keys)?;
    let seconds = took.as_secs_f64();
    println!("synced in {seconds:.1} s under {writes} writes, longest turn in microseconds:");
    println!("primary {of_primary}, replica {of_replica} (target: {LONGEST})");
    // On a machine that does this to an idle loop, no turn can be shorter for sure.
    let pause = longest_pause(Duration::from_secs(5)).as_micros();
    println!("a loop that does nothing was interrupted for up to {pause} just after");
    let longest = match options.measured {
        Measured::Primary => of_primary,
        Measured::Replica => of_replica,
    };
    if longest > LONGEST {
        bail!("the longest turn of the measured end is over the target");
    }
    Ok(())
}

/// Sets keys in one pipeline and takes the replies.
fn write(stream: &mut TcpStream, keys: std::ops::Range<u64>, all: u64) -> Result<()> {
    let mut bytes = Vec::new();
    let count = keys.end - keys.start;
    for n in keys {
        let key = n.wrapping_mul(7919) % all;
        write!(bytes, "*3\r\n$3\r\nSET\r\n$11\r\nkey:{key:07}\r\n$32\r\n{n:032}\r\n")?;
    }
    stream.write_all(&bytes)?;
    let mut replies = vec![0; count as usize * 5];
    stream.read_exact(&mut replies)?;
    Ok(())
}

/// Writes at the rate asked for, in portions of a hundredth of a second; how many.
fn pace(stream: &mut TcpStream, options: &Options, stop: &AtomicBool) -> Result<u64> {
    let began = Instant::now();
    let portion = options.rate / 100;
    let mut written = 0;
    while !stop.load(Relaxed) {
        write(stream, written..written + portion, options.keys)?;
        written += portion;
        let due = began + Duration::from_nanos(written * 1_000_000_000 / options.rate);
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    Ok(written)
}

/// Attaches the replica; how long it took, and the longest turns meanwhile.
fn attach(primary: &Server, replica: &Server) -> Result<(Duration, u64, u64)> {
    let (mut a, mut b) = (Client::connect(primary.port)?, Client::connect(replica.port)?);
    // The writer has found its pace.
    thread::sleep(Duration::from_secs(1));
    a.ask("CONFIG RESETSTAT")?;
    b.ask("CONFIG RESETSTAT")?;
    let began = Instant::now();
    b.ask(&format!("REPLICAOF 127.0.0.1 {}", primary.port))?;
    while b.info("replication", "master_link_status")?.as_deref() != Some("up") {
        if began.elapsed() > PATIENCE {
            bail!("the replica does not come up");
        }
        thread::sleep(Duration::from_millis(20));
    }
    let took = began.elapsed();
    // The facts about the process come ten times a second.
    thread::sleep(Duration::from_secs(1));
    Ok((took, longest(&mut a)?, longest(&mut b)?))
}

/// The longest time for which the system or its host held up a thread that only looks at the clock.
fn longest_pause(time: Duration) -> Duration {
    on_server_core(|| {
        let began = Instant::now();
        let (mut last, mut longest) = (began, Duration::ZERO);
        while last < began + time {
            let now = Instant::now();
            longest = longest.max(now - last);
            last = now;
        }
        Ok(longest)
    })
    .unwrap_or_default()
}

fn longest(client: &mut Client) -> Result<u64> {
    let text = client.info("stats", "max_turn_us")?.context("INFO has no max_turn_us")?;
    Ok(text.parse()?)
}

/// Waits until the replica is where the primary is, and compares all values.
fn compare(primary: &Server, replica: &Server, keys: u64) -> Result<()> {
    let (mut a, mut b) = (Client::connect(primary.port)?, Client::connect(replica.port)?);
    let began = Instant::now();
    let field = "master_repl_offset";
    while a.info("replication", field)? != b.info("replication", field)? {
        if began.elapsed() > PATIENCE {
            bail!("the replica does not catch up");
        }
        thread::sleep(Duration::from_millis(20));
    }
    if a.ask("DBSIZE")? != b.ask("DBSIZE")? {
        bail!("the replica has another number of keys");
    }
    let connect = |server: &Server| TcpStream::connect((Ipv4Addr::LOCALHOST, server.port));
    let (mut a, mut b) = (connect(primary)?, connect(replica)?);
    for from in (0..keys).step_by(10_000) {
        let range = from..keys.min(from + 10_000);
        if values(&mut a, range.clone())? != values(&mut b, range)? {
            bail!("the replica has another value after key {from}");
        }
    }
    Ok(())
}

/// The replies to GET of these keys; every value has 32 bytes.
fn values(stream: &mut TcpStream, keys: std::ops::Range<u64>) -> Result<Vec<u8>> {
    let mut replies = vec![0; (keys.end - keys.start) as usize * 39];
    let requests: String =
        keys.map(|n| format!("*2\r\n$3\r\nGET\r\n$11\r\nkey:{n:07}\r\n")).collect();
    stream.write_all(requests.as_bytes())?;
    stream.read_exact(&mut replies)?;
    Ok(replies)
}
