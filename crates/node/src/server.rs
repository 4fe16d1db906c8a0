//! The commands about the server: CONFIG, INFO, SLOWLOG, FLUSHALL and the like.

use crate::config::{self, Access};
use crate::execute::Turn;
use crate::lolwut;
use crate::node::Node;
use crate::persist::{Asked, Ending, Exit};
use front::{Awaited, Session};
use machine::{Action, Out};
use wire::command::{self, CommandId};
use wire::number;
use wire::reply::Reply;

/// The least that `repl-backlog-size` may be: below it is raised to this.
const MIN_BACKLOG: u64 = 16 << 10;

impl Node {
    /// Runs a command about the server.
    pub(crate) fn serve(
        &mut self,
        id: CommandId,
        session: &mut Session,
        args: &[&[u8]],
        turn: &mut Turn<'_>,
    ) {
        if self.serve_session(id, session, args, turn) {
            return;
        }
        let now = turn.now;
        let mut reply = Reply::new(turn.buffer, session.protocol);
        let reply = &mut reply;
        match id {
            CommandId::Lolwut => lolwut::draw(&args[1..], reply),
            CommandId::Dbsize => reply.integer(self.data.keyspace.len(session.db) as i64),
            CommandId::Time => {
                reply.array(2);
                reply.bulk(now.wall.secs().to_string().as_bytes());
                reply.bulk((now.wall.0 % 1_000_000).to_string().as_bytes());
            }
            CommandId::Info => {
                self.measure_memory(session, turn.out);
                let text = self.info(&args[1..], now);
                reply.verbatim(*b"txt", text.as_bytes());
            }
            CommandId::ConfigGet => config_get(&self.settings(), &args[2..], reply),
            CommandId::ConfigResetstat => {
                self.statistics.reset();
                self.data.counters.reset();
                self.data.memory.reset();
                self.replication.syncs = [0; 3];
                self.vitals.max_turn_us = 0;
                turn.out.act(Action::ResetMaxTurn);
                reply.ok();
            }
            CommandId::Role => self.role(reply),
            CommandId::Bgsave => self.bgsave(&args[1..], session, now, turn.out, reply),
            CommandId::Save => self.save_for(Asked::Save, session, now, turn.out, reply),
            CommandId::Lastsave => reply.integer(self.persist.last_save as i64),
            CommandId::SlowlogGet => self.slowlog_get(&args[2..], reply),
            CommandId::SlowlogLen => reply.integer(self.slowlog.len() as i64),
            CommandId::SlowlogReset => {
                self.slowlog.clear();
                reply.ok();
            }
            CommandId::Flushall => {
                self.flush(0..self.data.keyspace.databases(), &args[1..], reply);
            }
            CommandId::Flushdb => self.flush(session.db..session.db + 1, &args[1..], reply),
            // A row marked built without code to run is a fault of the program, not of the client.
            _ => reply.error("ERR this command is not built"),
        }
    }

    /// Runs a command that does something about the session it comes from; whether it is one.
    fn serve_session(
        &mut self,
        id: CommandId,
        session: &mut Session,
        args: &[&[u8]],
        turn: &mut Turn<'_>,
    ) -> bool {
        match id {
            CommandId::Shutdown => self.shutdown(&args[1..], session, turn),
            CommandId::ConfigSet => {
                self.config_set(&args[2..], session, turn);
                turn.stamp = self.stamp(turn.now);
            }
            CommandId::ConfigRewrite => self.config_rewrite(session, turn),
            CommandId::Replconf => self.replconf(args, session, turn),
            CommandId::Psync => self.psync(args, session, turn),
            CommandId::Sync => self.sync(session, turn),
            CommandId::Failover => {
                self.failover(&args[1..], session, turn);
                self.close_gates();
            }
            CommandId::Replicaof | CommandId::Slaveof => {
                self.replicaof(args, session, turn);
                self.close_gates();
            }
            CommandId::Debug => self.debug(session, args, turn),
            CommandId::Monitor => self.monitor(session, turn),
            CommandId::Wait => self.wait(args, session, turn),
            CommandId::Migrate => self.migrate(args, session, turn),
            CommandId::Multi
            | CommandId::Exec
            | CommandId::Discard
            | CommandId::Watch
            | CommandId::Unwatch => self.transact(id, session, args, turn),
            id => match command::get(id).parent {
                Some(CommandId::Cluster) => self.cluster_command(id, args, session, turn),
                Some(CommandId::Client) => self.client_command(id, session, args, turn),
                Some(CommandId::Memory) => self.memory_command(id, session, turn),
                Some(CommandId::Latency) => self.latency_command(id, session, args, turn),
                _ => return false,
            },
        }
        true
    }

    /// SHUTDOWN: without an answer when it succeeds.
    fn shutdown(&mut self, words: &[&[u8]], session: &mut Session, turn: &mut Turn<'_>) {
        let mut exit = Exit::default();
        let mut known = true;
        if let [word] = words
            && word.eq_ignore_ascii_case(b"abort")
        {
            let aborted = self.abort_shutdown(turn.out);
            let mut reply = Reply::new(turn.buffer, session.protocol);
            return match aborted {
                true => reply.ok(),
                false => reply.error("ERR No shutdown in progress."),
            };
        }
        for word in words {
            match word.to_ascii_lowercase().as_slice() {
                b"save" if exit.save != Some(false) => exit.save = Some(true),
                b"nosave" if exit.save != Some(true) => exit.save = Some(false),
                b"now" => exit.now = true,
                b"force" => exit.force = true,
                _ => known = false,
            }
        }
        if !known {
            return Reply::new(turn.buffer, session.protocol).error("ERR syntax error");
        }
        match self.shut_down(exit, turn.now, turn.out) {
            Ending::Now => session.closing = true,
            Ending::AfterSave => {
                session.waiting.begin(Awaited::Save);
                self.persist.waiting.push((session.conn, Asked::Shutdown));
            }
        }
    }

