//! Which history a position belongs to.

use core::fmt;

/// The name of a history: forty hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplicationId([u8; 40]);

impl ReplicationId {
    /// From random bits.
    pub fn random(mut chance: impl FnMut() -> u64) -> Self {
        let mut id = [0; 40];
        for digits in id.chunks_mut(16) {
            let mut bits = chance();
            for digit in digits {
                *digit = b"0123456789abcdef"[(bits & 15) as usize];
                bits >>= 4;
            }
        }
        ReplicationId(id)
    }

    /// As it stands on the wire; anything but forty printable bytes is none.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let id: [u8; 40] = text.try_into().ok()?;
        id.iter().all(u8::is_ascii_alphanumeric).then_some(ReplicationId(id))
    }

    /// Its digits.
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for ReplicationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for ReplicationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The history a node is in, and the one it came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Identity {
    /// `master_replid`.
    pub id: ReplicationId,
    /// `master_replid2`, with the position up to which the two histories are the same.
    pub previous: Option<(ReplicationId, u64)>,
}

impl Identity {
    /// A history that begins here.
    pub fn new(id: ReplicationId) -> Self {
        Identity { id, previous: None }
    }

    /// A new history that goes on from `position` of this one, as when a replica is promoted.
    #[must_use]
    pub fn branch(self, id: ReplicationId, position: u64) -> Self {
        Identity { id, previous: Some((self.id, position)) }
    }

    /// Whether what `id` says of the stream up to `position` is true here too.
    pub fn shares(&self, id: ReplicationId, position: u64) -> bool {
        id == self.id
            || self.previous.is_some_and(|(previous, upto)| id == previous && position <= upto)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branch_shares_the_past_and_not_the_future() {
        let old = ReplicationId::parse(&[b'a'; 40]).unwrap();
        let new = ReplicationId::random(|| 0x0123_4567_89ab_cdef);
        let identity = Identity::new(old).branch(new, 100);
        assert!(identity.shares(new, 1_000_000));
        assert!(identity.shares(old, 100));
        assert!(!identity.shares(old, 101));
        assert_eq!(ReplicationId::parse(b"short"), None);
        assert_eq!(new.as_str().len(), 40);
    }
}
