//! R30, R31, R34, R36: a primary and its replicas, by hand.

use super::Scene;
use super::stage::{Stage, until};
use super::view::linked;
use anyhow::{Result, ensure};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

pub(crate) const WAYS: Scene =
    Scene { name: "R30", what: "three ways to follow", better: &[], compares: false, run: ways };
pub(crate) const INFO: Scene =
    Scene { name: "R31", what: "what INFO says", better: &[], compares: false, run: info };
pub(crate) const TREE: Scene =
    Scene { name: "R34", what: "a tree of replicas", better: &[], compares: false, run: tree };
pub(crate) const BY_HAND: Scene =
    Scene { name: "R36", what: "failover by hand", better: &[], compares: false, run: by_hand };

/// The primary's port, and the first of its replicas'.
const PRIMARY: u16 = 6379;

fn ways(stage: &mut Stage) -> Result<()> {
    stage.serve(stage.side, PRIMARY, &[])?;
    stage.say(PRIMARY, "set key one")?;
    stage.serve(stage.side, 6380, &[])?;
    let mut said = vec![stage.say(6380, "slaveof 127.0.0.1 6379")?];
    linked(stage, 6380)?;
    said.push(stage.say(6380, "get key")?);
    said.push(stage.say(6380, "slaveof 127.0.0.1 6379")?);
    stage.serve(stage.side, 6381, &["--slaveof", "127.0.0.1", "6379"])?;
    linked(stage, 6381)?;
    std::fs::write(stage.path("slave.conf"), "slaveof 127.0.0.1 6379\n")?;
    let file = stage.path("slave.conf").display().to_string();
    stage.serve_with(stage.side, 6382, Some(&file), &[])?;
    linked(stage, 6382)?;
    for port in [6381, 6382] {
        said.push(stage.say(port, "get key")?);
    }
    said.push(stage.say(6380, "slaveof no one")?);
    said.push(stage.say(6380, "get key")?);
    said.push(stage.field(6380, "role")?);
    let wanted = [
        "OK",
        "one",
        "OK Already connected to specified master",
        "one",
        "one",
        "OK",
        "one",
        "master",
    ];
    ensure!(said == wanted, "{said:?}");
    stage.say(PRIMARY, "config set requirepass secret")?;
    stage.serve(stage.side, 6383, &["--slaveof", "127.0.0.1", "6379", "--masterauth", "wrong"])?;
    let refused = "Unable to AUTH to MASTER: -WRONGPASS";
    until("the log names the password", || Ok(stage.log(6383)?.contains(refused)))?;
    stage.say(6383, "config set masterauth secret")?;
    linked(stage, 6383)?;
    stage.serve(stage.side, 6384, &["--cluster-enabled", "yes"])?;
    let cluster = stage.say(6384, "slaveof 127.0.0.1 6379")?;
    ensure!(cluster == "ERR REPLICAOF not allowed in cluster mode.", "{cluster}");
    stage.fact("said", said.join(", "));
    Ok(())
}

fn info(stage: &mut Stage) -> Result<()> {
    stage.serve(stage.side, PRIMARY, &[])?;
    stage.serve(stage.side, 6380, &["--slaveof", "127.0.0.1", "6379"])?;
    linked(stage, 6380)?;
    until("it is online", || Ok(stage.field(PRIMARY, "slave0")?.contains("state=online")))?;
    let end = Instant::now() + Duration::from_secs(3);
    while Instant::now() < end {
        let line = stage.field(PRIMARY, "slave0")?;
        let at = "ip=127.0.0.1,port=6380,state=online,offset=";
        let lag = line.rsplit("lag=").next().unwrap_or_default();
        ensure!(line.starts_with(at) && ["0", "1"].contains(&lag), "{line}");
        std::thread::sleep(Duration::from_millis(200));
    }
    let names = |text: &str| -> String {
        let names: Vec<_> = text.lines().filter_map(|line| line.split(':').next()).collect();
        names.join(" ")
    };
    let primary = names(&stage.say(PRIMARY, "info replication")?);
    let replica = names(&stage.say(6380, "info replication")?);
    for name in ["connected_slaves", "slave0", "repl_backlog_active", "repl_backlog_histlen"] {
        ensure!(primary.contains(name), "{name}: {primary}");
    }
    for name in ["master_host", "master_port", "master_link_status"] {
        ensure!(replica.contains(name), "{name}: {replica}");
    }
    ensure!(!replica.contains("master_link_down_since_seconds"), "{replica}");
    stage.fact("primary", primary);
    stage.fact("replica", replica);
    stage.say(PRIMARY, "config set min-slaves-to-write 1")?;
    stage.fact("good", stage.field(PRIMARY, "min_slaves_good_slaves")?);
    let beats = heartbeats()?;
    ensure!((9.0..=11.5).contains(&beats), "PINGs are {beats:.1} s apart");
    stage.end(PRIMARY)?;
    until("the link is down", || Ok(stage.field(6380, "master_link_status")? == "down"))?;
    let since = stage.field(6380, "master_link_down_since_seconds")?;
    ensure!(since.parse::<u64>().is_ok(), "{since}");
    Ok(())
}

