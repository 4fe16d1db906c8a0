//! Directives: one typed row each, read by the parser of files and flags and by CONFIG.
//!
//! Values that the server obeys are plain fields of [`Config`], for whoever reads them often; the
//! others are kept as text, so that CONFIG GET shows what was set.

pub mod cluster;
mod field;
mod hint;
mod kind;
#[macro_use]
mod row;
mod read;
mod renames;
mod rewrite;
mod rows;
mod special;

pub use field::{Allowed, OutputLimit, OutputLimits, Policy, Share};
pub use kind::Kind;
pub use read::{lines_of_arguments, read};
pub use renames::Renames;
pub use rewrite::{page, rewrite};
pub use row::{Access, Row, State};
pub use rows::GROUPS;

use std::collections::BTreeMap;
use wire::glob;

/// The settings in force.
#[derive(Clone, Debug)]
pub struct Config {
    /// `port`.
    pub port: u16,
    /// `bind`, as written.
    pub bind: String,
    /// `databases`.
    pub databases: u32,
    /// `requirepass`; empty: none.
    pub requirepass: String,
    /// What is slow.
    pub slow: Slow,
    /// `proto-max-bulk-len`, in bytes.
    pub max_bulk: u64,
    /// `save`, as written.
    pub save: String,
    /// `appendonly`.
    pub appendonly: bool,
    /// `dbfilename`.
    pub dbfilename: String,
    /// `replicaof`: host and port; empty: a primary.
    pub replicaof: String,
    /// `masteruser`.
    pub masteruser: String,
    /// `masterauth`.
    pub masterauth: String,
    /// Cluster mode.
    pub cluster: cluster::Cluster,
    /// What is about replicas and their syncs.
    pub repl: Repl,
    /// `replica-read-only`.
    pub replica_read_only: bool,
    /// `replica-serve-stale-data`.
    pub replica_serve_stale_data: bool,
    /// `replica-accept-empty-primary`: our own.
    pub replica_accept_empty_primary: bool,
    /// `repl-timeout`, in seconds.
    pub repl_timeout: u64,
    /// `repl-ping-replica-period`, in seconds.
    pub repl_ping_period: u64,
    /// `repl-backlog-size`, in bytes.
    pub repl_backlog_size: u64,
    /// How snapshots are written.
    pub rdb: Rdb,
    /// How much memory may be taken, and what happens then.
    pub memory: Memory,
    /// What is about clients as a whole.
    pub clients: Clients,
    /// What is about the process.
    pub process: Process,
    /// Values of directives that are kept and not obeyed, where they are not the default.
    pub kept: BTreeMap<&'static str, String>,
}

/// Settings about replicas and their syncs.
#[derive(Clone, Debug)]
pub struct Repl {
    /// `replica-announce-ip`; empty: the address we connect from.
    pub announce_ip: String,
    /// `replica-announce-port`; 0: the one we listen on.
    pub announce_port: u16,
    /// `bind-source-addr`: where the link to the primary comes from; empty: anywhere.
    pub source: String,
    /// `replica-announced`: Sentinels may tell others of us.
    pub announced: bool,
    /// `replica-priority`: Sentinels prefer the lowest, and never take 0.
    pub priority: u64,
    /// `min-replicas-to-write`; 0: any number.
    pub good_least: u64,
    /// `min-replicas-max-lag`, in seconds; 0: the number of replicas does not matter.
    pub good_lag: u64,
    /// `repl-backlog-ttl`, in seconds; 0: for ever.
    pub backlog_ttl: u64,
    /// `repl-diskless-sync`.
    pub diskless_sync: bool,
    /// `repl-diskless-sync-delay`, in seconds.
    pub diskless_delay: u64,
    /// `repl-diskless-sync-max-replicas`; 0: any number.
    pub diskless_most: u64,
    /// `repl-diskless-load`.
    pub diskless_load: String,
    /// `rdb-del-sync-files`.
    pub delete_files: bool,
    /// `repl-disable-tcp-nodelay`: the system may gather the stream into larger packets.
    pub gathered: bool,
    /// `propagation-error-behavior`.
    pub on_error: String,
}

/// What is slow, and how much of it is kept.
#[derive(Clone, Debug)]
pub struct Slow {
    /// `slowlog-log-slower-than`, in microseconds; negative: off.
    pub log_from: i64,
    /// `slowlog-max-len`.
    pub log_len: usize,
    /// `latency-monitor-threshold`, in milliseconds; 0: off.
    pub watch_from: u64,
    /// `latency-tracking`.
    pub tracked: bool,
    /// `latency-tracking-info-percentiles`.
    pub percentiles: String,
}

