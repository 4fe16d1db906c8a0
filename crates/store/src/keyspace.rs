//! Databases, their tables, and the snapshot that walks over them.

use crate::evict::Pool;
pub use crate::expire::Cycle;
use crate::fenwick::Fenwick;
use crate::random::Random;
use crate::snapshot::Snapshot;
use crate::table::{Edit, EntryRef, Hash, Hasher, Table};
use crate::watch::Watched;
use wire::slot::SLOTS;

/// Where a key lives: its database and, in cluster mode, its slot (0 otherwise).
///
/// One word, so that copying it right after it was made is one store and one load of the same
/// width; anything else waits for the writes of the command before.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Place(u64);

impl Place {
    /// A database and a slot.
    #[inline]
    pub const fn new(db: u32, slot: u16) -> Self {
        Place((db as u64) << 16 | slot as u64)
    }

    /// Database number.
    #[inline]
    pub const fn db(self) -> u32 {
        (self.0 >> 16) as u32
    }

    /// Hash slot.
    #[inline]
    pub const fn slot(self) -> u16 {
        self.0 as u16
    }
}

/// All data of a node.
pub struct Keyspace {
    databases: Vec<Database>,
    hasher: Hasher,
    snapshot: Snapshot,
    walk: Vec<Item>,
    /// Position within the last item of `walk`.
    position: u64,
    expected: u64,
    /// Bytes of the tables in `walk` that are no longer in their places.
    handed_over: usize,
    /// Tables that were emptied at one go and are to be freed elsewhere.
    discarded: Vec<Table>,
    /// For samples; the same secret gives the same ones.
    pub(crate) random: Random,
    /// Room for putting values together, kept between commands.
    pub(crate) scratch: Vec<u8>,
    /// Where the search for expired keys goes on.
    pub(crate) cycle: Place,
    /// Keys that may be the next to be evicted.
    pub(crate) pool: Pool,
    /// Where the search for tables that can shrink goes on.
    shrinking: (Place, u64),
}

/// The tables of one database.
enum Database {
    Whole(Box<Table>),
    Slotted(Slotted),
}

/// One table a slot; an empty slot costs one pointer.
struct Slotted {
    tables: Vec<Option<Box<Table>>>,
    counts: Counts,
}

/// How many keys each slot holds, as of the last time somebody asked.
///
/// An edit only sets its slot's bit, whatever comes of it: one store, and nothing to do when the
/// edit ends. Whoever asks brings the counts of those slots up to date first.
struct Counts {
    tree: Fenwick,
    /// The same of keys with an expiry, from the first time on that somebody asks.
    volatile: Option<Fenwick>,
    stale: Box<[u64; SLOTS / 64]>,
}

impl Slotted {
    fn new() -> Self {
        let mut tables = Vec::new();
        tables.resize_with(SLOTS, || None);
        let stale = Box::new([0; SLOTS / 64]);
        let counts = Counts { tree: Fenwick::new(SLOTS), volatile: None, stale };
        Slotted { tables, counts }
    }

    #[inline(always)]
    fn changing(&mut self, slot: u16) -> &mut Option<Box<Table>> {
        self.counts.stale[usize::from(slot) / 64] |= 1 << (slot % 64);
        &mut self.tables[usize::from(slot)]
    }

    fn counts(&mut self) -> &Fenwick {
        for (word, stale) in self.counts.stale.iter_mut().enumerate() {
            while *stale != 0 {
                let slot = word * 64 + stale.trailing_zeros() as usize;
                *stale &= *stale - 1;
                let table = self.tables[slot].as_ref();
                self.counts.tree.set(slot, table.map_or(0, |table| table.len() as u64));
                if let Some(tree) = &mut self.counts.volatile {
                    tree.set(slot, table.map_or(0, |table| table.volatile_len() as u64));
                }
            }
        }
        &self.counts.tree
    }

