//! The limit on memory: what counts, what makes room, and what is refused when nothing does.
//!
//! With a limit, a command that may need memory finds a gate closed, and the gate asks the
//! allocator. Where there is too much, keys go by the policy: a few for the command at hand, more
//! from what the turn may spend, and the rest at the ends of this turn and the next ones. A command
//! is refused only when nothing is left that may go.

mod doctor;
mod oom;
mod report;

use crate::execute::Turn;
use crate::node::Node;
use front::{Session, gate};
use machine::{Instant, Level, Now, Out, Span, Ticket};
use store::access::Stamp;
use store::evict::{Order, Rule};
use store::table::Table;
use wire::command::CommandId;

/// A command may evict so many keys in any case, or writes would outrun eviction.
const OWN_KEYS: u32 = 16;
/// Keys evicted in one unit of background work.
const KEYS_A_UNIT: u32 = 4;
/// The figure is the lower of two reports: after a third, both are younger than what they follow.
const REPORTS: u8 = 3;
/// Pairs of segments looked at before a key goes, at the end of a turn.
const PAIRS: u32 = 16;

/// What a node knows of its limit on memory.
#[derive(Default)]
pub(crate) struct Memory {
    /// `evicted_keys`.
    pub(crate) evicted: u64,
    /// `used_memory_startup`.
    startup: u64,
    /// Since when there has been too much, if there is, and for how long there was before that.
    exceeded: Option<Instant>,
    exceeded_before: Span,
    /// Keys that may still go in this turn, beyond each command's own.
    left: u32,
    /// When clients were last weighed.
    weighed: Instant,
    /// What the clients take that were closed in this turn and in the last one.
    leaving: [u64; 2],
    /// What a snapshot held that was dropped, and for how many more reports of the allocator that
    /// may be seen in its figure.
    settling: (u64, u8),
    /// Tables that another thread is freeing, with their bytes.
    freeing: Vec<(Ticket, u64)>,
    figures: report::Figures,
    oom: oom::Oom,
}

impl Memory {
    /// Starts counting anew, as CONFIG RESETSTAT does.
    pub(crate) fn reset(&mut self) {
        self.evicted = 0;
        self.exceeded_before = Span::default();
    }

    /// A snapshot was dropped that held so much. Other threads free part of it, and of what they do
    /// only the allocator's reports tell.
    pub(crate) fn settle(&mut self, held: u64) {
        self.settling = (held, REPORTS);
    }

    /// The allocator has reported.
    pub(crate) fn reported(&mut self) {
        self.settling.1 = self.settling.1.saturating_sub(1);
        if self.settling.1 == 0 {
            self.settling.0 = 0;
        }
    }

    /// A job has ended that may have freed tables.
    pub(crate) fn freed(&mut self, ticket: Ticket) {
        self.freeing.retain(|(job, _)| *job != ticket);
    }

    /// There is too much, or there is not any more.
    fn set_exceeded(&mut self, exceeded: bool, now: Now) {
        match (exceeded, self.exceeded) {
            (true, None) => self.exceeded = Some(now.mono),
            (false, Some(since)) => {
                self.exceeded_before.0 += now.mono.since(since).0;
                self.exceeded = None;
            }
            _ => {}
        }
    }

    /// `total_eviction_exceeded_time` and `current_eviction_exceeded_time`, in milliseconds.
    pub(crate) fn exceeded_millis(&self, now: Now) -> [u64; 2] {
        let current = self.exceeded.map_or(Span::default(), |since| now.mono.since(since));
        [(self.exceeded_before.0 + current.0) / 1_000_000, current.0 / 1_000_000]
    }
}

/// Whether there is room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Room {
    /// There is.
    Enough,
    /// There will be: more keys may go.
    Soon,
    /// There is not, and no key may go.
    Nowhere,
}

impl Node {
    /// What keys are marked with that are used now.
    #[inline]
    pub(crate) fn stamp(&self, now: Now) -> Stamp {
        Stamp::new(now.wall.millis(), self.config.memory.policy.order == Some(Order::Seldom))
    }

