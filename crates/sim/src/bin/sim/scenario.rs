//! Scenarios in plain text, and the transcripts they must give.
//!
//! A file has a `deployment` line and then steps, one a line, in the order of time; `#` begins a
//! comment. Times are counted from when the cluster was formed.
//!
//! ```text
//! deployment seed=1 primaries=3 replicas=1 node-timeout=2000
//! at 5s kill 1
//! when 4 logs "Starting a failover election" cut 4 from 2
//! within 3s 4 writes
//! expect epoch 7
//! ```

use crate::deployment::{Deployment, Health, Outcome, Shape};
use crate::server::Settings;
use machine::Span;
use sim::Entry;
use std::collections::BTreeMap;
use std::fmt::Write;

/// How long a `when` waits.
const PATIENCE: Span = Span::secs(60);

/// Plays a scenario; its transcript, also when it fails.
pub(crate) fn play(text: &str) -> (String, Outcome<()>) {
    let mut lines = text.lines().map(|line| line.split('#').next().unwrap_or("").trim());
    let first = lines.find(|line| !line.is_empty()).unwrap_or_default();
    let (seed, shape) = match deployment(first) {
        Ok(read) => read,
        Err(why) => return (String::new(), Err(why)),
    };
    let mut scenario = Scenario { deployment: Deployment::new(seed, shape) };
    let outcome = scenario.steps(lines.filter(|line| !line.is_empty()));
    (scenario.transcript(), outcome)
}

struct Scenario {
    deployment: Deployment,
}

/// `deployment name=value ...`
fn deployment(line: &str) -> Outcome<(u64, Shape)> {
    let words = line.strip_prefix("deployment").ok_or("the first line must be a deployment")?;
    let mut seed = 1;
    let mut shape = Shape {
        primaries: 3,
        replicas: 1,
        spare: 0,
        clients: 2,
        latency: Span::micros(500),
        mail: Span::micros(50),
        rest: Span::millis(50),
        settings: Settings {
            node_timeout: 2000,
            save: String::new(),
            full_coverage: false,
            backlog: 1 << 20,
        },
    };
    for word in words.split_whitespace() {
        let (name, value) = word.split_once('=').ok_or_else(|| format!("what is '{word}'?"))?;
        let number = || value.parse::<u64>().map_err(|_| format!("'{value}' is no number"));
        match name {
            "seed" => seed = number()?,
            "primaries" => shape.primaries = number()?.clamp(1, 20) as usize,
            "replicas" => shape.replicas = number()?.min(4) as usize,
            "spare" => shape.spare = number()?.min(20) as usize,
            "node-timeout" => shape.settings.node_timeout = number()?,
            "save" => shape.settings.save = value.replace(',', " "),
            "full-coverage" => shape.settings.full_coverage = value == "yes",
            _ => return Err(format!("what is '{name}'?")),
        }
    }
    Ok((seed, shape))
}

fn span(word: &str) -> Outcome<Span> {
    let (digits, unit) = match word.strip_suffix("ms") {
        Some(digits) => (digits, 1),
        None => (word.strip_suffix('s').unwrap_or(word), 1000),
    };
    let number: f64 = digits.parse().map_err(|_| format!("'{word}' is no time"))?;
    Ok(Span::millis((number * f64::from(unit)).round() as u64))
}

