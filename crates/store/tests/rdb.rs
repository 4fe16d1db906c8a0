//! The saved form: round trips, damage, and, in [`interop`], a real Redis.

mod damage;
mod interop;

use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;
use store::keyspace::{Keyspace, Place};
use store::rdb::{
    Checksum, Encoded, Encoder, Error, Item, Limits, LoadOptions, Loader, Options, Reader, Sizes,
    Usage,
};
use store::value::{Big, New, Pages};

/// Values and expiries by database and key.
type Model = BTreeMap<(u32, Vec<u8>), (Vec<u8>, Option<u64>)>;

const ALL: Options = Options { compress: true, checksum: true, usage: Usage::Nothing };

fn place(slotted: bool, db: u32, key: &[u8]) -> Place {
    Place::new(db, if slotted { wire::slot::slot(key) } else { 0 })
}

fn keyspace(model: &Model, slotted: bool) -> Keyspace {
    let mut keyspace = Keyspace::new(16, slotted, [3; 16]);
    for (i, ((db, key), (value, expires))) in model.iter().enumerate() {
        let hash = keyspace.hash(key);
        let mut edit = keyspace.edit(place(slotted, *db, key), hash, key);
        if value.len() > 30_000 && i % 2 == 0 {
            let pages = Pages::of(&Arc::from(&value[..]));
            edit.put(New::Big(Big::Paged(pages)), *expires);
        } else if i % 3 == 0 {
            edit.put(New::raw(value), *expires);
        } else {
            edit.put(New::string(value), *expires);
        }
    }
    keyspace
}

fn contents(keyspace: &Keyspace) -> Model {
    let mut model = Model::new();
    for db in 0..keyspace.databases() {
        for (_, table) in keyspace.tables(db) {
            let mut position = 0;
            loop {
                position = table.scan(position, |entry| {
                    let value = (entry.view().to_vec(), entry.expires());
                    model.insert((db, entry.key().to_vec()), value);
                });
                if position == 0 {
                    break;
                }
            }
        }
    }
    model
}

/// Saves a keyspace; in between, `change` may change it.
fn save_with(
    keyspace: &mut Keyspace,
    options: Options,
    units: u32,
    mut change: impl FnMut(&mut Keyspace),
) -> Vec<u8> {
    let sizes: Vec<Sizes> = (0..keyspace.databases())
        .map(|db| Sizes {
            db,
            keys: keyspace.len(db) as u64,
            volatile: keyspace.volatile_len(db) as u64,
        })
        .collect();
    let mut encoder = Encoder::new(options);
    let (mut file, mut out) = (vec![], Encoded::default());
    // Output is now fresh and now goes on after what is there already.
    let drain = |out: &mut Encoded, file: &mut Vec<u8>| {
        let out = std::mem::take(out);
        let (len, start) = (out.len(), file.len());
        out.into_iter().for_each(|piece| file.extend_from_slice(piece.into_page().as_slice()));
        assert_eq!(file.len() - start, len);
    };
    let mut portions = 0;
    encoder.begin(&[("redis-ver", "7.0.0"), ("redis-bits", "64")], &mut out);
    keyspace.start_snapshot();
    loop {
        while let Some(portion) = keyspace.snapshot().next_portion() {
            encoder.records(&portion, &sizes, &mut out);
            portions += 1;
            if portions % 3 == 2 {
                drain(&mut out, &mut file);
            }
        }
        if !keyspace.snapshot().is_running() {
            break;
        }
        change(keyspace);
        keyspace.walk_snapshot(units).unwrap();
    }
    encoder.finish(&mut out);
    out.pieces().for_each(|piece| file.extend_from_slice(piece));
    file
}

fn save(keyspace: &mut Keyspace, options: Options) -> Vec<u8> {
    save_with(keyspace, options, u32::MAX, |_| ())
}

/// Reads `file` in pieces of the given lengths, over and over.
fn read(file: &[u8], cuts: &[usize], mut each: impl FnMut(Item, &Reader)) -> Result<(), Error> {
    let mut reader = Reader::new(Limits::default());
    let mut cuts = cuts.iter().cycle();
    let mut rest = file;
    while !rest.is_empty() {
        let (mut piece, tail) = rest.split_at(rest.len().min(*cuts.next().unwrap()));
        while let Some(item) = reader.next(&mut piece)? {
            each(item, &reader);
        }
        assert!(piece.is_empty(), "the reader left bytes before the end");
        rest = tail;
    }
    reader.finish()
}

fn items(file: &[u8], cuts: &[usize]) -> Result<Vec<Item>, Error> {
    let mut items = vec![];
    read(file, cuts, |item, _| items.push(item))?;
    Ok(items)
}

/// Loads `file` into a new keyspace; also gives the loader.
fn load(file: &[u8], cuts: &[usize], options: LoadOptions) -> (Keyspace, Loader) {
    let mut keyspace = Keyspace::new(16, options.slotted, [4; 16]);
    let mut loader = Loader::new(options);
    read(file, cuts, |item, _| loader.load(item, &mut keyspace).unwrap()).unwrap();
    (keyspace, loader)
}

