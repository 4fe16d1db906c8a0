//! Whether servers hold the same: every key of every database with type, value and expiry.

use super::talk::{Talk, text, until};
use super::writer::{DATABASES, touches};
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use wire::value::Value;

/// Type, value and expiry by database and key.
type Content = BTreeMap<(u64, String), [String; 3]>;

/// Removes what lives for moments only, waits until all are at the same position, and compares.
/// Nobody may write meanwhile. How many keys there are.
pub(super) fn check(primary: u16, replicas: &[u16]) -> Result<usize> {
    settle(primary)?;
    settled(primary, replicas)
}

/// The same where no key lives for moments only.
pub(super) fn settled(primary: u16, replicas: &[u16]) -> Result<usize> {
    level(primary, replicas)?;
    let wanted = content(primary)?;
    for port in replicas {
        let got = content(*port)?;
        let missing = wanted.iter().find(|(key, value)| got.get(key) != Some(value));
        let extra = got.iter().find(|(key, _)| !wanted.contains_key(key));
        if let Some((key, value)) = missing {
            let there = got.get(key);
            bail!("{key:?} is {value:?} at the primary, {there:?} at its replica {port}");
        }
        if let Some((key, value)) = extra {
            bail!("{key:?} is {value:?} at the replica {port} alone");
        }
    }
    Ok(wanted.len())
}

/// Waits until all are at the same position.
pub(super) fn level(primary: u16, replicas: &[u16]) -> Result<()> {
    let offset = |port: u16| Talk::to(port)?.info("master_repl_offset");
    until("all are at the same position", || {
        let at = offset(primary)?;
        let same = replicas.iter().map(|port| Ok(offset(*port)? == at));
        Ok(same.collect::<Result<Vec<bool>>>()?.iter().all(|same| *same).then_some(()))
    })
}

fn settle(primary: u16) -> Result<()> {
    let mut talk = Talk::to(primary)?;
    let touches: Vec<String> = touches().collect();
    for db in 0..DATABASES {
        talk.ask(&format!("SELECT {db}"))?;
        until("short-lived keys are gone", || {
            let replies = talk.all(&touches)?;
            Ok(replies.iter().all(|reply| *reply == Value::Null).then_some(()))
        })?;
    }
    Ok(())
}

fn content(port: u16) -> Result<Content> {
    let mut talk = Talk::to(port)?;
    // Replicas of a cluster would send us to their primary; others refuse it.
    talk.ask("READONLY")?;
    let mut content = Content::new();
    for db in 0..DATABASES {
        talk.ask(&format!("SELECT {db}"))?;
        let keys = keys(&mut talk)?;
        let lines: Vec<String> = keys
            .iter()
            .flat_map(|key| ["TYPE", "GET", "PEXPIRETIME"].map(|name| format!("{name} {key}")))
            .collect();
        let replies = talk.all(&lines)?;
        for (key, facts) in keys.into_iter().zip(replies.chunks(3)) {
            let facts = [text(&facts[0]), text(&facts[1]), text(&facts[2])];
            content.insert((db, key), facts);
        }
    }
    Ok(content)
}

/// All keys of the selected database, by SCAN.
fn keys(talk: &mut Talk) -> Result<Vec<String>> {
    let (mut keys, mut cursor) = (Vec::new(), String::from("0"));
    // A cursor that never ends is the server's fault.
    for _ in 0..100_000 {
        let reply = talk.all(&[format!("SCAN {cursor} COUNT 1000")])?.pop();
        let Some(Value::Array(parts)) = reply else { bail!("SCAN: {reply:?}") };
        let [next, Value::Array(found)] = parts.as_slice() else { bail!("SCAN: {parts:?}") };
        keys.extend(found.iter().map(text));
        cursor = text(next);
        if cursor == "0" {
            keys.sort_unstable();
            keys.dedup();
            return Ok(keys);
        }
    }
    None.context("SCAN does not end")
}
