//! R21: roles are handed over by hand, back and forth, and for an upgrade of every node, while the
//! consistency check runs.

use super::Scene;
use super::checker::Check;
use super::stage::{PORTS, Stage, covered, until};
use super::view::{linked, nodes, only_replica};
use anyhow::{Context, Result, ensure};

pub(crate) const SCENE: Scene = Scene {
    name: "R21",
    what: "manual failover, upgrade",
    better: &[],
    // Redis's takes a role back, or gives up, when it is handed over again so soon.
    compares: true,
    run,
};

/// What the log of the replica says, in this order; the first number behind `#` is an offset.
const STORY: [&str; 6] = [
    "Manual failover user request accepted.",
    "Received replication offset for paused master manual failover: #",
    "All master replication stream processed, manual failover can start.",
    "Start of election delayed for 0 milliseconds (rank #0, offset #",
    "Starting a failover election for epoch ",
    "Failover election won: I'm the new master.",
];

fn run(stage: &mut Stage) -> Result<()> {
    stage.cluster()?;
    let check = Check::patient(stage)?;
    let said = stage.say(7000, "cluster failover")?;
    ensure!(said == "ERR You should send CLUSTER FAILOVER to a replica", "{said}");
    stage.fact("to a primary", said);
    let other = only_replica(stage, 7000)?;
    for (from, to) in [(7000, other), (other, 7000)].into_iter().cycle().take(5) {
        hand_over(stage, from, to).with_context(|| format!("from {from} to {to}"))?;
    }
    stage.fact("back and forth", "five times");
    for port in PORTS {
        upgrade(stage, port).with_context(|| format!("{port} is upgraded"))?;
    }
    covered()?;
    stage.fact("upgraded", "all six");
    check.end_clean().context("the check")
}

/// The replica takes over, and the primary follows it.
fn hand_over(stage: &Stage, from: u16, to: u16) -> Result<()> {
    linked(stage, to)?;
    let begin = stage.log(to)?.len();
    let said = stage.say(to, "cluster failover")?;
    ensure!(said == "OK", "{said}");
    until("the roles have changed", || Ok(stage.say(to, "role")?.starts_with("master")))?;
    linked(stage, from)?;
    let log = stage.log(to)?;
    let offsets = told(log.get(begin..).unwrap_or_default())?;
    ensure!(offsets.len() == 2 && offsets[0] == offsets[1], "the offsets are {offsets:?}");
    // Tools look for roles at any node.
    until("everybody knows", || {
        let sees = |port: u16| -> Result<bool> {
            let nodes = nodes(stage, port)?;
            let is = |port, flag| nodes.iter().any(|node| node.port == port && node.is(flag));
            Ok(is(from, "slave") && is(to, "master"))
        };
        PORTS.map(sees).try_fold(true, |all, one| Ok(all && one?))
    })
}

/// Looks for the story in a log; the offsets it names.
fn told(log: &str) -> Result<Vec<u64>> {
    let mut offsets = Vec::new();
    let mut rest = log;
    for line in STORY {
        let (text, number) = line.strip_suffix('#').map_or((line, false), |text| (text, true));
        let at = rest.find(text).with_context(|| format!("no {text:?} in its turn in {log}"))?;
        rest = &rest[at + text.len()..];
        if number {
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            offsets.push(digits.parse().context("an offset")?);
        }
    }
    Ok(offsets)
}

/// A new process takes the place of the old one, which is a replica by then.
fn upgrade(stage: &mut Stage, port: u16) -> Result<()> {
    let old = stage.pid(port)?;
    if stage.say(port, "role")?.starts_with("master") {
        let heir = only_replica(stage, port)?;
        hand_over(stage, port, heir)?;
    }
    let (code, said) = stage.sh(&format!("redis-cli -p {port} shutdown"))?;
    ensure!(code == 0 && said.trim().is_empty(), "shutdown: rc {code}: {said}");
    stage.end(port)?;
    stage.serve_node(port, &[])?;
    ensure!(stage.pid(port)? != old, "it is the old process");
    linked(stage, port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_story_is_read_in_its_order() {
        let log = |offset: &str| {
            let lines = STORY.map(|line| match line.strip_suffix('#') {
                Some(text) => format!("1:M 1 Jan # {text}{offset}).\n"),
                None => format!("1:M 1 Jan # {line}\n"),
            });
            lines.concat()
        };
        assert_eq!(told(&log("42")).unwrap(), [42, 42]);
        assert!(told(&log("")).is_err());
        let mut backwards: Vec<&str> = STORY.into();
        backwards.reverse();
        assert!(told(&backwards.concat()).is_err());
    }
}
