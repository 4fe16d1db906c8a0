//! The machine: what a server consists of, and which part an event is for.

use crate::clients::Clients;
use crate::clustering::Clustering;
use crate::config::{Allowed, Config};
use crate::execute::{Spec, specs};
use crate::listening::Listeners;
use crate::memory::Memory;
use crate::migrate::Moves;
use crate::persist::{Exit, Persist};
use crate::replicate::Replication;
use crate::slowlog::Slowlog;
use crate::stages::Stages;
use crate::statistics::Statistics;
use crate::transaction::Pending;
use front::{Sessions, gate, is_local};
use machine::{
    Action, Address, ConnId, Event, FileError, FileOutput, Instant, Level, Machine, Now, Out, Peer,
    Signal, Span, Splice, Ticket, Vitals,
};
use replication::Target;
use store::access::Frequency;
use store::command::{Counters, Expired};
use store::effects::Effects;
use store::keyspace::Keyspace;

/// What a node is made from.
pub struct Setup {
    /// Its settings.
    pub config: Config,
    /// Secret of the keys' hash; from the system's randomness.
    pub secret: [u8; 16],
    /// `run_id`: forty hexadecimal digits, new for each process.
    pub run_id: String,
    /// The control plane's address, in cluster mode.
    pub control: Address,
    /// Stages to leave out, for measuring.
    pub stages: Stages,
}

/// One server.
///
/// Hand it [`Event::Started`] first; it then asks to listen. Clients' bytes come as `Received`;
/// whatever waits for the end of the turn happens at `TurnEnd`.
pub struct Node {
    pub(crate) config: Config,
    pub(crate) run_id: String,
    pub(crate) stages: Stages,
    pub(crate) sessions: Sessions,
    pub(crate) data: Store,
    pub(crate) statistics: Statistics,
    pub(crate) slowlog: Slowlog,
    pub(crate) specs: Vec<Spec>,
    /// Gates closed for every session.
    pub(crate) closed: u32,
    /// Pauses, monitors and limits.
    pub(crate) clients: Clients,
    /// Bytes of a reply, on a sliding average: how much of an entry a read will want.
    pub(crate) usual_reply: usize,
    pub(crate) vitals: Vitals,
    pub(crate) started: Instant,
    pub(crate) persist: Persist,
    pub(crate) replication: Replication,
    /// In cluster mode only.
    pub(crate) clustering: Option<Clustering>,
    /// The control plane is to hear how replication stands.
    pub(crate) tell_soon: bool,
    /// When the turn at hand began.
    pub(crate) turn_began: Instant,
    next_cron: Instant,
    pub(crate) listeners: Listeners,
}

/// The data with what belongs to changing it.
pub(crate) struct Store {
    pub(crate) keyspace: Keyspace,
    pub(crate) effects: Effects,
    pub(crate) counters: Counters,
    pub(crate) splices: Vec<Splice>,
    /// `rdb_changes_since_last_save`.
    pub(crate) changes: u64,
    /// Encoded effects of the command at hand.
    pub(crate) stream: Vec<u8>,
    /// What clients' commands do about expired keys.
    pub(crate) expired: Expired,
    /// Those of the transaction that runs.
    pub(crate) pending: Option<Pending>,
    /// How much memory it takes, and may take.
    pub(crate) memory: Memory,
}

/// Units of active expiry in one portion: a unit looks at twenty keys.
const EXPIRE_UNITS: u32 = 16;

/// A seed from the run id, which is random.
fn seed(run_id: &str) -> u64 {
    run_id.bytes().fold(0, |seed: u64, byte| seed.rotate_left(5) ^ u64::from(byte))
}

/// What strangers are told in protected mode.
const DENIED: &str = "-DENIED Redis is running in protected mode because protected mode is enabled \
    and no password is set for the default user. In this mode connections are only accepted from \
    the loopback interface. If you want to connect from external computers to Redis you may adopt \
    one of the following solutions: 1) Just disable protected mode sending the command 'CONFIG \
    SET protected-mode no' from the loopback interface by connecting to Redis from the same host \
    the server is running, however MAKE SURE Redis is not publicly accessible from internet if \
    you do so. Use CONFIG REWRITE to make this change permanent. 2) Alternatively you can just \
    disable the protected mode by editing the Redis configuration file, and setting the protected \
    mode option to 'no', and then restarting the server. 3) If you started the server manually \
    just for testing, restart it with the '--protected-mode no' option. 4) Set up an \
    authentication password for the default user. NOTE: You only need to do one of the above \
    things in order for the server to start accepting connections from the outside.\r\n";

