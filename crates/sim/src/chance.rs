//! Chance from a seed: xoshiro256++, the same on every platform and in every version.

/// A generator of chance.
#[derive(Clone, Debug)]
pub struct Chance([u64; 4]);

impl Chance {
    /// The generator of this seed.
    pub fn new(seed: u64) -> Self {
        let mut state = seed;
        // splitmix64, as the authors of xoshiro advise, spreads the seed.
        Chance(std::array::from_fn(|_| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        }))
    }

    /// The next 64 bits.
    pub fn draw(&mut self) -> u64 {
        let s = &mut self.0;
        let result = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// A number from `from` up to and without `to`, which must be larger.
    pub fn between(&mut self, from: u64, to: u64) -> u64 {
        assert!(from < to, "an empty range");
        let wide = u128::from(self.draw()) * u128::from(to - from);
        from + (wide >> 64) as u64
    }

    /// Heads in one of `n` throws.
    pub fn one_in(&mut self, n: u64) -> bool {
        self.between(0, n) == 0
    }
}
