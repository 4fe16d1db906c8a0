//! A real redis-server reads what we write, and we read what it writes.

mod server;

use super::{ALL, Model, contents, keyspace, load, noise, save};
use server::{Server, text};
use store::rdb::{LoadOptions, Options, lzf, payload};
use store::value::View;

/// Far in the future, so that nothing expires during the test: Unix milliseconds.
const LATER: u64 = 7_000_000_000_123;

/// Strings of every kind of encoding, at the borders between them.
fn dataset() -> Model {
    let mut model = Model::new();
    let mut add = |db, key: Vec<u8>, value: Vec<u8>| {
        let expires = model.len().is_multiple_of(3).then_some(LATER + model.len() as u64);
        model.insert((db, key), (value, expires));
    };
    for n in [0i64, 127, 128, -128, -129, 32767, 32768, -32768, -32769, 2147483647, 2147483648] {
        for n in [n, -n - 1] {
            add(0, format!("int:{n}").into_bytes(), n.to_string().into_bytes());
            add(2, n.to_string().into_bytes(), b"an integer as a key".to_vec());
        }
    }
    for text in ["9223372036854775807", "-9223372036854775808", "18446744073709551616"] {
        add(0, format!("wide:{text}").into_bytes(), text.into());
    }
    for text in ["", "007", "-0", "+1", "1.5", " 1", "\r\n\0\u{ff}"] {
        add(5, format!("text:{text}").into_bytes(), text.into());
    }
    let lengths =
        [1, 19, 20, 21, 22, 30, 63, 64, 65, 300, 4095, 4096, 4097, 16383, 16384, 16385, 30_000];
    for (i, len) in lengths.into_iter().chain([65_535, 65_536, 65_537, 200_000]).enumerate() {
        add(1, format!("noise:{len}").into_bytes(), noise(i as u64, len));
        add(1, format!("same:{len}").into_bytes(), vec![b'x'; len]);
        let words = format!("key:{} and another value; ", i).repeat(len / 20 + 1);
        add(1, format!("words:{len}").into_bytes(), words.into_bytes());
        // Mostly alike, with noise in between: copies of all lengths and distances.
        let mixed: Vec<u8> =
            noise(7, len).iter().enumerate().map(|(i, b)| b & ((i >> 9) as u8 & 3)).collect();
        add(1, [b"mixed:", noise(i as u64, 40).as_slice()].concat(), mixed);
        let half = [noise(9, len), vec![0; 600]].concat();
        add(1, format!("half:{len}").into_bytes(), half);
        add(15, [b"key".repeat(len / 3 + 1), vec![b'k']].concat(), b"long key".to_vec());
    }
    model
}

/// What Redis holds, asked key by key, must be `model`.
fn compare(server: &mut Server, model: &Model) {
    for ((db, key), (value, expires)) in model {
        server.ok(&[b"SELECT", db.to_string().as_bytes()]);
        let got = server.call(&[b"GET", key]);
        assert!(got == *value, "GET {} differs", key[..key.len().min(40)].escape_ascii());
        let expires = expires.map_or("-1".to_owned(), |at| at.to_string());
        assert_eq!(text(&server.call(&[b"PEXPIRETIME", key])), expires);
    }
    let keys: usize = (0..16)
        .map(|db| {
            server.ok(&[b"SELECT", db.to_string().as_bytes()]);
            text(&server.call(&[b"DBSIZE"])).parse::<usize>().unwrap()
        })
        .sum();
    assert_eq!(keys, model.len());
}

