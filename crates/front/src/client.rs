//! CLIENT: what a session says of itself, how sessions are shown, and which are meant.

use crate::session::{Replies, Session, Side, write_end};
use crate::speak::Spoken;
use machine::Instant;
use wire::command::CommandId;
use wire::number;
use wire::reply::{Protocol, Reply};

/// What a client is to the server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// An ordinary client.
    Normal,
    /// Our primary.
    Primary,
    /// A replica.
    Replica,
    /// A subscriber.
    Pubsub,
}

impl Kind {
    /// The kind of this name, in any case.
    pub fn by_name(name: &[u8]) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_slice() {
            b"normal" => Kind::Normal,
            b"master" => Kind::Primary,
            b"slave" | b"replica" => Kind::Replica,
            b"pubsub" => Kind::Pubsub,
            _ => return None,
        })
    }
}

/// What the server knows of a session beside the session itself.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    /// What it is.
    pub kind: Kind,
    /// It waits for something that other clients do.
    pub blocked: bool,
    /// One of its watched keys has changed.
    pub dirty: bool,
    /// Bytes of the request at hand, with its framing, and of its arguments alone.
    pub request: (usize, usize),
    /// Bytes of output in its buffer, and in shared pieces, and how many those are.
    pub output: (usize, usize, usize),
    /// Bytes of memory that its output takes.
    pub held: usize,
}

impl Figures {
    /// Bytes of memory that the session takes.
    pub fn footprint(&self, session: &Session) -> usize {
        let texts = [&session.label.name, &session.label.library[0], &session.label.library[1]];
        let input = session.decoder.held_bytes() + self.request.0 + self.request.1;
        size_of::<Session>()
            + texts.iter().map(|text| text.capacity()).sum::<usize>()
            + input
            + session.transaction.footprint()
            + self.held
    }
}

/// Appends a session as CLIENT LIST shows it, with the end of the line. There may be very many of
/// them, so nothing is allocated for one.
pub fn describe(session: &Session, figures: &Figures, now: Instant, line: &mut Vec<u8>) {
    let seconds = |since| now.since(since).0 / 1_000_000_000;
    let (buffer, shared, pieces) = figures.output;
    let [library, version] = &session.label.library;
    let queue = session.transaction.queue.as_ref();
    let number = |line: &mut Vec<u8>, name: &str, value: u64| {
        text(line, name);
        number::write_u64(value, line);
    };
    number(line, "id=", session.id);
    text(line, " addr=");
    write_end(&session.peer, Side::Remote, line);
    text(line, " laddr=");
    write_end(&session.peer, Side::Local, line);
    number(line, " fd=", u64::from(session.conn.0));
    text(line, " name=");
    text(line, &session.label.name);
    number(line, " age=", seconds(session.since));
    number(line, " idle=", seconds(session.active));
    text(line, " flags=");
    write_flags(session, figures, line);
    number(line, " db=", u64::from(session.db));
    text(line, " sub=0 psub=0 ssub=0 multi=");
    number::write_i64(session.transaction.depth().map_or(-1, |depth| depth as i64), line);
    number(line, " qbuf=", (session.decoder.held_bytes() + figures.request.0) as u64);
    number(line, " qbuf-free=0 argv-mem=", figures.request.1 as u64);
    number(line, " multi-mem=", queue.map_or(0, |queue| queue.requests.bytes()) as u64);
    number(line, " rbs=", buffer as u64);
    number(line, " rbp=", buffer as u64);
    number(line, " obl=", buffer as u64);
    number(line, " oll=", pieces as u64);
    number(line, " omem=", shared as u64);
    number(line, " tot-mem=", figures.footprint(session) as u64);
    let writes = buffer + shared > 0 && figures.request.0 == 0;
    text(line, if writes { " events=rw cmd=" } else { " events=r cmd=" });
    match session.last {
        Some(id) => write_name(id, line),
        None => text(line, "NULL"),
    }
    let resp3 = session.protocol == Protocol::Resp3;
    text(
        line,
        if resp3 { " user=default redir=-1 resp=3" } else { " user=default redir=-1 resp=2" },
    );
    text(line, " lib-name=");
    text(line, library);
    text(line, " lib-ver=");
    text(line, version);
    line.push(b'\n');
}

fn text(line: &mut Vec<u8>, text: &str) {
    line.extend_from_slice(text.as_bytes());
}

/// The full name of a command: `client|list`.
fn write_name(id: CommandId, line: &mut Vec<u8>) {
    let row = wire::command::get(id);
    if let Some(parent) = row.parent {
        text(line, wire::command::get(parent).name);
        line.push(b'|');
    }
    text(line, row.name);
}

