//! Random lists of commands against a plain map, with time going by; and their effects against a
//! second store, which must end up the same.

use crate::harness::Store;
use crate::script::line;
use proptest::prelude::*;
use proptest::sample::select;
use std::collections::BTreeMap;
use store::command::Expired;
use store::keyspace::Keyspace;

/// Values and expiries by key.
type Map = BTreeMap<String, (String, Option<u64>)>;

struct Model {
    map: Map,
    now: u64,
}

fn bulk(text: &str) -> String {
    format!("${}\r\n{text}\r\n", text.len())
}

fn integer(n: impl std::fmt::Display) -> String {
    format!(":{n}\r\n")
}

const NIL: &str = "$-1\r\n";
const OK: &str = "+OK\r\n";

impl Model {
    fn get(&mut self, key: &str) -> Option<&mut (String, Option<u64>)> {
        let now = self.now;
        self.map.retain(|_, (_, at)| at.is_none_or(|at| at >= now));
        self.map.get_mut(key)
    }

    fn put(&mut self, key: &str, value: &str, at: Option<u64>) {
        self.map.insert(key.into(), (value.into(), at));
    }

    fn expire(&mut self, key: &str, at: u64) -> String {
        let now = self.now;
        match self.get(key) {
            None => integer(0),
            Some(_) if at <= now => {
                self.map.remove(key);
                integer(1)
            }
            Some(held) => {
                held.1 = Some(at);
                integer(1)
            }
        }
    }

    fn rename(&mut self, from: &str, to: &str) -> String {
        let Some(held) = self.get(from).cloned() else { return "-ERR no such key\r\n".into() };
        self.map.remove(from);
        self.map.insert(to.into(), held);
        OK.into()
    }

    fn copy(&mut self, from: &str, to: &str) -> String {
        let held = self.get(from).cloned();
        match held {
            Some(held) if !self.map.contains_key(to) => {
                self.map.insert(to.into(), held);
                integer(1)
            }
            _ => integer(0),
        }
    }

    fn setrange(&mut self, key: &str, at: usize, part: &str) -> String {
        let held = self.get(key).cloned();
        let (mut value, expires) = held.unwrap_or_default();
        while value.len() < at + part.len() {
            value.push('\0');
        }
        value.replace_range(at..at + part.len(), part);
        let reply = integer(value.len());
        self.map.insert(key.into(), (value, expires));
        reply
    }

    fn incrby(&mut self, key: &str, by: i64) -> String {
        let (value, expires) = self.get(key).cloned().unwrap_or_else(|| ("0".into(), None));
        match value.parse::<i64>().ok().filter(|n| n.to_string() == value) {
            Some(n) => {
                self.map.insert(key.into(), ((n + by).to_string(), expires));
                integer(n + by)
            }
            None => "-ERR value is not an integer or out of range\r\n".into(),
        }
    }

    fn run(&mut self, line: &str) -> String {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |index: usize| words[index].parse::<u64>().expect("a number");
        match words[..] {
            ["set", key, value] => {
                self.put(key, value, None);
                OK.into()
            }
            ["set", key, value, "px", _] => {
                self.put(key, value, Some(self.now + number(4)));
                OK.into()
            }
            ["set", key, value, "keepttl", "xx"] => match self.get(key) {
                None => NIL.into(),
                Some(held) => {
                    held.0 = value.into();
                    OK.into()
                }
            },
            ["setnx", key, value] => {
                let free = self.get(key).is_none();
                if free {
                    self.put(key, value, None);
                }
                integer(u8::from(free))
            }
            ["get", key] => self.get(key).map_or(NIL.into(), |held| bulk(&held.0)),
            ["getdel", key] => {
                let reply = self.get(key).map_or(NIL.into(), |held| bulk(&held.0));
                self.map.remove(key);
                reply
            }
            ["getex", key, "px", _] => {
                let at = self.now + number(3);
                self.get(key).map_or(NIL.into(), |held| {
                    held.1 = Some(at);
                    bulk(&held.0)
                })
            }
            ["append", key, tail] => {
                let len = self.get(key).map_or(0, |held| held.0.len());
                self.setrange(key, len, tail)
            }
            ["setrange", key, _, part] => self.setrange(key, number(2) as usize, part),
            ["incrby", key, by] => self.incrby(key, by.parse().expect("a number")),
            ["pexpire", key, _] => self.expire(key, self.now + number(2)),
            ["pexpireat", key, _] => self.expire(key, number(2)),
            ["persist", key] => {
                let had = self.get(key).is_some_and(|held| held.1.take().is_some());
                integer(u8::from(had))
            }
            ["pttl", key] => {
                let now = self.now;
                match self.get(key) {
                    None => integer(-2),
                    Some((_, at)) => at.map_or(integer(-1), |at| integer(at - now)),
                }
            }
            ["del", key] => {
                let had = self.get(key).is_some();
                self.map.remove(key);
                integer(u8::from(had))
            }
            ["rename", from, to] => self.rename(from, to),
            ["copy", from, to] => self.copy(from, to),
            _ => panic!("the model does not know {line}"),
        }
    }
}

