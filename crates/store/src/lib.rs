//! The data, the commands on data, and its saved form.
//!
//! [`table`] is the keyspace's hash table and the only place here with `unsafe`; [`keyspace`]
//! arranges tables into databases and slots; [`command`] holds the handlers.
#![deny(unsafe_code)]

pub mod access;
pub mod command;
pub mod digest;
pub mod effects;
pub mod evict;
mod expire;
mod fenwick;
pub mod keyspace;
pub mod random;
pub mod rdb;
pub mod snapshot;
pub mod table;
pub mod value;
mod watch;
