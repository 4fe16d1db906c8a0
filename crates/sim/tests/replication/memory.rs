//! A limit on memory: kept by evicting, told to replicas, and refused where nothing may go.

use crate::deployment::{Deployment, line};
use machine::Span;

const LIMIT: u64 = 200_000;

/// A writer of ever new keys over three databases, of which every other one expires some day.
fn writer() -> impl FnMut() -> Vec<u8> {
    let mut n = 0;
    move || {
        n += 1;
        let value = "v".repeat(n * 37 % 400);
        line(&match n % 25 {
            0 => format!("SELECT {}", n / 25 % 3),
            1 => format!("GET key:{}", n / 2),
            n1 if n1 % 2 == 0 => format!("SET key:{n} {value} EX 10000"),
            _ => format!("SET key:{n} {value}"),
        })
    }
}

fn number(d: &mut Deployment, server: usize, field: &str) -> u64 {
    d.info(server, field).parse().unwrap_or_else(|_| panic!("{field} is no number"))
}

fn limit(d: &mut Deployment, server: usize, policy: &str) {
    d.ask(server, &format!("CONFIG SET maxmemory-policy {policy} maxmemory {LIMIT}"));
}

#[test]
fn replicas_have_what_the_primary_has_left_under_every_policy() {
    for (seed, policy) in (0..).zip([
        "allkeys-lru",
        "allkeys-lfu",
        "allkeys-random",
        "volatile-lru",
        "volatile-lfu",
        "volatile-random",
        "volatile-ttl",
    ]) {
        let mut d = Deployment::new(seed, 2);
        limit(&mut d, 0, policy);
        d.chatter(0, writer());
        d.world.run_for(Span::secs(3));
        d.attach(1, 0);
        d.world.run_for(Span::secs(3));
        d.hush();
        d.world.run_for(Span::secs(1));
        assert!(number(&mut d, 0, "evicted_keys") > 500, "{policy}");
        let used = number(&mut d, 0, "used_memory");
        // What was written last is looked at with the next command.
        assert!((LIMIT / 2..=LIMIT + 1000).contains(&used), "{used} under {policy}");
        d.assert_equal(1, 0);
        // A replica evicts nothing by itself, and uses what its primary uses.
        d.ask(1, &format!("CONFIG SET maxmemory-policy {policy} maxmemory 1000"));
        d.world.run_for(Span::secs(1));
        assert_eq!(d.info(1, "evicted_keys"), "0");
        d.assert_equal(1, 0);
    }
}

#[test]
fn without_a_policy_nothing_goes_and_writes_are_refused() {
    const OOM: &str = "-OOM command not allowed when used memory > 'maxmemory'.";
    let mut d = Deployment::new(3, 1);
    d.ask(0, "SET kept 1");
    d.ask(0, "CONFIG SET maxmemory 1");
    assert_eq!(d.ask(0, "SET a 1"), OOM);
    assert_eq!(d.ask(0, "GET kept"), "1");
    assert_eq!(d.ask(0, "MULTI"), "OK");
    assert_eq!(d.ask(0, "GET kept"), OOM, "a queue takes memory");
    assert!(d.ask(0, "EXEC").starts_with("-EXECABORT"));
    // Queued while there was room.
    d.ask(0, "CONFIG SET maxmemory 0");
    for words in ["MULTI", "SET a 1", "CONFIG SET maxmemory 1", "SET b 1"] {
        d.ask(0, words);
    }
    assert_eq!(d.ask(0, "EXEC"), "OK OK OK", "what runs is not refused half-way");
    d.ask(0, "CONFIG SET maxmemory 0");
    d.ask(0, "MULTI");
    d.ask(0, "SET c 1");
    let other = d.client(0);
    other.borrow_mut().outgoing.push_back(line("CONFIG SET maxmemory 1"));
    d.world.run_for(Span::millis(100));
    let exec = d.ask(0, "EXEC");
    assert_eq!(exec, format!("-EXECABORT Transaction discarded because of: {}", &OOM[1..]));
    assert_eq!(d.ask(0, "DEL kept"), ":1");
    assert_eq!(d.info(0, "evicted_keys"), "0");
    d.world.run_for(Span::secs(3));
    assert!(number(&mut d, 0, "current_eviction_exceeded_time") >= 3000);
    d.ask(0, "CONFIG SET maxmemory 0");
    assert_eq!(d.info(0, "current_eviction_exceeded_time"), "0");
    assert!(number(&mut d, 0, "total_eviction_exceeded_time") >= 3000);
}

