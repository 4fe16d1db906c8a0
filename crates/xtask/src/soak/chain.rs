//! A primary, a replica of it and a replica of that one, and what happens to them while a client
//! writes: cuts, restarts, a promotion, a handover.

use super::alike;
use super::member::{BACKLOG, Kind, Member, Programs};
use super::talk::{Talk, until};
use super::writer::Writer;
use crate::relay::Relay;
use anyhow::{Context, Result, bail};

/// Full and partial syncs that a server gave.
type Syncs = [u64; 2];

/// Something that happens, and what syncs it must cost.
struct Step {
    name: &'static str,
    /// Given by the first server, and by the second.
    syncs: [Syncs; 2],
    /// The second may give full syncs instead, unless it is ours.
    lenient: bool,
    /// The first server needs a snapshot of the second.
    feeds: bool,
    /// Which servers are started again, and count from zero.
    anew: [bool; 2],
    run: fn(&mut Chain) -> Result<()>,
}

const NONE: Syncs = [0, 0];
const FULL: Syncs = [1, 0];
const PARTIAL: Syncs = [0, 1];
const TWICE: Syncs = [0, 2];
const BOTH: Syncs = [1, 1];

const STEPS: &[Step] = &[
    Step::new("join", [FULL, FULL], Chain::join),
    Step::new("cut upper", [PARTIAL, NONE], |chain| chain.cut(&[Place::Upper])),
    Step::new("cut lower", [NONE, PARTIAL], |chain| chain.cut(&[Place::Lower])),
    Step::new("cut both", [PARTIAL, PARTIAL], |chain| chain.cut(&[Place::Upper, Place::Lower])),
    Step::new("outgrown", [FULL, FULL], Chain::outgrow),
    // Who saves and ends under load may have got more than it has passed on.
    Step {
        lenient: true,
        anew: [false, true],
        ..Step::new("middle again", [PARTIAL, PARTIAL], Chain::restart_middle)
    },
    Step {
        anew: [true, false],
        ..Step::new("primary again", [PARTIAL, PARTIAL], Chain::restart_top)
    },
    Step::new("promotion", [NONE, TWICE], Chain::promote),
    Step::new("FAILOVER", [PARTIAL, PARTIAL], Chain::hand_over),
    Step { feeds: true, ..Step::new("split", [NONE, BOTH], Chain::split) },
];

impl Step {
    const fn new(name: &'static str, syncs: [Syncs; 2], run: fn(&mut Chain) -> Result<()>) -> Self {
        Self { name, syncs, lenient: false, feeds: false, anew: [false; 2], run }
    }

    fn allows(&self, got: [Syncs; 2], middle: Kind) -> bool {
        let lenient = self.lenient && middle != Kind::Holdfast;
        got == self.syncs || lenient && got[0] == self.syncs[0] && sum(got[1]) == sum(self.syncs[1])
    }
}

fn sum(syncs: Syncs) -> u64 {
    syncs.iter().sum()
}

/// The columns of the table.
pub(super) fn names() -> Vec<String> {
    STEPS.iter().map(|step| step.name.to_string()).chain([String::from("keys")]).collect()
}

/// What the columns must show.
pub(super) fn expectations() -> Vec<String> {
    STEPS.iter().map(|step| show(step.syncs)).chain([String::from("equal")]).collect()
}

/// Full and partial syncs by the first server, then by the second.
fn show(syncs: [Syncs; 2]) -> String {
    let [[a, b], [c, d]] = syncs;
    format!("{a}+{b} {c}+{d}")
}

/// A link of the chain.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Upper,
    Lower,
}

/// See the module's documentation.
struct Chain {
    programs: Programs,
    top: Member,
    middle: Member,
    leaf: Member,
    upper: Relay,
    lower: Relay,
    writer: Writer,
    /// How many keys were compared last.
    keys: usize,
}

