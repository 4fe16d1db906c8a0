//! A snapshot that is sent to a replica from its file.

use crate::node::Node;
use machine::{ConnId, FileError, FileId, FileOp, FileOutput, Level, Now, OpenMode, Out, Ticket};
use replication::Stage;
use std::sync::Arc;

/// How much of the file is read at a time.
const CHUNK: usize = 256 << 10;
/// Nothing more is read while this much waits for the replica.
const AHEAD: usize = 1 << 20;

/// A file on its way to a replica.
pub(crate) struct Filing {
    conn: ConnId,
    file: FileId,
    /// The operation under way, if one is.
    ticket: Option<Ticket>,
    /// Bytes still to be sent; none before the file is open.
    left: Option<u64>,
}

impl Node {
    /// The file is whole: it is sent to all who were promised the data at its position. Who was
    /// promised an earlier file, which was given up, asks again.
    pub(crate) fn send_files(&mut self, position: Option<u64>, now: Now, out: &mut Out) {
        for conn in self.replication.replicas.at(Stage::Promised) {
            let promised = self.replication.replicas.get(conn).map(|replica| replica.position);
            if promised.is_none() || promised != position {
                out.close(conn);
                continue;
            }
            let file = self.persist.file();
            let path = self.config.dbfilename.clone();
            let ticket = Some(out.file(FileOp::Open { file, path, mode: OpenMode::Read }));
            self.replication.replicas.file_began(conn, now.mono);
            self.replication.chores.filings.push(Filing { conn, file, ticket, left: None });
            self.replication.chores.made_file = true;
        }
    }

    /// Takes the end of a file operation, if it is one of these.
    pub(crate) fn filing_step(
        &mut self,
        ticket: Ticket,
        result: &Result<FileOutput, FileError>,
        now: Now,
        out: &mut Out,
    ) {
        let filings = &mut self.replication.chores.filings;
        let Some(filing) = filings.iter_mut().find(|filing| filing.ticket == Some(ticket)) else {
            return;
        };
        filing.ticket = None;
        let conn = filing.conn;
        match result {
            Ok(FileOutput::Opened { len }) => {
                filing.left = Some(*len);
                out.queue(conn, format!("${len}\r\n").as_bytes());
            }
            Ok(FileOutput::Bytes(bytes)) => {
                let left = filing.left.unwrap_or(0);
                let n = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                if n == 0 && left > 0 {
                    return self.filing_failed(conn, "it ends too early", out);
                }
                filing.left = Some(left - n as u64);
                out.chunk(conn, Arc::from(&bytes[..n]), 0..n);
            }
            Ok(FileOutput::Done) => {}
            Err(error) => return self.filing_failed(conn, &error.to_string(), out),
        }
        self.advance_filings(now, out);
    }

    /// Reads on for those whose connections have taken what they were given.
    pub(crate) fn advance_filings(&mut self, now: Now, out: &mut Out) {
        let mut sent = Vec::new();
        for filing in &mut self.replication.chores.filings {
            let idle = filing.ticket.is_none();
            match filing.left {
                Some(0) if idle => {
                    out.file(FileOp::Close { file: filing.file });
                    sent.push(filing.conn);
                }
                Some(_) if idle && out.queued(filing.conn) < AHEAD => {
                    let read = FileOp::Read { file: filing.file, len: CHUNK };
                    filing.ticket = Some(out.file(read));
                }
                Some(_) if idle => out.tell_drained(filing.conn),
                _ => {}
            }
        }
        if !sent.is_empty() {
            self.replication.chores.filings.retain(|filing| !sent.contains(&filing.conn));
            self.sync_sent(&sent, false, now, out);
            self.discard_sync_file(out);
        }
    }

    fn filing_failed(&mut self, conn: ConnId, why: &str, out: &mut Out) {
        out.log(Level::Warning, format_args!("Read error sending DB to replica: {why}"));
        out.close(conn);
    }

    /// A replica is gone.
    pub(super) fn forget_filing(&mut self, conn: ConnId, out: &mut Out) {
        let filings = &mut self.replication.chores.filings;
        if let Some(at) = filings.iter().position(|filing| filing.conn == conn) {
            let filing = filings.swap_remove(at);
            out.file(FileOp::Close { file: filing.file });
            self.discard_sync_file(out);
        }
    }

    /// With `rdb-del-sync-files`, a file that was made for replicas only goes when none needs it.
    fn discard_sync_file(&mut self, out: &mut Out) {
        let wanted = !self.replication.chores.filings.is_empty()
            || !self.replication.replicas.at(Stage::Promised).is_empty();
        if !wanted
            && std::mem::take(&mut self.replication.chores.made_file)
            && self.keeps_no_files()
        {
            out.log(Level::Notice, format_args!("Removing the RDB file used to feed replicas"));
            out.file(FileOp::Remove { path: self.config.dbfilename.clone() });
        }
    }

    /// Whether data is to be on disk no longer than a sync needs it.
    pub(super) fn keeps_no_files(&self) -> bool {
        self.config.repl.delete_files && self.save_points().is_empty() && !self.config.appendonly
    }
}
