//! A set of slots, as runs.

use std::fmt;
use wire::slot::SLOTS;

/// See the module's documentation.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Slots {
    /// In order, and never touching one another.
    runs: Vec<(u16, u16)>,
}

impl Slots {
    /// Every slot there is.
    pub fn all() -> Self {
        Slots { runs: vec![(0, SLOTS as u16 - 1)] }
    }

    /// Whether a slot is in it.
    pub fn contains(&self, slot: u16) -> bool {
        let after = self.runs.partition_point(|(first, _)| *first <= slot);
        after > 0 && self.runs[after - 1].1 >= slot
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.runs.iter().map(|(first, last)| usize::from(last - first) + 1).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// First and last of each run.
    pub fn runs(&self) -> &[(u16, u16)] {
        &self.runs
    }

    /// One after the other, in order.
    pub fn iter(&self) -> impl Iterator<Item = u16> + '_ {
        self.runs.iter().flat_map(|(first, last)| *first..=*last)
    }

    /// What is in this and not in the other.
    pub fn without(&self, other: &Slots) -> Slots {
        self.iter().filter(|slot| !other.contains(*slot)).collect()
    }

    /// As CLUSTER NODES and people write them: `0-5460,7000`.
    pub fn plain(&self) -> String {
        let run = |(first, last): &(u16, u16)| match first == last {
            true => first.to_string(),
            false => format!("{first}-{last}"),
        };
        self.runs.iter().map(run).collect::<Vec<_>>().join(",")
    }
}

impl FromIterator<u16> for Slots {
    fn from_iter<I: IntoIterator<Item = u16>>(slots: I) -> Self {
        let mut slots: Vec<u16> = slots.into_iter().collect();
        slots.sort_unstable();
        slots.dedup();
        let mut runs: Vec<(u16, u16)> = Vec::new();
        for slot in slots {
            match runs.last_mut() {
                Some((_, last)) if *last + 1 == slot => *last = slot,
                _ => runs.push((slot, slot)),
            }
        }
        Slots { runs }
    }
}

/// As Redis's tools write them: `[0-5460],[7000]`.
impl fmt::Display for Slots {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (first, last)) in self.runs.iter().enumerate() {
            let comma = if i > 0 { "," } else { "" };
            match first == last {
                true => write!(out, "{comma}[{first}]")?,
                false => write!(out, "{comma}[{first}-{last}]")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_joined_and_searched() {
        let slots: Slots = [7, 1, 3, 2, 7, 16383].into_iter().collect();
        assert_eq!(slots.to_string(), "[1-3],[7],[16383]");
        assert_eq!(slots.plain(), "1-3,7,16383");
        assert_eq!(slots.len(), 5);
        let inside: Vec<u16> = (0..SLOTS as u16).filter(|slot| slots.contains(*slot)).collect();
        assert_eq!(inside, slots.iter().collect::<Vec<_>>());
        assert_eq!(Slots::all().without(&slots).len(), SLOTS - 5);
        assert!(Slots::default().is_empty() && !Slots::all().is_empty());
    }
}
