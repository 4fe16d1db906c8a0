use alloc::collections::BTreeSet;
use alloc::string::ToString;
use alloc::vec::Vec;

use super::keys::{Begin, Find, uses};
use super::*;

fn row(name: &str) -> &'static Command {
    match name.split_once('|') {
        None => lookup(name.as_bytes()).unwrap(),
        Some((parent, name)) => lookup_sub(row(parent), name.as_bytes()).unwrap(),
    }
}

fn keys(line: &str) -> Vec<usize> {
    let args: Vec<&str> = line.split(' ').collect();
    key_positions(row(args[0]), &args).iter().map(|key| key.index).collect()
}

fn first_uses(line: &str) -> u16 {
    let args: Vec<&str> = line.split(' ').collect();
    key_positions(row(args[0]), &args)[0].uses
}

#[test]
fn ids_are_indexes() {
    for (i, row) in all().iter().enumerate() {
        assert_eq!(row.id as usize, i);
        assert_eq!(get(row.id).name, row.name);
    }
}

#[test]
fn names_are_unique_and_lower_case() {
    let names: BTreeSet<_> = all().iter().map(|row| row.full_name().to_string()).collect();
    assert_eq!(names.len(), all().len());
    assert!(names.iter().all(|name| *name == name.to_lowercase()));
    assert_eq!(row("config|get").full_name().to_string(), "config|get");
}

#[test]
fn subcommands_and_parents_agree() {
    for row in all() {
        for &sub in row.subcommands {
            assert_eq!(get(sub).parent, Some(row.id));
        }
        if let Some(parent) = row.parent {
            assert!(get(parent).subcommands.contains(&row.id), "{}", row.full_name());
        }
    }
}

#[test]
fn rows_are_whole() {
    for row in all() {
        let name = row.full_name();
        assert!(row.arity != 0 && !row.since.is_empty(), "{name}");
        assert!(row.summary.ends_with('.') && row.summary.len() < 80, "{name}");
        assert!(!(row.flags.has(flag::WRITE) && row.flags.has(flag::READONLY)), "{name}");
        let fast = row.categories.has(category::IN_FAST);
        assert_ne!(fast, row.categories.has(category::IN_SLOW), "{name}");
        assert!(!row.one_key || row.first_key > 0, "{name}");
        for spec in row.keys {
            // Every argument before the first key is mandatory.
            if let (Begin::Index(first), Find::Range(0.., ..)) = (spec.begin, spec.find) {
                assert!(i32::from(row.arity.unsigned_abs()) > i32::from(first), "{name}");
            }
        }
    }
}

#[test]
fn known_rows() {
    let facts = [
        ("get", 2, (1, 1, 1), false),
        ("set", -3, (1, 1, 1), false),
        ("mset", -3, (1, -1, 2), false),
        ("mget", -2, (1, -1, 1), false),
        ("del", -2, (1, -1, 1), false),
        ("blpop", -3, (1, -2, 1), false),
        ("rename", 3, (1, 2, 1), false),
        ("smove", 4, (1, 2, 1), false),
        ("bitop", -4, (2, -1, 1), false),
        ("sinterstore", -3, (1, -1, 1), false),
        ("zunionstore", -4, (1, 1, 1), true),
        ("eval", -3, (0, 0, 0), true),
        ("sort", -2, (1, 1, 1), true),
        ("migrate", -6, (3, 3, 1), true),
        ("xread", -4, (0, 0, 0), true),
        ("georadius", -6, (1, 1, 1), true),
        ("object|encoding", 3, (2, 2, 1), false),
        ("xgroup|create", -5, (2, 2, 1), false),
        ("ping", -1, (0, 0, 0), false),
        ("config", -2, (0, 0, 0), false),
        ("config|set", -4, (0, 0, 0), false),
    ];
    for (name, arity, legacy, movable) in facts {
        let row = row(name);
        assert_eq!(row.arity, arity, "{name}");
        assert_eq!(row.legacy_keys, legacy, "{name}");
        assert_eq!(row.flags.has(flag::MOVABLEKEYS), movable, "{name}");
    }
    let get = row("get");
    assert!(get.one_key && get.first_key == 1 && get.accepts(2) && !get.accepts(3));
    assert!(!row("mget").one_key && row("mget").first_key == 1 && row("mget").accepts(9));
    assert!(get.flags.names().eq(["readonly", "fast"]));
    assert!(get.categories.names().eq(["read", "string", "fast"]));
    assert!(row("keys").categories.has(category::IN_DANGEROUS | category::IN_SLOW));
    assert!(!row("eval_ro").categories.has(category::IN_READ));
    assert_eq!(category::by_name(b"SortedSet"), Some(category::IN_SORTEDSET));
    assert_eq!(row("getset").deprecated, Some("6.2.0"));
    assert!(row("spublish").one_key && row("spublish").keys[0].uses & uses::NOT_KEY != 0);
    assert_eq!(row("zadd").group.name(), "sorted-set");
}

