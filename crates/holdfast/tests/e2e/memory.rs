//! A limit on memory in a real process, and beside Redis.

use crate::client::{Client, requests};
use crate::server::{Home, Program, Server, free_port, until};

const MIB: u64 = 1 << 20;

fn number(client: &mut Client, field: &str) -> u64 {
    client.info(field).parse().unwrap_or_else(|_| panic!("{field} is no number"))
}

/// Sets numbered keys with values of 500 bytes.
fn fill(client: &mut Client, keys: std::ops::Range<u32>, expiry: &str) {
    let value = "v".repeat(500);
    let all: Vec<u32> = keys.collect();
    for some in all.chunks(100) {
        let lines: Vec<String> =
            some.iter().map(|key| format!("SET key:{key} {value}{expiry}")).collect();
        client.send(&requests(lines.iter().map(String::as_str)));
        some.iter().for_each(|_| drop(client.read()));
    }
}

/// Writes many times as much as a limit lets in, and sees that it is kept all the time.
fn press(client: &mut Client, limit: u64, mut midway: impl FnMut()) {
    let mut before = 0;
    for round in 1..=6 {
        fill(client, round * 20_000..(round + 1) * 20_000, "");
        let (used, evicted) = (number(client, "used_memory"), number(client, "evicted_keys"));
        let free = number(client, "mem_not_counted_for_evict");
        // What the connection itself takes is not known before its request is there.
        assert!(used.saturating_sub(free) < limit + MIB / 4, "{used} of {limit}, {free} apart");
        assert!(used > limit - 2 * MIB, "{used} of {limit}");
        assert!(evicted > before, "{evicted} after {before}");
        before = evicted;
        if round == 3 {
            midway();
        }
    }
}

/// Waits until a replica has all that its primary has sent, and compares the keys.
fn assert_same_keys(client: &mut Client, other: &mut Client) {
    until("the replica has caught up", || {
        let up = other.info("master_link_status") == "up";
        let at = other.info("slave_repl_offset") == client.info("master_repl_offset");
        (up && at).then_some(())
    });
    // The replies to come take memory, too.
    client.line("CONFIG SET maxmemory 0");
    assert_eq!(client.line("DBSIZE"), other.line("DBSIZE"));
    let keys = |client: &mut Client| {
        let mut keys: Vec<String> =
            client.line("KEYS *").trim_matches(['[', ']']).split(' ').map(String::from).collect();
        keys.sort_unstable();
        keys
    };
    let all = keys(client);
    assert!(all == keys(other));
    // The old ones are gone, but for few.
    let old = all.iter().filter(|key| key.len() <= "key:99999".len()).count();
    assert!(old < 1500, "{old} of the oldest are still there");
    assert_eq!(other.info("evicted_keys"), "0");
}

#[test]
fn a_limit_is_kept_while_writes_go_on_and_the_replica_is_equal() {
    let primary = Server::with(&["--save", "", "--repl-ping-replica-period", "1"]);
    let replica = Server::with(&["--save", ""]);
    let (mut client, mut other) = (primary.client(), replica.client());
    fill(&mut client, 0..1000, "");
    let limit = number(&mut client, "used_memory") + 8 * MIB;
    client.line(&format!("CONFIG SET maxmemory {limit}"));
    client.line("CONFIG SET maxmemory-policy allkeys-lru");
    press(&mut client, limit, || {
        // It has to take a snapshot while keys go.
        other.line(&format!("REPLICAOF 127.0.0.1 {}", primary.port));
    });
    assert_same_keys(&mut client, &mut other);
}

#[test]
fn a_limit_is_kept_in_cluster_mode_and_the_replica_is_equal() {
    let start = || {
        let bus = free_port().to_string();
        let mode = ["--save", "", "--cluster-enabled", "yes", "--cluster-port", &bus];
        (Server::with(&mode), bus)
    };
    let ((primary, bus), (replica, _)) = (start(), start());
    let (mut client, mut other) = (primary.client(), replica.client());
    assert_eq!(client.line("CLUSTER ADDSLOTSRANGE 0 16383"), "+OK");
    let meet = format!("CLUSTER MEET 127.0.0.1 {} {bus}", primary.port);
    assert_eq!(other.line(&meet), "+OK");
    let id = client.line("CLUSTER MYID");
    until("the primary is known", || {
        (other.line(&format!("CLUSTER REPLICATE {id}")) == "+OK").then_some(())
    });
    until("all slots are served", || {
        client.line("CLUSTER INFO").contains("cluster_state:ok").then_some(())
    });
    fill(&mut client, 0..1000, "");
    let limit = number(&mut client, "used_memory") + 8 * MIB;
    client.line(&format!("CONFIG SET maxmemory {limit}"));
    client.line("CONFIG SET maxmemory-policy allkeys-lru");
    press(&mut client, limit, || {});
    assert_same_keys(&mut client, &mut other);
    assert!(other.line("DEL key:1").starts_with("-MOVED "), "it is a replica");
}

