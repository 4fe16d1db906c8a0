//! After the faults stop, every slot is served again within a bounded time.

use crate::deployment::{Deployment, Outcome};
use crate::raiser::TAGS;
use machine::Span;
use std::collections::BTreeSet;

/// Waits until the cluster is whole and each client has written to all its counters; how long it
/// took.
pub(crate) fn every_slot_is_served(deployment: &mut Deployment, bound: Span) -> Outcome<Span> {
    let begun = deployment.world.time();
    deployment.wait("every shard has its writer and replicas", bound, Deployment::is_whole)?;
    let whole = deployment.world.time();
    for _ in 0..40 {
        deployment.run(Span::millis(500))?;
        if unwritten(deployment, whole).is_empty() {
            return Ok(Span(deployment.world.time() - begun));
        }
    }
    let journal = deployment.journal.borrow();
    let of = |counter| journal.refusals.get(counter).map_or("no answer", String::as_str);
    let unwritten = unwritten(deployment, whole);
    let why: Vec<String> = unwritten.iter().map(|c| format!("{c:?} ({})", of(c))).collect();
    Err(format!("20 s after the cluster became whole these are not written: {}", why.join(", ")))
}

/// The counters that were not written since then.
fn unwritten(deployment: &Deployment, since: u64) -> Vec<(usize, usize)> {
    let journal = deployment.journal.borrow();
    let recent = journal.acks.iter().rev().take_while(|ack| ack.at >= since);
    let written: BTreeSet<(usize, usize)> = recent.map(|ack| (ack.client, ack.tag)).collect();
    let all = (0..deployment.clients.len()).flat_map(|c| (0..TAGS).map(move |tag| (c, tag)));
    all.filter(|counter| !written.contains(counter)).collect()
}
