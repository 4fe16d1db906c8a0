//! INFO.

use crate::node::Node;
use crate::{REDIS_VERSION, VERSION};
use machine::Now;
use std::fmt::Write;

/// The sections in the order INFO shows them, and whether they are shown without being asked for.
const SECTIONS: [(&str, bool); 12] = [
    ("server", true),
    ("clients", true),
    ("memory", true),
    ("persistence", true),
    ("stats", true),
    ("replication", true),
    ("cpu", true),
    ("commandstats", false),
    ("latencystats", false),
    ("errorstats", true),
    ("cluster", true),
    ("keyspace", true),
];

impl Node {
    /// The text of INFO for these sections.
    pub(crate) fn info(&self, sections: &[&[u8]], now: Now) -> String {
        let named = |name: &str| sections.iter().any(|s| s.eq_ignore_ascii_case(name.as_bytes()));
        let all = named("all") || named("everything");
        let default = sections.is_empty() || named("default");
        let mut text = String::new();
        for (name, by_default) in SECTIONS {
            if all || named(name) || (default && by_default) {
                if !text.is_empty() {
                    text.push_str("\r\n");
                }
                self.section(name, now, &mut text);
            }
        }
        text
    }

    fn section(&self, name: &str, now: Now, text: &mut String) {
        let title = match name {
            "cpu" => String::from("CPU"),
            _ => name[..1].to_ascii_uppercase() + &name[1..],
        };
        let _ = write!(text, "# {title}\r\n");
        let mut field = |name: &str, value: &dyn std::fmt::Display| {
            // Writing to a String cannot fail.
            let _ = write!(text, "{name}:{value}\r\n");
        };
        match name {
            "server" => self.server_section(now, &mut field),
            "clients" => self.clients_section(&mut field),
            "memory" => self.memory_section(&mut field),
            "persistence" => {
                self.persistence_section(now, &mut field);
            }
            "stats" => self.stats_section(now, &mut field),
            "replication" => {
                for line in self.replication_section(now).lines() {
                    if let Some((name, value)) = line.split_once(':') {
                        field(name, &value);
                    }
                }
            }
            "cpu" => self.cpu_section(&mut field),
            "commandstats" => self.command_section(&mut field),
            "latencystats" => self.latency_section(&mut field),
            "errorstats" => {
                for (word, count) in self.statistics.errors() {
                    field(&format!("errorstat_{word}"), &format!("count={count}"));
                }
            }
            "cluster" => field("cluster_enabled", &u8::from(self.clustering.is_some())),
            _ => self.keyspace_section(&mut field),
        }
    }

    fn server_section(&self, now: Now, field: &mut Field<'_>) {
        let uptime = now.mono.since(self.started).0 / 1_000_000_000;
        field("redis_version", &REDIS_VERSION);
        field("server_name", &"holdfast");
        field("holdfast_version", &VERSION);
        let clustered = self.clustering.is_some();
        field("redis_mode", &if clustered { "cluster" } else { "standalone" });
        field("os", &self.vitals.os);
        field("arch_bits", &usize::BITS);
        field("process_id", &self.vitals.pid);
        field("run_id", &self.run_id);
        field("tcp_port", &self.config.port);
        field("server_time_usec", &now.wall.0);
        field("uptime_in_seconds", &uptime);
        field("uptime_in_days", &(uptime / 86_400));
        if let Some(leaving) = &self.persist.leaving {
            field("shutdown_in_milliseconds", &leaving.until.since(now.mono).as_millis());
        }
        field("executable", &self.vitals.executable);
    }

    fn clients_section(&self, field: &mut Field<'_>) {
        let clients = self.census();
        field("connected_clients", &clients.connected);
        // The control plane's connections are not clients of this one.
        field("cluster_connections", &0);
        field("maxclients", &self.config.clients.most);
        field("client_recent_max_input_buffer", &clients.largest_input);
        field("client_recent_max_output_buffer", &0);
        field("blocked_clients", &clients.blocked);
        field("tracking_clients", &0);
        field("clients_in_timeout_table", &clients.timed);
        field("watching_clients", &clients.watching);
        field("total_watched_keys", &clients.watched);
        field("total_blocking_keys", &0);
        field("total_blocking_keys_on_nokey", &0);
    }

    fn persistence_section(&self, now: Now, field: &mut Field<'_>) {
        let persist = &self.persist;
        let saving = persist.export.is_some();
        let (taken, all) = if saving { self.data.keyspace.snapshot_progress() } else { (0, 0) };
        let aside = self.reads_aside();
        field("loading", &u8::from(persist.loading.is_some() || aside == Some(false)));
        field("async_loading", &u8::from(aside == Some(true)));
        field("current_cow_peak", &persist.pressure.peak);
        field("current_cow_size", &persist.pressure.held);
        // It is counted now, not sampled in another process.
        field("current_cow_size_age", &0);
        field("current_fork_perc", &format!("{:.2}", taken as f64 * 100.0 / all.max(1) as f64));
        field("current_save_keys_processed", &taken);
        field("current_save_keys_total", &all);
        field("rdb_changes_since_last_save", &self.data.changes);
        field("rdb_bgsave_in_progress", &u8::from(saving));
        field("rdb_last_save_time", &persist.last_save);
        field("rdb_last_bgsave_status", &if persist.last_ok { "ok" } else { "err" });
        field("rdb_last_bgsave_time_sec", &persist.last_took);
        let current = persist
            .export
            .as_ref()
            .map_or(-1, |export| (now.mono.since(export.since).0 / 1_000_000_000) as i64);
        field("rdb_current_bgsave_time_sec", &current);
        field("rdb_saves", &persist.saves);
        field("rdb_last_cow_size", &persist.pressure.last_saved);
        field("rdb_last_load_keys_expired", &persist.loaded.1);
        field("rdb_last_load_keys_loaded", &persist.loaded.0);
        for name in ["aof_enabled", "aof_rewrite_in_progress", "aof_rewrite_scheduled"] {
            field(name, &0);
        }
        if let Some(loading) = &persist.loading {
            field("loading_total_bytes", &loading.total);
            field("loading_loaded_bytes", &loading.read);
        }
    }

