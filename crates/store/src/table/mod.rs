//! The keyspace's hash table.
//!
//! A directory of segments, indexed by the leading bits of the hash. A segment has 64 buckets of
//! one cache line, seven entries each; it splits alone when it is full, so growing never stalls.
//! The position of an entry is a *prefix of its hash*, which a split only makes finer: a cursor
//! that is such a prefix neither misses nor repeats an entry that stays. A small table starts with
//! one bucket and doubles up to a whole segment.
//!
//! A running snapshot must see the table as it was at its start. Every change goes through
//! [`Table::edit`], which lets the snapshot take the bucket's entries first.

#![allow(unsafe_code)]

mod entry;
mod hash;
mod segment;
mod shrink;

pub use hash::{Hash, Hasher};

use crate::snapshot::Snapshot;
use crate::value::{Big, New, View};
use entry::Entry;
use segment::{Bucket, LANES, MAX_BITS, REACH, Segment, home, tag};
use std::marker::PhantomData;
use std::num::NonZeroUsize;

/// What a snapshot remembers of a segment. Kept beside the directory, at the first of the places
/// that lead to the segment, because only a running snapshot reads it.
#[derive(Clone, Copy, Default)]
struct Head {
    /// The snapshot that `written` belongs to; any other number means that nothing is written.
    seen: u32,
    /// The buckets that snapshot has taken.
    written: u64,
}

/// A hash table of entries. See the module's documentation.
///
/// What a look-up needs comes first and lies on one cache line: in a cluster each slot has a table,
/// and hardly any of them is in the cache.
#[repr(C, align(64))]
pub struct Table {
    /// Leading hash bits that index the directory.
    depth: u32,
    /// Buckets in a segment, as a power of two; below [`MAX_BITS`] only while there is one segment.
    bits: u32,
    /// The segment, while there is only one: a look-up is spared the way through the directory.
    only: Segment,
    directory: Vec<Segment>,
    heads: Vec<Head>,
    len: usize,
    /// Entries with an expiry; each knows its place here.
    volatile: Vec<Entry>,
    /// Bytes of all entries and their values.
    footprint: usize,
    /// How many segments there are.
    segments: usize,
    hasher: Hasher,
    /// The database a running snapshot knows this table by.
    pub(crate) label: u32,
    /// The database it is in now.
    pub(crate) database: u32,
}

// SAFETY: a table owns its segments and entries, and nothing else refers to them.
unsafe impl Send for Table {}

/// Where an entry is: the address of its bucket, and its lane in the six low bits. One word, so
/// that handing it on costs a register (see [`crate::keyspace::Place`]).
///
/// Invariant: valid from the look-up that made it until the table changes otherwise.
#[derive(Clone, Copy)]
struct Place(NonZeroUsize);

impl Place {
    #[inline]
    fn new(bucket: &Bucket, lane: usize) -> Place {
        let address = std::ptr::from_ref(bucket) as usize;
        debug_assert!(lane < LANES && address.is_multiple_of(64));
        Place(NonZeroUsize::new(address | lane).expect("a reference is not null"))
    }

    #[inline]
    fn lane(self) -> usize {
        self.0.get() & 63
    }

    #[inline]
    fn bucket(self) -> *mut Bucket {
        (self.0.get() & !63) as *mut Bucket
    }

    /// The entry there.
    #[inline]
    fn entry(self) -> Entry {
        // SAFETY: by the invariant the bucket is live and the lane holds an entry.
        unsafe { Entry::at((*self.bucket()).address(self.lane())) }
    }
}

/// An entry as a reader sees it.
#[derive(Clone, Copy)]
pub struct EntryRef<'a> {
    entry: Entry,
    table: PhantomData<&'a Table>,
}

impl<'a> EntryRef<'a> {
    fn new(entry: Entry) -> Self {
        EntryRef { entry, table: PhantomData }
    }
    /// The key.
    #[inline]
    pub fn key(self) -> &'a [u8] {
        self.entry.key()
    }
    /// The value.
    #[inline]
    pub fn view(self) -> View<'a> {
        self.entry.view()
    }
    /// When it expires, in Unix milliseconds.
    #[inline]
    pub fn expires(self) -> Option<u64> {
        self.entry.expires()
    }
    /// The 24 bits of LRU clock or LFU counter.
    #[inline]
    pub fn access(self) -> u32 {
        self.entry.access()
    }
    /// Sets the access bits, which are no part of the data.
    #[inline]
    pub fn set_access(self, access: u32) {
        self.entry.set_access(access);
    }
    /// Whether the value is a short string that was changed in place.
    pub fn is_raw(self) -> bool {
        self.entry.is_raw()
    }
    /// Bytes of memory of the entry and its value.
    pub fn footprint(self) -> usize {
        self.entry.footprint()
    }
}

