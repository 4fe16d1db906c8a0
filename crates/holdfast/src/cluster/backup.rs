//! `backup`: a snapshot of every primary, and who owned what, in a folder.

use super::arguments::address;
use super::session::plain;
use super::{Desk, SETTLE, look, session};
use admin::json;
use admin::{Node, text};
use serde_json::Value;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

/// How long a node may be silent while it makes its snapshot.
const PATIENCE: Duration = Duration::from_secs(600);
/// No node says more before its snapshot begins.
const LONGEST_LINE: usize = 1024;

/// Saves the cluster into a folder.
pub(super) fn run(desk: &mut Desk<'_>, [seed, folder]: [&str; 2]) -> Result<bool, String> {
    let picture = desk.session.settled(&address(seed)?, SETTLE / 4)?;
    look::show_silent(desk, &picture);
    let problems = look::examine(desk, &picture, false);
    let folder = Path::new(folder);
    fs::create_dir_all(folder).map_err(|error| named(folder, &error))?;
    for node in picture.primaries() {
        desk.talk.line(format!(">>> Node {} -> Saving RDB...", text(&node.address())));
        if desk.options.manner.dry_run {
            continue;
        }
        let name = format!("redis-node-{}-{}-{}.rdb", node.host, node.port, node.id);
        let bytes = save(desk, node, &folder.join(&name))?;
        desk.talk.line(format!("    {bytes} bytes in {name}"));
    }
    if desk.options.manner.dry_run {
        return Ok(true);
    }
    let path = folder.join("nodes.json");
    desk.talk.line(format!("Saving cluster configuration to: {}", path.display()));
    let nodes = Value::from_iter(picture.nodes().map(json::node));
    fs::write(&path, format!("{nodes}\n")).map_err(|error| named(&path, &error))?;
    if !problems.is_empty() {
        desk.talk.line(
            "*** Cluster seems to have some problems, please be aware of it if you're going to \
             restore this backup.",
        );
    }
    desk.talk.line(format!("[OK] Backup created into: {}", folder.display()));
    desk.result(|| json::picture(&picture, &problems));
    Ok(true)
}

fn named(path: &Path, error: &io::Error) -> String {
    format!("[ERR] {}: {error}", path.display())
}

/// Takes a snapshot as a replica does; how large it is.
fn save(desk: &Desk<'_>, node: &Node, path: &Path) -> Result<u64, String> {
    let access = &desk.options.access;
    let (user, password) = (access.user.as_deref(), access.password.as_deref());
    let mut link = session::connect(&node.address(), user, password)?;
    // So that the primary does not prepare for a stream that nobody will read. Older ones have no
    // such option.
    let _ = link.call(&[b"REPLCONF", b"rdb-only", b"1"]);
    let at = |error: io::Error| format!("[ERR] {}: {}", text(&node.address()), plain(&error));
    let stream = link.into_tcp().ok_or("a snapshot comes over TCP")?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(at)?;
    let fresh = path.with_extension("rdb.part");
    let mut file = File::create(&fresh).map_err(|error| named(&fresh, &error))?;
    let bytes = receive(stream, &mut file).map_err(at)?;
    file.sync_all().and_then(|()| fs::rename(&fresh, path)).map_err(|error| named(path, &error))?;
    Ok(bytes)
}

fn receive(mut stream: TcpStream, file: &mut File) -> io::Result<u64> {
    stream.write_all(b"SYNC\r\n")?;
    let wrong = |text: &str| io::Error::new(io::ErrorKind::InvalidData, text.to_string());
    let mut line = Vec::new();
    // Line feeds come alone while the snapshot is made.
    while line.is_empty() {
        let mut byte = [0];
        while stream.read_exact(&mut byte).map(|()| byte[0] != b'\n')? {
            line.push(byte[0]);
            if line.len() > LONGEST_LINE {
                return Err(wrong("no snapshot, but a long line"));
            }
        }
        line = line.trim_ascii().to_vec();
    }
    let text = String::from_utf8_lossy(&line).into_owned();
    let size = text.strip_prefix('$').ok_or_else(|| wrong(&text))?;
    if let Some(mark) = size.strip_prefix("EOF:") {
        return receive_marked(stream, mark.as_bytes(), file);
    }
    let size: u64 = size.parse().map_err(|_| wrong(&text))?;
    let copied = io::copy(&mut stream.take(size), file)?;
    if copied < size { Err(wrong("the snapshot ended early")) } else { Ok(copied) }
}

/// A snapshot of unknown size, ended by a mark.
fn receive_marked(mut stream: TcpStream, mark: &[u8], file: &mut File) -> io::Result<u64> {
    let (mut kept, mut written) = (Vec::new(), 0);
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let n = stream.read(&mut buffer)?;
        if n == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the snapshot ended early"));
        }
        kept.extend_from_slice(&buffer[..n]);
        // Nothing follows the mark before the replica has acknowledged the snapshot.
        let ended = kept.ends_with(mark);
        let keep = if ended { mark.len() } else { mark.len().min(kept.len()) };
        let whole = kept.len() - keep;
        file.write_all(&kept[..whole])?;
        written += whole as u64;
        if ended {
            return Ok(written);
        }
        kept.drain(..whole);
    }
}
