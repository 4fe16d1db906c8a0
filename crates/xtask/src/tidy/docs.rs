//! Every file says what it is for, a crate's first file in two lines at least.
//!
//! That the public items are documented is the compiler's to check.

use super::Finding;
use super::source::Source;

/// Checks the head of a Rust file.
pub(crate) fn check(source: &Source, findings: &mut Vec<Finding>) {
    let head = source.text.lines().take_while(|line| line.starts_with("//!"));
    let said = head.filter(|line| line.trim_end() != "//!").count();
    if said == 0 {
        let message = "does not begin with //! and what the file is for";
        findings.push(Finding::new(source, "file-docs", 1, message));
    } else if said < 2 && is_root(source) {
        let message = "a crate's own documentation has two lines at least";
        findings.push(Finding::new(source, "crate-docs", 1, message));
    }
}

fn is_root(source: &Source) -> bool {
    source.path.ends_with("/src/lib.rs") || source.path.ends_with("/src/main.rs")
}
