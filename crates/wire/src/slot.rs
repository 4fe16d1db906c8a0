//! Which of a cluster's slots a key lives in.

use crc::{CRC_16_XMODEM, Crc, Table};

/// How many slots a cluster divides.
pub const SLOTS: usize = 16384;

static CRC: Crc<u16, Table<16>> = Crc::<u16, Table<16>>::new(&CRC_16_XMODEM);

/// The slot of a key.
#[inline]
pub fn slot(key: &[u8]) -> u16 {
    CRC.checksum(hash_tag(key)) % SLOTS as u16
}

/// The part of a key that decides its slot: what stands between the first `{` and the next `}`, if
/// anything does, else the whole.
#[inline]
pub fn hash_tag(key: &[u8]) -> &[u8] {
    let Some(open) = memchr::memchr(b'{', key) else { return key };
    let tag = &key[open + 1..];
    match memchr::memchr(b'}', tag) {
        None | Some(0) => key,
        Some(close) => &tag[..close],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_slots() {
        assert_eq!(CRC.checksum(b"123456789"), 0x31c3);
        assert_eq!(slot(b""), 0);
        assert_eq!(slot(b"foo"), 12182);
        assert_eq!(slot(b"bar"), 5061);
        assert_eq!(slot(b"hello"), 866);
    }

    #[test]
    fn hash_tags() {
        assert_eq!(hash_tag(b"{user1}.following"), b"user1");
        assert_eq!(hash_tag(b"foo{}{bar}"), b"foo{}{bar}");
        assert_eq!(hash_tag(b"foo{{bar}}zap"), b"{bar");
        assert_eq!(hash_tag(b"foo{bar}{zap}"), b"bar");
        assert_eq!(hash_tag(b"foo{bar"), b"foo{bar");
        assert_eq!(slot(b"{foo}x"), slot(b"foo"));
    }
}
