//! What a directive's value may be, and its normal form.

use super::Refusal;
use wire::number;

/// The type of a directive.
#[derive(Clone, Copy)]
pub enum Kind {
    /// `yes` or `no`.
    Bool,
    /// An integer between the two, both included.
    Int(i64, i64),
    /// Permission bits, in octal.
    Octal,
    /// Bytes, with a unit, between the two.
    Memory(u64, u64),
    /// Bytes, or a percentage of `maxmemory`.
    MemoryOrPercent,
    /// One of these words.
    Enum(&'static [&'static str]),
    /// Any single word.
    Text,
    /// Any words.
    Words,
    /// By its own rules: the value in force and the words give the new value.
    Special(fn(&str, &[&str]) -> Result<String, Refusal>),
}

impl Kind {
    /// The normal form of a value.
    ///
    /// # Errors
    /// Redis's words for a value that is none.
    pub fn normal(self, current: &str, words: &[&str]) -> Result<String, Refusal> {
        match self {
            Kind::Bool => boolean(words),
            Kind::Int(least, most) => integer(words, least, most),
            Kind::Octal => octal(words),
            Kind::Memory(least, most) => memory(words, least, most),
            Kind::MemoryOrPercent => memory_or_percent(words),
            Kind::Enum(known) => {
                let word = one(words)?.to_ascii_lowercase();
                match known.contains(&word.as_str()) {
                    true => Ok(word),
                    false => Err(format!(
                        "argument(s) must be one of the following: {}",
                        known.join(", ")
                    )),
                }
            }
            Kind::Text => one(words).map(String::from),
            Kind::Words => match words {
                [] => Err(wrong_number()),
                words => Ok(words.join(" ")),
            },
            Kind::Special(read) => read(current, words),
        }
    }

    /// Its name in the documentation.
    pub fn name(self) -> String {
        match self {
            Kind::Bool => String::from("yes or no"),
            Kind::Int(least, most) if most >= i64::from(i32::MAX) => {
                format!("integer from {least}")
            }
            Kind::Int(least, most) => format!("integer, {least} to {most}"),
            Kind::Octal => String::from("octal"),
            Kind::Memory(..) => String::from("memory"),
            Kind::MemoryOrPercent => String::from("memory or percent"),
            Kind::Enum(known) => known.join(", "),
            Kind::Text => String::from("text"),
            Kind::Words => String::from("words"),
            Kind::Special(_) => String::from("list"),
        }
    }
}

pub(super) fn wrong_number() -> Refusal {
    String::from("wrong number of arguments")
}

pub(super) fn one<'w>(words: &[&'w str]) -> Result<&'w str, Refusal> {
    match words {
        [word] => Ok(word),
        _ => Err(wrong_number()),
    }
}

fn boolean(words: &[&str]) -> Result<String, Refusal> {
    let word = one(words)?.to_ascii_lowercase();
    match word.as_str() {
        "yes" | "no" => Ok(word),
        _ => Err(String::from("argument must be 'yes' or 'no'")),
    }
}

fn integer(words: &[&str], least: i64, most: i64) -> Result<String, Refusal> {
    let value = number::parse_i64(one(words)?.as_bytes())
        .ok_or_else(|| String::from("argument couldn't be parsed into an integer"))?;
    if !(least..=most).contains(&value) {
        return Err(format!("argument must be between {least} and {most} inclusive"));
    }
    Ok(value.to_string())
}

fn octal(words: &[&str]) -> Result<String, Refusal> {
    let value = u32::from_str_radix(one(words)?, 8)
        .map_err(|_| String::from("argument couldn't be parsed as an octal number"))?;
    if value > 0o777 {
        return Err(String::from("argument must be between 0 and 777 inclusive"));
    }
    Ok(format!("{value:o}"))
}

fn memory(words: &[&str], least: u64, most: u64) -> Result<String, Refusal> {
    let value = number::parse_memory(one(words)?.as_bytes())
        .ok_or_else(|| String::from("argument must be a memory value"))?;
    if !(least..=most).contains(&value) {
        return Err(format!("argument must be between {least} and {most} inclusive"));
    }
    Ok(value.to_string())
}

fn memory_or_percent(words: &[&str]) -> Result<String, Refusal> {
    let Some(percent) = one(words)?.strip_suffix('%') else {
        return memory(words, 0, i64::MAX as u64)
            .map_err(|_| String::from("argument must be a memory or percent value"));
    };
    match number::parse_u64(percent.as_bytes()) {
        Some(percent @ 0..=100) => Ok(format!("{percent}%")),
        Some(_) => Err(String::from("percentage argument must be less or equal to 100")),
        None => Err(String::from("argument must be a memory or percent value")),
    }
}
