//! The keyspace and its snapshot against plain maps.

use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use store::keyspace::{Keyspace, Place};
use store::value::{Big, New, Pages, View};

/// A key's value and expiry, spelled out.
type Model = BTreeMap<(u32, Vec<u8>), (Vec<u8>, Option<u64>)>;

#[derive(Clone, Debug)]
enum Op {
    Put { db: u32, key: u16, len: usize, expires: Option<u64> },
    PutInt { db: u32, key: u16, n: i64 },
    Remove { db: u32, key: u16 },
    Expire { db: u32, key: u16, expires: Option<u64> },
    Append { db: u32, key: u16 },
    Move { from: u32, key: u16, to: u32, name: u16 },
    Swap,
    Clear { db: u32 },
    Fill { db: u32, from: u16, count: u16 },
    Thin { db: u32, one_of: u16 },
    Shrink { units: u32 },
    Start,
    Walk { units: u32 },
    Abort,
}

fn op() -> impl Strategy<Value = Op> {
    let db = 0u32..2;
    let key = prop_oneof![3 => 0u16..40, 1 => any::<u16>()];
    let expires = prop::option::of(1u64..1000);
    let len = prop_oneof![6 => 0usize..200, 1 => 4000usize..6000, 2 => 60_000usize..140_000];
    prop_oneof![
        8 => (db.clone(), key.clone(), len, expires.clone())
            .prop_map(|(db, key, len, expires)| Op::Put { db, key, len, expires }),
        3 => (db.clone(), key.clone(), any::<i64>())
            .prop_map(|(db, key, n)| Op::PutInt { db, key, n }),
        5 => (db.clone(), key.clone()).prop_map(|(db, key)| Op::Remove { db, key }),
        4 => (db.clone(), key.clone(), expires)
            .prop_map(|(db, key, expires)| Op::Expire { db, key, expires }),
        8 => (db.clone(), key.clone()).prop_map(|(db, key)| Op::Append { db, key }),
        3 => (db.clone(), key.clone(), db.clone(), key.clone())
            .prop_map(|(from, key, to, name)| Op::Move { from, key, to, name }),
        1 => Just(Op::Swap),
        1 => db.clone().prop_map(|db| Op::Clear { db }),
        2 => (db.clone(), any::<u16>(), 1u16..1500)
            .prop_map(|(db, from, count)| Op::Fill { db, from, count }),
        1 => (db, 2u16..30).prop_map(|(db, one_of)| Op::Thin { db, one_of }),
        3 => (0u32..20).prop_map(|units| Op::Shrink { units }),
        3 => Just(Op::Start),
        8 => (0u32..200).prop_map(|units| Op::Walk { units }),
        1 => Just(Op::Abort),
    ]
}

/// The keyspace beside its model, and what the running snapshot must give.
struct Pair {
    keyspace: Keyspace,
    model: Model,
    slotted: bool,
    snapshot: Option<(Model, Model)>,
}

impl Pair {
    fn new(slotted: bool) -> Self {
        let keyspace = Keyspace::new(2, slotted, [7; 16]);
        Pair { keyspace, model: Model::new(), slotted, snapshot: None }
    }

    fn place(&self, db: u32, key: &[u8]) -> Place {
        Place::new(db, if self.slotted { wire::slot::slot(key) % 3 } else { 0 })
    }

    fn put(&mut self, db: u32, key: &[u8], value: &[u8], expires: Option<u64>) {
        let hash = self.keyspace.hash(key);
        let place = self.place(db, key);
        self.keyspace.edit(place, hash, key).put(New::raw(value), expires);
        self.model.insert((db, key.to_vec()), (value.to_vec(), expires));
    }

    fn remove(&mut self, db: u32, key: &[u8]) {
        let hash = self.keyspace.hash(key);
        let place = self.place(db, key);
        let was = self.keyspace.edit(place, hash, key).remove();
        assert_eq!(was, self.model.remove(&(db, key.to_vec())).is_some());
    }

    /// Removes all keys of a database but every so manieth.
    fn thin(&mut self, db: u32, one_of: usize) {
        let keys: Vec<Vec<u8>> =
            self.model.keys().filter(|(d, _)| *d == db).map(|(_, key)| key.clone()).collect();
        let gone = keys.iter().enumerate().filter(|(i, _)| i % one_of > 0);
        gone.for_each(|(_, key)| self.remove(db, key));
    }

