//! The stream as a replica applies it: whole commands, and transactions only as a whole.
//!
//! A position of ours always lies between two of them. So a link that breaks in the middle of one
//! is taken up at its beginning, and what our own replicas are sent begins there too.

use super::dialect::translate;
use crate::node::Node;
use machine::{Action, Crash, Level, Now, Out};
use std::sync::Arc;
use store::command::{Context, Data, Expired, Request};
use store::keyspace::Place;
use wire::command::{self, CommandId};
use wire::number;
use wire::reply::{Protocol, Reply};
use wire::request::{Batch, Decoder, Limits, Progress};
use wire::slot::slot;

/// What is known of a stream between two turns.
#[derive(Default)]
pub(crate) struct Applier {
    decoder: Decoder,
    /// Bytes of what is not whole yet: a command with a large argument, or a transaction.
    held: Vec<Arc<[u8]>>,
    /// The commands of a transaction whose end has not come.
    transaction: Option<Vec<Vec<Arc<[u8]>>>>,
}

const LIMITS: Limits =
    Limits { authenticated: true, max_bulk: u32::MAX as u64, max_query: usize::MAX };

impl Node {
    /// Applies what is whole of the stream; how many bytes are done with.
    pub(crate) fn apply_stream(&mut self, bytes: &[u8], now: Now, out: &mut Out) -> usize {
        let Some(mut applier) = self.replication.applier.take() else { return bytes.len() };
        let (mut at, mut whole) = (0, 0);
        let mut batch = Batch::new();
        loop {
            batch.clear();
            match applier.decoder.decode(&bytes[at..], &mut batch, &LIMITS) {
                Ok(Progress::More { consumed }) => {
                    for i in 0..batch.len() {
                        self.take_command(&mut applier, batch.args(i), &[], now, out);
                        if applier.transaction.is_none() {
                            let end = batch.raw(i).as_ptr_range().end;
                            whole = end as usize - bytes.as_ptr() as usize;
                        }
                    }
                    at += consumed;
                    if batch.is_empty() || at == bytes.len() {
                        break;
                    }
                }
                Ok(Progress::Want { consumed, len }) => {
                    at += consumed;
                    out.want(len);
                    break;
                }
                Ok(Progress::Assembled { consumed, request }) => {
                    at += consumed;
                    let args: Vec<&[u8]> = request.args.iter().map(|arg| &arg[..]).collect();
                    self.take_command(&mut applier, &args, &request.args, now, out);
                    if applier.transaction.is_none() {
                        whole = at;
                    }
                }
                Err(error) => {
                    out.log(
                        Level::Warning,
                        format_args!("Protocol error from the primary's stream: {error}"),
                    );
                    self.drop_link(now, out);
                    // What follows cannot be understood: only a new snapshot helps.
                    self.replication.placed = false;
                    return bytes.len();
                }
            }
        }
        if whole > 0 {
            applier.held.drain(..).for_each(|held| self.advance(&held));
            self.advance(&bytes[..whole]);
            if std::mem::take(&mut self.replication.chores.changing) {
                self.replication.chores.settled = self.replication.end();
            }
        }
        if whole < at {
            applier.held.push(Arc::from(&bytes[whole..at]));
        }
        self.replication.applier = Some(applier);
        at
    }

    /// These bytes of the stream have been applied: our own replicas get them as they are.
    fn advance(&mut self, bytes: &[u8]) {
        if let Some(backlog) = &mut self.replication.backlog {
            backlog.push(bytes);
        }
        self.replication.chores.applied = true;
    }

    /// A large argument of the stream.
    pub(crate) fn link_body(&mut self, body: Arc<[u8]>) {
        if let Some(applier) = &mut self.replication.applier {
            applier.held.push(Arc::clone(&body));
            applier.decoder.body(body);
        }
    }

    /// Takes one command of the stream: a transaction is kept until its end has come.
    fn take_command(
        &mut self,
        applier: &mut Applier,
        args: &[&[u8]],
        bodies: &[Arc<[u8]>],
        now: Now,
        out: &mut Out,
    ) {
        let id = args.first().and_then(|name| command::lookup(name)).map(|row| row.id);
        match (&mut applier.transaction, id) {
            (_, Some(CommandId::Multi)) => applier.transaction = Some(Vec::new()),
            (Some(_), Some(CommandId::Exec)) => {
                for owned in applier.transaction.take().unwrap_or_default() {
                    let args: Vec<&[u8]> = owned.iter().map(|arg| &arg[..]).collect();
                    self.apply_one(&args, &owned, now, out);
                }
            }
            (Some(commands), _) if bodies.is_empty() => {
                commands.push(args.iter().map(|arg| Arc::from(*arg)).collect());
            }
            (Some(commands), _) => commands.push(bodies.to_vec()),
            (None, _) => self.apply_one(args, bodies, now, out),
        }
    }