/// How snapshots are written, and what their failure means.
#[derive(Clone, Debug)]
pub struct Rdb {
    /// `rdbcompression`.
    pub compression: bool,
    /// `rdbchecksum`.
    pub checksum: bool,
    /// `rdb-key-save-delay`, in microseconds a key; negative: so many keys a microsecond.
    pub key_save_delay: i64,
    /// `key-load-delay`, likewise.
    pub key_load_delay: i64,
    /// `stop-writes-on-bgsave-error`.
    pub stop_writes_on_error: bool,
}

impl Rdb {
    /// What a delay means for so many keys, in microseconds.
    pub fn delay(delay: i64, keys: u64) -> u64 {
        match delay {
            0 => 0,
            1.. => keys.saturating_mul(delay.unsigned_abs()),
            _ => keys / delay.unsigned_abs(),
        }
    }
}

/// How much memory may be taken, and what happens then.
#[derive(Clone, Debug)]
pub struct Memory {
    /// `maxmemory`, in bytes; 0: no limit.
    pub limit: u64,
    /// `maxmemory-policy`.
    pub policy: Policy,
    /// `maxmemory-samples`.
    pub samples: u32,
    /// `maxmemory-eviction-tenacity`.
    pub tenacity: u32,
    /// `lfu-log-factor`.
    pub lfu_factor: u32,
    /// `lfu-decay-time`, in minutes.
    pub lfu_decay: u32,
    /// `lazyfree-lazy-eviction`: what an evicted key is called in the stream.
    pub lazy_eviction: bool,
    /// `replica-ignore-maxmemory`.
    pub replica_ignores: bool,
}

/// Settings about clients as a whole.
#[derive(Clone, Debug)]
pub struct Clients {
    /// `maxclients`.
    pub most: u32,
    /// `timeout`, in seconds; 0: never.
    pub timeout: u64,
    /// `client-query-buffer-limit`, in bytes.
    pub max_query: usize,
    /// `client-output-buffer-limit`.
    pub output: OutputLimits,
    /// `maxmemory-clients`.
    pub max_memory: Share,
    /// `tcp-keepalive`, in seconds; 0: off.
    pub keepalive: u64,
}

/// Settings about the process and its face to the system.
#[derive(Clone, Debug)]
pub struct Process {
    /// The file that the settings were read from, as an absolute path; empty: none.
    pub file: String,
    /// `tcp-backlog`.
    pub tcp_backlog: u32,
    /// `dir`.
    pub dir: String,
    /// `shutdown-on-sigint`.
    pub on_sigint: String,
    /// `shutdown-on-sigterm`.
    pub on_sigterm: String,
    /// `shutdown-timeout`, in seconds; 0: replicas are not waited for.
    pub shutdown_timeout: u64,
    /// `daemonize`.
    pub daemonize: bool,
    /// `pidfile`.
    pub pidfile: String,
    /// `protected-mode`.
    pub protected_mode: bool,
    /// `enable-debug-command`.
    pub debug_command: Allowed,
    /// `enable-protected-configs`.
    pub protected_configs: Allowed,
    /// `crash-log-enabled`.
    pub crash_log: bool,
    /// `unixsocket`; empty: none.
    pub unixsocket: String,
    /// `unixsocketperm`, in octal; 0: as the umask says.
    pub unixsocketperm: String,
    /// `loglevel`.
    pub loglevel: String,
    /// What `rename-command` says.
    pub renames: Renames,
    /// How the process shows itself to the system.
    pub face: Face,
    /// `logfile`; empty: standard output.
    pub logfile: String,
}

/// How the process shows itself to the system.
#[derive(Clone, Debug)]
pub struct Face {
    /// `set-proc-title`.
    pub set_title: bool,
    /// `proc-title-template`.
    pub title: String,
    /// `supervised`: who is told that the server is ready.
    pub supervised: String,
    /// `oom-score-adj` and its values.
    pub oom: OomRule,
    /// `syslog-enabled`.
    pub syslog: bool,
    /// `syslog-ident`.
    pub syslog_ident: String,
    /// `syslog-facility`.
    pub syslog_facility: String,
}

/// How soon the system is asked to end the process when memory runs out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OomRule {
    /// `oom-score-adj`.
    pub mode: String,
    /// `oom-score-adj-values`: for a primary, for a replica, and for a child, which we have not.
    pub values: String,
}

impl OomRule {
    /// The value for a role.
    pub fn of(&self, replica: bool) -> i64 {
        let value = self.values.split(' ').nth(usize::from(replica));
        value.and_then(|value| value.parse().ok()).unwrap_or(0)
    }
}

impl Default for OomRule {
    fn default() -> Self {
        OomRule { mode: String::from("no"), values: String::from("0 200 800") }
    }
}