impl Node {
    /// A node at rest.
    pub fn new(setup: Setup) -> Self {
        let clustered = setup.config.cluster.enabled;
        let databases = if clustered { 1 } else { setup.config.databases };
        let keyspace = Keyspace::new(databases, clustered, setup.secret);
        let clustering = clustered.then(|| Clustering::new(setup.control));
        let seed = seed(&setup.run_id);
        let (replication, frequency) = (Replication::new(seed), Frequency::new(!seed));
        Node {
            run_id: setup.run_id,
            stages: setup.stages,
            sessions: Sessions::default(),
            data: Store {
                keyspace,
                effects: Effects::default(),
                counters: Counters { frequency, ..Counters::default() },
                splices: Vec::new(),
                changes: 0,
                stream: Vec::new(),
                expired: Expired::Delete,
                pending: None,
                memory: Memory::default(),
            },
            statistics: Statistics::new(1),
            slowlog: Slowlog::default(),
            specs: specs(),
            closed: 0,
            clients: Clients::default(),
            usual_reply: 0,
            vitals: Vitals::default(),
            started: Instant::default(),
            persist: Persist::new(),
            replication,
            clustering,
            tell_soon: false,
            turn_began: Instant::default(),
            next_cron: Instant::default(),
            listeners: Listeners::default(),
            config: setup.config,
        }
    }

    fn start(&mut self, now: Now, out: &mut Out) {
        self.started = now.mono;
        self.set_log_level(out);
        self.statistics.set_rate(out.ticks_per_second());
        self.set_slow_ticks();
        self.start_memory(out);
        // Replies wait for the end of the turn, where the lease is looked at once more.
        out.hold_writes(self.clustering.is_some());
        self.warn_of_periods(out);
        self.start_loading(now, out);
        self.close_gates();
        if let Some((host, port)) = self.config.replicaof.clone().split_once(' ') {
            let target = Target { host: host.into(), port: port.parse().unwrap_or(0) };
            self.follow(target, now, out);
        }
        for name in self.config.without_effect() {
            out.log(
                Level::Warning,
                format_args!("The directive '{name}' is accepted, but has no effect yet"),
            );
        }
        self.adjust_oom(out);
        self.listen(out);
    }

    /// A replica whose primary is silent for longer than it waits would be lost again and again.
    fn warn_of_periods(&self, out: &mut Out) {
        let (timeout, period) = (self.config.repl_timeout, self.config.repl_ping_period);
        if timeout <= period {
            out.log(
                Level::Warning,
                format_args!(
                    "repl-timeout ({timeout}) is not larger than repl-ping-replica-period \
                     ({period}): links will be taken for dead between two signs of life"
                ),
            );
        }
    }

    /// Says who runs here, once the process is known. Redis's test suite waits for the `PID:`.
    fn introduce(&self, out: &mut Out) {
        let mode = if self.clustering.is_some() { "cluster" } else { "standalone" };
        out.log(
            Level::Notice,
            format_args!(
                "Holdfast {} (as Redis {}), {mode} mode. Port: {}. PID: {}.",
                env!("CARGO_PKG_VERSION"),
                crate::REDIS_VERSION,
                self.config.port,
                self.vitals.pid
            ),
        );
    }

    /// Says that clients are served: once, when there is a listener and nothing to be loaded.
    pub(crate) fn serves_if_loaded(&mut self, out: &mut Out) {
        let serves = self.listeners.is_standing() && self.persist.loading.is_none();
        if serves && !std::mem::replace(&mut self.listeners.announced, true) {
            out.act(Action::Ready);
        }
    }

    /// Takes over a changed `loglevel`.
    pub(crate) fn set_log_level(&self, out: &mut Out) {
        out.set_log_level(match self.config.process.loglevel.as_str() {
            "debug" => Some(Level::Debug),
            "verbose" => Some(Level::Verbose),
            "notice" => Some(Level::Notice),
            "warning" => Some(Level::Warning),
            _ => None,
        });
    }

