//! R13, R14: clusters in folders: by create-cluster, and by hand from five lines of settings.

use super::Scene;
use super::stage::{PORTS, Side, Stage, until};
use anyhow::{Context, Result, ensure};
use std::fs;

pub(crate) const CREATE_CLUSTER: Scene = Scene {
    name: "R13",
    what: "create-cluster start, create, stop, clean",
    better: &[],
    // Redis's is a script of its source, which Debian does not install.
    compares: true,
    run: create_cluster,
};
pub(crate) const CLUSTER_TEST: Scene = Scene {
    name: "R14",
    what: "cluster-test, a folder for each server",
    better: &[],
    compares: false,
    run: cluster_test,
};

fn good(stage: &Stage, line: &str) -> Result<String> {
    let (code, said) = stage.sh(&format!("cd here && {line}"))?;
    ensure!(code == 0, "{line}: rc {code}: {said}");
    Ok(said)
}

/// Ids with their slots.
fn owners(text: &str) -> Vec<String> {
    let mut owners: Vec<String> = text
        .lines()
        .filter_map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            Some(format!("{} {}", words.first()?, words.get(8).unwrap_or(&"")))
        })
        .collect();
    owners.sort();
    owners
}

/// By its settings at ports whose bus ports nobody takes for outgoing connections, as the system
/// does with those of 30001 to 30006; at these it must start, or say whose port is taken.
fn create_cluster(stage: &mut Stage) -> Result<()> {
    fs::create_dir(stage.path("here"))?;
    fs::write(stage.path("here/config.sh"), "PORT=21000\n")?;
    let played = play(stage, 21_001);
    // Whatever happened, nothing goes on.
    stage.sh("cd here && create-cluster stop")?;
    played?;
    fs::write(stage.path("here/config.sh"), "PORT=21100\nNODES=3\nREPLICAS=0\n")?;
    let said = started(stage)?;
    ensure!(said == "Starting 21101\nStarting 21102\nStarting 21103\n", "{said}");
    fs::remove_file(stage.path("here/config.sh"))?;
    let said = started(stage)?;
    ensure!(said.starts_with(&starting(30_001)), "{said}");
    let rest = said.replace(&starting(30_001), "");
    ensure!(rest.is_empty() || rest.contains("Address already in use"), "{rest}");
    Ok(())
}

/// What is said at the start; then nothing is left.
fn started(stage: &Stage) -> Result<String> {
    let (_, said) = stage.sh("cd here && create-cluster start")?;
    stage.sh("cd here && create-cluster stop && create-cluster clean")?;
    Ok(said)
}

/// What is said when six begin.
fn starting(first: u16) -> String {
    (first..first + 6).map(|port| format!("Starting {port}\n")).collect()
}

fn play(stage: &mut Stage, first: u16) -> Result<()> {
    let last = first + 5;
    let said = good(stage, "create-cluster start")?;
    ensure!(said == starting(first), "{said}");
    for port in first..=last {
        for name in [format!("nodes-{port}.conf"), format!("{port}.log")] {
            let file = stage.path("here").join(&name);
            until(&format!("{name} is there"), || Ok(file.exists()))?;
        }
    }
    let mut shell = stage.shell()?;
    shell.enter("cd here; create-cluster create")?;
    shell.expect("Can I set the above configuration? (type 'yes' to accept): ")?;
    shell.enter("yes")?;
    shell.expect("[OK] All 16384 slots covered.")?;
    shell.enter("exit")?;
    shell.finish()?;
    let said = good(stage, "create-cluster call ping")?;
    ensure!(said == "PONG\n".repeat(6), "{said}");
    let before = owners(&stage.say(first, "cluster nodes")?);
    let watched = good(stage, "timeout 2 create-cluster watch; true")?;
    ensure!(watched.contains("myself,master"), "{watched}");
    let tail = good(stage, "timeout 1 create-cluster tail 1; true")?;
    ensure!(!tail.is_empty(), "its log is empty");
    good(stage, "create-cluster stop")?;
    let (_, running) = stage.sh(&format!("ps -ef | grep '[: ]{first}'"))?;
    ensure!(!running.contains("redis-server"), "{running}");
    good(stage, "create-cluster start")?;
    until("the cluster serves again", || {
        Ok(stage.say(first, "cluster info")?.contains("cluster_state:ok"))
    })?;
    ensure!(owners(&stage.say(first, "cluster nodes")?) == before, "ids or slots have changed");
    good(stage, "create-cluster stop")?;
    good(stage, "create-cluster clean")?;
    let left = fs::read_dir(stage.path("here"))?.count();
    ensure!(left == 1, "{left} files are left, not the settings alone");
    let usage = good(stage, "create-cluster")?;
    for verb in "start create stop watch tail clean call".split(' ') {
        ensure!(usage.lines().any(|line| line.starts_with(verb)), "no {verb}: {usage}");
    }
    Ok(())
}

fn cluster_test(stage: &mut Stage) -> Result<()> {
    for port in PORTS {
        fs::create_dir(stage.path(&port.to_string()))?;
        // The tutorial's fifth line turns the append-only file on, which is another scene's.
        let text = format!(
            "port {port}\ncluster-enabled yes\ncluster-config-file nodes.conf\n\
             cluster-node-timeout 5000\n"
        );
        fs::write(stage.path(&port.to_string()).join("redis.conf"), text)?;
        stage.serve_with(stage.side, port, Some("./redis.conf"), &[])?;
    }
    let new = "No cluster configuration found, I'm ";
    let old = "Node configuration loaded, I'm ";
    let id = |text: &str, begin: &str| -> Result<String> {
        let at = text.find(begin).with_context(|| format!("no {begin:?} in {text}"))?;
        Ok(text[at + begin.len()..].chars().take(40).collect())
    };
    for port in PORTS {
        until("it says who it is", || Ok(stage.log(port)?.contains(new)))?;
        let id = id(&stage.log(port)?, new)?;
        ensure!(id.chars().all(|c| c.is_ascii_hexdigit()) && id.len() == 40, "{id}");
        ensure!(stage.say(port, "cluster myid")? == id, "it says another id");
    }
    let before = stage.say(7003, "cluster myid")?;
    stage.say(7003, "shutdown nosave")?;
    stage.end(7003)?;
    stage.serve_with(stage.side, 7003, Some("./redis.conf"), &[])?;
    until("it says who it is", || Ok(stage.log(7003)?.contains(old)))?;
    ensure!(id(&stage.log(7003)?, old)? == before, "it has another id after a restart");
    if stage.side == Side::Ours {
        ensure!(stage.say(7003, "cluster myid")? == before, "it says another id");
    }
    stage.fact("ids", "forty digits, kept");
    Ok(())
}
