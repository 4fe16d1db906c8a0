//! A session's transaction: what it has queued since MULTI, and the keys it watches.

use std::sync::Arc;
use wire::command::Command;

/// Requests kept for later, in bytes of their own.
///
/// Small arguments share one buffer; those that arrived in allocations of their own stay there.
#[derive(Default)]
pub struct Requests {
    bytes: Vec<u8>,
    /// Where in `bytes` each argument ends.
    ends: Vec<usize>,
    kept: Vec<Kept>,
    /// Bytes of arguments outside `bytes`.
    apart: usize,
}

struct Kept {
    row: &'static Command,
    /// Its first argument among `ends`, and how many there are.
    first: usize,
    count: usize,
    bodies: Vec<Arc<[u8]>>,
}

/// A kept request: its row, its arguments, and the latter as shared bytes if they came that way.
type Borrowed<'r> = (&'static Command, Vec<&'r [u8]>, &'r [Arc<[u8]>]);

impl Requests {
    /// Keeps a request. `bodies` are its arguments as shared bytes, if they came that way.
    pub fn push(&mut self, row: &'static Command, args: &[&[u8]], bodies: &[Arc<[u8]>]) {
        let first = self.ends.len();
        let mut count = 0;
        if bodies.is_empty() {
            count = args.len();
            for arg in args {
                self.bytes.extend_from_slice(arg);
                self.ends.push(self.bytes.len());
            }
        } else {
            self.apart += bodies.iter().map(|body| body.len()).sum::<usize>();
        }
        self.kept.push(Kept { row, first, count, bodies: bodies.to_vec() });
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// One of them.
    pub fn get(&self, index: usize) -> Borrowed<'_> {
        let kept = &self.kept[index];
        if !kept.bodies.is_empty() {
            let args = kept.bodies.iter().map(|body| &body[..]).collect();
            return (kept.row, args, &kept.bodies);
        }
        let mut start = kept.first.checked_sub(1).map_or(0, |before| self.ends[before]);
        let args = self.ends[kept.first..kept.first + kept.count].iter().map(|end| {
            let arg = &self.bytes[start..*end];
            start = *end;
            arg
        });
        (kept.row, args.collect(), &[])
    }

    /// Bytes of all arguments.
    pub fn bytes(&self) -> usize {
        self.bytes.len() + self.apart
    }

    /// Memory they take.
    pub fn footprint(&self) -> usize {
        self.bytes.capacity()
            + self.ends.capacity() * size_of::<usize>()
            + self.kept.capacity() * size_of::<Kept>()
            + self.apart
    }
}

/// What was said since MULTI.
#[derive(Default)]
pub struct Queue {
    /// The queued requests.
    pub requests: Requests,
    /// What they demand together (see [`crate::gate`]).
    pub demands: u32,
    /// One was refused: EXEC will run none.
    pub aborted: bool,
}

/// A key that a session watches.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Watching {
    /// Database.
    pub db: u32,
    /// Key.
    pub key: Box<[u8]>,
    /// How often it had been touched.
    pub touched: u64,
    /// It was there, and had not expired.
    pub live: bool,
}

/// A session's transaction.
#[derive(Default)]
pub struct Transaction {
    /// Between MULTI and EXEC.
    pub queue: Option<Box<Queue>>,
    /// Keys on which the next EXEC depends.
    pub watched: Vec<Watching>,
    /// EXEC is at work on so many requests: none of them may wait.
    pub running: Option<usize>,
}

impl Transaction {
    /// How many requests are queued, as CLIENT LIST shows it; `None` outside a transaction.
    pub fn depth(&self) -> Option<usize> {
        self.queue.as_ref().map(|queue| queue.requests.len()).or(self.running)
    }

    /// Memory it takes.
    pub fn footprint(&self) -> usize {
        let watched: usize = self.watched.iter().map(|w| size_of::<Watching>() + w.key.len()).sum();
        watched + self.queue.as_ref().map_or(0, |queue| queue.requests.footprint())
    }

    /// A request was refused: it spoils the transaction it belongs to.
    pub fn abort(&mut self) {
        if let Some(queue) = &mut self.queue {
            queue.aborted = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::command::{CommandId, get};

    #[test]
    fn requests_come_back_as_they_were() {
        let mut requests = Requests::default();
        let big: Vec<Arc<[u8]>> = [&b"SET"[..], b"k", b"large"].map(Arc::from).to_vec();
        let args: Vec<&[u8]> = big.iter().map(|arg| &arg[..]).collect();
        requests.push(get(CommandId::Ping), &[b"PING"], &[]);
        requests.push(get(CommandId::Set), &args, &big);
        requests.push(get(CommandId::Set), &[b"set", b"", b"v"], &[]);
        assert_eq!((requests.len(), requests.bytes()), (3, 4 + 9 + 4));
        let (row, args, bodies) = requests.get(2);
        assert_eq!((row.id, args, bodies.len()), (CommandId::Set, vec![&b"set"[..], b"", b"v"], 0));
        let (_, args, bodies) = requests.get(1);
        assert_eq!(args, [&b"SET"[..], b"k", b"large"]);
        assert!(Arc::ptr_eq(&bodies[2], &big[2]));
        assert_eq!(requests.get(0).1, [b"PING"]);
    }
}
