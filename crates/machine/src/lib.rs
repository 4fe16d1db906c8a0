//! The contract between protocol and world.
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;
