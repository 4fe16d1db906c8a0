//! Eviction: which keys go, how many, and how good the choice is.

use crate::harness::Store;
use proptest::prelude::*;
use proptest::sample::select;
use std::collections::BTreeMap;
use store::access::Stamp;
use store::evict::{Evicted, Order, Rule};
use store::random::Random;

const ORDERS: [Order; 4] = [Order::Idle, Order::Seldom, Order::Soonest, Order::Random];

fn rule(store: &Store, order: Order, volatile: bool) -> Rule {
    let stamp = Stamp::new(store.now, order == Order::Seldom);
    Rule { order, volatile, samples: 5, stamp, decay: 1 }
}

/// Footprints and whether there is an expiry, by database and key.
type Sizes = BTreeMap<(u32, Vec<u8>), (usize, bool)>;

fn sizes(store: &Store) -> Sizes {
    let mut sizes = Sizes::new();
    for db in 0..store.keyspace.databases() {
        for (_, table) in store.keyspace.tables(db) {
            let mut position = 0;
            loop {
                position = table.scan(position, |entry| {
                    let facts = (entry.footprint(), entry.expires().is_some());
                    sizes.insert((db, entry.key().to_vec()), facts);
                });
                if position == 0 {
                    break;
                }
            }
        }
    }
    sizes
}

