//! DEBUG DIGEST: a number that two servers share exactly when their data is equal.
//!
//! The digest of a key is a chain of SHA-1 sums over its name, its type and its value; whether it
//! expires counts, when does not. Those of all keys are joined by XOR, so that their order does
//! not matter. The steps are Redis's, so that its digests can be compared with ours.

use crate::keyspace::Keyspace;
use crate::table::EntryRef;
use sha1::{Digest as _, Sha1};

/// Twenty bytes; shown as forty hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Digest([u8; 20]);

/// What stands for a string in a digest.
const STRING: [u8; 4] = 0u32.to_be_bytes();
/// What stands for an expiry.
const EXPIRES: &[u8] = b"!!expire!!";

impl Digest {
    /// Adds `bytes` so that their place among others does not matter.
    fn join(&mut self, bytes: &[u8]) {
        let sum = Sha1::digest(bytes);
        self.0.iter_mut().zip(sum).for_each(|(byte, other)| *byte ^= other);
    }

    /// Adds `bytes` so that their place does matter.
    fn chain(&mut self, bytes: &[u8]) {
        self.join(bytes);
        self.0 = Sha1::digest(self.0).into();
    }

    fn chain_value(&mut self, entry: EntryRef<'_>) {
        self.chain(&STRING);
        self.chain(&entry.view().to_vec());
        if entry.expires().is_some() {
            self.join(EXPIRES);
        }
    }

    /// The digest of a value, its key left out.
    pub fn of_value(entry: EntryRef<'_>) -> Digest {
        let mut digest = Digest::default();
        digest.chain_value(entry);
        digest
    }

    /// The digest of everything.
    pub fn of_all(keyspace: &Keyspace) -> Digest {
        let mut all = Digest::default();
        for db in 0..keyspace.databases() {
            if keyspace.len(db) == 0 {
                continue;
            }
            all.chain(&db.to_be_bytes());
            for (_, table) in keyspace.tables(db) {
                let mut position = 0;
                loop {
                    position = table.scan(position, |entry| {
                        let mut digest = Digest::default();
                        digest.chain(entry.key());
                        digest.chain_value(entry);
                        all.join(&digest.0);
                    });
                    if position == 0 {
                        break;
                    }
                }
            }
        }
        all
    }
}

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyspace::Place;
    use crate::value::New;

    fn put(keyspace: &mut Keyspace, key: &[u8], value: &[u8], expires: Option<u64>) {
        let hash = keyspace.hash(key);
        keyspace.edit(Place::new(0, 0), hash, key).put(New::string(value), expires);
    }

    #[test]
    fn order_and_secret_do_not_matter_and_content_does() {
        let mut one = Keyspace::new(2, false, [1; 16]);
        let mut other = Keyspace::new(2, false, [2; 16]);
        assert_eq!(Digest::of_all(&one).to_string(), "0".repeat(40));
        put(&mut one, b"a", b"1", None);
        put(&mut one, b"b", b"2", Some(9));
        put(&mut other, b"b", b"2", Some(10));
        put(&mut other, b"a", b"1", None);
        let equal = Digest::of_all(&one);
        assert_eq!(equal, Digest::of_all(&other));
        put(&mut other, b"b", b"2", None);
        assert_ne!(equal, Digest::of_all(&other));
        put(&mut other, b"b", b"2", Some(9));
        other.swap(0, 1, 0);
        assert_ne!(equal, Digest::of_all(&other));
    }
}
