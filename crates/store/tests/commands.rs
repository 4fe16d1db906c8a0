//! Single commands: what they answer, in which order they complain, and what they tell replicas.

use crate::harness::Store;
use store::command::Expired;

#[track_caller]
fn check(lines: &[(&str, &str)]) {
    let mut store = Store::new(false);
    for (line, reply) in lines {
        assert_eq!(store.say(line), format!("{reply}\r\n"), "{line}");
    }
}

#[track_caller]
fn effects(store: &mut Store, line: &str, effects: &[&str]) {
    assert_eq!(store.line(line).effects, effects, "{line}");
}

#[test]
fn expiry_options_complain_in_order() {
    check(&[
        ("set k v ex abc foo", "-ERR syntax error"),
        ("set k v ex abc", "-ERR value is not an integer or out of range"),
        ("set k v ex 0", "-ERR invalid expire time in 'set' command"),
        ("set k v ex 9223372036854775807", "-ERR invalid expire time in 'set' command"),
        ("set k v ex", "-ERR syntax error"),
        ("set k v ex 10 px 10", "-ERR syntax error"),
        ("set k v ex 10 EX 20", "+OK"),
        ("ttl k", ":20"),
        ("set k v keepttl keepttl", "+OK"),
        ("set k v keepttl ex 1", "-ERR syntax error"),
        ("set k v persist", "-ERR syntax error"),
        ("set k v nx xx", "-ERR syntax error"),
        ("set k v nx get", "$1\r\nv"),
        ("setex k 0 v", "-ERR invalid expire time in 'setex' command"),
        ("psetex k -1 v", "-ERR invalid expire time in 'psetex' command"),
        ("setex k x v", "-ERR value is not an integer or out of range"),
        ("getex none ex 0", "$-1"),
        ("getex k ex 0", "-ERR invalid expire time in 'getex' command"),
        ("getex k nx", "-ERR syntax error"),
        ("getex k persist ex 1", "-ERR syntax error"),
        ("expire k 10 zz", "-ERR Unsupported option zz"),
        ("expire k x zz", "-ERR Unsupported option zz"),
        (
            "expire k x nx xx",
            "-ERR NX and XX, GT or LT options at the same time are not compatible",
        ),
        ("expire k x gt lt", "-ERR GT and LT options at the same time are not compatible"),
        ("expire none x", "-ERR value is not an integer or out of range"),
        ("expire k 9223372036854775807", "-ERR invalid expire time in 'expire' command"),
        ("pexpire k 9223372036854775807", "-ERR invalid expire time in 'pexpire' command"),
        ("expireat k -9223372036854775808", "-ERR invalid expire time in 'expireat' command"),
    ]);
}

#[test]
fn other_errors() {
    check(&[
        ("mset a", "-ERR wrong number of arguments for 'mset' command"),
        ("mset a 1 b", "-ERR wrong number of arguments for 'mset' command"),
        ("msetnx a 1 b", "-ERR wrong number of arguments for 'msetnx' command"),
        ("setrange k -1 v", "-ERR offset is out of range"),
        ("setrange k x v", "-ERR value is not an integer or out of range"),
        (
            "setrange k 536870911 vv",
            "-ERR string exceeds maximum allowed size (proto-max-bulk-len)",
        ),
        ("incrbyfloat k x", "-ERR value is not a valid float"),
        ("incrbyfloat k inf", "-ERR increment would produce NaN or Infinity"),
        ("rename none none", "-ERR no such key"),
        ("set k v", "+OK"),
        ("rename k k", "+OK"),
        ("renamenx k k", ":0"),
        ("move k x", "-ERR value is not an integer or out of range"),
        (
            "move k 2147483648",
            "-ERR value is out of range, value must between -2147483648 and 2147483647",
        ),
        ("move k 16", "-ERR DB index is out of range"),
        ("move k 0", "-ERR source and destination objects are the same"),
        ("copy k k", "-ERR source and destination objects are the same"),
        ("copy k k db", "-ERR syntax error"),
        ("copy k k db -1", "-ERR DB index is out of range"),
        ("swapdb x 1", "-ERR invalid first DB index"),
        ("swapdb 1 x", "-ERR invalid second DB index"),
        ("swapdb 1 16", "-ERR DB index is out of range"),
        ("scan x", "-ERR invalid cursor"),
        ("scan 0 count 0", "-ERR syntax error"),
        ("scan 0 count x", "-ERR value is not an integer or out of range"),
        ("scan 0 match", "-ERR syntax error"),
        ("object encoding none", "$-1"),
        ("memory usage k samples -1", "-ERR syntax error"),
    ]);
}

