//! DEBUG: looking inside, and provoking what tests want to see handled.

mod protocol;
mod reload;

use crate::execute::Turn;
use crate::node::Node;
use front::Session;
use machine::{Action, Crash, Signal, Span};
use store::digest::Digest;
use store::keyspace::Place;
use store::rdb::payload;
use store::table::EntryRef;
use store::value::{New, View};
use wire::number;
use wire::reply::Reply;

/// What DEBUG has switched off for a while.
#[derive(Default)]
pub(crate) struct Switches {
    /// SET-ACTIVE-EXPIRE 0: expired keys are removed only when somebody asks for them.
    pub(crate) lazy_expiry_only: bool,
    /// PAUSE-CRON 1: nothing that is due by time is done.
    pub(crate) no_cron: bool,
    /// CONFIG-REWRITE-FORCE-ALL: directives at their defaults are written too.
    pub(crate) rewrite_all: bool,
    /// A signal that came meanwhile.
    pub(crate) signal: Option<Signal>,
}

/// The longest DEBUG SLEEP: a slip of the finger must not hang a server for a year.
const LONGEST_SLEEP: f64 = 3600.0;

const HELP: &[&str] = &[
    "DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "CHANGE-REPL-ID",
    "    Begin a new history of replication: replicas will need a full sync.",
    "CONFIG-REWRITE-FORCE-ALL",
    "    As CONFIG REWRITE, with the directives at their defaults written out.",
    "DIGEST",
    "    Show a sum over all data: equal data gives equal sums.",
    "DIGEST-VALUE <key> [<key> ...]",
    "    Show such a sum for the value of each key.",
    "ERROR <string>",
    "    Answer an error with this text.",
    "LOG <message>",
    "    Write a line to the log.",
    "OBJECT <key>",
    "    Tell how a value is kept.",
    "PANIC",
    "    Abort the process, as a fault found by itself would.",
    "PAUSE-CRON <0|1>",
    "    Stop doing what is due by time, or go on.",
    "POPULATE <count> [<prefix>] [<size>]",
    "    Add <count> keys named <prefix>:<number>, unless they exist.",
    "PROTOCOL <type>",
    "    Answer a value of a type of the protocol.",
    "RELOAD",
    "    Take all data through the format of snapshots; no file is written.",
    "REPLICATE <command> [<arg> ...]",
    "    Send a command to the replicas without running it.",
    "SEGFAULT",
    "    End the process by SIGSEGV.",
    "SET-ACTIVE-EXPIRE <0|1>",
    "    Remove expired keys only when they are asked for, or go on removing them.",
    "SLEEP <seconds>",
    "    Do nothing for a time, decimals allowed.",
    "HELP",
    "    Print this help.",
];

impl Node {
    /// DEBUG.
    pub(crate) fn debug(&mut self, session: &mut Session, args: &[&[u8]], turn: &mut Turn<'_>) {
        let word = args[1].to_ascii_lowercase();
        let words = &args[2..];
        match (&*word, words) {
            (b"sleep", [seconds]) => return self.debug_sleep(seconds, session, turn),
            (b"segfault", []) => return turn.out.act(Action::Crash { how: Crash::Segfault }),
            (b"panic" | b"assert" | b"oom", []) => {
                return turn.out.act(Action::Crash { how: Crash::Abort });
            }
            (b"config-rewrite-force-all", []) => {
                self.clients.switches.rewrite_all = true;
                return self.config_rewrite(session, turn);
            }
            (b"populate", _) => return self.populate(words, session, turn),
            (b"log", [message]) => turn.out.log(
                machine::Level::Warning,
                format_args!("DEBUG LOG: {}", String::from_utf8_lossy(message)),
            ),
            _ => {}
        }
        let mut reply = Reply::new(turn.buffer, session.protocol);
        let reply = &mut reply;
        match (&*word, words) {
            (b"help", []) => {
                reply.array(HELP.len());
                HELP.iter().for_each(|line| reply.simple(line));
            }
            (b"log", [_]) => reply.ok(),
            (b"error", [text]) => reply.error_bytes(text),
            (b"reload", []) => match self.reload(turn.now) {
                Ok(()) => reply.ok(),
                Err(why) => reply.error(&format!("ERR Error trying to load the RDB dump: {why}")),
            },
            (b"digest", []) => reply.simple(&Digest::of_all(&self.data.keyspace).to_string()),
            (b"digest-value", keys) => self.digest_values(keys, session.db, reply),
            (b"object", [key]) => self.debug_object(key, session.db, turn.now.wall.secs(), reply),
            (b"protocol", [kind]) => protocol::answer(kind, reply),
            (b"set-active-expire", [flag]) => {
                self.clients.switches.lazy_expiry_only = is_zero(flag);
                reply.ok();
            }
            (b"pause-cron", [flag]) => {
                self.clients.switches.no_cron = !is_zero(flag);
                reply.ok();
                if is_zero(flag)
                    && let Some(signal) = self.clients.switches.signal.take()
                {
                    self.signal(signal, turn.now, turn.out);
                }
            }
            (b"change-repl-id", []) => {
                self.change_replication_id();
                reply.ok();
            }
            (b"replicate", [_, ..]) => {
                self.data.effects.command(0, words);
                self.commit(session.db, &[], &[]);
                reply.ok();
            }
            (b"mallctl" | b"mallctl-str" | b"jmap", _) => {
                reply.error("ERR the allocator is not to be talked to from outside");
            }
            _ => reply.error(&format!(
                "ERR unknown subcommand or wrong number of arguments for '{}'. Try DEBUG HELP.",
                String::from_utf8_lossy(&args[1][..args[1].len().min(128)])
            )),
        }
    }

