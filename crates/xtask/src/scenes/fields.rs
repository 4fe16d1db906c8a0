//! R20: what stands in each line of CLUSTER NODES, while all is well, while a slot is open and
//! while nodes hang; and that redis-py reads it.

use super::Scene;
use super::stage::{PORTS, Stage, until};
use super::view::{self, Node, nodes};
use anyhow::{Context, Result, ensure};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub(crate) const SCENE: Scene =
    Scene { name: "R20", what: "the fields of cluster nodes", better: &[], compares: false, run };

const PARSER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/scenes/fields.py");
const FLAGS: [&str; 9] =
    ["myself", "master", "slave", "fail?", "fail", "handshake", "noaddr", "nofailover", "noflags"];

fn run(stage: &mut Stage) -> Result<()> {
    stage.cluster()?;
    healthy(stage)?;
    let all: Vec<u16> = PORTS.collect();
    read_everywhere(stage, &all)?;
    stage.fact("flags", flags(stage, 7000)?);
    open(stage, &all).context("a slot is open")?;
    hanging_replica(stage).context("a replica hangs")?;
    hanging_primaries(stage).context("two primaries hang")
}

/// Waits until nobody is in doubt about anybody.
fn healthy(stage: &Stage) -> Result<()> {
    for port in PORTS {
        until("all is well", || {
            let well = |node: &Node| {
                let doubt = ["fail?", "fail", "handshake"].iter().any(|flag| node.is(flag));
                !doubt && node.link == "connected"
            };
            let nodes = nodes(stage, port)?;
            let replicas = nodes.iter().filter(|node| node.is("slave")).count();
            Ok(nodes.len() == 6 && replicas == 3 && nodes.iter().all(well))
        })?;
    }
    Ok(())
}

/// Flags by port, as a node sees them.
fn flags(stage: &Stage, port: u16) -> Result<String> {
    let mut flags: Vec<String> =
        nodes(stage, port)?.iter().map(|node| format!("{} {}", node.port, node.flags)).collect();
    flags.sort();
    Ok(flags.join("; "))
}

/// Looks at every field at these nodes, and whether redis-py reads the same.
fn read_everywhere(stage: &Stage, ports: &[u16]) -> Result<()> {
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        let (before, parsed) = (shown(stage, ports)?, parsed(stage, ports)?);
        // What changes in between is no difference.
        if before == parsed {
            return Ok(());
        }
        ensure!(Instant::now() < end, "redis-py reads {parsed:#?}, not {before:#?}");
    }
}

/// What nodes say, each field looked at.
fn shown(stage: &Stage, ports: &[u16]) -> Result<Vec<String>> {
    let mut all = Vec::new();
    for port in ports {
        let text = stage.say(*port, "cluster nodes")?;
        for line in text.lines() {
            valid(line).with_context(|| format!("at {port}: {line}"))?;
        }
        let myself = text.lines().filter(|line| line.contains(" myself,")).count();
        ensure!(myself == 1, "{port} is {myself} nodes: {text}");
        all.extend(view::read(&text)?.iter().map(|node| as_parsed(*port, node)));
    }
    all.sort();
    Ok(all)
}

fn parsed(stage: &Stage, ports: &[u16]) -> Result<Vec<String>> {
    let words: Vec<String> = ports.iter().map(u16::to_string).collect();
    let (code, said) = stage.sh(&format!("/usr/bin/python3 {PARSER} {}", words.join(" ")))?;
    ensure!(code == 0, "redis-py: rc {code}: {said}");
    let mut all: Vec<String> = said.lines().map(String::from).collect();
    all.sort();
    Ok(all)
}

/// How the script prints a node.
fn as_parsed(at: u16, node: &Node) -> String {
    let some = |words: Vec<String>| match words.is_empty() {
        true => String::from("-"),
        false => words.join(","),
    };
    let (open, runs): (Vec<&String>, Vec<&String>) =
        node.slots.iter().partition(|word| word.starts_with('['));
    let open = open.iter().map(|word| {
        let word = word.trim_matches(['[', ']']);
        let moving = word.replace("->-", ":migrating:");
        moving.replace("-<-", ":importing:")
    });
    let connected = if node.link == "connected" { "True" } else { "False" };
    let (runs, open) = (some(runs.into_iter().cloned().collect()), some(open.collect()));
    let Node { address, id, flags, primary, .. } = node;
    format!("{at} {address} {id} {flags} {primary} {connected} {runs} {open}")
}

/// Every field is as the protocol has it.
fn valid(line: &str) -> Result<()> {
    let words: Vec<&str> = line.split(' ').collect();
    ensure!(words.len() >= 8, "{} fields", words.len());
    let is_id = |word: &str| word.len() == 40 && word.bytes().all(|b| b.is_ascii_hexdigit());
    ensure!(is_id(words[0]), "id {:?}", words[0]);
    let (address, bus) = words[1].split_once('@').context("no @")?;
    let (host, port) = address.split_once(':').context("no port")?;
    let bus: u16 = bus.split(',').next().unwrap_or_default().parse()?;
    ensure!(host == "127.0.0.1" && bus == port.parse::<u16>()? + 10_000, "{:?}", words[1]);
    ensure!(words[2].split(',').all(|flag| FLAGS.contains(&flag)), "flags {:?}", words[2]);
    let follows = words[2].contains("slave");
    ensure!(if follows { is_id(words[3]) } else { words[3] == "-" }, "primary {:?}", words[3]);
    ensure!(is_time(words[4])? && is_time(words[5])?, "times {:?}", &words[4..6]);
    words[6].parse::<u64>().context("epoch")?;
    ensure!(["connected", "disconnected"].contains(&words[7]), "link {:?}", words[7]);
    words[8..].iter().try_for_each(|word| run_of_slots(word, is_id))
}

