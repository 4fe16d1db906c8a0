//! The directives of cluster mode, and what they mean for the control plane.

use super::kind::one;
use super::{Config, Refusal};
use core::net::{IpAddr, Ipv4Addr};

/// Cluster mode.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// `cluster-enabled`.
    pub enabled: bool,
    /// `cluster-config-file`.
    pub config_file: String,
    /// `cluster-node-timeout`, in milliseconds.
    pub node_timeout: u64,
    /// `cluster-port`; 0: `port` + 10000.
    pub port: u16,
    /// What others are told.
    pub announce: Announce,
    /// `cluster-require-full-coverage`.
    pub require_full_coverage: bool,
    /// `cluster-allow-reads-when-down`.
    pub allow_reads_when_down: bool,
    /// `cluster-replica-validity-factor`.
    pub replica_validity_factor: u64,
    /// `cluster-replica-no-failover`.
    pub replica_no_failover: bool,
    /// `cluster-fast-failover`.
    pub fast_failover: bool,
    /// `cluster-busy-timeout`, in milliseconds; 0: four times `cluster-node-timeout`.
    pub busy_timeout: u64,
    /// `cluster-allow-replica-migration`.
    pub allow_replica_migration: bool,
    /// `cluster-migration-barrier`.
    pub migration_barrier: u64,
    /// `cluster-link-sendbuf-limit`, in bytes; 0: none.
    pub link_limit: u64,
}

/// What others are told of this node.
#[derive(Clone, Debug)]
pub struct Announce {
    /// `cluster-announce-ip`; empty: the address we connect from.
    pub ip: String,
    /// `cluster-announce-port`; 0: `port`.
    pub port: u16,
    /// `cluster-announce-bus-port`; 0: the one we listen on.
    pub bus_port: u16,
    /// `cluster-announce-hostname`; may be empty.
    pub hostname: String,
    /// `cluster-announce-human-nodename`; may be empty.
    pub human_name: String,
    /// `cluster-preferred-endpoint-type`.
    pub endpoint: String,
}

impl Default for Cluster {
    fn default() -> Self {
        Cluster {
            enabled: false,
            config_file: String::from("nodes.conf"),
            node_timeout: 15_000,
            port: 0,
            announce: Announce::default(),
            require_full_coverage: true,
            allow_reads_when_down: false,
            replica_validity_factor: 10,
            replica_no_failover: false,
            fast_failover: true,
            busy_timeout: 0,
            allow_replica_migration: true,
            migration_barrier: 1,
            link_limit: 0,
        }
    }
}

impl Default for Announce {
    fn default() -> Self {
        Announce {
            ip: String::new(),
            port: 0,
            bus_port: 0,
            hostname: String::new(),
            human_name: String::new(),
            endpoint: String::from("ip"),
        }
    }
}

/// What the settings mean for the control plane.
pub fn control(config: &Config) -> cluster::Config {
    let Config { cluster, .. } = config;
    let bind = config.bind.split_whitespace().find_map(|word| word.parse::<IpAddr>().ok());
    let bus_port = match cluster.port {
        0 => config.port.wrapping_add(10_000),
        port => port,
    };
    let Announce { ip, port, bus_port: announced, hostname, human_name, .. } =
        cluster.announce.clone();
    cluster::Config {
        bind: bind.unwrap_or(Ipv4Addr::UNSPECIFIED.into()),
        port: config.port,
        bus_port,
        announce: cluster::Announce {
            ip: Some(ip).filter(|ip| !ip.is_empty()),
            port,
            bus_port: announced,
            hostname,
            human_name,
        },
        node_timeout: cluster.node_timeout,
        config_file: cluster.config_file.clone(),
        require_full_coverage: cluster.require_full_coverage,
        replica_validity_factor: cluster.replica_validity_factor,
        replica_no_failover: cluster.replica_no_failover,
        fast_failover: cluster.fast_failover,
        busy_timeout: cluster.busy_timeout,
        replica_ping_period: config.repl_ping_period,
        allow_replica_migration: cluster.allow_replica_migration,
        migration_barrier: cluster.migration_barrier,
        link_limit: cluster.link_limit,
    }
}

/// A host name, as far as Redis looks.
pub(super) fn hostname(_: &str, words: &[&str]) -> Result<String, Refusal> {
    let name = one(words)?;
    if name.len() >= 256 {
        return Err(String::from("Hostnames must be less than 256 characters"));
    }
    match name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.')) {
        true => Ok(name.into()),
        false => {
            Err(String::from("Hostnames may only contain alphanumeric characters, hyphens or dots"))
        }
    }
}

/// A name for people.
pub(super) fn human_name(_: &str, words: &[&str]) -> Result<String, Refusal> {
    let name = one(words)?;
    let fits =
        |byte: u8| byte.is_ascii_graphic() && !b"!#$%&()*+:;<>?@[]^{|}~,=\"'\\".contains(&byte);
    match name.bytes().all(fits) {
        true => Ok(name.into()),
        false => Err(String::from("Announced human node name contained invalid character")),
    }
}
