//! `holdfast install`: the names and files that readers of the tutorials look for.

use crate::server::{HOLDFAST, Home};
use std::fs;
use std::process::Command;

#[test]
fn names_and_files_are_laid_out() {
    let home = Home::new();
    let prefix = home.beside("prefix");
    // Twice: over an older one as well, and files that were edited stay.
    for _ in 0..2 {
        let output = Command::new(HOLDFAST).args(["install", "--prefix"]).arg(&prefix).output();
        assert!(output.expect("it runs").status.success());
        fs::write(prefix.join("share/sentinel.conf"), "# mine\n").expect("a file");
    }
    assert_eq!(fs::read(prefix.join("share/sentinel.conf")).expect("a file"), b"# mine\n");
    let call = |name: &str, argument: &str| {
        let output = Command::new(prefix.join("bin").join(name)).arg(argument).output();
        let output = output.expect("it runs");
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&text).into_owned())
    };
    let (code, said) = call("redis-server", "--version");
    assert!(code == Some(0) && said.starts_with("Redis server v=7.2"), "{said}");
    for name in ["redis-cli", "redis-benchmark"] {
        let (code, said) = call(name, "--version");
        assert_eq!(code, Some(0), "{said}");
    }
    let (code, said) = call("create-cluster", "--help");
    assert!(code == Some(0) && said.starts_with("Usage: create-cluster [start|create"), "{said}");
    for name in ["nutcracker", "redis-check-aof", "redis-check-rdb", "redis-sentinel"] {
        let (code, said) = call(name, "--version");
        assert_eq!(code, Some(1));
        assert!(said.starts_with(&format!("{name} is not built yet")), "{said}");
    }
    let text = fs::read_to_string(prefix.join("share/redis.conf")).expect("a file");
    for line in ["daemonize no", "# cluster-enabled yes", "port 6379"] {
        assert!(text.lines().any(|other| other == line), "{line}");
    }
    // With another port by sed, no file of data has the same name.
    for name in ["dbfilename", "appendfilename", "appenddirname", "pidfile"] {
        let line = text.lines().find(|line| line.starts_with(name)).expect("a line");
        assert!(line.contains("6379"), "{line}");
    }
    let mut command = Command::new(prefix.join("bin/redis-server"));
    command.arg(prefix.join("share/redis.conf")).args(["--port", "0", "--dir"]).arg(home.data());
    let output = command.args(["--pidfile", ""]).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("Configured to not listen anywhere"), "{output:?}");
}