    /// Applies one command of the stream.
    fn apply_one(&mut self, args: &[&[u8]], bodies: &[Arc<[u8]>], now: Now, out: &mut Out) {
        let row = args.first().and_then(|name| command::lookup(name));
        if let Some(commands) = translate(row.map(|row| row.id), args) {
            return commands.iter().for_each(|args| self.apply_one(args, &[], now, out));
        }
        let Some(row) = row else {
            return self.cannot_apply(args, out);
        };
        let began = out.ticks();
        let db = self.replication.stream_db;
        self.replication.chores.changing |= !leaves_data(row.id);
        match row.id {
            // Nobody subscribes here yet, and no functions are kept, also not those of a snapshot.
            id if leaves_data(id) && id != CommandId::Select => {}
            CommandId::Exec => {}
            CommandId::Select => {
                let db = args.get(1).and_then(|word| number::parse_u64(word)).unwrap_or(u64::MAX);
                match u32::try_from(db) {
                    Ok(db) if db < self.data.keyspace.databases() => {
                        self.replication.stream_db = db;
                    }
                    _ => self.cannot_apply(args, out),
                }
            }
            CommandId::Flushall => self.clear(0..self.data.keyspace.databases()),
            CommandId::Flushdb => self.clear(db..db + 1),
            _ => match self.specs[row.id as usize].handler {
                Some(handler) if row.accepts(args.len()) => {
                    let key = args.get(usize::from(row.first_key)).copied().unwrap_or_default();
                    let slot = if self.clustering.is_some() { slot(key) } else { 0 };
                    let request = Request { args, hash: self.data.keyspace.hash(key), bodies };
                    let (millis, access) = (now.wall.millis(), self.stamp(now));
                    let mut scratch = std::mem::take(&mut self.data.stream);
                    scratch.clear();
                    let mut context = Context {
                        data: Data {
                            keyspace: &mut self.data.keyspace,
                            place: Place::new(db, slot),
                            now: millis,
                            access,
                            expired: Expired::Ignore,
                            effects: &mut self.data.effects,
                            counters: &mut self.data.counters,
                        },
                        reply: Reply::new(&mut scratch, Protocol::Resp2),
                        splices: &mut self.data.splices,
                    };
                    handler(&mut context, &request);
                    self.data.splices.clear();
                    let failed = scratch.first() == Some(&b'-');
                    self.data.stream = scratch;
                    self.commit(db, args, &[]);
                    if failed {
                        self.cannot_apply(args, out);
                    }
                }
                _ => self.cannot_apply(args, out),
            },
        }
        self.statistics.processed += 1;
        self.statistics.ran(row.id, out.ticks().wrapping_sub(began));
    }

    fn clear(&mut self, databases: std::ops::Range<u32>) {
        for db in databases {
            self.data.changes += self.data.keyspace.len(db) as u64;
            self.data.keyspace.clear(db);
        }
    }

    /// A command of the stream that we cannot apply leaves us different from the primary: said
    /// loudly, because nothing else will show it.
    fn cannot_apply(&mut self, args: &[&[u8]], out: &mut Out) {
        let name = args.first().map(|name| String::from_utf8_lossy(name)).unwrap_or_default();
        out.log(
            Level::Warning,
            format_args!(
                "== CRITICAL == This replica cannot apply the command '{name}' that its master \
                 sent; its data is no longer the same."
            ),
        );
        if self.config.repl.on_error != "ignore" {
            panic_over(("replica", "master"), &name, out);
        }
    }
}

/// `propagation-error-behavior` wants the process to end rather than go on with other data than its
/// peer's.
pub(super) fn panic_over((us, them): (&str, &str), name: &str, out: &mut Out) {
    out.log(
        Level::Warning,
        format_args!(
            "This {us} panicked sending an error to its {them} after processing the command \
             '{name}'"
        ),
    );
    out.act(Action::Crash { how: Crash::Abort });
}

/// Whether it changes no key.
fn leaves_data(id: CommandId) -> bool {
    matches!(
        id,
        CommandId::Ping
            | CommandId::Replconf
            | CommandId::Select
            | CommandId::Publish
            | CommandId::Spublish
            | CommandId::Function
            | CommandId::Script
    )
}
