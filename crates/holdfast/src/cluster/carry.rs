//! Carries steps out, one after the other, and shows how far they are.

use super::arguments::Options;
use super::session::Session;
use super::talk::Talk;
use crate::connection::wait_until;
use admin::{Address, Step};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use wire::value::Value;

/// How much longer than MIGRATE's own timeout, which only counts silence, one MIGRATE may take.
const LONG: Duration = Duration::from_secs(600);
/// How long a node may take to serve after it joined.
const SERVES: Duration = Duration::from_secs(10);
/// So many rounds may move nothing before a slot is given up.
const IDLE: u32 = 1000;

/// Carries steps out.
pub(super) struct Carrier<'a> {
    pub(super) session: &'a mut Session,
    pub(super) talk: &'a Talk,
    pub(super) options: &'a Options,
    /// Keys that were moved.
    pub(super) keys: u64,
    /// A dot for each of them.
    pub(super) dots: bool,
}

impl Carrier<'_> {
    /// All steps, up to the first that fails.
    pub(super) fn run(&mut self, steps: &[Step]) -> Result<(), String> {
        steps.iter().try_for_each(|step| self.step(step))
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Tell(line) => self.talk.line(line),
            Step::Say(node, words) => {
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                match self.session.say(node, &words) {
                    // It never heard of the one that it is to forget.
                    Err(error) if words[1] == "FORGET" && error.contains("Unknown node") => {}
                    result => drop(result?),
                }
            }
            Step::Try(node, words) => {
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                // Its reason may be gone, and so may the node: others are told as well.
                let _ = self.session.say(node, &words);
            }
            Step::MoveKeys { slot, from, to } => self.move_keys(*slot, from, to)?,
        }
        Ok(())
    }

    fn move_keys(&mut self, slot: u16, from: &Address, to: &Address) -> Result<(), String> {
        let slot_text = slot.to_string();
        let pipeline = self.options.transfer.pipeline.to_string();
        let get = [&b"CLUSTER"[..], b"GETKEYSINSLOT", slot_text.as_bytes(), pipeline.as_bytes()];
        let mut idle = 0;
        loop {
            let keys = keys_of(self.session.call(from, &get, None)?, from)?;
            if keys.is_empty() {
                return Ok(());
            }
            let mut moved = self.migrate(&keys, from, to);
            // A node that has just joined does not serve for a moment.
            wait_until(SERVES, || {
                let early = matches!(&moved, Err(error) if error.contains("CLUSTERDOWN"));
                if early {
                    moved = self.migrate(&keys, from, to);
                }
                !early
            });
            let moved = moved?;
            if moved {
                self.keys += keys.len() as u64;
                idle = 0;
                if self.dots {
                    self.talk.part(&".".repeat(keys.len()));
                }
                continue;
            }
            // They expired, or went, between the two commands.
            idle += 1;
            if idle > IDLE {
                let at = admin::text(from);
                return Err(format!("slot {slot} of {at} has keys that cannot be moved"));
            }
        }
    }

    /// Moves keys; whether there was any. Keys that stand at the target already are left from an
    /// interrupted move: they are replaced if they are the same, or if that was wished.
    fn migrate(&mut self, keys: &[Vec<u8>], from: &Address, to: &Address) -> Result<bool, String> {
        let error = match self.migrate_once(keys, from, to, self.options.transfer.replace)? {
            Ok(moved) => return Ok(moved),
            Err(error) => error,
        };
        if !error.contains("BUSYKEY") {
            return Err(format!("Node {} replied with error:\n{error}", admin::text(from)));
        }
        self.talk.line("\n*** Target key exists");
        self.talk.line("*** Checking key values on both nodes...");
        let different = self.different(keys, from, to)?;
        if !different.is_empty() {
            let mut text = format!(
                "*** Found {} key(s) in both source node and target node having different \
                 values.\n    Source node: {}\n    Target node: {}\n    Keys(s):\n",
                different.len(),
                admin::text(from),
                admin::text(to)
            );
            for key in different {
                text.push_str(&format!("    - {key}\n"));
            }
            text.push_str(
                "Please fix the above key(s) manually and try again or relaunch the command \nwith \
                 --cluster-replace option to force key overriding.",
            );
            return Err(text);
        }
        self.talk.line("*** Replacing target keys...");
        self.migrate_once(keys, from, to, true)?
            .map_err(|error| format!("Node {} replied with error:\n{error}", admin::text(from)))
    }

    /// One MIGRATE; the inner error is the source's.
    fn migrate_once(
        &mut self,
        keys: &[Vec<u8>],
        from: &Address,
        to: &Address,
        replace: bool,
    ) -> Result<Result<bool, String>, String> {
        let transfer = &self.options.transfer;
        let access = &self.options.access;
        let (port, timeout) = (to.1.to_string(), transfer.timeout_ms.to_string());
        let mut words: Vec<&[u8]> =
            vec![b"MIGRATE", to.0.as_bytes(), port.as_bytes(), b"", b"0", timeout.as_bytes()];
        if replace {
            words.push(b"REPLACE");
        }
        match (&access.user, &access.password) {
            (Some(user), Some(password)) => {
                words.extend([&b"AUTH2"[..], user.as_bytes(), password.as_bytes()]);
            }
            (None, Some(password)) => words.extend([&b"AUTH"[..], password.as_bytes()]),
            _ => {}
        }
        words.push(b"KEYS");
        words.extend(keys.iter().map(Vec::as_slice));
        let patience = Duration::from_millis(transfer.timeout_ms) + LONG;
        Ok(match self.session.call(from, &words, Some(patience))? {
            Value::Simple(text) => Ok(text != b"NOKEY"),
            Value::Error(text) => Err(String::from_utf8_lossy(&text).into_owned()),
            other => Err(format!("an unexpected reply: {other:?}")),
        })
    }

    /// Keys that are at both ends with different values.
    fn different(
        &mut self,
        keys: &[Vec<u8>],
        from: &Address,
        to: &Address,
    ) -> Result<Vec<String>, String> {
        let mut out = Vec::new();
        for key in keys {
            // Either may be the one that does not own the slot.
            self.session.call(from, &[b"ASKING"], None)?;
            let here = match self.session.call(from, &[b"DUMP", key], None)? {
                // It went before one of the others could not.
                Value::Error(text) if text.starts_with(b"ASK ") => continue,
                value => value,
            };
            self.session.call(to, &[b"ASKING"], None)?;
            let there = self.session.call(to, &[b"DUMP", key], None)?;
            for reply in [&here, &there] {
                if let Value::Error(text) = reply {
                    let text = String::from_utf8_lossy(text);
                    return Err(format!("*** Value check failed! {text}"));
                }
            }
            if here != there && here != Value::Null && there != Value::Null {
                out.push(String::from_utf8_lossy(key).into_owned());
            }
        }
        Ok(out)
    }
}

