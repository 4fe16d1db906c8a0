//! Clients that know nothing of us go on when a primary of a cluster is killed.

use crate::cluster::Up;
use crate::server::{HOLDFAST, until};
use rustix::process::{Signal, kill_process};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// From the crash until a client works again: the cluster's own time and what clients add to it.
const BACK: Duration = Duration::from_secs(15);
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/redis_py.py");

/// A client that runs, and the lines it prints; killed at the end.
struct Client {
    child: Child,
    lines: Receiver<String>,
}

impl Client {
    fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let output = BufReader::new(child.stdout.take().expect("it is piped"));
        let (sender, lines) = channel();
        // It ends with the client's output.
        std::thread::spawn(move || {
            output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Client { child, lines }
    }

    /// The next line, if one comes in this time.
    fn line(&self, within: Duration) -> Option<String> {
        self.lines.recv_timeout(within).ok()
    }

    /// The next line that begins so.
    fn expect(&self, begin: &str) -> String {
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let line = self.line(left).unwrap_or_else(|| panic!("no line '{begin}'"));
            if line.starts_with(begin) {
                return line;
            }
        }
    }

    fn type_line(&mut self, line: &str) {
        let input = self.child.stdin.as_mut().expect("it is open");
        input.write_all(line.as_bytes()).expect("the client reads");
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn redis_py_goes_on() {
    let up = Up::start();
    let mut command = Command::new("/usr/bin/python3");
    let mut client = Client::start(command.args([SCRIPT, &up.port.to_string()]));
    client.expect("working");
    kill_process(up.pid(0), Signal::KILL).expect("it runs");
    let killed = Instant::now();
    client.type_line("killed\n");
    client.expect("back");
    assert!(killed.elapsed() < BACK, "back after {:?}", killed.elapsed());
    drop(client.child.stdin.take());
    let figures = client.expect("figures");
    let words: Vec<f64> =
        figures.split(' ').skip(1).map(|word| word.parse().expect("a number")).collect();
    // Whether it noticed anything depends on when it was in whose slots.
    assert!(words[0] >= 400.0, "{figures}");
    assert!(words[2] < BACK.as_secs_f64(), "errors for too long: {figures}");
    assert!(client.child.wait().expect("it ends").success());
}

#[test]
fn redis_cli_goes_on() {
    let up = Up::start();
    let mut command = Command::new("redis-cli");
    let mut cli = Client::start(command.args(["-c", "-p", &up.port.to_string()]));
    // In the slots of the first primary.
    cli.type_line("set hello 1\n");
    assert_eq!(cli.line(BACK).as_deref(), Some("OK"));
    kill_process(up.pid(0), Signal::KILL).expect("it runs");
    let killed = Instant::now();
    // What it cannot send it tells on its standard error; no line of output answers then.
    loop {
        cli.type_line("set hello 2\n");
        if cli.line(Duration::from_millis(200)).is_some_and(|line| line == "OK") {
            break;
        }
        assert!(killed.elapsed() < BACK, "it does not come back");
    }
    cli.type_line("set hello done\nget hello\n");
    cli.expect("done");
    cli.type_line("set foo bar\n");
    cli.expect("OK");
}

fn benchmark(program: &str, up: &Up) -> Command {
    let mut command = Command::new(program);
    if program == HOLDFAST {
        command.arg("bench");
    }
    // The last node is a replica: the load is not tied to the one that is killed.
    let port = (up.port + 5).to_string();
    command.args(["-h", "127.0.0.1", "-p", &port, "--cluster", "-c", "6", "-t", "set"]);
    command.args(["-r", "1000", "-n"]);
    command
}

/// Waits for its end, for a bounded time.
fn finish(mut child: Child) -> Output {
    let mut pipes = (child.stdout.take(), child.stderr.take());
    let readers = (
        std::thread::spawn(move || text(pipes.0.as_mut())),
        std::thread::spawn(move || text(pipes.1.as_mut())),
    );
    let mut client = Client { child, lines: channel().1 };
    let status = until("it ends", || client.child.try_wait().expect("its status"));
    let stdout = readers.0.join().expect("its output");
    Output { status, stdout, stderr: readers.1.join().expect("its errors") }
}

fn text(pipe: Option<&mut impl Read>) -> Vec<u8> {
    let mut bytes = Vec::new();
    pipe.expect("it is piped").read_to_end(&mut bytes).expect("it can be read");
    bytes
}

fn total(up: &Up) -> u64 {
    let dbsize = |index| up.say(index, &["dbsize"]).trim().parse::<u64>().unwrap_or(0);
    (0..3).map(dbsize).sum()
}

/// With Redis, a lost connection or a refused one ends redis-benchmark; it must not hang here, and
/// must work as soon as the replica has taken over.
#[test]
fn redis_benchmark_ends_and_works_again() {
    let up = Up::start();
    let mut command = benchmark("redis-benchmark", &up);
    command.arg("100000000").stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("it starts");
    up.wait("load", |up| total(up) > 100);
    let replica = up.replica_of(0);
    kill_process(up.pid(0), Signal::KILL).expect("it runs");
    let output = finish(child);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(error.contains("Server closed the connection") || error.contains("reset"), "{error}");
    up.wait("a new primary", |up| up.say(replica, &["role"]).starts_with("master"));
    up.wait("all slots", |up| up.say(5, &["cluster", "info"]).contains("cluster_state:ok"));
    up.wait("the old primary", |up| up.say(0, &["role"]).starts_with("slave"));
    let output = benchmark("redis-benchmark", &up).args(["5000", "-q"]).output().expect("it runs");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{output:?}");
    assert!(printed.contains("SET: ") && printed.contains("requests per second"), "{printed}");
}

#[test]
fn our_bench_goes_on() {
    let up = Up::start();
    let mut command = benchmark(HOLDFAST, &up);
    command.args(["300000", "--json"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("it starts");
    up.wait("load", |up| total(up) > 100);
    kill_process(up.pid(0), Signal::KILL).expect("it runs");
    let output = finish(child);
    assert!(output.status.success(), "{output:?}");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(printed.contains("\"requests\":300000,"), "{printed}");
    assert!(!printed.contains("\"repeated\":0,"), "nothing was killed: {printed}");
}
