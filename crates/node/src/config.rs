//! Directives: one typed row each, read by the parser of files and flags and by CONFIG.

pub use crate::client_limits::{ClientLimits, ClientMemory, OutputLimit, OutputLimits};
use crate::client_limits::{client_memory, output_limits, show_output_limits};
use wire::glob;
use wire::number;

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
    /// What is asked of clients.
    pub clients: ClientLimits,
    /// `tcp-backlog`.
    pub tcp_backlog: u32,
    /// `slowlog-log-slower-than`, in microseconds; negative: off.
    pub slowlog_slower_than: i64,
    /// `slowlog-max-len`.
    pub slowlog_max_len: usize,
    /// `proto-max-bulk-len`, in bytes.
    pub max_bulk: u64,
    /// `save`, as written.
    pub save: String,
    /// `appendonly`.
    pub appendonly: bool,
    /// `dir`.
    pub dir: String,
    /// `dbfilename`.
    pub dbfilename: String,
    /// `cluster-enabled`.
    pub cluster_enabled: bool,
    /// `cluster-config-file`.
    pub cluster_config_file: String,
    /// `cluster-node-timeout`, in milliseconds.
    pub cluster_node_timeout: u64,
    /// `cluster-port`; 0: `port` + 10000.
    pub cluster_port: u16,
    /// `cluster-announce-ip`.
    pub cluster_announce_ip: String,
    /// `cluster-require-full-coverage`.
    pub cluster_require_full_coverage: bool,
    /// `cluster-allow-reads-when-down`.
    pub cluster_allow_reads_when_down: bool,
    /// `cluster-replica-validity-factor`.
    pub cluster_replica_validity_factor: u64,
    /// `cluster-replica-no-failover`.
    pub cluster_replica_no_failover: bool,
    /// `replicaof`: host and port; empty: a primary.
    pub replicaof: String,
    /// `masteruser`.
    pub masteruser: String,
    /// `masterauth`.
    pub masterauth: String,
    /// `replica-announce-ip`.
    pub replica_announce_ip: String,
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
    /// `stop-writes-on-bgsave-error`.
    pub stop_writes_on_save_error: bool,
    /// `loglevel`.
    pub loglevel: String,
    /// `logfile`; empty: standard output.
    pub logfile: String,
}

/// How snapshots are written.
#[derive(Clone, Debug)]
pub struct Rdb {
    /// `rdbcompression`.
    pub compression: bool,
    /// `rdbchecksum`.
    pub checksum: bool,
    /// `rdb-key-save-delay`, in microseconds a key; negative: so many keys a microsecond.
    pub key_save_delay: i64,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            port: 6379,
            bind: String::from("* -::*"),
            databases: 16,
            requirepass: String::new(),
            clients: ClientLimits::default(),
            tcp_backlog: 511,
            slowlog_slower_than: 10_000,
            slowlog_max_len: 128,
            max_bulk: 512 << 20,
            save: String::from("3600 1 300 100 60 10000"),
            appendonly: false,
            dir: String::from("."),
            dbfilename: String::from("dump.rdb"),
            cluster_enabled: false,
            cluster_config_file: String::from("nodes.conf"),
            cluster_node_timeout: 15_000,
            cluster_port: 0,
            cluster_announce_ip: String::new(),
            cluster_require_full_coverage: true,
            cluster_allow_reads_when_down: false,
            cluster_replica_validity_factor: 10,
            cluster_replica_no_failover: false,
            replicaof: String::new(),
            masteruser: String::new(),
            masterauth: String::new(),
            replica_announce_ip: String::new(),
            replica_read_only: true,
            replica_serve_stale_data: true,
            replica_accept_empty_primary: false,
            repl_timeout: 60,
            repl_ping_period: 10,
            repl_backlog_size: 1 << 20,
            rdb: Rdb { compression: true, checksum: true, key_save_delay: 0 },
            stop_writes_on_save_error: true,
            loglevel: String::from("notice"),
            logfile: String::new(),
        }
    }
}

/// Why a directive was refused, in Redis's words.
pub type Refusal = String;

/// One directive.
pub struct Directive {
    /// Its name.
    pub name: &'static str,
    /// Whether CONFIG SET may change it.
    pub access: Access,
    /// Its value as CONFIG GET shows it.
    pub get: fn(&Config) -> String,
    /// Sets it from the words after its name.
    pub set: fn(&mut Config, &[&str]) -> Result<(), Refusal>,
}

/// Whether CONFIG SET may change a directive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// It may.
    Mutable,
    /// Not while the server runs.
    Fixed,
    /// Not over the network: it says where files are written.
    Protected,
}

type Setter = fn(&mut Config, &[&str]) -> Result<(), Refusal>;

const fn fixed(name: &'static str, get: fn(&Config) -> String, set: Setter) -> Directive {
    Directive { name, access: Access::Fixed, get, set }
}

