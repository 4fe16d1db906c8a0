//! Random command lines over few keys, right and wrong ones. No word has a blank or line break.

use proptest::prelude::*;
use proptest::sample::select;

fn key() -> impl Strategy<Value = String> {
    select(vec!["a", "b", "c", "d{a}", "e"]).prop_map(String::from)
}

fn word(words: &'static [&'static str]) -> impl Strategy<Value = String> {
    select(words).prop_map(String::from)
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => word(&["", "0", "7", "10000", "-1", "007", "3.0", "abc", "1e3", "0x1f"]),
        2 => any::<i64>().prop_map(|n| n.to_string()),
        2 => float(),
        2 => "[a-c]{1,60}",
        1 => select(vec![44usize, 45, 4096, 4097, 70_000]).prop_map(|len| "x".repeat(len)),
    ]
}

fn integer() -> impl Strategy<Value = String> {
    prop_oneof![
        5 => (-20i64..20).prop_map(|n| n.to_string()),
        1 => word(&[
            "9223372036854775807", "-9223372036854775808", "9223372036854775808", "x", "", "1.5",
            "+1", "007", "-0",
        ]),
    ]
}

fn float() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => (-100_000i64..100_000, 0i32..9).prop_map(|(n, by)| format!("{n}e-{by}")),
        4 => (-100_000i64..100_000, 1u64..1_000_000_000).prop_map(|(n, f)| format!("{n}.{f}")),
        2 => (any::<i64>(), any::<u64>(), -30i32..30).prop_map(|(n, f, e)| format!("{n}.{f}e{e}")),
        1 => (any::<f64>()).prop_map(|f| format!("{f:e}")),
        2 => word(&[
            "inf", "-inf", "nan", "1e4932", "1e5000", "-1e4931", "1e-4940", "1e-5000", ".5", "5.",
            "0x1.8p1", "0x", "1e", "+1", "x", "", "0e9999", "-0", "1e19", "0.1", "0.2", "3.0e3",
        ]),
    ]
}

/// Far in the future, or past: nothing may expire while a script runs. Relative and absolute
/// times never come close to each other.
fn span() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => (1000u64..100_000).prop_map(|n| (n * 1000).to_string()),
        1 => word(&["0", "-1", "x", "", "9223372036854775807", "-9223372036854775808",
            "9223372036854775"]),
    ]
}

fn moment() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => (4_000_000_000_000u64..4_000_000_000_010).prop_map(|n| n.to_string()),
        1 => word(&["1", "0", "-1", "x", "9223372036854775807"]),
    ]
}

fn time_option() -> impl Strategy<Value = String> {
    prop_oneof![
        select(vec!["ex", "PX"])
            .prop_flat_map(|unit| span().prop_map(move |n| format!("{unit} {n}"))),
        select(vec!["EXAT", "pxat"])
            .prop_flat_map(|unit| moment().prop_map(move |n| format!("{unit} {n}"))),
    ]
}

fn words(
    each: impl Strategy<Value = String>,
    count: std::ops::Range<usize>,
) -> impl Strategy<Value = String> {
    prop::collection::vec(each, count)
        .prop_map(|words| words.into_iter().fold(String::new(), |all, word| all + " " + &word))
}

