//! The keyspace against hashbrown's map, with snapshots in between; meant for AddressSanitizer.
#![no_main]

use arbitrary::Arbitrary;
use hashbrown::HashMap;
use libfuzzer_sys::fuzz_target;
use store::keyspace::{Keyspace, Place};
use store::value::{Big, New, Pages};

#[derive(Arbitrary, Debug)]
enum Op {
    Put { key: u16, len: u16, expires: Option<u16> },
    Int { key: u16, n: i64 },
    Remove { key: u16 },
    Expire { key: u16, expires: Option<u16> },
    Append { key: u16, len: u16 },
    Fill { from: u16, count: u16 },
    Thin { one_of: u8 },
    Shrink { units: u8 },
    Clear,
    Start,
    Walk { units: u16 },
    Abort,
    Scan,
}

fuzz_target!(|ops: Vec<Op>| {
    let place = Place::default();
    let mut keyspace = Keyspace::new(1, false, [3; 16]);
    let mut model: HashMap<Vec<u8>, (Vec<u8>, Option<u64>)> = HashMap::new();
    let mut frozen: Option<HashMap<Vec<u8>, (Vec<u8>, Option<u64>)>> = None;
    let name = |key: u16| key.to_string().into_bytes();
    for op in ops {
        match op {
            Op::Put { key, len, expires } => {
                let (key, value) = (name(key), vec![key as u8; usize::from(len) * 2]);
                let expires = expires.map(u64::from);
                let hash = keyspace.hash(&key);
                keyspace.edit(place, hash, &key).put(New::raw(&value), expires);
                model.insert(key, (value, expires));
            }
            Op::Int { key, n } => {
                let key = name(key);
                let hash = keyspace.hash(&key);
                let mut edit = keyspace.edit(place, hash, &key);
                if !edit.set_int(n) {
                    edit.put_keeping_expiry(New::Int(n));
                }
                model.entry(key).or_default().0 = n.to_string().into_bytes();
            }
            Op::Remove { key } => {
                let key = name(key);
                let hash = keyspace.hash(&key);
                let was = keyspace.edit(place, hash, &key).remove();
                assert_eq!(was, model.remove(&key).is_some());
            }
            Op::Expire { key, expires } => {
                let (key, expires) = (name(key), expires.map(u64::from));
                let hash = keyspace.hash(&key);
                let was = keyspace.edit(place, hash, &key).set_expires(expires);
                assert_eq!(was, model.contains_key(&key));
                if let Some(entry) = model.get_mut(&key) {
                    entry.1 = expires;
                }
            }
            Op::Append { key, len } => {
                let (key, tail) = (name(key), vec![7; usize::from(len)]);
                let hash = keyspace.hash(&key);
                let done = keyspace.edit(place, hash, &key).change_big(|big| {
                    if let Big::Shared(bytes) = big {
                        *big = Big::Paged(Pages::of(bytes));
                    }
                    if let Big::Paged(pages) = big {
                        pages.append(&tail);
                    }
                });
                if done.is_some()
                    && let Some(entry) = model.get_mut(&key)
                {
                    entry.0.extend_from_slice(&tail);
                }
            }
            Op::Fill { from, count } => {
                for i in 0..count % 2000 {
                    let key = name(from.wrapping_add(i));
                    let hash = keyspace.hash(&key);
                    keyspace.edit(place, hash, &key).put(New::raw(b"filled"), None);
                    model.insert(key, (b"filled".to_vec(), None));
                }
            }
            Op::Thin { one_of } => {
                let one_of = usize::from(one_of).max(2);
                let keys: Vec<Vec<u8>> = model.keys().cloned().collect();
                for (_, key) in keys.iter().enumerate().filter(|(i, _)| i % one_of > 0) {
                    let hash = keyspace.hash(key);
                    assert!(keyspace.edit(place, hash, key).remove());
                    model.remove(key);
                }
            }
            Op::Shrink { units } => {
                keyspace.shrink(u32::from(units));
            }
            Op::Clear => {
                keyspace.clear(0);
                keyspace.take_discarded();
                model.clear();
            }
            Op::Start if frozen.is_none() => {
                keyspace.start_snapshot();
                frozen = Some(model.clone());
            }
            Op::Start => {}
            Op::Walk { units } => walk(&mut keyspace, &mut frozen, u32::from(units)),
            Op::Abort => {
                if frozen.take().is_some() {
                    keyspace.abort_snapshot();
                }
            }
            Op::Scan => check(&keyspace, &model),
        }
    }
    walk(&mut keyspace, &mut frozen, u32::MAX);
    check(&keyspace, &model);
});

/// Walks on; what comes out must be in the copy taken at the start, once, and all of it at the end.
fn walk(
    keyspace: &mut Keyspace,
    frozen: &mut Option<HashMap<Vec<u8>, (Vec<u8>, Option<u64>)>>,
    units: u32,
) {
    let Some(left) = frozen else { return };
    keyspace.walk_snapshot(units).expect("a snapshot is complete");
    while let Some(portion) = keyspace.snapshot().next_portion() {
        for record in portion.iter() {
            let want = left.remove(record.key).expect("a key is taken once");
            assert_eq!(want, (record.value.to_vec(), record.expires));
        }
    }
    if !keyspace.snapshot().is_running() {
        assert!(left.is_empty());
        *frozen = None;
    }
}

fn check(keyspace: &Keyspace, model: &HashMap<Vec<u8>, (Vec<u8>, Option<u64>)>) {
    let mut count = 0;
    for (_, table) in keyspace.tables(0) {
        let mut position = 0;
        loop {
            position = table.scan(position, |entry| {
                count += 1;
                let (value, expires) = &model[entry.key()];
                assert_eq!((entry.view().to_vec(), entry.expires()), (value.clone(), *expires));
            });
            if position == 0 {
                break;
            }
        }
    }
    assert_eq!(count, model.len());
}