/// Said to both; the replies must be equal.
const REFUSED_OR_NOT: &[&str] = &[
    "SET kept 1",
    "SET n 1",
    "CONFIG SET maxmemory 1",
    "SET a 1",
    "SET a",
    "SET a 1 NOSUCH",
    "NOSUCH a",
    "INCR kept",
    "INCR n x",
    "APPEND kept 1",
    "GET kept",
    "EXPIRE kept 1000",
    "GETEX kept PERSIST",
    "RENAME kept other",
    "RENAME other kept",
    "COPY kept other",
    "OBJECT FREQ kept",
    "OBJECT REFCOUNT kept",
    "DUMP nosuch",
    "MULTI",
    "GET kept",
    "DISCARD",
    "MULTI",
    "PING",
    "EXEC",
    "WATCH kept",
    "MULTI",
    "MULTI",
    "EXEC",
    "CONFIG SET maxmemory-policy volatile-lru",
    "SET a 1",
    "DEL kept",
    "CONFIG SET maxmemory 0",
    "SET a 1",
    "CONFIG SET maxmemory-policy allkeys-lfu",
    "SET b text",
    "OBJECT FREQ b",
    "OBJECT FREQ nosuch",
    "OBJECT IDLETIME b",
    "OBJECT IDLETIME nosuch",
    "SET b 1",
    "OBJECT REFCOUNT b",
    "CONFIG SET maxmemory 1gb",
    "SET b 1",
    "OBJECT REFCOUNT b",
    "CONFIG SET maxmemory-policy volatile-random",
    "SET b 1",
    "OBJECT REFCOUNT b",
    "CONFIG SET maxmemory 10x",
    "CONFIG SET maxmemory -1",
    "CONFIG SET maxmemory 50%",
    "CONFIG SET maxmemory 1k",
    "CONFIG GET maxmemory",
    "CONFIG SET maxmemory 2Mb",
    "CONFIG GET maxmemory-policy",
    "CONFIG SET maxmemory 0",
    "CONFIG SET maxmemory-eviction-tenacity 101",
    "CONFIG SET lfu-log-factor -1",
    "CONFIG SET lfu-decay-time x",
    "MEMORY",
    "MEMORY NOSUCH",
    "MEMORY USAGE",
    "MEMORY USAGE nosuch",
    "MEMORY USAGE a SAMPLES",
    "MEMORY USAGE a SAMPLES -1",
    "MEMORY USAGE a SAMPLES x",
    "MEMORY USAGE a NOSUCH 1",
    "MEMORY STATS x",
    "MEMORY PURGE",
];

#[test]
fn what_is_refused_and_why_is_as_at_redis() {
    let ours = Server::start();
    let theirs = Server::of(Program::Redis, Home::new(), &["--save", ""]);
    let (mut ours, mut theirs) = (ours.client(), theirs.client());
    for line in REFUSED_OR_NOT {
        assert_eq!(ours.line(line), theirs.line(line), "{line}");
    }
}

#[test]
fn memory_stats_and_info_have_the_fields_of_redis() {
    let ours = Server::start();
    let theirs = Server::of(Program::Redis, Home::new(), &["--save", ""]);
    let names = |server: &Server, three: bool| {
        let mut client = server.client();
        if three {
            client.line("HELLO 3");
        }
        client.line("SET a 1 EX 100");
        let text = client.line("MEMORY STATS");
        let is_name = |word: &&str| word.contains(|c: char| c.is_ascii_lowercase());
        text.split([' ', '[', ']', '{', '}']).filter(is_name).map(String::from).collect::<Vec<_>>()
    };
    for three in [false, true] {
        assert_eq!(names(&ours, three), names(&theirs, three));
    }
    let fields = |server: &Server, section: &str| {
        let text = server.client().line(&format!("INFO {section}"));
        let lines = text.split("\r\n").filter_map(|line| line.split_once(':'));
        lines.map(|(name, _)| String::from(name)).collect::<Vec<_>>()
    };
    let (mine, real) = (fields(&ours, "memory"), fields(&theirs, "memory"));
    let missing: Vec<_> = real.iter().filter(|name| !mine.contains(name)).collect();
    assert!(real.len() > 40 && missing.is_empty(), "{missing:?}");
    let stats = fields(&ours, "stats");
    for name in ["evicted_keys", "total_eviction_exceeded_time", "current_eviction_exceeded_time"] {
        assert!(stats.iter().any(|field| field == name), "{name}");
    }
}

#[test]
fn who_asks_for_the_clients_memory_is_one_of_them() {
    let server = Server::start();
    let mut client = server.client();
    until("nobody else is there", || (client.info("connected_clients") == "1").then_some(()));
    assert_ne!(client.info("mem_clients_normal"), "0");
    let stats = client.line("MEMORY STATS");
    assert!(!stats.contains("clients.normal :0"), "{stats}");
    assert!(stats.contains("clients.normal "), "{stats}");
}