#[test]
fn keys_are_found() {
    assert_eq!(keys("get k"), [1]);
    assert_eq!(keys("mset a 1 b 2"), [1, 3]);
    assert_eq!(keys("blpop a b 0"), [1, 2]);
    assert_eq!(keys("bitop and d a b"), [2, 3, 4]);
    assert_eq!(keys("object encoding k"), [] as [usize; 0]);
    assert_eq!(keys("zunionstore d 2 a b weights 1 2"), [1, 3, 4]);
    assert_eq!(keys("zunion 2 a b"), [2, 3]);
    assert_eq!(keys("blmpop 0 2 a b left"), [3, 4]);
    assert_eq!(keys("eval s 2 a b c"), [3, 4]);
    assert_eq!(keys("eval s 0 a b c"), [] as [usize; 0]);
    assert_eq!(keys("eval s 9 a b c"), [] as [usize; 0]);
    assert_eq!(keys("eval s -1 a"), [] as [usize; 0]);
    assert_eq!(keys("xread count 2 streams a b 0 0"), [4, 5]);
    assert_eq!(keys("xreadgroup group g c STREAMS a >"), [5]);
    assert_eq!(keys("sort k by w_* get # store d store e"), [1, 9]);
    assert_eq!(keys("sort k limit 0 store"), [1]);
    assert_eq!(keys("sort_ro k by x"), [1]);
    assert_eq!(keys("migrate h 1 k 0 10"), [3]);
    assert_eq!(keys("migrate h 1  0 10 copy auth keys keys a b"), [10, 11]);
    assert_eq!(keys("migrate h 1 k 0 10 keys a b"), [] as [usize; 0]);
    assert_eq!(keys("georadius k 1 1 1 m store d"), [1, 7]);
    assert_eq!(keys("georadiusbymember k m 1 m storedist d"), [1, 6]);
    assert_eq!(keys("lmpop 2 a b left"), [2, 3]);
    assert_eq!(keys("ssubscribe a b"), [1, 2]);
    assert_eq!(keys("pfmerge d"), [1]);
    assert_eq!(keys("ping"), [] as [usize; 0]);
    assert_eq!(keys("get"), [] as [usize; 0]);
}

#[test]
fn uses_depend_on_the_arguments() {
    assert_eq!(first_uses("set k v"), uses::OW | uses::UPDATE);
    assert_eq!(first_uses("set k v ex 5 GET"), uses::RW | uses::ACCESS | uses::UPDATE);
    assert_eq!(first_uses("bitfield k get u8 0 overflow wrap"), uses::RO | uses::ACCESS);
    assert_eq!(first_uses("bitfield k set u8 0 1"), uses::RW | uses::ACCESS | uses::UPDATE);
    assert_eq!(first_uses("get k"), uses::RO | uses::ACCESS);
}
