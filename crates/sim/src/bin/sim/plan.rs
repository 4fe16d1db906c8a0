//! What a seed draws: a deployment, and the faults it has to go through.

use crate::deployment::Shape;
use crate::server::Settings;
use machine::Span;
use sim::Chance;
use std::fmt;

/// See the module's documentation.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) shape: Shape,
    /// Faults come one at a time, each into a whole cluster, and are of those that must lose
    /// nothing.
    pub(crate) single: bool,
    pub(crate) faults: Vec<Fault>,
}

/// A fault, how long after the one before it begins, and how long it lasts.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) pause: Span,
    pub(crate) kind: Kind,
    pub(crate) target: Target,
    pub(crate) lasts: Span,
}

/// Whom it befalls, as things are when it begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    pub(crate) shard: usize,
    /// None: its primary.
    pub(crate) replica: Option<usize>,
}

/// What happens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// The process is killed, maybe in the middle of a turn, after so many more writes to streams;
    /// it starts again with or without its dump.
    Kill { dump: bool, writes: u64 },
    /// The process stands still.
    Pause,
    /// The data plane alone stands still.
    Stall,
    /// The host is cut off, with or without those of its shard, with or without a client.
    Cut { shard: bool, client: bool },
    /// Packets get lost in one direction.
    HalfOpen { inward: bool },
    /// Packets to and from it take far longer.
    Slow,
    /// Its streams with all others break.
    Reset,
    /// The machine loses power.
    Crash,
    /// The disk has no room.
    FullDisk,
    /// The disk takes its time.
    SlowDisk,
    /// The wall clock steps.
    Clock { forward: bool },
    /// An operator has a replica of the shard take over.
    Handover { force: bool },
}

impl Plan {
    /// What this seed stands for.
    pub(crate) fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed ^ 0x686f_6c64_6661_7374);
        let shape = shape(&mut chance);
        let single = shape.replicas > 0 && chance.one_in(3);
        let count = chance.between(2, if single { 5 } else { 12 });
        let faults = (0..count).map(|_| fault(&mut chance, &shape, single)).collect();
        Plan { seed, shape, single, faults }
    }
}

fn pick<T: Copy>(chance: &mut Chance, of: &[T]) -> T {
    of[chance.between(0, of.len() as u64) as usize]
}

fn shape(chance: &mut Chance) -> Shape {
    let settings = Settings {
        node_timeout: pick(chance, &[500, 1000, 2000, 5000]),
        save: pick(chance, &["", "2 1", "3600 1"]).into(),
        full_coverage: !chance.one_in(3),
        backlog: pick(chance, &[16 << 10, 1 << 20]),
    };
    // Most are small: a larger one costs by the square of its size.
    let primaries = if chance.one_in(6) { chance.between(4, 10) as usize } else { 3 };
    let replicas = match chance.between(0, 16) {
        0 => 0,
        1..=10 => 1,
        11..=14 => 2,
        _ => 3,
    };
    Shape {
        primaries,
        replicas,
        spare: if chance.one_in(4) { chance.between(1, primaries as u64) as usize } else { 0 },
        clients: 2,
        latency: pick(chance, &[Span::micros(200), Span::millis(2), Span::millis(20)]),
        mail: pick(chance, &[Span::micros(50), Span::millis(2), Span::millis(20)]),
        rest: pick(chance, &[Span::millis(10), Span::millis(50)]),
        settings,
    }
}

fn fault(chance: &mut Chance, shape: &Shape, single: bool) -> Fault {
    let flip = |chance: &mut Chance| chance.one_in(2);
    let timeout = shape.settings.node_timeout;
    let kind = match chance.between(0, if single { 5 } else { 19 }) {
        4 if single => Kind::Handover { force: false },
        15 | 16 => Kind::Handover { force: flip(chance) },
        0 | 1 => Kind::Kill { dump: flip(chance), writes: chance.between(0, 12) },
        2 => Kind::Pause,
        3 => Kind::Stall,
        4..=7 => Kind::Cut { shard: chance.one_in(3), client: flip(chance) },
        8 | 9 => Kind::HalfOpen { inward: flip(chance) },
        10 => Kind::Reset,
        11 | 12 => Kind::Crash,
        13 => Kind::FullDisk,
        17 => Kind::Slow,
        18 => Kind::SlowDisk,
        _ => Kind::Clock { forward: flip(chance) },
    };
    let replica = (!single || chance.one_in(4)) && chance.one_in(3);
    let most = shape.replicas as u64 + u64::from(shape.spare > 0);
    let replica = replica.then(|| chance.between(0, most.max(1)) as usize);
    // A supervisor starts a killed process again after a while.
    let lasts = match kind {
        Kind::Kill { .. } => pick(chance, &[50, 100, 300, 1000, 5000]),
        _ => chance.between(timeout / 10, timeout * 4),
    };
    let pause = if single { 500 } else { 3 * timeout };
    Fault {
        pause: Span::millis(chance.between(50, pause)),
        kind,
        target: Target { shard: chance.between(0, shape.primaries as u64) as usize, replica },
        lasts: Span::millis(lasts),
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (shape, settings) = (&self.shape, &self.shape.settings);
        writeln!(
            f,
            "{} primaries with {} replicas each and {} more, node-timeout {} ms, save '{}', full \
             coverage {}, backlog {} KiB,\nlinks up to {} us, mail up to {} us, {} clients resting \
             up to {} ms",
            shape.primaries,
            shape.replicas,
            shape.spare,
            settings.node_timeout,
            settings.save,
            settings.full_coverage,
            settings.backlog >> 10,
            shape.latency.as_micros(),
            shape.mail.as_micros(),
            shape.clients,
            shape.rest.as_millis()
        )?;
        if self.single {
            writeln!(f, "single faults, each into a whole cluster:")?;
        }
        self.faults.iter().try_for_each(|fault| writeln!(f, "  {fault}"))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            Kind::Kill { dump: true, .. } => "kill -9, restart with the dump",
            Kind::Kill { dump: false, .. } => "kill -9, restart without a dump",
            Kind::Pause => "stop",
            Kind::Stall => "stall the data plane of",
            Kind::Cut { shard: true, client: true } => "cut off with its shard and a client",
            Kind::Cut { shard: true, client: false } => "cut off with its shard",
            Kind::Cut { shard: false, client: true } => "cut off with a client",
            Kind::Cut { shard: false, client: false } => "cut off alone",
            Kind::HalfOpen { inward: true } => "lose all packets to",
            Kind::HalfOpen { inward: false } => "lose all packets from",
            Kind::Slow => "slow the links of",
            Kind::Reset => "reset the streams of",
            Kind::Crash => "crash the machine of",
            Kind::FullDisk => "fill the disk of",
            Kind::SlowDisk => "slow the disk of",
            Kind::Handover { force: true } => "have a replica take over, without asking",
            Kind::Handover { force: false } => "have a replica take over from",
            Kind::Clock { forward: true } => "step the clock forward at",
            Kind::Clock { forward: false } => "step the clock back at",
        };
        let whom = match self.target.replica {
            None => String::from("the primary"),
            Some(n) => format!("replica {n}"),
        };
        let (pause, lasts) = (self.pause.as_millis(), self.lasts.as_millis());
        write!(f, "after {pause} ms: {what} {whom} of shard {}, {lasts} ms", self.target.shard)?;
        match self.kind {
            Kind::Kill { writes, .. } if writes > 0 => write!(f, ", in its turn's write {writes}"),
            _ => Ok(()),
        }
    }
}
