//! The list of exceptions: what a file may still exceed, and by how much exactly.
//!
//! It may only shrink. An exception that forgives more than there is, is an error as well, so a
//! gain is kept; `--shrink` writes it down.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result};

use super::{Finding, built};

/// Relative to the root of the tree.
const LIST: &str = "crates/xtask/tidy-exceptions.txt";

type Rule = (String, String);

/// The complaints that remain once the exceptions are taken off. With `shrink`, the list is first
/// brought down to what is needed.
pub(crate) fn judge(findings: &[Finding], shrink: bool) -> Result<Vec<String>> {
    let file = crate::tree::root().join(LIST);
    let text = fs::read_to_string(&file).with_context(|| LIST.to_string())?;
    if !shrink {
        return Ok(complaints(&parse(&text)?, findings));
    }
    let found = amounts(findings);
    let mut kept = String::new();
    for line in text.lines() {
        let Some((rule, allowed)) = parse_line(line)? else {
            kept += &format!("{line}\n");
            continue;
        };
        if let Some(amount) = found.get(&rule) {
            kept += &format!("{} {} {}\n", rule.0, rule.1, allowed.min(*amount));
        }
    }
    fs::write(&file, &kept)?;
    Ok(complaints(&parse(&kept)?, findings))
}

fn complaints(exceptions: &BTreeMap<Rule, usize>, findings: &[Finding]) -> Vec<String> {
    let found = amounts(findings);
    let mut lines = Vec::new();
    for finding in findings {
        let rule = (finding.path.clone(), finding.rule.to_string());
        let allowed = exceptions.get(&rule).copied().unwrap_or(0);
        let size = finding.size.unwrap_or_else(|| found[&rule]);
        if size > allowed {
            let Finding { path, rule, line, message, .. } = finding;
            lines.push(format!("{path}:{line}: {message} [{rule}]"));
        }
    }
    for (rule, &allowed) in exceptions {
        let amount = found.get(rule).copied().unwrap_or(0);
        // Commands are built in many places at once: their number is checked from one side.
        if amount < allowed && rule.1 != built::RULE {
            let (path, rule) = rule;
            lines.push(format!("{LIST}: {path} {rule} needs {amount}, not {allowed}"));
        }
    }
    lines
}

/// How much of each rule each file breaks: the largest size, or the number of findings.
fn amounts(findings: &[Finding]) -> BTreeMap<Rule, usize> {
    let mut amounts = BTreeMap::new();
    for finding in findings {
        let amount = amounts.entry((finding.path.clone(), finding.rule.to_string())).or_insert(0);
        *amount = finding.size.map_or(*amount + 1, |size| size.max(*amount));
    }
    amounts
}

fn parse(text: &str) -> Result<BTreeMap<Rule, usize>> {
    text.lines().filter_map(|line| parse_line(line).transpose()).collect()
}

/// `path rule number`; a line that begins with # is a comment.
fn parse_line(line: &str) -> Result<Option<(Rule, usize)>> {
    let mut words = line.split_whitespace();
    let Some(path) = words.next().filter(|word| !word.starts_with('#')) else { return Ok(None) };
    let entry = words.next().zip(words.next().and_then(|word| word.parse().ok()));
    let (rule, allowed) = entry.with_context(|| format!("{LIST}: {line:?}"))?;
    Ok(Some(((path.to_string(), rule.to_string()), allowed)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(rule: &'static str, size: Option<usize>) -> Finding {
        Finding { path: "a.rs".into(), rule, line: 1, size, message: String::new() }
    }

    #[test]
    fn an_exception_forgives_exactly_what_there_is() {
        let found = [finding("columns", None), finding("columns", None), finding("f", Some(90))];
        let judge = |list: &str| complaints(&parse(list).unwrap(), &found).len();
        assert_eq!(judge("a.rs columns 2\na.rs f 90"), 0);
        assert_eq!(judge("a.rs columns 1\na.rs f 90"), 2);
        assert_eq!(judge("a.rs columns 3\na.rs f 91\nb.rs f 80"), 3);
        assert_eq!(judge(""), 3);
    }
}
