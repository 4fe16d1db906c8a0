//! SAVE, BGSAVE, save points, and what follows from their success or failure.

use super::{Asked, Exit};
use crate::clients::hold;
use crate::export::{Export, Progress};
use crate::node::Node;
use front::{Awaited, Session};
use machine::{Action, FileError, FileOutput, Letter, Level, Now, Out, Ticket};
use store::evict::Order;
use store::rdb::{Options, Usage};
use wire::number;
use wire::reply::Reply;

/// A failed save is tried again by a save point only after this many seconds.
const RETRY_SECS: u64 = 5;

/// What who asked for the end hears when it does not come.
const NO_SHUTDOWN: &[u8] = b"-ERR Errors trying to SHUTDOWN. Check logs.\r\n";

impl Node {
    /// BGSAVE; inside a transaction it waits for the end of the turn.
    pub(crate) fn bgsave(
        &mut self,
        words: &[&[u8]],
        session: &Session,
        now: Now,
        out: &mut Out,
        buffer: &mut Reply<'_>,
    ) {
        let schedule = match words {
            [] => false,
            [word] if word.eq_ignore_ascii_case(b"schedule") => true,
            _ => return buffer.error("ERR syntax error"),
        };
        let inside = session.transaction.running.is_some();
        if self.persist.export.is_none() && !inside {
            self.start_save(now, out);
            return buffer.simple("Background saving started");
        }
        if self.persist.export.is_some() && !schedule && !inside {
            return buffer.error("ERR Background save already in progress");
        }
        self.persist.scheduled = true;
        buffer.simple("Background saving scheduled");
    }

    /// SAVE: the client waits, nobody else does.
    pub(crate) fn save_for(
        &mut self,
        asked: Asked,
        session: &mut Session,
        now: Now,
        out: &mut Out,
        reply: &mut Reply<'_>,
    ) {
        if self.persist.export.is_some() {
            return reply.error("ERR Background save already in progress");
        }
        self.start_save(now, out);
        session.waiting.begin(Awaited::Save);
        self.persist.waiting.push((session.conn, asked));
    }

    /// How snapshots are written, as of now.
    pub(crate) fn rdb_options(&self, now: Now) -> Options {
        let (stamp, memory) = (self.stamp(now), &self.config.memory);
        Options {
            compress: self.config.rdb.compression,
            checksum: self.config.rdb.checksum,
            usage: match memory.policy.order {
                Some(Order::Idle) => Usage::Idle(stamp),
                Some(Order::Seldom) => Usage::Frequency(stamp, memory.lfu_decay),
                _ => Usage::Nothing,
            },
        }
    }

    pub(crate) fn start_save(&mut self, now: Now, out: &mut Out) {
        self.persist.scheduled = false;
        self.persist.last_try = now.wall.secs();
        let file = self.persist.file();
        let temporary = format!("temp-{}.rdb", self.vitals.pid);
        let paths = (file, temporary, self.config.dbfilename.clone());
        let created = now.wall.secs().to_string();
        let memory = self.vitals.memory_allocated.to_string();
        let origin = self.origin_fields();
        let mut aux = vec![
            ("redis-ver", crate::REDIS_VERSION),
            ("redis-bits", "64"),
            ("ctime", &created),
            ("used-mem", &memory),
        ];
        aux.extend(origin.iter().map(|(name, value)| (*name, value.as_str())));
        aux.push(("aof-base", "0"));
        let options = self.rdb_options(now);
        let mut export =
            Export::to_file(&mut self.data.keyspace, &aux, paths, options, now.mono, out);
        export.changes = self.data.changes;
        self.persist.export = Some(export);
        out.log(Level::Notice, format_args!("Background saving started without a child process"));
        self.share_time(out);
    }

