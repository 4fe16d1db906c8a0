//! R1, R2, R3, R6, R7: what is typed at a shell before there is any cluster: install, start in the
//! background, start wrongly, start six from copies of one file, and reach a server from elsewhere.

use super::Scene;
use super::stage::{Side, Stage, until};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

pub(crate) const INSTALL: Scene =
    Scene { name: "R1", what: "install", better: &[], compares: false, run: install };
pub(crate) const DAEMON: Scene =
    Scene { name: "R2", what: "in the background", better: &[], compares: false, run: daemon };
pub(crate) const WRONG: Scene =
    Scene { name: "R3", what: "wrong starts", better: &["hints"], compares: false, run: wrong };
pub(crate) const FILES: Scene = Scene {
    name: "R6",
    what: "six from copies of one file",
    better: &["same names"],
    compares: false,
    run: files,
};
pub(crate) const REACH: Scene =
    Scene { name: "R7", what: "from another host", better: &[], compares: false, run: reach };

fn install(stage: &mut Stage) -> Result<()> {
    stage.settings()?;
    let (code, version) = stage.sh("redis-server --version")?;
    ensure!(code == 0, "{version}");
    if stage.side == Side::Ours {
        ensure!(version.starts_with("Redis server v=7.2"), "{version}");
        let names = "redis-server redis-sentinel redis-cli redis-benchmark redis-check-rdb \
                     redis-check-aof redis-trib.rb redis-trib create-cluster nutcracker";
        for name in names.split_whitespace() {
            let (code, _) = stage.sh(&format!("test -x prefix/bin/{name}"))?;
            ensure!(code == 0, "no bin/{name}");
        }
        let (code, said) = stage.sh(
            "ln -s prefix prefix-current && ls prefix-current/share && cp prefix/bin/holdfast \
             copied && mkdir copy && mv copied copy/redis-server && copy/redis-server --version",
        )?;
        ensure!(code == 0 && said.contains("Redis server v=7.2"), "{said}");
    }
    stage.fact("begins", version.get(..14).unwrap_or_default());
    Ok(())
}

fn daemon(stage: &mut Stage) -> Result<()> {
    stage.settings()?;
    let (_, changed) = stage.sh(
        "sed -i 's#daemonize no#daemonize yes#g' redis.conf; grep -c '^daemonize yes' redis.conf",
    )?;
    ensure!(changed.trim() == "1", "sed changed {changed} lines");
    for end in ["redis-cli shutdown", "kill -TERM $(cat redis_6379.pid)"] {
        let began = Instant::now();
        let (code, said) = stage.sh("redis-server redis.conf")?;
        ensure!(code == 0 && began.elapsed() < Duration::from_secs(1), "rc {code}: {said}");
        until("it answers", || Ok(stage.sh("redis-cli ping")?.1.trim() == "PONG"))?;
        let pid = fs::read_to_string(stage.path("redis_6379.pid")).context("no pidfile")?;
        let proc = Path::new("/proc").join(pid.trim());
        ensure!(fs::read_to_string(proc.join("comm"))?.trim() == "redis-server", "its name");
        let (_, processes) = stage.sh("ps -ef | grep redis")?;
        ensure!(processes.contains("redis-server 127.0.0.1:6379"), "{processes}");
        let (code, said) = stage.sh(end)?;
        ensure!(code == 0, "{end}: rc {code}: {said}");
        until("it is gone", || Ok(!proc.exists()))?;
        ensure!(!stage.path("redis_6379.pid").exists(), "the pidfile is still there");
    }
    stage.fact("title", "redis-server 127.0.0.1:6379");
    Ok(())
}

/// What is typed or written, and what was meant.
const WRONG_LINES: &[(&str, &str)] = &[
    ("redis-server -f redis.conf", "redis.conf"),
    ("redis-server -slaveof 127.0.0.1 6379", "--slaveof"),
    ("port 6379 //默认", "port 6379"),
    ("repl-backlog-size lmb", "repl-backlog-size 1mb"),
    ("min-slave-to-write 2", "min-slaves-to-write"),
    ("slave-server-stale-data yes", "slave-serve-stale-data"),
    ("cluster-conf-file x", "cluster-config-file"),
    ("replica-migration-barrier 1", "cluster-migration-barrier"),
];

