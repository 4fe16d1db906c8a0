//! What a command did, put into the stream.

use crate::node::Node;
use machine::{Now, Out};
use replication::{Backlog, GETACK, HEARTBEAT};
use store::effects::{Taken, encode};

impl Node {
    /// Ends a command: its effects go to whom they matter. `args` and `raw` are the request, the
    /// latter as received if it came in one piece.
    #[inline]
    pub(crate) fn commit(&mut self, db: u32, args: &[&[u8]], raw: &[u8]) {
        let taken = self.data.effects.take(&mut self.data.stream);
        self.data.changes += taken.changes;
        if self.replication.backlog.is_some() && (taken.verbatim || taken.commands > 0) {
            self.stream(db, taken, args, raw);
        }
    }

    fn stream(&mut self, db: u32, taken: Taken, args: &[&[u8]], raw: &[u8]) {
        let Taken { verbatim, .. } = taken;
        let commands = taken.commands + u32::from(verbatim);
        let replication = &mut self.replication;
        let Some(backlog) = replication.backlog.as_mut().filter(|_| replication.link.is_none())
        else {
            return;
        };
        let mut select = Vec::new();
        if replication.selected != Some(db) {
            replication.selected = Some(db);
            encode(&[b"SELECT", db.to_string().as_bytes()], &mut select);
        }
        if let Some(pending) = &mut self.data.pending {
            let at = if pending.commands == 0 { &mut pending.select } else { &mut pending.bytes };
            at.extend_from_slice(&select);
            pending.commands += commands;
            pending.bytes.extend_from_slice(&self.data.stream);
            if verbatim {
                encode(args, &mut pending.bytes);
            }
            return;
        }
        backlog.push(&select);
        let bracket = commands > 1 && !taken.apart;
        if bracket {
            backlog.push(b"*1\r\n$5\r\nMULTI\r\n");
        }
        backlog.push(&self.data.stream);
        if verbatim && raw.is_empty() {
            let mut request = Vec::new();
            encode(args, &mut request);
            backlog.push(&request);
        } else if verbatim {
            backlog.push(raw);
        }
        if bracket {
            backlog.push(b"*1\r\n$4\r\nEXEC\r\n");
        }
    }

    /// Removes keys whose time has come and nobody asked for, on a primary.
    pub(crate) fn expire(&mut self, units: u32, now: Now, out: &mut Out) {
        if self.replication.link.is_some()
            || self.persist.loading.is_some()
            || self.clients.pause.is_on()
            || self.clients.switches.lazy_expiry_only
        {
            return;
        }
        let mut gone = Vec::new();
        let ticks = out.ticks();
        let cycle = self.data.keyspace.expire_cycle(now.wall.millis(), units, |place, key| {
            gone.push((place.db(), key.to_vec()));
        });
        for (db, key) in gone {
            self.data.counters.expired += 1;
            self.data.effects.command(1, &[b"DEL", &key]);
            self.commit(db, &[], &[]);
        }
        let spent = out.ticks().wrapping_sub(ticks);
        self.watch_latency("expire-cycle", spent, now.wall.secs());
        if cycle.more {
            out.more_work(25);
        }
    }

    /// Makes the backlog, from the first moment that somebody may want the stream.
    pub(crate) fn need_backlog(&mut self) {
        if self.replication.backlog.is_none() {
            let position = self.replication.position;
            self.replication.backlog = Some(Backlog::new(position, self.config.repl_backlog_size));
            self.data.effects.record(true);
        }
    }

    /// The stream's share of a turn's end: replicas are handed what there is.
    pub(crate) fn emit_stream(&mut self, now: Now, out: &mut Out) {
        let replication = &mut self.replication;
        if replication.chores.applied {
            replication.chores.applied = false;
            let position = replication.end();
            if let Some(link) = &mut replication.link {
                link.acknowledge(position, now.mono, out);
            }
        }
        if !replication.waits.is_empty() {
            self.answer_waits(now, out);
        }
        let replication = &mut self.replication;
        let Some(backlog) = &mut replication.backlog else { return };
        replication.replicas.feed(backlog, out);
        backlog.trim(replication.replicas.needed());
    }

    /// Puts a heartbeat into the stream when it is time; only a primary without a primary does.
    pub(crate) fn heartbeat(&mut self, now: Now) {
        if self.clients.pause.is_on() {
            return;
        }
        let replication = &mut self.replication;
        if replication.replicas.is_empty() {
            // The first one is heard of anyway.
            replication.chores.pinged = now.mono;
            return;
        }
        let due = now.mono.since(replication.chores.pinged).as_millis()
            >= self.config.repl_ping_period * 1000;
        if !due || replication.link.is_some() {
            return;
        }
        replication.chores.pinged = now.mono;
        if let Some(backlog) = &mut replication.backlog {
            backlog.push(HEARTBEAT);
        }
    }

    /// Asks all replicas for their positions.
    pub(crate) fn ask_positions(&mut self) {
        if let Some(backlog) = &mut self.replication.backlog
            && !self.clients.pause.is_on()
            && self.replication.link.is_none()
        {
            backlog.push(GETACK);
        }
    }
}
