//! The cycle that finds expired keys.

use crate::harness::Store;

fn filled(slotted: bool, due: usize, alive: usize) -> Store {
    let mut store = Store::new(slotted);
    for i in 0..due {
        store.say(&format!("set due:{i} v px {}", 1 + i % 7));
    }
    for i in 0..alive {
        store.say(&format!("set alive:{i} v px 100000"));
        store.say(&format!("set forever:{i} v"));
    }
    store.now += 10;
    store
}

fn cycle(store: &mut Store, units: u32) -> (Vec<String>, store::keyspace::Cycle) {
    let mut gone = Vec::new();
    let cycle = store.keyspace.expire_cycle(store.now, units, |_, key| {
        gone.push(String::from_utf8_lossy(key).into_owned());
    });
    assert_eq!(gone.len() as u64, cycle.expired);
    (gone, cycle)
}

#[test]
fn a_table_with_few_keys_is_cleaned_at_once() {
    for slotted in [false, true] {
        let mut store = filled(slotted, 12, 3);
        let (mut gone, _) = cycle(&mut store, 100_000);
        gone.sort();
        let mut want: Vec<String> = (0..12).map(|i| format!("due:{i}")).collect();
        want.sort();
        assert_eq!(gone, want);
        assert_eq!(store.say("dbsize"), ":6\r\n");
    }
}

#[test]
fn work_is_bounded_and_goes_on_while_it_pays() {
    let mut store = filled(false, 5000, 200);
    let (gone, state) = cycle(&mut store, 3);
    assert!((50..=60).contains(&gone.len()) && state.more);
    let (_, state) = cycle(&mut store, u32::MAX);
    assert!(!state.more);
    let left = store.keyspace.volatile_len(0);
    assert!((200..300).contains(&left), "{left}");
    for _ in 0..500 {
        cycle(&mut store, u32::MAX);
    }
    assert_eq!(store.keyspace.volatile_len(0), 200);
    assert_eq!(store.say("dbsize"), ":400\r\n");
}

#[test]
fn the_same_seed_finds_the_same_keys() {
    let run = || {
        let mut store = filled(false, 500, 500);
        (0..20).flat_map(|_| cycle(&mut store, 4).0).collect::<Vec<_>>()
    };
    assert_eq!(run(), run());
}