    fn flush(&mut self, databases: std::ops::Range<u32>, words: &[&[u8]], reply: &mut Reply<'_>) {
        let known = match words {
            [] => true,
            [word] => word.eq_ignore_ascii_case(b"async") || word.eq_ignore_ascii_case(b"sync"),
            _ => false,
        };
        if !known {
            return reply.error("ERR syntax error");
        }
        let mut keys = 0;
        for db in databases {
            keys += self.data.keyspace.len(db) as u64;
            self.data.keyspace.clear(db);
        }
        // Replicas are told also if there was nothing: they may have what we have not.
        self.data.effects.verbatim(keys.max(1));
        reply.ok();
    }

    fn slowlog_get(&self, words: &[&[u8]], reply: &mut Reply<'_>) {
        match words.first().map(|word| number::parse_i64(word)) {
            None => self.slowlog.get(10, reply),
            Some(Some(-1)) => self.slowlog.get(usize::MAX, reply),
            Some(Some(count)) if count >= 0 => self.slowlog.get(count as usize, reply),
            Some(_) => reply.error("ERR count should be greater than or equal to -1"),
        }
    }

    /// Sets many directives, all or none.
    fn config_set(&mut self, words: &[&[u8]], session: &mut Session, turn: &mut Turn<'_>) {
        let mut reply = Reply::new(turn.buffer, session.protocol);
        if !words.len().is_multiple_of(2) {
            return reply.error("ERR syntax error");
        }
        let allowed = self.config.process.protected_configs.to(session.is_local());
        let mut config = self.config.clone();
        let mut changes = Vec::new();
        for (index, pair) in words.chunks_exact(2).enumerate() {
            let name = String::from_utf8_lossy(pair[0]);
            let Some(directive) = config::find(&name) else {
                return reply.error(&format!(
                    "ERR Unknown option or number of arguments for CONFIG SET - '{name}'"
                ));
            };
            let value = String::from_utf8_lossy(pair[1]);
            let mut before = words.chunks_exact(2).take(index);
            let fixed = directive.access == Access::Fixed
                || self.clustering.is_some() && matches!(directive.name, "port" | "bind");
            let result = if fixed {
                Err(String::from("can't set immutable config"))
            } else if directive.access == Access::Protected && !allowed {
                Err(String::from("can't set protected config"))
            } else if before.any(|other| is_same(other[0], directive)) {
                Err(String::from("duplicate parameter"))
            } else {
                changes.push((directive, value.to_string()));
                config.set(directive, &[&value])
            };
            if let Err(why) = result {
                return reply.error(&format!(
                    "ERR CONFIG SET failed (possibly related to argument '{name}') - {why}"
                ));
            }
        }
        if self.moves(&config) {
            return self.move_to(config, changes, session, turn);
        }
        if self.wants_score(&config, session) {
            return self.adjust_oom_for(changes, session, turn);
        }
        let announced = changes.iter().any(|(row, _)| row.name.starts_with("cluster-announce-"));
        let shown = announced
            && session.transaction.running.is_none()
            && self.clustering.as_ref().is_some_and(|clustering| clustering.topology.is_some());
        if !shown {
            reply.ok();
        }
        self.adopt(config, turn.out);
        if shown {
            // Its answer comes behind the settings, when CLUSTER NODES shows them.
            self.ask_cluster(&[b"cluster", b"saveconfig"], session, turn.out);
        }
    }

    /// Goes on with other settings.
    pub(crate) fn adopt(&mut self, config: config::Config, out: &mut Out) {
        let limit = config.memory.limit;
        let other_score = config.process.face.oom != self.config.process.face.oom;
        let changed = limit != std::mem::replace(&mut self.config, config).memory.limit;
        self.config.repl_backlog_size = self.config.repl_backlog_size.max(MIN_BACKLOG);
        self.set_slow_ticks();
        self.obey_memory(changed, out);
        self.close_gates();
        self.set_log_level(out);
        if let Some(backlog) = &mut self.replication.backlog {
            backlog.set_limit(self.config.repl_backlog_size);
        }
        self.tell_settings(out);
        if other_score {
            self.adjust_oom(out);
        }
    }
}

fn config_get(config: &config::Config, patterns: &[&[u8]], reply: &mut Reply<'_>) {
    let mut found = std::collections::BTreeMap::new();
    for pattern in patterns {
        found.extend(config::matching(pattern));
    }
    reply.map(found.len());
    for (name, directive) in found {
        reply.bulk(name.as_bytes());
        reply.bulk(config.value(directive).as_bytes());
    }
}

/// Whether a name, old spelling or not, means this directive.
fn is_same(name: &[u8], directive: &config::Row) -> bool {
    std::str::from_utf8(name)
        .ok()
        .and_then(config::find)
        .is_some_and(|other| other.name == directive.name)
}
