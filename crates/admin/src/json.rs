//! Plans and pictures as JSON, for programs.

use crate::{Node, Picture, text};
use std::fmt::Write;

/// A value, written as it stands.
#[derive(Clone, PartialEq, Debug)]
pub enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A whole number.
    Number(i64),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Json>),
    /// Names and values, in this order.
    Object(Vec<(&'static str, Json)>),
}

impl Json {
    /// A text.
    pub fn text(text: impl Into<String>) -> Json {
        Json::Text(text.into())
    }

    /// A list of texts.
    pub fn texts<T: Into<String>>(texts: impl IntoIterator<Item = T>) -> Json {
        Json::List(texts.into_iter().map(Json::text).collect())
    }

    /// A count.
    pub fn count(n: usize) -> Json {
        Json::Number(i64::try_from(n).unwrap_or(i64::MAX))
    }

    fn write(&self, out: &mut String) {
        match self {
            Json::Null => out.push_str("null"),
            Json::Bool(on) => out.push_str(if *on { "true" } else { "false" }),
            Json::Number(n) => out.push_str(&n.to_string()),
            Json::Text(text) => quote(text, out),
            Json::List(items) => {
                out.push('[');
                for (i, item) in items.iter().enumerate() {
                    out.push_str(if i > 0 { "," } else { "" });
                    item.write(out);
                }
                out.push(']');
            }
            Json::Object(fields) => {
                out.push('{');
                for (i, (name, value)) in fields.iter().enumerate() {
                    out.push_str(if i > 0 { "," } else { "" });
                    quote(name, out);
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }
}

impl std::fmt::Display for Json {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = String::new();
        self.write(&mut text);
        out.write_str(&text)
    }
}

fn quote(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if c.is_control() => {
                // Writing into a text cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// A node, as the backup of a cluster has it as well.
pub fn node(node: &Node) -> Json {
    let run = |(first, last): &(u16, u16)| {
        Json::List(vec![Json::Number((*first).into()), Json::Number((*last).into())])
    };
    let open = |slots: &std::collections::BTreeMap<u16, String>| {
        let one = |(slot, id): (&u16, &String)| {
            Json::Object(vec![
                ("slot", Json::Number((*slot).into())),
                ("node", Json::text(id.as_str())),
            ])
        };
        Json::List(slots.iter().map(one).collect())
    };
    Json::Object(vec![
        ("name", Json::text(node.id.as_str())),
        ("host", Json::text(node.host.as_str())),
        ("port", Json::Number(node.port.into())),
        ("replicate", node.primary.as_ref().map_or(Json::Null, |id| Json::text(id.as_str()))),
        ("slots", Json::List(node.slots.runs().iter().map(run).collect())),
        ("slots_count", Json::count(node.slots.len())),
        ("flags", Json::text(node.flags.join(","))),
        ("current_epoch", Json::Number(i64::try_from(node.epoch).unwrap_or(i64::MAX))),
        ("migrating", open(&node.migrating)),
        ("importing", open(&node.importing)),
    ])
}

/// The whole picture, with what is wrong about it.
pub fn picture(picture: &Picture, problems: &[String]) -> Json {
    let silent = picture.silent.iter().map(|node| text(&node.address()));
    Json::Object(vec![
        ("ok", Json::Bool(problems.is_empty())),
        ("agreed", Json::Bool(picture.agrees())),
        ("covered", Json::count(picture.covered().len())),
        (
            "open_slots",
            Json::List(picture.open().into_iter().map(|s| Json::Number(s.into())).collect()),
        ),
        ("unreachable", Json::texts(silent)),
        ("problems", Json::texts(problems.iter().map(String::as_str))),
        ("nodes", Json::List(picture.nodes().map(node).collect())),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::tests::cluster;

    #[test]
    fn what_is_special_in_json_is_escaped() {
        let text = Json::text("a\"b\\c\nd\u{1}é").to_string();
        assert_eq!(text, "\"a\\\"b\\\\c\\nd\\u0001é\"");
        let list = Json::List(vec![Json::Null, Json::Bool(true), Json::Number(-1)]);
        assert_eq!(list.to_string(), "[null,true,-1]");
    }

    #[test]
    fn a_picture_says_what_is_wrong() {
        let shown = picture(&cluster(&["0-5", "7"]), &[String::from("bad")]).to_string();
        assert!(shown.starts_with("{\"ok\":false,\"agreed\":true,\"covered\":7,"), "{shown}");
        assert!(shown.contains("\"slots\":[[0,5]],\"slots_count\":6"), "{shown}");
    }
}
