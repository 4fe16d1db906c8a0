//! Files: order, locks, replacing.

use super::probe::{Cx, probe};
use crate::{Event, FileErrorKind, FileId, FileOp, FileOutput, Machine, OpenMode, Out, Ticket};
use alloc::{boxed::Box, string::String, sync::Arc, vec::Vec};
use core::net::IpAddr;

type Machines = Vec<Box<dyn Machine + Send>>;
type Expected = Result<FileOutput, FileErrorKind>;

const DONE: Expected = Ok(FileOutput::Done);

fn open(file: u32, path: &str, mode: OpenMode) -> FileOp {
    FileOp::Open { file: FileId(file), path: path.into(), mode }
}

fn append(file: u32, data: &[u8]) -> FileOp {
    FileOp::Append { file: FileId(file), range: 0..data.len(), data: Arc::from(data) }
}

fn read(file: u32) -> FileOp {
    FileOp::Read { file: FileId(file), len: 100 }
}

fn close(file: u32) -> FileOp {
    FileOp::Close { file: FileId(file) }
}

fn bytes(bytes: &[u8]) -> Expected {
    Ok(FileOutput::Bytes(bytes.into()))
}

fn opened(len: u64) -> Expected {
    Ok(FileOutput::Opened { len })
}

/// A machine that asks for all of this at once and expects these ends in this order.
fn ends(make: fn() -> Vec<(FileOp, Expected)>) -> Machines {
    let mut waiting: Vec<(Ticket, String, Expected)> = Vec::new();
    let script = move |cx: &mut Cx, event: Event<'_>, out: &mut Out| match event {
        Event::Started => {
            for (op, expected) in make() {
                let name = alloc::format!("{op:?}");
                waiting.push((out.file(op), name, expected));
            }
        }
        Event::FileDone { ticket, result } => {
            let (asked, name, expected) = waiting.remove(0);
            cx.check(asked == ticket, "ended out of order");
            let result = result.map_err(|e| e.kind);
            let what = alloc::format!("{name}: {result:?} instead of {expected:?}");
            cx.check(result == expected, &what);
            if waiting.is_empty() {
                cx.pass();
            }
        }
        _ => {}
    };
    alloc::vec![probe(1, script)]
}

pub(super) fn order(_: &[IpAddr]) -> Machines {
    ends(|| {
        alloc::vec![
            (open(1, "log", OpenMode::Read), Err(FileErrorKind::NotFound)),
            (open(1, "log", OpenMode::Append), opened(0)),
            (append(1, b"one "), DONE),
            (append(1, b"two "), DONE),
            (FileOp::Sync { file: FileId(1) }, DONE),
            (append(1, b"three"), DONE),
            (FileOp::Truncate { file: FileId(1), len: 8 }, DONE),
            (append(1, b"3"), DONE),
            (close(1), DONE),
            (open(2, "log", OpenMode::Read), opened(9)),
            (FileOp::Read { file: FileId(2), len: 4 }, bytes(b"one ")),
            (read(2), bytes(b"two 3")),
            (read(2), bytes(b"")),
            (close(2), DONE),
            (open(1, "log", OpenMode::Create), opened(0)),
            (append(1, b"new"), DONE),
            (close(1), DONE),
            (open(1, "log", OpenMode::Append), opened(3)),
            (append(1, b"er"), DONE),
            (close(1), DONE),
            (FileOp::Rename { from: "log".into(), to: "old".into() }, DONE),
            (open(1, "log", OpenMode::Read), Err(FileErrorKind::NotFound)),
            (open(1, "old", OpenMode::Read), opened(5)),
            (read(1), bytes(b"newer")),
            (close(1), DONE),
            (FileOp::Remove { path: "old".into() }, DONE),
            (FileOp::Remove { path: "old".into() }, Err(FileErrorKind::NotFound)),
        ]
    })
}

pub(super) fn lock(_: &[IpAddr]) -> Machines {
    ends(|| {
        let lock = |file| FileOp::Lock { file: FileId(file), path: "lock".into() };
        alloc::vec![
            (lock(1), DONE),
            (lock(2), Err(FileErrorKind::Locked)),
            (close(1), DONE),
            (lock(2), DONE),
            (close(2), DONE),
        ]
    })
}

pub(super) fn replace(_: &[IpAddr]) -> Machines {
    ends(|| {
        let replace = |data: &[u8]| FileOp::Replace { path: "conf".into(), data: data.into() };
        alloc::vec![
            (replace(b"first"), DONE),
            (open(1, "conf", OpenMode::Read), opened(5)),
            (replace(b"other text"), DONE),
            // The open file is still the old one.
            (read(1), bytes(b"first")),
            (close(1), DONE),
            (open(1, "conf", OpenMode::Read), opened(10)),
            (read(1), bytes(b"other text")),
            (close(1), DONE),
        ]
    })
}
