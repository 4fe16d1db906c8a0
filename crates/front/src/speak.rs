//! The commands about a session: HELLO, AUTH, PING, SELECT, CLIENT and the like.

use crate::client::{BAD_NAME, client, is_printable};
use crate::introspect;
use crate::session::Session;
use wire::command::CommandId;
use wire::number;
use wire::reply::{Protocol, Reply};

/// What a session's commands need to know of the server.
#[derive(Clone, Copy)]
pub struct Login<'a> {
    /// `requirepass`; empty: none.
    pub password: &'a str,
    /// How many databases there are.
    pub databases: u32,
    /// Whether only database 0 exists, as in cluster mode.
    pub cluster: bool,
    /// `master` or `replica`, for HELLO.
    pub role: &'static str,
    /// The version HELLO tells.
    pub version: &'static str,
}

/// Whether a command was one of a session's own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Spoken {
    /// It was, and has been answered.
    Done,
    /// It is somebody else's.
    Foreign,
}

/// Runs a command that is about the session.
pub fn speak(
    id: CommandId,
    args: &[&[u8]],
    session: &mut Session,
    login: Login<'_>,
    reply: &mut Reply<'_>,
) -> Spoken {
    match id {
        CommandId::Ping => ping(args, reply),
        CommandId::Echo => reply.bulk(args[1]),
        CommandId::Select => select(args[1], session, login, reply),
        CommandId::Auth => auth(args, session, login, reply),
        CommandId::Hello => hello(args, session, login, reply),
        CommandId::Quit => {
            reply.ok();
            session.closing = true;
        }
        CommandId::Reset if session.modes.replica => {
            reply.error("ERR can only reset normal client connections");
        }
        CommandId::Reset => {
            session.reset(login.password.is_empty());
            reply.set_protocol(Protocol::Resp2);
            reply.simple("RESET");
        }
        CommandId::Readonly if login.cluster => {
            session.modes.readonly = true;
            reply.ok();
        }
        CommandId::Readwrite if login.cluster => {
            session.modes.readonly = false;
            reply.ok();
        }
        CommandId::Asking if login.cluster => {
            session.modes.asking = true;
            session.set_gates();
            reply.ok();
        }
        CommandId::Asking | CommandId::Readonly | CommandId::Readwrite => {
            reply.error("ERR This instance has cluster support disabled");
        }
        // Only a node in cluster mode tells about it.
        CommandId::ClusterHelp => return Spoken::Foreign,
        _ if client(id, args, session, reply) == Spoken::Done => {}
        _ => return introspect::command(id, args, reply),
    }
    Spoken::Done
}

fn ping(args: &[&[u8]], reply: &mut Reply<'_>) {
    match args {
        [_] => reply.simple("PONG"),
        [_, text] => reply.bulk(text),
        _ => reply.error("ERR wrong number of arguments for 'ping' command"),
    }
}

fn select(word: &[u8], session: &mut Session, login: Login<'_>, reply: &mut Reply<'_>) {
    let Some(db) = number::parse_i64(word) else {
        return reply.error("ERR value is not an integer or out of range");
    };
    if i32::try_from(db).is_err() {
        let (least, most) = (i32::MIN, i32::MAX);
        let text = format!("ERR value is out of range, value must between {least} and {most}");
        return reply.error(&text);
    }
    if login.cluster && db != 0 {
        return reply.error("ERR SELECT is not allowed in cluster mode");
    }
    if db < 0 || db >= i64::from(login.databases) {
        return reply.error("ERR DB index is out of range");
    }
    session.db = db as u32;
    reply.ok();
}

const WRONGPASS: &str = "WRONGPASS invalid username-password pair or user is disabled.";

/// Whether a name and password are those of the default user.
fn verify(name: &[u8], password: &[u8], login: Login<'_>) -> bool {
    // Without a password the default user takes any.
    name == b"default"
        && (login.password.is_empty() || equal_in_constant_time(password, login.password))
}

/// Compares without telling by its time where the first difference is.
fn equal_in_constant_time(given: &[u8], want: &str) -> bool {
    let want = want.as_bytes();
    let difference = (0..given.len().max(want.len())).fold(0u8, |all, i| {
        all | given.get(i).copied().unwrap_or(0) ^ want.get(i).copied().unwrap_or(0)
    });
    difference == 0 && given.len() == want.len()
}