    fn shrink(&mut self, units: u32) {
        self.keyspace.shrink(units);
    }

    fn append(&mut self, db: u32, key: &[u8]) {
        let (hash, place) = (self.keyspace.hash(key), self.place(db, key));
        let mut edit = self.keyspace.edit(place, hash, key);
        let changed = edit.change_big(|big| {
            if let Big::Shared(bytes) = big {
                *big = Big::Paged(Pages::of(bytes));
            }
            let Big::Paged(pages) = big else { unreachable!() };
            pages.append(b"tail");
            pages.write(3, b"middle");
        });
        if changed.is_some() {
            let (value, _) = self.model.get_mut(&(db, key.to_vec())).unwrap();
            value.extend_from_slice(b"tail");
            value[3..9].copy_from_slice(b"middle");
        }
    }

    fn apply(&mut self, op: Op) {
        let name = |key: u16| format!("key:{key}").into_bytes();
        match op {
            Op::Put { db, key, len, expires } => {
                let value: Vec<u8> = (0..len).map(|i| (i + key as usize) as u8).collect();
                self.put(db, &name(key), &value, expires);
            }
            Op::PutInt { db, key, n } => {
                let key = name(key);
                let (hash, place) = (self.keyspace.hash(&key), self.place(db, &key));
                let mut edit = self.keyspace.edit(place, hash, &key);
                if !edit.set_int(n) {
                    edit.put_keeping_expiry(New::Int(n));
                }
                let entry = self.model.entry((db, key)).or_default();
                entry.0 = n.to_string().into_bytes();
            }
            Op::Remove { db, key } => self.remove(db, &name(key)),
            Op::Expire { db, key, expires } => {
                let key = name(key);
                let (hash, place) = (self.keyspace.hash(&key), self.place(db, &key));
                let was = self.keyspace.edit(place, hash, &key).set_expires(expires);
                let entry = self.model.get_mut(&(db, key));
                assert_eq!(was, entry.is_some());
                if let Some(entry) = entry {
                    entry.1 = expires;
                }
            }
            Op::Append { db, key } => self.append(db, &name(key)),
            Op::Move { from, key, to, name: new } => {
                let Some((value, expires)) = self.model.get(&(from, name(key))).cloned() else {
                    return;
                };
                self.remove(from, &name(key));
                self.put(to, &name(new), &value, expires);
            }
            Op::Swap => {
                self.keyspace.swap(0, 1, 0);
                self.model = std::mem::take(&mut self.model)
                    .into_iter()
                    .map(|((db, key), value)| ((1 - db, key), value))
                    .collect();
            }
            Op::Clear { db } => {
                self.keyspace.clear(db);
                self.keyspace.take_discarded();
                self.model.retain(|(d, _), _| *d != db);
            }
            Op::Fill { db, from, count } => {
                for i in 0..count {
                    self.put(db, &name(from.wrapping_add(i)), b"filled", None);
                }
            }
            Op::Thin { db, one_of } => self.thin(db, one_of.into()),
            Op::Shrink { units } => self.shrink(units),
            Op::Start => {
                if self.snapshot.is_none() {
                    self.keyspace.start_snapshot();
                    self.snapshot = Some((self.model.clone(), Model::new()));
                }
            }
            Op::Walk { units } => self.walk(units),
            Op::Abort => {
                if self.snapshot.take().is_some() {
                    self.keyspace.abort_snapshot();
                }
            }
        }
    }

    fn walk(&mut self, units: u32) {
        let Some((want, got)) = &mut self.snapshot else { return };
        self.keyspace.walk_snapshot(units).expect("a snapshot is complete");
        while let Some(portion) = self.keyspace.snapshot().next_portion() {
            for record in portion.iter() {
                let value = (record.value.to_vec(), record.expires);
                let twice = got.insert((record.db, record.key.to_vec()), value);
                assert!(twice.is_none(), "{:?} written twice", record.key);
            }
        }
        if !self.keyspace.snapshot().is_running() {
            assert!(want == got, "the snapshot differs from the data at its start");
            self.snapshot = None;
        }
    }