impl Default for Face {
    fn default() -> Self {
        Face {
            set_title: true,
            title: String::from("{title} {listen-addr} {server-mode}"),
            supervised: String::from("no"),
            oom: OomRule::default(),
            syslog: false,
            syslog_ident: String::from("redis"),
            syslog_facility: String::from("local0"),
        }
    }
}

impl Default for Slow {
    fn default() -> Self {
        Slow {
            log_from: 10_000,
            log_len: 128,
            watch_from: 0,
            tracked: true,
            percentiles: String::from("50 99 99.9"),
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Config {
            port: 6379,
            bind: String::from("* -::*"),
            databases: 16,
            requirepass: String::new(),
            slow: Slow::default(),
            max_bulk: 512 << 20,
            save: String::from("3600 1 300 100 60 10000"),
            appendonly: false,
            dbfilename: String::from("dump.rdb"),
            replicaof: String::new(),
            masteruser: String::new(),
            masterauth: String::new(),
            cluster: cluster::Cluster::default(),
            repl: Repl::default(),
            replica_read_only: true,
            replica_serve_stale_data: true,
            replica_accept_empty_primary: false,
            repl_timeout: 60,
            repl_ping_period: 10,
            repl_backlog_size: 1 << 20,
            rdb: Rdb::default(),
            memory: Memory::default(),
            clients: Clients::default(),
            process: Process::default(),
            kept: BTreeMap::new(),
        }
    }
}

impl Default for Repl {
    fn default() -> Self {
        Repl {
            announce_ip: String::new(),
            source: String::new(),
            announce_port: 0,
            announced: true,
            priority: 100,
            good_least: 0,
            good_lag: 10,
            backlog_ttl: 3600,
            diskless_sync: true,
            diskless_delay: 5,
            diskless_most: 0,
            diskless_load: String::from("disabled"),
            delete_files: false,
            gathered: false,
            on_error: String::from("ignore"),
        }
    }
}

impl Default for Rdb {
    fn default() -> Self {
        Rdb {
            compression: true,
            checksum: true,
            key_save_delay: 0,
            key_load_delay: 0,
            stop_writes_on_error: true,
        }
    }
}

impl Default for Memory {
    fn default() -> Self {
        Memory {
            limit: 0,
            policy: Policy::NONE,
            samples: 5,
            tenacity: 10,
            lfu_factor: 10,
            lfu_decay: 1,
            lazy_eviction: false,
            replica_ignores: true,
        }
    }
}

impl Default for Clients {
    fn default() -> Self {
        Clients {
            most: 10_000,
            timeout: 0,
            max_query: 1 << 30,
            output: OutputLimits::DEFAULT,
            max_memory: Share::Bytes(0),
            keepalive: 300,
        }
    }
}

impl Default for Process {
    fn default() -> Self {
        Process {
            file: String::new(),
            tcp_backlog: 511,
            dir: String::from("."),
            on_sigint: String::from("default"),
            on_sigterm: String::from("default"),
            shutdown_timeout: 10,
            daemonize: false,
            pidfile: String::new(),
            protected_mode: true,
            debug_command: Allowed::No,
            protected_configs: Allowed::No,
            crash_log: true,
            unixsocket: String::new(),
            unixsocketperm: String::from("0"),
            loglevel: String::from("notice"),
            renames: Renames::default(),
            face: Face::default(),
            logfile: String::new(),
        }
    }
}

/// Why a directive was refused, in Redis's words.
pub type Refusal = String;

/// Every directive.
pub fn rows() -> impl Iterator<Item = &'static Row> {
    GROUPS.iter().flat_map(|(_, rows)| rows.iter())
}

/// Every name that a directive may be called by.
fn names() -> impl Iterator<Item = &'static str> {
    rows().flat_map(|row| [Some(row.name), row.alias].into_iter().flatten())
}

/// The directive of that name, in any case, old spellings too.
pub fn find(name: &str) -> Option<&'static Row> {
    rows().find(|row| {
        row.name.eq_ignore_ascii_case(name)
            || row.alias.is_some_and(|alias| alias.eq_ignore_ascii_case(name))
    })
}

/// The names that match a pattern, each with its directive.
pub fn matching(pattern: &[u8]) -> impl Iterator<Item = (&'static str, &'static Row)> {
    rows()
        .flat_map(|row| [Some((row.name, row)), row.alias.map(|alias| (alias, row))])
        .flatten()
        .filter(move |(name, row)| match row.hidden {
            true => pattern.eq_ignore_ascii_case(name.as_bytes()),
            false => glob::matches_ignoring_case(pattern, name.as_bytes()),
        })
}

impl Config {
    /// Sets a directive by name, as in a file or on the command line.
    ///
    /// # Errors
    /// Redis's words for an unknown directive or a bad value.
    pub fn apply(&mut self, name: &str, words: &[&str]) -> Result<(), Refusal> {
        match find(name) {
            Some(row) => self.set(row, words),
            None => Err(String::from("Bad directive or wrong number of arguments")),
        }
    }

