//! The 24 access bits of an entry: when it was last used or, for LFU, how often of late.
//!
//! For LRU they are the seconds of the clock. For LFU they are, as in Redis, 16 bits of minutes and
//! a counter of eight, which grows with the logarithm of the uses and shrinks as minutes go by.

use crate::random::Random;
use crate::table::EntryRef;

/// Above the 24 bits of an entry: the policy is LFU.
const LFU: u32 = 1 << 31;
const BITS: u32 = 0x00FF_FFFF;
/// What the counter of a new key starts with, so that it is not the first to go.
const FIRST: u32 = 5;
/// Bits from up to a day ahead are of a key that is used just now: a clock was set back, or a
/// snapshot has taken the key after its start.
const AHEAD_SECS: u32 = 86_400;

/// The access bits of a key that is made or used now, and which kind they are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stamp(u32);

impl Stamp {
    /// At this time, in Unix milliseconds, under an LFU policy or any other.
    pub fn new(millis: u64, lfu: bool) -> Self {
        match lfu {
            false => Stamp((millis / 1000) as u32 & BITS),
            true => Stamp(LFU | ((millis / 60_000) as u32 & 0xFFFF) << 8 | FIRST),
        }
    }

    /// Whether entries count how often they are used.
    #[inline]
    pub fn is_lfu(self) -> bool {
        self.0 & LFU != 0
    }

    /// The bits of a new entry.
    #[inline]
    pub fn bits(self) -> u32 {
        self.0 & BITS
    }

    /// For how many seconds an entry with these bits has not been used. Only without LFU.
    pub fn idle(self, access: u32) -> u32 {
        let idle = self.bits().wrapping_sub(access) & BITS;
        if idle > BITS - AHEAD_SECS { 0 } else { idle }
    }

    /// The counter in these bits as of now, with `decay` minutes to a step down. Only with LFU.
    pub fn frequency(self, access: u32, decay: u32) -> u8 {
        let minutes = (self.bits() >> 8).wrapping_sub(access >> 8) & 0xFFFF;
        let minutes = if minutes > 0xFFFF - AHEAD_SECS / 60 { 0 } else { minutes };
        let steps = minutes.checked_div(decay).unwrap_or(0);
        (access & 0xFF).saturating_sub(steps) as u8
    }

    /// The bits of an entry whose idle seconds or frequency are known from elsewhere. What the
    /// policy does not track is ignored.
    pub fn known(self, idle: Option<u64>, frequency: Option<u8>) -> u32 {
        match (self.is_lfu(), idle, frequency) {
            (true, _, Some(frequency)) => self.bits() & !0xFF | u32::from(frequency),
            // Beyond the clock's reach: as long ago as it can tell from the future.
            (false, Some(idle), _) => {
                self.bits().wrapping_sub(idle.min(u64::from(BITS / 2)) as u32) & BITS
            }
            _ => self.bits(),
        }
    }
}

/// How entries count their uses under an LFU policy.
#[derive(Clone, Debug)]
pub struct Frequency {
    /// `lfu-log-factor`: the larger, the more uses a step up takes.
    pub log_factor: u32,
    /// `lfu-decay-time`: minutes to a step down; 0: never.
    pub decay: u32,
    random: Random,
}

impl Default for Frequency {
    fn default() -> Self {
        Frequency { log_factor: 10, decay: 1, random: Random::new(0) }
    }
}

impl Frequency {
    /// Redis's settings, and chance from a seed.
    pub fn new(seed: u64) -> Self {
        Frequency { random: Random::new(seed), ..Frequency::default() }
    }

    /// An entry is used.
    #[inline]
    pub(crate) fn touch(&mut self, stamp: Stamp, entry: EntryRef<'_>) {
        let access = entry.access();
        if stamp.0 == access {
            return;
        }
        if !stamp.is_lfu() {
            return entry.set_access(stamp.0);
        }
        let counter = u32::from(stamp.frequency(access, self.decay));
        let counter = counter + u32::from(self.steps_up(counter));
        entry.set_access(stamp.bits() & !0xFF | counter);
    }

    /// Whether a counter grows at this use: the higher it is, the more seldom.
    fn steps_up(&mut self, counter: u32) -> bool {
        let uses = u64::from(counter.saturating_sub(FIRST)) * u64::from(self.log_factor) + 1;
        counter < 255 && self.random.below(uses) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60_000;

    #[test]
    fn seconds_wrap_after_24_bits() {
        let before = Stamp::new(1_700_000_000_000, false);
        let later = Stamp::new(1_700_000_007_000, false);
        assert_eq!(later.idle(before.bits()), 7);
        let wrapped = Stamp::new(((1 << 24) + 2) * 1000, false);
        assert_eq!(wrapped.idle(BITS - 1), 4);
        assert_eq!(later.idle(later.known(Some(100), Some(9))), 100);
        assert!(later.idle(later.known(Some(u64::MAX), None)) >= BITS / 2);
        assert_eq!(before.idle(later.bits()), 0, "a key used after a snapshot's start");
    }

    #[test]
    fn a_counter_falls_by_one_each_decay_time() {
        let at = |minutes: u64| Stamp::new(1_700_000_040_000 + minutes * MINUTE, true);
        let access = at(0).known(None, Some(200));
        assert_eq!(at(0).frequency(access, 1), 200);
        assert_eq!(at(3).frequency(access, 1), 197);
        assert_eq!(at(7).frequency(access, 3), 198);
        assert_eq!(at(900).frequency(access, 1), 0);
        assert_eq!(at(900).frequency(access, 0), 200);
        assert_eq!(at(0).known(Some(9), None), at(0).bits());
        assert_eq!(at(0).frequency(at(5).known(None, Some(7)), 1), 7);
    }

    #[test]
    fn a_counter_grows_with_the_logarithm_of_the_uses() {
        // Redis's documentation: 100 uses make about 10, 1000 about 18, 100,000 about 142.
        let mut frequency = Frequency::new(7);
        let mut counter = FIRST;
        let mut seen = Vec::new();
        for uses in 1..=100_000u32 {
            counter += u32::from(frequency.steps_up(counter));
            if [100, 1000, 100_000].contains(&uses) {
                seen.push(counter);
            }
        }
        assert!((8..=12).contains(&seen[0]), "{seen:?}");
        assert!((14..=23).contains(&seen[1]), "{seen:?}");
        assert!((125..=160).contains(&seen[2]), "{seen:?}");
    }
}