impl Table {
    /// An empty table.
    pub fn new(hasher: Hasher) -> Self {
        let only = Segment::new(0, 0);
        Table {
            depth: 0,
            bits: 0,
            only,
            directory: vec![only],
            heads: vec![Head::default()],
            len: 0,
            volatile: Vec::new(),
            footprint: 0,
            segments: 1,
            hasher,
            label: 0,
            database: 0,
        }
    }

    /// How many entries it has.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many entries have an expiry.
    pub fn volatile_len(&self) -> usize {
        self.volatile.len()
    }

    /// Bytes of all entries and their values, without the buckets.
    pub fn footprint(&self) -> usize {
        self.footprint
    }

    /// Bytes that the table itself takes, without entries.
    pub fn overhead(&self) -> usize {
        let places = size_of::<Segment>() + size_of::<Head>();
        size_of::<Table>()
            + (self.segments << self.bits) * size_of::<Bucket>()
            + self.directory.capacity() * places
            + self.volatile_overhead()
    }

    /// Of these, the bytes of the list of entries with an expiry.
    pub fn volatile_overhead(&self) -> usize {
        self.volatile.capacity() * size_of::<Entry>()
    }

    #[inline]
    fn segment(&self, hash: u64) -> Segment {
        if self.depth == 0 {
            return self.only;
        }
        self.directory[(hash >> (64 - self.depth)) as usize]
    }

    #[inline]
    fn bucket(&self, segment: Segment, index: usize) -> &Bucket {
        debug_assert!(index < 1 << self.bits);
        // SAFETY: segments in the directory are live and have `1 << bits` buckets; changing one
        // takes `&mut self`.
        unsafe { segment.bucket(index) }
    }

    /// The number of a place's bucket within the segment of its hash.
    fn bucket_index(&self, hash: u64, place: Place) -> usize {
        let first = std::ptr::from_ref(self.bucket(self.segment(hash), 0)) as usize;
        (place.bucket() as usize - first) / size_of::<Bucket>()
    }

    #[inline]
    fn find(&self, hash: Hash, key: &[u8]) -> Option<Place> {
        let hash = hash.0;
        let segment = self.segment(hash);
        let first = home(hash, segment.depth(), self.bits);
        let mask = (1 << self.bits) - 1;
        for step in 0..REACH {
            let index = (first + step) & mask;
            let bucket = self.bucket(segment, index);
            for lane in bucket.matches(tag(hash)) {
                if let Some(entry) = bucket.entry(lane)
                    && entry.key() == key
                {
                    return Some(Place::new(bucket, lane));
                }
            }
            if !bucket.overflowed() {
                return None;
            }
        }
        None
    }

