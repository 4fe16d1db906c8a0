//! A key and its value in one allocation.
//!
//! ```text
//! 0      3    4     5      6        8
//! access meta flags keylen vallen u16 [expiry u64, index u32] [keylen u32] key value
//! ```
//!
//! `access` is the LRU clock or LFU counter (24 bits), `meta` the type and the encoding. The expiry
//! and its place in the table's index exist only with [`TTL`], the long key length only with
//! [`LONG_KEY`]. The value is `vallen` bytes, an `i64`, or a `Box<Big>` as a pointer.
//!
//! Invariant of this module: an [`Entry`] points to a live allocation made by [`Entry::new`], laid
//! out as its own header says. The table that holds it owns it and frees it once.

use crate::value::{Big, Kind, New, View};
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ptr::{self, NonNull};

const HEADER: usize = 8;
const META: usize = 3;
const FLAGS: usize = 4;
const KEYLEN: usize = 5;
const VALLEN: usize = 6;
/// Expiry (8) and index (4).
const TTL_BYTES: usize = 12;

const TTL: u8 = 1;
const LONG_KEY: u8 = 2;

const INLINE: u8 = 0;
const INT: u8 = 1;
const BIG: u8 = 2;
/// As [`INLINE`], after a change in place; only OBJECT ENCODING tells them apart.
const RAW: u8 = 3;

/// An owned entry, by address. Copying it copies the address only.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub(super) struct Entry(NonNull<u8>);

impl Entry {
    /// Makes an entry. `expires` is in Unix milliseconds; its index is set by the table.
    pub(super) fn new(key: &[u8], value: New<'_>, expires: Option<u64>) -> Entry {
        // Longer ones are refused where they come in; here a wrong length would corrupt memory.
        assert!(u32::try_from(key.len()).is_ok(), "a key is shorter than 4 GiB");
        let mut flags = 0;
        let mut prefix = HEADER;
        if expires.is_some() {
            flags |= TTL;
            prefix += TTL_BYTES;
        }
        if key.len() > u8::MAX as usize {
            flags |= LONG_KEY;
            prefix += 4;
        }
        let (encoding, vallen) = match &value {
            New::Bytes(bytes) => (INLINE, bytes.len()),
            New::Raw(bytes) => (RAW, bytes.len()),
            New::Int(_) => (INT, 8),
            New::Big(_) => (BIG, 8),
        };
        let entry = Entry::allocate(layout(prefix + key.len() + vallen));
        // SAFETY: the allocation is at least `prefix + key + value` bytes, `prefix` as large as
        // the optional fields written; nothing else knows it yet.
        unsafe {
            let p = entry.0.as_ptr();
            ptr::write_bytes(p, 0, HEADER);
            *p.add(META) = Kind::String as u8 | encoding << 4;
            *p.add(FLAGS) = flags;
            *p.add(KEYLEN) = key.len() as u8;
            p.add(VALLEN).cast::<u16>().write_unaligned(vallen as u16);
            if let Some(at) = expires {
                p.add(HEADER).cast::<u64>().write_unaligned(at);
                p.add(HEADER + 8).cast::<u32>().write_unaligned(0);
            }
            if flags & LONG_KEY != 0 {
                p.add(prefix - 4).cast::<u32>().write_unaligned(key.len() as u32);
            }
            ptr::copy_nonoverlapping(key.as_ptr(), p.add(prefix), key.len());
            write_value(p.add(prefix + key.len()), value);
        }
        entry
    }

    fn allocate(layout: Layout) -> Entry {
        // SAFETY: the layout is never empty, it has at least a header.
        let p = unsafe { alloc(layout) };
        Entry(NonNull::new(p).unwrap_or_else(|| handle_alloc_error(layout)))
    }

    /// The address, for the table's buckets.
    pub(super) fn address(self) -> *mut u8 {
        self.0.as_ptr()
    }

    /// An entry by the address of a live one.
    ///
    /// # Safety
    /// `address` came from [`Entry::address`] and has not been freed.
    pub(super) unsafe fn at(address: *mut u8) -> Entry {
        // SAFETY: as the caller promises; addresses of entries are not null.
        Entry(unsafe { NonNull::new_unchecked(address) })
    }

    #[inline]
    fn byte(self, at: usize) -> u8 {
        // SAFETY: `at` lies in the header of a live entry.
        unsafe { *self.0.as_ptr().add(at) }
    }

    /// Where the key starts, and its length.
    #[inline]
    fn key_span(self) -> (usize, usize) {
        let flags = self.byte(FLAGS);
        if flags == 0 {
            return (HEADER, self.byte(KEYLEN) as usize);
        }
        let start = HEADER + if flags & TTL != 0 { TTL_BYTES } else { 0 };
        if flags & LONG_KEY == 0 {
            return (start, self.byte(KEYLEN) as usize);
        }
        // SAFETY: LONG_KEY says that four bytes of length stand here.
        let len = unsafe { self.0.as_ptr().add(start).cast::<u32>().read_unaligned() };
        (start + 4, len as usize)
    }