    fn volatile_counts(&mut self) -> &Fenwick {
        if self.counts.volatile.is_none() {
            self.counts.stale.fill(u64::MAX);
            self.counts.volatile = Some(Fenwick::new(SLOTS));
        }
        self.counts();
        self.counts.volatile.get_or_insert_with(|| Fenwick::new(SLOTS))
    }
}

/// A table that the snapshot has still to walk over.
enum Item {
    /// One in its place.
    Live(Place),
    /// One that was taken out of the keyspace whole.
    Owned(Box<Table>),
}

impl Keyspace {
    /// `databases` empty databases; with `slotted`, one table a slot.
    pub fn new(databases: u32, slotted: bool, secret: [u8; 16]) -> Self {
        Self::empty(databases, slotted, Hasher::new(secret), Random::from_secret(secret))
    }

    fn empty(databases: u32, slotted: bool, hasher: Hasher, random: Random) -> Self {
        let databases = (0..databases).map(|db| Database::new(slotted, hasher, db)).collect();
        Keyspace {
            databases,
            hasher,
            snapshot: Snapshot::default(),
            walk: Vec::new(),
            position: 0,
            expected: 0,
            handed_over: 0,
            discarded: Vec::new(),
            random,
            scratch: Vec::new(),
            cycle: Place::default(),
            pool: Pool::default(),
            shrinking: Default::default(),
        }
    }

    /// The hash of a key.
    #[inline]
    pub fn hash(&self, key: &[u8]) -> Hash {
        self.hasher.hash(key)
    }

    pub(crate) fn hasher(&self) -> Hasher {
        self.hasher
    }

    /// How many databases there are.
    pub fn databases(&self) -> u32 {
        self.databases.len() as u32
    }

    /// The table of a place, if it holds anything.
    #[inline]
    pub fn table(&self, place: Place) -> Option<&Table> {
        match &self.databases[place.db() as usize] {
            Database::Whole(table) => Some(table),
            Database::Slotted(slots) => slots.tables[place.slot() as usize].as_deref(),
        }
    }

