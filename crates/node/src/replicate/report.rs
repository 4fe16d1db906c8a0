//! What ROLE and INFO tell of replication.

use crate::node::Node;
use machine::Now;
use replication::{Link, Replica, Stage};
use std::fmt::{Display, Write};
use wire::reply::Reply;

impl Node {
    /// ROLE.
    pub(crate) fn role(&self, reply: &mut Reply<'_>) {
        let end = self.replication.end() as i64;
        if let Some(link) = &self.replication.link {
            reply.array(5);
            reply.bulk(b"slave");
            reply.bulk(link.target().host.as_bytes());
            reply.integer(i64::from(link.target().port));
            reply.bulk(link.state_name().as_bytes());
            return reply.integer(if self.replication.placed { end } else { -1 });
        }
        reply.array(3);
        reply.bulk(b"master");
        reply.integer(end);
        let online = |(_, replica): &(_, &Replica)| replica.stage == Stage::Online;
        let replicas: Vec<_> = self.replication.replicas.iter().filter(online).collect();
        reply.array(replicas.len());
        for (conn, replica) in replicas {
            reply.array(3);
            reply.bulk(self.replica_host(conn, replica).as_bytes());
            reply.bulk(replica.port.to_string().as_bytes());
            reply.bulk(replica.acked.to_string().as_bytes());
        }
    }

    /// The section of INFO, as `name:value` lines.
    pub(crate) fn replication_section(&self, now: Now) -> String {
        let replication = &self.replication;
        let mut text = String::new();
        let mut line = |name: &str, value: &dyn Display| {
            // Writing to a String cannot fail.
            let _ = write!(text, "{name}:{value}\r\n");
        };
        match &replication.link {
            None => line("role", &"master"),
            Some(link) => self.link_lines(link, now, &mut line),
        }
        line("connected_slaves", &replication.replicas.iter().count());
        if self.config.repl.good_least > 0 && self.config.repl.good_lag > 0 {
            line("min_slaves_good_slaves", &replication.chores.good);
        }
        let replicas = self.replica_lines(now);
        for replica in replicas.lines() {
            if let Some((name, value)) = replica.split_once(':') {
                line(name, &value);
            }
        }
        line("master_failover_state", &replication.failover.name());
        line("master_replid", &replication.identity.id);
        match replication.identity.previous {
            Some((id, upto)) => {
                line("master_replid2", &id);
                line("master_repl_offset", &replication.end());
                line("second_repl_offset", &(upto + 1));
            }
            None => {
                line("master_replid2", &"0000000000000000000000000000000000000000");
                line("master_repl_offset", &replication.end());
                line("second_repl_offset", &-1);
            }
        }
        let backlog = replication.backlog.as_ref();
        line("repl_backlog_active", &u8::from(backlog.is_some()));
        line("repl_backlog_size", &self.config.repl_backlog_size);
        let first = backlog.map_or(0, |backlog| backlog.start() + 1);
        let length = backlog.map_or(0, |backlog| backlog.end() - backlog.start());
        line("repl_backlog_first_byte_offset", &first);
        line("repl_backlog_histlen", &length);
        text
    }
    /// The lines of INFO about the link to our primary.
    fn link_lines(&self, link: &Link, now: Now, line: &mut dyn FnMut(&str, &dyn Display)) {
        let up = link.is_following();
        line("role", &"slave");
        line("master_host", &link.target().host);
        line("master_port", &link.target().port);
        line("master_link_status", &if up { "up" } else { "down" });
        let heard = now.mono.since(link.heard()).as_millis() / 1000;
        line("master_last_io_seconds_ago", &if up { heard as i64 } else { -1 });
        line("master_sync_in_progress", &u8::from(link.is_syncing()));
        let paused = self.replication.chores.paused as u64;
        line("slave_read_repl_offset", &(self.replication.end() + paused));
        line("slave_repl_offset", &self.replication.end());
        if let Some(progress) = link.progress() {
            let total = progress.total.unwrap_or(0);
            line("master_sync_total_bytes", &total);
            line("master_sync_read_bytes", &progress.read);
            line("master_sync_left_bytes", &(total as i64 - progress.read as i64));
            let percent = progress.read as f64 * 100.0 / total.max(1) as f64;
            let percent = if total > 0 { percent } else { 0.0 };
            line("master_sync_perc", &format_args!("{percent:.2}"));
            line("master_sync_last_io_seconds_ago", &heard);
        }
        if let Some(since) = link.down_since() {
            let seconds = now.mono.since(since).as_millis() / 1000;
            line("master_link_down_since_seconds", &seconds);
        }
        if let Some(why) = self.replication.refused {
            line("master_refused", &why);
        }
        line("slave_priority", &self.config.repl.priority);
        line("slave_read_only", &u8::from(self.config.replica_read_only));
        line("replica_announced", &u8::from(self.config.repl.announced));
    }
}
