//! The rows: what happens to a cluster, and how long a slot may go unserved.

use super::super::member::{Kind, Programs};
use super::super::talk::until;
use super::cluster::{Cluster, NODE_TIMEOUT};
use super::load::{Figures, Load};
use super::replace;
use anyhow::{Result, ensure};
use rustix::process::Signal;

/// See the module's documentation.
pub(super) struct Row {
    /// `THEIRS` stands for the other make.
    title: &'static str,
    theirs: Kind,
    /// A slot may be unserved for so many seconds.
    pub(super) within: f64,
    /// So many acknowledged writes may be lost.
    may_lose: u64,
    run: fn(&Programs, Kind) -> Result<Figures>,
}

/// What a process that is gone may take, with another of our nodes to confirm it.
const AT_ONCE: f64 = 1.0;
/// What silence takes: until it is noticed, until the election, and room for a busy machine.
const SILENCE: f64 = NODE_TIMEOUT as f64 / 1000.0 + 3.0;
/// What clients wait while a role is handed over.
const HANDOVER: f64 = 1.0;
/// What they wait for a key that is on its way.
const MOVE: f64 = 1.0;

/// Other makes answer their clients before they feed their replicas: with the process the last
/// write of each client of the check may be gone.
const LAST_WORDS: u64 = 4;
/// And when they go on after a while, they take writes until they hear that they were replaced.
const BEFORE_IT_HEARS: u64 = 50;

/// All rows with this other make.
pub(super) fn of(theirs: Kind) -> Vec<Row> {
    let row = |title: &'static str, within, run| {
        let may_lose = match title {
            _ if title.starts_with("ours replaces a killed") => LAST_WORDS,
            "ours replaces a hung THEIRS" => BEFORE_IT_HEARS,
            _ => 0,
        };
        Row { title, theirs, within, may_lose, run }
    };
    vec![
        row("ours replaces a killed THEIRS", AT_ONCE, |programs, theirs| {
            replaced(programs, [theirs, Kind::Holdfast, theirs], Kind::Holdfast, Signal::KILL)
        }),
        row("ours replaces a killed THEIRS, all others THEIRS", SILENCE, |programs, theirs| {
            replaced(programs, [theirs; 3], Kind::Holdfast, Signal::KILL)
        }),
        row("ours replaces a hung THEIRS", SILENCE, |programs, theirs| {
            replaced(programs, [theirs, Kind::Holdfast, theirs], Kind::Holdfast, Signal::STOP)
        }),
        row("THEIRS replaces a killed one of ours", SILENCE, |programs, theirs| {
            replaced(programs, [Kind::Holdfast, theirs, Kind::Holdfast], theirs, Signal::KILL)
        }),
        row("THEIRS replaces the only one of ours, killed", SILENCE, |programs, theirs| {
            replaced(programs, [Kind::Holdfast, theirs, theirs], theirs, Signal::KILL)
        }),
        row("THEIRS replaces a hung one of ours", SILENCE, |programs, theirs| {
            replaced(programs, [Kind::Holdfast, theirs, Kind::Holdfast], theirs, Signal::STOP)
        }),
        row("THEIRS hands over to ours", HANDOVER, |programs, theirs| {
            handed_over(programs, [theirs, Kind::Holdfast, theirs], Kind::Holdfast)
        }),
        row("ours hands over to THEIRS", HANDOVER, |programs, theirs| {
            handed_over(programs, [Kind::Holdfast, theirs, Kind::Holdfast], theirs)
        }),
        row("slots go from THEIRS to ours", MOVE, |programs, theirs| {
            moved(programs, [theirs, Kind::Holdfast, theirs])
        }),
        row("slots go from ours to THEIRS", MOVE, |programs, theirs| {
            moved(programs, [Kind::Holdfast, theirs, Kind::Holdfast])
        }),
        row("a cluster of THEIRS becomes ours", HANDOVER, |programs, theirs| {
            replace::play(programs, theirs, Kind::Holdfast)
        }),
        row("a cluster of ours becomes THEIRS", HANDOVER, |programs, theirs| {
            replace::play(programs, Kind::Holdfast, theirs)
        }),
    ]
}

