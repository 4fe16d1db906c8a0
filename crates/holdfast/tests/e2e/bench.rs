//! `holdfast bench` on our server and on a real one, in redis-benchmark's forms.

use crate::server::{HOLDFAST, Home, Program, Server};
use std::process::{Command, Output};

fn bench(server: &Server, arguments: &[&str]) -> Output {
    let mut command = Command::new(HOLDFAST);
    command.args(["bench", "-p", &server.port.to_string(), "-n", "2000"]).args(arguments);
    command.output().expect("it runs")
}

fn good(server: &Server, arguments: &[&str]) -> String {
    let output = bench(server, arguments);
    assert!(output.status.success() && output.stderr.is_empty(), "{arguments:?}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn every_test_does_what_it_says() {
    for program in [Program::Holdfast, Program::Redis] {
        let server = Server::of(program, Home::new(), &["--save", ""]);
        let mut client = server.client();
        let tests = ["PING_INLINE", "PING_MBULK", "SET", "GET", "INCR", "MSET (10 keys)"];
        for arguments in [&[][..], &["-P", "16"], &["-3"], &["--threads", "2"]] {
            client.line("CONFIG RESETSTAT");
            let printed = good(&server, &[&["-q"], arguments].concat());
            let lines: Vec<&str> = printed.lines().collect();
            assert_eq!(lines.len(), tests.len(), "{printed}");
            for (line, test) in lines.iter().zip(tests) {
                let figures = line.strip_prefix(&format!("{test}: ")).expect(test);
                let (rate, p50) =
                    figures.split_once(" requests per second, p50=").expect("the classic form");
                assert!(rate.parse::<f64>().expect("a rate") > 100.0, "{line}");
                let p50 = p50.strip_suffix(" msec").expect("a unit");
                assert!(p50.parse::<f64>().expect("a latency") > 0.0, "{line}");
            }
            let calls = client.call(&["INFO", "commandstats"]);
            for command in ["set", "get", "incr", "mset"] {
                let start = format!("cmdstat_{command}:calls=2000,");
                assert!(calls.contains(&start), "{program:?} {arguments:?}: {calls}");
            }
        }
    }
}

#[test]
fn values_keys_and_own_commands_are_as_asked() {
    let server = Server::start();
    let mut client = server.client();
    good(&server, &["-t", "set", "-d", "300", "-q"]);
    assert_eq!(client.line("STRLEN key:__rand_int__"), ":300");
    client.line("FLUSHALL");
    good(&server, &["-r", "50", "-q", "-k", "0", "SET", "mine:__rand_int__", "v"]);
    let keys = client.integer("DBSIZE");
    assert!((30..=50).contains(&keys), "{keys} keys");
    assert_eq!(client.line("EXISTS mine:000000000051"), ":0");
    good(&server, &["--dbnum", "3", "-t", "set", "-q"]);
    client.line("SELECT 3");
    assert_eq!(client.integer("DBSIZE"), 1);
}

#[test]
fn each_style_has_its_form() {
    let server = Server::start();
    let csv = good(&server, &["--csv", "-t", "set,get"]);
    let lines: Vec<&str> = csv.lines().collect();
    assert!(lines[0].starts_with("\"test\",\"rps\",\"avg_latency_ms\""), "{csv}");
    assert!(lines[1].starts_with("\"SET\",\"") && lines[2].starts_with("\"GET\",\""), "{csv}");
    assert!(lines.iter().all(|line| line.split(',').count() == 8), "{csv}");
    let json = good(&server, &["--json", "-t", "set"]);
    assert!(json.starts_with("{\"tests\":[{\"test\":\"SET\",\"requests\":2000,"), "{json}");
    let full = good(&server, &["-t", "get", "--precision", "1"]);
    for part in [
        "====== GET ======\n  2000 requests completed in ",
        "  50 parallel clients\n",
        "Latency by percentile distribution:\n",
        "(cumulative count 2000)\n",
        "  throughput summary: ",
    ] {
        assert!(full.contains(part), "no {part:?} in\n{full}");
    }
}

#[test]
fn what_goes_wrong_is_told() {
    let server = Server::with(&["--save", "", "--requirepass", "secret"]);
    let fails = |arguments: &[&str], why: &str| {
        let output = bench(&server, arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(said.contains(why), "{arguments:?}: {said}");
    };
    fails(&["-q", "-t", "set"], "NOAUTH Authentication required.");
    fails(&["-q", "-a", "wrong"], "WRONGPASS");
    fails(&["-a", "secret", "-q", "NOSUCH"], "Error from server: ERR unknown command 'NOSUCH'");
    fails(&["-a", "secret", "-t", "set,lpush"], "'lpush' needs a type that is not built yet");
    fails(&["-a", "secret", "--cluster"], "cluster support disabled");
    fails(&["-p", "1"], "Could not connect to Redis at 127.0.0.1:1: Connection refused");
    good(&server, &["-a", "secret", "-q", "-t", "set"]);
    good(&server, &["--user", "default", "-a", "secret", "-q", "-t", "set"]);
}