    /// Takes over changed settings about memory; says so when a changed limit is too low for what
    /// is in use.
    pub(crate) fn obey_memory(&mut self, changed: bool, out: &mut Out) {
        let memory = &self.config.memory;
        let counters = &mut self.data.counters;
        counters.frequency.log_factor = memory.lfu_factor;
        counters.frequency.decay = memory.lfu_decay;
        let by_use = matches!(memory.policy.order, Some(Order::Idle | Order::Seldom));
        counters.unshared = by_use && memory.limit > 0;
        self.data.memory.left = keys_a_turn(memory.tenacity);
        let (used, limit) = (self.used_memory(out), memory.limit);
        if changed && limit > 0 && self.excess(out) > 0 {
            out.log(
                Level::Warning,
                format_args!(
                    "WARNING: maxmemory is {limit} bytes, and {used} are in use: keys will be \
                     evicted, or writes refused, as maxmemory-policy says"
                ),
            );
        }
    }

    /// Notes what is in use before anything is loaded.
    pub(crate) fn start_memory(&mut self, out: &mut Out) {
        self.data.memory.startup = self.used_memory(out);
        self.obey_memory(true, out);
    }

    /// The gate that a limit closes.
    pub(crate) fn memory_gate(&self) -> u32 {
        let copying = self.replication.link.is_some() && self.config.memory.replica_ignores;
        let idle = self.config.memory.limit == 0 || self.persist.loading.is_some() || copying;
        if idle { 0 } else { gate::MEMORY }
    }

    /// What a command demands, once memory has been looked at: nothing of it where there is room.
    pub(crate) fn weigh_memory(
        &mut self,
        id: CommandId,
        demands: u32,
        session: &Session,
        turn: &mut Turn<'_>,
    ) -> u32 {
        use CommandId::{Discard, Exec, Quit, Reset};
        // A queue takes memory, whatever it holds.
        let queued = session.transaction.queue.is_some()
            && !matches!(id, Discard | Exec | Quit | Reset)
            && session.is_authenticated();
        if self.closed & gate::MEMORY == 0 || !(queued || demands & gate::MEMORY != 0) {
            return demands;
        }
        if self.has_room(turn.now, turn.out) {
            demands & !gate::MEMORY
        } else {
            demands | gate::MEMORY
        }
    }

    fn has_room(&mut self, now: Now, out: &mut Out) -> bool {
        let excess = self.excess(out);
        if excess == 0 {
            self.data.memory.set_exceeded(false, now);
            return true;
        }
        let left = std::mem::take(&mut self.data.memory.left);
        let (room, keys) = self.make_room(excess, OWN_KEYS.saturating_add(left), now, out);
        self.data.memory.left = left.saturating_sub(keys.saturating_sub(OWN_KEYS));
        room != Room::Nowhere
    }

    /// At a turn's end: makes room on account of whatever the turn brought, commands or not.
    pub(crate) fn keep_limit(&mut self, units: u32, now: Now, out: &mut Out) {
        let memory = &mut self.data.memory;
        let left = std::mem::replace(&mut memory.left, keys_a_turn(self.config.memory.tenacity));
        memory.leaving = [0, memory.leaving[0]];
        let excess = if self.closed & gate::MEMORY == 0 { 0 } else { self.excess(out) };
        if excess == 0 {
            return self.data.memory.set_exceeded(false, now);
        }
        // Where most keys are gone, buckets are what takes memory.
        let saved = self.data.keyspace.shrink(PAIRS.saturating_add(units)) as u64;
        let excess = excess.saturating_sub(saved);
        if excess == 0 {
            return;
        }
        let keys = left.saturating_add(units.saturating_mul(KEYS_A_UNIT));
        if self.make_room(excess, keys, now, out).0 == Room::Soon {
            out.more_work(25);
        }
    }

    /// Ten times a second: tables give buckets back that they do not need any more.
    pub(crate) fn shrink_tables(&mut self) {
        // A snapshot would have to take what is moved.
        if self.persist.export.is_none() {
            self.data.keyspace.shrink(4 * PAIRS);
        }
    }

    /// By how many bytes the limit is exceeded.
    fn excess(&self, out: &Out) -> u64 {
        let limit = self.config.memory.limit;
        match out.memory() {
            Some(used) if used <= limit => 0,
            Some(used) => used.saturating_sub(self.not_counted(out) + limit),
            None => self.data_memory().saturating_sub(limit),
        }
    }

    /// Bytes in use: what the allocator says or, where it does not tell, what the data takes.
    pub(crate) fn used_memory(&self, out: &Out) -> u64 {
        out.memory().unwrap_or_else(|| self.data_memory())
    }

    fn data_memory(&self) -> u64 {
        let tables = (0..self.data.keyspace.databases())
            .flat_map(|db| self.data.keyspace.tables(db))
            .map(|(_, table)| bytes_of(table));
        tables.sum()
    }

