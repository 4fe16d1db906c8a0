//! Giving buckets back: two neighbours that were one segment before become one again.
//!
//! A position is a prefix of a hash, and joining only makes it coarser: a cursor in the middle of
//! what has been joined leads to all of it. So a scan misses nothing; it may see entries twice.

use super::segment::{LANES, MAX_BITS, Segment};
use super::{Head, Table};
use crate::snapshot::Snapshot;

/// Two segments with no more entries than this become one, which is then half full.
const JOINED: usize = (LANES << MAX_BITS) / 2;

impl Table {
    /// Whether so few entries are left that joining segments would save most of the buckets.
    pub(crate) fn is_sparse(&self) -> bool {
        self.segments > 1 && self.len < self.segments * JOINED / 2
    }

    /// Joins the segment at `position`, a hash prefix, with the one it was split from, if all of
    /// their entries have room in one. Returns the position of the next segment, 0 at the end, and
    /// whether one was saved.
    pub(crate) fn shrink(&mut self, position: u64, snapshot: &mut Snapshot) -> (u64, bool) {
        let segment = self.segment(position);
        let depth = segment.depth();
        if depth == 0 {
            return (0, false);
        }
        let below = 64 - depth;
        let prefix = position >> below;
        // The shift drops the carry of the last one, which leaves the end mark.
        let next = (prefix + 1) << below;
        let first = prefix & !1;
        let pair = [first << below, (first + 1) << below];
        let halves = pair.map(|position| self.segment(position));
        if halves.iter().any(|half| half.depth() != depth) {
            return (next, false);
        }
        // SAFETY: both are in the directory and so live, with `bits`; nothing is changed here.
        let count = |half: Segment| unsafe { half.entries(self.bits) }.count();
        if halves.into_iter().map(count).sum::<usize>() > JOINED {
            return (next, false);
        }
        if snapshot.is_running() {
            pair.into_iter().for_each(|position| self.capture_segment(position, snapshot));
        }
        // Where it ended up, there may be more to join.
        match self.join(halves, pair[0], snapshot.number()) {
            true => (pair[0], true),
            false => (next, false),
        }
    }

    /// Puts the entries of two segments into one, with one bit of prefix less; not if one finds no
    /// room by chance. All buckets have been taken by a snapshot that runs, the one of this number.
    fn join(&mut self, halves: [Segment; 2], position: u64, seen: u32) -> bool {
        let depth = halves[0].depth() - 1;
        let joined = Segment::new(depth, self.bits);
        for half in halves {
            // SAFETY: `half` is live with `bits`, and `joined` is fresh, has `bits` as well, and
            // nothing refers into it.
            unsafe {
                for entry in half.entries(self.bits) {
                    let hash = self.hasher.hash(entry.key()).0;
                    if joined.insert(self.bits, hash, entry).is_none() {
                        joined.free(self.bits);
                        return false;
                    }
                }
            }
        }
        let span = 1 << (self.depth - depth);
        let from = self.head_index(position, halves[0]);
        self.directory[from..from + span].fill(joined);
        self.heads[from] = Head { seen, written: u64::MAX };
        self.segments -= 1;
        for half in halves {
            // SAFETY: no place of the directory leads to it any more; its entries are in `joined`.
            unsafe { half.free(self.bits) };
        }
        true
    }
}