fn string() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..100),
        any::<i64>().prop_map(|n| n.to_string().into_bytes()),
        any::<i16>().prop_map(|n| n.to_string().into_bytes()),
        Just(b"-0".to_vec()),
        Just(b"007".to_vec()),
        ("[ab]{1,6}", 1usize..3000).prop_map(|(text, n)| text.repeat(n).into_bytes()),
        (any::<u64>(), 0usize..30_000, 0usize..5000).prop_map(|(seed, len, tail)| [
            noise(seed, len),
            vec![0; tail]
        ]
        .concat()),
        (any::<u64>(), 0usize..200_000).prop_map(|(seed, len)| noise(seed, len)),
    ]
}

/// Bytes that do not compress.
fn noise(mut seed: u64, len: usize) -> Vec<u8> {
    let mut next = || {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (seed >> 56) as u8
    };
    (0..len).map(|_| next()).collect()
}

fn model() -> impl Strategy<Value = Model> {
    let expires = prop::option::of(0u64..1 << 45);
    prop::collection::btree_map((0u32..16, string()), (string(), expires), 0..25)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn what_is_saved_comes_back_however_it_is_cut(
        model in model(),
        slotted in any::<bool>(),
        compress in any::<bool>(),
        checksum in any::<bool>(),
        cuts in prop::collection::vec(prop_oneof![1usize..30, 1usize..100_000], 1..8),
    ) {
        let options = Options { compress, checksum, ..ALL };
        let file = save(&mut keyspace(&model, slotted), options);
        let loading = LoadOptions { slotted, ..LoadOptions::default() };
        let (loaded, loader) = load(&file, &cuts, loading);
        prop_assert!(contents(&loaded) == model);
        prop_assert_eq!(loader.keys_loaded(), model.len() as u64);
        for (db, key) in model.keys() {
            let found = loaded.get(place(slotted, *db, key), loaded.hash(key), key);
            prop_assert!(found.is_some(), "a key is not in its place");
        }
        let want = if checksum { Checksum::Verified } else { Checksum::Absent };
        let last = items(&file, &cuts).unwrap().pop();
        let ended = matches!(last, Some(Item::End { checksum }) if checksum == want);
        prop_assert!(ended, "{last:?}");
    }
}

#[test]
fn pre_images_of_other_databases_keep_their_database() {
    let mut model = Model::new();
    for i in 0..3000u32 {
        model.insert((i % 3, format!("key:{i}").into_bytes()), (b"old".to_vec(), None));
    }
    let mut keyspace = keyspace(&model, false);
    let mut turn = 0u32;
    let file = save_with(&mut keyspace, ALL, 3, |keyspace| {
        // Written from the far end, so that databases alternate.
        turn += 1;
        let i = 3000u32.saturating_sub(turn * 7);
        let key = format!("key:{i}").into_bytes();
        let hash = keyspace.hash(&key);
        keyspace.edit(Place::new(i % 3, 0), hash, &key).put(New::raw(b"new"), None);
    });
    let (loaded, _) = load(&file, &[4096], LoadOptions::default());
    assert!(contents(&loaded) == model);
    let items = items(&file, &[usize::MAX]).unwrap();
    let selects = items.iter().filter(|item| matches!(item, Item::SelectDb(_))).count();
    let sizes = items.iter().filter(|item| matches!(item, Item::ResizeDb { keys: 1000, .. }));
    assert!(selects > 3, "the test has to make databases alternate");
    assert_eq!(sizes.count(), 3, "once a database");
}

#[test]
fn long_values_are_shared_and_short_ones_compressed() {
    let long: Arc<[u8]> = Arc::from(noise(1, 1 << 20));
    let mut keyspace = Keyspace::new(1, false, [1; 16]);
    let hash = keyspace.hash(b"long");
    let value = New::Big(Big::Shared(Arc::clone(&long)));
    keyspace.edit(Place::default(), hash, b"long").put(value, None);
    let hash = keyspace.hash(b"short");
    keyspace.edit(Place::default(), hash, b"short").put(New::raw(&[7; 4000]), None);
    keyspace.start_snapshot();
    keyspace.walk_snapshot(u32::MAX).unwrap();
    let portion = keyspace.snapshot().next_portion().unwrap();
    let mut out = Encoded::default();
    Encoder::new(ALL).records(&portion, &[], &mut out);
    let (mut own, mut shared) = (0, 0);
    for piece in out {
        match piece {
            store::rdb::Piece::Own(bytes) => own += bytes.len(),
            store::rdb::Piece::Shared(page) => {
                assert!(Arc::ptr_eq(&page.bytes, &long));
                shared += page.len;
            }
        }
    }
    assert_eq!(shared, long.len());
    assert!(own < 200, "{own} bytes are too many for two keys and a run of sevens");
}

#[test]
fn expired_keys_are_left_out_when_asked() {
    let mut model = Model::new();
    for (key, expires) in [("past", Some(99)), ("now", Some(100)), ("never", None)] {
        model.insert((0, key.into()), (b"v".to_vec(), expires));
    }
    let file = save(&mut keyspace(&model, false), ALL);
    let options = LoadOptions { expired_before: Some(100), ..LoadOptions::default() };
    let (loaded, loader) = load(&file, &[5], options);
    assert_eq!((loader.keys_loaded(), loader.keys_expired()), (2, 1));
    model.remove(&(0, b"past".to_vec()));
    assert!(contents(&loaded) == model);
}