fn keys_of(reply: Value, node: &Address) -> Result<Vec<Vec<u8>>, String> {
    let wrong = |text: String| format!("Node {} replied with error:\n{text}", admin::text(node));
    match reply {
        Value::Array(items) => items
            .into_iter()
            .map(|item| match item {
                Value::Bulk(key) => Ok(key),
                other => Err(wrong(format!("not a key: {other:?}"))),
            })
            .collect(),
        Value::Error(text) => Err(wrong(String::from_utf8_lossy(&text).into_owned())),
        other => Err(wrong(format!("not keys: {other:?}"))),
    }
}

/// Set by Ctrl-C: what is begun is finished, and nothing new begun. The second ends us at once.
pub(super) fn interruption() -> Result<Arc<AtomicBool>, String> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register_conditional_default(signal, Arc::clone(&stop))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&stop)))
            .map_err(|error| error.to_string())?;
    }
    Ok(stop)
}

/// How far the moving of slots is.
pub(super) struct Progress {
    stop: Arc<AtomicBool>,
    total: usize,
    pub(super) done: usize,
    began: Instant,
    drawn: Option<Instant>,
}

impl Progress {
    pub(super) fn new(total: usize) -> Result<Self, String> {
        let stop = interruption()?;
        Ok(Progress { stop, total, done: 0, began: Instant::now(), drawn: None })
    }

    /// Whether to go on with the next slot.
    pub(super) fn goes_on(&self) -> Result<(), String> {
        if !self.stop.load(Ordering::Relaxed) {
            return Ok(());
        }
        Err(format!(
            "*** Interrupted: {} of {} slots were moved, and none is open. The same command goes \
             on with the rest.",
            self.done, self.total
        ))
    }

    /// One more slot was moved; draws the bar, if that can be drawn.
    pub(super) fn step(&mut self, talk: &Talk, keys: u64) {
        self.done += 1;
        let now = Instant::now();
        let recent = self.drawn.is_some_and(|at| now - at < Duration::from_millis(100));
        if !talk.draws() || (recent && self.done < self.total) {
            return;
        }
        self.drawn = Some(now);
        talk.part(&self.bar(keys, now - self.began));
    }

    fn bar(&self, keys: u64, took: Duration) -> String {
        const WIDTH: usize = 30;
        let full = WIDTH * self.done / self.total.max(1);
        let rate = self.done as f64 / took.as_secs_f64().max(0.001);
        let left = (self.total - self.done.min(self.total)) as f64 / rate.max(0.001);
        let end = if self.done >= self.total { "\n" } else { "" };
        format!(
            "\r[{}{}] {}/{} slots, {keys} keys, {rate:.0} slots/s, {left:.0} s left  {end}",
            "#".repeat(full),
            ".".repeat(WIDTH - full.min(WIDTH)),
            self.done,
            self.total
        )
    }
}
