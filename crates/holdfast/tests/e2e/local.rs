//! A cluster in the background of a folder, and the tools that are pointed at it.

use crate::client::Client;
use crate::cluster::free_ports;
use crate::server::{HOLDFAST, until};
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// The servers of a folder; they end with the test.
struct Folder {
    folder: TempDir,
    port: u16,
}

impl Folder {
    fn new(nodes: u16) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let port = free_ports();
        let text = format!("PORT={}\nNODES={nodes}\nREPLICAS=0\n", port - 1);
        fs::write(folder.path().join("config.sh"), text).expect("a file");
        Folder { folder, port }
    }

    fn run(&self, line: &str) -> (i32, String) {
        let mut command = Command::new(HOLDFAST);
        command.args(line.split(' ')).current_dir(self.folder.path()).stdin(Stdio::null());
        let output = command.output().expect("it runs");
        let text = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&text).into_owned())
    }

    fn good(&self, line: &str) -> String {
        let (code, said) = self.run(line);
        assert_eq!(code, 0, "{line}: {said}");
        said
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).expect("a folder");
        let mut names: Vec<String> = entries
            .map(|entry| entry.expect("a file").file_name().into_string().expect("a name"))
            .collect();
        names.sort();
        names
    }

    /// Ids and slots, in the order of the ports.
    fn shape(&self) -> Vec<String> {
        let nodes = Client::connect(self.port).line("CLUSTER NODES");
        let mut lines: Vec<String> = nodes
            .lines()
            .map(|line| {
                let words: Vec<&str> = line.split(' ').collect();
                let port = words[1].split(['@', ':']).nth(1).unwrap_or_default();
                format!("{port} {} {}", words[0], words.get(8).unwrap_or(&""))
            })
            .collect();
        lines.sort();
        lines
    }

    fn is_ok(&self) -> bool {
        Client::connect(self.port).line("CLUSTER INFO").contains("cluster_state:ok")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        self.run("local stop");
    }
}

#[test]
fn servers_of_a_folder_start_stop_and_leave_nothing() {
    let folder = Folder::new(3);
    let port = folder.port;
    let said = folder.good("local start");
    assert_eq!(said.lines().next(), Some(&format!("Starting {port}")[..]));
    let (code, said) = folder.run("local create");
    assert!(code == 1 && said.contains("The input ended before"), "{said}");
    folder.good("local create -f");
    let before = folder.shape();
    assert_eq!(before.len(), 3);
    assert!(folder.names().contains(&format!("nodes-{port}.conf")), "{:?}", folder.names());
    assert_eq!(folder.good("local call ping"), "PONG\n".repeat(3));
    assert!(folder.run("local clean").1.contains("stop them first"));
    example_and_others(&folder);
    let pid = Client::connect(port).info("process_id");
    folder.good("local stop");
    assert!(!Path::new("/proc").join(pid).exists(), "it says that it has ended");
    folder.good("local start");
    until("the cluster serves again", || folder.is_ok().then_some(()));
    assert_eq!(folder.shape(), before);
    folder.good("local stop");
    folder.good("local clean");
    assert_eq!(folder.names(), ["config.sh"]);
    let usage = folder.good("local");
    for verb in "start create stop watch tail tailall clean clean-logs call".split(' ') {
        assert!(usage.lines().any(|line| line.starts_with(verb)), "{verb}: {usage}");
    }
}

/// What a cluster is needed for.
fn example_and_others(folder: &Folder) {
    let seed = format!("127.0.0.1:{}", folder.port);
    let numbers = |from: u32| (from..from + 5).map(|n| format!("{n}\n")).collect::<String>();
    let example = format!("example 127.0.0.1:1 {seed} --count 5");
    assert_eq!(folder.good(&example), numbers(1));
    assert_eq!(folder.good(&example), numbers(6));
    // Sent there by the last reader of its output.
    let mut command = Command::new(HOLDFAST);
    command.args(["example", &seed, "--no-sleep"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    assert_eq!(lines.next().and_then(Result::ok).as_deref(), Some("11"));
    drop(lines);
    assert_eq!(child.wait().expect("it ends").code(), Some(141));
    let mut errors = String::new();
    child.stderr.take().expect("a pipe").read_to_string(&mut errors).expect("text");
    assert_eq!(errors, "");

    let (code, said) = folder.run("check 127.0.0.1 1");
    assert!(code == 1 && said.contains("none of the nodes can be asked"), "{said}");
    let bench = format!("bench -p {} -n 100 -r 1000 -t set", folder.port);
    let (code, said) = folder.run(&bench);
    assert!(code == 1 && said.contains("--cluster goes to all of its nodes"), "{said}");
    assert!(!folder.good(&format!("{bench} --cluster")).contains("--cluster"), "no hint is needed");
}
