//! Two hosts with an address each, and a switch between them: network namespaces. Where these are
//! not allowed, two addresses of one host.

use anyhow::{Context, Result, bail};
use std::process::Command;

/// One of the two.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Host {
    A,
    B,
}

impl Host {
    fn name(self) -> &'static str {
        match self {
            Host::A => "a",
            Host::B => "b",
        }
    }
}

/// See the module's documentation. Gone when it is dropped; what runs in it must have ended.
pub(crate) struct Lan {
    /// What the names of its namespaces begin with; none: there are none.
    prefix: Option<String>,
}

impl Lan {
    /// Both hosts, plugged in.
    pub(crate) fn new() -> Self {
        let lan = Lan { prefix: Some(format!("holdfast-scenes-{}", std::process::id())) };
        match lan.build() {
            Ok(()) => lan,
            Err(error) => {
                println!("  one host with two addresses, since: {error:#}");
                drop(lan);
                Lan { prefix: None }
            }
        }
    }

    /// Whether the hosts can be unplugged.
    pub(crate) fn is_wired(&self) -> bool {
        self.prefix.is_some()
    }

    fn namespace(&self, name: &str) -> String {
        format!("{}-{name}", self.prefix.as_deref().unwrap_or_default())
    }

    fn build(&self) -> Result<()> {
        let switch = self.namespace("switch");
        let netns = |name: &str| ip(&format!("netns add {name}"));
        netns(&switch)?;
        ip(&format!("-n {switch} link add name switch type bridge"))?;
        ip(&format!("-n {switch} link set switch up"))?;
        for host in [Host::A, Host::B] {
            let (space, name) = (self.namespace(host.name()), host.name());
            netns(&space)?;
            let ends = format!("name {name} type veth peer name eth0 netns {space}");
            ip(&format!("-n {switch} link add {ends}"))?;
            ip(&format!("-n {switch} link set dev {name} master switch up"))?;
            ip(&format!("-n {space} addr add {}/24 dev eth0", self.address(host)))?;
            for link in ["lo", "eth0"] {
                ip(&format!("-n {space} link set {link} up"))?;
            }
        }
        Ok(())
    }

    /// Where a host is.
    pub(crate) fn address(&self, host: Host) -> &'static str {
        match (self.is_wired(), host) {
            (true, Host::A) => "10.0.0.1",
            (true, Host::B) => "10.0.0.2",
            (false, Host::A) => "127.0.0.1",
            (false, Host::B) => "127.0.0.2",
        }
    }

    /// What a line begins with that is typed at a host.
    pub(crate) fn at(&self, host: Host) -> String {
        match self.is_wired() {
            true => format!("ip netns exec {} ", self.namespace(host.name())),
            false => String::new(),
        }
    }

    /// A program that runs on a host.
    pub(crate) fn command(&self, host: Host, program: &Command) -> Command {
        let mut command = Command::new(program.get_program());
        if self.is_wired() {
            command = Command::new("ip");
            command.args(["netns", "exec", &self.namespace(host.name())]);
            command.arg(program.get_program());
        }
        command.args(program.get_args());
        command
    }

    /// Takes a host's cable out of the switch: what it sends is gone without a word.
    pub(crate) fn unplug(&self, host: Host) -> Result<()> {
        self.port(host, "nomaster")
    }

    /// Puts it in again.
    pub(crate) fn plug(&self, host: Host) -> Result<()> {
        self.port(host, "master switch")
    }

    fn port(&self, host: Host, how: &str) -> Result<()> {
        match self.is_wired() {
            true => {
                ip(&format!("-n {} link set dev {} {how}", self.namespace("switch"), host.name()))
            }
            false => Ok(()),
        }
    }
}

impl Drop for Lan {
    fn drop(&mut self) {
        if self.is_wired() {
            for name in ["a", "b", "switch"] {
                // It may never have been made.
                let _ = ip(&format!("netns del {}", self.namespace(name)));
            }
        }
    }
}

fn ip(line: &str) -> Result<()> {
    let output = Command::new("ip").args(line.split(' ')).output().context("starting ip")?;
    if !output.status.success() {
        bail!("ip {line}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}
