//! A client that writes strings at a bounded pace to whoever is the primary.

use super::talk::{Talk, until};
use anyhow::Result;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle, sleep};
use std::time::Duration;

/// Between two rounds of commands.
const PACE: Duration = Duration::from_millis(10);
/// Keys of a kind.
const KEYS: u64 = 3000;
/// The databases that are written to.
pub(super) const DATABASES: u64 = 2;

/// The thread that writes; ends when dropped.
pub(super) struct Writer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    /// Where the primary is; 0 to rest.
    port: AtomicU16,
    /// It knows the commands of Valkey 9.1, and so does whoever follows it.
    newer: AtomicBool,
    /// Held during a round.
    round: Mutex<()>,
    /// Rounds that were answered.
    rounds: AtomicU64,
    ended: AtomicBool,
}

impl Writer {
    /// One that rests.
    pub(super) fn start() -> Self {
        let shared = Arc::new(Shared::default());
        let held = Arc::clone(&shared);
        Self { shared, thread: Some(thread::spawn(move || held.run())) }
    }

    /// Writes to this port from now on; whether also with the newest commands.
    pub(super) fn aim(&self, port: u16, newer: bool) {
        self.shared.newer.store(newer, SeqCst);
        self.shared.port.store(port, SeqCst);
    }

    /// Rests; nothing is under way afterwards.
    pub(super) fn rest(&self) {
        self.shared.port.store(0, SeqCst);
        drop(self.shared.round.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Waits until it has written some more.
    pub(super) fn go_on(&self) -> Result<()> {
        let before = self.shared.rounds.load(SeqCst);
        until("the writer writes", || {
            Ok((self.shared.rounds.load(SeqCst) > before + 20).then_some(()))
        })
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.ended.store(true, SeqCst);
        if let Some(thread) = self.thread.take() {
            // It has nothing to say.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn run(&self) {
        let mut open: Option<(u16, Talk)> = None;
        let mut number = 0;
        while !self.ended.load(SeqCst) {
            let round = self.round.lock().unwrap_or_else(PoisonError::into_inner);
            let port = self.port.load(SeqCst);
            open = open.filter(|(to, _)| *to == port);
            if port != 0 {
                open = open.or_else(|| Talk::to(port).ok().map(|talk| (port, talk)));
            }
            if let Some((_, talk)) = &mut open {
                // A primary may be starting again; what it did not answer is written or is not.
                match talk.all(&lines(number, self.newer.load(SeqCst))) {
                    Ok(replies) => {
                        let refused = replies.iter().any(|r| super::talk::text(r).starts_with('-'));
                        self.rounds.fetch_add(u64::from(!refused), SeqCst);
                    }
                    Err(_) => open = None,
                }
                number += 1;
            }
            drop(round);
            sleep(PACE);
        }
    }
}

/// The commands of a round.
fn lines(number: u64, newer: bool) -> Vec<String> {
    let db = number % DATABASES;
    let mut lines = vec![format!("SELECT {db}")];
    for i in 0..5 {
        let key = (number * 5 + i) * 7919 % KEYS;
        lines.extend([
            format!("SET w:{key} {number}"),
            format!("SET x:{key} {number} EX {}", 1000 + key),
            format!("SETEX e:{key} 1 {number}"),
            format!("SET p:{key} x PX {}", 20 + key % 200),
            format!("INCR n:{}", key % 50),
            format!("APPEND a:{} {number}", key % 40),
            format!("DEL w:{} x:{}", key / 3, key / 7),
            format!("PEXPIRE w:{} 1000000", key / 2),
            format!("SETRANGE r:{} {} {number}", key % 20, key % 300),
        ]);
    }
    lines.extend([
        String::from("MULTI"),
        format!("INCRBY t:{} 3", number % 7),
        format!("SELECT {}", (number + 1) % DATABASES),
        format!("SET t:{} {number} KEEPTTL", number % 5),
        format!("GETDEL w:{}", number % KEYS),
        String::from("EXEC"),
        format!("DEL a:{}", number % 400),
    ]);
    if newer {
        let key = number * 7919 % KEYS;
        lines.extend([
            format!("SET i:{} {number}", key % 100),
            format!("SET i:{} {key} IFEQ {number}", key % 100),
            format!("MSETEX 2 w:{key} {number} m:{} {number} EX 3000", key % 70),
            format!("DELIFEQ w:{key} {}", number + key % 2),
            format!("PUBLISH channel {number}"),
        ]);
    }
    lines
}

/// Commands that ask for every key that lives for moments only: a primary then removes it, and
/// says so in its stream.
pub(super) fn touches() -> impl Iterator<Item = String> {
    (0..KEYS).flat_map(|key| [format!("GET e:{key}"), format!("GET p:{key}")])
}
