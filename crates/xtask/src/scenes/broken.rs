//! R23: a move is interrupted: the tool is killed, the hosts are cut off each other, the source or
//! the target dies. Whatever happens, every key is there once in the end.

use super::Scene;
use super::place::{NODE_TIMEOUT, Place, host};
use super::stage::{Side, Stage, until};
use anyhow::{Context, Result, bail, ensure};
use std::process::{Child, Stdio};
use std::time::Duration;
use wire::slot::slot;

pub(crate) const SCENE: Scene = Scene {
    name: "R23",
    what: "a move is interrupted",
    better: &["the source is killed", "the target is killed"],
    compares: false,
    run,
};

/// Keys in the slot that is moved: moving them all one by one takes seconds.
const KEYS: usize = 20_000;

fn run(stage: &mut Stage) -> Result<()> {
    let mut play = Play::new(Place::new(stage)?)?;
    play.tool_killed().context("the tool is killed")?;
    play.cut_short().context("the hosts are cut off for a moment")?;
    play.cut_long().context("the hosts are cut off for longer than MIGRATE waits")?;
    if play.place.stage.side == Side::Real {
        // Redis's importer does not see who took over from the source, and stays down until `fix`.
        return Ok(());
    }
    play.node_killed(|moving| moving.from).context("the source is killed")?;
    play.node_killed(|moving| moving.to).context("the target is killed")
}

/// A cluster with many keys in one slot.
struct Play<'s> {
    place: Place<'s>,
    /// What the keys have in common.
    tag: String,
}

/// A tool at work, and between whom.
struct Moving {
    tool: Child,
    line: String,
    from: u16,
    to: u16,
}

impl Drop for Moving {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.tool.kill();
        let _ = self.tool.wait();
    }
}

impl<'s> Play<'s> {
    fn new(place: Place<'s>) -> Result<Self> {
        // The slot that goes first.
        let tag = (0..1_000_000).map(|n| n.to_string()).find(|tag| slot(tag.as_bytes()) == 0);
        let tag = tag.context("a tag of that slot")?;
        let set = format!("seq 1 {KEYS} | sed 's/.*/set {{{tag}}}:& &/'");
        place.stage.sh(&format!("{set} | {} > /dev/null", place.cli(6379)))?;
        let play = Play { place, tag };
        play.every_key_once()?;
        Ok(play)
    }

    fn count(&self, port: u16) -> Result<usize> {
        Ok(self.place.say(port, "cluster countkeysinslot 0")?.parse()?)
    }

    /// Begins to move the slot to another primary, on the other host if there is one, and waits
    /// until some of its keys are there.
    fn begin(&self, timeout_ms: u32) -> Result<Moving> {
        let source = self.place.owner(6379, &self.tag)?;
        let nodes = self.place.nodes(6379)?;
        let others = nodes.iter().filter(|node| node.primary == "-" && node.id != source.id);
        let target = others.max_by_key(|node| host(node.port) != host(source.port));
        let target = target.context("no other primary")?;
        let (from, to) = (source.port, target.port);
        let line = format!(
            "reshard --from {} --to {} --slots 1 --pipeline 1 --timeout {timeout_ms} --yes {}",
            source.id,
            target.id,
            self.place.address(from)
        );
        // On the source's host: when the hosts are cut off, it waits for MIGRATE and nothing else.
        let mut command = self.place.tool_command(host(from), &line)?;
        let tool = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let moving = Moving { tool, line, from, to };
        until("some keys have gone", || Ok(self.count(to)? > 0))?;
        Ok(moving)
    }

    /// The slot must be half-way.
    fn half_way(&self, moving: &Moving) -> Result<()> {
        let (there, left) = (self.count(moving.to)?, self.count(moving.from)?);
        if there == 0 || left == 0 {
            bail!("{there} keys are at the target and {left} at the source: not half-way");
        }
        Ok(())
    }

    /// Waits for the tool's end; whether it is content.
    fn ends(&self, moving: &mut Moving) -> Result<bool> {
        let mut status = None;
        until("the tool ends", || {
            status = moving.tool.try_wait()?;
            Ok(status.is_some())
        })?;
        Ok(status.is_some_and(|status| status.success()))
    }

    fn check(&self) -> Result<(i32, String)> {
        self.place.tool(&format!("check {}", self.place.address(6379)))
    }