/// 0, or milliseconds since 1970 that are not long ago.
fn is_time(word: &str) -> Result<bool> {
    let time: u128 = word.parse()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
    Ok(time == 0 || now.abs_diff(time) < 600_000)
}

fn run_of_slots(word: &str, is_id: impl Fn(&str) -> bool) -> Result<()> {
    let slot = |word: &str| word.parse::<u16>().is_ok_and(|slot| slot < 16384);
    if let Some(open) = word.strip_prefix('[').and_then(|word| word.strip_suffix(']')) {
        let parts = open.split_once("->-").or_else(|| open.split_once("-<-"));
        let (at, id) = parts.context("an open slot without a direction")?;
        ensure!(slot(at) && is_id(id), "open slot {word:?}");
        return Ok(());
    }
    let (first, last) = word.split_once('-').unwrap_or((word, word));
    ensure!(slot(first) && slot(last), "slots {word:?}");
    Ok(())
}

/// Each end tells of an open slot in its own line, and in no other.
fn open(stage: &mut Stage, all: &[u16]) -> Result<()> {
    let (from, to) = (stage.say(7000, "cluster myid")?, stage.say(7001, "cluster myid")?);
    stage.say(7001, &format!("cluster setslot 866 importing {from}"))?;
    stage.say(7000, &format!("cluster setslot 866 migrating {to}"))?;
    read_everywhere(stage, all)?;
    let mut told = Vec::new();
    for port in PORTS {
        for node in nodes(stage, port)? {
            let open = node.slots.iter().filter(|word| word.starts_with('['));
            told.extend(open.map(|word| format!("{port} of {}: {word}", node.port)));
        }
    }
    let wanted = [format!("7000 of 7000: [866->-{to}]"), format!("7001 of 7001: [866-<-{from}]")];
    ensure!(told == wanted, "{told:?}");
    for port in [7000, 7001] {
        let said = stage.say(port, "cluster setslot 866 stable")?;
        ensure!(said == "OK", "{said}");
    }
    let words = told.join("; ").replace(&from, "FROM").replace(&to, "TO");
    stage.fact("open", words);
    Ok(())
}

/// What a node says of the ping that another has not answered: since when, in milliseconds.
fn pinged(stage: &Stage, at: u16, port: u16) -> Result<u64> {
    let text = stage.say(at, "cluster nodes")?;
    let part = format!(":{port}@");
    let line = text.lines().find(|line| line.contains(&part)).context("it is not known")?;
    Ok(line.split(' ').nth(4).context("no field")?.parse()?)
}

fn signal(stage: &Stage, ports: &[u16], name: &str) -> Result<()> {
    for port in ports {
        let pid = stage.pid(*port)?;
        let (code, said) = stage.sh(&format!("kill -{name} {pid}"))?;
        ensure!(code == 0, "kill -{name} {port}: {said}");
    }
    Ok(())
}

/// Waits until these see the others so.
fn seen(stage: &Stage, by: &[u16], ports: &[u16], flags: &str) -> Result<()> {
    for at in by {
        until(&format!("{at} sees {ports:?} as {flags}"), || {
            let nodes = nodes(stage, *at)?;
            let is = |port: &u16| nodes.iter().any(|n| n.port == *port && n.flags == flags);
            Ok(ports.iter().all(is))
        })?;
    }
    Ok(())
}

/// Who does not answer is asked since a time, then in doubt, then dead by the majority's word.
fn hanging_replica(stage: &mut Stage) -> Result<()> {
    let hangs = view::replicas(stage, 7001)?;
    let others: Vec<u16> = PORTS.filter(|port| !hangs.contains(port)).collect();
    signal(stage, &hangs, "STOP")?;
    let seen_so = watch(stage, &others, &hangs);
    signal(stage, &hangs, "CONT")?;
    seen_so?;
    stage.fact("a hanging replica", "slave,fail");
    seen(stage, &others, &hangs, "slave")?;
    healthy(stage)
}

fn watch(stage: &Stage, others: &[u16], hangs: &[u16]) -> Result<()> {
    until("it is asked in vain", || Ok(pinged(stage, 7000, hangs[0])? > 0))?;
    let since = pinged(stage, 7000, hangs[0])?;
    seen(stage, others, hangs, "slave,fail")?;
    ensure!(pinged(stage, 7000, hangs[0])? >= since, "the time of the ping goes backwards");
    read_everywhere(stage, others)
}

/// Without a majority nobody can be said to be dead.
fn hanging_primaries(stage: &mut Stage) -> Result<()> {
    let hang = [7001, 7002];
    let others: Vec<u16> = PORTS.filter(|port| !hang.contains(port)).collect();
    signal(stage, &hang, "STOP")?;
    let doubted =
        seen(stage, &others, &hang, "master,fail?").and_then(|()| read_everywhere(stage, &others));
    signal(stage, &hang, "CONT")?;
    doubted?;
    stage.fact("two of three hang", "master,fail?");
    healthy(stage)
}