    fn accepted(&mut self, conn: ConnId, peer: &Peer, now: Now, out: &mut Out) {
        if self.sessions.len() >= self.config.clients.most as usize {
            self.statistics.rejected_connections += 1;
            out.queue(conn, b"-ERR max number of clients reached\r\n");
            return out.close_after_flush(conn);
        }
        let process = &self.config.process;
        if process.protected_mode && self.config.requirepass.is_empty() && !is_local(peer) {
            self.statistics.rejected_connections += 1;
            out.queue(conn, DENIED.as_bytes());
            return out.close_after_flush(conn);
        }
        self.statistics.connections += 1;
        let authenticated = self.config.requirepass.is_empty();
        self.sessions.open(conn, peer.clone(), now.mono, authenticated);
    }

    pub(crate) fn signal(&mut self, signal: Signal, now: Now, out: &mut Out) {
        let process = &self.config.process;
        let (name, words) = match signal {
            Signal::Interrupt => ("SIGINT", &process.on_sigint),
            Signal::Terminate => ("SIGTERM", &process.on_sigterm),
        };
        let exit = Exit::from_words(words);
        if signal == Signal::Interrupt && self.persist.exit_after.take().is_some() {
            out.log(Level::Warning, format_args!("You insist... exiting now."));
            self.give_up_save(out);
            return out.act(Action::Exit { status: 1 });
        }
        out.log(Level::Notice, format_args!("Received {name} scheduling shutdown..."));
        if self.clients.switches.no_cron {
            // Redis looks at signals in its cron: until that goes on, SHUTDOWN ABORT can undo it.
            self.clients.switches.signal = Some(signal);
            return;
        }
        self.shut_down(exit, now, out);
    }

    fn turn_end(&mut self, units: u32, now: Now, out: &mut Out) {
        self.advance_moves(now, out);
        self.go_on(now, out);
        self.start_sync(now, out);
        self.advance_filings(now, out);
        self.advance_export(units, now, out);
        self.weigh_export(now, out);
        if units > 0 && self.persist.export.is_none() {
            self.expire(units.min(EXPIRE_UNITS), now, out);
        }
        self.keep_limit(units, now, out);
        self.advance_listing(units, now, out);
        self.check_lease(now, out);
        self.emit_stream(now, out);
        self.check_failover(now, out);
        self.check_leaving(now, out);
        if self.config.repl.good_least > 0 {
            self.count_good_replicas(now);
        }
        if self.tell_soon {
            self.tell_soon = false;
            self.tell_state(now, out);
        }
        self.close_gates();
        let discarded = self.data.keyspace.take_discarded();
        if !discarded.is_empty() {
            self.free(discarded, out);
        }
    }

    /// What is due by time.
    fn wake(&mut self, now: Now, out: &mut Out) {
        self.tick_link(now, out);
        self.tick_loading(now, out);
        self.tick_incoming(now, out);
        self.tick_pause(now);
        self.tick_moves(now, out);
        if self.next_cron <= now.mono && !self.clients.switches.no_cron {
            self.cron(now, out);
        }
    }

    fn closed(&mut self, conn: ConnId, now: Now, out: &mut Out) {
        if self.replication.is_link(conn) {
            return self.link_closed(now, out);
        }
        if self.clients.moves.owns(conn) {
            return self.target_closed(conn, now, out);
        }
        // Whoever gets the connection's number next must not get its answers.
        if let Some(mut session) = self.sessions.close(conn) {
            self.end_transaction(&mut session);
        }
        self.clients.forget(conn);
        self.persist.waiting.retain(|(waiting, _)| *waiting != conn);
        self.forget_rewrite(conn);
        self.forget_move(conn);
        self.forget_wishes(conn);
        self.forget_asked(conn);
        self.forget_slowed(conn);
        self.replica_closed(conn, out);
    }

    /// Closes the gates that the state of the node asks for.
    pub(crate) fn close_gates(&mut self) {
        let loading = self.loading_gates();
        let unsafe_now = self.is_misconfigured() || self.lacks_replicas();
        let misconf = if unsafe_now { gate::WRITE } else { 0 };
        let paused = self.clients.pause.is_on();
        let special =
            paused || self.clients.moves.holds_back() || !self.clients.monitors.is_empty();
        let special = if special { gate::ALL } else { 0 };
        let open = self.config.process.debug_command == Allowed::Yes;
        let protected = if open { 0 } else { gate::PROTECTED };
        self.closed =
            protected | loading | misconf | self.role_gates() | self.memory_gate() | special;
        self.data.expired =
            if paused || self.replication.link.is_some() { Expired::Hide } else { Expired::Delete };
    }

