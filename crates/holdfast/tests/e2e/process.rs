//! The server as a process: in the background, alone on its data, closed to strangers.

use crate::client::Client;
use crate::server::{HOLDFAST, Home, Program, Server, free_port, until};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::Read;
use std::net::{TcpStream, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;

/// Ends a process in the background when the test ends.
struct Background(Pid);

impl Drop for Background {
    fn drop(&mut self) {
        let _ = kill_process(self.0, Signal::KILL);
    }
}

#[test]
fn it_goes_to_the_background_and_cleans_up() {
    let home = Home::new();
    let program = home.beside("redis-server");
    fs::copy(HOLDFAST, &program).expect("a copy");
    let port = free_port();
    let (pid_file, socket) = (home.beside("server.pid"), home.beside("server.sock"));
    let text = format!(
        "daemonize yes\nport {port}\nbind 127.0.0.1\ndir {}\npidfile {}\nlogfile log\n\
         unixsocket {}\nunixsocketperm 700\nhz 20\n",
        home.data().display(),
        pid_file.display(),
        socket.display()
    );
    let file = home.beside("redis.conf");
    fs::write(&file, text).expect("a file");
    for by_signal in [false, true] {
        let output = Command::new(&program).arg(&file).output().expect("it runs");
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let pid: i32 = until("the pid is written", || {
            fs::read_to_string(&pid_file).ok()?.strip_suffix('\n')?.parse().ok()
        });
        let process = Background(Pid::from_raw(pid).expect("a pid"));
        until("it listens", || TcpStream::connect(("127.0.0.1", port)).ok());
        until("the socket stands", || socket.exists().then_some(()));
        let proc = Path::new("/proc").join(pid.to_string());
        let read = |name: &str| fs::read_to_string(proc.join(name)).expect("a file under /proc");
        assert_eq!(read("comm"), "redis-server\n");
        assert_eq!(read("cmdline"), format!("redis-server 127.0.0.1:{port}\0"));
        let mut client = Client::connect(port);
        until("it is loaded", || (client.line("PING") == "+PONG").then_some(()));
        if by_signal {
            kill_process(process.0, Signal::TERM).expect("a signal");
        } else {
            client.send(b"SHUTDOWN\r\n");
            assert_eq!(client.rest(), "");
        }
        until("it is gone", || (!proc.exists()).then_some(()));
        assert!(!pid_file.exists() && !socket.exists() && home.file("dump.rdb").exists());
    }
    let log = fs::read_to_string(home.file("log")).expect("a log");
    assert!(log.contains("The directive 'hz' is accepted, but has no effect yet"), "{log}");
}

#[test]
fn a_second_server_on_the_same_data_is_refused() {
    let mut first = Server::with(&[]);
    let pid = first.process().id();
    let dir = first.home.data();
    let second = |more: &[&str]| {
        let mut command = Command::new(HOLDFAST);
        command.args(["server", "--port", "0", "--dir"]).arg(&dir).args(more);
        let output = command.output().expect("it runs");
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    };
    let said = second(&[]);
    let holder = format!("Another server (pid {pid}) keeps its data in {}", dir.display());
    assert!(said.contains(&holder) && said.contains("'dir' or 'dbfilename'"), "{said}");
    for more in [&["--dbfilename", "other.rdb"][..], &["--save", ""]] {
        let said = second(more);
        assert!(said.contains("Configured to not listen anywhere"), "{said}");
    }
    drop(first.end(Signal::KILL));
    let said = second(&[]);
    assert!(!said.contains("Another server"), "a dead process holds nothing: {said}");
}

#[test]
fn strangers_are_denied_in_protected_mode() {
    // No packet leaves: it only asks which address this host would use.
    let socket = UdpSocket::bind("0.0.0.0:0").expect("a socket");
    let own = socket.connect("192.0.2.1:9").and_then(|()| socket.local_addr());
    let Ok(own) = own.map(|address| address.ip()) else { return };
    if own.is_loopback() {
        return;
    }
    let server = Server::with(&["--bind", "0.0.0.0", "--save", ""]);
    let hear = || {
        let mut stream = TcpStream::connect((own, server.port)).expect("a connection");
        let mut text = String::new();
        std::io::Write::write_all(&mut stream, b"PING\r\nQUIT\r\n").expect("a request");
        // It may be reset behind the reply: the request is never read.
        let _ = stream.read_to_string(&mut text);
        text
    };
    let denied = hear();
    assert!(denied.starts_with("-DENIED Redis is running in protected mode because"), "{denied}");
    assert!(denied.ends_with("from the outside.\r\n"), "{denied}");
    let mut client = server.client();
    assert_eq!(client.line("CONFIG SET protected-mode no"), "+OK");
    assert!(hear().starts_with("+PONG"));
    assert_eq!(client.line("CONFIG SET protected-mode yes requirepass x"), "+OK");
    assert!(hear().starts_with("-NOAUTH"));
}

#[test]
fn a_shutdown_can_be_aborted_and_signals_obey_their_words() {
    let mut server = Server::with(&["--save", "3600 1"]);
    let mut client = server.client();
    for key in 0..50 {
        assert_eq!(client.line(&format!("SET {key} x")), "+OK");
    }
    let real = Server::of(Program::Redis, Home::new(), &["--save", ""]);
    let mut redis = real.client();
    for words in ["SHUTDOWN ABORT", "SHUTDOWN SAVE NOSAVE", "SHUTDOWN ABORT NOW", "SHUTDOWN x"] {
        assert_eq!(client.line(words), redis.line(words), "{words}");
    }
    assert_eq!(client.line("CONFIG SET rdb-key-save-delay 1000000"), "+OK");
    let mut other = server.client();
    other.send(b"SHUTDOWN\r\n");
    until("it saves", || (client.info("rdb_bgsave_in_progress") == "1").then_some(()));
    assert_eq!(client.line("SHUTDOWN ABORT"), "+OK");
    assert_eq!(other.rest_or_reply(), "-ERR Errors trying to SHUTDOWN. Check logs.");
    assert_eq!(other.line("PING"), "+PONG");
    assert_eq!(client.line("SHUTDOWN ABORT"), "-ERR No shutdown in progress.");
    assert_eq!(client.call(&["CONFIG", "SET", "shutdown-on-sigterm", "nosave now"]), "+OK");
    server.process().signal(Signal::TERM);
    assert_eq!(server.process().wait().code(), Some(0));
    assert!(!server.home.file("dump.rdb").exists());
}

#[test]
fn a_supervisor_hears_when_the_server_is_ready() {
    let home = Home::new();
    let path = home.beside("notify");
    let socket = UnixDatagram::bind(&path).expect("a socket");
    socket.set_read_timeout(Some(crate::server::PATIENCE)).expect("a limit");
    let server = Server::run(Home::new(), |home, port| {
        let mut command = Program::Holdfast.command();
        command.args(["--port", &port.to_string(), "--supervised", "systemd", "--dir"]);
        command.arg(home.data()).env("NOTIFY_SOCKET", &path);
        command
    });
    let mut bytes = [0; 100];
    let len = socket.recv(&mut bytes).expect("word from the server");
    assert_eq!(bytes[..len], *b"STATUS=Ready to accept connections\nREADY=1\n");
    assert_eq!(server.client().line("PING"), "+PONG");
}

#[test]
fn the_log_tells_as_much_as_is_asked() {
    let server = Server::with(&["--loglevel", "nothing"]);
    let mut client = server.client();
    client.line("SAVE");
    assert_eq!(server.home.printed(), "");
    client.line("CONFIG SET loglevel notice");
    client.line("SAVE");
    until("the save is logged", || {
        server.home.printed().contains("DB saved on disk").then_some(())
    });
}

#[test]
fn who_insists_does_not_wait_for_the_save() {
    let mut server = Server::with(&["--enable-debug-command", "yes"]);
    let mut client = server.client();
    client.line("DEBUG POPULATE 1000");
    client.line("CONFIG SET rdb-key-save-delay 100000");
    let pid = server.process().id();
    let temporary = server.home.file(&format!("temp-{pid}.rdb"));
    client.line("DEBUG PAUSE-CRON 1");
    server.process().signal(Signal::TERM);
    until("the signal was noticed", || {
        server.home.printed().contains("Received SIGTERM").then_some(())
    });
    assert_eq!(client.line("SHUTDOWN ABORT"), "+OK");
    client.line("DEBUG PAUSE-CRON 0");
    assert_eq!(client.line("PING"), "+PONG");
    server.process().signal(Signal::INT);
    until("it saves", || temporary.exists().then_some(()));
    server.process().signal(Signal::INT);
    assert_eq!(server.process().wait().code(), Some(1));
    assert!(!temporary.exists());
    assert!(server.into_home().printed().contains("You insist... exiting now."));
}

#[test]
fn how_soon_the_system_ends_it_is_set_as_by_redis() {
    let score = |server: &Server| server.proc("oom_score_adj");
    let before = fs::read_to_string("/proc/self/oom_score_adj").expect("our own score");
    let rule = ["--save", "", "--oom-score-adj", "yes", "--oom-score-adj-values", "7 200 800"];
    let servers = [Program::Holdfast, Program::Redis].map(|p| Server::of(p, Home::new(), &rule));
    let [ours, theirs] = &servers;
    let set = |words: &str| {
        let [ours, theirs] = [ours, theirs].map(|server| server.client().line(words));
        assert_eq!(ours, theirs, "{words}");
    };
    // A role's score follows the role, by and by.
    let is_as = |expected: &str, why: &str| {
        assert_eq!(score(theirs), expected, "{why}");
        until(why, || (score(ours) == expected).then_some(()));
    };
    let base: i64 = before.trim().parse().expect("a number");
    let relative = |add: i64| format!("{}\n", (base + add).min(1000));
    is_as(&relative(7), "a primary");
    set("CONFIG SET oom-score-adj relative");
    set("REPLICAOF 127.0.0.1 1");
    is_as(&relative(200), "a replica");
    set("REPLICAOF NO ONE");
    is_as(&relative(7), "a primary again");
    for (words, expected) in [
        ("CONFIG SET oom-score-adj absolute", String::from("7\n")),
        ("CONFIG SET oom-score-adj no", before.clone()),
        ("CONFIG SET maxmemory 0", before.clone()),
    ] {
        set(words);
        // Whoever is answered finds it done.
        assert_eq!(score(ours), score(theirs), "{words}");
        if base == 0 {
            assert_eq!(score(ours), expected, "{words}");
        }
    }
    for words in ["MULTI", "CONFIG SET oom-score-adj-values 1", "EXEC"] {
        set(words);
    }
    let mut client = ours.client();
    for words in ["MULTI", "CONFIG SET oom-score-adj yes", "EXEC"] {
        client.line(words);
    }
    until("it has followed a transaction", || (score(ours) == relative(7)).then_some(()));
    set("CONFIG SET oom-score-adj-values 1 2");
    set("CONFIG SET oom-score-adj-values x");
}
