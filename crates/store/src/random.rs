//! A small generator of numbers that only have to look random.

/// SplitMix64: the same seed gives the same numbers, so that a run can be repeated.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Numbers from a seed.
    pub fn new(seed: u64) -> Self {
        Random(seed)
    }

    /// From both halves of the keyspace's secret, mixed once so that no number shows a half.
    pub(crate) fn from_secret(secret: [u8; 16]) -> Self {
        let secret = u128::from_le_bytes(secret);
        let mut mixed = Random(secret as u64);
        let low = mixed.number();
        Random(low ^ (secret >> 64) as u64)
    }

    /// The next number.
    #[inline]
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `end`, or 0 when there is none.
    #[inline]
    pub fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.number()) * u128::from(end)) >> 64) as u64
    }
}
