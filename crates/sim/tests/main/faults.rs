//! What faults do, seen by two small machines: a sink that listens and logs, and a source that
//! connects, sends a numbered line every millisecond, and connects again when it fails.

use machine::{
    Action, ConnId, Event, FileId, FileOp, Instant, Level, ListenOn, Machine, Now, OpenMode, Out,
    Span, Token,
};
use sim::{HostId, World};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

fn ip(last: u8) -> IpAddr {
    Ipv4Addr::new(10, 0, 0, last).into()
}

fn sink_address() -> SocketAddr {
    SocketAddr::new(ip(1), 7000)
}

#[derive(Default)]
struct Sink;

impl Machine for Sink {
    fn handle(&mut self, _: Now, event: Event<'_>, out: &mut Out) {
        match event {
            Event::Started => {
                let on = ListenOn::Tcp(sink_address());
                out.act(Action::Listen { token: Token(1), on, backlog: 16 });
                let open =
                    FileOp::Open { file: FileId(1), path: "log".into(), mode: OpenMode::Append };
                out.file(open);
            }
            Event::Accepted { .. } => out.log(Level::Notice, format_args!("accepted")),
            Event::Received { bytes, .. } => {
                out.consumed(bytes.len());
                for line in bytes.split(|b| *b == b'\n').filter(|l| !l.is_empty()) {
                    let line = String::from_utf8_lossy(line);
                    out.log(Level::Notice, format_args!("got {line}"));
                    if line.ends_with('0') {
                        out.file(FileOp::Sync { file: FileId(1) });
                    }
                }
                out.file(FileOp::Append {
                    file: FileId(1),
                    range: 0..bytes.len(),
                    data: Arc::from(bytes),
                });
            }
            Event::Closed { why, .. } => out.log(Level::Notice, format_args!("closed {why:?}")),
            _ => {}
        }
    }

    fn deadline(&self) -> Option<Instant> {
        None
    }
}

#[derive(Default)]
struct Source {
    conn: Option<ConnId>,
    next: u32,
    at: Option<Instant>,
}

impl Source {
    fn connect(out: &mut Out) {
        out.act(Action::Connect { token: Token(2), to: sink_address(), from: None });
    }
}

impl Machine for Source {
    fn handle(&mut self, now: Now, event: Event<'_>, out: &mut Out) {
        match event {
            Event::Started => self.at = Some(now.mono + Span::millis(1)),
            Event::Connected { conn, .. } => {
                out.log(Level::Notice, format_args!("connected"));
                self.conn = Some(conn);
                self.at = Some(now.mono + Span::millis(1));
            }
            Event::ConnectFailed { why, .. } => {
                out.log(Level::Notice, format_args!("failed {why:?}"));
                self.at = Some(now.mono + Span::millis(100));
            }
            Event::Closed { why, .. } => {
                out.log(Level::Notice, format_args!("closed {why:?}"));
                self.conn = None;
                self.at = Some(now.mono + Span::millis(100));
            }
            Event::Wake => {
                self.at = None;
                let Some(conn) = self.conn else { return Self::connect(out) };
                self.next += 1;
                out.queue(conn, format!("{:06}\n", self.next).as_bytes());
                self.at = Some(now.mono + Span::millis(1));
            }
            _ => {}
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.at
    }
}

struct Pair {
    world: World,
    hosts: [HostId; 2],
    sink: machine::Address,
    source: machine::Address,
}

fn pair(seed: u64) -> Pair {
    let mut world = World::new(seed);
    let hosts = [world.host("sink", ip(1)), world.host("source", ip(2))];
    let sink = world.start(hosts[0], |_| Box::new(Sink));
    let source = world.start(hosts[1], |_| Box::new(Source::default()));
    let mut pair = Pair { world, hosts, sink, source };
    pair.wait("sink", "got 000025");
    pair
}

impl Pair {
    fn lines(&self, host: &str) -> Vec<&str> {
        let entries = self.world.transcript().iter().filter(|e| e.host == host);
        entries.map(|e| e.text.as_str()).collect()
    }

    fn count(&self, host: &str, text: &str) -> usize {
        self.lines(host).iter().filter(|l| l.contains(text)).count()
    }

    /// Lets time pass until a new line on `host` contains `text`.
    fn wait(&mut self, host: &str, text: &str) {
        let before = self.count(host, text);
        let found = self.world.run_until(Span::secs(100), |w| {
            let fits = |e: &&sim::Entry| e.host == host && e.text.contains(text);
            w.transcript().iter().filter(fits).count() > before
        });
        assert!(found, "{host} never logged {text}: {:?}", self.lines(host).last());
    }