    /// Background work of a turn's end: the running export gets its units.
    pub(crate) fn advance_export(&mut self, units: u32, now: Now, out: &mut Out) {
        // While data is being replaced there is none that could be saved.
        let idle = self.persist.export.is_none() && self.persist.loading.is_none();
        if idle && self.persist.scheduled {
            self.start_save(now, out);
        }
        let Some(export) = &mut self.persist.export else { return };
        let delay = self.config.rdb.key_save_delay;
        export.pace(&mut self.data.keyspace, delay, now.mono);
        // A bucket at a time, where each key is meant to take its time.
        let units = if delay == 0 { units } else { units.min(1) };
        if let Err(incomplete) = export.advance(&mut self.data.keyspace, units, out) {
            for conn in export.abandon(out) {
                out.close(conn);
            }
            let why = format!(
                "took {} of {} entries, which must never happen",
                incomplete.taken, incomplete.expected
            );
            return self.save_failed(&why, now, out);
        }
        self.share_time(out);
    }

    /// Asks for background time: a tenth, up to a half as what commands pushed out piles up.
    fn share_time(&mut self, out: &mut Out) {
        const PILE: usize = 64 << 20;
        let Some(export) = &self.persist.export else { return };
        if export.wants_time(&mut self.data.keyspace, out) {
            let held = self.data.keyspace.held_for_snapshot().min(PILE);
            out.more_work(10 + (40 * held / PILE) as u8);
        }
    }

    /// Takes a finished job's result.
    pub(crate) fn job_done(&mut self, ticket: Ticket, result: Letter, now: Now, out: &mut Out) {
        let Some(export) = &mut self.persist.export else { return };
        let progress = export.job_done(ticket, result, &mut self.data.keyspace, out);
        self.export_progress(progress, now, out);
    }

    /// Takes the end of a file operation, if it is the save's.
    pub(crate) fn save_step(
        &mut self,
        ticket: Ticket,
        result: &Result<FileOutput, FileError>,
        now: Now,
        out: &mut Out,
    ) {
        let Some(export) = &mut self.persist.export else { return };
        let progress = export.file_done(ticket, result, out);
        self.export_progress(progress, now, out);
    }

    fn export_progress(&mut self, progress: Progress, now: Now, out: &mut Out) {
        let Some(export) = &self.persist.export else { return };
        let promised = export.promised;
        match progress {
            Progress::Going => self.share_time(out),
            Progress::Failed(why) => self.save_failed(&why, now, out),
            Progress::Sent(conns) => {
                self.persist.export = None;
                self.sync_sent(&conns, true, now, out);
            }
            Progress::Saved => {
                let took = now.mono.since(export.since);
                self.data.changes = self.data.changes.saturating_sub(export.changes);
                self.persist.export = None;
                self.persist.last_ok = true;
                self.persist.last_save = now.wall.secs();
                self.persist.last_took = (took.0 / 1_000_000_000) as i64;
                self.persist.saves += 1;
                self.persist.pressure.last_saved = self.persist.pressure.peak;
                out.log(Level::Notice, format_args!("DB saved on disk"));
                out.log(Level::Notice, format_args!("Background saving terminated with success"));
                self.send_files(promised, now, out);
                self.answer_waiting(true, out);
            }
        }
    }

    pub(super) fn save_failed(&mut self, why: &str, now: Now, out: &mut Out) {
        self.drop_snapshot();
        self.persist.last_ok = false;
        self.persist.last_try = now.wall.secs();
        out.log(Level::Warning, format_args!("Background saving error: {why}"));
        // Those who wait for the file will ask again.
        for conn in self.replication.replicas.at(replication::Stage::Promised) {
            out.close(conn);
        }
        self.answer_waiting(false, out);
    }

    /// Gives up a running save, or a snapshot to replicas: its data is being replaced.
    pub(crate) fn give_up_save(&mut self, out: &mut Out) {
        if self.abandon_export(out) {
            self.answer_waiting(false, out);
        }
    }

    /// Drops the running export and what depends on it; whether there was one.
    fn abandon_export(&mut self, out: &mut Out) -> bool {
        let Some(export) = &mut self.persist.export else { return false };
        export.abandon(out).into_iter().for_each(|conn| out.close(conn));
        self.drop_snapshot();
        true
    }

    /// Whether writes are refused because the last save failed and the settings rely on saving.
    pub(crate) fn is_misconfigured(&self) -> bool {
        !self.persist.last_ok
            && self.config.rdb.stop_writes_on_error
            && !self.save_points().is_empty()
    }

