//! How much background work a machine may do at the end of a turn.

use machine::{Instant, Span};

/// How long one portion of background work should take.
const PORTION: u64 = 100_000;
/// Never more units than this, whatever their price seems to be.
const MOST_UNITS: u32 = 1 << 20;

/// Tunes the number of units, and shares time between background and other work.
///
/// While other events keep coming, the time spent on them earns background work its share as
/// credit; a portion is handed out when the credit pays for it. In an idle turn it gets a full
/// portion at no charge.
pub(crate) struct Background {
    /// The machine's last request, as a share in percent.
    wanted: Option<u8>,
    /// How many units make a portion.
    units: u32,
    /// Earned nanoseconds.
    credit: u64,
    granted: u32,
    busy: bool,
}

impl Background {
    pub(crate) fn new() -> Self {
        Background { wanted: None, units: 1, credit: 0, granted: 0, busy: false }
    }

    /// Takes note of what the machine asked for since the last turn's end.
    #[inline]
    pub(crate) fn ask(&mut self, percent: Option<u8>) {
        if percent.is_some() {
            self.wanted = percent;
        }
    }

    /// Whether the driver must not sleep.
    #[inline]
    pub(crate) fn is_wanted(&self) -> bool {
        self.wanted.is_some()
    }

    /// How many units the machine gets at this turn's end, after `spent` on other work if the
    /// turn was `busy`.
    #[inline]
    pub(crate) fn grant(&mut self, busy: bool, spent: Span) -> u32 {
        self.granted = match self.wanted.take() {
            None => 0,
            Some(_) if !busy => self.units,
            Some(percent) => {
                let percent = u64::from(percent.min(99));
                let earned = spent.0.saturating_mul(percent) / (100 - percent);
                self.credit = (self.credit + earned).min(2 * PORTION);
                self.affordable()
            }
        };
        self.busy = busy;
        self.granted
    }

    fn affordable(&self) -> u32 {
        let units = u64::from(self.units) * self.credit / PORTION;
        // A unit that costs more than a portion is paid for with all the credit there can be.
        let units = if self.credit == 2 * PORTION { units.max(1) } else { units };
        (units as u32).min(self.units)
    }

    /// Takes note of how long the machine took for what it was granted.
    #[inline]
    pub(crate) fn took(&mut self, from: Instant, to: Instant) {
        if self.granted == 0 {
            return;
        }
        let cost = to.since(from).0.max(1);
        if self.busy {
            self.credit = self.credit.saturating_sub(cost);
        }
        let fitting = u64::from(self.granted) * PORTION / cost;
        // Faster down than up: one long portion is felt, many short ones are not.
        let ceiling = self.units.saturating_mul(2).min(MOST_UNITS);
        let goal = fitting.clamp(1, u64::from(ceiling)) as u32;
        self.units =
            if goal < self.units { goal } else { self.units + (goal - self.units).div_ceil(2) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs turns whose units cost `price` each and whose other work takes `other`; the share of
    /// time that background work got, in percent, and its longest portion.
    fn share(percent: u8, price: u64, other: u64) -> (u64, u64) {
        let (mut background, mut own, mut others, mut longest) = (Background::new(), 0, 0, 0);
        for turn in 0..20_000 {
            background.ask(Some(percent));
            let units = background.grant(other > 0, Span(other));
            let cost = u64::from(units) * price;
            background.took(Instant(0), Instant(cost));
            if turn > 1000 {
                own += cost;
                others += other;
                longest = longest.max(cost);
            }
        }
        (own * 100 / (own + others).max(1), longest)
    }

    #[test]
    fn it_gets_its_share_and_no_more_while_others_work() {
        for (percent, price) in [(25, 50), (10, 1000), (50, 20_000)] {
            let (got, longest) = share(percent, price, 30_000);
            assert!(got <= u64::from(percent), "{got} of {percent}");
            assert!(got + 3 >= u64::from(percent), "{got} of {percent}");
            assert!(longest <= PORTION, "{longest}");
        }
    }

    #[test]
    fn an_idle_turn_is_all_its_own_and_still_short() {
        let (got, longest) = share(5, 70, 0);
        assert_eq!(got, 100);
        assert!((PORTION / 2..=PORTION).contains(&longest), "{longest}");
    }

    #[test]
    fn a_unit_longer_than_a_portion_still_gets_its_turn() {
        assert!(share(25, 150_000, 30_000).0 > 0);
    }

    #[test]
    fn nothing_is_granted_unasked() {
        let mut background = Background::new();
        assert_eq!(background.grant(false, Span(0)), 0);
    }
}