fn auth(args: &[&[u8]], session: &mut Session, login: Login<'_>, reply: &mut Reply<'_>) {
    let (name, password) = match args {
        [_, password] => {
            if login.password.is_empty() {
                return reply.error(
                    "ERR AUTH <password> called without any password configured for the default \
                     user. Are you sure your configuration is correct?",
                );
            }
            (&b"default"[..], *password)
        }
        [_, name, password] => (*name, *password),
        _ => return reply.error("ERR syntax error"),
    };
    if verify(name, password, login) {
        session.set_closed(crate::gate::AUTH, false);
        reply.ok();
    } else {
        reply.error(WRONGPASS);
    }
}

fn hello(args: &[&[u8]], session: &mut Session, login: Login<'_>, reply: &mut Reply<'_>) {
    let mut protocol = session.protocol;
    if let Some(version) = args.get(1) {
        protocol = match number::parse_i64(version) {
            Some(2) => Protocol::Resp2,
            Some(3) => Protocol::Resp3,
            Some(_) => return reply.error("NOPROTO unsupported protocol version"),
            None => {
                return reply.error("ERR Protocol version is not an integer or out of range");
            }
        };
    }
    let mut rest = args.get(2..).unwrap_or_default();
    let mut name = None;
    let mut authenticated = session.is_authenticated();
    while let Some((word, tail)) = rest.split_first() {
        match (word.to_ascii_lowercase().as_slice(), tail) {
            (b"auth", [user, password, tail @ ..]) => {
                if !verify(user, password, login) {
                    return reply.error(WRONGPASS);
                }
                authenticated = true;
                rest = tail;
            }
            (b"setname", [word, tail @ ..]) => {
                if !is_printable(word) {
                    return reply.error(BAD_NAME);
                }
                name = Some(String::from_utf8_lossy(word).into_owned());
                rest = tail;
            }
            _ => {
                let option = String::from_utf8_lossy(word);
                return reply.error(&format!("ERR Syntax error in HELLO option '{option}'"));
            }
        }
    }
    if !authenticated {
        return reply.error(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the \
             HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and \
             select the RESP protocol version at the same time",
        );
    }
    session.set_closed(crate::gate::AUTH, false);
    session.protocol = protocol;
    if let Some(name) = name {
        session.label.name = name;
    }
    reply.set_protocol(protocol);
    hello_reply(session, login, reply);
}

fn hello_reply(session: &Session, login: Login<'_>, reply: &mut Reply<'_>) {
    reply.map(7);
    reply.bulk(b"server");
    reply.bulk(b"redis");
    reply.bulk(b"version");
    reply.bulk(login.version.as_bytes());
    reply.bulk(b"proto");
    reply.integer(if session.protocol == Protocol::Resp3 { 3 } else { 2 });
    reply.bulk(b"id");
    reply.integer(session.id as i64);
    reply.bulk(b"mode");
    reply.bulk(if login.cluster { b"cluster" } else { b"standalone" });
    reply.bulk(b"role");
    reply.bulk(login.role.as_bytes());
    reply.bulk(b"modules");
    reply.array(0);
}

/// The error for a subcommand that does not exist.
pub fn unknown_subcommand(command: &str, word: &[u8]) -> String {
    let word = String::from_utf8_lossy(&word[..word.len().min(128)]);
    let name = command.to_ascii_uppercase();
    format!("ERR unknown subcommand '{word}'. Try {name} HELP.")
}

/// The error for a command that does not exist.
pub fn unknown_command(args: &[&[u8]]) -> String {
    let shown = |word: &[u8], most: usize| {
        String::from_utf8_lossy(&word[..word.len().min(most)]).into_owned()
    };
    let name = shown(args[0], 128);
    let mut rest = String::new();
    for arg in &args[1..] {
        if rest.len() >= 128 {
            break;
        }
        let most = 128 - rest.len();
        rest.push_str(&format!("'{}' ", shown(arg, most)));
    }
    format!("ERR unknown command '{name}', with args beginning with: {rest}")
}

/// The error for a command with too few or too many arguments.
pub fn wrong_arity(row: &wire::command::Command) -> String {
    format!("ERR wrong number of arguments for '{}' command", row.full_name())
}
