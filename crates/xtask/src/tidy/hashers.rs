//! Hash maps in pure crates name their hasher.
//!
//! The default one draws a seed from the system, and so the order of a map would differ from run
//! to run: the driver hands the seed in, or the map is an ordered one.

use super::Finding;
use super::bans::PURE;
use super::size::parts;
use super::source::Source;

const WHY: &str = "the default hasher draws its own seed: name one, or use an ordered map";

/// Checks the code of one file.
pub(crate) fn check(source: &Source, findings: &mut Vec<Finding>) {
    if !source.crate_name().is_some_and(|name| PURE.contains(&name)) {
        return;
    }
    let mut complain = |at: usize, word: &str| {
        let line = source.line_of(at);
        if !source.in_tests(line) {
            findings.push(Finding::new(source, "hasher", line, format!("{word}: {WHY}")));
        }
    };
    for word in ["RandomState", "DefaultHasher"] {
        source.find_word(word).for_each(|at| complain(at, word));
    }
    for (word, parameters) in [("HashMap", 3), ("HashSet", 2)] {
        for at in source.find_word(word) {
            let rest = &source.code[at + word.len()..];
            let rest = rest.strip_prefix("::").unwrap_or(rest);
            let default = match rest.strip_prefix('<') {
                Some(list) => parts(inside(list)) < parameters,
                None => rest.starts_with("new(") || rest.starts_with("with_capacity("),
            };
            if default {
                complain(at, word);
            }
        }
    }
}

/// What stands before the angle bracket that closes an open one.
fn inside(list: &str) -> &str {
    let mut depth = 1;
    let mut previous = ' ';
    for (at, c) in list.char_indices() {
        match c {
            '<' => depth += 1,
            '>' if previous != '-' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &list[..at];
        }
        previous = c;
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(code: &str) -> usize {
        let mut findings = Vec::new();
        check(&Source::new("crates/store/src/x.rs", code.to_string()), &mut findings);
        findings.len()
    }

    #[test]
    fn only_a_named_hasher_will_do() {
        assert_eq!(complaints("let a: HashMap<K, Vec<(A, B)>> = HashMap::new();"), 2);
        assert_eq!(complaints("let a: HashMap<K, V, Seeded> = HashMap::with_hasher(seeded);"), 0);
        assert_eq!(complaints("use hashbrown::HashMap; struct A { b: HashSet<B> }"), 1);
    }
}
