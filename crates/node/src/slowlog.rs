//! The slow log: requests that took longer than `slowlog-log-slower-than`.

use std::collections::VecDeque;
use wire::reply::Reply;

/// The most arguments an entry keeps, the note about the rest included.
const MAX_ARGS: usize = 32;
/// The most bytes of an argument an entry keeps.
const MAX_ARG: usize = 128;

/// A slow request.
struct Entry {
    id: u64,
    seconds: u64,
    micros: u64,
    args: Vec<Vec<u8>>,
    peer: String,
    name: String,
}

/// The latest slow requests, newest first.
pub(crate) struct Slowlog {
    /// From how many ticks on a request is slow; `u64::MAX`: never.
    pub(crate) threshold: u64,
    entries: VecDeque<Entry>,
    next: u64,
}

impl Default for Slowlog {
    fn default() -> Self {
        Slowlog { threshold: u64::MAX, entries: VecDeque::new(), next: 0 }
    }
}

impl Slowlog {
    /// Keeps a request that ended at `seconds` (Unix time) and took `micros`.
    pub(crate) fn add(
        &mut self,
        args: &[&[u8]],
        seconds: u64,
        micros: u64,
        who: (String, String),
        most: usize,
    ) {
        let (peer, name) = who;
        let entry = Entry { id: self.next, seconds, micros, args: shorten(args), peer, name };
        self.next += 1;
        self.entries.push_front(entry);
        self.entries.truncate(most);
    }

    /// How many entries it has.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Forgets all entries.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }

    /// Writes the newest entries.
    pub(crate) fn get(&self, count: usize, reply: &mut Reply<'_>) {
        let count = count.min(self.entries.len());
        reply.array(count);
        for entry in self.entries.iter().take(count) {
            reply.array(6);
            for number in [entry.id, entry.seconds, entry.micros] {
                reply.integer(number as i64);
            }
            reply.array(entry.args.len());
            entry.args.iter().for_each(|arg| reply.bulk(arg));
            reply.bulk(entry.peer.as_bytes());
            reply.bulk(entry.name.as_bytes());
        }
    }
}

fn shorten(args: &[&[u8]]) -> Vec<Vec<u8>> {
    let cut = args.len() > MAX_ARGS;
    let kept = if cut { MAX_ARGS - 1 } else { args.len() };
    let mut out: Vec<Vec<u8>> = args[..kept].iter().map(|arg| shorten_arg(arg)).collect();
    if cut {
        out.push(format!("... ({} more arguments)", args.len() - kept).into_bytes());
    }
    out
}

fn shorten_arg(arg: &[u8]) -> Vec<u8> {
    if arg.len() <= MAX_ARG {
        return arg.to_vec();
    }
    let mut out = arg[..MAX_ARG].to_vec();
    out.extend_from_slice(format!("... ({} more bytes)", arg.len() - MAX_ARG).as_bytes());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_requests_are_kept_short() {
        let long = [b'x'; 200];
        let args: Vec<&[u8]> = std::iter::repeat_n(&long[..], 40).collect();
        let kept = shorten(&args);
        assert_eq!(kept.len(), 32);
        assert!(kept[0].ends_with(b"... (72 more bytes)"));
        assert_eq!(kept[31], b"... (9 more arguments)");
        let mut log = Slowlog::default();
        for _ in 0..5 {
            log.add(&args, 0, 0, Default::default(), 3);
        }
        assert_eq!((log.len(), log.entries[0].id), (3, 4));
    }
}
