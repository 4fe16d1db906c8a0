//! Tests of the store as a whole, against naive models.

mod keyspace;
mod rdb;