const fn protected(name: &'static str, get: fn(&Config) -> String, set: Setter) -> Directive {
    Directive { name, access: Access::Protected, get, set }
}

const fn mutable(name: &'static str, get: fn(&Config) -> String, set: Setter) -> Directive {
    Directive { name, access: Access::Mutable, get, set }
}

/// All directives, by name.
pub const DIRECTIVES: &[Directive] = &[
    fixed("appendonly", |c| yes_no(c.appendonly), |_, w| refuse_appendonly(w)),
    fixed("bind", |c| c.bind.clone(), |c, w| words(&mut c.bind, w)),
    mutable(
        "client-output-buffer-limit",
        |c| show_output_limits(&c.clients.output),
        |c, w| output_limits(&mut c.clients.output, w),
    ),
    mutable(
        "client-query-buffer-limit",
        |c| c.clients.max_query.to_string(),
        |c, w| memory(w, 1 << 20).map(|n| c.clients.max_query = n as usize),
    ),
    mutable(
        "cluster-allow-reads-when-down",
        |c| yes_no(c.cluster_allow_reads_when_down),
        |c, w| boolean(w).map(|on| c.cluster_allow_reads_when_down = on),
    ),
    fixed(
        "cluster-announce-ip",
        |c| c.cluster_announce_ip.clone(),
        |c, w| text(&mut c.cluster_announce_ip, w),
    ),
    fixed(
        "cluster-config-file",
        |c| c.cluster_config_file.clone(),
        |c, w| text(&mut c.cluster_config_file, w),
    ),
    fixed(
        "cluster-enabled",
        |c| yes_no(c.cluster_enabled),
        |c, w| boolean(w).map(|on| c.cluster_enabled = on),
    ),
    fixed(
        "cluster-node-timeout",
        |c| c.cluster_node_timeout.to_string(),
        |c, w| integer(w, 1, i64::from(i32::MAX)).map(|n| c.cluster_node_timeout = n as u64),
    ),
    fixed(
        "cluster-port",
        |c| c.cluster_port.to_string(),
        |c, w| integer(w, 0, 65535).map(|n| c.cluster_port = n as u16),
    ),
    fixed(
        "cluster-replica-no-failover",
        |c| yes_no(c.cluster_replica_no_failover),
        |c, w| boolean(w).map(|on| c.cluster_replica_no_failover = on),
    ),
    fixed(
        "cluster-replica-validity-factor",
        |c| c.cluster_replica_validity_factor.to_string(),
        |c, w| {
            integer(w, 0, i64::from(i32::MAX)).map(|n| c.cluster_replica_validity_factor = n as u64)
        },
    ),
    fixed(
        "cluster-require-full-coverage",
        |c| yes_no(c.cluster_require_full_coverage),
        |c, w| boolean(w).map(|on| c.cluster_require_full_coverage = on),
    ),
    fixed(
        "databases",
        |c| c.databases.to_string(),
        |c, w| integer(w, 1, i64::from(i32::MAX)).map(|n| c.databases = n as u32),
    ),
    protected("dbfilename", |c| c.dbfilename.clone(), |c, w| file_name(&mut c.dbfilename, w)),
    protected("dir", |c| c.dir.clone(), |c, w| one(w).map(|word| c.dir = word.into())),
    fixed("logfile", |c| c.logfile.clone(), |c, w| one(w).map(|word| c.logfile = word.into())),
    mutable("loglevel", |c| c.loglevel.clone(), |c, w| log_level(&mut c.loglevel, w)),
    mutable("masterauth", |c| c.masterauth.clone(), |c, w| text(&mut c.masterauth, w)),
    mutable("masteruser", |c| c.masteruser.clone(), |c, w| text(&mut c.masteruser, w)),
    mutable(
        "maxclients",
        |c| c.clients.most.to_string(),
        |c, w| integer(w, 1, i64::from(u32::MAX)).map(|n| c.clients.most = n as u32),
    ),
    mutable(
        "maxmemory-clients",
        |c| c.clients.max_memory.to_string(),
        |c, w| client_memory(&mut c.clients.max_memory, w),
    ),
    fixed("port", |c| c.port.to_string(), |c, w| integer(w, 0, 65535).map(|n| c.port = n as u16)),
    mutable(
        "proto-max-bulk-len",
        |c| c.max_bulk.to_string(),
        // What the store can hold is the most that a larger value can mean.
        |c, w| memory(w, 1 << 20).map(|n| c.max_bulk = n.min(u64::from(u32::MAX))),
    ),
    mutable(
        "rdb-key-save-delay",
        |c| c.rdb.key_save_delay.to_string(),
        |c, w| {
            integer(w, i64::from(i32::MIN), i64::from(i32::MAX)).map(|n| c.rdb.key_save_delay = n)
        },
    ),
    fixed(
        "rdbchecksum",
        |c| yes_no(c.rdb.checksum),
        |c, w| boolean(w).map(|on| c.rdb.checksum = on),
    ),
    mutable(
        "rdbcompression",
        |c| yes_no(c.rdb.compression),
        |c, w| boolean(w).map(|on| c.rdb.compression = on),
    ),
    mutable(
        "repl-backlog-size",
        |c| c.repl_backlog_size.to_string(),
        |c, w| memory(w, 1).map(|n| c.repl_backlog_size = n),
    ),
    mutable(
        "repl-ping-replica-period",
        |c| c.repl_ping_period.to_string(),
        |c, w| integer(w, 1, i64::from(i32::MAX)).map(|n| c.repl_ping_period = n as u64),
    ),
    mutable(
        "repl-timeout",
        |c| c.repl_timeout.to_string(),
        |c, w| integer(w, 1, i64::from(i32::MAX)).map(|n| c.repl_timeout = n as u64),
    ),
    mutable(
        "replica-accept-empty-primary",
        |c| yes_no(c.replica_accept_empty_primary),
        |c, w| boolean(w).map(|on| c.replica_accept_empty_primary = on),
    ),
    mutable(
        "replica-announce-ip",
        |c| c.replica_announce_ip.clone(),
        |c, w| text(&mut c.replica_announce_ip, w),
    ),
    mutable(
        "replica-read-only",
        |c| yes_no(c.replica_read_only),
        |c, w| boolean(w).map(|on| c.replica_read_only = on),
    ),
    mutable(
        "replica-serve-stale-data",
        |c| yes_no(c.replica_serve_stale_data),
        |c, w| boolean(w).map(|on| c.replica_serve_stale_data = on),
    ),
    fixed("replicaof", |c| c.replicaof.clone(), |c, w| host_and_port(&mut c.replicaof, w)),
    mutable(
        "requirepass",
        |c| c.requirepass.clone(),
        |c, w| one(w).map(|word| c.requirepass = word.into()),
    ),
    mutable("save", |c| c.save.clone(), |c, w| save_points(&mut c.save, w)),
    mutable(
        "slowlog-log-slower-than",
        |c| c.slowlog_slower_than.to_string(),
        |c, w| integer(w, -1, i64::MAX).map(|n| c.slowlog_slower_than = n),
    ),
    mutable(
        "slowlog-max-len",
        |c| c.slowlog_max_len.to_string(),
        |c, w| integer(w, 0, i64::MAX).map(|n| c.slowlog_max_len = n as usize),
    ),
    mutable(
        "stop-writes-on-bgsave-error",
        |c| yes_no(c.stop_writes_on_save_error),
        |c, w| boolean(w).map(|on| c.stop_writes_on_save_error = on),
    ),
    fixed(
        "tcp-backlog",
        |c| c.tcp_backlog.to_string(),
        |c, w| integer(w, 0, i64::from(i32::MAX)).map(|n| c.tcp_backlog = n as u32),
    ),
    fixed(
        "tcp-keepalive",
        |c| c.clients.keepalive.to_string(),
        |c, w| integer(w, 0, i64::from(i32::MAX)).map(|n| c.clients.keepalive = n as u64),
    ),
    mutable(
        "timeout",
        |c| c.clients.timeout.to_string(),
        |c, w| integer(w, 0, i64::from(i32::MAX)).map(|n| c.clients.timeout = n as u64),
    ),
];

