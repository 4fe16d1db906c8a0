//! Both clocks, and the stopwatch for reports.

use crate::tsc;
use machine::{Instant, Now, Span, Stopwatch, UnixMicros};
use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// The system's clocks; monotonic time never goes back.
pub(crate) struct Clock {
    now: Now,
}

impl Clock {
    pub(crate) fn new() -> Self {
        let mut clock = Clock { now: Now::default() };
        clock.read();
        clock
    }

    /// Reads both clocks anew.
    #[inline]
    pub(crate) fn read(&mut self) -> Now {
        let wall = clock_gettime(ClockId::Realtime);
        self.now = Now {
            mono: self.now.mono.max(monotonic()),
            wall: UnixMicros(wall.tv_sec as u64 * 1_000_000 + wall.tv_nsec as u64 / 1000),
        };
        self.now
    }
}

/// Monotonic time at this moment.
#[inline]
pub(crate) fn monotonic() -> Instant {
    let time = clock_gettime(ClockId::Monotonic);
    Instant(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
}

/// A length of time in the contract's own unit.
pub(crate) fn span(duration: Duration) -> Span {
    Span(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
}

/// The best stopwatch of this machine: its time stamp counter where that runs evenly, the
/// monotonic clock elsewhere.
pub fn stopwatch() -> Stopwatch {
    match tsc::rate() {
        Some(rate) => Stopwatch::Hardware(tsc::read, rate),
        None => Stopwatch::Hardware(|| monotonic().0, 1_000_000_000),
    }
}
