//! What a server says about itself, and how it is configured while it runs.

use crate::client::show;
use crate::server::{Home, Program, Server, until};
use wire::value::Value;

#[test]
fn command_lists_what_there_is() {
    let server = Server::start();
    let mut client = server.client();
    let count = client.integer("COMMAND COUNT");
    let Value::Array(all) = client.ask(&["COMMAND"]) else { panic!("COMMAND answers an array") };
    assert_eq!(all.len() as i64, count);
    let names: Vec<String> = match client.ask(&["COMMAND", "LIST"]) {
        Value::Array(names) => names.iter().map(show).collect(),
        other => panic!("COMMAND LIST answered {}", show(&other)),
    };
    let whole = names.iter().filter(|name| !name.contains('|')).count();
    assert_eq!(whole as i64, count);
    for name in ["get", "set", "del", "incr", "ping", "config", "config|get", "info", "bgsave"] {
        assert!(names.iter().any(|listed| listed == name), "{name} is not listed");
    }
    let spec = "[flags [+RO +access] begin_search [type index spec [index :1]] \
                find_keys [type range spec [lastkey :0 keystep :1 limit :0]]]";
    let get = "get :2 [+readonly +fast] :1 :1 :1 [+@read +@string +@fast] []";
    assert_eq!(client.line("COMMAND INFO GET"), format!("[[{get} [{spec}] []]]"));
    assert_eq!(client.line("COMMAND INFO nosuch"), "[(null)]");
    let docs = client.line("COMMAND DOCS get nosuch");
    assert!(docs.starts_with("[get [summary "), "{docs}");
    assert!(docs.contains("since 1.0.0") && docs.contains("group string"), "{docs}");
    assert_eq!(client.line("COMMAND GETKEYS set a b"), "[a]");
}

#[test]
fn command_answers_as_at_redis() {
    let ours = Server::start();
    let theirs = Server::of(Program::Redis, Home::new(), &["--save", ""]);
    for line in [
        "COMMAND INFO mset get rename copy nosuch",
        "COMMAND INFO object|encoding config|get config|nosuch",
        "COMMAND LIST FILTERBY PATTERN *getrange",
        "COMMAND LIST FILTERBY PATTERN multi",
        "COMMAND LIST FILTERBY MODULE any",
        "COMMAND LIST FILTERBY ACLCAT nosuch",
        "COMMAND LIST FILTERBY other x",
        "COMMAND LIST FILTERBY pattern",
        "COMMAND LIST x",
        "COMMAND GETKEYS mset a 1 b 2",
        "COMMAND GETKEYS set a",
        "COMMAND GETKEYS nosuch x",
        "COMMAND GETKEYS ping x",
        "COMMAND GETKEYS object encoding x",
        "COMMAND GETKEYSANDFLAGS set a b",
        "COMMAND GETKEYSANDFLAGS set a b GET",
        "COMMAND GETKEYSANDFLAGS copy a b",
        "COMMAND GETKEYSANDFLAGS rename a b",
        "COMMAND GETKEYSANDFLAGS ping x",
        "COMMAND COUNT x",
        "COMMAND DOCS nosuch",
    ] {
        assert_eq!(ours.client().line(line), theirs.client().line(line), "{line}");
    }
}

#[test]
fn help_names_what_there_is() {
    let server = Server::start();
    let mut client = server.client();
    let list = client.line("COMMAND LIST");
    let names: Vec<&str> = list.trim_matches(['[', ']']).split(' ').collect();
    for container in ["CLIENT", "COMMAND", "CONFIG", "LATENCY", "MEMORY", "SLOWLOG"] {
        let Value::Array(lines) = client.ask(&[container, "HELP"]) else { panic!("{container}") };
        let lines: Vec<String> = lines.iter().map(show).collect();
        let head = format!("+{container} <subcommand> [<arg> [value] [opt] ...].");
        assert!(lines[0].starts_with(&head), "{lines:?}");
        let prefix = format!("{}|", container.to_ascii_lowercase());
        let built: Vec<&str> = names.iter().filter_map(|name| name.strip_prefix(&prefix)).collect();
        assert!(built.contains(&"help"), "{container}");
        for name in built {
            let name = format!("+{}", name.to_ascii_uppercase());
            assert!(lines.contains(&name), "{container} HELP lacks {name}");
        }
    }
    assert!(client.line("OBJECT HELP").contains("ENCODING"));
    assert_eq!(client.line("CLUSTER HELP"), "-ERR This instance has cluster support disabled");
    assert!(client.line("CONFIG HELP x").starts_with("-ERR wrong number of arguments"));
}

