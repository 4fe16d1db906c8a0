//! The processor's time stamp counter.
//!
//! The invariant of this module: on x86_64 the instructions `rdtsc` and `cpuid` exist and have no
//! effect on memory.

#[cfg(target_arch = "x86_64")]
mod hardware {
    use crate::clock::monotonic;
    use core::arch::x86_64::{__cpuid, _rdtsc};
    use std::sync::OnceLock;

    /// How long the counter is compared with the clock, in nanoseconds.
    const CALIBRATION: u64 = 2_000_000;

    /// Reads the counter.
    #[inline]
    pub(crate) fn read() -> u64 {
        // SAFETY: see the module's invariant.
        unsafe { _rdtsc() }
    }

    /// Ticks a second, if the counter runs at an even rate.
    pub(crate) fn rate() -> Option<u64> {
        static RATE: OnceLock<Option<u64>> = OnceLock::new();
        *RATE.get_or_init(|| is_even().then(calibrate))
    }

    #[allow(unused_unsafe, reason = "cpuid is a safe function in some versions of the library")]
    fn is_even() -> bool {
        // SAFETY: see the module's invariant.
        let (highest, power) = unsafe { (__cpuid(0x8000_0000).eax, __cpuid(0x8000_0007).edx) };
        highest >= 0x8000_0007 && power & (1 << 8) != 0
    }

    fn calibrate() -> u64 {
        let (start, ticks) = (monotonic().0, read());
        loop {
            let (elapsed, counted) = (monotonic().0 - start, read() - ticks);
            if elapsed >= CALIBRATION {
                return (u128::from(counted) * 1_000_000_000 / u128::from(elapsed)) as u64;
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
pub(crate) use hardware::{rate, read};

/// Reads nothing: there is no such counter here.
#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn read() -> u64 {
    0
}

/// None: there is no such counter here.
#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn rate() -> Option<u64> {
    None
}