    /// What is due every tenth of a second.
    fn cron(&mut self, now: Now, out: &mut Out) {
        self.next_cron = now.mono + Span::millis(100);
        self.check_save_points(now, out);
        self.expire(EXPIRE_UNITS, now, out);
        self.expire_own(now);
        self.shrink_tables();
        self.check_replicas(now, out);
        self.check_backlog(now, out);
        self.heartbeat(now);
        self.check_clients(now, out);
        self.clients.moves.drop_idle(now.mono, out);
        let traffic = [self.vitals.net_input, self.vitals.net_output];
        let totals = [self.statistics.processed, traffic[0], traffic[1]];
        self.statistics.rates.sample(now.mono, totals);
        self.tell_soon = true;
    }

    fn file_done(
        &mut self,
        ticket: Ticket,
        result: Result<FileOutput, FileError>,
        now: Now,
        out: &mut Out,
    ) {
        self.rewrite_step(ticket, &result, out);
        self.oom_step(ticket, &result, out);
        self.load_step(ticket, &result, now, out);
        self.save_step(ticket, &result, now, out);
        self.incoming_step(ticket, &result, now, out);
        self.filing_step(ticket, &result, now, out);
    }
}

impl Machine for Node {
    #[inline]
    fn handle(&mut self, now: Now, event: Event<'_>, out: &mut Out) {
        match event {
            Event::Received { conn, bytes } if self.replication.is_link(conn) => {
                self.link_received(bytes, now, out);
            }
            Event::Received { conn, bytes } => {
                self.turn_began = now.mono;
                self.received(conn, bytes, now, out);
            }
            Event::TurnEnd { units } => self.turn_end(units, now, out),
            Event::Body { conn, body } => self.body(conn, body),
            Event::Accepted { conn, peer, .. } => self.accepted(conn, peer, now, out),
            Event::Closed { conn, .. } => self.closed(conn, now, out),
            Event::Started => self.start(now, out),
            Event::Listening { token, .. } => self.listening(token, out),
            Event::ListenFailed { token, why } => self.listen_failed(token, why, out),
            Event::Vitals(vitals) => {
                let peak = &mut self.statistics.memory_peak;
                *peak = vitals.memory_allocated.max(*peak);
                let first = self.vitals.pid == 0 && vitals.pid != 0;
                self.vitals = vitals.clone();
                self.data.memory.reported();
                if first {
                    self.introduce(out);
                }
            }
            Event::Signal(signal) => self.signal(signal, now, out),
            Event::FileDone { ticket, result } => self.file_done(ticket, result, now, out),
            Event::JobDone { ticket, result } => {
                self.data.memory.freed(ticket);
                self.job_done(ticket, result, now, out);
            }
            Event::Wake => self.wake(now, out),
            Event::Connected { conn, token, .. } if Moves::owns_token(token) => {
                self.target_connected(token, conn, now, out);
            }
            Event::ConnectFailed { token, why } if Moves::owns_token(token) => {
                self.target_missed(token, why);
            }
            Event::Resolved { token, addresses } if Moves::owns_token(token) => {
                self.target_resolved(token, addresses, now, out);
            }
            Event::Connected { conn, token, .. } => self.link_connected(token, conn, now, out),
            Event::ConnectFailed { token, why } => {
                if let Some(link) = &mut self.replication.link {
                    link.connect_failed(token, why, now.mono, out);
                }
            }
            Event::Resolved { token, addresses } => {
                if let Some(link) = &mut self.replication.link {
                    link.resolved(token, addresses, now.mono, out);
                }
            }
            // Whatever waited for room is looked after at the end of the turn.
            Event::Drained { conn } => self.target_drained(conn, now, out),
            Event::Mail { letter, .. } => self.mail(letter, now, out),
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let paced = self.persist.export.as_ref().and_then(|export| export.paced_until);
        let due = [
            self.link_deadline(),
            self.wait_deadline(),
            paced,
            self.loading_deadline(),
            self.incoming_deadline(),
            self.clients.pause.deadline(),
            self.clients.moves.deadline(),
            self.replication.failover.deadline(),
            self.persist.leaving.as_ref().map(|leaving| leaving.until),
        ];
        let cron = (!self.clients.switches.no_cron).then_some(self.next_cron);
        due.into_iter().flatten().chain(cron).min()
    }
}
