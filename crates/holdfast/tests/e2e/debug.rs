//! DEBUG, LATENCY and what a crash leaves behind.

use crate::client::{Client, show};
use crate::server::{Home, Program, Server, until};
use std::fs;
use std::os::unix::process::ExitStatusExt;
use wire::value::Value;

const OPEN: [&str; 4] = ["--save", "", "--enable-debug-command", "yes"];

fn pair() -> (Server, Server) {
    (Server::with(&OPEN), Server::of(Program::Redis, Home::new(), &OPEN))
}

#[test]
fn debug_answers_as_at_redis() {
    let (ours, theirs) = pair();
    let (mut ours, mut theirs) = (ours.client(), theirs.client());
    let mut kinds = Vec::new();
    for kind in "string integer double null array set map attrib verbatim true false bignum nosuch"
        .split(' ')
    {
        kinds.push(format!("DEBUG PROTOCOL {kind}"));
    }
    for version in ["HELLO 2", "HELLO 3"] {
        ours.line(version);
        theirs.line(version);
        let kinds = kinds.iter().map(String::as_str);
        for line in kinds.chain([
            "DEBUG DIGEST",
            "DEBUG POPULATE 100",
            "DEBUG POPULATE 50 other 100",
            "DEBUG POPULATE x",
            "DBSIZE",
            "GET key:7",
            "STRLEN other:49",
            "SET n 12",
            "SET t x EX 1000",
            "SELECT 3",
            "SET n 13",
            "DEBUG DIGEST",
            "DEBUG DIGEST-VALUE n t nosuch",
            "SELECT 0",
            "DEBUG DIGEST-VALUE n t nosuch key:1",
            "DEBUG OBJECT nosuch",
            "DEBUG SET-ACTIVE-EXPIRE 0",
            "DEBUG SET-ACTIVE-EXPIRE 1",
            "DEBUG ERROR MYERR",
            "DEBUG LOG x",
            "DEBUG CHANGE-REPL-ID",
            "DEBUG PAUSE-CRON 0",
            "DEBUG SLEEP 0",
            "DEBUG nosuch",
            "DEBUG DIGEST x",
            "FLUSHALL",
        ]) {
            assert_eq!(ours.line(line), theirs.line(line), "{version}: {line}");
        }
    }
    let words = |client: &mut Client| -> Vec<String> {
        client.line("SET k abcdef");
        let line = client.line("DEBUG OBJECT k");
        line.split(' ').map(|word| word.split(':').next().unwrap_or(word).into()).collect()
    };
    assert_eq!(words(&mut ours), words(&mut theirs));
    assert!(ours.line("DEBUG OBJECT k").contains(" encoding:embstr serializedlength:7 "));
}

#[test]
fn debug_is_for_whom_the_settings_say() {
    let refused = "-ERR DEBUG command not allowed. If the enable-debug-command option is set to \
                   \"local\", you can run it from a local connection, otherwise you need to set \
                   this option in the configuration file, and then restart the server.";
    let server = Server::with(&["--requirepass", "x"]);
    assert_eq!(server.client().line("DEBUG HELP"), refused);
    assert_eq!(server.client().line("DEBUG"), wrong_arity());
    let server = Server::with(&["--enable-debug-command", "local", "--requirepass", "x"]);
    assert_eq!(server.client().line("DEBUG HELP"), "-NOAUTH Authentication required.");
    let mut client = server.client();
    client.line("AUTH x");
    assert!(client.line("DEBUG HELP").contains("SEGFAULT"));
    client.line("MULTI");
    assert_eq!(client.line("DEBUG SLEEP 0"), "+QUEUED");
    assert_eq!(client.line("EXEC"), "[+OK]");
    assert_eq!(
        client.line("CONFIG SET dir /"),
        "-ERR CONFIG SET failed (possibly related to argument 'dir') - can't set protected config"
    );
}

fn wrong_arity() -> &'static str {
    "-ERR wrong number of arguments for 'debug' command"
}