    fn check(&self) {
        let mut seen = Model::new();
        for db in 0..2 {
            let mut count = 0;
            for (_, table) in self.keyspace.tables(db) {
                let mut position = 0;
                let mut volatile = 0;
                loop {
                    position = table.scan(position, |entry| {
                        count += 1;
                        volatile += usize::from(entry.expires().is_some());
                        let value = (entry.view().to_vec(), entry.expires());
                        seen.insert((db, entry.key().to_vec()), value);
                    });
                    if position == 0 {
                        break;
                    }
                }
                assert_eq!(volatile, table.volatile_len());
                for i in 0..volatile as u64 {
                    let r = i * (u64::MAX / volatile.max(1) as u64);
                    assert!(table.random_volatile(r).unwrap().expires().is_some());
                }
            }
            assert_eq!(count, self.keyspace.len(db), "scan gives each key once");
        }
        assert!(seen == self.model);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn keyspace_and_snapshots_agree_with_the_model(
        slotted in any::<bool>(),
        ops in prop::collection::vec(op(), 1..120),
    ) {
        let mut pair = Pair::new(slotted);
        for op in ops {
            pair.apply(op);
        }
        pair.walk(u32::MAX);
        pair.check();
    }
}

#[test]
fn a_scan_misses_no_key_that_stays_while_the_table_grows() {
    let mut pair = Pair::new(false);
    let stay: BTreeSet<Vec<u8>> = (0..300).map(|i| format!("stay:{i}").into_bytes()).collect();
    for key in &stay {
        pair.put(0, key, b"v", None);
    }
    let (mut found, mut position, mut round) = (BTreeSet::new(), 0, 0);
    loop {
        let (_, table) = pair.keyspace.tables(0).next().unwrap();
        position = table.scan(position, |entry| {
            assert!(found.insert(entry.key().to_vec()), "a key came twice");
        });
        if position == 0 {
            break;
        }
        // Enough to split every segment several times, early in the scan.
        if round < 100 {
            for i in 0..40 {
                pair.put(0, format!("new:{round}:{i}").as_bytes(), b"v", None);
            }
        }
        round += 1;
    }
    assert!(found.is_superset(&stay));
    assert!(round > 20);
}

#[test]
fn a_scan_misses_no_key_that_stays_while_the_table_shrinks() {
    let mut pair = Pair::new(false);
    let stay: BTreeSet<Vec<u8>> = (0..300).map(|i| format!("stay:{i}").into_bytes()).collect();
    let go: Vec<Vec<u8>> = (0..30_000).map(|i| format!("go:{i}").into_bytes()).collect();
    stay.iter().chain(&go).for_each(|key| pair.put(0, key, b"v", None));
    let full = pair.keyspace.tables(0).next().unwrap().1.overhead();
    let (mut found, mut position) = (BTreeSet::new(), 0);
    let mut going = go.chunks(100);
    loop {
        let (_, table) = pair.keyspace.tables(0).next().unwrap();
        position = table.scan(position, |entry| found.extend([entry.key().to_vec()]));
        if position == 0 {
            break;
        }
        going.next().into_iter().flatten().for_each(|key| pair.remove(0, key));
        pair.keyspace.shrink(2);
    }
    assert!(going.next().is_none(), "the scan was too short");
    assert!(found.is_superset(&stay));
    while pair.keyspace.shrink(100) > 0 {}
    let left = pair.keyspace.tables(0).next().unwrap().1.overhead();
    assert!(left < full / 20, "{left} of {full}");
    pair.check();
}

#[test]
fn footprints_return_to_zero() {
    let mut pair = Pair::new(false);
    for i in 0..2000 {
        pair.put(0, format!("{i}").as_bytes(), &vec![1; i * 7], (i % 3 == 0).then_some(9));
    }
    let shared: Arc<[u8]> = Arc::from(vec![0; 70_000]);
    let hash = pair.keyspace.hash(b"5");
    let mut edit = pair.keyspace.edit(Place::default(), hash, b"5");
    edit.put(New::Big(Big::Shared(shared)), None);
    assert!(matches!(edit.entry().unwrap().view(), View::Big(_)));
    for i in 0..2000 {
        pair.remove(0, format!("{i}").as_bytes());
    }
    let (_, table) = pair.keyspace.tables(0).next().unwrap();
    assert_eq!((table.len(), table.footprint(), table.volatile_len()), (0, 0, 0));
}