fn fill(store: &mut Store, keys: &[(u8, u16, bool)]) {
    for (db, key, volatile) in keys {
        store.db = if store.keyspace.is_slotted() { 0 } else { u32::from(*db % 16) };
        let expiry = if *volatile { " px 100000" } else { "" };
        let value = "v".repeat(usize::from(*key) % 300 + 1);
        store.line(&format!("set key:{key} {value}{expiry}"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_goes_is_what_may_go_and_as_much_as_is_wanted(
        keys in prop::collection::vec(any::<(u8, u16, bool)>(), 0..400),
        order in select(ORDERS.to_vec()),
        volatile in any::<bool>(),
        slotted in any::<bool>(),
        wanted in 0usize..100_000,
        most in select(vec![3u32, 50, u32::MAX]),
        snapshot in any::<bool>(),
    ) {
        let mut store = Store::new(slotted);
        fill(&mut store, &keys);
        let before = sizes(&store);
        if snapshot {
            store.keyspace.start_snapshot();
        }
        let rule = rule(&store, order, volatile);
        let mut gone = Vec::new();
        let done = store.keyspace.evict(&rule, wanted, most, |place, key| {
            gone.push((place.db(), key.to_vec()));
        });
        let after = sizes(&store);

        // Nothing else went, and each that went is told once.
        let mut expected = before.clone();
        let mut bytes = 0;
        for key in &gone {
            let (size, had_expiry) = expected.remove(key).expect("gone twice, or never there");
            prop_assert!(had_expiry || !volatile);
            bytes += size;
        }
        prop_assert_eq!(&expected, &after);
        let keys = gone.len() as u32;
        let exhausted = done.exhausted;
        prop_assert_eq!(done, Evicted { keys, bytes, exhausted });
        // It ends for a reason, and does not go on after it.
        let left = after.values().filter(|(_, has)| *has || !volatile).count();
        prop_assert_eq!(done.exhausted, left == 0 && bytes < wanted && keys < most);
        prop_assert!(bytes >= wanted || keys == most || exhausted);
        let last = gone.last().map_or(0, |key| before[key].0);
        prop_assert!(bytes < wanted + last.max(1));
        // A snapshot that runs has all that there was.
        if snapshot {
            while store.keyspace.snapshot().is_running() {
                store.keyspace.walk_snapshot(7).unwrap();
            }
            prop_assert_eq!(store.keyspace.snapshot().taken(), before.len() as u64);
        }
    }
}

#[test]
fn a_nearly_empty_table_is_searched_to_its_last_key() {
    let mut store = Store::new(false);
    (0..50_000).for_each(|i| drop(store.line(&format!("set key:{i} v"))));
    (0..50_000).filter(|i| i % 25_000 > 0).for_each(|i| drop(store.line(&format!("del key:{i}"))));
    let rule = rule(&store, Order::Idle, false);
    let mut calls = 0;
    loop {
        let done = store.keyspace.evict(&rule, usize::MAX, u32::MAX, |_, _| ());
        calls += 1;
        if done.exhausted {
            break;
        }
        assert!(calls < 200, "the search goes on where it was");
    }
    assert_eq!(store.keyspace.len(0), 0);
    assert!(calls > 2, "one call must not search everything");
}

#[test]
fn the_ones_that_expire_soonest_go_first() {
    let mut store = Store::new(false);
    (1..=1000).for_each(|i| drop(store.line(&format!("set key:{i} v px {}", i * 1000))));
    let rule = rule(&store, Order::Soonest, true);
    let mut gone = Vec::new();
    store.keyspace.evict(&rule, usize::MAX, 200, |_, key| {
        let text = String::from_utf8_lossy(key).into_owned();
        gone.push(text["key:".len()..].parse::<u64>().unwrap());
    });
    let mean = gone.iter().sum::<u64>() / gone.len() as u64;
    assert!(mean < 150, "{mean} instead of 100, and of 500 by chance");
}

/// Hits of a cache that holds a tenth of the keys, in percent, under requests of which a few keys
/// get most; keys come in the order `draw` gives.
fn hits(order: Order, slotted: bool, mut draw: impl FnMut(&mut Random, u32) -> u32) -> u32 {
    const HELD: usize = 1000;
    const REQUESTS: u32 = 40_000;
    let mut store = Store::new(slotted);
    store.lfu = order == Order::Seldom;
    let mut random = Random::new(11);
    let mut hits = 0;
    for request in 0..REQUESTS {
        // A hundred requests a second.
        store.now += 10;
        let key = draw(&mut random, request);
        let hit = store.say(&format!("get key:{key}")) != "$-1\r\n";
        if !hit {
            store.line(&format!("set key:{key} v"));
            if store.keyspace.len(0) > HELD {
                let rule = rule(&store, order, false);
                assert_eq!(store.keyspace.evict(&rule, 1, 1, |_, _| ()).keys, 1);
            }
        }
        // Once it has settled.
        hits += u32::from(hit && request > REQUESTS / 4);
    }
    hits * 100 / (REQUESTS * 3 / 4)
}

/// A key of 10,000, by a power law.
fn skewed(random: &mut Random, _: u32) -> u32 {
    let unit = random.below(1 << 32) as f64 / (1u64 << 32) as f64;
    (10_000f64.powf(unit) - 1.0) as u32
}

#[test]
fn skewed_requests_hit_more_often_than_with_random_eviction() {
    for slotted in [false, true] {
        let [lru, lfu, random] =
            [Order::Idle, Order::Seldom, Order::Random].map(|order| hits(order, slotted, skewed));
        println!("slotted {slotted}: lru {lru}, lfu {lfu}, random {random}");
        assert!(lru >= random + 2, "lru {lru}, random {random}");
        assert!(lfu >= random + 3, "lfu {lfu}, random {random}");
    }
}

#[test]
fn frequent_keys_survive_a_scan_under_lfu() {
    // Every other request is for a key that nobody asks for again.
    let scanned = |random: &mut Random, request: u32| match request % 2 {
        0 => random.below(800) as u32,
        _ => 20_000 + request,
    };
    let [lru, lfu] = [Order::Idle, Order::Seldom].map(|order| hits(order, false, scanned));
    println!("lru {lru}, lfu {lfu}");
    assert!(lfu >= 32, "{lfu} of 50");
    assert!(lfu > lru + 5, "lfu {lfu}, lru {lru}");
}

#[test]
fn lru_is_nearly_what_a_perfect_order_would_be() {
    let mut store = Store::new(false);
    (0..10_000).for_each(|i| {
        store.now += 1000;
        store.line(&format!("set key:{i} v"));
    });
    let rule = rule(&store, Order::Idle, false);
    let mut newest = Vec::new();
    store.keyspace.evict(&rule, usize::MAX, 5000, |_, key| {
        let text = String::from_utf8_lossy(key).into_owned();
        newest.push(text["key:".len()..].parse::<u64>().unwrap());
    });
    let wrong = newest.iter().filter(|key| **key >= 5000).count();
    println!("{wrong} of 5000 are of the newer half");
    // Redis with five samples and a pool: about a tenth.
    assert!(wrong < 600, "{wrong}");
}

#[test]
fn a_candidate_that_is_wanted_again_is_passed_over() {
    let mut store = Store::new(false);
    (0..40).for_each(|i| drop(store.line(&format!("set key:{i} v"))));
    store.now += 1_000_000;
    let mut gone = Vec::new();
    let rule_now = Rule { samples: 64, ..rule(&store, Order::Idle, false) };
    store.keyspace.evict(&rule_now, 1, 1, |_, key| gone.push(key.to_vec()));
    // All but one are used.
    store.now += 5000;
    let forgotten = (0..40).find(|i| format!("key:{i}").as_bytes() != gone[0]).unwrap();
    for i in (0..40).filter(|i| *i != forgotten) {
        store.line(&format!("get key:{i}"));
    }
    let rule_now = Rule { samples: 64, ..rule(&store, Order::Idle, false) };
    store.keyspace.evict(&rule_now, 1, 1, |_, key| gone.push(key.to_vec()));
    assert_eq!(gone[1], format!("key:{forgotten}").as_bytes());
}

#[test]
fn a_candidate_that_no_longer_expires_stays() {
    for order in ORDERS {
        let mut store = Store::new(false);
        (0..40).for_each(|i| drop(store.line(&format!("set key:{i} v ex 100"))));
        let rule = rule(&store, order, true);
        assert_eq!(store.keyspace.evict(&rule, 1, 1, |_, _| ()).keys, 1);
        (0..40).for_each(|i| drop(store.line(&format!("persist key:{i}"))));
        let done = store.keyspace.evict(&rule, 1, 1, |_, _| ());
        assert_eq!((done.keys, done.exhausted), (0, true));
    }
}