    /// The tools say that the slot is open, and mend it.
    fn mend(&self, line: &str, states: &[&str]) -> Result<()> {
        let (code, said) = self.check()?;
        ensure!(code == 1, "rc {code}: {said}");
        for state in states {
            let warning = format!("has slots in {state} state 0.");
            ensure!(said.contains(&warning), "no {warning:?} in: {said}");
        }
        let (code, said) = self.place.tool(line)?;
        let refused = "*** Please fix your cluster problems before resharding";
        ensure!(code == 1 && said.contains(refused), "reshard: rc {code}: {said}");
        let (_, said) = self.place.tool(&format!("fix {}", self.place.address(6379)))?;
        let fixed = until("it is in order", || Ok(self.check()?.0 == 0));
        fixed.with_context(|| format!("fix said: {said}"))?;
        self.every_key_once()
    }

    /// Every key is at the slot's owner, with its value, and nowhere else.
    fn every_key_once(&self) -> Result<()> {
        let owner = self.place.owner(6379, &self.tag)?.port;
        for node in self.place.nodes(6379)?.iter().filter(|node| node.primary == "-") {
            let wanted = if node.port == owner { KEYS } else { 0 };
            let found = self.count(node.port)?;
            ensure!(found == wanted, "{} has {found} keys of the slot, not {wanted}", node.port);
        }
        let get = format!("seq 1 {KEYS} | sed 's/^/get {{{}}}:/'", self.tag);
        let (_, said) = self.place.stage.sh(&format!("{get} | {}", self.place.cli(owner)))?;
        let right = said.lines().zip(1..).filter(|(line, n)| *line == n.to_string()).count();
        ensure!(right == KEYS, "{right} of {KEYS} values are right");
        self.place.replicated()
    }

    fn tool_killed(&mut self) -> Result<()> {
        let mut moving = self.begin(60_000)?;
        moving.tool.kill()?;
        moving.tool.wait()?;
        self.half_way(&moving)?;
        self.mend(&moving.line, &["migrating", "importing"])?;
        self.place.stage.fact("the tool is killed", "open, refused, mended");
        Ok(())
    }

    /// The tool and MIGRATE wait for longer than that.
    fn cut_short(&mut self) -> Result<()> {
        let mut moving = self.begin(60_000)?;
        self.place.cut(Duration::from_millis(500))?;
        ensure!(self.ends(&mut moving)?, "the tool ends with an error");
        until("it is in order", || Ok(self.check()?.0 == 0))?;
        ensure!(self.place.owner(6379, &self.tag)?.port == moving.to, "it has not moved");
        self.every_key_once()?;
        self.place.stage.fact("a short cut", "goes on by itself");
        Ok(())
    }

    fn cut_long(&mut self) -> Result<()> {
        let mut moving = self.begin(500)?;
        ensure!(host(moving.from) != host(moving.to), "both ends are on one host");
        self.place.cut(NODE_TIMEOUT / 2)?;
        ensure!(!self.ends(&mut moving)?, "MIGRATE has waited for longer than it was told");
        self.half_way(&moving)?;
        self.place.whole()?;
        self.mend(&moving.line, &["migrating", "importing"])?;
        self.place.stage.fact("a long cut", "open, refused, mended");
        Ok(())
    }

    /// Its replica takes over, without knowing that a slot is on its way.
    fn node_killed(&mut self, which: fn(&Moving) -> u16) -> Result<()> {
        let mut moving = self.begin(60_000)?;
        let killed = which(&moving);
        self.place.stage.end(killed)?;
        let content = self.ends(&mut moving)?;
        let left = if killed == 6379 { 6380 } else { 6379 };
        until("its replica takes over", || {
            let nodes = self.place.nodes(left)?;
            let dead = nodes.iter().find(|node| node.port == killed);
            Ok(dead.is_some_and(|node| node.size() == 0) && self.place.is_ok(left)?)
        })?;
        self.place.start(killed)?;
        self.place.whole()?;
        ensure!(!content, "the tool is content, though a node died");
        let is_source = killed == moving.from;
        self.mend(&moving.line, &[if is_source { "importing" } else { "migrating" }])?;
        let name = if is_source { "the source is killed" } else { "the target is killed" };
        self.place.stage.fact(name, "open, refused, mended");
        Ok(())
    }
}
