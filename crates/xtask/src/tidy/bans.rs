//! Calls that a crate may not make, and `unsafe` outside its rooms.
//!
//! Pure crates get time, chance and the world as arguments: that is what lets a whole deployment
//! run in one thread under one seed.

use super::Finding;
use super::source::Source;

/// Crates without I/O, threads, clocks or chance of their own.
pub(crate) const PURE: &[&str] = &[
    "wire",
    "machine",
    "front",
    "client",
    "store",
    "replication",
    "cluster",
    "sentinel",
    "proxy",
    "admin",
    "node",
    "script",
];

/// Where `unsafe` may stand: beside the system, and in the table.
const UNSAFE_ROOMS: &[&str] = &["crates/shell/", "crates/store/src/table"];

/// Crates whose work it is to wait in real time.
const SLEEPERS: &[&str] = &["shell", "holdfast", "xtask"];

/// What pure crates do without, and what they have instead.
const IMPURE: &[(&str, &str)] = &[
    ("SystemTime", "time is an argument"),
    ("Instant::now", "time is an argument"),
    ("std::net", "sockets belong to shell; the addresses are in core::net"),
    ("std::fs", "files belong to shell"),
    ("std::thread", "threads belong to shell"),
    ("std::process", "processes belong to shell"),
    ("std::env", "the environment is read on the command line's side"),
];

/// Checks the code of one file.
pub(crate) fn check(source: &Source, findings: &mut Vec<Finding>) {
    let mut ban = |rule, word: &str, why: &str, applies: &dyn Fn(usize) -> bool| {
        for at in source.find_word(word) {
            let line = source.line_of(at);
            if applies(line) {
                findings.push(Finding::new(source, rule, line, format!("{word}: {why}")));
            }
        }
    };
    let name = source.crate_name().unwrap_or("");
    if PURE.contains(&name) {
        for (word, why) in IMPURE {
            ban("pure", word, why, &|line| !source.in_tests(line));
        }
    }
    let may_sleep = SLEEPERS.contains(&name);
    let why = "a test waits for an event or runs on virtual time";
    ban("sleep", "thread::sleep", why, &|line| !may_sleep || source.in_tests(line));
    ban("ignore", "#[ignore", "a test runs or is deleted", &|_| true);
    ban("unfinished", "todo!", "answer with an error until it is built", &|_| true);
    ban("unfinished", "unimplemented!", "answer with an error until it is built", &|_| true);
    if !UNSAFE_ROOMS.iter().any(|room| source.path.starts_with(room)) {
        ban("unsafe", "unsafe", "only shell and the store's table may", &|_| true);
    }
}
