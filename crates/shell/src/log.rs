//! Log lines as Redis writes them.

use crate::sys;
use machine::Level;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The letter of a process in its log lines, shared with whoever changes it: `M` a primary, `S` a
/// replica, `X` a Sentinel, `C` a child.
#[derive(Clone)]
pub struct Role(Arc<AtomicU8>);

impl Role {
    /// A role with this letter.
    pub fn new(letter: char) -> Self {
        Role(Arc::new(AtomicU8::new(letter as u8)))
    }

    /// Changes the letter, an ASCII one.
    pub fn set(&self, letter: char) {
        self.0.store(letter as u8, Ordering::Relaxed);
    }

    fn letter(&self) -> char {
        char::from(self.0.load(Ordering::Relaxed))
    }
}

/// Writes lines such as `1234:M 21 Nov 2026 10:11:12.123 * Ready to accept connections`.
pub struct RedisLog {
    /// None: standard output.
    file: Option<File>,
    role: Role,
    least: Level,
    line: String,
}

impl RedisLog {
    /// A log to standard output.
    pub fn stdout(role: Role, least: Level) -> Self {
        RedisLog { file: None, role, least, line: String::new() }
    }

    /// A log appended to a file.
    pub fn file(path: &Path, role: Role, least: Level) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        Ok(RedisLog { file: Some(file), role, least, line: String::new() })
    }

    /// Writes one line, if it is grave enough.
    pub fn write(&mut self, level: Level, text: &str) {
        if level < self.least {
            return;
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.line.clear();
        render(&mut self.line, self.role.letter(), now.as_millis() as i64, level, text);
        // A log that cannot be written has nowhere to complain.
        let _ = match &mut self.file {
            Some(file) => file.write_all(self.line.as_bytes()),
            None => io::stdout().lock().write_all(self.line.as_bytes()),
        };
    }

    /// As the sink that [`Options`](crate::Options) takes.
    pub fn into_sink(mut self) -> crate::LogSink {
        Box::new(move |level, text| self.write(level, text))
    }
}

fn render(line: &mut String, role: char, millis: i64, level: Level, text: &str) {
    use std::fmt::Write;
    let at = sys::local_time(millis.div_euclid(1000));
    let mark = match level {
        Level::Debug => '.',
        Level::Verbose => '-',
        Level::Notice => '*',
        Level::Warning => '#',
    };
    // Writing to a String cannot fail.
    let _ = writeln!(
        line,
        "{}:{role} {:02} {} {} {:02}:{:02}:{:02}.{:03} {mark} {text}",
        std::process::id(),
        at.day,
        MONTHS[at.month],
        at.year,
        at.hour,
        at.minute,
        at.second,
        millis.rem_euclid(1000),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_reads_as_redis_writes_it() {
        let mut line = String::new();
        render(&mut line, 'S', 1_795_255_872_123, Level::Warning, "text");
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        assert_eq!(words[0], format!("{}:S", std::process::id()));
        assert_eq!(words[2..4], ["Nov", "2026"]);
        assert!(words[4].ends_with(":12.123") && words[4].len() == 12, "{line}");
        assert_eq!(words[5..], ["#", "text"]);
        assert!(line.ends_with('\n'));
    }
}