fn known_line() -> impl Strategy<Value = String> {
    let key = || select(vec!["a", "b", "c", "d", "e"]);
    let value = || {
        let long = select(vec![4000usize, 4097, 70_000]).prop_map(|len| "y".repeat(len));
        prop_oneof![4 => "[0-9]{1,3}", 4 => "[a-z]{0,50}", 1 => long]
    };
    prop_oneof![
        2 => (key(), value()).prop_map(|(k, v)| format!("set {k} {v}")),
        3 => (key(), value(), 1u64..2000).prop_map(|(k, v, n)| format!("set {k} {v} px {n}")),
        1 => (key(), value()).prop_map(|(k, v)| format!("set {k} {v} keepttl xx")),
        1 => (key(), value()).prop_map(|(k, v)| format!("setnx {k} {v}")),
        2 => (select(vec!["get", "getdel", "persist", "pttl", "del"]), key())
            .prop_map(|(c, k)| format!("{c} {k}")),
        1 => (key(), 1u64..2000).prop_map(|(k, n)| format!("getex {k} px {n}")),
        3 => (key(), value()).prop_map(|(k, v)| format!("append {k} {v}")),
        2 => (key(), 0usize..6000, "[a-z]{1,9}")
            .prop_map(|(k, n, v)| format!("setrange {k} {n} {v}")),
        2 => (key(), -50i64..50).prop_map(|(k, n)| format!("incrby {k} {n}")),
        2 => (key(), 0u64..2000).prop_map(|(k, n)| format!("pexpire {k} {n}")),
        1 => (key(), 1_699_999_999_000u64..1_700_000_010_000)
            .prop_map(|(k, n)| format!("pexpireat {k} {n}")),
        2 => (select(vec!["rename", "copy"]), key(), key())
            .prop_filter("two keys", |(_, a, b)| a != b)
            .prop_map(|(c, a, b)| format!("{c} {a} {b}")),
    ]
}

/// Everything in a database, and what its tables say of themselves.
fn contents(keyspace: &Keyspace, db: u32) -> Map {
    let mut map = Map::new();
    let mut volatile = 0;
    for (_, table) in keyspace.tables(db) {
        let mut position = 0;
        loop {
            position = table.scan(position, |entry| {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                volatile += usize::from(entry.expires().is_some());
                map.insert(text(entry.key()), (text(&entry.view().to_vec()), entry.expires()));
            });
            if position == 0 {
                break;
            }
        }
    }
    assert_eq!((map.len(), volatile), (keyspace.len(db), keyspace.volatile_len(db)));
    map
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn replies_and_values_are_the_model_s(
        script in prop::collection::vec((known_line(), 0u64..300), 1..100),
    ) {
        let mut store = Store::new(false);
        let mut model = Model { map: Map::new(), now: store.now };
        for (line, pause) in script {
            store.now += pause;
            model.now = store.now;
            let reply = store.say(&line);
            prop_assert!(reply == model.run(&line), "{:.99}: {:.99}", line, reply);
        }
        model.get("");
        store.say("get a");
        store.keyspace.expire_cycle(store.now, u32::MAX, |_, _| {});
        prop_assert!(contents(&store.keyspace, 0) == model.map);
    }

    #[test]
    fn effects_repeat_what_was_done(
        script in prop::collection::vec((prop_oneof![line(), known_line()], 0u64..300), 1..100),
    ) {
        let mut primary = Store::new(false);
        let mut replica = Store::new(false);
        replica.expired = Expired::Ignore;
        for (line, pause) in script {
            primary.now += pause;
            replica.now = primary.now + 5000;
            let outcome = primary.line(&line);
            prop_assert_eq!(outcome.changes == 0, outcome.effects.is_empty(), "{}", line);
            for effect in outcome.effects {
                match effect.strip_prefix("SELECT ") {
                    Some(db) => replica.db = db.parse().expect("a number"),
                    None => {
                        let reply = replica.say(&effect);
                        prop_assert!(!reply.starts_with('-'), "{:.99}: {:.99}", effect, reply);
                    }
                }
            }
        }
        for db in 0..16 {
            prop_assert!(contents(&primary.keyspace, db) == contents(&replica.keyspace, db));
        }
    }
}
