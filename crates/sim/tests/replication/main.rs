//! Replication between whole servers on virtual time, under faults.

mod cases;
mod clients;
mod deployment;
mod faults;
mod memory;
mod pressure;
mod swarm;
