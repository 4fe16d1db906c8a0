//! `--memory`: bytes per key, by the kernel's account and by the server's own.
//!
//! Each server is fresh and holds nothing else.

use anyhow::Result;

use super::batch;
use super::client::Client;
use super::load::Load;
use super::measure::preload;
use super::options::Options;
use super::server::{self, Program, Server};
use super::{cpu, report};

const KEYS: u64 = 1_000_000;
const VALUE_BYTES: usize = 32;

/// Loads a million keys of 16 + 32 bytes into every server and prints what each key takes.
pub(crate) fn run(options: &Options, programs: &[Program]) -> Result<()> {
    let mut rows = vec![["server", "RSS B/key", "used_memory B/key"].map(str::to_string).to_vec()];
    for server in server::start_all(programs)? {
        let mut load = Load::connect(server.port, options.shape.connections)?;
        // One key first: what the connections and the first write need is not the keys' share.
        preload(&mut load, 1, &batch::value(VALUE_BYTES))?;
        let before = usage(&server)?;
        preload(&mut load, KEYS, &batch::value(VALUE_BYTES))?;
        let after = usage(&server)?;
        let per_key = |after: u64, before: u64| {
            format!("{:.1}", after.saturating_sub(before) as f64 / KEYS as f64)
        };
        let used = match (after.1, before.1) {
            (Some(after), Some(before)) => per_key(after, before),
            _ => "-".to_string(),
        };
        rows.push(vec![server.name.clone(), per_key(after.0, before.0), used]);
    }
    report::table(&rows);
    Ok(())
}

/// Resident bytes, and `used_memory` if the server has an INFO.
fn usage(server: &Server) -> Result<(u64, Option<u64>)> {
    let resident = cpu::resident_bytes(server.pid())?;
    let field = Client::connect(server.port)?.info("memory", "used_memory").ok().flatten();
    Ok((resident, field.and_then(|text| text.parse().ok())))
}
