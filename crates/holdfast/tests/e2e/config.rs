//! Directives: the table beside Redis's own, what is refused, and CONFIG REWRITE.

use crate::client::{Client, requests, show};
use crate::server::{HOLDFAST, Home, Program, Server, until};
use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use wire::value::Value;

/// In 7.2 and not in 7.0, or ours.
const MORE: &[&str] = &[
    "aof-rewrite-cpulist",
    "bgsave-cpulist",
    "bio-cpulist",
    "cluster-announce-human-nodename",
    "cluster-busy-timeout",
    "cluster-fast-failover",
    "locale-collate",
    "replica-accept-empty-primary",
    "server-cpulist",
    "set-max-listpack-entries",
    "set-max-listpack-value",
];

fn all(server: &Server) -> BTreeMap<String, String> {
    let Value::Array(items) = server.client().ask(&["CONFIG", "GET", "*"]) else {
        panic!("no list");
    };
    let texts: Vec<String> = items.iter().map(show).collect();
    texts.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect()
}

#[test]
fn names_and_defaults_are_those_of_redis() {
    let ours = Server::of(Program::Holdfast, Home::new(), &[]);
    let theirs = Server::of(Program::Redis, Home::new(), &[]);
    let (mut ours, mut theirs) = (all(&ours), all(&theirs));
    // Given on the command line, and different for each.
    for name in ["port", "dir"] {
        assert!(ours.remove(name).is_some() && theirs.remove(name).is_some());
    }
    for name in MORE {
        assert!(ours.remove(*name).is_some(), "{name}");
    }
    for (name, value) in &theirs {
        assert_eq!(ours.get(name), Some(value), "{name}");
    }
    assert_eq!(ours.len(), theirs.len());
}

#[test]
fn config_set_is_refused_and_taken_as_by_redis() {
    let ours = Server::start();
    let theirs = Server::of(Program::Redis, Home::new(), &["--save", ""]);
    let (mut ours, mut theirs) = (ours.client(), theirs.client());
    for words in [
        &["maxmemory", "10x"][..],
        &["maxmemory-policy", "foo"],
        &["maxmemory-clients", "101%"],
        &["client-output-buffer-limit", "foo 1 2"],
        &["client-output-buffer-limit", "normal 1"],
        &["client-output-buffer-limit", "foo 1 2 3"],
        &["client-output-buffer-limit", "pubsub 1mb 2kb 3"],
        &["save", "x"],
        &["nope", "1"],
        &["hz", "10", "hz", "11"],
        &["slave-priority", "10", "slave-priority", "11"],
        &["daemonize", "yes"],
        &["dir", "/"],
        &["notify-keyspace-events", "KQ"],
        &["notify-keyspace-events", "KEA"],
        &["notify-keyspace-events", "Kgl"],
        &["oom-score-adj-values", "1 2"],
        &["databases", "3"],
        &["hz", "abc"],
        &["timeout", "7", "hz", "abc"],
        &["latency-tracking-info-percentiles", "50 60.5"],
    ] {
        let call = [&["CONFIG", "SET"], words].concat();
        assert_eq!(ours.call(&call), theirs.call(&call), "{words:?}");
        for name in ["timeout", "client-output-buffer-limit", "notify-keyspace-events"] {
            let get = ["CONFIG", "GET", name];
            assert_eq!(ours.call(&get), theirs.call(&get), "{words:?}");
        }
    }
    for words in [&["slave-p*y"][..], &["no-such", "slave-priority"], &["no-such"]] {
        let call = [&["CONFIG", "GET"], words].concat();
        assert_eq!(ours.call(&call), theirs.call(&call), "{words:?}");
    }
}

#[test]
fn misspelt_lines_are_refused_with_a_hint() {
    let home = Home::new();
    let file = home.beside("redis.conf");
    for (line, meant) in [
        ("port 6379 //默认", "port 6379"),
        ("repl-backlog-size lmb", "repl-backlog-size 1mb"),
        ("min-slave-to-write 2", "min-slaves-to-write"),
        ("slave-server-stale-data yes", "slave-serve-stale-data"),
        ("cluster-conf-file x", "cluster-config-file"),
        ("replica-migration-barrier 1", "cluster-migration-barrier"),
    ] {
        fs::write(&file, format!("{line}\n")).expect("a file");
        let said = |program: &str, arguments: &[&str]| {
            let mut command = Command::new(program);
            let output = command.args(arguments).arg(&file).output().expect("it runs");
            assert_eq!(output.status.code(), Some(1), "{line}");
            String::from_utf8_lossy(&output.stderr).trim().to_string()
        };
        let (ours, theirs) = (said(HOLDFAST, &["server"]), said("redis-server", &[]));
        let block = |text: &str| text.lines().skip(1).map(String::from).collect::<Vec<_>>();
        let (mut ours, theirs) = (block(&ours), block(&theirs));
        assert_eq!(ours.pop(), Some(format!("did you mean '{meant}'?")));
        assert_eq!(ours, theirs);
    }
}