    /// The entry of a key, expired or not.
    #[inline]
    pub fn get(&self, hash: Hash, key: &[u8]) -> Option<EntryRef<'_>> {
        self.find(hash, key).map(|place| EntryRef::new(place.entry()))
    }

    /// Brings what a look-up needs of the table itself towards the processor.
    #[inline]
    pub fn prefetch(&self) {
        prefetch(self);
    }

    /// Brings the bucket of a hash towards the processor.
    #[inline]
    pub fn prefetch_bucket(&self, hash: Hash) {
        let segment = self.segment(hash.0);
        prefetch(self.bucket(segment, home(hash.0, segment.depth(), self.bits)));
    }

    /// Brings the entry that a hash most likely belongs to towards the processor, as many bytes
    /// of it as a value of `len` bytes may take. Worth it after [`Table::prefetch_bucket`] has had
    /// time to work.
    #[inline]
    pub fn prefetch_entry(&self, hash: Hash, len: usize) {
        /// Beyond this the processor's own prefetching has caught on.
        const MOST: usize = 512;
        let segment = self.segment(hash.0);
        let bucket = self.bucket(segment, home(hash.0, segment.depth(), self.bits));
        if let Some(lane) = bucket.matches(tag(hash.0)).next() {
            let hint = bucket.address(lane);
            // The header, the key and where the allocation starts within a line.
            for line in (0..96 + len.min(MOST)).step_by(64) {
                prefetch(hint.wrapping_add(line));
            }
        }
    }

    /// The one way to change the table: looks a key up and lets the snapshot take what is about to
    /// change.
    #[inline(always)]
    pub fn edit<'t, 'k>(
        &'t mut self,
        hash: Hash,
        key: &'k [u8],
        snapshot: &'t mut Snapshot,
    ) -> Edit<'t, 'k> {
        let place = self.find(hash, key);
        Edit { table: self, snapshot, hash, key, place, access: 0 }
    }

    /// Entries whose hash lies in the bucket at `position`, a hash prefix; returns the position
    /// of the next bucket, 0 at the end.
    pub fn scan<'t>(&'t self, position: u64, mut each: impl FnMut(EntryRef<'t>)) -> u64 {
        let segment = self.segment(position);
        let (depth, bits) = (segment.depth(), self.bits);
        let first = home(position, depth, bits);
        for step in 0..REACH.min(1 << bits) {
            let bucket = self.bucket(segment, (first + step) & ((1 << bits) - 1));
            for entry in bucket.occupied().filter_map(|lane| bucket.entry(lane)) {
                if home(self.hasher.hash(entry.key()).0, depth, bits) == first {
                    each(EntryRef::new(entry));
                }
            }
            if !bucket.overflowed() {
                break;
            }
        }
        let below = 64 - (depth + bits);
        // The shift drops the carry of the last bucket, which leaves the end mark.
        if below == 64 { 0 } else { ((position >> below) + 1) << below }
    }

    /// A random entry; `random` is asked for as many numbers as it takes.
    pub fn random(&self, mut random: impl FnMut() -> u64) -> Option<EntryRef<'_>> {
        if self.len == 0 {
            return None;
        }
        // At ordinary loads half of the tries hit; a nearly empty table is searched onwards.
        for _ in 0..64 {
            let r = random();
            let bucket = self.bucket(self.segment(r), (r & ((1 << self.bits) - 1)) as usize);
            let lane = ((r >> 8) % LANES as u64) as usize;
            if let Some(entry) = bucket.entry(lane) {
                return Some(EntryRef::new(entry));
            }
        }
        let mut position = random();
        loop {
            let mut found = None;
            position = self.scan(position, |entry| found = Some(entry));
            if found.is_some() {
                return found;
            }
        }
    }

    /// Up to `most` neighbours from a random place on: where an entry lies depends on its key's
    /// hash alone, so that neighbours have nothing else in common. It looks at no more than a few
    /// buckets, and finds none where these are empty.
    pub fn sample(&self, random: u64, most: usize, mut each: impl FnMut(EntryRef<'_>)) {
        /// Places looked at for each entry wanted; a table is seldom emptier than a quarter.
        const STEPS: usize = 8;
        /// Entries asked of memory at once.
        const AHEAD: usize = 16;
        let (segment, places) = (self.segment(random), LANES << self.bits);
        // The low half of the number, since the segment comes of its leading bits.
        let first = ((random & 0xFFFF_FFFF) as usize * places) >> 32;
        let mut steps = (0..places.min(most * STEPS)).map(|step| (first + step) % places);
        let mut left = most;
        while left > 0 {
            let mut found = [None; AHEAD];
            let mut count = 0;
            for at in steps.by_ref() {
                if let Some(entry) = self.bucket(segment, at / LANES).entry(at % LANES) {
                    prefetch(entry.address());
                    found[count] = Some(entry);
                    count += 1;
                }
                if count == AHEAD.min(left) {
                    break;
                }
            }
            found.into_iter().flatten().for_each(|entry| each(EntryRef::new(entry)));
            left -= count;
            if count == 0 || steps.len() == 0 {
                return;
            }
        }
    }

    /// An entry with an expiry, by a random number.
    pub fn random_volatile(&self, random: u64) -> Option<EntryRef<'_>> {
        let index = ((random as u128 * self.volatile.len() as u128) >> 64) as usize;
        self.volatile.get(index).map(|entry| EntryRef::new(*entry))
    }

    /// Lets a snapshot take the buckets from `position` on, at most `units` of them. Returns the
    /// next position, 0 at the end, and the units left.
    pub(crate) fn walk(
        &mut self,
        position: u64,
        mut units: u32,
        snapshot: &mut Snapshot,
    ) -> (u64, u32) {
        let segment = self.segment(position);
        let depth = segment.depth();
        // Buckets are taken in physical order; a whole segment has the same prefix.
        for index in home(position, depth, self.bits)..1 << self.bits {
            if units == 0 {
                let below = 64 - depth - self.bits;
                let prefix = if depth == 0 { 0 } else { position >> (64 - depth) << (64 - depth) };
                return (prefix | (index as u64) << below, 0);
            }
            self.capture(position, index, snapshot);
            units -= 1;
        }
        if depth == 0 {
            return (0, units);
        }
        (((position >> (64 - depth)) + 1) << (64 - depth), units)
    }

    /// Lets the snapshot take a bucket unless it has.
    fn capture(&mut self, hash: u64, index: usize, snapshot: &mut Snapshot) {
        let segment = self.segment(hash);
        let head = self.head_index(hash, segment);
        let head = &mut self.heads[head];
        if head.seen != snapshot.number() {
            *head = Head { seen: snapshot.number(), written: 0 };
        }
        if head.written & 1 << index != 0 {
            return;
        }
        head.written |= 1 << index;
        let bucket = self.bucket(segment, index);
        for entry in bucket.occupied().filter_map(|lane| bucket.entry(lane)) {
            snapshot.take(self.label, EntryRef::new(entry));
        }
    }

    fn capture_segment(&mut self, hash: u64, snapshot: &mut Snapshot) {
        for index in 0..1 << self.bits {
            self.capture(hash, index, snapshot);
        }
    }

    /// The first directory place that leads to the segment of `hash`.
    fn head_index(&self, hash: u64, segment: Segment) -> usize {
        let depth = segment.depth();
        if depth == 0 {
            return 0;
        }
        ((hash >> (64 - depth)) << (self.depth - depth)) as usize
    }

    /// Makes room where `hash` belongs.
    #[cold]
    fn grow(&mut self, hash: u64, snapshot: &mut Snapshot) {
        if snapshot.is_running() {
            self.capture_segment(hash, snapshot);
        }
        self.enlarge(hash);
    }

    fn enlarge(&mut self, hash: u64) {
        let homeless = if self.bits < MAX_BITS { self.double_segment() } else { self.split(hash) };
        // Entries crowded in one place by chance; each further split thins them out.
        for (hash, entry) in homeless {
            // SAFETY: the segment is in the directory, and `&mut self` excludes references.
            while unsafe { self.segment(hash).insert(self.bits, hash, entry) }.is_none() {
                self.enlarge(hash);
            }
        }
    }

    /// Doubles the only segment of a small table. Returns what found no room, nearly always
    /// nothing.
    fn double_segment(&mut self) -> Vec<(u64, Entry)> {
        let old = self.directory[0];
        let bits = self.bits + 1;
        let homeless = self.redistribute(old, [Segment::new(0, bits); 2], bits);
        // Every bucket had been taken before; so have the two it became.
        self.heads[0].written = u64::MAX;
        homeless
    }

    /// Splits the segment of `hash` in two, each with one more bit of prefix. Returns what found
    /// no room, nearly always nothing.
    fn split(&mut self, hash: u64) -> Vec<(u64, Entry)> {
        let old = self.segment(hash);
        let depth = old.depth();
        if depth == self.depth {
            self.double_directory();
        }
        let first = self.head_index(hash, old);
        let seen = self.heads[first].seen;
        let halves = [Segment::new(depth + 1, MAX_BITS), Segment::new(depth + 1, MAX_BITS)];
        self.segments += 1;
        let span = 1 << (self.depth - depth - 1);
        for (i, half) in halves.into_iter().enumerate() {
            let from = first + i * span;
            self.directory[from..from + span].fill(half);
            self.heads[from] = Head { seen, written: u64::MAX };
        }
        self.redistribute(old, halves, MAX_BITS)
    }

    /// Moves the entries of a segment into two (or one, named twice), by the bit that follows its
    /// prefix, and frees it.
    fn redistribute(&mut self, old: Segment, to: [Segment; 2], bits: u32) -> Vec<(u64, Entry)> {
        const AHEAD: usize = 8;
        let mut homeless = Vec::new();
        let depth = old.depth();
        // SAFETY: `old` is live with `self.bits` buckets and is freed once; the others are fresh,
        // have `bits`, and nothing refers into them.
        unsafe {
            // The keys are hashed again, so each entry has to be read: their memory is asked for
            // some entries ahead.
            let mut ahead = old.entries(self.bits).skip(AHEAD);
            for entry in old.entries(self.bits) {
                if let Some(entry) = ahead.next() {
                    prefetch(entry.address());
                }
                let hash = self.hasher.hash(entry.key()).0;
                let half = to[(hash >> (63 - depth) & 1) as usize];
                if half.insert(bits, hash, entry).is_none() {
                    homeless.push((hash, entry));
                }
            }
            old.free(self.bits);
        }
        if to[0] == to[1] {
            self.directory[0] = to[0];
            self.only = to[0];
            self.bits = bits;
        }
        homeless
    }

    fn double_directory(&mut self) {
        self.directory = self.directory.iter().flat_map(|s| [*s, *s]).collect();
        self.heads = self.heads.iter().flat_map(|h| [*h, Head::default()]).collect();
        self.depth += 1;
    }

    fn add_volatile(&mut self, entry: Entry) {
        entry.set_index(self.volatile.len() as u32);
        self.volatile.push(entry);
    }

    fn drop_volatile(&mut self, index: u32) {
        self.volatile.swap_remove(index as usize);
        if let Some(moved) = self.volatile.get(index as usize) {
            moved.set_index(index);
        }
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        let mut hash_prefix = 0;
        while hash_prefix < self.directory.len() {
            let segment = self.directory[hash_prefix];
            hash_prefix += 1 << (self.depth - segment.depth());
            // SAFETY: each segment is visited once, and the table is gone afterwards.
            unsafe {
                segment.entries(self.bits).for_each(Entry::free);
                segment.free(self.bits);
            }
        }
    }
}

