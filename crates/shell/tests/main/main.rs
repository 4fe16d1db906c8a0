//! The driver keeps the contract's promises.

mod conformance;
mod process;
