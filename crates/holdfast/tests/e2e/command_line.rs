//! The command line: what is accepted, what is refused, and in which words.

use crate::server::{HOLDFAST, Home, Server, until};
use std::fs;
use std::process::{Command, Output};

fn run(arguments: &[&str]) -> Output {
    Command::new(HOLDFAST).args(arguments).output().expect("the program runs")
}

fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

#[test]
fn help_and_version_are_printed() {
    for (arguments, begin) in [
        (&["--help"][..], "Holdfast: "),
        (&["-h"], "Holdfast: "),
        (&["--version"], "holdfast 0."),
        (&["-v"], "holdfast 0."),
        (&["server", "--version"], "Redis server v=7."),
        (&["server", "--help"], "Usage: holdfast server"),
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        let (out, err) = texts(&output);
        assert!(out.starts_with(begin), "{arguments:?} printed {out}");
        assert_eq!(err, "");
    }
}

#[test]
fn an_unknown_command_ends_with_two() {
    let output = run(&["serve"]);
    assert_eq!(output.status.code(), Some(2));
    let (out, err) = texts(&output);
    assert_eq!(out, "");
    assert!(err.contains("unrecognized subcommand 'serve'") && err.contains("--help"), "{err}");
    let output = run(&[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(texts(&output).1.contains("Usage: holdfast <COMMAND>"));
}

#[test]
fn a_refused_directive_is_told_as_redis_tells_it() {
    for (arguments, line, why) in [
        (&["--bogus", "1"][..], "bogus \"1\"", "Bad directive or wrong number of arguments"),
        (&["--port"], "port", "wrong number of arguments"),
        (&["--port", "x"], "port \"x\"", "argument couldn't be parsed into an integer"),
        (&["--port", "65536"], "port \"65536\"", "argument must be between 0 and 65535 inclusive"),
        (&["--save", "60"], "save \"60\"", "Invalid save parameters"),
        (
            &["--rdbcompression", "maybe"],
            "rdbcompression \"maybe\"",
            "argument must be 'yes' or 'no'",
        ),
    ] {
        for program in ["redis-server", HOLDFAST] {
            let mut command = Command::new(program);
            if program == HOLDFAST {
                command.arg("server");
            }
            let output = command.args(arguments).output().expect("the program runs");
            assert_eq!(output.status.code(), Some(1), "{program} {arguments:?}");
            let (_, err) = texts(&output);
            let lines: Vec<&str> = err.trim().lines().collect();
            assert!(lines[0].starts_with("*** FATAL CONFIG FILE ERROR (Redis 7."), "{err}");
            assert!(lines[1].starts_with("Reading the configuration file, at line "), "{err}");
            assert_eq!(lines[2..], [&format!(">>> '{line}'"), why], "{program} {arguments:?}");
        }
    }
}

#[test]
fn a_refused_line_of_a_file_is_told_with_its_number() {
    let home = Home::new();
    let file = home.beside("server.conf");
    let name = file.to_str().expect("a readable path");
    for (text, number, line, why) in [
        (
            "port 1\n\n# a comment\n  bogus 'x y'\n",
            4,
            "bogus 'x y'",
            "Bad directive or wrong number of arguments",
        ),
        ("dbfilename \"x\n", 1, "dbfilename \"x", "Unbalanced quotes in configuration line"),
    ] {
        fs::write(&file, text).expect("a file");
        let output = run(&["server", name]);
        assert_eq!(output.status.code(), Some(1));
        let expected =
            format!("Reading the configuration file, at line {number}\n>>> '{line}'\n{why}");
        let (_, err) = texts(&output);
        assert!(err.contains(&expected), "{err}");
    }
    let output = run(&["server", "/no/such/file.conf"]);
    assert_eq!(output.status.code(), Some(1));
    let (_, err) = texts(&output);
    assert!(err.contains("an't open config file '/no/such/file.conf': No such file"), "{err}");
}

#[test]
fn a_file_is_read_with_comments_and_quotes_and_arguments_come_after_it() {
    let server = Server::run(Home::new(), |home, port| {
        let text = format!(
            "# Where it listens.\n\nbind 127.0.0.1\n  port {port}   \nDATABASES 3\n\
             requirepass \"two words \\x21\"\ndbfilename 'other name.rdb'\nsave 900 1\n\
             save 300 10\nslowlog-max-len 5\n"
        );
        let file = home.beside("server.conf");
        fs::write(&file, text).expect("a file");
        let mut command = Command::new(HOLDFAST);
        command.arg("server").arg(&file).args(["--slowlog-max-len", "6", "--dir"]);
        command.arg(home.data());
        command
    });
    let mut client = server.client();
    assert_eq!(client.call(&["AUTH", "two words !"]), "+OK");
    for (directive, value) in [
        ("databases", "3"),
        ("slowlog-max-len", "6"),
        ("save", "900 1 300 10"),
        ("dbfilename", "other name.rdb"),
    ] {
        assert_eq!(client.call(&["CONFIG", "GET", directive]), format!("[{directive} {value}]"));
    }
    until("it can save", || (client.line("SAVE") == "+OK").then_some(()));
    assert!(server.home.file("other name.rdb").exists());
}

#[test]
fn a_port_in_use_ends_the_start() {
    let server = Server::start();
    let output = run(&["server", "--port", &server.port.to_string(), "--bind", "127.0.0.1"]);
    assert_eq!(output.status.code(), Some(1));
    let (out, _) = texts(&output);
    assert!(out.contains(&format!("listening socket *:{}: ", server.port)), "{out}");
    assert!(out.contains(&format!("Failed listening on port {} (tcp)", server.port)), "{out}");
    assert_eq!(server.client().line("PING"), "+PONG");
}

#[test]
fn who_cannot_listen_is_not_ready() {
    // One of two addresses is taken.
    let taken = std::net::TcpListener::bind("127.0.0.2:0").expect("a port");
    let port = taken.local_addr().expect("its address").port().to_string();
    let output = run(&["server", "--port", &port, "--bind", "127.0.0.2 127.0.0.1"]);
    assert_eq!(output.status.code(), Some(1));
    let (out, _) = texts(&output);
    assert!(out.contains(&format!("Failed listening on port {port} (tcp)")), "{out}");
    assert!(!out.contains("Ready"), "{out}");

    let home = Home::new();
    let data = home.data();
    let dir = data.to_str().expect("a readable path");
    let server = ["server", "--port", "0", "--cluster-enabled", "yes", "--cluster-port", &port];
    let output = run(&[&server[..], &["--bind", "127.0.0.2", "--dir", dir]].concat());
    assert_eq!(output.status.code(), Some(1));
    let (out, _) = texts(&output);
    assert!(
        out.contains(&format!("The bus port {port} is taken; trying again in 100 ms")),
        "{out}"
    );
    assert!(out.contains(&format!("Failed listening on port {port} (cluster): ")), "{out}");
    assert!(!out.contains("Ready"), "{out}");
}

#[test]
fn a_missing_folder_ends_the_start() {
    let output = run(&["server", "--port", "0", "--dir", "/no/such/folder"]);
    assert_eq!(output.status.code(), Some(1));
    let (_, err) = texts(&output);
    assert!(err.contains("/no/such/folder") && err.contains("No such file"), "{err}");
}

#[test]
fn a_link_named_redis_server_is_a_server() {
    let home = Home::new();
    let link = home.beside("redis-server");
    std::os::unix::fs::symlink(HOLDFAST, &link).expect("a link");
    let output = Command::new(&link).arg("--version").output().expect("the program runs");
    assert!(texts(&output).0.starts_with("Redis server v="));
    let server = Server::run(home, |home, port| {
        let mut command = Command::new(home.beside("redis-server"));
        command.args(["--port", &port.to_string(), "--save", "", "--dir"]).arg(home.data());
        command
    });
    let mut client = server.client();
    until("it answers", || (client.line("SET a 1") == "+OK").then_some(()));
}

#[test]
fn the_tool_of_the_tutorials_answers_to_its_names() {
    let home = Home::new();
    for name in ["redis-trib.rb", "redis-trib", "redis-benchmark", "redis-cli"] {
        std::os::unix::fs::symlink(HOLDFAST, home.beside(name)).expect("a link");
    }
    let call = |name: &str, arguments: &[&str]| {
        let output = Command::new(home.beside(name)).args(arguments).output().expect("it runs");
        let (out, err) = texts(&output);
        (output.status.code(), out + &err)
    };
    let (code, said) = call("redis-trib.rb", &["reshard", "127.0.0.1:1"]);
    assert_eq!(code, Some(1));
    assert_eq!(said, "Could not connect to Redis at 127.0.0.1:1: Connection refused\n");
    for (arguments, error) in [
        (&["--cluster", "rebalance"][..], "[ERR] Wrong number of arguments"),
        (&["--cluster", "check", "127.0.0.1"], "[ERR] Invalid arguments: you need to pass either"),
        (&["--cluster", "grow", "127.0.0.1:1"], "Unknown --cluster subcommand 'grow'"),
        (&["-a", "x", "--cluster", "info", "127.0.0.1", "1"], "Could not connect to Redis at"),
        (&["--cluster", "fix", "--cluster-bogus", "127.0.0.1:1"], "Unrecognized option or bad"),
    ] {
        let (code, said) = call("redis-cli", arguments);
        assert_eq!(code, Some(1), "{arguments:?}");
        assert!(said.starts_with(error), "{arguments:?}: {said}");
    }
    let few = ["create", "--replicas", "1", "127.0.0.1:1", "127.0.0.1:2"];
    let (code, said) = call("redis-trib", &few);
    assert_eq!(code, Some(1));
    assert!(said.contains("at least 3 master nodes"), "{said}");
    let (code, said) = call("redis-benchmark", &["--version"]);
    assert_eq!(code, Some(0));
    assert!(said.starts_with("redis-benchmark "), "{said}");
}

#[test]
fn the_client_keeps_its_bounds() {
    use std::io::{BufRead, BufReader, Write};
    let server = Server::start();
    let port = server.port.to_string();
    for number in ["70000000000", "-1", "x"] {
        let output = run(&["cli", "-p", &port, "-n", number, "ping"]);
        assert_eq!(output.status.code(), Some(1), "{number}");
        let (_, err) = texts(&output);
        assert!(err.contains(&format!("'{number}' is no number of a database")), "{err}");
    }
    let output = run(&["cli", "-p", &port, "-n", "70000", "ping"]);
    assert!(texts(&output).1.contains("DB index is out of range"), "{output:?}");

    // A line of any bytes, and the next one.
    let mut command = Command::new(HOLDFAST);
    command.args(["cli", "-p", &port]).stdin(std::process::Stdio::piped());
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().expect("it runs");
    let mut input = child.stdin.take().expect("it is piped");
    input.write_all(b"set a \xff\xfe\nstrlen a\n").expect("it reads");
    drop(input);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(texts(&output).0, "OK\n2\n");

    // A node that always names itself.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let liar = listener.local_addr().expect("its address").port();
    let asked = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = std::sync::Arc::clone(&asked);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            let mut line = String::new();
            let _ = BufReader::new(stream.try_clone().expect("a socket")).read_line(&mut line);
            let _ = stream.write_all(format!("-MOVED 1 127.0.0.1:{liar}\r\n").as_bytes());
        }
    });
    let output = run(&["cli", "-c", "-p", &liar.to_string(), "get", "a"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(texts(&output).1.contains("redirected more than 16 times"), "{output:?}");
    // Once at first, and once more after each redirection.
    let asked = asked.load(std::sync::atomic::Ordering::SeqCst);
    assert!((17..=18).contains(&asked), "asked {asked} times");
}

#[test]
fn each_save_adds_points_and_an_empty_one_takes_them_away() {
    for (arguments, points) in [
        (&["--save", "900", "1", "--save", "300 10"][..], "900 1 300 10"),
        (&["--save", "900 1", "--save", "", "--save", "60 1000"], "60 1000"),
        (&["--save", "900 1", "--save", ""], ""),
    ] {
        let server = Server::with(arguments);
        let reply = format!("[save {points}]");
        assert_eq!(server.client().line("CONFIG GET save"), reply, "{arguments:?}");
    }
}