/// A key being changed. Dropping it without a change changes nothing.
pub struct Edit<'t, 'k> {
    table: &'t mut Table,
    snapshot: &'t mut Snapshot,
    hash: Hash,
    key: &'k [u8],
    place: Option<Place>,
    /// Access bits of an entry that is added.
    access: u32,
}

impl<'t> Edit<'t, '_> {
    /// Ends the edit and gives what the key holds for reading.
    #[inline]
    pub fn into_entry(self) -> Option<EntryRef<'t>> {
        self.place.map(|place| EntryRef::new(place.entry()))
    }

    /// Which access bits an entry starts with if this edit adds it.
    #[inline]
    pub fn start_with_access(&mut self, access: u32) {
        self.access = access;
    }

    /// What the key holds now.
    #[inline]
    pub fn entry(&self) -> Option<EntryRef<'_>> {
        self.place.map(|place| EntryRef::new(place.entry()))
    }

    /// Stores a value with this expiry, in place of any old one.
    #[inline]
    pub fn put(&mut self, value: New<'_>, expires: Option<u64>) {
        match self.place {
            Some(place) => self.overwrite(place, value, expires),
            None => self.insert(value, expires),
        }
    }

    /// Stores a value and keeps the expiry.
    pub fn put_keeping_expiry(&mut self, value: New<'_>) {
        let expires = self.entry().and_then(EntryRef::expires);
        self.put(value, expires);
    }

    #[inline]
    fn overwrite(&mut self, place: Place, value: New<'_>, expires: Option<u64>) {
        self.capture(place);
        let old = place.entry();
        let before = old.footprint();
        let was_volatile = old.has_ttl().then(|| old.index());
        let new = if was_volatile.is_some() == expires.is_some() {
            let new = old.replace(value);
            if expires.is_some() { new.set_expires(expires) } else { new }
        } else {
            let new = Entry::new(self.key, value, expires);
            new.set_access(old.access());
            old.free();
            new
        };
        self.settle(place, new, before, was_volatile);
    }

    /// Puts a possibly moved entry in its place and sets the counts right.
    #[inline]
    fn settle(&mut self, place: Place, new: Entry, before: usize, was_volatile: Option<u32>) {
        // SAFETY: the place is valid, and `&mut self` excludes references into the bucket.
        unsafe { (*place.bucket()).moved(place.lane(), new) };
        let table = &mut *self.table;
        table.footprint = table.footprint - before + new.footprint();
        match (was_volatile, new.has_ttl()) {
            (None, false) => {}
            (Some(index), true) => table.volatile[index as usize] = new,
            (Some(index), false) => table.drop_volatile(index),
            (None, true) => table.add_volatile(new),
        }
    }

    fn insert(&mut self, value: New<'_>, expires: Option<u64>) {
        let entry = Entry::new(self.key, value, expires);
        entry.set_access(self.access);
        let hash = self.hash.0;
        if self.snapshot.is_attentive() {
            self.tell_watchers();
        }
        loop {
            let segment = self.table.segment(hash);
            if self.snapshot.is_running() {
                self.capture_reach(segment);
            }
            // SAFETY: the segment is in the directory, and `&mut` excludes references into it.
            if let Some((bucket, lane)) = unsafe { segment.insert(self.table.bits, hash, entry) } {
                self.place = Some(Place::new(self.table.bucket(segment, bucket), lane));
                break;
            }
            self.table.grow(hash, self.snapshot);
        }
        self.table.len += 1;
        self.table.footprint += entry.footprint();
        if entry.has_ttl() {
            self.table.add_volatile(entry);
        }
    }

    /// Lets the snapshot take every bucket that a new entry might go into.
    #[cold]
    fn capture_reach(&mut self, segment: Segment) {
        let bits = self.table.bits;
        let first = home(self.hash.0, segment.depth(), bits);
        for step in 0..REACH.min(1 << bits) {
            let index = (first + step) & ((1 << bits) - 1);
            self.table.capture(self.hash.0, index, self.snapshot);
        }
    }

    /// The entry is about to change: whoever must see it as it was, or know of it, does.
    #[inline]
    fn capture(&mut self, place: Place) {
        if self.snapshot.is_attentive() {
            self.tell_watchers();
            if self.snapshot.is_running() {
                let bucket = self.table.bucket_index(self.hash.0, place);
                self.table.capture(self.hash.0, bucket, self.snapshot);
            }
        }
    }

    #[cold]
    fn tell_watchers(&mut self) {
        let (db, hash) = (self.table.database, self.hash);
        self.snapshot.watch(|watched| watched.touch(db, hash));
    }

    /// Removes the key; whether it was there.
    pub fn remove(&mut self) -> bool {
        let Some(place) = self.place else { return false };
        self.capture(place);
        let entry = place.entry();
        // SAFETY: the place is valid, and `&mut self` excludes references into the bucket.
        unsafe { (*place.bucket()).clear(place.lane()) };
        self.table.len -= 1;
        self.table.footprint -= entry.footprint();
        if entry.has_ttl() {
            self.table.drop_volatile(entry.index());
        }
        entry.free();
        self.place = None;
        true
    }

    /// Gives the key an expiry or takes it away; whether the key is there.
    pub fn set_expires(&mut self, expires: Option<u64>) -> bool {
        let Some(place) = self.place else { return false };
        self.capture(place);
        let old = place.entry();
        let before = old.footprint();
        let was_volatile = old.has_ttl().then(|| old.index());
        let new = old.set_expires(expires);
        self.settle(place, new, before, was_volatile);
        true
    }

    /// Overwrites an integer; whether the key holds one in that form.
    #[inline]
    pub fn set_int(&mut self, n: i64) -> bool {
        let Some(place) = self.place else { return false };
        self.capture(place);
        place.entry().set_int(n)
    }

    /// Changes a big value in place; `None` when the key holds no such value.
    pub fn change_big<T>(&mut self, change: impl FnOnce(&mut Big) -> T) -> Option<T> {
        let place = self.place?;
        self.capture(place);
        let entry = place.entry();
        let before = entry.footprint();
        // SAFETY: readers borrow the table, which this edit has borrowed for changing.
        let result = change(unsafe { entry.big_mut() }?);
        self.table.footprint = self.table.footprint - before + entry.footprint();
        Some(result)
    }
}

#[inline]
fn prefetch<T>(at: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: prefetching reads nothing; any address is allowed.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch(at.cast(), _MM_HINT_T0);
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}
