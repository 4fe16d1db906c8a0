//! "Did you mean …?": the nearest right spelling of what somebody mistyped.

use super::{find, names};

/// The spelling of a directive or of its value that the writer of a refused line had in mind.
pub(super) fn hint(name: &str, words: &[&str]) -> Option<String> {
    if let Some(bare) = name.strip_prefix('-') {
        let bare = bare.trim_start_matches('-');
        return match (bare, words) {
            ("f" | "c", [file, ..]) => Some(String::from(*file)),
            (bare, _) => find(bare).map(|_| format!("--{bare}")),
        };
    }
    if find(name).is_some() {
        return value(name, words);
    }
    // Common in old texts, and nearer to something else by spelling alone.
    match name {
        "replica-migration-barrier" | "slave-migration-barrier" => {
            return Some(String::from("cluster-migration-barrier"));
        }
        "cluster-conf-file" => return Some(String::from("cluster-config-file")),
        _ => {}
    }
    let most = (name.len() / 4).clamp(1, 4);
    names()
        .map(|known| (distance(name, known), known))
        .filter(|(far, _)| *far <= most)
        .min_by_key(|(far, _)| *far)
        .map(|(_, known)| String::from(known))
        .or_else(|| {
            // Only its beginning.
            let begun = names().filter(|known| name.len() > 4 && known.starts_with(name));
            begun.min_by_key(|known| known.len()).map(String::from)
        })
}

/// A line with a comment behind its value, or a letter that looks like a digit.
fn value(name: &str, words: &[&str]) -> Option<String> {
    let takes = |words: &[&str]| super::Config::default().apply(name, words).is_ok();
    let comment = |word: &&str| word.starts_with('#') || word.starts_with("//");
    if let Some(at) = words.iter().position(comment)
        && takes(&words[..at])
    {
        return Some(format!("{name} {}", words[..at].join(" ")));
    }
    let digits = words.first()?.replace(['l', 'I'], "1").replace(['o', 'O'], "0");
    (words.len() == 1 && takes(&[&digits])).then(|| format!("{name} {digits}"))
}

/// How many letters must be changed, added, taken away, or swapped with the next.
fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    // Nothing this long is a misspelt directive.
    if a.len() > 64 {
        return usize::MAX;
    }
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    rows[0] = (0..=b.len()).collect();
    for i in 1..=a.len() {
        rows[i][0] = i;
        for j in 1..=b.len() {
            let cost = usize::from(a[i - 1] != b[j - 1]);
            let mut least =
                (rows[i - 1][j] + 1).min(rows[i][j - 1] + 1).min(rows[i - 1][j - 1] + cost);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = least;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_readers_of_tutorials_mistype_is_recognized() {
        for (name, words, meant) in [
            ("min-slave-to-write", &["2"][..], Some("min-slaves-to-write")),
            ("min-slave-max-lag", &["8"], Some("min-slaves-max-lag")),
            ("slave-server-stale-data", &["yes"], Some("slave-serve-stale-data")),
            ("cluster-conf-file", &["x"], Some("cluster-config-file")),
            ("replica-migration-barrier", &["1"], Some("cluster-migration-barrier")),
            ("repl-time", &["5"], Some("repl-timeout")),
            ("repl-backlog-size", &["lmb"], Some("repl-backlog-size 1mb")),
            ("port", &["6379", "//默认"], Some("port 6379")),
            ("-slaveof", &["127.0.0.1", "6379"], Some("--slaveof")),
            ("-f", &["redis.conf"], Some("redis.conf")),
            ("zzzzzzzzzzzz", &[], None),
            ("port", &["x"], None),
        ] {
            assert_eq!(hint(name, words).as_deref(), meant, "{name}");
        }
    }
}
