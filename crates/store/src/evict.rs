//! Making room: keys are removed by a policy before their time.
//!
//! No list orders keys by their use. A few keys are drawn at random, and the best candidates of
//! many draws are kept in a small pool, as Redis does it: the one that goes is nearly always among
//! the few percent that a perfect order would take first.

use crate::access::Stamp;
use crate::keyspace::{Keyspace, Place};
use crate::table::{EntryRef, Hash};

/// How many candidates are kept.
const POOL: usize = 16;
/// After how many draws the databases are weighed again.
const DRAWS: u32 = 64;
/// Draws that may find nothing before buckets are searched in order.
const TRIES: u32 = 4;
/// Buckets searched in order at a time.
const SWEEP: u32 = 256;

/// Which keys go first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// Those not used for the longest time.
    Idle,
    /// Those used least often.
    Seldom,
    /// Those that expire soonest.
    Soonest,
    /// Any.
    Random,
}

/// An eviction policy, and what it needs to know.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Which keys go first.
    pub order: Order,
    /// Only keys with an expiry may go.
    pub volatile: bool,
    /// How many keys are drawn for each that goes.
    pub samples: u32,
    /// The time, and what access bits mean.
    pub stamp: Stamp,
    /// `lfu-decay-time`.
    pub decay: u32,
}

impl Rule {
    /// How much an entry deserves to go: the larger, the sooner.
    fn score(&self, entry: EntryRef<'_>) -> u64 {
        match self.order {
            Order::Idle => u64::from(self.stamp.idle(entry.access())),
            Order::Seldom => 255 - u64::from(self.stamp.frequency(entry.access(), self.decay)),
            Order::Soonest => u64::MAX - entry.expires().unwrap_or(u64::MAX),
            Order::Random => 0,
        }
    }
}

/// What [`Keyspace::evict`] did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Evicted {
    /// Keys removed.
    pub keys: u32,
    /// Bytes of their entries and values.
    pub bytes: usize,
    /// There is nothing left that may go.
    pub exhausted: bool,
}

/// Candidates from the draws so far, and how to draw.
#[derive(Default)]
pub(crate) struct Pool {
    /// By score, the best last.
    candidates: Vec<Candidate>,
    /// What the scores mean.
    kind: Option<(Order, bool)>,
    /// Databases that hold keys that may go, with how many, and for how many draws that holds.
    weights: Vec<(u32, u64)>,
    total: u64,
    draws: u32,
    /// Where the search in order goes on.
    position: u64,
    /// Room for keys, to be used again.
    spare: Vec<Vec<u8>>,
}

/// A key that may go.
struct Candidate {
    score: u64,
    place: Place,
    hash: Hash,
    key: Vec<u8>,
}

impl Pool {
    fn offer(&mut self, score: u64, place: Place, hash: Hash, key: &[u8]) {
        if self.candidates.iter().any(|known| known.hash == hash && known.place == place) {
            return;
        }
        if self.candidates.len() == POOL {
            let worst = self.candidates.remove(0);
            self.spare.push(worst.key);
        }
        let mut owned = self.spare.pop().unwrap_or_default();
        owned.clear();
        owned.extend_from_slice(key);
        let at = self.candidates.partition_point(|known| known.score < score);
        self.candidates.insert(at, Candidate { score, place, hash, key: owned });
    }

    fn wants(&self, score: u64) -> bool {
        self.candidates.len() < POOL || self.candidates.first().is_some_and(|c| c.score < score)
    }

    fn recycle(&mut self, candidate: Candidate) {
        /// A long key's room is not kept.
        const LONGEST: usize = 1024;
        if self.spare.len() < POOL && candidate.key.capacity() <= LONGEST {
            self.spare.push(candidate.key);
        }
    }
}

