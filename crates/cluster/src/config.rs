//! What a deployment decides.

use crate::members::Place;
use alloc::string::String;
use core::net::{IpAddr, Ipv4Addr};
use machine::{Address, Span};

/// The directives of redis.conf that concern the cluster.
#[derive(Clone, Debug)]
pub struct Config {
    /// Address that the bus listens on.
    pub bind: IpAddr,
    /// Clients' port, as announced.
    pub port: u16,
    /// Bus port.
    pub bus_port: u16,
    /// What we want to be known by.
    pub announce: Announce,
    /// `cluster-node-timeout` in milliseconds.
    pub node_timeout: u64,
    /// `cluster-config-file`.
    pub config_file: String,
    /// `cluster-require-full-coverage`.
    pub require_full_coverage: bool,
    /// `cluster-replica-validity-factor`; zero: data is never too old.
    pub replica_validity_factor: u64,
    /// `cluster-replica-no-failover`.
    pub replica_no_failover: bool,
    /// `cluster-fast-failover`: a primary whose process is gone is replaced without waiting for
    /// node-timeout.
    pub fast_failover: bool,
    /// `cluster-busy-timeout` in milliseconds: a data plane that has said nothing for so long makes
    /// the whole node silent. Zero: four times `node_timeout`.
    pub busy_timeout: u64,
    /// `repl-ping-replica-period` in seconds.
    pub replica_ping_period: u64,
    /// `cluster-allow-replica-migration`.
    pub allow_replica_migration: bool,
    /// `cluster-migration-barrier`: how many working replicas a primary keeps at the least when one
    /// of them moves to a primary without any.
    pub migration_barrier: u64,
    /// `cluster-link-sendbuf-limit`: how many bytes may wait on a link before it is given up. Zero:
    /// any number.
    pub link_limit: u64,
}

/// `cluster-announce-*`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Announce {
    /// Address; without it peers take the one we connect from.
    pub ip: Option<String>,
    /// Clients' port; zero: the one we listen on.
    pub port: u16,
    /// Bus port; zero: the one we listen on.
    pub bus_port: u16,
    /// Host name; may be empty.
    pub hostname: String,
    /// A name for people; may be empty.
    pub human_name: String,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            bind: Ipv4Addr::UNSPECIFIED.into(),
            port: 6379,
            bus_port: 16379,
            announce: Announce::default(),
            node_timeout: 15_000,
            config_file: "nodes.conf".into(),
            require_full_coverage: true,
            replica_validity_factor: 10,
            replica_no_failover: false,
            fast_failover: true,
            busy_timeout: 0,
            replica_ping_period: 10,
            allow_replica_migration: true,
            migration_barrier: 1,
            link_limit: 0,
        }
    }
}

impl Config {
    /// Where peers are told that we are. The address may be empty.
    pub(crate) fn place(&self) -> Place {
        let or = |announced: u16, own: u16| if announced == 0 { own } else { announced };
        Place {
            ip: self.announce.ip.clone().unwrap_or_default(),
            port: or(self.announce.port, self.port),
            bus_port: or(self.announce.bus_port, self.bus_port),
            plain_port: 0,
        }
    }

    /// `node_timeout` as a span.
    pub(crate) fn timeout(&self) -> Span {
        Span::millis(self.node_timeout)
    }

    /// For how long the data plane may say nothing.
    pub(crate) fn busy_timeout(&self) -> Span {
        match self.busy_timeout {
            0 => Span::millis(self.node_timeout * 4),
            limit => Span::millis(limit),
        }
    }

    /// For how long an election is valid after votes were asked for.
    pub(crate) fn auth_timeout(&self) -> Span {
        Span::millis((self.node_timeout * 2).max(2000))
    }
}

/// What a control plane is made from.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The directives.
    pub config: Config,
    /// Where chance comes from. Must differ from start to start.
    pub seed: u64,
    /// The data plane, for mail.
    pub node: Address,
}
