//! `import`: brings the keys of a single server into a cluster.

use super::arguments::address;
use super::session::plain;
use super::{Desk, SETTLE, look, session};
use crate::connection::{Connection, text};
use admin::{Address, Picture};
use serde_json::json;
use std::time::Duration;
use wire::slot::slot;
use wire::value::Value;

/// As MIGRATE itself only counts silence.
const LONG: Duration = Duration::from_secs(600);

/// Moves or copies all keys of database 0.
pub(super) fn run(desk: &mut Desk<'_>, seed: &Address) -> Result<bool, String> {
    let from = desk
        .options
        .transfer
        .from
        .clone()
        .ok_or("[ERR] Option '--cluster-from' is required for subcommand 'import'.")?;
    let from = address(&from).map_err(|_| {
        "[ERR] Invalid --cluster-from host. You need to pass a valid address (ie. 120.0.0.1:7000)."
    })?;
    let (from_text, seed_text) = (admin::text(&from), admin::text(seed));
    desk.talk.line(format!(">>> Importing data from {from_text} to cluster {seed_text}"));
    let picture = desk.session.settled(seed, SETTLE / 4)?;
    look::show_silent(desk, &picture);
    if !look::examine(desk, &picture, false).is_empty() {
        return Err(String::from("*** Please fix your cluster problems before importing"));
    }
    let access = &desk.options.access;
    let (user, password) = (access.from_user.as_deref(), access.from_password.as_deref());
    let mut source = session::connect(&from, user, password)?;
    let failed = |error: String| format!("Source {from_text} replied with error:\n{error}");
    let mut say = |words: &[&[u8]]| {
        source
            .call(words)
            .map_err(|error| failed(plain(&error)))
            .and_then(|v| text(v).map_err(failed))
    };
    if say(&[b"INFO"])?.contains("cluster_enabled:1") {
        return Err(String::from("[ERR] The source node should not be a cluster node."));
    }
    let size = say(&[b"DBSIZE"])?;
    desk.talk.line(format!("*** Importing {size} keys from DB 0"));
    if desk.options.manner.dry_run {
        return Ok(true);
    }
    let mut import = Import { desk, picture: &picture, source, from_text: &from_text, moved: 0 };
    import.all()?;
    let moved = import.moved;
    desk.result(|| json!({ "imported": moved }));
    Ok(true)
}

struct Import<'i, 'd, 'o> {
    desk: &'i Desk<'d>,
    picture: &'o Picture,
    source: Connection,
    from_text: &'o str,
    moved: usize,
}

impl Import<'_, '_, '_> {
    fn all(&mut self) -> Result<(), String> {
        let owners = owners(self.picture);
        let mut cursor = b"0".to_vec();
        loop {
            let reply = self.call(&[b"SCAN", &cursor, b"COUNT", b"1000"])?;
            let from = self.from_text;
            let wrong = || format!("Source {from}: not a reply to SCAN");
            let Value::Array(mut parts) = reply else { return Err(wrong()) };
            let (Some(Value::Array(keys)), Some(Value::Bulk(next))) = (parts.pop(), parts.pop())
            else {
                return Err(wrong());
            };
            for key in keys {
                let Value::Bulk(key) = key else { return Err(wrong()) };
                let owner = owners[usize::from(slot(&key))].as_ref();
                let owner = owner.ok_or("[ERR] A slot has no owner any more.")?;
                self.one(&key, owner)?;
            }
            if next == b"0" {
                return Ok(());
            }
            cursor = next;
        }
    }

    fn one(&mut self, key: &[u8], to: &Address) -> Result<(), String> {
        let name = String::from_utf8_lossy(key);
        self.desk.talk.part(&format!("Migrating {name} to {}: ", admin::text(to)));
        let options = self.desk.options;
        let (port, timeout) = (to.1.to_string(), options.transfer.timeout_ms.to_string());
        let mut words: Vec<&[u8]> =
            vec![b"MIGRATE", to.0.as_bytes(), port.as_bytes(), key, b"0", timeout.as_bytes()];
        if options.transfer.copy {
            words.push(b"COPY");
        }
        if options.transfer.replace {
            words.push(b"REPLACE");
        }
        match (&options.access.user, &options.access.password) {
            (Some(user), Some(password)) => {
                words.extend([&b"AUTH2"[..], user.as_bytes(), password.as_bytes()]);
            }
            (None, Some(password)) => words.extend([&b"AUTH"[..], password.as_bytes()]),
            _ => {}
        }
        self.source
            .set_timeout(Duration::from_millis(options.transfer.timeout_ms) + LONG)
            .map_err(|error| error.to_string())?;
        let result = self.call(&words);
        self.desk.talk.line(if result.is_ok() { "OK" } else { "" });
        result?;
        self.moved += 1;
        Ok(())
    }

    fn call(&mut self, words: &[&[u8]]) -> Result<Value, String> {
        let failed = |text: &str| format!("Source {} replied with error:\n{text}", self.from_text);
        match self.source.call(words).map_err(|error| failed(&plain(&error)))? {
            Value::Error(text) => Err(failed(&String::from_utf8_lossy(&text))),
            reply => Ok(reply),
        }
    }
}

/// The owner of each slot.
fn owners(picture: &Picture) -> Vec<Option<Address>> {
    let mut out = vec![None; wire::slot::SLOTS];
    for node in picture.primaries() {
        for slot in node.slots.iter() {
            out[usize::from(slot)] = Some(node.address());
        }
    }
    out
}
