//! A node as a line of CLUSTER NODES tells of it.

use crate::{Address, Slots};
use std::collections::BTreeMap;
use wire::slot::SLOTS;

/// One line of CLUSTER NODES.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Node {
    /// Forty hexadecimal digits.
    pub id: String,
    /// Where clients reach it.
    pub host: String,
    /// Where clients reach it.
    pub port: u16,
    /// Where other nodes reach it; 0: not told.
    pub bus_port: u16,
    /// It speaks of itself.
    pub myself: bool,
    /// What it is, apart from that: `master`, `slave`, `fail?`, `fail`, `handshake`, `noaddr`.
    pub flags: Vec<String>,
    /// The primary it follows; `None`: it is a primary.
    pub primary: Option<String>,
    /// Its configuration epoch.
    pub epoch: u64,
    /// Whether the bus link to it stands.
    pub linked: bool,
    /// What it owns.
    pub slots: Slots,
    /// Slots on their way out, and to whom.
    pub migrating: BTreeMap<u16, String>,
    /// Slots on their way in, and from whom.
    pub importing: BTreeMap<u16, String>,
}

impl Node {
    /// Reads a line; `asked` stands in for an address that a node does not know of itself.
    pub fn read(line: &str, asked: &str) -> Option<Node> {
        let mut words = line.split(' ');
        let id = words.next()?.to_string();
        let address = words.next()?.split(',').next()?;
        let (address, bus_port) = address.split_once('@').unwrap_or((address, "0"));
        let (host, port) = address.rsplit_once(':')?;
        let flags = words.next()?;
        let primary = words.next()?;
        let _pings = (words.next()?, words.next()?);
        let mut node = Node {
            id,
            host: if host.is_empty() { asked.to_string() } else { host.to_string() },
            port: port.parse().ok()?,
            bus_port: bus_port.parse().ok()?,
            myself: flags.split(',').any(|flag| flag == "myself"),
            flags: flags.split(',').filter(|flag| *flag != "myself").map(String::from).collect(),
            primary: (primary != "-").then(|| primary.to_string()),
            epoch: words.next()?.parse().ok()?,
            linked: words.next()? == "connected",
            ..Node::default()
        };
        let mut slots = Vec::new();
        for word in words.filter(|word| !word.is_empty()) {
            if let Some(open) = word.strip_prefix('[') {
                node.open(open.strip_suffix(']')?)?;
                continue;
            }
            let (first, last) = word.split_once('-').unwrap_or((word, word));
            slots.extend(number(first)?..=number(last)?);
        }
        node.slots = slots.into_iter().collect();
        Some(node)
    }

    /// A slot on its way: `93->-id` or `93-<-id`.
    fn open(&mut self, word: &str) -> Option<()> {
        if let Some((slot, to)) = word.split_once("->-") {
            self.migrating.insert(number(slot)?, to.to_string());
        } else if let Some((slot, from)) = word.split_once("-<-") {
            self.importing.insert(number(slot)?, from.to_string());
        }
        Some(())
    }

    /// Where clients reach it.
    pub fn address(&self) -> Address {
        (self.host.clone(), self.port)
    }

    /// Whether it has a flag.
    pub fn is(&self, flag: &str) -> bool {
        self.flags.iter().any(|other| other == flag)
    }

    /// `fail?` or `fail`.
    pub fn failing(&self) -> bool {
        self.is("fail") || self.is("fail?")
    }

    /// It is a primary, with slots or without.
    pub fn is_primary(&self) -> bool {
        self.primary.is_none() && !self.is("slave")
    }
}

fn number(word: &str) -> Option<u16> {
    word.parse().ok().filter(|slot| usize::from(*slot) < SLOTS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_real_nodes_are_understood() {
        let line = "07c37dfeb235213a872192d90877d0cd55635b91 :30001@31001,host myself,master - 0 \
                    1426238317239 4 connected 0-5460 7000 [5461->-292f8b365bb7] [9-<-aa]";
        let node = Node::read(line, "127.0.0.1").unwrap();
        assert_eq!(node.address(), ("127.0.0.1".to_string(), 30001));
        assert!(node.myself && node.is_primary() && node.linked && !node.failing());
        assert_eq!((node.bus_port, node.epoch, node.slots.len()), (31001, 4, 5462));
        assert_eq!(node.migrating[&5461], "292f8b365bb7");
        assert_eq!(node.importing[&9], "aa");
        let line = "b 10.0.0.1:7000 slave,fail? 07c3 0 0 4 disconnected";
        let node = Node::read(line, "x").unwrap();
        assert!(!node.is_primary() && node.failing() && !node.linked);
        for garbage in ["garbage", "a b:1@2 master - 0 0 1 connected 16384", "", "a :b@c x - 0 0"] {
            assert!(Node::read(garbage, "x").is_none(), "{garbage}");
        }
    }
}
