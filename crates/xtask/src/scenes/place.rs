//! A cluster of six servers on two hosts, as the first tutorial makes it: each host has three, and
//! host A two of the three primaries.

use super::lan::{Host, Lan};
use super::stage::{Side, Stage, until};
use super::view::{self, Node};
use anyhow::{Context, Result, ensure};
use std::process::Command;
use std::time::Duration;

pub(crate) const PORTS: std::ops::Range<u16> = 6379..6385;
pub(crate) const NODE_TIMEOUT: Duration = Duration::from_secs(5);
/// A key of each shard.
pub(crate) const EACH: [&str; 3] = ["hello", "c", "foo"];

/// Where a server is.
pub(crate) fn host(port: u16) -> Host {
    if port < 6382 { Host::A } else { Host::B }
}

/// The servers of a host.
pub(crate) fn at(place: Host) -> impl Iterator<Item = u16> {
    PORTS.filter(move |port| host(*port) == place)
}

/// See the module's documentation.
pub(crate) struct Place<'s> {
    pub(crate) stage: &'s mut Stage,
    pub(crate) lan: Lan,
}

impl<'s> Place<'s> {
    /// With a cluster that serves.
    pub(crate) fn new(stage: &'s mut Stage) -> Result<Self> {
        let mut place = Place { lan: Lan::new(), stage };
        PORTS.into_iter().try_for_each(|port| place.start(port))?;
        let nodes = PORTS.map(|port| place.address(port)).collect::<Vec<_>>().join(" ");
        let (code, said) = place.tool(&format!("create --replicas 1 --yes {nodes}"))?;
        ensure!(code == 0, "rc {code}: {said}");
        place.whole()?;
        Ok(place)
    }

    /// Starts a server, and waits until it answers.
    pub(crate) fn start(&mut self, port: u16) -> Result<()> {
        let timeout = NODE_TIMEOUT.as_millis().to_string();
        let mut program = self.stage.program(self.stage.side, "redis-server");
        program.args(["--port", &port.to_string(), "--protected-mode", "no"]);
        program.args(["--cluster-enabled", "yes", "--cluster-node-timeout", &timeout]);
        if self.stage.side == Side::Real {
            // Its tool cannot compare values otherwise.
            program.args(["--enable-debug-command", "yes"]);
        }
        if !self.lan.is_wired() {
            program.args(["--cluster-announce-ip", self.lan.address(host(port))]);
        }
        let command = self.lan.command(host(port), &program);
        self.stage.launch(port, command)?;
        until("the server answers", || {
            self.stage.runs(port)?;
            Ok(self.say(port, "cluster myid")?.len() == 40)
        })
    }

    /// How a server is named to tools.
    pub(crate) fn address(&self, port: u16) -> String {
        format!("{}:{port}", self.lan.address(host(port)))
    }

    /// The classic tool, typed at host A: its exit status, and what it printed.
    pub(crate) fn tool(&self, line: &str) -> Result<(i32, String)> {
        self.stage.sh(&format!("{}{}", self.lan.at(Host::A), self.stage.trib(line)))
    }

    /// The same as a program, not yet started, on another host.
    pub(crate) fn tool_command(&self, host: Host, line: &str) -> Result<Command> {
        let typed = self.stage.trib(line);
        let mut words = typed.split(' ');
        let mut program = self.stage.program(self.stage.side, words.next().context("a program")?);
        program.args(words);
        Ok(self.lan.command(host, &program))
    }

    /// `redis-cli` with a server, typed on its own host.
    pub(crate) fn cli(&self, port: u16) -> String {
        let host = host(port);
        format!("{}redis-cli -h {} -p {port}", self.lan.at(host), self.lan.address(host))
    }

    /// What redis-cli prints for a line, its last newline left out.
    pub(crate) fn say(&self, port: u16, line: &str) -> Result<String> {
        let (_, said) = self.stage.sh(&format!("{} {line}", self.cli(port)))?;
        Ok(said.replace('\r', "").trim_end().to_string())
    }

    /// The cluster as a node sees it.
    pub(crate) fn nodes(&self, port: u16) -> Result<Vec<Node>> {
        view::read(&self.say(port, "cluster nodes")?)
    }

    /// Whether a node says that the cluster serves.
    pub(crate) fn is_ok(&self, port: u16) -> Result<bool> {
        Ok(self.say(port, "cluster info")?.contains("cluster_state:ok"))
    }

    /// Waits until all six are there, know each other, and replicas follow.
    pub(crate) fn whole(&self) -> Result<()> {
        for port in PORTS {
            until(&format!("{port} sees a whole cluster"), || {
                let nodes = self.nodes(port)?;
                let well = |node: &Node| {
                    let roles = ["master", "slave", "myself,master", "myself,slave"];
                    roles.contains(&node.flags.as_str()) && node.link == "connected"
                };
                let replicas = nodes.iter().filter(|node| node.primary != "-").count();
                let whole = nodes.len() == 6 && replicas == 3 && nodes.iter().all(well);
                let said = self.say(port, "info replication")?;
                Ok(whole && self.is_ok(port)? && !said.contains("master_link_status:down"))
            })?;
        }
        Ok(())
    }

    /// Waits until the replica of each shard has all that its primary has.
    pub(crate) fn replicated(&self) -> Result<()> {
        for key in EACH {
            let port = self.owner(6379, key)?.port;
            until("its replica has it all", || Ok(self.say(port, "wait 1 1000")? == "1"))?;
        }
        Ok(())
    }

    /// Who has the slot of a key, as a node sees it.
    pub(crate) fn owner(&self, at: u16, key: &str) -> Result<Node> {
        let slot = usize::from(wire::slot::slot(key.as_bytes()));
        let nodes = self.nodes(at)?.into_iter();
        let mut owners = nodes.filter(|node| node.has(slot));
        owners.next().with_context(|| format!("{at} sees nobody who has slot {slot}"))
    }

    /// The primary that has a key's slot, and the one that follows it.
    pub(crate) fn pair(&self, key: &str) -> Result<(u16, u16)> {
        let primary = self.owner(6379, key)?;
        let nodes = self.nodes(6379)?;
        let replica = nodes.iter().find(|node| node.primary == primary.id);
        Ok((primary.port, replica.context("it has no replica")?.port))
    }

    /// All save.
    pub(crate) fn save(&self) -> Result<()> {
        for port in PORTS {
            let said = self.say(port, "save")?;
            ensure!(said == "OK", "{port} does not save: {said}");
        }
        Ok(())
    }

    /// Host B is not reached from host A for so long, nor A from B.
    pub(crate) fn cut(&self, time: Duration) -> Result<()> {
        if self.lan.is_wired() {
            self.lan.unplug(Host::B)?;
            // The cut itself.
            std::thread::sleep(time);
            return self.lan.plug(Host::B);
        }
        let pid = |port| Ok(self.stage.pid(port)?.to_string());
        let pids = at(Host::B).map(pid).collect::<Result<Vec<_>>>()?.join(" ");
        let seconds = time.as_secs_f64();
        self.stage.sh(&format!("kill -STOP {pids}; sleep {seconds}; kill -CONT {pids}"))?;
        Ok(())
    }
}
