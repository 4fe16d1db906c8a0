//! Directives whose values follow rules of their own.

use super::Refusal;
use super::field::OutputLimits;
use super::kind::{one, wrong_number};
use wire::number;

/// A file's name, without a path; `what` is the directive.
fn file_name(what: &str, words: &[&str]) -> Result<String, Refusal> {
    let word = one(words)?;
    if word.contains('/') {
        return Err(format!("{what} can't be a path, just a filename"));
    }
    Ok(word.into())
}

pub(super) fn dbfilename(_: &str, words: &[&str]) -> Result<String, Refusal> {
    file_name("dbfilename", words)
}

pub(super) fn appendfilename(_: &str, words: &[&str]) -> Result<String, Refusal> {
    file_name("appendfilename", words)
}

pub(super) fn appenddirname(_: &str, words: &[&str]) -> Result<String, Refusal> {
    let word = one(words)?;
    match word {
        "" | "." | ".." => Err(String::from("appenddirname can't be empty, '.' or '..'")),
        word if word.contains('/') => {
            Err(String::from("appenddirname can't be a path, just a dirname"))
        }
        word => Ok(word.into()),
    }
}

/// The host and port of a primary, or `no one`.
pub(super) fn replicaof(_: &str, words: &[&str]) -> Result<String, Refusal> {
    match words {
        [no, one] if no.eq_ignore_ascii_case("no") && one.eq_ignore_ascii_case("one") => {
            Ok(String::new())
        }
        [""] => Ok(String::new()),
        [host, port] if port.parse::<u16>().is_ok_and(|port| port > 0) => {
            Ok(format!("{host} {port}"))
        }
        [_, _] => Err(String::from("Invalid master port")),
        _ => Err(wrong_number()),
    }
}

pub(super) fn save(_: &str, words: &[&str]) -> Result<String, Refusal> {
    let numbers: Vec<&str> = words.iter().flat_map(|word| word.split_whitespace()).collect();
    let valid = numbers.iter().enumerate().all(|(i, word)| {
        number::parse_i64(word.as_bytes()).is_some_and(|n| n >= i64::from(i % 2 == 0))
    });
    match valid && numbers.len().is_multiple_of(2) {
        true => Ok(numbers.join(" ")),
        false => Err(String::from("Invalid save parameters")),
    }
}

/// Four words a class; classes that are not named keep their limits.
pub(super) fn output_limits(current: &str, words: &[&str]) -> Result<String, Refusal> {
    let words: Vec<&str> = words.iter().flat_map(|word| word.split_whitespace()).collect();
    let mut limits = OutputLimits::from_text(current);
    if words.is_empty() || !words.len().is_multiple_of(4) {
        return Err(String::from("Wrong number of arguments in buffer limit configuration."));
    }
    for group in words.chunks_exact(4) {
        let limit = match group[0].to_ascii_lowercase().as_str() {
            "normal" => &mut limits.normal,
            "slave" | "replica" => &mut limits.replica,
            "pubsub" => &mut limits.pubsub,
            _ => {
                return Err(String::from(
                    "Invalid client class specified in buffer limit configuration.",
                ));
            }
        };
        let wrong = || {
            String::from(
                "Error in hard, soft or soft_seconds setting in buffer limit configuration.",
            )
        };
        limit.hard = number::parse_memory(group[1].as_bytes()).ok_or_else(wrong)?;
        limit.soft = number::parse_memory(group[2].as_bytes()).ok_or_else(wrong)?;
        limit.seconds = number::parse_u64(group[3].as_bytes()).ok_or_else(wrong)?;
    }
    Ok(limits.to_text())
}

/// Letters of keyspace events, in the order in which Redis shows them.
pub(super) fn events(_: &str, words: &[&str]) -> Result<String, Refusal> {
    const ALL: &str = "g$lshzxetd";
    let given = one(words)?;
    if given.chars().any(|letter| !"AKEg$lshzxetdmn".contains(letter)) {
        return Err(String::from("Invalid event class character. Use 'Ag$lshzxeKEtmdn'."));
    }
    let has =
        |letter: char| given.contains(letter) || (given.contains('A') && ALL.contains(letter));
    let mut shown = match ALL.chars().all(has) {
        true => String::from("A"),
        false => ALL.chars().filter(|letter| has(*letter)).collect(),
    };
    shown.extend("KEmn".chars().filter(|letter| has(*letter)));
    Ok(shown)
}

pub(super) fn oom_scores(_: &str, words: &[&str]) -> Result<String, Refusal> {
    let words: Vec<&str> = words.iter().flat_map(|word| word.split_whitespace()).collect();
    if words.len() != 3 {
        return Err(wrong_number());
    }
    let mut before = i64::MIN;
    for word in &words {
        let Some(value @ -2000..=2000) = number::parse_i64(word.as_bytes()) else {
            return Err(String::from(
                "Invalid oom-score-adj-values, elements must be between -2000 and 2000.",
            ));
        };
        if value < before {
            return Err(String::from("The oom-score-adj-values must be in ascending order."));
        }
        before = value;
    }
    Ok(words.join(" "))
}

/// A number in as few digits as tell it.
fn plain(word: &str) -> String {
    number::parse_f64(word.as_bytes()).map_or_else(|| word.into(), |value| value.to_string())
}

pub(super) fn percentiles(_: &str, words: &[&str]) -> Result<String, Refusal> {
    let words: Vec<&str> = words.iter().flat_map(|word| word.split_whitespace()).collect();
    let valid = |word: &&str| {
        number::parse_f64(word.as_bytes()).is_some_and(|value| (0.0..=100.0).contains(&value))
    };
    match words.iter().all(valid) {
        true => Ok(words.iter().map(|word| plain(word)).collect::<Vec<_>>().join(" ")),
        false => Err(String::from("latency-tracking-info-percentiles must be between 0 and 100")),
    }
}

/// Words of what a signal's shutdown does, or `default`.
pub(super) fn on_signal(_: &str, words: &[&str]) -> Result<String, Refusal> {
    const KNOWN: [&str; 5] = ["default", "save", "nosave", "now", "force"];
    let words: Vec<String> =
        words.iter().flat_map(|word| word.split_whitespace()).map(str::to_lowercase).collect();
    if words.is_empty() || words.iter().any(|word| !KNOWN.contains(&word.as_str())) {
        return Err(format!("argument(s) must be one of the following: {}", KNOWN.join(", ")));
    }
    let has = |word: &str| words.iter().any(|other| other == word);
    if has("save") && has("nosave") {
        return Err(String::from(
            "SAVE and NOSAVE can't be used together in shutdown-on-sig* configs",
        ));
    }
    let shown: Vec<&str> = KNOWN[1..].iter().copied().filter(|word| has(word)).collect();
    Ok(if shown.is_empty() { String::from("default") } else { shown.join(" ") })
}

pub(super) fn title(_: &str, words: &[&str]) -> Result<String, Refusal> {
    let text = one(words)?;
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        let known = ["title", "listen-addr", "server-mode", "port", "tls-port", "unixsocket"];
        let name = rest[at + 1..].split('}').next().unwrap_or_default();
        if !rest[at + 1..].contains('}') || !(known.contains(&name) || name == "config-file") {
            return Err(String::from("template format is invalid or contains unknown variables"));
        }
        rest = &rest[at + 1..];
    }
    Ok(text.into())
}