    #[inline]
    pub(super) fn key<'a>(self) -> &'a [u8] {
        let (start, len) = self.key_span();
        // SAFETY: the key's bytes were written by `new` and are never changed.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr().add(start), len) }
    }

    #[inline]
    fn value_len(self) -> usize {
        // SAFETY: within the header.
        unsafe { self.0.as_ptr().add(VALLEN).cast::<u16>().read_unaligned() as usize }
    }

    #[inline]
    fn value_at(self) -> *mut u8 {
        let (start, len) = self.key_span();
        // SAFETY: the value follows the key in the same allocation.
        unsafe { self.0.as_ptr().add(start + len) }
    }

    fn encoding(self) -> u8 {
        self.byte(META) >> 4
    }

    #[inline]
    pub(super) fn view<'a>(self) -> View<'a> {
        let p = self.value_at();
        match self.encoding() {
            INLINE | RAW => {
                // SAFETY: an inline value is `vallen` initialised bytes.
                View::Bytes(unsafe { std::slice::from_raw_parts(p, self.value_len()) })
            }
            // SAFETY: an integer is eight initialised bytes.
            INT => View::Int(unsafe { p.cast::<i64>().read_unaligned() }),
            // SAFETY: a big value is the pointer of a leaked box that this entry owns.
            _ => View::Big(unsafe { &*p.cast::<*const Big>().read_unaligned() }),
        }
    }

    /// Whether a short string was changed in place.
    pub(super) fn is_raw(self) -> bool {
        self.encoding() == RAW
    }

    /// The big value for changing.
    ///
    /// # Safety
    /// No other reference to it may be alive.
    pub(super) unsafe fn big_mut<'a>(self) -> Option<&'a mut Big> {
        if self.encoding() != BIG {
            return None;
        }
        // SAFETY: as in `view`; the caller promises that the reference is the only one.
        Some(unsafe { &mut *self.value_at().cast::<*mut Big>().read_unaligned() })
    }

    /// Overwrites an integer in place; whether there was one.
    pub(super) fn set_int(self, n: i64) -> bool {
        if self.encoding() != INT {
            return false;
        }
        // SAFETY: an integer is eight bytes, and the table hands out no reference to them.
        unsafe { self.value_at().cast::<i64>().write_unaligned(n) };
        true
    }

    /// Puts a value in place of the old one; possibly at a new address, the old one being freed.
    pub(super) fn replace(self, value: New<'_>) -> Entry {
        if let (New::Bytes(bytes), INLINE) | (New::Raw(bytes), RAW) = (&value, self.encoding()) {
            let (start, keylen) = self.key_span();
            let without = start + keylen;
            if layout(without + bytes.len()) == self.layout() {
                // SAFETY: the allocation has room for it, as the equal layouts show; `bytes`
                // comes from a request or a scratch buffer and cannot overlap.
                unsafe {
                    let p = self.0.as_ptr();
                    p.add(VALLEN).cast::<u16>().write_unaligned(bytes.len() as u16);
                    ptr::copy_nonoverlapping(bytes.as_ptr(), p.add(without), bytes.len());
                }
                return self;
            }
        }
        if let New::Int(n) = value
            && self.set_int(n)
        {
            return self;
        }
        let new = Entry::new(self.key(), value, self.expires());
        new.inherit(self);
        self.free();
        new
    }

    /// Gives the entry an expiry or takes it away; possibly at a new address.
    pub(super) fn set_expires(self, expires: Option<u64>) -> Entry {
        if let (Some(at), true) = (expires, self.has_ttl()) {
            // SAFETY: TTL says that the field exists.
            unsafe { self.0.as_ptr().add(HEADER).cast::<u64>().write_unaligned(at) };
            return self;
        }
        if expires.is_none() && !self.has_ttl() {
            return self;
        }
        // A big value changes hands as the eight bytes of its pointer; anything else is copied.
        let value = match self.view() {
            View::Bytes(bytes) => New::Bytes(bytes),
            View::Int(n) => New::Int(n),
            View::Big(_) => New::Int(self.value_bits()),
        };
        let new = Entry::new(self.key(), value, expires);
        new.inherit(self);
        // SAFETY: copying the meta byte makes `new` the owner of the big value, if there is one;
        // `self` is freed as bytes only.
        unsafe {
            *new.0.as_ptr().add(META) = self.byte(META);
            dealloc(self.0.as_ptr(), self.layout());
        }
        new
    }

    fn value_bits(self) -> i64 {
        // SAFETY: called for values of eight bytes.
        unsafe { self.value_at().cast::<i64>().read_unaligned() }
    }

    fn inherit(self, old: Entry) {
        self.set_access(old.access());
        if self.has_ttl() && old.has_ttl() {
            self.set_index(old.index());
        }
    }

