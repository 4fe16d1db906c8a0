//! A store without a node: runs commands and shows replies and effects.

use machine::Splice;
use store::access::Stamp;
use store::command::{Context, Counters, Data, Expired, Request, handler};
use store::effects::Effects;
use store::keyspace::{Keyspace, Place};
use wire::command::{lookup, lookup_sub};
use wire::reply::{Protocol, Reply};

/// What one command said and did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Outcome {
    pub(crate) reply: Vec<u8>,
    /// Effects as lines of words; the request itself for a verbatim one.
    pub(crate) effects: Vec<String>,
    pub(crate) changes: u64,
}

pub(crate) struct Store {
    pub(crate) keyspace: Keyspace,
    pub(crate) now: u64,
    pub(crate) db: u32,
    pub(crate) expired: Expired,
    /// The eviction policy is LFU.
    pub(crate) lfu: bool,
    pub(crate) counters: Counters,
    effects: Effects,
}

impl Store {
    pub(crate) fn new(slotted: bool) -> Self {
        let databases = if slotted { 1 } else { 16 };
        let mut effects = Effects::default();
        effects.record(true);
        Store {
            keyspace: Keyspace::new(databases, slotted, [3; 16]),
            now: 1_700_000_000_000,
            db: 0,
            expired: Expired::Delete,
            lfu: false,
            counters: Counters::default(),
            effects,
        }
    }

    /// Runs a line of words without blanks in them.
    pub(crate) fn line(&mut self, line: &str) -> Outcome {
        let args: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        self.run(&args)
    }

    /// The reply to a line, as text.
    pub(crate) fn say(&mut self, line: &str) -> String {
        String::from_utf8_lossy(&self.line(line).reply).into_owned()
    }

    pub(crate) fn run(&mut self, args: &[&[u8]]) -> Outcome {
        let mut bytes = Vec::new();
        let mut splices = Vec::new();
        let row = lookup(args[0]).filter(|row| row.built).expect("a built command");
        let row = match row.subcommands {
            [] => row,
            _ => lookup_sub(row, args[1]).filter(|row| row.built).expect("a built subcommand"),
        };
        if row.accepts(args.len()) {
            let run = handler(row.id).expect("a command on data");
            let key = args.get(usize::from(row.first_key)).copied().unwrap_or_default();
            let hash = self.keyspace.hash(key);
            let slot = if self.keyspace.is_slotted() { wire::slot::slot(key) } else { 0 };
            let mut context = Context {
                data: Data {
                    keyspace: &mut self.keyspace,
                    place: Place::new(self.db, slot),
                    now: self.now,
                    access: Stamp::new(self.now, self.lfu),
                    expired: self.expired,
                    effects: &mut self.effects,
                    counters: &mut self.counters,
                },
                reply: Reply::new(&mut bytes, Protocol::Resp2),
                splices: &mut splices,
            };
            run(&mut context, &Request { args, hash, bodies: &[] });
        } else {
            let name = row.full_name();
            let text = format!("ERR wrong number of arguments for '{name}' command");
            Reply::new(&mut bytes, Protocol::Resp2).error(&text);
        }
        self.outcome(args, &bytes, &splices)
    }

    fn outcome(&mut self, args: &[&[u8]], bytes: &[u8], splices: &[Splice]) -> Outcome {
        let mut reply = Vec::new();
        let mut at = 0;
        for splice in splices {
            reply.extend_from_slice(&bytes[at..splice.at]);
            reply.extend_from_slice(&splice.bytes[splice.range.clone()]);
            at = splice.at;
        }
        reply.extend_from_slice(&bytes[at..]);
        let mut encoded = Vec::new();
        let taken = self.effects.take(&mut encoded);
        let mut effects = words(&encoded);
        if taken.verbatim {
            let words: Vec<_> = args.iter().map(|arg| String::from_utf8_lossy(arg)).collect();
            effects.push(words.join(" "));
        }
        Outcome { reply, effects, changes: taken.changes }
    }
}

/// Encoded commands as lines of words, for words without line breaks.
fn words(encoded: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(encoded);
    let mut lines = text.split("\r\n");
    let mut commands = Vec::new();
    while let Some(count) = lines.next().and_then(|line| line.strip_prefix('*')) {
        let count: usize = count.parse().unwrap();
        let args: Vec<&str> = (0..count).map(|_| lines.by_ref().nth(1).unwrap()).collect();
        commands.push(args.join(" "));
    }
    commands
}