fn wrong(stage: &mut Stage) -> Result<()> {
    let mut blocks = String::new();
    let mut hints = 0;
    for (line, meant) in WRONG_LINES {
        let typed = if line.starts_with("redis-server") {
            String::from(*line)
        } else {
            fs::write(stage.path("wrong.conf"), format!("{line}\n"))?;
            String::from("redis-server wrong.conf")
        };
        let (code, said) = stage.sh(&typed)?;
        ensure!(code == 1, "{line}: rc {code}: {said}");
        ensure!(said.contains("*** FATAL CONFIG FILE ERROR (Redis 7."), "{line}: {said}");
        for shown in said.trim().lines().skip(1) {
            if shown == format!("did you mean '{meant}'?") {
                hints += 1;
            } else {
                blocks.push_str(shown);
                blocks.push('\n');
            }
        }
    }
    let all = hints == WRONG_LINES.len();
    ensure!(all || stage.side == Side::Real, "{hints} of {} hints", WRONG_LINES.len());
    stage.fact("blocks", blocks);
    stage.fact("hints", hints.to_string());
    Ok(())
}

const PORTS: std::ops::Range<u16> = 6379..6385;

fn files(stage: &mut Stage) -> Result<()> {
    stage.settings()?;
    stage.sh("sed -i 's#daemonize no#daemonize yes#g' redis.conf; mv redis.conf 6379.conf")?;
    for port in PORTS {
        if port > PORTS.start {
            stage.sh(&format!("sed s/6379/{port}/g 6379.conf > {port}.conf"))?;
        }
        start(stage, port)?;
        stage.sh(&format!("redis-cli -p {port} set key {port}"))?;
    }
    stop(stage)?;
    for port in PORTS {
        ensure!(stage.path(&format!("dump-{port}.rdb")).exists(), "no file of {port}'s own");
        start(stage, port)?;
        let (_, value) = stage.sh(&format!("redis-cli -p {port} get key"))?;
        ensure!(value.contains(&port.to_string()), "{port} has {value}");
    }
    stage.fact("files of their own", "6");
    let same = "redis-server --port 6390 --dbfilename dump-6379.rdb";
    let (_, said) = stage.sh(&format!("timeout 2 {same}"))?;
    stop(stage)?;
    let pid_and_file = said.contains("Another server (pid ") && said.contains("dump-6379.rdb");
    ensure!(pid_and_file || stage.side == Side::Real, "{said}");
    stage.fact("same names", if pid_and_file { "refused" } else { "mixed" });
    Ok(())
}

fn start(stage: &Stage, port: u16) -> Result<()> {
    let (code, said) = stage.sh(&format!("redis-server {port}.conf"))?;
    ensure!(code == 0, "rc {code}: {said}");
    let ping = format!("redis-cli -p {port} ping");
    until("it answers", || Ok(stage.sh(&ping)?.1.trim() == "PONG"))
}

/// Ends all six, and waits until they have.
fn stop(stage: &Stage) -> Result<()> {
    for port in PORTS {
        stage.sh(&format!("redis-cli -p {port} shutdown"))?;
        let file = stage.path(&format!("redis_{port}.pid"));
        until("its pidfile is gone", || Ok(!file.exists()))?;
    }
    Ok(())
}

fn reach(stage: &mut Stage) -> Result<()> {
    let (_, own) = stage.sh("hostname -I")?;
    let own = own.split_whitespace().next().context("this host has no address but its own")?;
    let port = 6383;
    let arguments = ["--bind", "0.0.0.0", "--save", ""];
    stage.serve(stage.side, port, &arguments)?;
    let ping = format!("redis-cli -h {own} -p {port}");
    let (code, said) = stage.sh(&format!("{ping} ping"))?;
    ensure!(code == 0 && said.contains("DENIED Redis is running in protected mode"), "{said}");
    let (code, _) = stage.sh(&format!("{ping} -e ping"))?;
    ensure!(code == 1, "rc {code} with -e");
    stage.sh(&format!("redis-cli -p {port} config set requirepass secret masterauth secret"))?;
    let (_, said) = stage.sh(&format!("{ping} -a secret ping"))?;
    ensure!(said.contains("PONG"), "with a password: {said}");
    let set = "config set requirepass '' protected-mode no";
    stage.sh(&format!("redis-cli -p {port} -a secret {set}"))?;
    let (_, said) = stage.sh(&format!("{ping} ping"))?;
    ensure!(said.trim() == "PONG", "without protected mode: {said}");
    stage.end(port)?;
    let (code, said) = stage.sh(&format!("redis-cli -p {port} shutdown"))?;
    let why = format!("Could not connect to Redis at 127.0.0.1:{port}: Connection refused");
    ensure!(code == 1 && said.trim() == why, "rc {code}: {said}");
    stage.fact("reach", "DENIED, PONG with a password, PONG unprotected");
    Ok(())
}
