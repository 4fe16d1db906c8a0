//! The cluster as CLUSTER NODES tells it.

use crate::connection::{Connection, text};
use std::time::Duration;

/// One line of CLUSTER NODES.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Node {
    pub(crate) id: String,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) myself: bool,
    /// The primary it follows; `None`: it is a primary.
    pub(crate) primary: Option<String>,
    /// `fail?` or `fail`.
    pub(crate) failing: bool,
    pub(crate) slots: Vec<(u16, u16)>,
}

impl Node {
    /// How many slots it owns.
    pub(crate) fn slot_count(&self) -> u32 {
        self.slots.iter().map(|(first, last)| u32::from(last - first) + 1).sum()
    }

    /// Its slots as people write them: `0-5460`.
    pub(crate) fn slot_text(&self) -> String {
        let runs: Vec<String> = self
            .slots
            .iter()
            .map(|(first, last)| match first == last {
                true => first.to_string(),
                false => format!("{first}-{last}"),
            })
            .collect();
        runs.join(",")
    }
}

/// Asks one node for its view.
pub(crate) fn ask(host: &str, port: u16, timeout: Duration) -> Result<Vec<Node>, String> {
    let mut connection =
        Connection::open((host, port), timeout).map_err(|error| error.to_string())?;
    let reply = connection.call(&[b"CLUSTER", b"NODES"]).map_err(|error| error.to_string())?;
    read(&text(reply)?, host)
}

/// Reads what CLUSTER NODES says; `asked` stands in for an address that a node does not know of
/// itself.
pub(crate) fn read(lines: &str, asked: &str) -> Result<Vec<Node>, String> {
    lines.lines().map(|line| parse(line, asked).ok_or(format!("not a node line: {line}"))).collect()
}

fn parse(line: &str, asked: &str) -> Option<Node> {
    let mut words = line.split(' ');
    let id = words.next()?.to_string();
    let address = words.next()?.split(['@', ',']).next()?;
    let (host, port) = address.rsplit_once(':')?;
    let flags = words.next()?;
    let primary = words.next()?;
    let slots = words.skip(4).filter(|word| !word.starts_with('[')).map(|word| {
        let (first, last) = word.split_once('-').unwrap_or((word, word));
        Some((first.parse().ok()?, last.parse().ok()?))
    });
    Some(Node {
        id,
        host: if host.is_empty() { asked.to_string() } else { host.to_string() },
        port: port.parse().ok()?,
        myself: flags.split(',').any(|flag| flag == "myself"),
        primary: (primary != "-").then(|| primary.to_string()),
        failing: flags.split(',').any(|flag| flag == "fail" || flag == "fail?"),
        slots: slots.collect::<Option<_>>()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_real_nodes_are_understood() {
        let line = "07c37dfeb235213a872192d90877d0cd55635b91 :30001@31001,host myself,master - 0 \
                    1426238317239 4 connected 0-5460 7000 [5461->-292f8b365bb7]";
        let node = parse(line, "127.0.0.1").unwrap();
        assert_eq!((node.host.as_str(), node.port), ("127.0.0.1", 30001));
        assert!(node.myself && node.primary.is_none() && !node.failing);
        assert_eq!((node.slot_count(), node.slot_text().as_str()), (5462, "0-5460,7000"));
        assert!(parse("garbage", "x").is_none());
    }
}
