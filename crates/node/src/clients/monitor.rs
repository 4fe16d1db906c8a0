//! MONITOR: a line for each command that ran.

use crate::execute::Turn;
use crate::node::Node;
use front::Session;
use machine::Peer;
use wire::command::{Command, CommandId, flag};
use wire::reply::Reply;
use wire::words;

impl Node {
    /// MONITOR.
    pub(crate) fn monitor(&mut self, session: &mut Session, turn: &mut Turn<'_>) {
        let mut reply = Reply::new(turn.buffer, session.protocol);
        if session.transaction.running.is_some() {
            return reply.error("ERR MONITOR isn't allowed for DENY BLOCKING client");
        }
        if session.modes.monitor || self.kind(session.conn) == front::Kind::Replica {
            return;
        }
        session.modes.monitor = true;
        session.set_gates();
        self.clients.monitors.push(session.conn);
        self.close_gates();
        reply.ok();
    }

    /// Ends what MONITOR began.
    pub(crate) fn end_monitor(&mut self, session: &Session) {
        self.clients.monitors.retain(|monitor| *monitor != session.conn);
        self.close_gates();
    }

    /// Shows a command that has run to those who want to see it.
    pub(crate) fn show(
        &self,
        row: &Command,
        session: &Session,
        args: &[&[u8]],
        turn: &mut Turn<'_>,
    ) {
        let hidden = row.flags.has(flag::SKIP_MONITOR) || row.flags.has(flag::ADMIN);
        if hidden || self.clients.monitors.is_empty() {
            return;
        }
        let line = line(row.id, session, args, turn.now.wall.0);
        for monitor in &self.clients.monitors {
            if *monitor == session.conn {
                turn.buffer.extend_from_slice(&line);
            } else {
                turn.out.queue(*monitor, &line);
            }
        }
    }
}

fn line(id: CommandId, session: &Session, args: &[&[u8]], micros: u64) -> Vec<u8> {
    let peer = match &session.peer {
        Peer::Tcp { remote, .. } => remote.to_string(),
        Peer::Unix { path } => format!("unix:{path}"),
    };
    let (seconds, rest) = (micros / 1_000_000, micros % 1_000_000);
    let mut line = format!("+{seconds}.{rest:06} [{} {peer}]", session.db).into_bytes();
    for (index, arg) in args.iter().enumerate() {
        line.push(b' ');
        let secret = is_secret(id, index, args);
        words::quote(if secret { b"(redacted)" } else { arg }, &mut line);
    }
    line.extend_from_slice(b"\r\n");
    line
}

/// Whether an argument is part of a name and password.
fn is_secret(id: CommandId, index: usize, args: &[&[u8]]) -> bool {
    let follows_auth =
        |back: usize| index >= 2 + back && args[index - back].eq_ignore_ascii_case(b"auth");
    match id {
        CommandId::Auth => index > 0,
        CommandId::Hello => follows_auth(1) || follows_auth(2),
        CommandId::Migrate => crate::migrate::is_secret(index, args),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_hidden() {
        let hidden = |id, line: &str| -> Vec<bool> {
            let args: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
            (0..args.len()).map(|index| is_secret(id, index, &args)).collect()
        };
        assert_eq!(hidden(CommandId::Auth, "auth a b"), [false, true, true]);
        let hello = hidden(CommandId::Hello, "hello 3 AUTH a b SETNAME c");
        assert_eq!(hello, [false, false, false, true, true, false, false]);
        assert_eq!(hidden(CommandId::Get, "get auth"), [false, false]);
    }
}
