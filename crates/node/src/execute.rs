//! One command: admitted, applied, measured, committed.

use crate::admit::{self, Refused};
use crate::node::Node;
use front::{Awaited, Login, Replies, Session, Spoken, gate};
use machine::{Now, Out};
use store::access::Stamp;
use store::command::{Context, Data, Handler, Request};
use store::keyspace::Place;
use wire::command::{self, Command, CommandId};
use wire::reply::Reply;

/// What a node knows of each command beside its row.
#[derive(Clone, Copy)]
pub(crate) struct Spec {
    /// The gates it must pass.
    pub(crate) demands: u32,
    /// Its handler, if it works on data.
    pub(crate) handler: Option<Handler>,
}

/// The specs of all commands, at the index of their ids.
pub(crate) fn specs() -> Vec<Spec> {
    command::all()
        .iter()
        .map(|row| Spec { demands: gate::demands(row), handler: store::command::handler(row.id) })
        .collect()
}

/// What requests of one connection share while they run.
pub(crate) struct Turn<'t> {
    pub(crate) now: Now,
    pub(crate) out: &'t mut Out,
    /// Where replies go.
    pub(crate) buffer: &'t mut Vec<u8>,
    /// The stopwatch at the end of the last command.
    pub(crate) ticks: u64,
    /// What keys are marked with when they are used.
    pub(crate) stamp: Stamp,
}

/// One request, looked up. It goes by reference all the way to the handler: copying it right after
/// it was written would wait for the writes of the command before it to reach the cache.
pub(crate) struct Call<'a> {
    pub(crate) row: Option<&'static Command>,
    pub(crate) request: Request<'a>,
    /// The slot of the first key, in cluster mode.
    pub(crate) slot: u16,
    /// The request as received, if it came in one piece and somebody wants the stream.
    pub(crate) raw: &'a [u8],
}

impl Node {
    /// Runs a request and writes its reply.
    #[inline]
    pub(crate) fn execute(&mut self, session: &mut Session, call: &Call<'_>, turn: &mut Turn<'_>) {
        let row = match self.resolve(session, call, turn) {
            Ok(row) => row,
            Err(_) if is_http(call) => return self.hang_up(session, turn),
            Err(refused) => return self.refuse(session, call, &refused, turn),
        };
        session.last = Some(row.id);
        // Whether there is memory has been seen to.
        let closed = (session.closed | self.closed) & !gate::MEMORY;
        if closed & self.specs[row.id as usize].demands != 0 {
            return self.detour(row, session, call, turn);
        }
        self.run(row, session, call, turn);
    }

    /// Runs an admitted request.
    #[inline(always)]
    fn run(
        &mut self,
        row: &'static Command,
        session: &mut Session,
        call: &Call<'_>,
        turn: &mut Turn<'_>,
    ) {
        let start = turn.buffer.len();
        match self.specs[row.id as usize].handler {
            Some(handler) => {
                let place = Place::new(session.db, call.slot);
                self.apply(handler, session, place, &call.request, turn);
            }
            None => self.other(row.id, session, call.request.args, turn),
        }
        if self.data.effects.changes() != 0 {
            self.commit(session.db, call.request.args, call.raw);
            session.written = self.replication.end();
            if self.replication.link.is_some() {
                self.remember_own(row, session.db, call.request.args);
            }
            if self.persist.pressure.high {
                session.waiting.begin(Awaited::Memory);
                self.slow_down(session.conn, turn.out);
            }
            if let Some(clustering) = &mut self.clustering
                && clustering.writers.last() != Some(&session.conn)
            {
                clustering.writers.push(session.conn);
            }
        }
        self.measure(row, session, call.request.args, start, turn);
    }