#[test]
fn effects_have_absolute_times() {
    let mut store = Store::new(false);
    let now = store.now;
    effects(&mut store, "setex k 10 v", &[&format!("SET k v PXAT {}", now + 10_000)]);
    effects(&mut store, "set k v px 5 nx", &[]);
    effects(&mut store, "set k v px 5 xx", &[&format!("SET k v PXAT {}", now + 5)]);
    effects(&mut store, "set k v pxat 1 xx", &["SET k v PXAT 1"]);
    effects(&mut store, "get k", &["DEL k"]);
    effects(&mut store, "set k 1", &["set k 1"]);
    effects(&mut store, "expire k 7 nx", &[&format!("PEXPIREAT k {} nx", now + 7000)]);
    effects(&mut store, "expire k 7 nx", &[]);
    effects(&mut store, "getex k px 3", &[&format!("PEXPIREAT k {}", now + 3)]);
    effects(&mut store, "incrbyfloat k 0.5", &["SET k 1.5 KEEPTTL"]);
    effects(&mut store, "getex k persist", &["PERSIST k"]);
    effects(&mut store, "getex k persist", &[]);
    effects(&mut store, "persist k", &[]);
    effects(&mut store, "getset k 2", &["SET k 2"]);
    effects(&mut store, "getex k pxat 1", &["DEL k"]);
    effects(&mut store, "set k 1", &["set k 1"]);
    effects(&mut store, "expire k -1", &["DEL k"]);
    effects(&mut store, "append k ab", &["append k ab"]);
    effects(&mut store, "setrange k 0 ", &[]);
    effects(&mut store, "getdel k", &["DEL k"]);
    effects(&mut store, "getdel k", &[]);
    effects(&mut store, "del k", &[]);
    assert_eq!(store.line("mset a 1 b 2").changes, 2);
    effects(&mut store, "msetnx c 1 b 2", &[]);
}

#[test]
fn a_key_expired_in_the_other_database_is_deleted_there() {
    let mut store = Store::new(false);
    store.db = 1;
    store.say("set k old px 5");
    store.db = 0;
    store.say("set k new");
    store.now += 6;
    effects(&mut store, "move k 1", &["SELECT 1", "DEL k", "SELECT 0", "move k 1"]);
    store.db = 1;
    assert_eq!(store.say("get k"), "$3\r\nnew\r\n");
}

#[test]
fn a_replica_waits_for_the_primary_to_expire() {
    let mut store = Store::new(false);
    store.say("set k v px 5");
    store.now += 6;
    store.expired = Expired::Hide;
    effects(&mut store, "get k", &[]);
    assert_eq!(store.say("keys *"), "*0\r\n");
    assert_eq!(store.say("scan 0"), "*2\r\n$1\r\n0\r\n*0\r\n");
    assert_eq!(store.say("randomkey"), "$1\r\nk\r\n");
    store.expired = Expired::Ignore;
    assert_eq!(store.say("get k"), "$1\r\nv\r\n");
    let before = store.now - 1000;
    effects(&mut store, "expire k -1", &[&format!("PEXPIREAT k {before}")]);
    store.expired = Expired::Delete;
    effects(&mut store, "scan 0", &["DEL k"]);
    assert_eq!(store.say("dbsize"), ":0\r\n");
}

#[test]
fn encodings() {
    let mut store = Store::new(false);
    let long = "x".repeat(45);
    for (lines, encoding) in [
        (vec!["set k 12"], "int"),
        (vec!["append k 12"], "int"),
        (vec!["set k abc"], "embstr"),
        (vec![&format!("set k {long}")], "raw"),
        (vec!["set k a", "append k b"], "raw"),
        (vec!["set k a", "append k b", "expire k 100"], "raw"),
        (vec!["set k a", "append k b", "rename k j", "copy j k"], "raw"),
        (vec!["setrange k 2 b"], "raw"),
        (vec!["incrbyfloat k 3"], "embstr"),
        (vec!["set k 1", "append k 2", "incr k"], "int"),
    ] {
        store.say("del k");
        for line in &lines {
            store.line(line);
        }
        let reply = store.say("object encoding k");
        assert_eq!(reply, format!("${}\r\n{encoding}\r\n", encoding.len()), "{lines:?}");
    }
}