/// The steps.
impl Scenario {
    fn steps<'a>(&mut self, lines: impl Iterator<Item = &'a str>) -> Outcome<()> {
        self.deployment.form()?;
        for line in lines {
            self.step(line).map_err(|why| format!("{line}: {why}"))?;
        }
        Ok(())
    }

    fn step(&mut self, line: &str) -> Outcome<()> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "at" => {
                let (time, action) = rest.split_once(' ').ok_or("at TIME ACTION")?;
                let at = self.deployment.formed + span(time)?.0;
                let left =
                    at.checked_sub(self.deployment.world.time()).ok_or("that time is past")?;
                self.deployment.run(Span(left))?;
                self.act(action)
            }
            "when" => {
                let (server, rest) = rest.split_once(" logs \"").ok_or("when N logs \"TEXT\"")?;
                let (text, action) = rest.split_once("\" ").ok_or("when N logs \"TEXT\" ACTION")?;
                let (server, text) = (self.server(server)?, text.to_owned());
                let from = self.deployment.world.transcript().len();
                let host = format!("s{server}");
                self.deployment.wait("the line", PATIENCE, |d| {
                    let news = &d.world.transcript()[from..];
                    news.iter().any(|entry| entry.host == host && entry.text.contains(&text))
                })?;
                self.act(action)
            }
            "within" => {
                let (time, condition) = rest.split_once(' ').ok_or("within TIME CONDITION")?;
                let words: Vec<String> = condition.split_whitespace().map(String::from).collect();
                holds(&self.deployment, &words)?;
                self.deployment.wait(condition, span(time)?, |d| holds(d, &words) == Ok(true))?;
                self.note(&format!("{condition}: yes"));
                Ok(())
            }
            "expect" => {
                let words: Vec<String> = rest.split_whitespace().map(String::from).collect();
                match holds(&self.deployment, &words)? {
                    true => Ok(()),
                    false => Err(String::from("it is not so")),
                }
            }
            _ => Err(format!("what is '{word}'?")),
        }
    }

    fn server(&self, word: &str) -> Outcome<usize> {
        number(word, self.deployment.servers.len())
    }

    fn note(&mut self, text: &str) {
        self.deployment.world.note(&format!("* {text}"));
    }

    fn act(&mut self, action: &str) -> Outcome<()> {
        let words: Vec<&str> = action.split_whitespace().collect();
        if words == ["show"] {
            self.show();
            return Ok(());
        }
        self.note(action);
        let d = &mut self.deployment;
        let count = d.servers.len();
        match &words[..] {
            ["heal"] => d.world.heal_all(),
            ["quiet"] => d.journal.borrow_mut().hush = true,
            ["kill", servers @ ..] => {
                for word in servers {
                    d.kill(number(word, count)?);
                }
            }
            ["restart", servers @ ..] => {
                for word in servers {
                    d.restart(number(word, count)?);
                }
            }
            ["failover", server, option @ ..] => {
                let server = number(server, count)?;
                d.order(server, &format!("CLUSTER FAILOVER {}", option.join(" ")))?;
            }
            ["lose", server, file] => {
                let host = d.servers[number(server, count)?].host;
                d.world.remove_file(host, file);
            }
            ["stall", server] => {
                let node = d.servers[number(server, count)?].node;
                d.world.pause(node);
            }
            ["unstall", server] => {
                let node = d.servers[number(server, count)?].node;
                d.world.resume(node);
            }
            ["stop", server] => d.pause(number(server, count)?),
            ["continue", server] => d.resume(number(server, count)?),
            ["crash", server] => d.crash(number(server, count)?),
            ["power", server] => d.power_on(number(server, count)?),
            ["reset", a, b] => {
                let (a, b) = (number(a, count)?, number(b, count)?);
                let (a, b) = (d.servers[a].host, d.servers[b].host);
                d.world.reset(a, b);
            }
            ["cut", a, "from", b] => {
                let (a, b) = (number(a, count)?, number(b, count)?);
                let (a, b) = (d.servers[a].host, d.servers[b].host);
                d.world.cut(a, b);
            }
            ["cut", side @ ..] => {
                let mut hosts = Vec::new();
                for word in side {
                    hosts.push(match word.strip_prefix("client") {
                        Some(word) => d.clients[number(word, d.clients.len())?],
                        None => d.servers[number(word, count)?].host,
                    });
                }
                d.cut(&hosts);
            }
            _ => return Err(String::from("an unknown action")),
        }
        Ok(())
    }

    /// The roles, slots and states, as each server takes its own.
    fn show(&mut self) {
        let mut lines = Vec::new();
        for number in 0..self.deployment.servers.len() {
            lines.push(format!("| {number}  {}", self.row(number)));
        }
        let d = &self.deployment;
        let journal = d.journal.borrow();
        let lost = d.promises.acknowledged.lost;
        lines.push(format!("| clients: {} writes acknowledged, {lost} lost", journal.acks.len()));
        drop(journal);
        lines.iter().for_each(|line| self.deployment.world.note(line));
    }

    /// How a server takes itself and the others.
    fn row(&self, number: usize) -> String {
        let d = &self.deployment;
        let server = &d.servers[number];
        let view = server.view.borrow();
        let (true, Some(topology)) = (server.health != Health::Dead, &view.topology) else {
            return String::from("dead");
        };
        let me = topology.me();
        let mut row = match me.primary {
            Some(primary) => format!("replica of <{primary}>"),
            None => String::from("primary"),
        };
        for (first, last) in topology.ranges(me.id) {
            write!(row, " {first}-{last}").expect("a string takes everything");
        }
        let state = if topology.ok { "ok" } else { "fail" };
        write!(row, ", epoch {}, state {state}", me.config_epoch).expect("a string");
        let now = d.world.time();
        if me.primary.is_none() && view.lease.allows(machine::Instant(now)) {
            row.push_str(", has a lease");
        }
        if server.health == Health::Paused {
            row.push_str(", stopped");
        }
        if me.primary.is_some() && !d.promises.offsets.is_linked(number) {
            row.push_str(", link down");
        }
        for node in topology.nodes.iter().filter(|node| node.fail || node.pfail) {
            let how = if node.fail { "fail" } else { "fail?" };
            write!(row, ", <{}> {how}", node.id).expect("a string");
        }
        row
    }
}