#[test]
fn only_what_expires_goes_under_a_volatile_policy() {
    for policy in ["volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl"] {
        let mut d = Deployment::new(5, 1);
        for n in 0..200 {
            d.ask(0, &format!("SET kept:{n} {}", "v".repeat(300)));
        }
        limit(&mut d, 0, policy);
        let mut refused = 0;
        for n in 0..2000 {
            let reply = d.ask(0, &format!("SET some:{n} {} EX 1000", "v".repeat(300)));
            refused += usize::from(reply.starts_with("-OOM"));
        }
        assert_eq!(refused, 0, "{policy}");
        assert!(number(&mut d, 0, "evicted_keys") > 1000);
        for n in 0..200 {
            assert_eq!(d.ask(0, &format!("EXISTS kept:{n}")), ":1");
        }
        // With nothing left that expires, it is as without a policy.
        let mut n = 0;
        while !d.ask(0, &format!("SET more:{n} {}", "v".repeat(300))).starts_with("-OOM") {
            n += 1;
            assert!(n < 2000);
        }
        let volatile = d.info(0, "db0");
        assert!(volatile.contains("expires=0"), "{volatile}");
    }
}

#[test]
fn a_much_lower_limit_is_reached_while_nobody_asks() {
    let mut d = Deployment::new(9, 1);
    for n in 0..8000 {
        d.ask(0, &format!("SET key:{n} {}", "v".repeat(100)));
    }
    let limit = number(&mut d, 0, "used_memory") - 800_000;
    d.ask(0, &format!("CONFIG SET maxmemory-policy allkeys-lru maxmemory {limit}"));
    d.world.run_for(Span::secs(5));
    assert!(number(&mut d, 0, "used_memory") <= limit);
    let evicted = number(&mut d, 0, "evicted_keys");
    assert!((5000..7500).contains(&evicted), "{evicted} keys of about 130 bytes for 800,000");
    // Nothing goes while clients are paused.
    d.ask(0, "CLIENT PAUSE 2000 WRITE");
    d.ask(0, "CONFIG SET maxmemory 1");
    d.world.run_for(Span::secs(1));
    assert_eq!(number(&mut d, 0, "evicted_keys"), evicted);
    d.world.run_for(Span::secs(20));
    assert_eq!(d.ask(0, "DBSIZE"), ":0");
}

#[test]
fn an_evicted_key_is_deleted_or_unlinked_in_the_stream() {
    let added = |lazy: &str| {
        let mut d = Deployment::with(11, 2, |config| config.repl_ping_period = 3600);
        d.attach(1, 0);
        d.ask(0, "SET a 1");
        d.ask(0, &format!("CONFIG SET lazyfree-lazy-eviction {lazy}"));
        let before = number(&mut d, 0, "master_repl_offset");
        d.ask(0, "CONFIG SET maxmemory-policy allkeys-random maxmemory 1");
        d.world.run_for(Span::secs(1));
        assert_eq!(d.ask(1, "DBSIZE"), ":0");
        number(&mut d, 0, "master_repl_offset") - before
    };
    assert_eq!(added("no"), b"*2\r\n$3\r\nDEL\r\n$1\r\na\r\n".len() as u64);
    assert_eq!(added("yes"), b"*2\r\n$6\r\nUNLINK\r\n$1\r\na\r\n".len() as u64);
}
