//! Pictures as JSON, for programs.

use crate::{Node, Picture, text};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A node, as the backup of a cluster has it as well.
pub fn node(node: &Node) -> Value {
    let open = |slots: &BTreeMap<u16, String>| -> Value {
        slots.iter().map(|(slot, id)| json!({ "slot": slot, "node": id })).collect()
    };
    json!({
        "name": node.id,
        "host": node.host,
        "port": node.port,
        "replicate": node.primary,
        "slots": node.slots.runs(),
        "slots_count": node.slots.len(),
        "flags": node.flags.join(","),
        "current_epoch": node.epoch,
        "migrating": open(&node.migrating),
        "importing": open(&node.importing),
    })
}

/// The whole picture, with what is wrong about it.
pub fn picture(picture: &Picture, problems: &[String]) -> Value {
    let silent: Vec<String> = picture.silent.iter().map(|node| text(&node.address())).collect();
    json!({
        "ok": problems.is_empty(),
        "agreed": picture.agrees(),
        "covered": picture.covered().len(),
        "open_slots": picture.open(),
        "unreachable": silent,
        "problems": problems,
        "nodes": picture.nodes().map(node).collect::<Value>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::tests::cluster;

    #[test]
    fn a_picture_says_what_is_wrong() {
        let shown = picture(&cluster(&["0-5", "7"]), &[String::from("bad")]).to_string();
        assert!(shown.starts_with("{\"ok\":false,\"agreed\":true,\"covered\":7,"), "{shown}");
        assert!(shown.contains("\"slots\":[[0,5]],\"slots_count\":6"), "{shown}");
    }
}