    /// The row of a request that may run.
    #[inline]
    fn resolve(
        &mut self,
        session: &Session,
        call: &Call<'_>,
        turn: &mut Turn<'_>,
    ) -> Result<&'static Command, Refused> {
        let args = call.request.args;
        let Some(row) = call.row.filter(|row| row.built) else {
            return Err(Refused::Because(front::unknown_command(args)));
        };
        let row = if row.subcommands.is_empty() || args.len() < 2 {
            row
        } else {
            let word = args[1];
            match command::lookup_sub(row, word).filter(|row| row.built) {
                Some(row) => row,
                None => {
                    let text = front::unknown_subcommand(row.name, word);
                    return Err(Refused::Because(text));
                }
            }
        };
        if !row.accepts(args.len()) {
            return Err(Refused::Because(front::wrong_arity(row)));
        }
        let mut demands = self.specs[row.id as usize].demands;
        let mut shut = self.stages.admit && (session.closed | self.closed) & demands != 0;
        if shut {
            demands |= admit::demands_of_queue(row.id, session);
            demands = self.weigh_memory(row.id, demands, session, turn);
            shut = (session.closed | self.closed) & demands != 0;
        }
        if shut {
            // A cluster sends a request on before it looks at what may be done here: a replica
            // says where to write, not that nobody writes to it.
            let first = gate::PROTECTED | gate::AUTH | gate::SINGLE | gate::LOADED;
            let first = if self.clustering.is_some() { first } else { !0 };
            self.pass(session, demands & first)?;
        }
        if let Some(clustering) = &self.clustering
            && demands & gate::KEYS != 0
        {
            if row.id == CommandId::Exec {
                self.route_queue(session, turn.now)?;
            } else if !clustering.is_plain(row, call.slot, turn.now) {
                self.route(row, args, call.slot, session, turn.now)?;
            }
        }
        if shut {
            self.pass(session, demands)?;
        }
        Ok(row)
    }

    /// The error of the first gate in the way.
    #[cold]
    fn pass(&self, session: &Session, demands: u32) -> Result<(), Refused> {
        match admit::refusal(session, self.closed, demands, self.reasons(session)) {
            Some(error) => Err(Refused::Because(error.into())),
            None => Ok(()),
        }
    }

    /// Answers a request that does not run. It spoils the transaction it belongs to.
    #[cold]
    fn refuse(
        &mut self,
        session: &mut Session,
        call: &Call<'_>,
        refused: &Refused,
        turn: &mut Turn<'_>,
    ) {
        arm(session);
        let row = meant(call);
        let start = turn.buffer.len();
        let mut reply = Reply::new(turn.buffer, session.protocol);
        let error = refused.text();
        if row.is_some_and(|row| row.id == CommandId::Exec) {
            self.end_transaction(session);
            match refused {
                Refused::Because(_) => {
                    let why = error.strip_prefix("ERR ").unwrap_or(error);
                    let text = format!("EXECABORT Transaction discarded because of: {why}");
                    reply.error(&text);
                }
                Refused::Elsewhere(_) => reply.error(error),
            }
        } else {
            session.transaction.abort();
            reply.error(error);
        }
        self.statistics.rejected(row.map(|row| row.id), &turn.buffer[start..]);
        end_asking(None, session);
        self.mute(session, start, turn);
        if session.modes.replica {
            self.silence_replica(session, row, start, turn);
        }
        if self.stages.clock {
            turn.ticks = turn.out.ticks();
        }
    }

    /// A request that is admitted, while a gate is closed that refuses nothing.
    #[cold]
    fn detour(
        &mut self,
        row: &'static Command,
        session: &mut Session,
        call: &Call<'_>,
        turn: &mut Turn<'_>,
    ) {
        if self.hold_back(row, session, call) {
            return;
        }
        arm(session);
        let start = turn.buffer.len();
        let replica = session.modes.replica;
        let demands = self.specs[row.id as usize].demands;
        if session.closed & demands & gate::QUEUED != 0 {
            self.enqueue(row, session, call, turn);
        } else {
            self.observe(row, session, call, turn);
        }
        end_asking(Some(row.id), session);
        self.mute(session, start, turn);
        if replica {
            self.silence_replica(session, Some(row), start, turn);
        }
    }

    /// Runs a request before the eyes of whoever wants to see it.
    pub(crate) fn observe(
        &mut self,
        row: &'static Command,
        session: &mut Session,
        call: &Call<'_>,
        turn: &mut Turn<'_>,
    ) {
        let start = turn.buffer.len();
        let untouched = session.modes.no_touch && row.flags.has(command::flag::READONLY);
        let access = if untouched { self.access(row, session, call) } else { Vec::new() };
        self.run(row, session, call, turn);
        for (key, access) in access {
            if let Some(entry) = self.data.keyspace.find(session.db, &key) {
                entry.set_access(access);
            }
        }
        if session.modes.replies == Replies::None {
            self.take_back(start, turn);
        }
        self.show(row, session, call.request.args, turn);
    }

    /// When the keys of a request were last used.
    fn access(&self, row: &Command, session: &Session, call: &Call<'_>) -> Vec<(Vec<u8>, u32)> {
        let args = call.request.args;
        let keys = command::key_positions(row, args).into_iter().filter_map(|key| {
            let key = *args.get(key.index)?;
            let entry = self.data.keyspace.find(session.db, key)?;
            Some((key.to_vec(), entry.access()))
        });
        keys.collect()
    }

    /// Takes back a reply that the session does not want.
    fn mute(&mut self, session: &mut Session, start: usize, turn: &mut Turn<'_>) {
        match session.modes.replies {
            Replies::All | Replies::SkipNext => {}
            Replies::None => self.take_back(start, turn),
            // The answer is still to come, and is the one to be left out.
            Replies::Skip if session.waiting.is_on() && turn.buffer.len() == start => {}
            Replies::Skip => {
                self.take_back(start, turn);
                session.modes.replies = Replies::All;
                session.set_gates();
            }
        }
    }

    fn take_back(&mut self, start: usize, turn: &mut Turn<'_>) {
        turn.buffer.truncate(start);
        self.data.splices.retain(|splice| splice.at <= start);
    }

    /// A web browser was talked into sending us a request: its next lines must not be run.
    #[cold]
    fn hang_up(&mut self, session: &mut Session, turn: &mut Turn<'_>) {
        session.closing = true;
        turn.out.log(
            machine::Level::Warning,
            format_args!(
                "Possible SECURITY ATTACK detected: {} sends HTTP. Connection aborted.",
                session.remote()
            ),
        );
    }

    /// A command on data.
    #[inline]
    fn apply(
        &mut self,
        handler: Handler,
        session: &Session,
        place: Place,
        request: &Request<'_>,
        turn: &mut Turn<'_>,
    ) {
        let now = turn.now.wall.millis();
        let mut context = Context {
            data: Data {
                keyspace: &mut self.data.keyspace,
                place,
                now,
                access: turn.stamp,
                expired: self.data.expired,
                effects: &mut self.data.effects,
                counters: &mut self.data.counters,
            },
            reply: Reply::new(turn.buffer, session.protocol),
            splices: &mut self.data.splices,
        };
        handler(&mut context, request);
    }

    /// A command about the session or the server.
    #[cold]
    fn other(&mut self, id: CommandId, session: &mut Session, args: &[&[u8]], turn: &mut Turn<'_>) {
        let login = Login {
            password: &self.config.requirepass,
            databases: self.config.databases,
            cluster: self.clustering.is_some(),
            role: if self.replication.link.is_some() { "replica" } else { "master" },
            version: crate::REDIS_VERSION,
        };
        let mut reply = Reply::new(turn.buffer, session.protocol);
        let spoken = front::speak(id, args, session, login, &mut reply);
        if spoken == Spoken::Foreign {
            self.serve(id, session, args, turn);
        } else if id == CommandId::Reset && !session.modes.replica {
            self.end_transaction(session);
            self.end_monitor(session);
        }
    }

    /// Counts the command and its time; the end of one is the start of the next.
    #[inline]
    fn measure(
        &mut self,
        row: &'static Command,
        session: &Session,
        args: &[&[u8]],
        start: usize,
        turn: &mut Turn<'_>,
    ) {
        if !self.stages.statistics {
            return;
        }
        let now = if self.stages.clock { turn.out.ticks() } else { 0 };
        let spent = now.wrapping_sub(turn.ticks);
        turn.ticks = now;
        self.statistics.processed += 1;
        self.statistics.ran(row.id, spent);
        if turn.buffer.get(start) == Some(&b'-') {
            self.statistics.failed(row.id, &turn.buffer[start..]);
        }
        if spent >= self.statistics.notable {
            self.note(row, session, args, spent, turn.now);
        }
    }

    #[cold]
    fn note(&mut self, row: &Command, session: &Session, args: &[&[u8]], spent: u64, now: Now) {
        let fast = row.flags.has(command::flag::FAST);
        let event = if fast { "fast-command" } else { "command" };
        self.watch_latency(event, spent, now.wall.secs());
        if spent < self.slowlog.threshold || row.flags.has(command::flag::SKIP_SLOWLOG) {
            return;
        }
        let micros = self.statistics.micros(spent) as u64;
        let who = (session.remote(), session.label.name.clone());
        let most = self.config.slow.log_len;
        self.slowlog.add(args, now.wall.secs(), micros, who, most);
    }

    /// Takes over a changed `slowlog-log-slower-than` or `latency-monitor-threshold`.
    pub(crate) fn set_slow_ticks(&mut self) {
        self.slowlog.threshold = match u64::try_from(self.config.slow.log_from) {
            Ok(micros) => self.statistics.ticks(micros),
            Err(_) => u64::MAX,
        };
        let watched = match self.config.slow.watch_from {
            0 => u64::MAX,
            millis => self.statistics.ticks(millis.saturating_mul(1000)),
        };
        self.statistics.notable = self.slowlog.threshold.min(watched);
    }
}

/// The command or subcommand that a request is counted for, if there is one of its name.
fn meant(call: &Call<'_>) -> Option<&'static Command> {
    let row = call.row.filter(|row| row.built)?;
    match call.request.args.get(1) {
        Some(word) if !row.subcommands.is_empty() => {
            command::lookup_sub(row, word).filter(|row| row.built)
        }
        _ => Some(row),
    }
}

/// After CLIENT REPLY SKIP the next reply is the one to be left out.
fn arm(session: &mut Session) {
    if session.modes.replies == Replies::SkipNext {
        session.modes.replies = Replies::Skip;
    }
}

/// ASKING holds for one command, or for one transaction.
fn end_asking(id: Option<CommandId>, session: &mut Session) {
    let goes_on = id == Some(CommandId::Asking) || session.transaction.queue.is_some();
    if session.modes.asking && !goes_on {
        session.modes.asking = false;
        session.set_gates();
    }
}

/// Whether this is a line of an HTTP request that carries a body.
fn is_http(call: &Call<'_>) -> bool {
    let is = |name: &[u8]| call.request.args[0].eq_ignore_ascii_case(name);
    call.row.is_none() && (is(b"post") || is(b"host:"))
}