/// Follows the primary as a replica would, and tells the seconds between two PINGs of its stream.
fn heartbeats() -> Result<f64> {
    let mut stream = TcpStream::connect(("127.0.0.1", PRIMARY))?;
    stream.set_read_timeout(Some(Duration::from_secs(25)))?;
    let (mut seen, mut bytes, mut first) = (Vec::new(), [0; 4096], None);
    stream.write_all(b"REPLCONF listening-port 1\r\n")?;
    ensure!(stream.read(&mut bytes)? == b"+OK\r\n".len(), "REPLCONF is refused");
    stream.write_all(b"PSYNC ? -1\r\n")?;
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        ensure!(Instant::now() < end, "no two PINGs within a minute");
        let n = stream.read(&mut bytes)?;
        ensure!(n > 0, "the primary ended the link");
        seen.extend_from_slice(&bytes[..n]);
        let ping = b"*1\r\n$4\r\nping\r\n";
        if seen.windows(ping.len()).any(|window| window.eq_ignore_ascii_case(ping)) {
            seen.clear();
            match first {
                None => first = Some(Instant::now()),
                Some(first) => return Ok(first.elapsed().as_secs_f64()),
            }
        }
        // Who is silent for long is dropped.
        stream.write_all(b"*3\r\n$8\r\nREPLCONF\r\n$3\r\nACK\r\n$1\r\n0\r\n")?;
    }
}

fn tree(stage: &mut Stage) -> Result<()> {
    let (middle, leaf) = (6380, 6381);
    stage.serve(stage.side, PRIMARY, &[])?;
    stage.serve(stage.side, middle, &["--slaveof", "127.0.0.1", "6379"])?;
    linked(stage, middle)?;
    stage.serve(stage.side, leaf, &["--slaveof", "127.0.0.1", "6380"])?;
    linked(stage, leaf)?;
    for n in 0..100 {
        stage.say(PRIMARY, &format!("set key:{n} {n}"))?;
    }
    level(stage, &[PRIMARY, middle, leaf])?;
    ensure!(stage.say(leaf, "get key:99")? == "99", "the leaf lags");
    stage.end(middle)?;
    stage.say(PRIMARY, "set after 1")?;
    stage.say(leaf, "slaveof 127.0.0.1 6379")?;
    linked(stage, leaf)?;
    level(stage, &[PRIMARY, leaf])?;
    ensure!(stage.say(leaf, "get after")? == "1", "the leaf lags");
    let partial = stage.field(PRIMARY, "sync_partial_ok")?;
    ensure!(partial == "1", "sync_partial_ok {partial}");
    stage.fact("partial", partial);
    Ok(())
}

fn by_hand(stage: &mut Stage) -> Result<()> {
    let (first, second) = (6380, 6381);
    stage.serve(stage.side, PRIMARY, &[])?;
    for port in [first, second] {
        stage.serve(stage.side, port, &["--slaveof", "127.0.0.1", "6379"])?;
        linked(stage, port)?;
    }
    stage.say(PRIMARY, "set before 1")?;
    level(stage, &[PRIMARY, first, second])?;
    stage.end(PRIMARY)?;
    stage.say(first, "slaveof no one")?;
    stage.say(first, "set after 2")?;
    stage.say(second, "slaveof 127.0.0.1 6380")?;
    linked(stage, second)?;
    stage.serve(stage.side, PRIMARY, &[])?;
    stage.say(PRIMARY, "slaveof 127.0.0.1 6380")?;
    linked(stage, PRIMARY)?;
    level(stage, &[PRIMARY, first, second])?;
    for port in [PRIMARY, first, second] {
        let values = [stage.say(port, "get before")?, stage.say(port, "get after")?];
        ensure!(values == ["1", "2"], "{port}: {values:?}");
    }
    let partial = stage.field(first, "sync_partial_ok")?;
    ensure!(partial == "1", "sync_partial_ok {partial}");
    stage.fact("partial", partial);
    Ok(())
}

/// Waits until all are at the same place of the stream.
pub(super) fn level(stage: &Stage, ports: &[u16]) -> Result<()> {
    until("all are level", || {
        let offset = |port: &u16| stage.field(*port, "master_repl_offset");
        let offsets: Vec<String> = ports.iter().map(offset).collect::<Result<_>>()?;
        Ok(offsets.iter().all(|offset| *offset == offsets[0]))
    })
}