impl Keyspace {
    /// Removes keys until `bytes` of entries and values are gone, or `most` keys; `gone` hears of
    /// each before the next is chosen.
    ///
    /// When the keys that may go are very thinly spread it may find none at once; it then goes on
    /// searching where it was, with the next call.
    pub fn evict(
        &mut self,
        rule: &Rule,
        bytes: usize,
        most: u32,
        mut gone: impl FnMut(Place, &[u8]),
    ) -> Evicted {
        let mut pool = std::mem::take(&mut self.pool);
        let kind = Some((rule.order, rule.volatile));
        if pool.kind != kind {
            pool.candidates.clear();
            pool.kind = kind;
            pool.draws = 0;
        }
        let mut done = Evicted::default();
        while done.bytes < bytes && done.keys < most {
            let Some(victim) = self.victim(rule, &mut pool) else {
                self.weigh(rule, &mut pool);
                done.exhausted = pool.total == 0;
                break;
            };
            let Candidate { place, hash, key, .. } = &victim;
            if let Some(mut edit) = self.edit_existing(*place, *hash, key) {
                done.bytes += edit.entry().map_or(0, EntryRef::footprint);
                edit.remove();
                done.keys += 1;
                gone(*place, key);
            }
            pool.recycle(victim);
        }
        self.pool = pool;
        done
    }

    /// The next key to go.
    fn victim(&mut self, rule: &Rule, pool: &mut Pool) -> Option<Candidate> {
        for _ in 0..TRIES {
            self.draw(rule, pool);
            while let Some(best) = pool.candidates.pop() {
                // It may be gone, or have been used since.
                let entry = self.get(best.place, best.hash, &best.key);
                let still = entry.is_some_and(|entry| {
                    (!rule.volatile || entry.expires().is_some()) && rule.score(entry) >= best.score
                });
                if still {
                    return Some(best);
                }
                pool.recycle(best);
            }
        }
        self.sweep(rule, pool);
        pool.candidates.pop()
    }

    /// Draws keys, and offers them to the pool.
    fn draw(&mut self, rule: &Rule, pool: &mut Pool) {
        let Some(db) = self.draw_database(rule, pool) else { return };
        let hasher = self.hasher();
        let mut left = if rule.order == Order::Random { 1 } else { rule.samples };
        while left > 0 {
            // Keys of one slot may belong together: not all are taken from one.
            let run = if self.is_slotted() { left.min(3) } else { left };
            left -= run;
            let seed = self.random.number();
            let Some((place, table)) = self.random_table(db, rule.volatile) else { return };
            let mut offer = |entry: EntryRef<'_>| {
                let score = rule.score(entry);
                if pool.wants(score) {
                    pool.offer(score, place, hasher.hash(entry.key()), entry.key());
                }
            };
            if rule.volatile {
                let mut random = crate::random::Random::new(seed);
                for _ in 0..run {
                    table.random_volatile(random.number()).map(&mut offer);
                }
            } else {
                table.sample(seed, run as usize, offer);
            }
        }
    }

    /// A database, drawn by how many keys that may go it has.
    fn draw_database(&mut self, rule: &Rule, pool: &mut Pool) -> Option<u32> {
        if pool.draws == 0 {
            self.weigh(rule, pool);
        }
        pool.draws = pool.draws.saturating_sub(1);
        let mut point = self.random.below(pool.total);
        for (db, keys) in &pool.weights {
            if point < *keys {
                return Some(*db);
            }
            point -= keys;
        }
        None
    }

    fn weigh(&mut self, rule: &Rule, pool: &mut Pool) {
        pool.weights.clear();
        pool.draws = DRAWS;
        for db in 0..self.databases() {
            let keys = if rule.volatile { self.count_volatile(db) } else { self.count(db) };
            if keys > 0 {
                pool.weights.push((db, keys));
            }
        }
        pool.total = pool.weights.iter().map(|(_, keys)| keys).sum();
    }

    /// Where draws hit nothing, because a table has become nearly empty: looks at bucket after
    /// bucket.
    fn sweep(&mut self, rule: &Rule, pool: &mut Pool) {
        self.weigh(rule, pool);
        if rule.volatile {
            return self.draw(rule, pool);
        }
        let hasher = self.hasher();
        let Some(db) = self.draw_database(rule, pool) else { return };
        let mut position = pool.position;
        let Some((place, table)) = self.random_table(db, false) else { return };
        for _ in 0..SWEEP {
            position = table.scan(position, |entry| {
                let score = rule.score(entry);
                pool.offer(score, place, hasher.hash(entry.key()), entry.key());
            });
            if !pool.candidates.is_empty() {
                break;
            }
        }
        pool.position = position;
    }
}
