//! What is asked of clients: how many, how idle, how large.

use crate::config::Refusal;
use std::fmt;
use wire::number;

/// What is asked of clients.
#[derive(Clone, Debug)]
pub struct ClientLimits {
    /// `maxclients`.
    pub most: u32,
    /// `timeout`, in seconds; 0: never.
    pub timeout: u64,
    /// `client-query-buffer-limit`, in bytes.
    pub max_query: usize,
    /// `client-output-buffer-limit`.
    pub output: OutputLimits,
    /// `maxmemory-clients`.
    pub max_memory: ClientMemory,
    /// `tcp-keepalive`, in seconds; 0: off.
    pub keepalive: u64,
}

impl Default for ClientLimits {
    fn default() -> Self {
        ClientLimits {
            most: 10_000,
            timeout: 0,
            max_query: 1 << 30,
            output: OutputLimits::default(),
            max_memory: ClientMemory::Bytes(0),
            keepalive: 300,
        }
    }
}

/// `client-output-buffer-limit`, for each class of clients.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutputLimits {
    /// Of ordinary clients.
    pub normal: OutputLimit,
    /// Of replicas.
    pub replica: OutputLimit,
    /// Of subscribers.
    pub pubsub: OutputLimit,
}

/// How much output may wait; 0: without a limit.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct OutputLimit {
    /// Never so many bytes.
    pub hard: u64,
    /// So many bytes for a time only.
    pub soft: u64,
    /// For how many seconds.
    pub seconds: u64,
}

impl Default for OutputLimits {
    fn default() -> Self {
        OutputLimits {
            normal: OutputLimit::default(),
            replica: OutputLimit { hard: 256 << 20, soft: 64 << 20, seconds: 60 },
            pubsub: OutputLimit { hard: 32 << 20, soft: 8 << 20, seconds: 60 },
        }
    }
}

/// `maxmemory-clients`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ClientMemory {
    /// So many bytes; 0: without a limit.
    Bytes(u64),
    /// A part of `maxmemory`, in percent.
    Percent(u8),
}

impl ClientMemory {
    /// The limit in bytes; 0: none. There is no `maxmemory` yet to take a part of.
    pub fn bytes(self) -> u64 {
        match self {
            ClientMemory::Bytes(bytes) => bytes,
            ClientMemory::Percent(_) => 0,
        }
    }
}

impl fmt::Display for ClientMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClientMemory::Bytes(bytes) => write!(f, "{bytes}"),
            ClientMemory::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

/// Shows `client-output-buffer-limit` as CONFIG GET does.
pub(crate) fn show_output_limits(limits: &OutputLimits) -> String {
    let classes = [("normal", limits.normal), ("slave", limits.replica), ("pubsub", limits.pubsub)];
    let shown = classes
        .map(|(class, limit)| format!("{class} {} {} {}", limit.hard, limit.soft, limit.seconds));
    shown.join(" ")
}

/// Reads `client-output-buffer-limit`; classes that are not named stay as they are.
pub(crate) fn output_limits(field: &mut OutputLimits, words: &[&str]) -> Result<(), Refusal> {
    let words: Vec<&str> = words.iter().flat_map(|word| word.split_whitespace()).collect();
    if words.is_empty() || !words.len().is_multiple_of(4) {
        return Err(String::from("Wrong number of arguments in buffer limit configuration."));
    }
    let mut limits = *field;
    for class in words.chunks_exact(4) {
        let limit = match class[0].to_ascii_lowercase().as_str() {
            "normal" => &mut limits.normal,
            "slave" | "replica" => &mut limits.replica,
            "pubsub" => &mut limits.pubsub,
            _ => {
                return Err(String::from(
                    "Invalid client class specified in buffer limit configuration.",
                ));
            }
        };
        let bytes = |word: &str| number::parse_memory(word.as_bytes());
        let read = (bytes(class[1]), bytes(class[2]), number::parse_u64(class[3].as_bytes()));
        let (Some(hard), Some(soft), Some(seconds)) = read else {
            return Err(String::from(
                "Error in hard, soft or soft_seconds setting in buffer limit configuration.",
            ));
        };
        *limit = OutputLimit { hard, soft, seconds };
    }
    *field = limits;
    Ok(())
}
