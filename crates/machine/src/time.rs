//! Time as plain numbers, handed in by the driver.

use core::ops::{Add, Sub};

/// A point on the driver's monotonic clock, in nanoseconds since an arbitrary start.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Hash)]
pub struct Instant(pub u64);

/// A length of time in nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Hash)]
pub struct Span(pub u64);

/// Wall-clock time in microseconds since 1970-01-01 UTC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Hash)]
pub struct UnixMicros(pub u64);

/// The time of a call: one reading of both clocks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Now {
    /// Monotonic time: for timeouts and intervals.
    pub mono: Instant,
    /// Wall time: for expiry, which clients state as dates.
    pub wall: UnixMicros,
}

impl Span {
    /// `n` milliseconds.
    pub const fn millis(n: u64) -> Self {
        Span(n.saturating_mul(1_000_000))
    }
    /// `n` microseconds.
    pub const fn micros(n: u64) -> Self {
        Span(n.saturating_mul(1_000))
    }
    /// `n` seconds.
    pub const fn secs(n: u64) -> Self {
        Span(n.saturating_mul(1_000_000_000))
    }
    /// The whole milliseconds in it.
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000_000
    }
    /// The whole microseconds in it.
    pub const fn as_micros(self) -> u64 {
        self.0 / 1_000
    }
}

impl Instant {
    /// How long `earlier` lies back; zero if it does not.
    pub const fn since(self, earlier: Instant) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Span> for Instant {
    type Output = Instant;
    fn add(self, span: Span) -> Instant {
        Instant(self.0.saturating_add(span.0))
    }
}

impl Sub<Span> for Instant {
    type Output = Instant;
    fn sub(self, span: Span) -> Instant {
        Instant(self.0.saturating_sub(span.0))
    }
}

impl UnixMicros {
    /// Milliseconds since 1970, the unit of every expiry time.
    pub const fn millis(self) -> u64 {
        self.0 / 1000
    }
    /// Seconds since 1970.
    pub const fn secs(self) -> u64 {
        self.0 / 1_000_000
    }
}
