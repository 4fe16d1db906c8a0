//! A set of slots as the bus writes it: a bit for each.

use crate::slot::SLOTS;
use alloc::boxed::Box;
use core::fmt;

const BYTES: usize = SLOTS / 8;

/// A set of slots.
#[derive(Clone, PartialEq, Eq)]
pub struct SlotSet(Box<[u8; BYTES]>);

impl Default for SlotSet {
    fn default() -> Self {
        SlotSet(Box::new([0; BYTES]))
    }
}

impl fmt::Debug for SlotSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} slots", self.len())
    }
}

impl SlotSet {
    /// From its bits: slot `n` is bit `n % 8` of byte `n / 8`.
    pub fn from_bytes(bytes: &[u8; BYTES]) -> Self {
        SlotSet(Box::new(*bytes))
    }

    /// Its bits.
    pub fn as_bytes(&self) -> &[u8; BYTES] {
        &self.0
    }

    /// Whether a slot is in it.
    #[inline]
    pub fn contains(&self, slot: u16) -> bool {
        self.0.get(usize::from(slot / 8)).is_some_and(|byte| byte >> (slot % 8) & 1 == 1)
    }

    /// Puts a slot in; whether it was not there.
    pub fn insert(&mut self, slot: u16) -> bool {
        let fresh = !self.contains(slot);
        if let Some(byte) = self.0.get_mut(usize::from(slot / 8)) {
            *byte |= 1 << (slot % 8);
        }
        fresh
    }

    /// Takes a slot out; whether it was there.
    pub fn remove(&mut self, slot: u16) -> bool {
        let found = self.contains(slot);
        if let Some(byte) = self.0.get_mut(usize::from(slot / 8)) {
            *byte &= !(1 << (slot % 8));
        }
        found
    }

    /// Those that are in it and not in `others`.
    pub fn without(&self, others: &SlotSet) -> SlotSet {
        let mut rest = self.clone();
        rest.0.iter_mut().zip(others.0.iter()).for_each(|(bits, others)| *bits &= !others);
        rest
    }

    /// How many are in it.
    pub fn len(&self) -> usize {
        self.0.iter().map(|byte| byte.count_ones() as usize).sum()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|byte| *byte == 0)
    }

    /// The slots in it, rising.
    pub fn iter(&self) -> impl Iterator<Item = u16> + '_ {
        (0..SLOTS as u16).filter(|slot| self.contains(*slot))
    }
}

impl FromIterator<u16> for SlotSet {
    fn from_iter<I: IntoIterator<Item = u16>>(slots: I) -> Self {
        let mut set = SlotSet::default();
        for slot in slots {
            set.insert(slot);
        }
        set
    }
}