#[test]
fn what_is_slow_is_seen() {
    let server = Server::with(&OPEN);
    let mut client = server.client();
    assert!(client.line("LATENCY DOCTOR").contains("latency-monitor-threshold"));
    client.line("DEBUG SLEEP 0.03");
    assert_eq!(client.line("LATENCY LATEST"), "[]");
    client.line("CONFIG SET latency-monitor-threshold 20");
    client.line("SLOWLOG RESET");
    let slept = std::time::Instant::now();
    client.line("DEBUG SLEEP 0.05");
    assert!(slept.elapsed().as_millis() >= 50);
    let Value::Array(latest) = client.ask(&["LATENCY", "LATEST"]) else { panic!("an array") };
    let Value::Array(fields) = &latest[0] else { panic!("an array") };
    let fields: Vec<String> = fields.iter().map(show).collect();
    assert_eq!((fields[0].as_str(), &fields[2]), ("command", &fields[3]));
    let millis: u64 = fields[2].trim_start_matches(':').parse().expect("milliseconds");
    assert!((50..1000).contains(&millis), "{fields:?}");
    let history = client.line("LATENCY HISTORY command");
    assert_eq!(history, format!("[[{} {}]]", fields[1], fields[2]));
    assert!(client.line("LATENCY GRAPH command").starts_with("command - high "));
    assert!(client.line("LATENCY DOCTOR").contains("1. command: 1 times"));
    assert!(client.line("SLOWLOG GET").contains("[DEBUG SLEEP 0.05]"));
    assert_eq!(client.line("LATENCY HISTORY nosuch"), "[]");
    let none = "-ERR No samples available for event 'nosuch'";
    assert_eq!(client.line("LATENCY GRAPH nosuch"), none);
    assert_eq!(client.line("LATENCY RESET nosuch"), ":0");
    assert_eq!(client.line("LATENCY RESET"), ":1");
    assert!(client.line("LOLWUT").contains("Redis ver. 7.2"));
}

#[test]
fn a_reload_keeps_what_there_was() {
    let server = Server::with(&OPEN);
    let mut client = server.client();
    client.line("DEBUG POPULATE 10000");
    client.line("SET t x PX 100000000");
    let digest = client.line("DEBUG DIGEST");
    assert_eq!(client.line("DEBUG RELOAD"), "+OK");
    assert_eq!(client.line("DEBUG DIGEST"), digest);
    assert!(client.line("DEBUG RELOAD NOSAVE").starts_with("-ERR unknown subcommand or wrong"));
    assert_eq!(client.line("MULTI"), "+OK");
    for line in ["SET in 1", "DEBUG RELOAD", "GET in"] {
        assert_eq!(client.line(line), "+QUEUED");
    }
    assert_eq!(client.line("EXEC"), "[+OK +OK 1]");
    client.send(&crate::client::requests(["DEBUG RELOAD", "SET after 1", "GET after"]));
    let replies: Vec<String> = (0..3).map(|_| show(&client.read())).collect();
    assert_eq!(replies, ["+OK", "+OK", "1"]);
}

#[test]
fn a_crash_leaves_a_report() {
    for (how, signal) in [("SEGFAULT", 11), ("PANIC", 6)] {
        let mut server = Server::with(&OPEN);
        let mut client = server.client();
        client.send(&crate::client::requests([format!("DEBUG {how}").as_str()]));
        assert_eq!(client.rest(), "");
        let status = server.process().wait();
        assert_eq!(status.signal(), Some(signal), "{how}");
        let log = server.into_home().printed();
        assert!(log.contains(&format!("crashed by signal: {signal}")), "{log}");
        assert!(log.contains("STACK TRACE") && log.contains("BUG REPORT END"), "{log}");
    }
    let home = Home::new();
    let logfile = home.file("server.log");
    let name = logfile.to_string_lossy().into_owned();
    let mut server =
        Server::of(Program::Holdfast, home, &[&OPEN[..], &["--logfile", &name]].concat());
    server.client().send(&crate::client::requests(["DEBUG SEGFAULT"]));
    server.process().wait();
    until("the report is in the file", || {
        let log = fs::read_to_string(&logfile).expect("a log");
        log.contains("BUG REPORT END").then_some(())
    });
}