fn number(word: &str, count: usize) -> Outcome<usize> {
    let number = word.parse().ok().filter(|number| *number < count);
    number.ok_or_else(|| format!("'{word}' is none of {count}"))
}

/// Whether a condition holds now; an error if it is none.
fn holds(d: &Deployment, words: &[String]) -> Outcome<bool> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let count = d.servers.len();
    let running = |n: usize| d.servers[n].health == Health::Running;
    let primary = |n: usize| d.servers[n].view.borrow().primary();
    match &words[..] {
        ["whole"] => Ok(d.is_whole()),
        [server, "primary"] => {
            let server = number(server, count)?;
            Ok(running(server) && primary(server).is_none())
        }
        [server, "replica", "of", of] => {
            let (server, of) = (number(server, count)?, number(of, count)?);
            let followed = primary(server).is_some() && primary(server) == id(d, of);
            Ok(running(server) && followed && d.promises.offsets.is_linked(server))
        }
        [server, "writes"] => {
            let server = number(server, count)?;
            Ok((0..16384).any(|slot| d.servers[server].writes(slot, d.world.time())))
        }
        [server, "writes", "nothing"] => {
            let server = number(server, count)?;
            Ok((0..16384).all(|slot| !d.servers[server].writes(slot, d.world.time())))
        }
        ["epoch", epoch] => {
            let epoch: u64 = epoch.parse().map_err(|_| "epoch NUMBER")?;
            let current =
                |view: &crate::server::View| view.topology.as_ref().map(|t| t.current_epoch);
            Ok((0..count)
                .all(|n| !running(n) || current(&d.servers[n].view.borrow()) == Some(epoch)))
        }
        ["lost", lost] => Ok(d.promises.acknowledged.lost.to_string() == **lost),
        _ => Err(String::from("an unknown condition")),
    }
}

fn id(d: &Deployment, server: usize) -> Option<cluster::NodeId> {
    d.servers[server].view.borrow().id()
}

/// The transcript.
impl Scenario {
    /// What happened since the cluster was formed: what servers logged, what was done, what was
    /// shown. Nodes go by their numbers.
    fn transcript(&self) -> String {
        let d = &self.deployment;
        let mut names = BTreeMap::new();
        for number in 0..d.servers.len() {
            if let Some(id) = id(d, number) {
                names.insert(id.to_string(), number.to_string());
            }
        }
        let entries = d.world.transcript().iter().filter(|entry| entry.time >= d.formed);
        let lines =
            entries.filter_map(|entry| line(entry, d.formed)).map(|line| name_nodes(&line, &names));
        lines.map(|line| line + "\n").collect()
    }
}

