//! LCS: the longest common subsequence of two strings.

use super::args::{is, text};
use super::{Args, Context, Handler, Request};
use std::ops::Range;
use wire::command::CommandId;

pub(super) const HANDLERS: &[(CommandId, Handler)] = &[(CommandId::Lcs, lcs)];

/// The most bytes that the table of lengths may take, as strings may.
const MOST: usize = 512 << 20;

/// What is asked for.
#[derive(Default)]
struct Options {
    len: bool,
    indexes: bool,
    with_len: bool,
    least: usize,
}

impl Options {
    fn read(words: &[&[u8]]) -> Result<Self, &'static str> {
        let mut options = Options::default();
        let mut args = Args::new(words);
        while let Some(word) = args.next() {
            if is(word, "idx") {
                options.indexes = true;
            } else if is(word, "len") {
                options.len = true;
            } else if is(word, "withmatchlen") {
                options.with_len = true;
            } else if is(word, "minmatchlen") && !args.is_empty() {
                options.least = usize::try_from(args.integer()).unwrap_or(0);
            } else {
                args.fail(text::SYNTAX);
            }
        }
        args.finish()?;
        if options.len && options.indexes {
            return Err("ERR If you want both the length and indexes, please just use IDX.");
        }
        Ok(options)
    }
}

fn lcs(cx: &mut Context<'_>, request: &Request<'_>) {
    let [a, b] = [1, 2].map(|index| {
        let key = request.arg(index);
        let hash = cx.data.keyspace.hash(key);
        cx.data.read(hash, key).map(|entry| entry.view().to_vec()).unwrap_or_default()
    });
    let options = match Options::read(&request.args[3..]) {
        Ok(options) => options,
        Err(error) => return cx.reply.error(error),
    };
    let cells = (a.len() + 1).checked_mul(b.len() + 1);
    let Some(cells) = cells.filter(|cells| *cells <= MOST / size_of::<u32>()) else {
        return cx
            .reply
            .error("ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len");
    };
    let lengths = Lengths::of(&a, &b, cells);
    if options.len {
        return cx.reply.integer(i64::from(lengths.at(a.len(), b.len())));
    }
    let (common, matches) = lengths.trace(&a, &b);
    if !options.indexes {
        return cx.reply.bulk(&common);
    }
    let matches: Vec<_> =
        matches.into_iter().filter(|(of_a, _)| of_a.len() >= options.least).collect();
    cx.reply.map(2);
    cx.reply.bulk(b"matches");
    cx.reply.array(matches.len());
    for (of_a, of_b) in matches {
        cx.reply.array(if options.with_len { 3 } else { 2 });
        for range in [&of_a, &of_b] {
            cx.reply.array(2);
            cx.reply.integer(range.start as i64);
            cx.reply.integer(range.end as i64 - 1);
        }
        if options.with_len {
            cx.reply.integer(of_a.len() as i64);
        }
    }
    cx.reply.bulk(b"len");
    cx.reply.integer(common.len() as i64);
}

/// Where a run of the subsequence stands in both strings.
type Run = (Range<usize>, Range<usize>);

/// For each pair of prefixes the length of their longest common subsequence.
struct Lengths {
    cells: Vec<u32>,
    width: usize,
}

impl Lengths {
    fn of(a: &[u8], b: &[u8], cells: usize) -> Self {
        let width = b.len() + 1;
        let mut lengths = Lengths { cells: vec![0; cells], width };
        for (i, x) in a.iter().enumerate() {
            let (above, row) = lengths.cells[i * width..(i + 2) * width].split_at_mut(width);
            for (j, y) in b.iter().enumerate() {
                row[j + 1] = if x == y { above[j] + 1 } else { above[j + 1].max(row[j]) };
            }
        }
        lengths
    }

    fn at(&self, i: usize, j: usize) -> u32 {
        self.cells[i * self.width + j]
    }

    /// Goes back from the end: the subsequence, and the runs it consists of, last first.
    fn trace(&self, a: &[u8], b: &[u8]) -> (Vec<u8>, Vec<Run>) {
        let (mut i, mut j) = (a.len(), b.len());
        let (mut common, mut runs) = (Vec::new(), Vec::<Run>::new());
        let mut open = false;
        while i > 0 && j > 0 {
            if a[i - 1] == b[j - 1] {
                common.push(a[i - 1]);
                match runs.last_mut() {
                    Some((of_a, of_b)) if open => (of_a.start, of_b.start) = (i - 1, j - 1),
                    _ => runs.push((i - 1..i, j - 1..j)),
                }
                (i, j, open) = (i - 1, j - 1, true);
                continue;
            }
            open = false;
            // Where both ways are as long, the second string is gone back in, as in Redis.
            if self.at(i - 1, j) > self.at(i, j - 1) {
                i -= 1;
            } else {
                j -= 1;
            }
        }
        common.reverse();
        (common, runs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_known_example() {
        let (a, b) = (b"ohmytext", b"mynewtext");
        let lengths = Lengths::of(a, b, 9 * 10);
        assert_eq!(lengths.at(8, 9), 6);
        let (common, runs) = lengths.trace(a, b);
        assert_eq!(common, b"mytext");
        assert_eq!(runs, [(4..8, 5..9), (2..4, 0..2)]);
        assert_eq!(Lengths::of(b"", b"x", 2).trace(b"", b"x"), (vec![], vec![]));
    }
}
