//! A client that writes strings at a bounded pace to whoever is the primary.

use super::talk::{Talk, until};
use anyhow::Result;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering::SeqCst};
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
    resting: AtomicBool,
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

    /// Writes to this port from now on.
    pub(super) fn aim(&self, port: u16) {
        self.shared.port.store(port, SeqCst);
    }

    /// Rests; nothing is under way afterwards.
    pub(super) fn rest(&self) -> Result<()> {
        self.aim(0);
        until("the writer rests", || Ok(self.shared.resting.load(SeqCst).then_some(())))
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
            let port = self.port.load(SeqCst);
            self.resting.store(port == 0, SeqCst);
            open = open.filter(|(to, _)| *to == port);
            if port != 0 {
                open = open.or_else(|| Talk::to(port).ok().map(|talk| (port, talk)));
            }
            if let Some((_, talk)) = &mut open {
                // A primary may be starting again; what it did not answer is written or is not.
                match talk.all(&round(number)) {
                    Ok(replies) => {
                        let refused = replies.iter().any(|r| super::talk::text(r).starts_with('-'));
                        self.rounds.fetch_add(u64::from(!refused), SeqCst);
                    }
                    Err(_) => open = None,
                }
                number += 1;
            }
            sleep(PACE);
        }
    }
}

/// The commands of a round.
fn round(number: u64) -> Vec<String> {
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
    lines
}

/// Commands that ask for every key that lives for moments only: a primary then removes it, and
/// says so in its stream.
pub(super) fn touches() -> impl Iterator<Item = String> {
    (0..KEYS).flat_map(|key| [format!("GET e:{key}"), format!("GET p:{key}")])
}
