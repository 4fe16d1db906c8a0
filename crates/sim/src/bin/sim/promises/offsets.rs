//! Offsets never go back within a history, while a process lives.

use crate::deployment::Outcome;
use std::collections::BTreeMap;

/// What each server has said of its replication.
#[derive(Default)]
pub(crate) struct Offsets {
    /// The highest offset by server, life and history.
    highest: BTreeMap<(usize, u64, String), u64>,
    /// By server: whether its link to its primary stands, and its offset.
    latest: BTreeMap<usize, (bool, u64)>,
}

impl Offsets {
    /// A server answered INFO.
    pub(crate) fn heard(&mut self, server: usize, life: u64, info: &str) -> Outcome<()> {
        let field = |name: &str| {
            let mut lines = info.lines();
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        };
        let (Some(id), Some(offset)) = (field("master_replid"), field("master_repl_offset")) else {
            return Ok(());
        };
        let offset: u64 = offset.parse().map_err(|_| format!("'{offset}' is no offset"))?;
        self.latest.insert(server, (field("master_link_status") == Some("up"), offset));
        let seen = self.highest.entry((server, life, id.to_owned())).or_default();
        if offset < *seen {
            return Err(format!("server {server} went back from {seen} to {offset} in {id}"));
        }
        *seen = offset;
        Ok(())
    }

    /// A process ended.
    pub(crate) fn gone(&mut self, server: usize) {
        self.latest.remove(&server);
    }

    /// Whether a server's link to its primary stood when it was last heard.
    pub(crate) fn is_linked(&self, server: usize) -> bool {
        self.latest.get(&server).is_some_and(|(linked, _)| *linked)
    }

    /// The offset a server last told.
    pub(crate) fn offset(&self, server: usize) -> Option<u64> {
        self.latest.get(&server).map(|(_, offset)| *offset)
    }
}
