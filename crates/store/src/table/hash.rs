//! The keyed hash of keys.

use siphasher::sip::SipHasher13;

/// The hash of a key. Its leading bits are the key's position, its low ones the tag.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Hash(pub(crate) u64);

/// SipHash-1-3 under a key that clients cannot know, so that they cannot choose colliding keys.
#[derive(Clone, Copy)]
pub struct Hasher(SipHasher13);

impl Hasher {
    /// A hasher with this secret.
    pub fn new(secret: [u8; 16]) -> Self {
        Hasher(SipHasher13::new_with_key(&secret))
    }

    /// The hash of a key.
    #[inline]
    pub fn hash(&self, key: &[u8]) -> Hash {
        Hash(self.0.hash(key))
    }
}