#[test]
fn a_doctor_knows_little_data_and_health() {
    let server = Server::start();
    let mut client = server.client();
    assert!(client.line("MEMORY DOCTOR").starts_with("Hi Sam, this instance is empty"));
    assert!(client.line("MEMORY MALLOC-STATS").starts_with("___ Begin jemalloc statistics ___"));
    assert!(client.line("MEMORY HELP").contains("USAGE"));
    fill(&mut client, 0..40_000, "");
    let text = client.line("MEMORY DOCTOR");
    assert!(text.starts_with("Hi Sam, I can't find") || text.starts_with("Sam, I detected"));
}

#[test]
fn use_is_saved_and_loaded_as_the_policy_asks() {
    let run = |program: Program, home: Home, policy: &str| {
        let args = ["--save", "", "--maxmemory-policy", policy];
        Server::of(program, home, &args)
    };
    for (writer, reader) in
        [(Program::Holdfast, Program::Redis), (Program::Redis, Program::Holdfast)]
    {
        let server = run(writer, Home::new(), "allkeys-lfu");
        let mut client = server.client();
        client.line("SET a text");
        let dump = client.ask(&["DUMP", "a"]);
        let bytes = dump.as_bytes().expect("a payload").to_vec();
        let restore = [b"RESTORE", &b"often"[..], b"0", &bytes, b"FREQ", b"99"];
        client.ask(&restore);
        assert_eq!(client.line("OBJECT FREQ often"), ":99");
        assert_eq!(client.line("SAVE"), "+OK");
        let server = run(reader, server.into_home(), "allkeys-lfu");
        assert_eq!(server.client().line("OBJECT FREQ often"), ":99");

        let server = run(writer, Home::new(), "allkeys-lru");
        let mut client = server.client();
        client.ask(&[b"RESTORE", &b"long"[..], b"0", &bytes, b"IDLETIME", b"1000"]);
        client.line("SET new 1");
        assert_eq!(client.line("SAVE"), "+OK");
        let server = run(reader, server.into_home(), "allkeys-lru");
        let mut client = server.client();
        let idle = client.integer("OBJECT IDLETIME long");
        assert!((1000..1100).contains(&idle), "{idle} by {reader:?}");
        assert!(client.integer("OBJECT IDLETIME new") < 100);
    }
}

#[test]
fn clients_may_take_a_part_of_the_limit() {
    let server = Server::with(&["--save", "", "--maxmemory-clients", "5%"]);
    let mut client = server.client();
    client.line(&format!("SET big {}", "v".repeat(100_000)));
    let greedy = |server: &Server| {
        let mut greedy = server.client();
        let lines = vec!["GET big"; 4000];
        greedy.send(&requests(lines));
        greedy
    };
    // Without a limit there is no part of it.
    let patient = greedy(&server);
    until("its replies wait", || (client.line("CLIENT LIST").contains("oll=")).then_some(()));
    assert_eq!(client.info("evicted_clients"), "0");
    drop(patient);
    client.line("CONFIG SET maxmemory 100mb");
    let _greedy = greedy(&server);
    until("it is closed", || (client.info("evicted_clients") == "1").then_some(()));
    assert_eq!(client.info("evicted_keys"), "0");
}

#[test]
fn what_a_snapshot_holds_evicts_nothing() {
    let server =
        Server::with(&["--save", "", "--rdbcompression", "no", "--repl-diskless-sync-delay", "0"]);
    let mut client = server.client();
    let write = |client: &mut Client, fill: &str| {
        let value = fill.repeat(4000);
        for key in 0..8000 {
            client.ask(&["SET", &format!("key:{key}"), &value]);
        }
    };
    write(&mut client, "a");
    // What other threads have allocated is known a fifth of a second later; a busy machine gets far
    // in that time, but not as far as the snapshot will hold.
    let limit = number(&mut client, "used_memory") + 6 * MIB;
    client.line(&format!("CONFIG SET maxmemory-policy allkeys-random maxmemory {limit}"));
    // A replica that reads nothing.
    let mut replica = server.client();
    assert_eq!(replica.line("REPLCONF capa eof capa psync2"), "+OK");
    replica.send(&requests(["PSYNC ? -1"]));
    until("a snapshot runs", || (client.info("rdb_bgsave_in_progress") == "1").then_some(()));
    // Every bucket is taken before it changes, and stays with the snapshot.
    write(&mut client, "b");
    let held = number(&mut client, "current_cow_size");
    assert!(held > 10 * MIB, "{held}");
    assert!(number(&mut client, "mem_not_counted_for_evict") >= held);
    assert!(number(&mut client, "used_memory") > limit);
    assert_eq!(client.info("evicted_keys"), "0");
    drop(replica);
    until("all is let go", || (number(&mut client, "used_memory") < limit).then_some(()));
    assert_eq!(client.info("evicted_keys"), "0");
}
