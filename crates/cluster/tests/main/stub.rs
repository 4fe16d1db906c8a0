//! A data plane without data: it answers the control plane and remembers what it was told.

use cluster::mail::{Held, ToCluster, ToNode};
use cluster::topology::{Lease, Topology};
use machine::{Address, Event, Instant, Machine, Now, Out, Span};
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

/// What can be seen of a stub, and what it shall ask for.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) topology: Option<Arc<Topology>>,
    pub(crate) lease: Lease,
    pub(crate) replies: Vec<String>,
    pub(crate) commands: VecDeque<Vec<String>>,
    pub(crate) promotions: usize,
    pub(crate) freezes: usize,
    pub(crate) following: Option<String>,
    pub(crate) offset: u64,
    /// How many keys it says it holds in the slot that is asked about.
    pub(crate) keys: u64,
    /// Its life began; nothing of the last one counts.
    pub(crate) lives: usize,
}

impl Seen {
    /// Whether a write to `slot` would run at this time.
    pub(crate) fn writes(&self, slot: u16, at: u64) -> bool {
        self.topology.as_ref().is_some_and(|t| t.is_mine(slot) && t.me().primary.is_none())
            && self.lease.allows(Instant(at))
    }
}

/// The end of each primary's stream, by its name: what its replicas have, as soon as it is written.
pub(crate) type Streams = Rc<RefCell<BTreeMap<String, u64>>>;

pub(crate) struct Stub {
    seen: Rc<RefCell<Seen>>,
    streams: Streams,
    cluster: Address,
    next: Instant,
    frozen: bool,
}

const TICK: Span = Span::millis(50);

impl Stub {
    pub(crate) fn new(seen: Rc<RefCell<Seen>>, streams: Streams, cluster: Address) -> Self {
        {
            let mut seen = seen.borrow_mut();
            let offset = seen.offset;
            let lives = seen.lives + 1;
            *seen = Seen { offset, lives, ..Seen::default() };
        }
        Stub { seen, streams, cluster, next: Instant(0), frozen: false }
    }

    fn tick(&mut self, now: Now, out: &mut Out) {
        self.next = now.mono + TICK;
        let mut seen = self.seen.borrow_mut();
        if !self.frozen {
            self.move_on(now, &mut seen);
        }
        let offset = seen.offset;
        let empty = offset == 0;
        let state = ToCluster::State { offset, linked: true, data_age_ms: Some(0), empty };
        out.mail(self.cluster, Box::new(state));
        while let Some(words) = seen.commands.pop_front() {
            let words = words.into_iter().map(String::into_bytes).collect();
            let held = Held { nothing: true, in_slot: seen.keys };
            let letter = ToCluster::Command { number: 1, words, held };
            out.mail(self.cluster, Box::new(letter));
        }
    }

    /// A primary writes while it may; a replica has what its primary has written.
    fn move_on(&self, now: Now, seen: &mut Seen) {
        let mut streams = self.streams.borrow_mut();
        if let Some(primary) = &seen.following {
            seen.offset = streams.get(primary).copied().unwrap_or(seen.offset);
        } else if let Some(topology) = &seen.topology
            && seen.lease.allows(now.mono)
        {
            seen.offset += 10;
            streams.insert(topology.me().id.to_string(), seen.offset);
        }
    }

    fn told(&mut self, from: Address, letter: ToNode, out: &mut Out) {
        let mut seen = self.seen.borrow_mut();
        match letter {
            ToNode::Topology(topology) => {
                let generation = topology.generation;
                seen.topology = Some(topology);
                out.mail(from, Box::new(ToCluster::Applied { generation }));
            }
            ToNode::Lease(lease) => seen.lease = lease,
            ToNode::Freeze { epoch, .. } => {
                self.frozen = true;
                seen.freezes += 1;
                let offset = seen.offset;
                let letter = ToCluster::Frozen { epoch, offset, data_age_ms: Some(0) };
                out.mail(from, Box::new(letter));
            }
            ToNode::Thaw => self.frozen = false,
            ToNode::Follow { id, .. } => {
                self.frozen = false;
                seen.following = Some(id.to_string());
            }
            ToNode::Promote | ToNode::Leave => {
                self.frozen = false;
                seen.following = None;
                seen.promotions += 1;
            }
            ToNode::PauseWrites => {
                let letter = ToCluster::PausedAt { offset: seen.offset };
                out.mail(from, Box::new(letter));
            }
            ToNode::ResumeWrites | ToNode::Tell => {}
            ToNode::Reply { reply, .. } => {
                seen.replies.push(String::from_utf8_lossy(&reply).into_owned());
            }
        }
    }
}

impl Machine for Stub {
    fn handle(&mut self, now: Now, event: Event<'_>, out: &mut Out) {
        match event {
            Event::Started => self.next = now.mono + TICK,
            Event::Wake => self.tick(now, out),
            Event::Mail { from, letter } => {
                if let Ok(letter) = letter.downcast::<ToNode>() {
                    self.told(from, *letter, out);
                }
            }
            _ => {}
        }
    }

    fn deadline(&self) -> Option<Instant> {
        Some(self.next)
    }
}
