//! CONFIG REWRITE's way to the file: read it, close it, replace it as a whole.

use crate::config::{self, Config};
use crate::execute::Turn;
use crate::node::Node;
use front::{Awaited, Session};
use machine::{ConnId, FileError, FileId, FileOp, FileOutput, Level, OpenMode, Out, Ticket};
use wire::reply::Reply;

/// A rewrite under way.
pub(crate) struct Rewriting {
    conn: ConnId,
    file: FileId,
    ticket: Ticket,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Open,
    Read,
    Replace,
}

impl Node {
    /// The settings in force, with the primary that is followed by now.
    pub(crate) fn settings(&self) -> Config {
        let mut config = self.config.clone();
        if self.clustering.is_none() {
            config.replicaof = self.replication.link.as_ref().map_or_else(String::new, |link| {
                format!("{} {}", link.target().host, link.target().port)
            });
        }
        config
    }

    /// CONFIG REWRITE.
    pub(crate) fn config_rewrite(&mut self, session: &mut Session, turn: &mut Turn<'_>) {
        let path = self.config.process.file.clone();
        let queued = session.transaction.running.is_some();
        if path.is_empty() || queued || self.persist.rewriting.is_some() {
            let why = match path.as_str() {
                // The answer comes in a later turn, and a transaction is answered in one.
                _ if queued => "ERR Rewriting config file: not possible inside a transaction",
                "" => "ERR The server is running without a config file",
                _ => "ERR Rewriting config file: another rewrite is in progress",
            };
            return Reply::new(turn.buffer, session.protocol).error(why);
        }
        let file = self.persist.file();
        let ticket = turn.out.file(FileOp::Open { file, path, mode: OpenMode::Read });
        session.waiting.begin(Awaited::Rewrite);
        let conn = session.conn;
        self.persist.rewriting = Some(Rewriting { conn, file, ticket, stage: Stage::Open });
    }

    /// Takes the end of a file operation, if it is the rewrite's.
    pub(crate) fn rewrite_step(
        &mut self,
        ticket: Ticket,
        result: &Result<FileOutput, FileError>,
        out: &mut Out,
    ) {
        let Some(mut rewriting) = self.persist.rewriting.take_if(|r| r.ticket == ticket) else {
            return;
        };
        let file = rewriting.file;
        let text = match (rewriting.stage, result) {
            (Stage::Open, Ok(FileOutput::Opened { len })) => {
                // A little more: a file that grew meanwhile would be cut off otherwise.
                let len = *len as usize + (64 << 10);
                rewriting.stage = Stage::Read;
                rewriting.ticket = out.file(FileOp::Read { file, len });
                self.persist.rewriting = Some(rewriting);
                return;
            }
            // Somebody removed it: a new one takes its place.
            (Stage::Open, Err(error)) if error.kind == machine::FileErrorKind::NotFound => {
                String::new()
            }
            (Stage::Read, Ok(FileOutput::Bytes(bytes))) => {
                out.file(FileOp::Close { file });
                String::from_utf8_lossy(bytes).into_owned()
            }
            (Stage::Replace, Ok(_)) => return self.rewritten(rewriting.conn, Ok(()), out),
            (stage, Err(error)) => {
                if stage == Stage::Read {
                    out.file(FileOp::Close { file });
                }
                return self.rewritten(rewriting.conn, Err(&error.text), out);
            }
            (_, Ok(_)) => return self.rewritten(rewriting.conn, Err("unreadable"), out),
        };
        let data = config::rewrite(&self.settings(), &text).into_bytes();
        let path = self.config.process.file.clone();
        rewriting.stage = Stage::Replace;
        rewriting.ticket = out.file(FileOp::Replace { path, data });
        self.persist.rewriting = Some(rewriting);
    }

    /// Whose connection is over hears nothing; its number may be another's by then.
    pub(crate) fn forget_rewrite(&mut self, conn: ConnId) {
        if let Some(rewriting) = self.persist.rewriting.as_mut().filter(|r| r.conn == conn) {
            rewriting.conn = ConnId(u32::MAX);
        }
    }

    fn rewritten(&mut self, conn: ConnId, result: Result<(), &str>, out: &mut Out) {
        match result {
            Ok(()) => out.log(Level::Notice, format_args!("CONFIG REWRITE executed with success.")),
            Err(why) => out.log(Level::Warning, format_args!("CONFIG REWRITE failed: {why}")),
        }
        let reply = match result {
            Ok(()) => String::from("+OK\r\n"),
            Err(why) => format!("-ERR Rewriting config file: {why}\r\n"),
        };
        self.answer_late(conn, Awaited::Rewrite, reply.as_bytes(), out);
    }
}