    /// Sets a directive to the words after its name.
    ///
    /// # Errors
    /// Redis's words for a bad value, ours for one that would be a lie to accept.
    pub fn set(&mut self, row: &'static Row, words: &[&str]) -> Result<(), Refusal> {
        let value = row.kind.normal(&self.value(row), words)?;
        match row.state {
            State::Obeyed(slot) => (slot.set)(self, &value),
            State::Refused(_) if value == row.default => {}
            State::Refused(why) => return Err(String::from(why)),
            State::Ignored | State::Moot(_) if value == row.default => {
                self.kept.remove(row.name);
            }
            State::Ignored | State::Moot(_) => {
                self.kept.insert(row.name, value);
            }
        }
        Ok(())
    }

    /// The value in force, as CONFIG GET shows it.
    pub fn value(&self, row: &Row) -> String {
        match row.state {
            State::Obeyed(slot) => (slot.get)(self),
            State::Ignored | State::Moot(_) | State::Refused(_) => {
                self.kept.get(row.name).map_or_else(|| row.default.into(), String::clone)
            }
        }
    }

    /// The directives that were set and do nothing yet.
    pub fn without_effect(&self) -> impl Iterator<Item = &'static str> {
        let ignored = |name: &str| find(name).is_some_and(|r| matches!(r.state, State::Ignored));
        self.kept.keys().copied().filter(move |name| ignored(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_one_row_a_name_and_its_defaults_are_those_in_force() {
        let config = Config::default();
        let mut seen = std::collections::BTreeSet::new();
        for row in rows() {
            assert_eq!(config.value(row), row.default, "{}", row.name);
            let mut other = config.clone();
            // A default of several words comes as one, as from CONFIG SET.
            let wrong = row.name == "tls-protocols" && row.default.is_empty();
            assert!(wrong || other.set(row, &[row.default]).is_ok(), "{}", row.name);
            assert_eq!(other.value(row), row.default, "{}", row.name);
        }
        assert!(names().all(|name| seen.insert(name)));
        assert!(GROUPS.iter().all(|(_, rows)| rows.is_sorted_by_key(|row| row.name)));
    }

    #[test]
    fn directives_read_back_what_they_were_set_to() {
        let mut config = Config::default();
        for (name, value) in [
            ("port", "7000"),
            ("SAVE", "60 1 5 2"),
            ("slowlog-log-slower-than", "-1"),
            ("dbfilename", "x.rdb"),
            ("slave-priority", "5"),
            ("slave-lazy-flush", "yes"),
            ("lazyfree-lazy-expire", "yes"),
            ("maxmemory-clients", "5%"),
            ("maxmemory-policy", "volatile-lfu"),
            ("maxmemory-policy", "allkeys-random"),
            ("maxmemory-policy", "volatile-ttl"),
            ("maxmemory-policy", "noeviction"),
            ("maxmemory-policy", "allkeys-lru"),
            ("unixsocketperm", "700"),
            ("shutdown-on-sigterm", "nosave now"),
        ] {
            config.apply(name, &[value]).unwrap();
            assert_eq!(config.value(find(name).unwrap()), value);
        }
        assert_eq!(config.without_effect().collect::<Vec<_>>(), ["lazyfree-lazy-expire"]);
        config.apply("save", &[""]).unwrap();
        assert_eq!(config.save, "");
    }

    #[test]
    fn wrong_values_are_refused_in_redis_words() {
        let mut config = Config::default();
        for (name, value, why) in [
            ("save", "60", "Invalid save parameters"),
            ("port", "65536", "argument must be between 0 and 65535 inclusive"),
            ("maxmemory", "10x", "argument must be a memory value"),
            ("maxmemory-clients", "101%", "percentage argument must be less or equal to 100"),
            (
                "notify-keyspace-events",
                "KQ",
                "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.",
            ),
            ("appendonly", "yes", "the append-only file is not built yet; use 'no'"),
            ("tls-port", "1", "TLS is not built yet"),
            ("no-such", "1", "Bad directive or wrong number of arguments"),
        ] {
            assert_eq!(config.apply(name, &[value]).unwrap_err(), why, "{name}");
        }
    }

    #[test]
    fn names_are_found_by_patterns_under_the_name_that_matches() {
        let names = |pattern: &str| -> Vec<&str> {
            matching(pattern.as_bytes()).map(|(name, _)| name).collect()
        };
        assert_eq!(names("slave-p*"), ["slave-priority"]);
        assert_eq!(names("REPL*-priority"), ["replica-priority"]);
        assert!(names("rdb-key-save-d*").is_empty());
        assert_eq!(names("rdb-key-save-delay"), ["rdb-key-save-delay"]);
    }
}
