//! A real redis-server in one cluster with us, on real sockets. Left out where there is none.

use cluster::mail::{Held, ToCluster, ToNode};
use cluster::{Cluster, Config, Setup, Topology};
use machine::{Address, Event, Instant, Machine, Now, Out, Span};
use shell::{Driver, Options, Post};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant as Clock};

/// What the test and the machine share.
#[derive(Default)]
struct Shared {
    commands: Vec<Vec<&'static str>>,
    topology: Option<Arc<Topology>>,
    replies: Vec<String>,
    stop: bool,
}

/// Control and data plane in one machine: mail to oneself, told apart by type.
struct Both {
    cluster: Cluster,
    shared: Arc<Mutex<Shared>>,
    poll: Instant,
}

const SELF: Address = Address(0);

impl Both {
    fn told(&mut self, letter: ToNode, out: &mut Out) {
        let mut shared = self.shared.lock().expect("no panic");
        match letter {
            ToNode::Topology(topology) => {
                let generation = topology.generation;
                shared.topology = Some(topology);
                out.mail(SELF, Box::new(ToCluster::Applied { generation }));
            }
            ToNode::Reply { reply, .. } => {
                shared.replies.push(String::from_utf8_lossy(&reply).into_owned());
            }
            _ => {}
        }
    }

    fn look(&mut self, now: Now, out: &mut Out) {
        self.poll = now.mono + Span::millis(20);
        let mut shared = self.shared.lock().expect("no panic");
        if shared.stop {
            out.act(machine::Action::Exit { status: 0 });
        }
        for words in shared.commands.drain(..) {
            let words = words.into_iter().map(|word| word.as_bytes().to_vec()).collect();
            let held = Held { nothing: true, in_slot: 0 };
            out.mail(SELF, Box::new(ToCluster::Command { number: 1, words, held }));
        }
    }
}

impl Machine for Both {
    fn handle(&mut self, now: Now, event: Event<'_>, out: &mut Out) {
        if now.mono >= self.poll {
            self.look(now, out);
        }
        match event {
            Event::Mail { from, letter } => match letter.downcast::<ToNode>() {
                Ok(letter) => self.told(*letter, out),
                Err(letter) => self.cluster.handle(now, Event::Mail { from, letter }, out),
            },
            event => self.cluster.handle(now, event, out),
        }
    }

    fn deadline(&self) -> Option<Instant> {
        Some(self.cluster.deadline().map_or(self.poll, |at| at.min(self.poll)))
    }
}

struct Redis {
    process: Child,
    port: u16,
}

impl Redis {
    fn start(port: u16, folder: &PathBuf) -> Option<Self> {
        let port_text = port.to_string();
        let arguments = ["--port", &port_text, "--cluster-enabled", "yes", "--save", ""];
        let more = ["--cluster-node-timeout", "2000", "--bind", "127.0.0.1", "--dir", "."];
        let process = Command::new("redis-server")
            .args(arguments)
            .args(more)
            .current_dir(folder)
            .stdout(Stdio::null())
            .spawn()
            .ok()?;
        Some(Redis { process, port })
    }

    /// Sends an inline command; the reply as text.
    fn ask(&self, line: &str) -> String {
        let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)) else {
            return String::new();
        };
        let _ = stream.set_read_timeout(Some(Duration::from_millis(200)));
        let _ = stream.write_all(format!("{line}\r\n").as_bytes());
        let (mut text, mut buffer) = (String::new(), [0; 65536]);
        if let Ok(n) = stream.read(&mut buffer) {
            text.push_str(&String::from_utf8_lossy(&buffer[..n]));
        }
        text
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A port whose bus port (ten thousand above) is free too.
fn free_port(near: u16) -> u16 {
    let free = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    let start = near + (std::process::id() % 2000) as u16;
    (start..).find(|port| free(*port) && free(port + 10_000)).expect("a free port")
}

fn eventually(what: &str, redis: &Redis, shared: &Mutex<Shared>, fits: impl Fn() -> bool) {
    let start = Clock::now();
    while !fits() {
        if start.elapsed() > Duration::from_secs(20) {
            let shared = shared.lock().expect("no panic");
            panic!("{what}: {}\n{:?}", redis.ask("CLUSTER NODES"), shared.topology);
        }
        // Holds the pace of the questions only; nothing is concluded from time alone.
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

#[test]
fn a_real_node_agrees_with_us() {
    let folder = std::env::temp_dir().join(format!("holdfast-bus-{}", std::process::id()));
    let theirs = folder.join("redis");
    std::fs::create_dir_all(&theirs).expect("a folder");
    let (port, ours) = (free_port(20_000), free_port(23_000));
    let redis = Redis::start(port, &theirs).expect("Debian's package redis-server is installed");
    let shared = Arc::new(Mutex::new(Shared::default()));
    let config =
        Config { port: ours, bus_port: ours + 10_000, node_timeout: 2000, ..Config::default() };
    let cluster = Cluster::new(Setup { config, seed: u64::from(ours), node: SELF });
    let both = Both { cluster, shared: shared.clone(), poll: Instant(0) };
    let (post, place) = (Post::new(), folder.clone());
    let log = |_: machine::Level, text: &str| eprintln!("ours: {text}");
    let thread = std::thread::spawn(move || {
        let options = Options {
            log: Box::new(log),
            post,
            address: SELF,
            folder: place,
            ..Options::default()
        };
        Driver::new(both, options).and_then(|mut driver| driver.run()).ok()
    });
    eventually("it answers", &redis, &shared, || redis.ask("PING").starts_with("+PONG"));
    eventually("we began", &redis, &shared, || shared.lock().expect("no panic").topology.is_some());
    assert_eq!(redis.ask("CLUSTER ADDSLOTSRANGE 0 8191"), "+OK\r\n");
    let words = vec!["ADDSLOTSRANGE", "8192", "16383"];
    shared.lock().expect("no panic").commands.push(words);
    assert_eq!(redis.ask(&format!("CLUSTER MEET 127.0.0.1 {ours}")), "+OK\r\n");
    eventually("both take the cluster for up", &redis, &shared, || {
        let up = redis.ask("CLUSTER INFO").contains("cluster_state:ok");
        let shared = shared.lock().expect("no panic");
        up && shared.topology.as_ref().is_some_and(|t| t.ok && t.nodes.len() == 2)
    });
    agree(&redis, &shared);
    shared.lock().expect("no panic").stop = true;
    assert_eq!(thread.join().expect("no panic"), Some(0));
    let _ = std::fs::remove_dir_all(&folder);
}

/// Each line of the real node's CLUSTER NODES is what we believe.
fn agree(redis: &Redis, shared: &Mutex<Shared>) {
    let same = || {
        let text = redis.ask("CLUSTER NODES");
        let shared = shared.lock().expect("no panic");
        let Some(topology) = &shared.topology else { return false };
        let lines: Vec<&str> = text.lines().filter(|line| line.contains('@')).collect();
        lines.len() == 2
            && lines.iter().all(|line| {
                let words: Vec<&str> = line.split(' ').collect();
                let Some(node) = topology.nodes.iter().find(|n| n.id.as_str() == words[0]) else {
                    return false;
                };
                let (first, last) = topology.ranges(node.id)[0];
                words[1] == format!("{}:{}@{}", node.at.ip, node.at.port, node.at.bus_port)
                    && words[2].trim_start_matches("myself,") == "master"
                    && words[6] == node.config_epoch.to_string()
                    && words[7] == "connected"
                    && words[8] == format!("{first}-{last}")
            })
    };
    eventually("both agree on all nodes", redis, shared, same);
}