/// Old spellings of directives.
const ALIASES: [(&str, &str); 4] = [
    ("repl-ping-slave-period", "repl-ping-replica-period"),
    ("slave-read-only", "replica-read-only"),
    ("slave-serve-stale-data", "replica-serve-stale-data"),
    ("slaveof", "replicaof"),
];

/// The directive of that name, in any case, old spellings too.
pub fn find(name: &str) -> Option<&'static Directive> {
    let alias = ALIASES.iter().find(|(old, _)| old.eq_ignore_ascii_case(name));
    let name = alias.map_or(name, |(_, new)| new);
    DIRECTIVES.iter().find(|directive| directive.name.eq_ignore_ascii_case(name))
}

/// The directives whose name matches a pattern.
pub fn matching(pattern: &[u8]) -> impl Iterator<Item = &'static Directive> {
    DIRECTIVES
        .iter()
        .filter(move |directive| glob::matches_ignoring_case(pattern, directive.name.as_bytes()))
}

impl Config {
    /// Sets a directive by name, as in a file or on the command line.
    ///
    /// # Errors
    /// Redis's words for an unknown directive or a bad value.
    pub fn apply(&mut self, name: &str, words: &[&str]) -> Result<(), Refusal> {
        match find(name) {
            Some(directive) => (directive.set)(self, words),
            None => Err(String::from("Bad directive or wrong number of arguments")),
        }
    }
}

