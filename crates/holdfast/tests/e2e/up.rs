//! What `holdfast up` finds before it starts: nodes left over, another shape, ports taken.

use crate::cluster::{Up, free_ports};
use crate::server::{HOLDFAST, Server, until};
use rustix::process::{Pid, Signal, kill_process};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// Runs `up` where it must refuse; what it says. It must not take a cluster's time for it.
fn refused(dir: &Path, args: &[&str]) -> String {
    let began = Instant::now();
    let mut command = Command::new(HOLDFAST);
    command.args(["up", "--dir"]).arg(dir).args(args);
    let output = command.output().expect("it runs");
    assert_eq!(output.status.code(), Some(1), "{args:?}");
    assert!(began.elapsed() < Duration::from_secs(5), "{args:?} took {:?}", began.elapsed());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Nodes that nobody ends any more; here they end with the test.
struct LeftOver(Vec<Pid>);

impl Drop for LeftOver {
    fn drop(&mut self) {
        for pid in &self.0 {
            // As a rule they have ended.
            let name = format!("/proc/{}/cmdline", pid.as_raw_nonzero());
            if std::fs::read(name).is_ok_and(|line| line.starts_with(HOLDFAST.as_bytes())) {
                let _ = kill_process(*pid, Signal::KILL);
            }
        }
    }
}

#[test]
fn nodes_that_outlive_their_up_are_named() {
    let mut up = Up::start();
    let left = LeftOver((0..6).map(|index| up.pid(index)).collect());
    up.kill();
    let port = up.port.to_string();
    let said = refused(up.dir.path(), &["--port", &port]);
    for pid in &left.0 {
        assert!(said.contains(&pid.as_raw_nonzero().to_string()), "{pid:?} is not in: {said}");
    }
    assert!(said.contains("still run in") && said.contains(": kill "), "{said}");
    // As told.
    for pid in &left.0 {
        let pid = *pid;
        kill_process(pid, Signal::TERM).expect("it runs");
        let path = format!("/proc/{}/exe", pid.as_raw_nonzero());
        until("it ends", || std::fs::read_link(&path).is_err().then_some(()));
    }
    let said = refused(up.dir.path(), &["--port", &port, "--primaries", "4"]);
    assert!(said.contains("holds a cluster of 3 primaries with 1 replicas each"), "{said}");
    let said = refused(up.dir.path(), &["--port", &port, "--replicas", "2"]);
    assert!(said.contains(&format!("--primaries 3 --replicas 1 --port {port}")), "{said}");
    let other = (up.port + 50).to_string();
    let said = refused(up.dir.path(), &["--port", &other]);
    assert!(said.contains(&format!("from port {port} on")), "{said}");
}

#[test]
fn a_taken_bus_port_is_tried_again() {
    let dir = tempfile::tempdir().expect("a folder");
    let port = free_ports();
    let taken = TcpListener::bind(("127.0.0.1", port + 10_002)).expect("a port");
    let said = refused(dir.path(), &["--port", &port.to_string()]);
    assert!(said.contains(&format!("port {} cannot be used", port + 10_002)), "{said}");
    // Another takes the port for a moment only.
    let up = Up::start_at(
        port,
        &[],
        |line| {
            if line.contains("is taken; trying again") {
                let number = (port + 10_002).to_string();
                assert!(line.contains(&number), "{line}");
                return true;
            }
            false
        },
        taken,
    );
    assert!(up.say(0, &["cluster", "info"]).contains("cluster_state:ok"));
}

#[test]
fn data_that_is_there_is_never_touched() {
    let server = Server::start();
    assert_eq!(server.client().line("SET kept yes"), "+OK");
    assert_eq!(server.client().line("SAVE"), "+OK");
    let saved = std::fs::read(server.into_home().file("dump.rdb")).expect("it was saved");
    let folder = tempfile::tempdir().expect("a folder");
    let port = free_ports();
    let place = folder.path().join(port.to_string());
    std::fs::create_dir(&place).expect("a folder");
    std::fs::write(place.join("dump.rdb"), &saved).expect("a dump");
    let said = refused(folder.path(), &["--port", &port.to_string()]);
    assert!(said.contains("is not empty"), "{said}");
    // Its nodes saved again when they were ended, so the bytes may differ.
    let server = Server::with(&["--dir", place.to_str().expect("a plain name")]);
    assert_eq!(server.client().line("GET kept"), "yes");
}
