//! How much happens in a second: commands and traffic, over the last moments.

use machine::Instant;

/// Samples that a figure is the mean of.
const SAMPLES: usize = 16;

/// Three totals, sampled a few times a second.
#[derive(Default)]
pub(crate) struct Rates {
    last: Option<(Instant, [u64; 3])>,
    per_second: [[u64; 3]; SAMPLES],
    next: usize,
}

impl Rates {
    /// Takes note of the totals by now: commands, bytes read, bytes written.
    pub(crate) fn sample(&mut self, now: Instant, totals: [u64; 3]) {
        let before = self.last.replace((now, totals));
        let Some((since, before)) = before else { return };
        let nanos = now.since(since).0.max(1);
        for (index, total) in totals.into_iter().enumerate() {
            let more = u128::from(total.saturating_sub(before[index]));
            self.per_second[self.next][index] = (more * 1_000_000_000 / u128::from(nanos)) as u64;
        }
        self.next = (self.next + 1) % SAMPLES;
    }

    /// The mean of one of them.
    pub(crate) fn mean(&self, index: usize) -> u64 {
        self.per_second.iter().map(|sample| sample[index]).sum::<u64>() / SAMPLES as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use machine::Span;

    #[test]
    fn figures_follow_and_fade() {
        let mut rates = Rates::default();
        let mut now = Instant::default();
        let mut total = 0;
        for _ in 0..=SAMPLES {
            now = now + Span::millis(100);
            rates.sample(now, [total, 2 * total, 0]);
            total += 50;
        }
        assert_eq!([rates.mean(0), rates.mean(1), rates.mean(2)], [500, 1000, 0]);
        for _ in 0..SAMPLES {
            now = now + Span::millis(100);
            rates.sample(now, [total, 2 * total, 0]);
        }
        assert!(rates.mean(0) <= 500 / SAMPLES as u64 + 1);
        // Totals that were set back to zero are no traffic.
        rates.sample(now + Span::millis(100), [0, 0, 0]);
    }
}