/// A line for a reader, if the entry is worth one.
fn line(entry: &Entry, formed: u64) -> Option<String> {
    let millis = (entry.time - formed) / 1_000_000;
    let (secs, millis) = (millis / 1000, millis % 1000);
    if entry.host.is_empty() {
        let text = match entry.text.strip_prefix("| ") {
            Some(row) => format!("         | {row}"),
            None => format!("{secs:4}.{millis:03} {}", entry.text.strip_prefix("* ")?),
        };
        return Some(text);
    }
    let (machine, text) = entry.text.strip_prefix("machine ")?.split_once(' ')?;
    let (level, text) = text.split_once(": ")?;
    let part = match machine.parse::<u32>().ok()? % 4 {
        0 => "data",
        _ => "bus ",
    };
    let server = entry.host.strip_prefix('s')?;
    matches!(level, "Notice" | "Warning")
        .then(|| format!("{secs:4}.{millis:03}   {server} {part} {text}"))
}

/// Puts numbers for nodes' names, and the first digits for other long ones.
fn name_nodes(line: &str, names: &BTreeMap<String, String>) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(at) = rest.find(|c: char| c.is_ascii_hexdigit()) {
        let run = rest[at..].find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(rest.len() - at);
        let (before, word) = (&rest[..at], &rest[at..at + run]);
        out.push_str(before);
        match names.get(word) {
            Some(number) if before.ends_with('<') => out.push_str(number),
            Some(number) => write!(out, "<{number}>").expect("a string takes everything"),
            None if word.len() == 40 => write!(out, "{}..", &word[..8]).expect("a string"),
            None => out.push_str(word),
        }
        rest = &rest[at + run..];
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::Path;

    /// All scenarios give the transcripts that are kept beside them; `UPDATE=1` writes them anew.
    #[test]
    fn scenarios_give_their_golden_transcripts() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
        let mut differing = Vec::new();
        let mut played = 0;
        for entry in fs::read_dir(&folder).expect("the folder is there") {
            let path = entry.expect("an entry").path();
            if path.extension().is_none_or(|extension| extension != "txt") {
                continue;
            }
            played += 1;
            let text = fs::read_to_string(&path).expect("a scenario");
            let (transcript, outcome) = play(&text);
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            if let Err(why) = outcome {
                differing.push(format!("{name}: {why}\n{transcript}"));
                continue;
            }
            let golden = path.with_extension("golden");
            if std::env::var_os("UPDATE").is_some() {
                fs::write(&golden, &transcript).expect("a place for the transcript");
            }
            let kept = fs::read_to_string(&golden).unwrap_or_default();
            if let Some(differs) = difference(&kept, &transcript) {
                differing.push(format!("{name}: {differs}"));
            }
        }
        assert!(played >= 9, "only {played} scenarios were found");
        assert!(differing.is_empty(), "{}", differing.join("\n"));
    }

    /// The first line that differs.
    fn difference(kept: &str, now: &str) -> Option<String> {
        if kept == now {
            return None;
        }
        let (mut kept, mut now) = (kept.lines(), now.lines());
        for number in 1.. {
            let (was, is) = (kept.next(), now.next());
            if was != is || was.is_none() {
                let (was, is) = (was.unwrap_or("(the end)"), is.unwrap_or("(the end)"));
                return Some(format!("line {number}\n  was: {was}\n  is:  {is}"));
            }
        }
        None
    }

    #[test]
    fn the_same_scenario_is_the_same_to_the_byte() {
        let text = "deployment seed=7\nat 1s kill 0\nwithin 10s 3 writes\nat 12s show\n";
        let (first, outcome) = play(text);
        assert_eq!(outcome, Ok(()));
        assert!(first.contains("Failover election won"));
        assert_eq!(play(text).0, first);
        assert!(play("at 1s kill 0").1.is_err());
        assert!(play("deployment seed=1\nat 1s fly 0").1.is_err());
    }
}