fn strings() -> impl Strategy<Value = String> {
    let set_option = prop_oneof![
        3 => word(&["nx", "XX", "get", "keepttl", "persist", "ex", "zz"]),
        3 => time_option(),
    ];
    let getex_option = prop_oneof![
        1 => word(&["persist", "PERSIST", "keepttl", "px", "get"]),
        3 => time_option(),
    ];
    prop_oneof![
        3 => (key(), value()).prop_map(|(k, v)| format!("set {k} {v}")),
        3 => (key(), value(), words(set_option, 0..4))
            .prop_map(|(k, v, o)| format!("set {k} {v}{o}")),
        2 => key().prop_map(|k| format!("get {k}")),
        1 => key().prop_map(|k| format!("strlen {k}")),
        1 => key().prop_map(|k| format!("getdel {k}")),
        2 => (key(), words(getex_option, 0..3)).prop_map(|(k, o)| format!("getex {k}{o}")),
        1 => (word(&["getset", "setnx", "append"]), key(), value())
            .prop_map(|(c, k, v)| format!("{c} {k} {v}")),
        3 => (key(), value()).prop_map(|(k, v)| format!("append {k} {v}")),
        1 => (word(&["setex", "psetex"]), key(), span(), value())
            .prop_map(|(c, k, n, v)| format!("{c} {k} {n} {v}")),
        3 => (word(&["getrange", "substr"]), key(), integer(), integer())
            .prop_map(|(c, k, a, b)| format!("{c} {k} {a} {b}")),
        2 => (key(), integer(), value()).prop_map(|(k, n, v)| format!("setrange {k} {n} {v}")),
        // With two bytes more the first two are too long, the third even for a number.
        1 => (
            key(),
            select(vec![536_870_911u64, 536_870_912, u64::MAX / 2, 100_000]),
            word(&["", "ab"]),
        )
            .prop_map(|(k, n, v)| format!("setrange {k} {n} {v}")),
        1 => words(key(), 0..4).prop_map(|k| format!("mget{k}")),
        1 => (word(&["mset", "msetnx"]), words((key(), value())
            .prop_map(|(k, v)| format!("{k} {v}")), 0..4))
            .prop_map(|(c, w)| format!("{c}{w}")),
        1 => (word(&["mset", "msetnx"]), words(key(), 0..4)).prop_map(|(c, w)| format!("{c}{w}")),
        1 => (word(&["incr", "decr"]), key()).prop_map(|(c, k)| format!("{c} {k}")),
        2 => (word(&["incrby", "decrby"]), key(), integer())
            .prop_map(|(c, k, n)| format!("{c} {k} {n}")),
        4 => (key(), float()).prop_map(|(k, n)| format!("incrbyfloat {k} {n}")),
    ]
}

fn generic() -> impl Strategy<Value = String> {
    let relative = (word(&["expire", "pexpire"]), span(), words(word(&["nx", "XX", "zz"]), 0..2));
    let absolute =
        (word(&["expireat", "pexpireat"]), moment(), words(word(&["nx", "xx", "GT", "lt"]), 0..3));
    let copy_option = word(&["replace", "REPLACE", "db 0", "db 1", "db 99", "db x", "db", "zz"]);
    prop_oneof![
        3 => (key(), relative).prop_map(|(k, (c, n, o))| format!("{c} {k} {n}{o}")),
        3 => (key(), absolute).prop_map(|(k, (c, n, o))| format!("{c} {k} {n}{o}")),
        4 => (word(&["ttl", "pttl", "expiretime", "pexpiretime", "persist", "type"]), key())
            .prop_map(|(c, k)| format!("{c} {k}")),
        2 => (word(&["del", "unlink", "exists", "touch"]), words(key(), 0..4))
            .prop_map(|(c, k)| format!("{c}{k}")),
        3 => (word(&["rename", "renamenx"]), key(), key())
            .prop_map(|(c, a, b)| format!("{c} {a} {b}")),
        2 => (key(), word(&["1", "0", "15", "16", "-1", "x", "2147483648"]))
            .prop_map(|(k, n)| format!("move {k} {n}")),
        3 => (key(), key(), words(copy_option, 0..3))
            .prop_map(|(a, b, o)| format!("copy {a} {b}{o}")),
        1 => word(&["swapdb 0 1", "swapdb 1 0", "swapdb 1 1", "swapdb 0 16", "swapdb x 0",
            "swapdb 0 x", "swapdb 0 99999999999", "swapdb -1 0", "dbsize", "dbsize x"]),
        1 => word(&["keys *", "keys a", "keys [ab]", "keys zz", "keys ?", "keys *a*", "keys"]),
        1 => word(&["scan 0 count 100000", "scan 0 count 1000 match a*",
            "scan 0 count 99 type string",
            "scan 0 type hash count 99", "scan x", "scan 0 count 0", "scan 0 count -1", "scan 0 zz",
            "scan 0 match", "scan +0 count 1000", "scan -", "scan 99999999999999999999",
            "scan 0 count x zz"]),
        3 => (word(&["encoding", "refcount", "freq", "idletime"]), key())
            .prop_map(|(c, k)| format!("object {c} {k}")),
        1 => word(&["object encoding", "memory usage none", "memory usage none samples x",
            "memory usage none samples -1", "memory usage none zz", "object encoding none"]),
    ]
}

/// A line that may be anything.
pub(crate) fn line() -> impl Strategy<Value = String> {
    prop_oneof![strings(), generic()]
}