fn yes_no(value: bool) -> String {
    String::from(if value { "yes" } else { "no" })
}

fn boolean(words: &[&str]) -> Result<bool, Refusal> {
    match one(words)? {
        word if word.eq_ignore_ascii_case("yes") => Ok(true),
        word if word.eq_ignore_ascii_case("no") => Ok(false),
        _ => Err(String::from("argument must be 'yes' or 'no'")),
    }
}

pub(crate) fn one<'w>(words: &[&'w str]) -> Result<&'w str, Refusal> {
    match words {
        [word] => Ok(word),
        _ => Err(String::from("wrong number of arguments")),
    }
}

fn words(field: &mut String, words: &[&str]) -> Result<(), Refusal> {
    *field = words.join(" ");
    Ok(())
}

fn text(field: &mut String, words: &[&str]) -> Result<(), Refusal> {
    *field = one(words)?.into();
    Ok(())
}

fn host_and_port(field: &mut String, words: &[&str]) -> Result<(), Refusal> {
    match words {
        [no, one] if no.eq_ignore_ascii_case("no") && one.eq_ignore_ascii_case("one") => {
            field.clear();
        }
        [host, port] if port.parse::<u16>().is_ok_and(|port| port > 0) => {
            *field = format!("{host} {port}");
        }
        [_, _] => return Err(String::from("Invalid master port")),
        _ => return Err(String::from("wrong number of arguments")),
    }
    Ok(())
}

fn integer(words: &[&str], least: i64, most: i64) -> Result<i64, Refusal> {
    let word = one(words)?;
    let value = number::parse_i64(word.as_bytes())
        .ok_or_else(|| String::from("argument couldn't be parsed into an integer"))?;
    if !(least..=most).contains(&value) {
        return Err(format!("argument must be between {least} and {most} inclusive"));
    }
    Ok(value)
}

pub(crate) fn memory(words: &[&str], least: u64) -> Result<u64, Refusal> {
    let most = i64::MAX as u64;
    let value = number::parse_memory(one(words)?.as_bytes())
        .ok_or_else(|| String::from("argument must be a memory value"))?;
    if !(least..=most).contains(&value) {
        return Err(format!("argument must be between {least} and {most} inclusive"));
    }
    Ok(value)
}

fn file_name(field: &mut String, words: &[&str]) -> Result<(), Refusal> {
    let word = one(words)?;
    if word.contains('/') {
        return Err(String::from("dbfilename can't be a path, just a filename"));
    }
    *field = word.into();
    Ok(())
}

fn log_level(field: &mut String, words: &[&str]) -> Result<(), Refusal> {
    let word = one(words)?.to_ascii_lowercase();
    if !["debug", "verbose", "notice", "warning", "nothing"].contains(&word.as_str()) {
        return Err(String::from(
            "argument(s) must be one of the following: debug, verbose, notice, warning, nothing",
        ));
    }
    *field = word;
    Ok(())
}

fn save_points(field: &mut String, words: &[&str]) -> Result<(), Refusal> {
    let numbers: Vec<&str> = words.iter().flat_map(|word| word.split_whitespace()).collect();
    let valid = numbers.iter().enumerate().all(|(i, word)| {
        number::parse_i64(word.as_bytes()).is_some_and(|n| n >= i64::from(i % 2 == 0))
    });
    if !valid || !numbers.len().is_multiple_of(2) {
        return Err(String::from("Invalid save parameters"));
    }
    *field = numbers.join(" ");
    Ok(())
}

/// Accepting it without writing the file would be a lie about durability.
fn refuse_appendonly(words: &[&str]) -> Result<(), Refusal> {
    match one(words)? {
        word if word.eq_ignore_ascii_case("no") => Ok(()),
        word if word.eq_ignore_ascii_case("yes") => {
            Err(String::from("the append-only file is not built yet; use 'no'"))
        }
        _ => Err(String::from("argument must be 'yes' or 'no'")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_are_sorted_and_read_back_what_they_were_set_to() {
        assert!(DIRECTIVES.is_sorted_by_key(|directive| directive.name));
        let mut config = Config::default();
        for (name, value) in [
            ("port", "7000"),
            ("SAVE", "60 1 5 2"),
            ("slowlog-log-slower-than", "-1"),
            ("dbfilename", "x.rdb"),
        ] {
            let words: Vec<&str> = value.split(' ').collect();
            config.apply(name, &words).unwrap();
            assert_eq!((find(name).unwrap().get)(&config), value);
        }
        config.apply("save", &[""]).unwrap();
        assert_eq!(config.save, "");
        assert!(config.apply("save", &["60"]).is_err());
        assert!(config.apply("port", &["65536"]).is_err());
        assert!(config.apply("appendonly", &["yes"]).is_err());
        assert!(config.apply("no-such", &["1"]).is_err());
    }
}