    /// The entry of a key, expired or not.
    #[inline]
    pub fn get(&self, place: Place, hash: Hash, key: &[u8]) -> Option<EntryRef<'_>> {
        self.table(place)?.get(hash, key)
    }

    /// A key for changing. See [`Table::edit`].
    #[inline(always)]
    pub fn edit<'t, 'k>(&'t mut self, place: Place, hash: Hash, key: &'k [u8]) -> Edit<'t, 'k> {
        let table = match &mut self.databases[place.db() as usize] {
            Database::Whole(table) => table,
            Database::Slotted(slots) => slots
                .changing(place.slot())
                .get_or_insert_with(|| Box::new(Table::new(self.hasher))),
        };
        table.edit(hash, key, &mut self.snapshot)
    }

    /// As [`Keyspace::edit`], for a key that will not be added: makes no table for it.
    #[inline(always)]
    pub fn edit_existing<'t, 'k>(
        &'t mut self,
        place: Place,
        hash: Hash,
        key: &'k [u8],
    ) -> Option<Edit<'t, 'k>> {
        let table = match &mut self.databases[place.db() as usize] {
            Database::Whole(table) => table,
            Database::Slotted(slots) => slots.changing(place.slot()).as_mut()?,
        };
        Some(table.edit(hash, key, &mut self.snapshot))
    }

    /// In a cluster, brings a slot's table towards the processor: its buckets are found through it.
    #[inline]
    pub fn prefetch_table(&self, place: Place) {
        if let Some(table) = self.table(place) {
            table.prefetch();
        }
    }

    /// Brings a key's bucket towards the processor.
    #[inline]
    pub fn prefetch_bucket(&self, place: Place, hash: Hash) {
        if let Some(table) = self.table(place) {
            table.prefetch_bucket(hash);
        }
    }

    /// Brings a key's entry towards the processor, as much of it as a value of `len` bytes takes.
    #[inline]
    pub fn prefetch_entry(&self, place: Place, hash: Hash, len: usize) {
        if let Some(table) = self.table(place) {
            table.prefetch_entry(hash, len);
        }
    }

    /// The tables of a database that exist, with their places.
    pub fn tables(&self, db: u32) -> impl Iterator<Item = (Place, &Table)> {
        let whole = match &self.databases[db as usize] {
            Database::Whole(table) => Some((Place::new(db, 0), &**table)),
            Database::Slotted(_) => None,
        };
        let slots = match &self.databases[db as usize] {
            Database::Whole(_) => &[][..],
            Database::Slotted(slots) => &slots.tables,
        };
        let slots = slots.iter().enumerate().filter_map(move |(slot, table)| {
            Some((Place::new(db, slot as u16), table.as_deref()?))
        });
        whole.into_iter().chain(slots)
    }

    /// Number of keys in a database.
    pub fn len(&self, db: u32) -> usize {
        self.tables(db).map(|(_, table)| table.len()).sum()
    }

    /// As [`Keyspace::len`], without looking at every slot: only at those edited since the last
    /// time.
    pub fn count(&mut self, db: u32) -> u64 {
        match &mut self.databases[db as usize] {
            Database::Whole(table) => table.len() as u64,
            Database::Slotted(slots) => slots.counts().total(),
        }
    }

    /// A random key of a database, each as likely as any other as far as [`Table::random`] goes.
    pub fn random(&mut self, db: u32) -> Option<(Place, EntryRef<'_>)> {
        let random = &mut self.random;
        let (slot, table) = match &mut self.databases[db as usize] {
            Database::Whole(table) => (0, &**table),
            Database::Slotted(slots) => {
                let point = random.below(slots.counts().total());
                let slot = slots.counts().find(point).min(SLOTS - 1);
                (slot as u16, slots.tables[slot].as_deref()?)
            }
        };
        table.random(|| random.number()).map(|entry| (Place::new(db, slot), entry))
    }

    /// As [`Keyspace::count`], of keys with an expiry.
    pub(crate) fn count_volatile(&mut self, db: u32) -> u64 {
        match &mut self.databases[db as usize] {
            Database::Whole(table) => table.volatile_len() as u64,
            Database::Slotted(slots) => slots.volatile_counts().total(),
        }
    }

    /// A table of a database, drawn by how many keys, or keys with an expiry, it has.
    pub(crate) fn random_table(&mut self, db: u32, volatile: bool) -> Option<(Place, &Table)> {
        let random = &mut self.random;
        match &mut self.databases[db as usize] {
            Database::Whole(table) => Some((Place::new(db, 0), table)),
            Database::Slotted(slots) => {
                let counts = if volatile { slots.volatile_counts() } else { slots.counts() };
                let slot = counts.find(random.below(counts.total())).min(SLOTS - 1);
                Some((Place::new(db, slot as u16), slots.tables[slot].as_deref()?))
            }
        }
    }

    /// Whether there is one table a slot.
    pub fn is_slotted(&self) -> bool {
        matches!(self.databases.first(), Some(Database::Slotted(_)))
    }

    /// Whether no database holds a key.
    pub fn is_empty(&self) -> bool {
        (0..self.databases()).all(|db| self.len(db) == 0)
    }

    /// Number of keys with an expiry in a database.
    pub fn volatile_len(&self, db: u32) -> usize {
        self.tables(db).map(|(_, table)| table.volatile_len()).sum()
    }

    /// Exchanges two databases, at this time (it matters to watchers of expired keys).
    pub fn swap(&mut self, a: u32, b: u32, now: u64) {
        self.touch_swapped(a, b, now);
        self.databases.swap(a as usize, b as usize);
        for db in [a, b] {
            if let Database::Whole(table) = &mut self.databases[db as usize] {
                table.database = db;
            }
        }
        for item in &mut self.walk {
            if let Item::Live(place) = item {
                if place.db() == a {
                    *place = Place::new(b, place.slot());
                } else if place.db() == b {
                    *place = Place::new(a, place.slot());
                }
            }
        }
    }

    /// Empties a database. The tables go to the snapshot if it still needs them, else to
    /// [`Keyspace::take_discarded`].
    pub fn clear(&mut self, db: u32) {
        self.touch_all(db, None);
        let slotted = matches!(self.databases[db as usize], Database::Slotted(_));
        let new = Database::new(slotted, self.hasher, db);
        match std::mem::replace(&mut self.databases[db as usize], new) {
            Database::Whole(table) => self.discard(Place::new(db, 0), table),
            Database::Slotted(slots) => {
                for (slot, table) in slots.tables.into_iter().enumerate() {
                    if let Some(table) = table {
                        self.discard(Place::new(db, slot as u16), table);
                    }
                }
            }
        }
    }

    /// An empty keyspace of the same shape, for data that is to take this one's place.
    pub fn sibling(&mut self) -> Self {
        let random = Random::new(self.random.number());
        Self::empty(self.databases(), self.is_slotted(), self.hasher, random)
    }

    /// Takes the data of a sibling in the place of its own, which goes where [`Keyspace::clear`]
    /// lets it go.
    pub fn adopt(&mut self, sibling: Keyspace) {
        for (db, database) in sibling.databases.into_iter().enumerate() {
            self.clear(db as u32);
            self.databases[db] = database;
            self.touch_all(db as u32, None);
        }
    }

    /// Empties a slot.
    pub fn clear_slot(&mut self, place: Place) {
        self.touch_all(place.db(), Some(place.slot()));
        if let Database::Slotted(slots) = &mut self.databases[place.db() as usize]
            && let Some(table) = slots.changing(place.slot()).take()
        {
            self.discard(place, table);
        }
    }

    fn discard(&mut self, place: Place, table: Box<Table>) {
        let waiting = |item: &&mut Item| matches!(item, Item::Live(p) if *p == place);
        match self.walk.iter_mut().find(waiting) {
            Some(item) => {
                self.handed_over += table.footprint();
                *item = Item::Owned(table);
            }
            None => self.discarded.push(*table),
        }
    }

    /// Looks for tables that have become too large for what they hold, and gives buckets back, in
    /// at most `units` steps; how many bytes. Goes on next time where it stops.
    pub fn shrink(&mut self, units: u32) -> usize {
        /// Tables that need nothing are passed over, so many in a step.
        const SKIPS: u32 = 64;
        let mut steps = units.saturating_mul(SKIPS);
        let slots = if self.is_slotted() { SLOTS as u32 } else { 1 };
        let mut tables = u64::from(self.databases()) * u64::from(slots);
        let mut bytes = 0;
        while steps > 0 && tables > 0 {
            let (place, position) = self.shrinking;
            let table = match &mut self.databases[place.db() as usize] {
                Database::Whole(table) => Some(&mut **table),
                Database::Slotted(slots) => slots.tables[place.slot() as usize].as_deref_mut(),
            };
            let empty = table.as_ref().is_some_and(|table| table.is_empty());
            if empty && slots > 1 && !self.snapshot.is_running() {
                bytes += self.drop_slot_table(place);
                steps = steps.saturating_sub(SKIPS / 8);
            } else if let Some(table) = table.filter(|table| table.is_sparse()) {
                steps = steps.saturating_sub(SKIPS);
                let before = table.overhead();
                let (next, _) = table.shrink(position, &mut self.snapshot);
                bytes += before.saturating_sub(table.overhead());
                self.shrinking.1 = next;
                if next != 0 {
                    continue;
                }
            }
            steps = steps.saturating_sub(1);
            tables -= 1;
            self.shrinking = (crate::expire::next(place, slots, self.databases()), 0);
        }
        bytes
    }

    /// Lets go of a slot's table; how many bytes that saves.
    fn drop_slot_table(&mut self, place: Place) -> usize {
        match &mut self.databases[place.db() as usize] {
            Database::Whole(_) => 0,
            Database::Slotted(slots) => {
                slots.changing(place.slot()).take().map_or(0, |table| table.overhead())
            }
        }
    }

    /// Tables to be dropped, on another thread if they are large.
    pub fn take_discarded(&mut self) -> Vec<Table> {
        std::mem::take(&mut self.discarded)
    }

    /// The snapshot's state and what it has taken.
    pub fn snapshot(&mut self) -> &mut Snapshot {
        &mut self.snapshot
    }

    pub(crate) fn watched(&self) -> &Watched {
        self.snapshot.watched()
    }

    /// Starts a snapshot of everything as it is now.
    ///
    /// # Panics
    /// When one is running: the caller holds them apart.
    pub fn start_snapshot(&mut self) {
        assert!(!self.snapshot.is_running(), "one snapshot at a time");
        self.snapshot.start();
        self.walk.clear();
        self.position = 0;
        self.expected = 0;
        for (db, database) in self.databases.iter_mut().enumerate() {
            let db = db as u32;
            let mut add = |slot, table: &mut Table| {
                table.label = db;
                if !table.is_empty() {
                    self.expected += table.len() as u64;
                    self.walk.push(Item::Live(Place::new(db, slot)));
                }
            };
            match database {
                Database::Whole(table) => add(0, table),
                Database::Slotted(slots) => {
                    for (slot, table) in slots.tables.iter_mut().enumerate() {
                        if let Some(table) = table {
                            add(slot as u16, table);
                        }
                    }
                }
            }
        }
        // The walk goes from the back, so that databases come in order.
        self.walk.reverse();
    }

    /// Walks on, for at most `units` buckets. When it reaches the end the snapshot stops running;
    /// its last portions wait in [`Keyspace::snapshot`].
    ///
    /// # Errors
    /// [`Incomplete`] when it has not taken as many entries as there were at the start.
    pub fn walk_snapshot(&mut self, mut units: u32) -> Result<(), Incomplete> {
        while units > 0 && self.snapshot.is_running() {
            let Some(item) = self.walk.last_mut() else {
                self.snapshot.stop(true);
                let (expected, taken) = (self.expected, self.snapshot.taken());
                return if expected == taken {
                    Ok(())
                } else {
                    Err(Incomplete { expected, taken })
                };
            };
            let table = match item {
                Item::Owned(table) => Some(&mut **table),
                Item::Live(place) => match &mut self.databases[place.db() as usize] {
                    Database::Whole(table) => Some(&mut **table),
                    Database::Slotted(slots) => slots.tables[place.slot() as usize].as_deref_mut(),
                },
            };
            if let Some(table) = table {
                (self.position, units) = table.walk(self.position, units, &mut self.snapshot);
                if self.position != 0 {
                    continue;
                }
            }
            if let Some(Item::Owned(table)) = self.walk.pop() {
                self.handed_over -= table.footprint();
                self.discarded.push(*table);
            }
        }
        Ok(())
    }

    /// Gives the snapshot up; the data is untouched.
    pub fn abort_snapshot(&mut self) {
        self.snapshot.stop(false);
        self.handed_over = 0;
        for item in self.walk.drain(..) {
            if let Item::Owned(table) = item {
                self.discarded.push(*table);
            }
        }
    }

    /// Bytes that live only for the running snapshot: what it has taken and not handed on, and
    /// whole tables that the keyspace has let go of.
    pub fn held_for_snapshot(&self) -> usize {
        self.snapshot.held() + self.handed_over
    }

    /// How much of the running snapshot is done, in entries: taken, and all.
    pub fn snapshot_progress(&self) -> (u64, u64) {
        (self.snapshot.taken(), self.expected)
    }
}

/// A snapshot that does not hold what was there at its start: a fault of the program, and never
/// to be taken for a saved state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Incomplete {
    /// Entries at the start.
    pub expected: u64,
    /// Entries taken.
    pub taken: u64,
}

impl Database {
    fn new(slotted: bool, hasher: Hasher, db: u32) -> Self {
        if slotted {
            // There is only database 0, which is what a table starts with.
            Database::Slotted(Slotted::new())
        } else {
            let mut table = Table::new(hasher);
            table.database = db;
            Database::Whole(Box::new(table))
        }
    }
}