    /// The driver sleeps after this turn; the command is charged with it now.
    fn debug_sleep(&mut self, seconds: &[u8], session: &Session, turn: &mut Turn<'_>) {
        let seconds: Option<f64> = std::str::from_utf8(seconds).ok().and_then(|s| s.parse().ok());
        let seconds = seconds.filter(|seconds| !seconds.is_nan()).unwrap_or(0.0);
        let micros = (seconds.clamp(0.0, LONGEST_SLEEP) * 1e6) as u64;
        turn.out.act(Action::Stall { span: Span::micros(micros) });
        turn.ticks = turn.ticks.wrapping_sub(self.statistics.ticks(micros));
        Reply::new(turn.buffer, session.protocol).ok();
    }

    fn populate(&mut self, words: &[&[u8]], session: &Session, turn: &mut Turn<'_>) {
        let mut reply = Reply::new(turn.buffer, session.protocol);
        let count = words.first().and_then(|count| number::parse_u64(count));
        let size = words.get(2).map_or(Some(0), |size| number::parse_u64(size));
        let (Some(count), Some(size)) = (count, size.filter(|size| *size <= self.config.max_bulk))
        else {
            return reply.error("ERR value is out of range, must be positive");
        };
        let prefix = words.get(1).copied().unwrap_or(b"key");
        let slotted = self.clustering.is_some();
        for number in 0..count {
            let tail = format!(":{number}");
            let key = [prefix, tail.as_bytes()].concat();
            let slot = if slotted { wire::slot::slot(&key) } else { 0 };
            let hash = self.data.keyspace.hash(&key);
            let mut edit = self.data.keyspace.edit(Place::new(session.db, slot), hash, &key);
            if edit.entry().is_none() {
                let mut value = format!("value:{number}").into_bytes();
                if size > 0 {
                    value.resize(size as usize, 0);
                }
                edit.put(New::string(&value), None);
            }
        }
        reply.ok();
    }

    fn digest_values(&self, keys: &[&[u8]], db: u32, reply: &mut Reply<'_>) {
        reply.array(keys.len());
        for key in keys {
            let digest = self.data.keyspace.find(db, key).map(Digest::of_value);
            reply.simple(&digest.unwrap_or_default().to_string());
        }
    }

    fn debug_object(&self, key: &[u8], db: u32, seconds: u64, reply: &mut Reply<'_>) {
        match self.data.keyspace.find(db, key) {
            None => reply.error("ERR no such key"),
            Some(entry) => reply.simple(&described(entry, seconds)),
        }
    }
}

fn is_zero(flag: &[u8]) -> bool {
    number::parse_i64(flag).unwrap_or(0) == 0
}

/// How a value is kept, in the fields that Redis shows.
fn described(entry: EntryRef<'_>, seconds: u64) -> String {
    let encoding = store::command::encoding_name(entry);
    let shared = matches!(entry.view(), View::Int(0..=9999));
    let references = if shared { i32::MAX } else { 1 };
    // A payload is the value between a type byte and ten bytes of version and checksum.
    let length = payload::encode(entry.view(), None).pieces().map(<[u8]>::len).sum::<usize>() - 11;
    let access = entry.access();
    let idle = (seconds as u32).wrapping_sub(access) & 0x00FF_FFFF;
    format!(
        "Value at:{:p} refcount:{references} encoding:{encoding} serializedlength:{length} \
         lru:{access} lru_seconds_idle:{idle}",
        entry.key().as_ptr()
    )
}
