//! Counts by place, with their running sums.

/// A Fenwick tree over a fixed number of counts: one change and one search in logarithmic time.
#[derive(Clone, Debug)]
pub(crate) struct Fenwick {
    /// At `i`: the sum of the counts from `i + 1 - lowbit(i + 1)` to `i`.
    sums: Vec<u64>,
    counts: Vec<u64>,
    total: u64,
}

impl Fenwick {
    /// All counts zero.
    pub(crate) fn new(len: usize) -> Self {
        Fenwick { sums: vec![0; len], counts: vec![0; len], total: 0 }
    }

    /// The sum of all counts.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// Sets a count.
    pub(crate) fn set(&mut self, index: usize, count: u64) {
        let old = std::mem::replace(&mut self.counts[index], count);
        if old == count {
            return;
        }
        self.total = self.total - old + count;
        let mut at = index;
        while let Some(sum) = self.sums.get_mut(at) {
            *sum = *sum - old + count;
            at |= at + 1;
        }
    }

    /// The index whose counts, laid end to end, `point` falls into; `point` is below the total.
    pub(crate) fn find(&self, mut point: u64) -> usize {
        let mut at = 0;
        let mut step = self.sums.len().next_power_of_two();
        while step > 0 {
            if let Some(&sum) = self.sums.get(at + step - 1)
                && sum <= point
            {
                point -= sum;
                at += step;
            }
            step /= 2;
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_point_falls_where_plain_addition_says(
            len in 1usize..70,
            sets in prop::collection::vec((any::<prop::sample::Index>(), 0u64..5), 0..200),
        ) {
            let mut tree = Fenwick::new(len);
            let mut plain = vec![0; len];
            for (index, count) in sets {
                tree.set(index.index(len), count);
                plain[index.index(len)] = count;
            }
            prop_assert_eq!(tree.total(), plain.iter().sum::<u64>());
            let laid = plain.iter().enumerate().flat_map(|(i, &n)| (0..n).map(move |_| i));
            for (point, index) in laid.enumerate() {
                prop_assert_eq!(tree.find(point as u64), index);
            }
        }
    }
}
