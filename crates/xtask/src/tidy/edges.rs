//! Which crate may know which.
//!
//! The table is the one of the architecture; a crate without a row has no place in the house yet.

use super::Finding;
use super::source::Source;

/// Crate, and what it may have as a normal dependency. Development dependencies are free: tests
/// may run a machine on any driver.
const MAY_KNOW: &[(&str, &[&str])] = &[
    ("wire", &[]),
    ("machine", &[]),
    ("front", &["wire", "machine"]),
    ("client", &["wire", "machine"]),
    ("script", &["wire", "machine"]),
    ("store", &["wire", "machine"]),
    ("replication", &["wire", "machine"]),
    ("cluster", &["wire", "machine"]),
    ("sentinel", &["wire", "machine", "front", "client"]),
    ("proxy", &["wire", "machine", "front", "client"]),
    ("admin", &["wire"]),
    ("node", &["wire", "machine", "front", "script", "store", "replication", "cluster"]),
    ("shell", &["wire", "machine"]),
    // The driver itself knows `machine` alone; its program `sim` runs whole servers.
    ("sim", &["wire", "machine", "node", "cluster"]),
    // Its command table is counted by tidy.
    ("xtask", &["wire"]),
];

/// The command line composes; it may know every crate.
const FREE: &str = "holdfast";

/// Checks the manifests of all crates.
pub(crate) fn check(sources: &[Source]) -> Vec<Finding> {
    let manifest = |source: &&Source| {
        let name = source.crate_name();
        name.is_some_and(|name| source.path == format!("crates/{name}/Cargo.toml"))
    };
    let manifests: Vec<&Source> = sources.iter().filter(manifest).collect();
    let members: Vec<&str> = manifests.iter().filter_map(|source| source.crate_name()).collect();
    let mut findings = Vec::new();
    for source in manifests {
        let name = source.crate_name().unwrap_or_default();
        if name == FREE {
            continue;
        }
        let Some((_, allowed)) = MAY_KNOW.iter().find(|(row, _)| *row == name) else {
            let message = "this crate has no row in the table of edges";
            findings.push(Finding::new(source, "edges", 0, message));
            continue;
        };
        for (line, dependency) in dependencies(&source.text) {
            if members.contains(&dependency) && !allowed.contains(&dependency) {
                let message = format!("{name} may not know {dependency}");
                findings.push(Finding::new(source, "edges", line, message));
            }
        }
    }
    findings
}

/// Line and name of every normal and build dependency.
fn dependencies(manifest: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut inside = false;
    for (index, line) in manifest.lines().enumerate() {
        let line = line.trim();
        if let Some(section) = line.strip_prefix('[') {
            let section = section.trim_end_matches(']');
            let table = section.rsplit('.').next().unwrap_or(section);
            inside = matches!(table, "dependencies" | "build-dependencies");
            // [dependencies.name] is a dependency by itself.
            if let Some((before, name)) = section.rsplit_once('.') {
                let before = before.rsplit('.').next().unwrap_or(before);
                if matches!(before, "dependencies" | "build-dependencies") {
                    found.push((index + 1, name));
                }
            }
        } else if inside && !line.starts_with('#') {
            let name = line.split(['.', '=', ' ']).next().unwrap_or_default();
            if !name.is_empty() {
                found.push((index + 1, name.trim_matches('"')));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unwanted_edge_is_found_and_a_test_one_is_not() {
        let text = "[dependencies]\nwire.workspace = true\n[dev-dependencies]\nsim = {}\n";
        let with = |path: &str, text: &str| Source::new(path, text.to_string());
        let sources = [
            with("crates/store/Cargo.toml", text),
            with("crates/wire/Cargo.toml", "[dependencies.store]\npath = \"../store\"\n"),
            with("crates/sim/Cargo.toml", ""),
        ];
        let findings = check(&sources);
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].message, "wire may not know store");
    }
}