#[test]
fn long_strings_change_in_place_and_are_read_in_parts() {
    let mut store = Store::new(false);
    let mut model = vec![b'a'; 4000];
    store.run(&[b"set", b"k", &model]);
    for i in 0..200usize {
        let part = vec![b'b' + (i % 20) as u8; 997];
        if i % 3 == 0 {
            let at = i * 331;
            store.run(&[b"setrange", b"k", at.to_string().as_bytes(), &part]);
            model.resize(model.len().max(at + part.len()), 0);
            model[at..at + part.len()].copy_from_slice(&part);
        } else {
            store.run(&[b"append", b"k", &part]);
            model.extend_from_slice(&part);
        }
        let (from, to) = (model.len() / 3, model.len() / 2 + i);
        let want = &model[from..=to.min(model.len() - 1)];
        let got = store.line(&format!("getrange k {from} {to}")).reply;
        let header = format!("${}\r\n", want.len());
        assert!(got == [header.as_bytes(), want, b"\r\n"].concat(), "round {i}");
    }
    assert_eq!(store.say("strlen k"), format!(":{}\r\n", model.len()));
}

/// All keys by SCAN, which must end.
fn scan_all(store: &mut Store, count: usize, options: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut cursor = String::from("0");
    loop {
        let reply = store.say(&format!("scan {cursor} count {count}{options}"));
        let mut lines = reply.split("\r\n").skip(2);
        cursor = lines.next().unwrap().into();
        let keys: Vec<&str> = lines.skip(1).collect();
        found.extend(keys.chunks_exact(2).map(|pair| String::from(pair[1])));
        if cursor == "0" {
            found.sort();
            return found;
        }
        assert!(cursor.parse::<u64>().unwrap() < 1 << 48);
    }
}

#[test]
fn scans_find_every_key_once() {
    for slotted in [false, true] {
        let mut store = Store::new(slotted);
        let mut keys: Vec<String> = (0..3000).map(|i| format!("{{{}}}key:{i}", i % 50)).collect();
        for key in &keys {
            store.say(&format!("set {key} v"));
        }
        keys.sort();
        for count in [1, 10, 777, 100_000] {
            assert!(scan_all(&mut store, count, "") == keys, "count {count} {slotted}");
        }
        assert!(scan_all(&mut store, 10, " type string match *") == keys);
        assert!(scan_all(&mut store, 10, " type hash").is_empty());
        assert_eq!(scan_all(&mut store, 10, " match *key:1").len(), 1);
        assert_eq!(store.say("keys *key:77"), "*1\r\n$10\r\n{27}key:77\r\n");
        assert_eq!(store.say("keys {27}key:77"), "*1\r\n$10\r\n{27}key:77\r\n");
        assert_eq!(store.say("dbsize"), ":3000\r\n");
        for key in &keys[1..] {
            store.say(&format!("del {key}"));
        }
        assert_eq!(store.say("dbsize"), ":1\r\n");
        assert_eq!(store.say("randomkey"), format!("${}\r\n{}\r\n", keys[0].len(), keys[0]));
        store.say(&format!("del {}", keys[0]));
        assert_eq!(store.say("randomkey"), "$-1\r\n");
    }
}

#[test]
fn random_keys_are_fair_over_slots() {
    let mut store = Store::new(true);
    for i in 0..90 {
        store.say(&format!("set {{full}}{i} v"));
    }
    for i in 0..10 {
        store.say(&format!("set {i} v"));
    }
    let full = (0..2000).filter(|_| store.say("randomkey").contains("{full}")).count();
    assert!((1700..1900).contains(&full), "{full} of 2000, expected about 1800");
}

#[test]
fn some_commands_are_not_for_clusters() {
    let mut store = Store::new(true);
    assert_eq!(store.say("move k 1"), "-ERR MOVE is not allowed in cluster mode\r\n");
    assert_eq!(store.say("swapdb 0 1"), "-ERR SWAPDB is not allowed in cluster mode\r\n");
    assert_eq!(store.say("copy a b db 1"), "-ERR DB index is out of range\r\n");
}
