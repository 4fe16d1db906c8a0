//! Servers on hosts of their own, and clients at each of them.

use machine::{Address, Span};
use node::config::{Config, Process, Repl};
use node::{Node, Setup, Stages};
use sim::desk::{Clerk, Desk};
use sim::{HostId, World};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use wire::value::Value;

pub(crate) struct Deployment {
    pub(crate) world: World,
    pub(crate) hosts: Vec<HostId>,
    pub(crate) machines: Vec<Address>,
    clients: HostId,
    desks: Vec<Rc<RefCell<Desk>>>,
    chatters: Vec<Rc<RefCell<Desk>>>,
    /// The highest offset seen of a server within a history.
    offsets: BTreeMap<(usize, String), u64>,
}

pub(crate) fn ip(number: usize) -> IpAddr {
    Ipv4Addr::new(10, 0, 0, number as u8 + 1).into()
}

fn config(number: usize) -> Config {
    Config {
        bind: ip(number).to_string(),
        save: String::new(),
        repl_backlog_size: 16 << 10,
        repl_timeout: 5,
        repl_ping_period: 1,
        repl: Repl { diskless_delay: 0, ..Repl::default() },
        // Clients are on other hosts, and nobody has a password.
        process: Process { protected_mode: false, ..Process::default() },
        ..Config::default()
    }
}

fn machine(number: usize, seed: u64, adjust: fn(&mut Config)) -> Box<Node> {
    let mut config = config(number);
    adjust(&mut config);
    Box::new(Node::new(Setup {
        config,
        secret: u128::from(seed).to_le_bytes(),
        run_id: format!("{seed:040x}"),
        control: Address(0),
        stages: Stages::ALL,
    }))
}