#[test]
fn a_rewrite_is_read_again() {
    let server = Server::run(Home::new(), |home, port| {
        let part = home.beside("part-1.conf");
        fs::write(&part, "slowlog-max-len 7\n").expect("a file");
        let parts = home.beside("part-*.conf");
        let data = home.data();
        let text = format!(
            "# Mine.\nport {port}\nbind 127.0.0.1\ndir {}\nsave \"\"\ninclude {}\n",
            data.display(),
            parts.display()
        );
        let file = home.beside("server.conf");
        fs::write(&file, text).expect("a file");
        let mut command = Command::new(HOLDFAST);
        command.arg("server").arg(file);
        command
    });
    let mut client = server.client();
    assert_eq!(client.call(&["CONFIG", "GET", "slowlog-max-len"]), "[slowlog-max-len 7]");
    let set = ["CONFIG", "SET", "timeout", "9", "save", "60 1 70 2", "slave-priority", "5"];
    assert_eq!(client.call(&set), "+OK");
    assert_eq!(client.line("CONFIG REWRITE"), "+OK");
    assert_eq!(client.line("CONFIG GET timeout"), "[timeout 9]");
    let text = fs::read_to_string(server.home.beside("server.conf")).expect("a file");
    assert!(text.starts_with("# Mine.\nport "), "{text}");
    assert!(text.contains("\nsave 60 1\nsave 70 2\ninclude "), "{text}");
    let (_, added) = text.split_once("# Generated by CONFIG REWRITE\n").expect("a mark");
    assert!(added.contains("timeout 9\n") && added.contains("replica-priority 5\n"), "{added}");

    let without = Server::start();
    let why = "-ERR The server is running without a config file";
    assert_eq!(without.client().line("CONFIG REWRITE"), why);
}

#[test]
fn the_page_of_directives_is_current() {
    let output = Command::new(HOLDFAST).args(["server", "--list-directives"]).output();
    let page = fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/config.md"));
    assert!(
        output.expect("it runs").stdout == page.expect("docs/config.md"),
        "docs/config.md is not what the table says: run cargo xtask docs"
    );
}

#[test]
fn commands_are_renamed_as_at_redis() {
    let text = "rename-command CONFIG \"\"\nrename-command get fetch\nrename-command DEL Get\n\
                rename-command set \"store it\"\n";
    let server = |program| {
        let home = Home::new();
        let file = home.beside("redis.conf");
        fs::write(&file, text).expect("a file");
        let name = file.to_string_lossy().into_owned();
        Server::run(home, move |home, port| {
            let mut command = Program::command(program);
            command.arg(&name).args(["--port", &port.to_string(), "--dir"]).arg(home.data());
            command
        })
    };
    let (ours, theirs) = (server(Program::Holdfast), server(Program::Redis));
    let replica = Server::with(&["--replicaof", "127.0.0.1", &ours.port.to_string()]);
    let (mut ours, mut theirs) = (ours.client(), theirs.client());
    for words in [
        &["CONFIG", "GET", "port"][..],
        &["SET", "a", "1"],
        &["store it", "a", "1"],
        &["FETCH", "a"],
        &["Fetch"],
        &["INCR", "a"],
        &["MULTI"],
        &["fetch", "a"],
        &["store it", "b", "2"],
        &["set", "c", "3"],
        &["EXEC"],
        &["STORE IT", "b", "2"],
        &["GET", "a"],
        &["fetch", "a"],
    ] {
        assert_eq!(ours.call(words), theirs.call(words), "{words:?}");
    }
    let mut replica = replica.client();
    until("the replica has it", || (replica.line("GET b") == "2").then_some(()));
    assert_eq!(replica.line("GET a"), "(null)");
    for line in ["rename-command nosuch x", "rename-command get set"] {
        let said = |program: Program| {
            let home = Home::new();
            let file = home.beside("redis.conf");
            fs::write(&file, format!("{line}\n")).expect("a file");
            let output = program.command().arg(&file).output().expect("it runs");
            assert_eq!(output.status.code(), Some(1), "{line}");
            let text = String::from_utf8_lossy(&output.stderr).into_owned();
            text.lines().last().unwrap_or_default().to_string()
        };
        assert_eq!(said(Program::Holdfast), said(Program::Redis), "{line}");
    }
}

#[test]
fn percentiles_follow_the_settings() {
    let server = Server::start();
    let mut client = server.client();
    client.line("GET x");
    assert!(client.info("latency_percentiles_usec_get").starts_with("p50="));
    client.ask(&["CONFIG", "SET", "latency-tracking-info-percentiles", "0.0 25.50"]);
    assert_eq!(
        client.line("CONFIG GET latency-tracking-info-percentiles"),
        "[latency-tracking-info-percentiles 0 25.5]"
    );
    let figures = client.info("latency_percentiles_usec_get");
    assert!(figures.starts_with("p0=") && figures.contains(",p25.5="), "{figures}");
    client.line("CONFIG SET latency-tracking no");
    assert!(!client.line("INFO latencystats").contains("latency_percentiles"));
}