    fn stats_section(&self, now: Now, field: &mut Field<'_>) {
        let statistics = &self.statistics;
        field("total_connections_received", &statistics.connections);
        field("total_commands_processed", &statistics.processed);
        let rate = |index| statistics.rates.mean(index);
        let kilobytes = |index| format!("{:.2}", rate(index) as f64 / 1024.0);
        field("instantaneous_ops_per_sec", &rate(0));
        field("total_net_input_bytes", &self.vitals.net_input);
        field("total_net_output_bytes", &self.vitals.net_output);
        field("instantaneous_input_kbps", &kilobytes(1));
        field("instantaneous_output_kbps", &kilobytes(2));
        field("rejected_connections", &statistics.rejected_connections);
        let [full, partial, refused] = self.replication.syncs;
        field("sync_full", &full);
        field("sync_partial_ok", &partial);
        field("sync_partial_err", &refused);
        field("expired_keys", &self.data.counters.expired);
        field("evicted_keys", &self.data.memory.evicted);
        let [total, current] = self.data.memory.exceeded_millis(now);
        field("total_eviction_exceeded_time", &total);
        field("current_eviction_exceeded_time", &current);
        field("keyspace_hits", &self.data.counters.hits);
        field("keyspace_misses", &self.data.counters.misses);
        // Nothing here forks, and there are no channels yet.
        for name in ["pubsub_channels", "pubsub_patterns", "latest_fork_usec", "total_forks"] {
            field(name, &0);
        }
        field("migrate_cached_sockets", &self.clients.moves.connections());
        field("total_error_replies", &statistics.error_replies);
        field("evicted_clients", &self.clients.evicted);
        field("client_output_buffer_limit_disconnections", &self.clients.overflowed);
        field("max_turn_us", &self.vitals.max_turn_us);
    }

    fn cpu_section(&self, field: &mut Field<'_>) {
        let vitals = &self.vitals;
        for (name, micros) in [
            ("used_cpu_sys", vitals.cpu_system_us),
            ("used_cpu_user", vitals.cpu_user_us),
            ("used_cpu_sys_main_thread", vitals.cpu_system_thread_us),
            ("used_cpu_user_main_thread", vitals.cpu_user_thread_us),
        ] {
            field(name, &format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000));
        }
    }

    fn command_section(&self, field: &mut Field<'_>) {
        for (row, stats) in self.statistics.used() {
            let micros = self.statistics.micros(stats.ticks);
            let name = format!("cmdstat_{}", row.full_name());
            let each = micros / stats.calls.max(1) as f64;
            field(
                &name,
                &format!(
                    "calls={},usec={:.0},usec_per_call={each:.2},rejected_calls={},failed_calls={}",
                    stats.calls, micros, stats.rejected, stats.failed
                ),
            );
        }
    }

    fn latency_section(&self, field: &mut Field<'_>) {
        let slow = &self.config.slow;
        if !slow.tracked {
            return;
        }
        for (row, stats) in self.statistics.used().filter(|(_, stats)| stats.calls > 0) {
            let figures = slow.percentiles.split_whitespace().map(|percent| {
                let value = self.statistics.percentile(stats, percent.parse().unwrap_or(0.0));
                format!("p{percent}={value:.3}")
            });
            field(
                &format!("latency_percentiles_usec_{}", row.full_name()),
                &figures.collect::<Vec<_>>().join(","),
            );
        }
    }

    fn keyspace_section(&self, field: &mut Field<'_>) {
        for db in 0..self.data.keyspace.databases() {
            let keys = self.data.keyspace.len(db);
            if keys > 0 {
                let volatile = self.data.keyspace.volatile_len(db);
                field(&format!("db{db}"), &format!("keys={keys},expires={volatile},avg_ttl=0"));
            }
        }
    }
}

/// Takes a name and its value.
pub(crate) type Field<'f> = dyn FnMut(&str, &dyn std::fmt::Display) + 'f;

/// A number of bytes as Redis abbreviates it.
pub(crate) fn human(bytes: u64) -> String {
    const UNITS: [(&str, u32); 4] = [("T", 40), ("G", 30), ("M", 20), ("K", 10)];
    for (unit, shift) in UNITS {
        if bytes >= 1 << shift {
            return format!("{:.2}{unit}", bytes as f64 / (1u64 << shift) as f64);
        }
    }
    format!("{bytes}B")
}