    /// The numbers that the sink got.
    fn got(&self) -> Vec<u32> {
        let lines = self.lines("sink");
        let number = |l: &&str| l.split("got ").nth(1).and_then(|n| n.parse().ok());
        lines.iter().filter_map(number).collect()
    }
}

#[test]
fn the_same_seed_tells_the_same_story() {
    let story = |seed| {
        let mut pair = pair(seed);
        pair.world.cut(pair.hosts[0], pair.hosts[1]);
        pair.world.run_for(Span::millis(300));
        pair.world.heal_all();
        pair.world.crash(pair.hosts[0]);
        pair.world.run_for(Span::millis(10));
        pair.world.power_on(pair.hosts[0]);
        pair.world.restart(pair.sink);
        pair.world.run_for(Span::secs(1));
        pair.world.transcript().to_vec()
    };
    assert!(story(3) == story(3));
    assert!(story(3) != story(4));
}

#[test]
fn after_a_kill_what_was_sent_still_arrives_and_then_the_end() {
    for seed in 0..20 {
        let mut pair = pair(seed);
        pair.world.run_for(Span::micros(seed * 97));
        pair.world.pause(pair.sink);
        pair.world.run_for(Span::millis(20));
        pair.world.kill(pair.source);
        let before = pair.got().len() as u32;
        pair.world.resume(pair.sink);
        pair.wait("sink", "closed Remote");
        let got = pair.got();
        assert!(got.len() as u32 >= before + 19);
        assert!(got.iter().copied().eq(1..=got.len() as u32));
    }
}

#[test]
fn a_killed_listener_refuses_until_it_is_restarted() {
    let mut pair = pair(1);
    pair.world.kill(pair.sink);
    pair.wait("source", "failed Refused");
    pair.world.restart(pair.sink);
    pair.wait("source", "connected");
    pair.wait("sink", "got");
}

#[test]
fn a_cut_stalls_and_loses_nothing() {
    let mut pair = pair(2);
    pair.world.cut(pair.hosts[0], pair.hosts[1]);
    pair.world.run_for(Span::millis(5));
    let before = pair.got().len();
    pair.world.run_for(Span::secs(2));
    assert_eq!(pair.got().len(), before);
    pair.world.heal(pair.hosts[0], pair.hosts[1]);
    pair.wait("sink", "got 001900");
    let got = pair.got();
    assert!(got.iter().copied().eq(1..=got.len() as u32));
    assert_eq!(pair.count("sink", "closed"), 0);
}

#[test]
fn a_connect_across_a_cut_times_out() {
    let mut pair = pair(2);
    pair.world.reset(pair.hosts[0], pair.hosts[1]);
    pair.world.cut_one_way(pair.hosts[1], pair.hosts[0]);
    pair.wait("source", "closed Error(Reset)");
    pair.wait("source", "failed TimedOut");
    pair.world.heal_all();
    pair.wait("source", "connected");
}

#[test]
fn a_crash_tells_nobody_until_the_host_is_up_again() {
    let mut pair = pair(5);
    pair.world.crash(pair.hosts[0]);
    pair.world.run_for(Span::secs(5));
    assert_eq!(pair.count("source", "closed"), 0);
    pair.world.power_on(pair.hosts[0]);
    pair.wait("source", "closed Error(Reset)");
    pair.wait("source", "failed Refused");
    pair.world.restart(pair.sink);
    pair.wait("sink", "got");
}

#[test]
fn a_crash_loses_only_what_was_not_synced() {
    let (mut lost, mut torn) = (false, false);
    for seed in 0..60 {
        let mut pair = pair(seed);
        let whole: Vec<u8> = (1..=25).flat_map(|n| format!("{n:06}\n").into_bytes()).collect();
        pair.world.run_for(Span::millis(2));
        pair.world.crash(pair.hosts[0]);
        let left = pair.world.file(pair.hosts[0], "log").expect("the synced name").to_vec();
        // The line 000010 was asked to be synced before it was appended; what came before is safe.
        let synced = 9 * 7;
        assert_eq!(left[..synced], whole[..synced]);
        lost |= left.len() < whole.len();
        torn |= left.contains(&0);
    }
    assert!(lost && torn);
}

#[test]
fn a_kill_loses_no_written_byte() {
    let mut pair = pair(8);
    pair.world.kill(pair.source);
    pair.wait("sink", "closed");
    pair.world.run_for(Span::millis(50));
    pair.world.kill(pair.sink);
    let got = pair.got().len();
    let left = pair.world.file(pair.hosts[0], "log").expect("the file");
    assert_eq!(left.len(), got * 7);
}

#[test]
fn a_pause_holds_everything_back_and_nothing_is_lost() {
    let mut pair = pair(9);
    pair.world.pause(pair.sink);
    let before = pair.got().len();
    pair.world.run_for(Span::secs(1));
    assert_eq!(pair.got().len(), before);
    pair.world.resume(pair.sink);
    pair.wait("sink", "got 001000");
    let got = pair.got();
    assert!(got.iter().copied().eq(1..=got.len() as u32));
}
