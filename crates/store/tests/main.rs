//! Tests of the store as a whole, against naive models, and against Redis.

mod commands;
mod conformance;
mod evict;
mod expire;
mod harness;
mod keyspace;
mod model;
mod rdb;
mod script;
