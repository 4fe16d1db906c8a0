//! A run of up to 64 buckets of one cache line each.
//!
//! Invariant of this module: a [`Segment`] is the address of `1 << bits` live buckets, aligned to
//! a cache line, with the segment's depth in the six low bits that the alignment leaves free. Lane
//! `i` of a bucket holds an entry exactly when `tags[i]` is not zero.

use super::entry::Entry;
use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};

/// Entries in a bucket.
pub(super) const LANES: usize = 7;
/// The most buckets in a segment, as a power of two.
pub(super) const MAX_BITS: u32 = 6;
/// How many buckets, from its own on, an entry may lie in.
pub(super) const REACH: usize = 4;

/// One cache line: a tag for each entry, and whether entries of this bucket lie further on.
#[repr(C, align(64))]
pub(super) struct Bucket {
    tags: [u8; LANES],
    overflowed: u8,
    entries: [*mut u8; LANES],
}

const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x0080_8080_8080_8080;

/// The tag of a hash: seven of its low bits, which the position does not depend on.
#[inline]
pub(super) fn tag(hash: u64) -> u8 {
    hash as u8 | 0x80
}

impl Bucket {
    #[inline]
    fn word(&self) -> u64 {
        let [a, b, c, d, e, f, g] = self.tags;
        u64::from_le_bytes([a, b, c, d, e, f, g, 0])
    }

    /// Lanes whose tag is `tag`, as bits 7, 15, 23 …; a few others may be among them.
    #[inline]
    pub(super) fn matches(&self, tag: u8) -> Lanes {
        let x = self.word() ^ (tag as u64).wrapping_mul(LOW);
        Lanes(x.wrapping_sub(LOW) & !x & HIGH)
    }

    /// Lanes that hold an entry.
    #[inline]
    pub(super) fn occupied(&self) -> Lanes {
        Lanes(self.word() & HIGH)
    }

    /// The entry in a lane, if there is one.
    #[inline]
    pub(super) fn entry(&self, lane: usize) -> Option<Entry> {
        // SAFETY: a tag that is not zero says that the lane holds a live entry.
        (self.tags[lane] != 0).then(|| unsafe { Entry::at(self.entries[lane]) })
    }

    /// The address in a lane, live or not.
    #[inline]
    pub(super) fn address(&self, lane: usize) -> *mut u8 {
        self.entries[lane]
    }

    /// Puts an entry into a free lane; `None` when all are taken.
    #[inline]
    pub(super) fn insert(&mut self, hash: u64, entry: Entry) -> Option<usize> {
        let free = !self.word() & HIGH;
        if free == 0 {
            return None;
        }
        let lane = (free.trailing_zeros() >> 3) as usize;
        self.set(lane, tag(hash), entry);
        Some(lane)
    }

    fn set(&mut self, lane: usize, tag: u8, entry: Entry) {
        self.tags[lane] = tag;
        self.entries[lane] = entry.address();
    }

    /// Notes that an entry of a lane has moved to another address.
    #[inline]
    pub(super) fn moved(&mut self, lane: usize, entry: Entry) {
        self.entries[lane] = entry.address();
    }

    pub(super) fn clear(&mut self, lane: usize) {
        self.tags[lane] = 0;
    }

    #[inline]
    pub(super) fn overflowed(&self) -> bool {
        self.overflowed != 0
    }

    fn entries(&self) -> impl Iterator<Item = Entry> {
        self.occupied().filter_map(|lane| self.entry(lane))
    }
}

/// A set of lanes.
#[derive(Clone, Copy)]
pub(super) struct Lanes(u64);

impl Iterator for Lanes {
    type Item = usize;
    #[inline]
    fn next(&mut self) -> Option<usize> {
        if self.0 == 0 {
            return None;
        }
        let lane = (self.0.trailing_zeros() >> 3) as usize;
        self.0 &= self.0 - 1;
        Some(lane)
    }
}

/// Address and depth of a run of buckets. The table owns it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Segment(usize);

impl Segment {
    /// An empty segment of `1 << bits` buckets.
    pub(super) fn new(depth: u32, bits: u32) -> Segment {
        debug_assert!(depth < 64 && bits <= MAX_BITS);
        let layout = layout(bits);
        // SAFETY: the layout is not empty; all-zero bytes are empty buckets.
        let p = unsafe { alloc_zeroed(layout) };
        if p.is_null() {
            handle_alloc_error(layout);
        }
        Segment(p as usize | depth as usize)
    }

    /// How many leading bits of the hash its entries share.
    #[inline]
    pub(super) fn depth(self) -> u32 {
        (self.0 & 63) as u32
    }

    /// A bucket by its number.
    ///
    /// # Safety
    /// `index < 1 << bits`, and the segment is live and not being changed.
    #[inline]
    pub(super) unsafe fn bucket<'a>(self, index: usize) -> &'a Bucket {
        // SAFETY: as the caller promises.
        unsafe { &*((self.0 & !63) as *const Bucket).add(index) }
    }

    /// A bucket by its number, for changing.
    ///
    /// # Safety
    /// As [`Segment::bucket`], and no other reference to the bucket is alive.
    #[inline]
    pub(super) unsafe fn bucket_mut<'a>(self, index: usize) -> &'a mut Bucket {
        // SAFETY: as the caller promises.
        unsafe { &mut *((self.0 & !63) as *mut Bucket).add(index) }
    }

    /// Puts an entry into its bucket or one of those after it; `None` when they are full.
    ///
    /// # Safety
    /// The segment is live with `bits`, and no reference into it is alive.
    pub(super) unsafe fn insert(
        self,
        bits: u32,
        hash: u64,
        entry: Entry,
    ) -> Option<(usize, usize)> {
        let (home, mask) = (home(hash, self.depth(), bits), (1 << bits) - 1);
        for step in 0..REACH.min(1 << bits) {
            let index = (home + step) & mask;
            // SAFETY: masked; as the caller promises.
            let bucket = unsafe { self.bucket_mut(index) };
            if let Some(lane) = bucket.insert(hash, entry) {
                return Some((index, lane));
            }
            bucket.overflowed = 1;
        }
        None
    }

    /// All entries.
    ///
    /// # Safety
    /// The segment is live with `bits` and not changed while the iterator lives.
    pub(super) unsafe fn entries(self, bits: u32) -> impl Iterator<Item = Entry> {
        // SAFETY: as the caller promises.
        (0..1usize << bits).flat_map(move |i| unsafe { self.bucket(i) }.entries())
    }

    /// Frees the buckets, not the entries.
    ///
    /// # Safety
    /// The segment is live with `bits`, and forgotten by its owner.
    pub(super) unsafe fn free(self, bits: u32) {
        // SAFETY: made by `new` with this layout.
        unsafe { dealloc((self.0 & !63) as *mut u8, layout(bits)) };
    }
}

/// The bucket a hash belongs to: the bits that follow the segment's own prefix.
#[inline]
pub(super) fn home(hash: u64, depth: u32, bits: u32) -> usize {
    ((hash << depth) >> 1 >> (63 - bits)) as usize
}

fn layout(bits: u32) -> Layout {
    Layout::array::<Bucket>(1 << bits).expect("a segment is at most four KiB")
}
