//! The driver on virtual time keeps the contract's promises, and its faults are those of reality.

mod conformance;
mod faults;
