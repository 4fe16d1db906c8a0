//! How a position in a history outlives the process: in the fields beside a snapshot's keys.
//!
//! A replica that starts again from its file is where the file was taken, in the same history. A
//! primary that starts again begins a history of its own, which shares its past with the saved one
//! up to the saved position and no further: what it had told replicas after that may be lost, and
//! the positions are used again.

use crate::node::Node;
use machine::{Level, Now, Out, Span};
use replication::{Backlog, Identity, ReplicationId};
use store::rdb::Item;
use wire::number;

/// What a snapshot says of its place in a history.
#[derive(Clone, Copy, Default)]
pub(crate) struct Origin {
    id: Option<ReplicationId>,
    position: Option<u64>,
    db: u32,
}

impl Origin {
    /// Takes note of a field beside the keys.
    pub(crate) fn note(&mut self, item: &Item) {
        let Item::Aux { key, value } = item else { return };
        match key.as_slice() {
            b"repl-id" => self.id = ReplicationId::parse(value),
            b"repl-offset" => self.position = number::parse_u64(value),
            b"repl-stream-db" => {
                let db = number::parse_u64(value).and_then(|db| u32::try_from(db).ok());
                self.db = db.unwrap_or(0);
            }
            _ => {}
        }
    }

    /// The database that the stream after it has selected.
    pub(crate) fn db(&self) -> u32 {
        self.db
    }
}

impl Node {
    /// The fields for a snapshot taken now; none if our data has no place in a history.
    pub(crate) fn origin_fields(&self) -> Vec<(&'static str, String)> {
        let replication = &self.replication;
        if !replication.placed || replication.backlog.is_none() {
            return Vec::new();
        }
        let db = match &replication.link {
            Some(_) => replication.stream_db,
            None => replication.selected.unwrap_or(0),
        };
        vec![
            ("repl-stream-db", db.to_string()),
            ("repl-id", replication.identity.id.to_string()),
            ("repl-offset", replication.end().to_string()),
        ]
    }

    /// Our data is what was saved at this place: the stream goes on from there.
    pub(crate) fn restore_history(&mut self, origin: Origin, now: Now, out: &mut Out) {
        let (Some(id), Some(position)) = (origin.id, origin.position) else { return };
        if self.replication.restored.is_some() {
            return;
        }
        let new = self.replication.new_id();
        let replication = &mut self.replication;
        let primary = replication.link.is_none();
        replication.restored = Some(id);
        replication.placed = true;
        replication.stream_db = origin.db.min(self.data.keyspace.databases() - 1);
        replication.selected = None;
        replication.identity = match primary {
            true => Identity::new(id).branch(new, position),
            false => Identity::new(id),
        };
        replication.position = position;
        replication.backlog = Some(Backlog::new(position, self.config.repl_backlog_size));
        self.data.effects.record(primary);
        if let Some(link) = &mut replication.link {
            link.meet();
        }
        replication.chores.lonely = Some(now.mono);
        out.log(
            Level::Notice,
            format_args!("The data is that of history {id} at position {position}"),
        );
    }

    /// Forgets the stream when nobody has wanted it for `repl-backlog-ttl`.
    pub(crate) fn check_backlog(&mut self, now: Now, out: &mut Out) {
        let replication = &mut self.replication;
        let alone = replication.link.is_none() && replication.replicas.is_empty();
        if !alone || self.persist.loading.is_some() {
            replication.chores.lonely = None;
            return;
        }
        let since = *replication.chores.lonely.get_or_insert(now.mono);
        let ttl = self.config.repl.backlog_ttl;
        let over = now.mono.since(since) > Span::secs(ttl.min(u64::from(u32::MAX)));
        if ttl == 0 || !over || replication.backlog.is_none() {
            return;
        }
        // What changes from here on is not in the stream, so the position must not be asked for
        // under the old name.
        replication.position = replication.end();
        replication.backlog = None;
        replication.placed = false;
        replication.restored = None;
        let id = replication.new_id();
        replication.identity = Identity::new(id);
        self.data.effects.record(false);
        out.log(
            Level::Notice,
            format_args!(
                "Replication backlog freed after {ttl} seconds without connected replicas."
            ),
        );
    }
}