/// Plays a chain of these kinds. Its cells of the table, and what was wrong.
pub(super) fn play(programs: &Programs, kinds: [Kind; 3]) -> (Vec<String>, Vec<String>) {
    let (mut cells, mut faults) = (Vec::new(), Vec::new());
    let mut chain = match Chain::new(programs, kinds) {
        Ok(chain) => chain,
        Err(error) => return (cells, vec![format!("{error:#}")]),
    };
    for step in STEPS {
        if step.feeds && kinds[1].cannot_feed(kinds[0]).is_some() {
            cells.push(String::from("-"));
            continue;
        }
        match chain.step(step) {
            Ok(got) if step.allows(got, chain.middle.kind) => cells.push(show(got)),
            Ok(got) => {
                cells.push(format!("{} !", show(got)));
                let wanted = show(step.syncs);
                faults.push(format!("{}: {} instead of {wanted}", step.name, show(got)));
            }
            Err(error) => {
                cells.push(String::from("!"));
                faults.push(format!("{}: {error:#}", step.name));
                return (cells, faults);
            }
        }
    }
    cells.push(chain.keys.to_string());
    for member in [&chain.top, &chain.middle, &chain.leaf] {
        let log = member.log();
        let complaint = log.lines().find(|line| line.contains("CRITICAL"));
        faults.extend(complaint.map(|line| format!("{}: {line}", member.kind.name())));
    }
    (cells, faults)
}

impl Chain {
    fn new(programs: &Programs, kinds: [Kind; 3]) -> Result<Self> {
        let start = |kind| Member::start(programs, kind);
        let [top, middle, leaf] = kinds.map(start);
        let (top, middle, leaf) = (top?, middle?, leaf?);
        let (upper, lower) = (Relay::to(top.port)?, Relay::to(middle.port)?);
        let writer = Writer::start();
        let programs = programs.clone();
        let chain = Self { programs, top, middle, leaf, upper, lower, writer, keys: 0 };
        chain.aim(&chain.top);
        Ok(chain)
    }

    /// Lets the writer write to this member.
    fn aim(&self, head: &Member) {
        let members = [&self.top, &self.middle, &self.leaf];
        let old = members.iter().any(|member| member.kind == Kind::Redis);
        self.writer.aim(head.port, head.kind == Kind::Valkey && !old);
    }

    /// Does a step under load, waits until all are linked again, and compares the data.
    fn step(&mut self, step: &Step) -> Result<[Syncs; 2]> {
        let mut before = self.syncs()?;
        self.writer.go_on()?;
        (step.run)(self)?;
        for (counts, anew) in before.iter_mut().zip(step.anew) {
            if anew {
                *counts = NONE;
            }
        }
        let since = |chain: &Self| -> Result<[Syncs; 2]> {
            let now = chain.syncs()?;
            Ok([0, 1].map(|i| [0, 1].map(|j| now[i][j].saturating_sub(before[i][j]))))
        };
        let linked = until("all are linked again", || {
            let got = since(self)?;
            let enough = [0, 1].into_iter().all(|i| sum(got[i]) >= sum(step.syncs[i]));
            Ok((enough && self.are_linked()?).then_some(()))
        });
        linked.with_context(|| format!("syncs {}", since(self).map(show).unwrap_or_default()))?;
        self.writer.go_on()?;
        self.compare()?;
        // What comes later than it should is counted all the same.
        since(self)
    }

    fn compare(&mut self) -> Result<()> {
        let head = self.head()?.port;
        self.writer.rest();
        let members = [&self.top, &self.middle, &self.leaf];
        let replicas: Vec<u16> =
            members.iter().map(|member| member.port).filter(|port| *port != head).collect();
        self.keys = alike::check(head, &replicas)?;
        self.aim(self.head()?);
        Ok(())
    }

    /// Who is the primary.
    fn head(&self) -> Result<&Member> {
        for member in [&self.top, &self.middle] {
            if member.talk()?.info("role")? == "master" {
                return Ok(member);
            }
        }
        bail!("nobody is the primary")
    }

    fn syncs(&self) -> Result<[Syncs; 2]> {
        let count = |member: &Member| -> Result<Syncs> {
            let mut talk = member.talk()?;
            Ok([talk.info("sync_full")?.parse()?, talk.info("sync_partial_ok")?.parse()?])
        };
        Ok([count(&self.top)?, count(&self.middle)?])
    }