fn write_flags(session: &Session, figures: &Figures, line: &mut Vec<u8>) {
    let modes = &session.modes;
    let set = [
        (modes.monitor, b'O'),
        (figures.kind == Kind::Replica, b'S'),
        (figures.kind == Kind::Primary, b'M'),
        (figures.kind == Kind::Pubsub, b'P'),
        (session.transaction.depth().is_some(), b'x'),
        (figures.blocked, b'b'),
        (figures.dirty, b'd'),
        (session.closing, b'c'),
        (matches!(session.peer, machine::Peer::Unix { .. }), b'U'),
        (modes.readonly, b'r'),
        (modes.no_evict, b'e'),
        (modes.no_touch, b'T'),
    ];
    let before = line.len();
    line.extend(set.iter().filter(|(is, _)| *is).map(|(_, flag)| *flag));
    if line.len() == before {
        line.push(b'N');
    }
}

/// Which sessions CLIENT LIST or CLIENT KILL means.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Filter {
    /// These ids.
    pub ids: Option<Vec<u64>>,
    /// This kind.
    pub kind: Option<Kind>,
    /// This other end.
    pub addr: Option<String>,
    /// This end of ours.
    pub laddr: Option<String>,
    /// At least so many seconds old.
    pub max_age: Option<u64>,
    /// The asking session as well.
    pub myself: bool,
}

impl Filter {
    /// Reads the words after CLIENT LIST.
    ///
    /// # Errors
    /// The error reply for what is not understood.
    pub fn of_list(words: &[&[u8]]) -> Result<Self, String> {
        let mut filter = Filter { myself: true, ..Filter::default() };
        match words {
            [] => {}
            [word, kind] if word.eq_ignore_ascii_case(b"type") => {
                filter.kind = Some(kind_or_error(kind)?);
            }
            [word, ids @ ..] if word.eq_ignore_ascii_case(b"id") && !ids.is_empty() => {
                let ids = ids.iter().map(|id| number::parse_i64(id));
                let ids: Option<Vec<i64>> = ids.collect();
                let ids = ids.ok_or("ERR Invalid client ID")?;
                filter.ids = Some(ids.into_iter().map(|id| id as u64).collect());
            }
            _ => return Err(SYNTAX.into()),
        }
        Ok(filter)
    }

    /// Reads the words after CLIENT KILL: one address, or pairs.
    ///
    /// # Errors
    /// The error reply for what is not understood.
    pub fn of_kill(words: &[&[u8]]) -> Result<Self, String> {
        let text = |word: &[u8]| Some(String::from_utf8_lossy(word).into_owned());
        if let [address] = words {
            return Ok(Filter { addr: text(address), myself: true, ..Filter::default() });
        }
        let mut filter = Filter::default();
        for pair in words.chunks(2) {
            let [option, value] = pair else { return Err(SYNTAX.into()) };
            match option.to_ascii_lowercase().as_slice() {
                b"id" => {
                    let id = number::parse_i64(value).filter(|id| *id > 0);
                    let id = id.ok_or("ERR client-id should be greater than 0")?;
                    filter.ids = Some(vec![id as u64]);
                }
                b"type" => filter.kind = Some(kind_or_error(value)?),
                b"addr" => filter.addr = text(value),
                b"laddr" => filter.laddr = text(value),
                b"user" if *value == b"default" => {}
                b"user" => {
                    let user = String::from_utf8_lossy(value);
                    return Err(format!("ERR No such user '{user}'"));
                }
                b"maxage" => {
                    let age = number::parse_i64(value);
                    let age = age.ok_or("ERR maxage is not an integer or out of range")?;
                    let age = u64::try_from(age).ok().filter(|age| *age > 0);
                    filter.max_age = Some(age.ok_or("ERR maxage should be greater than 0")?);
                }
                b"skipme" if value.eq_ignore_ascii_case(b"yes") => filter.myself = false,
                b"skipme" if value.eq_ignore_ascii_case(b"no") => filter.myself = true,
                _ => return Err(SYNTAX.into()),
            }
        }
        Ok(filter)
    }

    /// Whether a session of this kind is meant.
    pub fn takes(&self, session: &Session, kind: Kind, now: Instant) -> bool {
        let age = now.since(session.since).0 / 1_000_000_000;
        self.ids.as_ref().is_none_or(|ids| ids.contains(&session.id))
            && self.kind.is_none_or(|wanted| wanted == kind)
            && self.addr.as_ref().is_none_or(|addr| session.is_at(Side::Remote, addr))
            && self.laddr.as_ref().is_none_or(|laddr| session.is_at(Side::Local, laddr))
            && self.max_age.is_none_or(|most| age >= most)
    }
}

pub(crate) const SYNTAX: &str = "ERR syntax error";

fn kind_or_error(name: &[u8]) -> Result<Kind, String> {
    let shown = String::from_utf8_lossy(name);
    Kind::by_name(name).ok_or_else(|| format!("ERR Unknown client type '{shown}'"))
}