#[test]
fn a_server_moves_to_another_port_and_address() {
    let (ours, theirs) = (Server::start(), Server::of(Program::Redis, Home::new(), &[]));
    let holder = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = holder.local_addr().expect("an address").port();
    for server in [&ours, &theirs] {
        let (old, new) = (server.port, crate::server::free_port());
        let mut client = server.client();
        assert_eq!(client.line(&format!("CONFIG SET port {new}")), "+OK");
        assert!(std::net::TcpStream::connect(("127.0.0.1", old)).is_err());
        assert_eq!(Client::connect(new).line("PING"), "+PONG");
        assert_eq!(
            client.line(&format!("CONFIG SET port {taken}")),
            "-ERR CONFIG SET failed (possibly related to argument 'port') - Unable to listen on \
             this port. Check server logs."
        );
        assert_eq!(client.line("CONFIG GET port"), format!("[port {new}]"));
        assert_eq!(Client::connect(new).line("PING"), "+PONG");
        assert_eq!(
            client.line("CONFIG SET bind 999.999.999.999"),
            "-ERR CONFIG SET failed (possibly related to argument 'bind') - Failed to bind to \
             specified addresses."
        );
        assert_eq!(client.call(&["CONFIG", "SET", "bind", "* -::*", "timeout", "77"]), "+OK");
        let from_elsewhere = std::net::TcpStream::connect(("127.0.0.2", new));
        assert!(from_elsewhere.is_ok());
        assert_eq!(client.line("CONFIG GET timeout"), "[timeout 77]");
        assert_eq!(client.line("CONFIG SET bind 127.0.0.1"), "+OK");
        assert!(std::net::TcpStream::connect(("127.0.0.2", new)).is_err());
    }
}

#[test]
fn renamed_commands_stay_what_they_are_when_they_wait_or_are_large() {
    let home = Home::new();
    let file = home.beside("redis.conf");
    fs::write(&file, "rename-command SET st\nrename-command APPEND SET\n").expect("a file");
    let name = file.to_string_lossy().into_owned();
    let primary = Server::run(home, move |home, port| {
        let mut command = Program::Holdfast.command();
        command.arg(&name).args(["--port", &port.to_string(), "--dir"]).arg(home.data());
        command
    });
    let replica = Server::with(&["--replicaof", "127.0.0.1", &primary.port.to_string()]);
    let (mut client, mut other) = (primary.client(), primary.client());
    let large = "x".repeat(2 << 20);
    assert_eq!(client.call(&["ST", "big", &large]), "+OK");
    client.line("ST small old");
    client.line("CLIENT PAUSE 100000 WRITE");
    other.send(&requests(["ST small new", "SET small er"]));
    until("it waits", || (client.info("blocked_clients") == "1").then_some(()));
    client.line("CLIENT UNPAUSE");
    assert_eq!(show(&other.read()), "+OK");
    assert_eq!(show(&other.read()), ":5");
    let mut replica = replica.client();
    until("the replica has it", || (replica.line("GET small") == "newer").then_some(()));
    assert_eq!(replica.line("STRLEN big"), format!(":{}", 2 << 20));
}

#[test]
fn late_answers_keep_their_places() {
    let server = Server::start();
    let mut client = server.client();
    client.send(&requests(["CLIENT REPLY SKIP", "SAVE", "ECHO a", "SAVE", "ECHO b"]));
    assert_eq!(
        [show(&client.read()), show(&client.read()), show(&client.read())],
        ["a", "+OK", "b"]
    );
    let port = crate::server::free_port();
    let lines = ["MULTI", &format!("CONFIG SET port {port}"), "PING", "EXEC", "ECHO c"];
    client.send(&requests(lines));
    let replies: Vec<String> = (0..5).map(|_| show(&client.read())).collect();
    assert!(replies[3].starts_with("[-ERR CONFIG SET failed") && replies[3].ends_with("+PONG]"));
    assert_eq!(replies[4], "c");
}

#[test]
fn settings_made_while_the_port_moves_are_kept() {
    let server = Server::start();
    let (mut mover, mut setter) = (server.client(), server.client());
    for round in 0..50 {
        let port = crate::server::free_port();
        mover.send(&requests([format!("CONFIG SET port {port}").as_str()]));
        assert_eq!(setter.line(&format!("CONFIG SET timeout {}", 1000 + round)), "+OK");
        mover.read();
        let wanted = format!("[timeout {}]", 1000 + round);
        assert_eq!(setter.line("CONFIG GET timeout"), wanted);
    }
}
