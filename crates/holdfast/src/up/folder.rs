//! What a data folder tells before anything is started: whose nodes still run in it, and which
//! cluster it holds.

use std::fs;
use std::path::{Path, PathBuf};

/// The nodes' folders, named by their ports, in order.
fn node_folders(dir: &Path) -> Vec<(u16, PathBuf)> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let mut found: Vec<(u16, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path())))
        .collect();
    found.sort();
    found
}

/// Refuses a folder in which nodes of an ended `up` still run: an `up` that is killed cannot end
/// them.
pub(super) fn check_left_over(dir: &Path) -> Result<(), String> {
    let folders: Vec<PathBuf> = node_folders(dir)
        .into_iter()
        .filter_map(|(_, folder)| folder.canonicalize().ok())
        .collect();
    let mut pids: Vec<u32> = processes().filter(|pid| works_in(*pid, &folders)).collect();
    if pids.is_empty() {
        return Ok(());
    }
    pids.sort_unstable();
    let pids: Vec<String> = pids.iter().map(u32::to_string).collect();
    Err(format!(
        "nodes of an earlier 'holdfast up' still run in {}: pids {}. They serve on as they are; to \
         start anew, stop them first: kill {}",
        dir.display(),
        pids.join(", "),
        pids.join(" ")
    ))
}

fn processes() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Whether a process is a server at home in one of the folders: servers change to their folder. It
/// may end while we look.
fn works_in(pid: u32, folders: &[PathBuf]) -> bool {
    let Ok(home) = fs::read_link(format!("/proc/{pid}/cwd")) else { return false };
    let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let is_server = words.split(|byte| *byte == 0).any(|word| word == b"--cluster-enabled");
    is_server && folders.contains(&home)
}

/// Refuses another shape or port than that of the cluster in the folder.
pub(super) fn check_shape(dir: &Path, port: u16, primaries: u16, count: u16) -> Result<(), String> {
    let held: Vec<(u16, Shape)> = node_folders(dir)
        .into_iter()
        .filter_map(|(port, folder)| {
            let text = fs::read_to_string(folder.join("nodes.conf")).ok()?;
            Shape::read(&text).map(|shape| (port, shape))
        })
        .collect();
    let Some((first, shape)) = held.first() else { return Ok(()) };
    let wanted = Shape { primaries: primaries.into(), nodes: count.into() };
    if *first == port && *shape == wanted {
        return Ok(());
    }
    let replicas = shape.nodes.saturating_sub(shape.primaries) / shape.primaries.max(1);
    Err(format!(
        "{} holds a cluster of {} primaries with {replicas} replicas each from port {first} on. \
         Start it with --primaries {} --replicas {replicas} --port {first}, or choose another \
         --dir",
        dir.display(),
        shape.primaries,
        shape.primaries
    ))
}

/// How large a cluster is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Shape {
    primaries: usize,
    nodes: usize,
}

impl Shape {
    /// From nodes.conf: primaries are those with slots. None: no cluster was made yet.
    fn read(text: &str) -> Option<Shape> {
        let lines = || text.lines().map(|line| line.split(' ').collect::<Vec<_>>());
        let nodes = lines().filter(|words| words.len() >= 8).count();
        let primaries = lines().filter(|words| words.len() > 8 && words[0] != "vars").count();
        (nodes > 1 && primaries > 0).then_some(Shape { primaries, nodes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shape_is_read_from_what_a_node_remembers() {
        let text = "a 127.0.0.1:1@2 myself,master - 0 0 1 connected 0-8191\n\
                    b 127.0.0.1:2@3 master - 0 0 2 connected 8192-16383\n\
                    c 127.0.0.1:3@4 slave a 0 0 1 connected\n\
                    vars currentEpoch 6 lastVoteEpoch 0\n";
        assert_eq!(Shape::read(text), Some(Shape { primaries: 2, nodes: 3 }));
        let alone = "a :0@0 myself,master - 0 0 0 connected\nvars currentEpoch 0 lastVoteEpoch 0\n";
        assert_eq!(Shape::read(alone), None);
    }
}