pub(crate) fn request(words: &[&[u8]]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

pub(crate) fn line(words: &str) -> Vec<u8> {
    request(&words.split(' ').map(str::as_bytes).collect::<Vec<_>>())
}

fn show(value: &Value) -> String {
    match value {
        Value::Integer(n) => format!(":{n}"),
        Value::Error(text) => format!("-{}", String::from_utf8_lossy(text)),
        Value::Null => String::from("(null)"),
        Value::Array(items) => items.iter().map(show).collect::<Vec<_>>().join(" "),
        other => String::from_utf8_lossy(other.as_bytes().unwrap_or_default()).into_owned(),
    }
}

impl Deployment {
    pub(crate) fn new(seed: u64, count: usize) -> Self {
        Self::with(seed, count, |_| {})
    }

    /// As many servers, all primaries, with a client each.
    pub(crate) fn with(seed: u64, count: usize, adjust: fn(&mut Config)) -> Self {
        let mut world = World::new(seed);
        let clients = world.host("clients", ip(200));
        let hosts: Vec<_> = (0..count).map(|n| world.host(&format!("s{n}"), ip(n))).collect();
        let machines = hosts.iter().enumerate();
        let machines: Vec<_> = machines
            .map(|(n, host)| world.start(*host, move |seed| machine(n, seed, adjust)))
            .collect();
        let mut deployment = Deployment {
            world,
            hosts,
            machines,
            clients,
            desks: Vec::new(),
            chatters: Vec::new(),
            offsets: BTreeMap::new(),
        };
        deployment.desks = (0..count).map(|n| deployment.client(n)).collect();
        deployment
    }

    /// Another client of a server.
    pub(crate) fn client(&mut self, server: usize) -> Rc<RefCell<Desk>> {
        let desk = Rc::new(RefCell::new(Desk::default()));
        let (target, copy) = (SocketAddr::new(ip(server), 6379), Rc::clone(&desk));
        self.world.start(self.clients, move |_| Box::new(Clerk::new(target, Rc::clone(&copy))));
        desk
    }

    /// A client that makes requests of its own, one each two milliseconds.
    pub(crate) fn chatter(&mut self, server: usize, make: impl FnMut() -> Vec<u8> + 'static) {
        let desk = self.client(server);
        desk.borrow_mut().chatter = Some(Box::new(make));
        self.chatters.push(desk);
    }

    /// Ends the requests of chatterers.
    pub(crate) fn hush(&mut self) {
        for desk in self.chatters.drain(..) {
            desk.borrow_mut().chatter = Some(Box::new(Vec::new));
        }
    }

    /// Ends a server's process and starts it again. Whoever is a replica then may be where its file
    /// was taken.
    pub(crate) fn restart(&mut self, server: usize) {
        self.world.kill(self.machines[server]);
        self.world.run_for(Span::millis(100));
        self.world.restart(self.machines[server]);
        self.offsets.retain(|(of, _), _| *of != server);
        // The client does not know yet that its connection is gone.
        self.try_ask(server, line("PING"));
        self.wait(server, "loading", "0");
    }

    /// As [`Deployment::restart`], and what the disk had not taken yet is lost.
    pub(crate) fn crash(&mut self, server: usize) {
        let host = self.hosts[server];
        self.world.crash(host);
        self.world.power_on(host);
        self.restart(server);
    }

    /// A number of INFO.
    pub(crate) fn count(&mut self, server: usize, field: &str) -> u64 {
        self.info(server, field).parse().expect("a number")
    }

    /// Asks a server; `None` if the connection ends, or nothing comes within ten seconds.
    pub(crate) fn try_ask(&mut self, server: usize, bytes: Vec<u8>) -> Option<Value> {
        let desk = Rc::clone(&self.desks[server]);
        if !self.world.run_until(Span::secs(10), |_| desk.borrow().connected) {
            return None;
        }
        let connection = desk.borrow().connections;
        desk.borrow_mut().replies.clear();
        desk.borrow_mut().outgoing.push_back(bytes);
        self.world.run_until(Span::secs(10), |_| {
            let desk = desk.borrow();
            !desk.replies.is_empty() || !desk.connected || desk.connections != connection
        });
        let reply = desk.borrow_mut().replies.pop_front();
        if reply.is_none() {
            desk.borrow_mut().outgoing.clear();
            // Its answer must not be taken for that of the next request.
            desk.borrow_mut().leave = true;
            self.world.run_for(Span::millis(5));
        }
        reply
    }

    pub(crate) fn ask(&mut self, server: usize, words: &str) -> String {
        let reply = self.try_ask(server, line(words));
        show(
            &reply.unwrap_or_else(|| panic!("no answer to {words:?} at {server}: {}", self.tail())),
        )
    }

    /// The last lines of the transcript.
    pub(crate) fn tail(&self) -> String {
        let lines = self.world.transcript();
        let from = lines.len().saturating_sub(25);
        let lines = lines[from..].iter();
        lines.map(|l| format!("\n{} {} {}", l.time / 1_000_000, l.host, l.text)).collect()
    }

    /// A field of INFO.
    pub(crate) fn info(&mut self, server: usize, field: &str) -> String {
        let text = self.ask(server, "INFO everything");
        let found = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        found.unwrap_or("").to_owned()
    }

    /// Lets time pass until a field of INFO is as said.
    pub(crate) fn wait(&mut self, server: usize, field: &str, value: &str) {
        for _ in 0..1000 {
            if self.info(server, field) == value {
                return;
            }
            self.world.run_for(Span::millis(50));
        }
        let text = self.ask(server, "INFO replication");
        panic!("{field} of {server} is never {value}: {text}{}", self.tail());
    }

    /// Makes a server follow another one.
    pub(crate) fn follow(&mut self, server: usize, primary: usize) {
        let reply = self.ask(server, &format!("REPLICAOF {} 6379", ip(primary)));
        assert!(reply.starts_with("OK"), "{reply}");
    }

    /// The same, and waits until the link is up.
    pub(crate) fn attach(&mut self, server: usize, primary: usize) {
        self.follow(server, primary);
        self.wait(server, "master_link_status", "up");
    }

    /// How often a line has been logged at a server.
    pub(crate) fn logged(&self, server: usize, text: &str) -> usize {
        let host = format!("s{server}");
        let lines = self.world.transcript().iter();
        lines.filter(|entry| entry.host == host && entry.text.contains(text)).count()
    }

    /// Looks at history and offset of a server: it never goes back.
    pub(crate) fn observe(&mut self, server: usize) {
        let Some(reply) = self.try_ask(server, line("INFO replication")) else { return };
        let text = show(&reply);
        let field = |name: &str| {
            let found = text.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(':'));
            found.map(str::to_owned)
        };
        let (Some(id), Some(offset)) = (field("master_replid"), field("master_repl_offset")) else {
            return;
        };
        let offset: u64 = offset.parse().expect("a number");
        let seen = self.offsets.entry((server, id.clone())).or_default();
        assert!(offset >= *seen, "{server} went back from {seen} to {offset} in {id}");
        *seen = offset;
    }

    /// All of a server's databases as text.
    pub(crate) fn content(&mut self, server: usize) -> BTreeMap<String, String> {
        let mut content = BTreeMap::new();
        for db in 0..4 {
            self.ask(server, &format!("SELECT {db}"));
            let keys = self.ask(server, "KEYS *");
            content.insert(format!("{db} size"), self.ask(server, "DBSIZE"));
            for key in keys.split_whitespace() {
                let value = self.ask(server, &format!("GET {key}"));
                let expiry = self.ask(server, &format!("PEXPIRETIME {key}"));
                content.insert(format!("{db} {key}"), format!("{value} {expiry}"));
            }
        }
        self.ask(server, "SELECT 0");
        content
    }

    /// Waits until a replica is where its primary is, and compares everything.
    pub(crate) fn assert_equal(&mut self, replica: usize, primary: usize) {
        self.wait(replica, "master_link_status", "up");
        // What lives for seconds only would expire while it is compared.
        self.world.run_for(Span::secs(4));
        let id = self.info(primary, "master_replid");
        self.wait(replica, "master_replid", &id);
        for _ in 0..500 {
            let offset = self.info(primary, "master_repl_offset");
            if self.info(replica, "master_repl_offset") == offset {
                break;
            }
            self.world.run_for(Span::millis(20));
        }
        let (ours, theirs) = (self.content(replica), self.content(primary));
        let pairs = theirs.iter().filter(|(key, value)| ours.get(*key) != Some(value));
        let differing: Vec<_> = pairs.take(5).collect();
        let surplus: Vec<_> =
            ours.keys().filter(|key| !theirs.contains_key(*key)).take(5).collect();
        assert!(
            differing.is_empty() && surplus.is_empty(),
            "{differing:?} {surplus:?} of {replica}"
        );
        assert_eq!(self.logged(replica, "CRITICAL"), 0);
    }
}