impl Row {
    /// One of our nodes alone, of which nothing may be lost.
    pub(super) fn of_ours(
        title: &'static str,
        within: f64,
        run: fn(&Programs, Kind) -> Result<Figures>,
    ) -> Self {
        Row { title, theirs: Kind::Holdfast, within, may_lose: 0, run }
    }

    /// What the table calls it.
    pub(super) fn name(&self) -> String {
        self.title.replace("THEIRS", self.theirs.name())
    }

    /// Plays it.
    pub(super) fn play(&self, programs: &Programs) -> Result<Figures> {
        (self.run)(programs, self.theirs)
    }

    /// Whether the figures are what they must be.
    pub(super) fn judge(&self, figures: &Figures) -> Result<()> {
        let lost = figures.lost;
        ensure!(lost <= self.may_lose, "{lost} acknowledged writes are lost");
        ensure!(figures.gap <= self.within, "slots went unserved for {} s", figures.gap);
        Ok(())
    }
}

/// Three primaries, and a replica of the first one.
fn start(programs: &Programs, primaries: [Kind; 3], replica: Kind) -> Result<Cluster> {
    Cluster::start(programs, &primaries, &[(replica, 0)])
}

/// The nodes of [`start`].
const PRIMARY: usize = 0;
const REPLICA: usize = 3;

/// The load, once it writes everywhere and its writes reach the replicas.
pub(super) fn load(cluster: &Cluster) -> Result<Load> {
    let ports: Vec<u16> = cluster.nodes.iter().map(|node| node.member.port).collect();
    let load = Load::start(&cluster.programs, &ports)?;
    until("the check writes", || {
        let mut keys = 0;
        for node in 0..cluster.shards {
            keys += cluster.ask(node, "DBSIZE")?.parse::<u32>().unwrap_or(0);
        }
        Ok((keys >= 900).then_some(()))
    })?;
    cluster.streaming()?;
    Ok(load)
}

/// The first primary is killed, or stopped until it has been replaced. It comes back as a replica.
fn replaced(
    programs: &Programs,
    primaries: [Kind; 3],
    replica: Kind,
    signal: Signal,
) -> Result<Figures> {
    let mut cluster = start(programs, primaries, replica)?;
    let load = load(&cluster)?;
    cluster.nodes[PRIMARY].member.signal(signal)?;
    cluster.promoted(REPLICA)?;
    if signal == Signal::KILL {
        cluster.nodes[PRIMARY].member.kill()?;
        cluster.again(PRIMARY)?;
    } else {
        cluster.nodes[PRIMARY].member.signal(Signal::CONT)?;
    }
    cluster.settle()?;
    let figures = load.end()?;
    let role = cluster.role(PRIMARY)?;
    ensure!(role == "slave", "the old primary is not a replica: {role}");
    cluster.compare()?;
    cluster.check()?;
    Ok(figures)
}

/// The replica asks its primary for its place.
fn handed_over(programs: &Programs, primaries: [Kind; 3], replica: Kind) -> Result<Figures> {
    let cluster = start(programs, primaries, replica)?;
    let load = load(&cluster)?;
    cluster.must(REPLICA, "CLUSTER FAILOVER")?;
    cluster.promoted(REPLICA)?;
    cluster.settle()?;
    let figures = load.end()?;
    cluster.compare()?;
    cluster.check()?;
    Ok(figures)
}

/// Some slots of the first primary go to the second one.
fn moved(programs: &Programs, primaries: [Kind; 3]) -> Result<Figures> {
    let cluster = Cluster::start(programs, &primaries, &[(primaries[1], 0), (primaries[0], 1)])?;
    let load = load(&cluster)?;
    let (from, to) = (&cluster.nodes[0].id, &cluster.nodes[1].id);
    let words =
        ["--cluster-from", from, "--cluster-to", to, "--cluster-slots", "400", "--cluster-yes"];
    cluster.tool(0, "reshard", &words)?;
    cluster.settle()?;
    let figures = load.end()?;
    cluster.compare()?;
    cluster.check()?;
    Ok(figures)
}
