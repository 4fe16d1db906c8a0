//! Redis's own tools work on our server as they are.

use crate::client::request;
use crate::server::{HOLDFAST, Home, Program, Server, until};
use std::io::{Read, Write};
use std::process::{Command, Output, Stdio};
use std::thread;

fn tool(server: &Server, name: &str) -> Command {
    let mut command = Command::new(name);
    command.args(["-h", "127.0.0.1", "-p", &server.port.to_string()]);
    command
}

fn text(output: &Output) -> String {
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{err}");
    assert_eq!(err, "");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn redis_cli_runs_commands() {
    let server = Server::start();
    for (arguments, printed) in [
        (&["SET", "a b", "1"][..], "OK\n"),
        (&["INCR", "a b"], "2\n"),
        (&["-3", "GET", "none"], "\n"),
        (&["--no-raw", "-n", "3", "GET", "a b"], "(nil)\n"),
        (&["GET"], "ERR wrong number of arguments for 'get' command\n\n"),
        (&["-r", "3", "INCR", "n"], "1\n2\n3\n"),
    ] {
        let output = tool(&server, "redis-cli").args(arguments).output().expect("redis-cli runs");
        assert_eq!(text(&output), printed, "{arguments:?}");
    }
    let output = tool(&server, "redis-cli").arg("INFO").output().expect("redis-cli runs");
    assert!(text(&output).contains("server_name:holdfast"));
}

#[test]
fn redis_cli_pipes_a_hundred_thousand_keys() {
    const COUNT: usize = 100_000;
    let server = Server::start();
    let mut command = tool(&server, "redis-cli");
    command.arg("--pipe").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("redis-cli runs");
    let mut input = child.stdin.take().expect("a pipe");
    let writer = thread::spawn(move || {
        let bytes: Vec<u8> = (0..COUNT)
            .flat_map(|n| request(&["SET", &format!("key:{n}"), &n.to_string()]))
            .collect();
        input.write_all(&bytes).expect("redis-cli reads");
    });
    let output = child.wait_with_output().expect("redis-cli ends");
    writer.join().expect("all was written");
    let printed = text(&output);
    assert!(printed.contains(&format!("errors: 0, replies: {COUNT}")), "{printed}");
    let mut client = server.client();
    assert_eq!(client.integer("DBSIZE"), COUNT as i64);
    assert_eq!(client.line("GET key:99999"), "99999");
}

#[test]
fn redis_cli_follows_an_interactive_session() {
    let server = Server::start();
    let mut command = tool(&server, "redis-cli");
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("redis-cli runs");
    let mut input = child.stdin.take().expect("a pipe");
    input.write_all(b"SET a \"x y\"\nSELECT 2\nGET a\nSELECT 0\nGET a\nquit\n").expect("written");
    drop(input);
    let mut printed = String::new();
    child.stdout.take().expect("a pipe").read_to_string(&mut printed).expect("text");
    child.wait().expect("redis-cli ends");
    assert_eq!(printed, "OK\nOK\n\nOK\nx y\n");
}

#[test]
fn redis_benchmark_measures() {
    let server = Server::start();
    for extra in [&["-P", "1"][..], &["-P", "16", "-r", "1000"], &["-d", "40000", "-n", "1000"]] {
        let mut command = tool(&server, "redis-benchmark");
        command.args(["-q", "-n", "10000", "-t", "set,get,incr,ping"]).args(extra);
        let output = command.output().expect("redis-benchmark runs");
        let printed = text(&output);
        for test in ["PING_INLINE: ", "PING_MBULK: ", "SET: ", "GET: ", "INCR: "] {
            assert!(printed.contains(test), "no {test}in\n{printed}");
        }
        assert!(!printed.contains("rror"), "{printed}");
    }
    let mut client = server.client();
    assert_eq!(client.info("total_error_replies"), "0");
}

#[test]
fn cli_goes_over_a_unix_socket() {
    let home = Home::new();
    let path = home.beside("server.sock").to_string_lossy().into_owned();
    let server = Server::of(Program::Holdfast, home, &["--unixsocket", &path]);
    until("the socket stands", || std::path::Path::new(&path).exists().then_some(()));
    let cli = |arguments: &[&str]| {
        let output = Command::new(HOLDFAST).arg("cli").args(arguments).output().expect("it runs");
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    };
    assert_eq!(cli(&["-s", &path, "set", "a", "b"]), "OK\n");
    assert_eq!(server.client().line("GET a"), "b");
    assert!(cli(&["-s", "/nonexistent", "ping"]).starts_with("Could not connect to Redis at /non"));
}
