//! MIGRATE: keys on their way to another server.
//!
//! Redis does nothing else until the target has answered. Here only the client that asked waits,
//! and whoever would change what is under way. What must hold, and why it does:
//!
//! - *A key is at the target before it is removed here.* Nothing may change it in between, or the
//!   change would be removed with it. So until the command ends, requests that write one of its
//!   keys are held back, and all that write without naming keys (FLUSHALL, SWAPDB). Then they are
//!   run as if they had just come: in a cluster they are sent after the key.
//! - *Reads go on.* Until the key is removed nobody else is sent to the target for it, so what is
//!   read here is the newest there is.
//! - *A key may vanish meanwhile*, expired or evicted. Then there is nothing to remove; the target
//!   has its time to live and expires it as well.
//! - *Authority may end meanwhile.* Only a primary removes, under its lease in a cluster; otherwise
//!   the keys stay, the client is told, and who repeats the command says REPLACE.
//! - *A pause moves no position*: keys are removed when it is over.
//! - *An answer that does not come*: whether the target has taken the key is unknown, as in Redis,
//!   and the key stays.
//! - A slot that gets another owner by SETSLOT is closed from the count of its keys to the control
//!   plane's answer: requests that write keys in it are held back in the same way.
//!
//! With COPY nothing is removed, so nothing is held back.
//!
//! Keys are encoded one at a time, and only as far as the target takes them in: what waits in
//! memory is bounded by [`job::AHEAD`] and one value, and a value's long parts are shared with the
//! keyspace. Reading a large value slice by slice is for [`job::Job::send`] to learn; nothing else
//! depends on a key being sent in one piece, since it is held from the first to the last.

mod held;
mod job;
mod target;
mod words;

use front::Requests;
use job::Job;
use machine::{ConnId, Instant, Out, Span, Token};
use target::Idle;
pub(crate) use words::is_secret;

/// Tokens of connections to targets are at least this.
const TOKENS: u64 = 1 << 62;
/// How long a connection to a target is kept for the next command.
const IDLE: Span = Span::secs(10);
/// No more are kept.
const MOST_IDLE: usize = 64;

/// See the module's documentation.
#[derive(Default)]
pub(crate) struct Moves {
    jobs: Vec<Job>,
    idle: Vec<Idle>,
    /// Slots of which the control plane decides, by the number of the command.
    closed: Vec<(u64, u16)>,
    /// Requests that wait.
    held: Vec<(ConnId, Requests)>,
    /// Something that was waited for is over.
    over: bool,
    tokens: u64,
}

impl Moves {
    /// Whether a connection leads to a target.
    pub(crate) fn owns(&self, conn: ConnId) -> bool {
        self.idle.iter().any(|idle| idle.conn == conn) || self.job_of(conn).is_some()
    }

    /// Whether a look-up or an attempt to connect is for a target.
    pub(crate) fn owns_token(token: Token) -> bool {
        token.0 >= TOKENS
    }

    /// Whether requests may have to wait.
    pub(crate) fn holds_back(&self) -> bool {
        !self.closed.is_empty() || self.jobs.iter().any(|job| !job.words.copy)
    }

    /// Writers of a slot wait until a command of the control plane is answered.
    pub(crate) fn close_slot(&mut self, number: u64, slot: u16) {
        self.closed.push((number, slot));
    }

    /// A command of the control plane was answered.
    pub(crate) fn open_slot(&mut self, number: u64) {
        let before = self.closed.len();
        self.closed.retain(|(of, _)| *of != number);
        self.over |= self.closed.len() < before;
    }

    /// A client is gone. What it has asked for is done all the same.
    pub(crate) fn forget(&mut self, conn: ConnId) {
        self.held.retain(|(held, _)| *held != conn);
        for job in self.jobs.iter_mut().filter(|job| job.asker == Some(conn)) {
            job.asker = None;
        }
    }

    /// When a target is waited for no longer.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.jobs.iter().filter_map(Job::deadline).min()
    }

    /// `migrate_cached_sockets`.
    pub(crate) fn connections(&self) -> usize {
        self.idle.len() + self.jobs.iter().filter(|job| job.conn().is_some()).count()
    }

    /// How many clients wait.
    pub(crate) fn waiting(&self) -> usize {
        self.held.len() + self.jobs.iter().filter(|job| job.asker.is_some()).count()
    }

    /// Closes connections that were not used for a while.
    pub(crate) fn drop_idle(&mut self, now: Instant, out: &mut Out) {
        let due = |idle: &Idle| now.since(idle.since) > IDLE;
        self.idle.iter().filter(|idle| due(idle)).for_each(|idle| out.close(idle.conn));
        self.idle.retain(|idle| !due(idle));
    }

    fn job_of(&self, conn: ConnId) -> Option<usize> {
        self.jobs.iter().position(|job| job.conn() == Some(conn))
    }

    fn token(&mut self) -> Token {
        self.tokens += 1;
        Token(TOKENS + self.tokens)
    }
}