/// Runs a subcommand of CLIENT that concerns its own session only.
pub(crate) fn client(
    id: CommandId,
    args: &[&[u8]],
    session: &mut Session,
    reply: &mut Reply<'_>,
) -> Spoken {
    match id {
        CommandId::ClientId => reply.integer(session.id as i64),
        CommandId::ClientGetname if session.label.name.is_empty() => reply.null(),
        CommandId::ClientGetname => reply.bulk(session.label.name.as_bytes()),
        CommandId::ClientSetname => {
            if is_printable(args[2]) {
                session.label.name = String::from_utf8_lossy(args[2]).into_owned();
                reply.ok();
            } else {
                reply.error(BAD_NAME);
            }
        }
        CommandId::ClientSetinfo => set_info(args[2], args[3], session, reply),
        CommandId::ClientNoEvict => switch(args[2], &mut session.modes.no_evict, reply),
        CommandId::ClientNoTouch => {
            switch(args[2], &mut session.modes.no_touch, reply);
            session.set_gates();
        }
        CommandId::ClientReply => set_replies(args[2], session, reply),
        CommandId::ClientGetredir => reply.integer(-1),
        CommandId::ClientTrackinginfo => {
            reply.map(3);
            reply.bulk(b"flags");
            reply.set(1);
            reply.bulk(b"off");
            reply.bulk(b"redirect");
            reply.integer(-1);
            reply.bulk(b"prefixes");
            reply.array(0);
        }
        _ => return Spoken::Foreign,
    }
    Spoken::Done
}

fn switch(word: &[u8], mode: &mut bool, reply: &mut Reply<'_>) {
    *mode = match word.to_ascii_lowercase().as_slice() {
        b"on" => true,
        b"off" => false,
        _ => return reply.error(SYNTAX),
    };
    reply.ok();
}

/// CLIENT REPLY: itself it is answered only when replies are wanted.
fn set_replies(word: &[u8], session: &mut Session, reply: &mut Reply<'_>) {
    let replies = &mut session.modes.replies;
    match word.to_ascii_lowercase().as_slice() {
        b"on" => {
            *replies = Replies::All;
            reply.ok();
        }
        b"off" => *replies = Replies::None,
        b"skip" if *replies == Replies::None => {}
        b"skip" => *replies = Replies::SkipNext,
        _ => reply.error(SYNTAX),
    }
    session.set_gates();
}

pub(crate) const BAD_NAME: &str =
    "ERR Client names cannot contain spaces, newlines or special characters.";

pub(crate) fn is_printable(word: &[u8]) -> bool {
    word.iter().all(|byte| (b'!'..=b'~').contains(byte))
}

fn set_info(field: &[u8], value: &[u8], session: &mut Session, reply: &mut Reply<'_>) {
    let index = match field.to_ascii_lowercase().as_slice() {
        b"lib-name" => 0,
        b"lib-ver" => 1,
        _ => {
            let field = String::from_utf8_lossy(field);
            return reply.error(&format!("ERR Unrecognized option '{field}'"));
        }
    };
    if !is_printable(value) {
        let field = ["lib-name", "lib-ver"][index];
        return reply
            .error(&format!("ERR {field} cannot contain spaces, newlines or special characters."));
    }
    session.label.library[index] = String::from_utf8_lossy(value).into_owned();
    reply.ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<&[u8]> {
        line.split(' ').map(str::as_bytes).collect()
    }

    #[test]
    fn filters_are_read() {
        let kill = |line| Filter::of_kill(&words(line));
        let addr = |addr: &str| Some(addr.to_owned());
        let old = kill("1.2.3.4:5").expect("an address");
        assert_eq!((old.addr, old.myself), (addr("1.2.3.4:5"), true));
        let many = kill("ID 7 TYPE replica LADDR 1:2 MAXAGE 9 SKIPME no").expect("a filter");
        assert_eq!((many.ids, many.kind), (Some(vec![7]), Some(Kind::Replica)));
        assert_eq!((many.laddr, many.max_age, many.myself), (addr("1:2"), Some(9), true));
        assert!(!kill("USER default ADDR 1:1").expect("a filter").myself);
        for line in ["ID 1 TYPE", "ID 0 x y", "FOO bar", "SKIPME maybe", "MAXAGE 0", "USER x"] {
            assert!(kill(line).is_err(), "{line}");
        }
        let list = |line| Filter::of_list(&words(line));
        assert_eq!(list("ID 3 4").expect("a filter").ids, Some(vec![3, 4]));
        assert!(Filter::of_list(&[]).expect("a filter").ids.is_none());
        for line in ["ID", "TYPE", "TYPE x", "ID x", "TYPE normal x"] {
            assert!(list(line).is_err(), "{line}");
        }
    }
}