    #[inline]
    pub(super) fn has_ttl(self) -> bool {
        self.byte(FLAGS) & TTL != 0
    }

    #[inline]
    pub(super) fn expires(self) -> Option<u64> {
        // SAFETY: TTL says that the field exists.
        self.has_ttl()
            .then(|| unsafe { self.0.as_ptr().add(HEADER).cast::<u64>().read_unaligned() })
    }

    /// Where the table's expiry index holds it. Only with a TTL.
    pub(super) fn index(self) -> u32 {
        debug_assert!(self.has_ttl());
        // SAFETY: TTL says that the field exists.
        unsafe { self.0.as_ptr().add(HEADER + 8).cast::<u32>().read_unaligned() }
    }

    pub(super) fn set_index(self, index: u32) {
        debug_assert!(self.has_ttl());
        // SAFETY: TTL says that the field exists.
        unsafe { self.0.as_ptr().add(HEADER + 8).cast::<u32>().write_unaligned(index) };
    }

    /// The 24 bits of LRU clock or LFU counter.
    #[inline]
    pub(super) fn access(self) -> u32 {
        u32::from_le_bytes([self.byte(0), self.byte(1), self.byte(2), 0])
    }

    /// Sets the access bits; writes nothing when they are the same, to keep the line clean.
    #[inline]
    pub(super) fn set_access(self, access: u32) {
        if self.access() != access {
            let [a, b, c, _] = access.to_le_bytes();
            // SAFETY: the first three bytes of the header; no reference to them is handed out.
            unsafe { ptr::copy_nonoverlapping([a, b, c].as_ptr(), self.0.as_ptr(), 3) };
        }
    }

    /// Bytes of memory it accounts for, with a big value.
    pub(super) fn footprint(self) -> usize {
        let big = match self.view() {
            View::Big(big) => big.footprint() + size_of::<Big>(),
            _ => 0,
        };
        self.layout().size() + big
    }

    fn layout(self) -> Layout {
        let (start, len) = self.key_span();
        layout(start + len + self.value_len())
    }

    /// Ends the entry and its value.
    pub(super) fn free(self) {
        let size = self.layout();
        // SAFETY: the caller owns the entry and forgets it; a big value is a leaked box.
        unsafe {
            if self.encoding() == BIG {
                drop(Box::from_raw(self.value_at().cast::<*mut Big>().read_unaligned()));
            }
            dealloc(self.0.as_ptr(), size);
        }
    }
}

/// Sizes are rounded so that a value may change its length a little without moving.
fn layout(size: usize) -> Layout {
    Layout::from_size_align(size.next_multiple_of(8), 8).expect("an entry is far below isize::MAX")
}

/// # Safety
/// `at` has room for the value.
unsafe fn write_value(at: *mut u8, value: New<'_>) {
    // SAFETY: as the caller promises.
    unsafe {
        match value {
            New::Bytes(bytes) | New::Raw(bytes) => {
                ptr::copy_nonoverlapping(bytes.as_ptr(), at, bytes.len());
            }
            New::Int(n) => at.cast::<i64>().write_unaligned(n),
            New::Big(big) => at.cast::<*mut Big>().write_unaligned(Box::into_raw(Box::new(big))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn every_layout_gives_back_what_was_put_in() {
        for keylen in [0, 1, 255, 256, 70_000] {
            let key = vec![b'k'; keylen];
            for expires in [None, Some(1 << 40)] {
                for value in [
                    New::Int(-5),
                    New::Bytes(b""),
                    New::Bytes(&[7; 4096]),
                    New::Raw(b"raw"),
                    New::Big(Big::Shared(Arc::from(vec![9; 5000]))),
                ] {
                    let want = format!("{value:?}");
                    let entry = Entry::new(&key, value, expires);
                    entry.set_access(0xABCDEF);
                    let entry = entry.set_expires(Some(77));
                    entry.set_index(12);
                    let entry = entry.set_expires(None).set_expires(expires);
                    assert_eq!(entry.key(), key);
                    assert_eq!(entry.expires(), expires);
                    assert_eq!(entry.access(), 0xABCDEF);
                    let got = match entry.view() {
                        View::Int(n) => format!("{:?}", New::Int(n)),
                        View::Bytes(b) if entry.is_raw() => format!("{:?}", New::Raw(b)),
                        View::Bytes(b) => format!("{:?}", New::Bytes(b)),
                        View::Big(b) => format!("{:?}", New::Big(b.clone())),
                    };
                    assert_eq!(got, want);
                    entry.free();
                }
            }
        }
    }

    #[test]
    fn a_value_of_nearly_the_same_length_stays_in_place() {
        let entry = Entry::new(b"key", New::Bytes(b"12345"), None);
        let again = entry.replace(New::Bytes(b"1234"));
        assert_eq!(entry, again);
        let moved = again.replace(New::Bytes(&[1; 99]));
        assert!(matches!(moved.view(), View::Bytes(b) if b == [1; 99]));
        moved.free();
    }
}