#[test]
fn info_counts_clients() {
    let server = Server::start();
    let (mut client, mut other, mut waiting) = (server.client(), server.client(), server.client());
    assert_eq!(other.line("WATCH a b"), "+OK");
    waiting.send(&crate::client::requests(["WAIT 1 100000"]));
    until("it waits", || (client.info("blocked_clients") == "1").then_some(()));
    for (field, value) in [
        ("connected_clients", "3"),
        ("clients_in_timeout_table", "1"),
        ("watching_clients", "1"),
        ("total_watched_keys", "2"),
        ("maxclients", "10000"),
        ("tracking_clients", "0"),
    ] {
        assert_eq!(client.info(field), value, "{field}");
    }
    until("commands are seen to be many", || {
        client.send(&crate::client::requests(["PING"; 500]));
        (0..500).for_each(|_| drop(client.read()));
        let rate: u64 = client.info("instantaneous_ops_per_sec").parse().expect("a number");
        (rate > 10).then_some(())
    });
    let text = client.line("INFO everything");
    let mut names: Vec<&str> = text.lines().filter_map(|line| line.split(':').next()).collect();
    names.retain(|name| !name.is_empty());
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count, "a field is there twice");
}

#[test]
fn unknown_commands_and_wrong_numbers_of_arguments_are_told() {
    let server = Server::start();
    let mut client = server.client();
    let arity = |name: &str| format!("-ERR wrong number of arguments for '{name}' command");
    for (line, reply) in [
        ("GET", arity("get")),
        ("GET a b", arity("get")),
        ("CONFIG", arity("config")),
        ("CONFIG GET", arity("config|get")),
        ("CONFIG SET a", arity("config|set")),
        ("CONFIG SET port 1 x", String::from("-ERR syntax error")),
        ("CLIENT SETNAME", arity("client|setname")),
        ("CONFIG nosuch", String::from("-ERR unknown subcommand 'nosuch'. Try CONFIG HELP.")),
        (
            "NoSuch a b",
            String::from("-ERR unknown command 'NoSuch', with args beginning with: 'a' 'b' "),
        ),
    ] {
        assert_eq!(client.line(line), reply, "{line}");
    }
    let long = "x".repeat(300);
    let cut = "x".repeat(128);
    let text = format!("-ERR unknown command '{cut}', with args beginning with: '{cut}' ");
    assert_eq!(client.call(&[&long, &long, &long]), text);
    // What was sent cannot end the line of the error.
    let text = "-ERR unknown command 'a  b', with args beginning with: ' +OK  ' ";
    assert_eq!(client.call(&["a\r\nb", "\n+OK\r\n"]), text);
    assert_eq!(client.line("PING"), "+PONG");
}

#[test]
fn directives_are_read_and_changed() {
    let server = Server::start();
    let mut client = server.client();
    assert_eq!(client.line("CONFIG GET nosuch"), "[]");
    assert_eq!(client.line("CONFIG GET databases"), "[databases 16]");
    assert_eq!(client.line("CONFIG GET port"), format!("[port {}]", server.port));
    assert_eq!(
        client.line("CONFIG GET slowlog-*"),
        "[slowlog-log-slower-than 10000 slowlog-max-len 128]"
    );
    assert_eq!(client.line("CONFIG SET SLOWLOG-MAX-LEN 7 timeout 100"), "+OK");
    assert_eq!(client.line("CONFIG GET slowlog-max-len"), "[slowlog-max-len 7]");
    assert_eq!(client.call(&["CONFIG", "SET", "save", "60 1 5 2"]), "+OK");
    assert_eq!(client.line("CONFIG GET save"), "[save 60 1 5 2]");
    assert_eq!(client.line("CONFIG SET proto-max-bulk-len 2mb"), "+OK");
    assert_eq!(client.line("CONFIG GET proto-max-bulk-len"), "[proto-max-bulk-len 2097152]");
    // All or nothing.
    assert!(client.line("CONFIG SET slowlog-max-len 9 timeout x").starts_with("-ERR CONFIG SET"));
    assert_eq!(client.line("CONFIG GET slowlog-max-len"), "[slowlog-max-len 7]");
}