#[test]
fn redis_reads_what_we_write() {
    let mut server = Server::start();
    let model = dataset();
    for (compress, checksum) in [(true, true), (false, true), (true, false)] {
        let file = save(&mut keyspace(&model, false), Options { compress, checksum, ..ALL });
        server.write_dump(&file);
        server.check_dump();
        server.ok(&[b"DEBUG", b"RELOAD", b"NOSAVE"]);
        compare(&mut server, &model);
    }
    // The digest of what it loaded is the digest of what it is told.
    let loaded = server.call(&[b"DEBUG", b"DIGEST"]);
    server.ok(&[b"FLUSHALL"]);
    for ((db, key), (value, expires)) in &model {
        server.ok(&[b"SELECT", db.to_string().as_bytes()]);
        server.ok(&[b"SET", key, value]);
        if let Some(at) = expires {
            assert_eq!(server.call(&[b"PEXPIREAT", key, at.to_string().as_bytes()]), b"1");
        }
    }
    assert_eq!(text(&server.call(&[b"DEBUG", b"DIGEST"])), text(&loaded));
    assert_ne!(text(&loaded), "0".repeat(40));
}

#[test]
fn we_read_what_redis_writes() {
    let mut server = Server::start();
    let model = dataset();
    for compression in ["yes", "no"] {
        server.ok(&[b"FLUSHALL"]);
        server.ok(&[b"CONFIG", b"SET", b"rdbcompression", compression.as_bytes()]);
        for ((db, key), (value, expires)) in &model {
            server.ok(&[b"SELECT", db.to_string().as_bytes()]);
            let at = expires.unwrap_or(0).to_string();
            match expires {
                Some(_) => server.ok(&[b"SET", key, value, b"PXAT", at.as_bytes()]),
                None => server.ok(&[b"SET", key, value]),
            }
        }
        server.ok(&[b"SAVE"]);
        let file = server.read_dump();
        for cuts in [&[usize::MAX][..], &[1], &[7, 4096, 100_000]] {
            let (loaded, _) = load(&file, cuts, LoadOptions::default());
            assert!(contents(&loaded) == model);
        }
        // A second time round through our own hands.
        let (mut loaded, _) = load(&file, &[999], LoadOptions::default());
        server.write_dump(&save(&mut loaded, ALL));
        server.ok(&[b"DEBUG", b"RELOAD", b"NOSAVE"]);
        compare(&mut server, &model);
    }
}

#[test]
fn we_read_functions_access_times_and_frequencies_of_redis() {
    use store::rdb::Item;
    let mut server = Server::start();
    let library = b"#!lua name=l\nredis.register_function('f', function() return 1 end)";
    server.call(&[b"FUNCTION", b"LOAD", library]);
    for policy in ["allkeys-lfu", "allkeys-lru"] {
        server.ok(&[b"CONFIG", b"SET", b"maxmemory-policy", policy.as_bytes()]);
        server.ok(&[b"SET", b"k", b"v"]);
        server.ok(&[b"SAVE"]);
        let items = super::items(&server.read_dump(), &[3]).unwrap();
        let function = items.iter().any(|item| matches!(item, Item::Function(f) if f == library));
        assert!(function);
        let key =
            items.iter().find_map(|item| if let Item::Key(k) = item { Some(k) } else { None });
        let key = key.expect("a key was saved");
        let lfu = policy == "allkeys-lfu";
        assert_eq!((key.freq.is_some(), key.idle.is_some()), (lfu, !lfu));
    }
}

#[test]
fn dump_and_restore_go_both_ways() {
    let mut server = Server::start();
    let mut compressor = lzf::Compressor::new();
    for (value, _) in dataset().values() {
        let ours = payload::encode(View::Bytes(value), Some(&mut compressor)).to_vec();
        server.ok(&[b"RESTORE", b"k", b"0", &ours, b"REPLACE"]);
        assert!(server.call(&[b"GET", b"k"]) == *value);
        let theirs = server.call(&[b"DUMP", b"k"]);
        let loaded = payload::decode(&theirs, Default::default()).unwrap();
        assert!(loaded.into_bytes() == *value);
    }
    let int = payload::encode(View::Int(1 << 40), None).to_vec();
    server.ok(&[b"RESTORE", b"n", b"0", &int]);
    assert_eq!(text(&server.call(&[b"OBJECT", b"ENCODING", b"n"])), "int");
}
