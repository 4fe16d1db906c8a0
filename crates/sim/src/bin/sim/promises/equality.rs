//! Replicas are equal to their primary after quiet; and what clients were answered is there.

use crate::deployment::{Deployment, Outcome};
use crate::raiser::{TAGS, key, slot_of};
use machine::Span;
use sim::desk::show;
use std::collections::BTreeSet;

/// How long replicas may take to catch up with a primary that nobody writes to.
const BOUND: Span = Span::secs(30);

/// Compares all counters, once nobody writes.
pub(crate) fn replicas_are_equal(deployment: &mut Deployment) -> Outcome<()> {
    deployment.journal.borrow_mut().hush = true;
    deployment.run(Span::secs(1))?;
    for server in 0..deployment.servers.len() {
        // Replicas answer only those who do not mind old data.
        deployment.ask(server, "READONLY");
    }
    let mut quiet = BTreeSet::new();
    for tag in 0..TAGS {
        let slot = slot_of(tag);
        deployment.wait("a writer in quiet", BOUND, |d| d.writer(slot).is_some())?;
        let primary = deployment.writer(slot).unwrap_or_default();
        let replicas = deployment.replicas(primary);
        if quiet.insert(primary) {
            deployment.wait("replicas catch up", BOUND, |d| caught_up(d, primary, &replicas))?;
        }
        for client in 0..deployment.clients.len() {
            compare(deployment, (client, tag), primary, &replicas)?;
        }
    }
    sizes(deployment)
}

/// PINGs of the primary move its offset, so equality is seen only now and then.
fn caught_up(deployment: &Deployment, primary: usize, replicas: &[usize]) -> bool {
    let offset = |server| deployment.promises.offsets.offset(server);
    replicas.iter().all(|replica| {
        deployment.promises.offsets.is_linked(*replica) && offset(*replica) >= offset(primary)
    })
}

fn compare(
    deployment: &mut Deployment,
    (client, tag): (usize, usize),
    primary: usize,
    replicas: &[usize],
) -> Outcome<()> {
    let words = format!("GET {}", key(client, tag));
    let get = |d: &mut Deployment, server| {
        let reply = d.ask(server, &words).map(|reply| show(&reply));
        reply.ok_or_else(|| format!("no answer to {words} at {server}"))
    };
    let theirs = get(deployment, primary)?;
    for &replica in replicas {
        let ours = get(deployment, replica)?;
        if ours != theirs {
            return Err(format!(
                "{words} is {ours} at replica {replica} and {theirs} at primary {primary}"
            ));
        }
    }
    let value = theirs.parse().unwrap_or(0);
    deployment.promises.acknowledged.found((client, tag), value)
}

/// Nobody has keys that the others do not have.
fn sizes(deployment: &mut Deployment) -> Outcome<()> {
    for primary in 0..deployment.servers.len() {
        let size = |d: &mut Deployment, server| d.ask(server, "DBSIZE").map(|r| show(&r));
        let theirs = size(deployment, primary);
        for replica in deployment.replicas(primary) {
            let ours = size(deployment, replica);
            if ours != theirs {
                return Err(format!("DBSIZE is {ours:?} at {replica}, {theirs:?} at {primary}"));
            }
        }
    }
    Ok(())
}
