//! Typed values in [`Config`](super::Config), and their text.

use store::evict::Order;
use wire::number;

/// A typed value and its normal text.
pub(super) trait Field {
    /// The value as CONFIG GET shows it.
    fn show(&self) -> String;
    /// Takes a value in its normal form.
    fn take(&mut self, text: &str);
}

impl Field for bool {
    fn show(&self) -> String {
        String::from(if *self { "yes" } else { "no" })
    }

    fn take(&mut self, text: &str) {
        *self = text == "yes";
    }
}

impl Field for String {
    fn show(&self) -> String {
        self.clone()
    }

    fn take(&mut self, text: &str) {
        *self = text.into();
    }
}

macro_rules! numbers {
    ($($type:ty),*) => {$(
        impl Field for $type {
            fn show(&self) -> String {
                self.to_string()
            }

            fn take(&mut self, text: &str) {
                // A normal form is within the row's bounds; those of the type are wider.
                *self = text.parse().unwrap_or(<$type>::MAX);
            }
        }
    )*};
}

numbers!(u16, u32, u64, usize, i64);

/// `maxmemory-policy`: which keys go first when there is too little memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Policy {
    /// In which order; none: none goes.
    pub order: Option<Order>,
    /// Only keys with an expiry go.
    pub volatile: bool,
}

impl Policy {
    /// No key goes.
    pub const NONE: Policy = Policy { order: None, volatile: false };

    /// The names, in the order in which Redis lists them.
    pub(super) const NAMES: [&'static str; 8] = [
        "volatile-lru",
        "volatile-lfu",
        "volatile-random",
        "volatile-ttl",
        "allkeys-lru",
        "allkeys-lfu",
        "allkeys-random",
        "noeviction",
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match (self.volatile, self.order) {
            (true, Some(Order::Idle)) => "volatile-lru",
            (true, Some(Order::Seldom)) => "volatile-lfu",
            (true, Some(Order::Random)) => "volatile-random",
            (_, Some(Order::Soonest)) => "volatile-ttl",
            (false, Some(Order::Idle)) => "allkeys-lru",
            (false, Some(Order::Seldom)) => "allkeys-lfu",
            (false, Some(Order::Random)) => "allkeys-random",
            (_, None) => "noeviction",
        }
    }
}

impl Field for Policy {
    fn show(&self) -> String {
        String::from(self.name())
    }

    fn take(&mut self, text: &str) {
        let order = match text.rsplit('-').next() {
            Some("lru") => Some(Order::Idle),
            Some("lfu") => Some(Order::Seldom),
            Some("random") => Some(Order::Random),
            Some("ttl") => Some(Order::Soonest),
            _ => None,
        };
        *self = Policy { order, volatile: text.starts_with("volatile") };
    }
}

/// Who may do what only an operator should.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Allowed {
    /// Nobody.
    #[default]
    No,
    /// Everybody.
    Yes,
    /// Who connects from this host.
    Local,
}

impl Allowed {
    /// Whether a client may, which is on this host or not.
    pub fn to(self, local: bool) -> bool {
        self == Allowed::Yes || self == Allowed::Local && local
    }
}

impl Field for Allowed {
    fn show(&self) -> String {
        String::from(match self {
            Allowed::No => "no",
            Allowed::Yes => "yes",
            Allowed::Local => "local",
        })
    }

    fn take(&mut self, text: &str) {
        *self = match text {
            "yes" => Allowed::Yes,
            "local" => Allowed::Local,
            _ => Allowed::No,
        };
    }
}

/// Bytes, or a percentage of `maxmemory`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Share {
    /// So many bytes.
    Bytes(u64),
    /// So many of a hundred.
    Percent(u64),
}

impl Share {
    /// The limit in bytes; 0: none. A percentage is of `maxmemory`, and without one none either.
    pub fn bytes(self, of: u64) -> u64 {
        match self {
            Share::Bytes(bytes) => bytes,
            Share::Percent(percent) => (u128::from(of) * u128::from(percent) / 100) as u64,
        }
    }
}

impl Field for Share {
    fn show(&self) -> String {
        match self {
            Share::Bytes(bytes) => bytes.to_string(),
            Share::Percent(percent) => format!("{percent}%"),
        }
    }

    fn take(&mut self, text: &str) {
        let value = |text: &str| number::parse_u64(text.as_bytes()).unwrap_or(0);
        *self = match text.strip_suffix('%') {
            Some(percent) => Share::Percent(value(percent)),
            None => Share::Bytes(value(text)),
        };
    }
}

/// When a client that does not read its replies is dropped; 0: never.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct OutputLimit {
    /// Bytes at which it is dropped at once.
    pub hard: u64,
    /// Bytes at which it is dropped after a time.
    pub soft: u64,
    /// That time, in seconds.
    pub seconds: u64,
}

/// `client-output-buffer-limit`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct OutputLimits {
    /// Ordinary clients.
    pub normal: OutputLimit,
    /// Replicas.
    pub replica: OutputLimit,
    /// Subscribers.
    pub pubsub: OutputLimit,
}

impl OutputLimits {
    /// Redis's own.
    pub const DEFAULT: OutputLimits = OutputLimits {
        normal: OutputLimit { hard: 0, soft: 0, seconds: 0 },
        replica: OutputLimit { hard: 256 << 20, soft: 64 << 20, seconds: 60 },
        pubsub: OutputLimit { hard: 32 << 20, soft: 8 << 20, seconds: 60 },
    };

    pub(super) fn to_text(self) -> String {
        let one =
            |name: &str, l: OutputLimit| format!("{name} {} {} {}", l.hard, l.soft, l.seconds);
        [one("normal", self.normal), one("slave", self.replica), one("pubsub", self.pubsub)]
            .join(" ")
    }

    pub(super) fn from_text(text: &str) -> Self {
        let numbers: Vec<u64> =
            text.split(' ').filter_map(|word| number::parse_u64(word.as_bytes())).collect();
        let limit = |at: usize| match numbers.get(at * 3..at * 3 + 3) {
            Some(&[hard, soft, seconds]) => OutputLimit { hard, soft, seconds },
            _ => OutputLimit::default(),
        };
        OutputLimits { normal: limit(0), replica: limit(1), pubsub: limit(2) }
    }
}

impl Field for OutputLimits {
    fn show(&self) -> String {
        self.to_text()
    }

    fn take(&mut self, text: &str) {
        *self = OutputLimits::from_text(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_is_of_the_whole_there_is() {
        assert_eq!(Share::Percent(5).bytes(2000), 100);
        assert_eq!(Share::Percent(100).bytes(u64::MAX), u64::MAX);
        assert_eq!(Share::Percent(5).bytes(0), 0);
        assert_eq!(Share::Bytes(7).bytes(2000), 7);
    }
}