#[test]
fn directives_refuse_what_they_cannot_be() {
    let server = Server::start();
    let mut client = server.client();
    for (directive, why) in [
        ("databases 3", "can't set immutable config"),
        ("rdbcompression maybe", "argument must be 'yes' or 'no'"),
        ("rdbcompression yes rdbcompression no", "duplicate parameter"),
        ("timeout x", "argument couldn't be parsed into an integer"),
        ("timeout -1", "argument must be between 0 and 2147483647 inclusive"),
        ("save x", "Invalid save parameters"),
        ("save 60", "Invalid save parameters"),
        ("proto-max-bulk-len x", "argument must be a memory value"),
        (
            "proto-max-bulk-len 1",
            "argument must be between 1048576 and 9223372036854775807 inclusive",
        ),
    ] {
        let name = directive.split(' ').next().unwrap_or_default();
        assert_eq!(
            client.line(&format!("CONFIG SET {directive}")),
            format!("-ERR CONFIG SET failed (possibly related to argument '{name}') - {why}")
        );
    }
    assert_eq!(
        client.line("CONFIG SET nosuch 1"),
        "-ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'"
    );
}

#[test]
fn info_tells_and_counts() {
    let server = Server::start();
    let mut client = server.client();
    assert_eq!(client.info("tcp_port"), server.port.to_string());
    assert_eq!(client.info("redis_mode"), "standalone");
    assert_eq!(client.info("role"), "master");
    assert_eq!(client.info("run_id").len(), 40);
    let processed: u64 = client.info("total_commands_processed").parse().expect("a number");
    assert_eq!(client.line("SET a 1"), "+OK");
    for line in ["GET a", "GET a", "GET none", "NOSUCH", "GET", "INCR a"] {
        client.line(line);
    }
    // INFO itself is counted when it has ended, like the six before it that ran.
    let now: u64 = client.info("total_commands_processed").parse().expect("a number");
    assert_eq!(now - processed, 6);
    assert_eq!(client.info("keyspace_hits"), "2");
    assert_eq!(client.info("keyspace_misses"), "1");
    assert_eq!(client.info("errorstat_ERR"), "count=2");
    assert_eq!(client.info("rdb_changes_since_last_save"), "2");
    assert!(client.info("cmdstat_get").starts_with("calls=3,"));
    assert!(client.info("cmdstat_get").ends_with(",rejected_calls=1,failed_calls=0"));
    for line in ["CONFIG GET", "CONFIG NOSUCH", "CONFIG"] {
        assert!(client.line(line).starts_with("-ERR "), "{line}");
    }
    assert!(client.info("cmdstat_config").contains("rejected_calls=1,"));
    assert!(client.info("cmdstat_config|get").contains("rejected_calls=1,"));
    assert_eq!(client.info("db0"), "keys=1,expires=0,avg_ttl=0");
    assert!(client.info("latency_percentiles_usec_get").starts_with("p50="));
    let keyspace = client.line("INFO keyspace");
    assert_eq!(keyspace, "# Keyspace\r\ndb0:keys=1,expires=0,avg_ttl=0\r\n");
    assert!(!client.line("INFO").contains("# Commandstats"));
    assert_eq!(client.line("CONFIG RESETSTAT"), "+OK");
    assert_eq!(client.info("total_connections_received"), "0");
}

#[test]
fn slow_requests_are_kept_and_histograms_count() {
    let server = Server::start();
    let mut client = server.client();
    for line in ["CONFIG SET slowlog-log-slower-than 0", "SLOWLOG RESET", "SET a 1", "GET a"] {
        assert!(!client.line(line).starts_with('-'), "{line}");
    }
    assert_eq!(client.line("CONFIG SET slowlog-log-slower-than -1"), "+OK");
    let Value::Array(entries) = client.ask(&["SLOWLOG", "GET", "-1"]) else { panic!("an array") };
    assert_eq!(entries.len() as i64, client.integer("SLOWLOG LEN"));
    let shown: Vec<String> = entries.iter().map(show).collect();
    assert!(shown.iter().any(|entry| entry.contains(" [GET a] 127.0.0.1:")), "{shown:?}");
    let error = "-ERR count should be greater than or equal to -1";
    assert_eq!(client.line("SLOWLOG GET -2"), error);
    assert_eq!(client.line("SLOWLOG GET x"), error);
    assert_eq!(client.line("SLOWLOG GET 0"), "[]");
    assert_eq!(client.line("SLOWLOG RESET"), "+OK");
    assert_eq!(client.line("SLOWLOG LEN"), ":0");
    assert_eq!(client.line("LATENCY HISTOGRAM nosuch"), "[]");
    let histogram = client.line("LATENCY HISTOGRAM set get");
    assert!(histogram.contains("get [calls :1 histogram_usec ["), "{histogram}");
    assert!(histogram.contains("set [calls :1 histogram_usec ["), "{histogram}");
}
