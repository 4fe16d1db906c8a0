//! A redis-server of the test's own, on a Unix socket in a folder of its own: no port to collide.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How long the server may take for anything.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running server and a connection to it; stopped when dropped.
pub(crate) struct Server {
    child: Child,
    folder: PathBuf,
    connection: BufReader<UnixStream>,
}

/// A folder that goes away, and before it the server, however the start fails.
struct Starting(Option<Child>, Option<PathBuf>);

impl Drop for Starting {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
        if let Some(folder) = &self.1 {
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}

impl Server {
    pub(crate) fn start() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("holdfast-rdb-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).expect("a folder for the server");
        let mut starting = Starting(None, Some(folder.clone()));
        let child = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--dbfilename", "dump.rdb"])
            .args(["--enable-debug-command", "yes", "--unixsocket", "socket"])
            .arg("--dir")
            .arg(&folder)
            .current_dir(&folder)
            .stdout(Stdio::null())
            .spawn()
            .expect("these tests need redis-server (Debian package redis-server) in the path");
        let child = starting.0.insert(child);
        let socket = folder.join("socket");
        let end = Instant::now() + PATIENCE;
        let stream = loop {
            match UnixStream::connect(&socket) {
                Ok(stream) => break stream,
                Err(error) => {
                    let ended = child.try_wait().expect("a child of ours");
                    assert!(ended.is_none(), "redis-server ended at its start: {ended:?}");
                    assert!(Instant::now() < end, "redis-server does not answer: {error}");
                    std::thread::park_timeout(Duration::from_millis(5));
                }
            }
        };
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
        let (Some(child), Some(folder)) = (starting.0.take(), starting.1.take()) else {
            unreachable!("both were set above")
        };
        let mut server = Server { child, folder, connection: BufReader::new(stream) };
        assert_eq!(server.call(&[b"PING"]), b"PONG");
        server
    }

    /// Sends a command and gives the reply: a status, an integer or a string; nil is empty.
    pub(crate) fn call(&mut self, words: &[&[u8]]) -> Vec<u8> {
        let mut request = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            request.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
            request.extend_from_slice(word);
            request.extend_from_slice(b"\r\n");
        }
        self.connection.get_mut().write_all(&request).expect("redis-server takes the command");
        let mut line = String::new();
        self.connection.read_line(&mut line).expect("redis-server replies");
        let line = line.trim_end();
        match line.split_at_checked(1) {
            Some(("+" | ":", rest)) => rest.as_bytes().to_vec(),
            Some(("$", "-1")) => vec![],
            Some(("$", len)) => {
                let mut bytes = vec![0; len.parse::<usize>().expect("a length") + 2];
                self.connection.read_exact(&mut bytes).expect("the whole reply");
                bytes.truncate(bytes.len() - 2);
                bytes
            }
            _ => panic!("{} was answered {line:?}", words[0].escape_ascii()),
        }
    }

    /// Sends a command that is to be answered OK.
    pub(crate) fn ok(&mut self, words: &[&[u8]]) {
        assert_eq!(text(&self.call(words)), "OK", "to {}", words[0].escape_ascii());
    }

    pub(crate) fn write_dump(&self, bytes: &[u8]) {
        std::fs::write(self.folder.join("dump.rdb"), bytes).expect("a file for the server");
    }

    pub(crate) fn read_dump(&self) -> Vec<u8> {
        std::fs::read(self.folder.join("dump.rdb")).expect("the server's file")
    }

    /// Has redis-check-rdb look at the file.
    pub(crate) fn check_dump(&self) {
        let output = Command::new("redis-check-rdb")
            .arg(self.folder.join("dump.rdb"))
            .output()
            .expect("these tests need redis-check-rdb (Debian package redis-tools) in the path");
        assert!(output.status.success(), "{}", output.stdout.escape_ascii());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

pub(crate) fn text(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}