    /// Of what the allocator says, what evicting keys would not lessen, or what goes by itself: the
    /// stream that slow replicas need, what a snapshot holds, buffers kept for later replies, and
    /// what is being freed.
    fn not_counted(&self, out: &Out) -> u64 {
        let memory = &self.data.memory;
        let replication = &self.replication;
        let stream = replication.backlog.as_ref().map_or(0, |backlog| {
            let kept = backlog.footprint() as u64;
            // Part of it may have left the backlog for the connections of slow replicas.
            let queued = replication.replicas.iter().map(|(conn, _)| out.exclusive(conn) as u64);
            kept.saturating_sub(backlog.limit()) + queued.sum::<u64>()
        });
        let waiting = self.persist.export.as_ref().map_or(0, |export| export.waiting(out));
        let held = self.data.keyspace.held_for_snapshot() + waiting;
        let snapshot = held as u64 + memory.settling.0;
        let freeing: u64 = memory.freeing.iter().map(|(_, bytes)| bytes).sum();
        let leaving: u64 = memory.leaving.iter().sum();
        stream + snapshot + freeing + leaving + out.spare() as u64
    }

    /// Evicts clients, or up to `most` keys; how many.
    fn make_room(&mut self, excess: u64, most: u32, now: Now, out: &mut Out) -> (Room, u32) {
        // Nothing may change the data now.
        if self.clients.pause.is_on() {
            return (Room::Enough, 0);
        }
        // With many clients it takes long: it gets a small part of the time.
        let rest = Span::micros(self.sessions.len() as u64);
        if now.mono.since(self.data.memory.weighed) > rest {
            self.data.memory.weighed = now.mono;
            let closed = self.check_memory(out);
            self.data.memory.leaving[0] += closed;
            if closed > 0 {
                return (Room::Soon, 0);
            }
        }
        let Some(rule) = self.rule(now) else {
            self.data.memory.set_exceeded(true, now);
            return (Room::Nowhere, 0);
        };
        let streaming = self.replication.backlog.is_some();
        let mut gone = Vec::new();
        let evicted = self.data.keyspace.evict(&rule, excess as usize, most, |place, key| {
            if streaming {
                gone.push((place.db(), key.to_vec()));
            }
        });
        self.data.memory.evicted += u64::from(evicted.keys);
        let name: &[u8] = if self.config.memory.lazy_eviction { b"UNLINK" } else { b"DEL" };
        for (db, key) in gone {
            self.data.effects.command(0, &[name, &key]);
            self.commit(db, &[], &[]);
        }
        let room = match (evicted.bytes as u64 >= excess, evicted.exhausted) {
            (true, _) => Room::Enough,
            (false, true) if self.data.keyspace.shrink(PAIRS) == 0 => Room::Nowhere,
            (false, _) => Room::Soon,
        };
        self.data.memory.set_exceeded(room != Room::Enough, now);
        (room, evicted.keys)
    }

    fn rule(&self, now: Now) -> Option<Rule> {
        let memory = &self.config.memory;
        Some(Rule {
            order: memory.policy.order?,
            volatile: memory.policy.volatile,
            samples: memory.samples,
            stamp: self.stamp(now),
            decay: memory.lfu_decay,
        })
    }

    /// Has another thread free tables: with millions of entries that takes long.
    pub(crate) fn free(&mut self, discarded: Vec<Table>, out: &mut Out) {
        let bytes = discarded.iter().map(bytes_of).sum();
        let job = out.offload(Box::new(move || {
            drop(discarded);
            Box::new(())
        }));
        self.data.memory.freeing.push((job, bytes));
    }
}

fn bytes_of(table: &Table) -> u64 {
    (table.footprint() + table.overhead()) as u64
}

/// `maxmemory-eviction-tenacity` as keys evicted in a turn: Redis says it in microseconds, fifty a
/// step up to ten and 15 % more a step beyond, of which a key takes about two.
fn keys_a_turn(tenacity: u32) -> u32 {
    match tenacity {
        0..=10 => tenacity * 25,
        11..=99 => (250.0 * 1.15f64.powi(tenacity as i32 - 10)) as u32,
        _ => u32::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenacity_grows_and_ends_with_no_bound() {
        let keys: Vec<u32> = (0..=100).map(keys_a_turn).collect();
        assert!(keys.is_sorted());
        assert_eq!((keys[0], keys[10], keys[100]), (0, 250, u32::MAX));
        assert!((900..1100).contains(&keys[20]));
    }
}
