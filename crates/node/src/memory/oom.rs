//! `oom-score-adj`: how soon the system ends this process when the host's memory runs out.
//!
//! The score is a file. What it says before we change it is what `relative` adds to, and what `no`
//! goes back to. It follows the role: who can be replaced goes first.

use crate::config::Config;
use crate::execute::Turn;
use crate::listening::Change;
use crate::node::Node;
use front::{Awaited, Session};
use machine::{ConnId, FileError, FileOp, FileOutput, Level, OpenMode, Out, Ticket};
use std::collections::VecDeque;
use std::sync::Arc;

const PATH: &str = "/proc/self/oom_score_adj";
/// The file holds a number of at most five characters.
const LEN: usize = 64;
/// What the system takes.
const MOST: i64 = 1000;

/// How the score stands, and what is to become of it.
#[derive(Default)]
pub(crate) struct Oom {
    /// What it was before we set it.
    base: Option<i64>,
    step: Option<Step>,
    wishes: VecDeque<Wish>,
}

/// What is to be made true next: settings that a client wants, or those in force.
struct Wish {
    conn: Option<ConnId>,
    changes: Vec<Change>,
}

/// A file operation under way: its file is opened, used and closed in one go.
struct Step {
    wish: Wish,
    reads: bool,
    opening: Ticket,
    using: Ticket,
    failed: Option<String>,
}

impl Node {
    /// Has the score follow the settings and the role.
    pub(crate) fn adjust_oom(&mut self, out: &mut Out) {
        let nothing =
            self.config.process.face.oom.mode == "no" && self.data.memory.oom.is_at_rest();
        if !nothing {
            self.wish_oom(Wish { conn: None, changes: Vec::new() }, out);
        }
    }

    /// Takes over settings once the score is as they say; the client waits.
    pub(crate) fn adjust_oom_for(
        &mut self,
        changes: Vec<Change>,
        session: &mut Session,
        turn: &mut Turn<'_>,
    ) {
        session.waiting.begin(Awaited::Score);
        self.wish_oom(Wish { conn: Some(session.conn), changes }, turn.out);
    }

    fn wish_oom(&mut self, wish: Wish, out: &mut Out) {
        self.data.memory.oom.wishes.push_back(wish);
        self.next_wish(out);
    }

    /// Begins with the next wish, if none is being worked on.
    fn next_wish(&mut self, out: &mut Out) {
        while self.data.memory.oom.step.is_none()
            && let Some(wish) = self.data.memory.oom.wishes.pop_front()
        {
            self.grant(wish, out);
        }
    }

    /// The settings a wish leads to; those in force with its changes.
    fn wished(&self, wish: &Wish) -> Config {
        let mut config = self.config.clone();
        for (row, value) in &wish.changes {
            // It was valid when it was asked for.
            let _ = config.set(row, &[value]);
        }
        config
    }

    fn grant(&mut self, wish: Wish, out: &mut Out) {
        let rule = self.wished(&wish).process.face.oom;
        let replica = self.replication.link.is_some();
        let score = match (rule.mode.as_str(), self.data.memory.oom.base) {
            ("no", None) => return self.granted(wish, true, out),
            (_, None) => None,
            ("no", base) => base,
            ("absolute", _) => Some(rule.of(replica)),
            (_, Some(base)) => Some(base.saturating_add(rule.of(replica))),
        };
        let file = self.persist.file();
        let (mode, operation) = match score {
            None => (OpenMode::Read, FileOp::Read { file, len: LEN }),
            Some(score) => {
                let text = format!("{}\n", score.clamp(-MOST, MOST));
                let data: Arc<[u8]> = Arc::from(text.as_bytes());
                (OpenMode::Append, FileOp::Append { file, range: 0..data.len(), data })
            }
        };
        let opening = out.file(FileOp::Open { file, path: String::from(PATH), mode });
        let using = out.file(operation);
        out.file(FileOp::Close { file });
        let reads = score.is_none();
        self.data.memory.oom.step = Some(Step { wish, reads, opening, using, failed: None });
    }

    /// Takes the end of a file operation, if it is one on the score.
    pub(crate) fn oom_step(
        &mut self,
        ticket: Ticket,
        result: &Result<FileOutput, FileError>,
        out: &mut Out,
    ) {
        let oom = &mut self.data.memory.oom;
        let Some(step) = &mut oom.step else { return };
        if ticket == step.opening
            && let Err(error) = result
        {
            step.failed = Some(error.text.clone());
        }
        let Some(step) = oom.step.take_if(|step| step.using == ticket) else { return };
        let failed = step.failed.or_else(|| result.as_ref().err().map(|error| error.text.clone()));
        let done = match (failed, result) {
            (None, Ok(FileOutput::Bytes(bytes))) if step.reads => {
                let text = String::from_utf8_lossy(bytes);
                oom.base = Some(text.trim().parse().unwrap_or(0));
                self.grant(step.wish, out);
                return self.next_wish(out);
            }
            (None, _) => true,
            (Some(why), _) => {
                let what = if step.reads { "read" } else { "write" };
                out.log(Level::Warning, format_args!("Unable to {what} oom_score_adj: {why}"));
                false
            }
        };
        self.granted(step.wish, done, out);
        self.next_wish(out);
    }

    /// The score is as a wish says, or could not be made so.
    fn granted(&mut self, wish: Wish, done: bool, out: &mut Out) {
        let config = self.wished(&wish);
        if done && config.process.face.oom.mode == "no" {
            self.data.memory.oom.base = None;
        }
        let Some(conn) = wish.conn else { return };
        let reply = if done {
            // It need not be followed any more.
            self.config.process.face.oom = config.process.face.oom.clone();
            self.adopt(config, out);
            String::from("+OK\r\n")
        } else {
            let mut names = wish.changes.iter().map(|(row, _)| row.name);
            let name = names.find(|name| name.starts_with("oom-score")).unwrap_or_default();
            format!(
                "-ERR CONFIG SET failed (possibly related to argument '{name}') - Failed to set \
                 current oom_score_adj. Check server logs.\r\n"
            )
        };
        self.answer_late(conn, Awaited::Score, reply.as_bytes(), out);
    }

    /// Whose connection is over hears nothing; what it wanted still happens.
    pub(crate) fn forget_wishes(&mut self, conn: ConnId) {
        let oom = &mut self.data.memory.oom;
        let under_way = oom.step.iter_mut().map(|step| &mut step.wish);
        for wish in under_way.chain(&mut oom.wishes).filter(|wish| wish.conn == Some(conn)) {
            wish.conn = Some(ConnId(u32::MAX));
        }
    }

    /// Whether settings want another score, in a request that can wait for it.
    pub(crate) fn wants_score(&self, config: &Config, session: &Session) -> bool {
        config.process.face.oom != self.config.process.face.oom
            && session.transaction.running.is_none()
    }
}

impl Oom {
    fn is_at_rest(&self) -> bool {
        self.base.is_none() && self.step.is_none() && self.wishes.is_empty()
    }
}
