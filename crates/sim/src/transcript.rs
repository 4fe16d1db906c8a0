//! What happened, in order.

use std::fmt;

/// One line of a transcript.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Virtual time in nanoseconds.
    pub time: u64,
    /// The host's name; empty for the world itself.
    pub host: String,
    /// What happened there.
    pub text: String,
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (secs, micros) = (self.time / 1_000_000_000, self.time / 1000 % 1_000_000);
        let host = if self.host.is_empty() { "-" } else { &self.host };
        write!(f, "{secs}.{micros:06} {host} {}", self.text)
    }
}