    /// Answers those who waited for the save, and lets them go on.
    fn answer_waiting(&mut self, ok: bool, out: &mut Out) {
        for (conn, asked) in std::mem::take(&mut self.persist.waiting) {
            let reply: &[u8] = match (asked, ok) {
                (Asked::Save, true) => b"+OK\r\n",
                (Asked::Save, false) => b"-ERR\r\n",
                // The end of the connection says it.
                (Asked::Shutdown, true) => b"",
                (Asked::Shutdown, false) => NO_SHUTDOWN,
            };
            self.answer_late(conn, Awaited::Save, reply, out);
        }
        if let Some(exit) = self.persist.exit_after.take() {
            if ok || exit.force {
                self.exit(out);
            } else {
                self.clients.pause.hold(hold::SHUTDOWN, false);
                out.log(Level::Warning, format_args!("Error trying to save the DB, can't exit."));
            }
        }
    }

    /// Ends the process, after a save if `save` says so or save points are set.
    pub(super) fn leave(&mut self, exit: Exit, now: Now, out: &mut Out) -> Ending {
        if self.persist.loading.is_some() || !exit.save.unwrap_or(!self.save_points().is_empty()) {
            self.exit(out);
            return Ending::Now;
        }
        out.log(Level::Notice, format_args!("Saving the final RDB snapshot before exiting."));
        self.persist.exit_after = Some(exit);
        // One that runs began before the last writes: another one has to follow.
        self.abandon_export(out);
        self.start_save(now, out);
        // What is written from here on would be acknowledged and not be in the file.
        self.clients.pause.hold(hold::SHUTDOWN, true);
        self.close_gates();
        Ending::AfterSave
    }

    /// SHUTDOWN ABORT: whether there was one to give up. Who asked for it hears that it failed.
    pub(crate) fn abort_shutdown(&mut self, out: &mut Out) -> bool {
        let waited =
            self.persist.leaving.take().is_some() | self.clients.switches.signal.take().is_some();
        if self.persist.exit_after.take().is_none() && !waited {
            return false;
        }
        self.clients.pause.hold(hold::SHUTDOWN, false);
        self.close_gates();
        out.log(Level::Notice, format_args!("Shutdown manually aborted."));
        let waiting = std::mem::take(&mut self.persist.waiting);
        let (over, on): (Vec<_>, Vec<_>) =
            waiting.into_iter().partition(|(_, asked)| *asked == Asked::Shutdown);
        self.persist.waiting = on;
        for (conn, _) in over {
            self.answer_late(conn, Awaited::Save, NO_SHUTDOWN, out);
        }
        true
    }

    fn exit(&mut self, out: &mut Out) {
        out.log(Level::Warning, format_args!("Holdfast is now ready to exit, bye bye..."));
        out.act(Action::Exit { status: 0 });
    }

    /// The save points: after so many seconds, with so many changes.
    pub(crate) fn save_points(&self) -> Vec<(u64, u64)> {
        let numbers: Vec<u64> = self
            .config
            .save
            .split_whitespace()
            .filter_map(|word| number::parse_u64(word.as_bytes()))
            .collect();
        numbers.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect()
    }

    /// Starts a save when a save point is reached.
    pub(crate) fn check_save_points(&mut self, now: Now, out: &mut Out) {
        if self.persist.export.is_some() || self.persist.loading.is_some() {
            return;
        }
        let seconds = now.wall.secs();
        // A wall clock that was set back must not hold up saves: one that failed keeps writes out.
        let since = seconds.abs_diff(self.persist.last_save);
        let rested = self.persist.last_ok || seconds.abs_diff(self.persist.last_try) >= RETRY_SECS;
        let reached = self
            .save_points()
            .into_iter()
            .find(|(after, changes)| self.data.changes >= *changes && since > *after);
        if let (Some((after, changes)), true) = (reached, rested) {
            out.log(Level::Notice, format_args!("{changes} changes in {after} seconds. Saving..."));
            self.start_save(now, out);
        }
    }
}

/// When the process ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ending {
    Now,
    AfterSave,
}
