//! Replication between whole servers on virtual time, under faults.

mod cases;
mod clients;
mod deployment;
mod faults;
mod handover;
mod memory;
mod migrate;
mod pressure;
mod restarts;
mod swarm;
mod syncs;