    fn are_linked(&self) -> Result<bool> {
        for member in [&self.top, &self.middle, &self.leaf] {
            let mut talk = member.talk()?;
            if talk.info("role")? != "master" && talk.info("master_link_status")? != "up" {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn join(&mut self) -> Result<()> {
        follow(&self.middle, self.upper.port)?;
        until("the middle is linked", || {
            let state = self.middle.talk()?.info("master_link_status")?;
            Ok((state == "up").then_some(()))
        })?;
        follow(&self.leaf, self.lower.port)
    }

    /// Cuts the upper link for longer than the backlog lasts.
    fn outgrow(&mut self) -> Result<()> {
        expect(&self.top, "CONFIG SET repl-backlog-size 16384", "OK")?;
        self.cut(&[Place::Upper])?;
        expect(&self.top, &format!("CONFIG SET repl-backlog-size {BACKLOG}"), "OK")
    }

    /// Cuts links, and mends them after a while.
    fn cut(&mut self, places: &[Place]) -> Result<()> {
        let ends =
            [(Place::Upper, &self.upper, &self.middle), (Place::Lower, &self.lower, &self.leaf)];
        let cut: Vec<_> = ends.iter().filter(|(place, ..)| places.contains(place)).collect();
        cut.iter().for_each(|(_, relay, _)| relay.cut());
        for (_, _, replica) in &cut {
            until("the link is down", || {
                let state = replica.talk()?.info("master_link_status")?;
                Ok((state == "down").then_some(()))
            })?;
        }
        // Much more than the smallest backlog holds.
        (0..5).try_for_each(|_| self.writer.go_on())?;
        cut.iter().for_each(|(_, relay, _)| relay.mend());
        Ok(())
    }

    fn restart_middle(&mut self) -> Result<()> {
        self.middle.shut_down()?;
        self.writer.go_on()?;
        let port = self.upper.port.to_string();
        self.middle.again(&self.programs, &["--replicaof", "127.0.0.1", &port])?;
        self.lower.aim(self.middle.port);
        Ok(())
    }

    fn restart_top(&mut self) -> Result<()> {
        self.top.shut_down()?;
        self.top.again(&self.programs, &[])?;
        self.upper.aim(self.top.port);
        self.aim(&self.top);
        self.writer.go_on()
    }

    /// While nobody writes: a primary with writes that the middle has not got could not go on in
    /// its history.
    fn promote(&mut self) -> Result<()> {
        self.writer.rest();
        alike::check(self.top.port, &[self.middle.port, self.leaf.port])?;
        expect(&self.middle, "REPLICAOF NO ONE", "OK")?;
        self.aim(&self.middle);
        self.writer.go_on()?;
        follow(&self.top, self.lower.port)
    }

    /// The middle, which is the primary, hands its role back; WAIT then counts it.
    fn hand_over(&mut self) -> Result<()> {
        let words = format!("FAILOVER TO 127.0.0.1 {} TIMEOUT 20000", self.top.port);
        expect(&self.middle, &words, "OK")?;
        until("the role is handed over", || {
            let over = self.middle.talk()?.info("master_failover_state")? == "no-failover";
            Ok(over.then_some(()))
        })?;
        self.aim(&self.top);
        let mut talk: Talk = self.top.talk()?;
        let written = talk.ask("SET waited 1")?;
        let have = talk.ask("WAIT 1 20000")?;
        if (written.as_str(), have.as_str()) != ("OK", "1") {
            bail!("SET: {written}, WAIT: {have}");
        }
        Ok(())
    }

    /// The middle is promoted while the client still writes to its primary, whose last writes are
    /// then in nobody's history.
    fn split(&mut self) -> Result<()> {
        expect(&self.middle, "REPLICAOF NO ONE", "OK")?;
        self.writer.go_on()?;
        self.aim(&self.middle);
        self.writer.go_on()?;
        follow(&self.top, self.lower.port)
    }
}

fn follow(replica: &Member, port: u16) -> Result<()> {
    expect(replica, &format!("REPLICAOF 127.0.0.1 {port}"), "OK")
}

fn expect(member: &Member, line: &str, reply: &str) -> Result<()> {
    let got = member.talk()?.ask(line)?;
    if got != reply {
        bail!("{} at {line}: {got}", member.kind.name());
    }
    Ok(())
}
