//! `holdfast cli`: one command, or a prompt.

use crate::connection::Connection;
use std::io::{self, BufRead, IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;
use wire::value::Value;

const TIMEOUT: Duration = Duration::from_secs(3600);
const CONNECT: Duration = Duration::from_secs(5);
/// How often a command may be sent on: a cluster whose nodes disagree must not keep us for ever.
const REDIRECTIONS: usize = 16;
const USAGE: &str = "\
Usage: holdfast cli [OPTIONS] [command [argument ...]]

  -h <host>      server (default 127.0.0.1)
  -p <port>      port (default 6379)
  -s <path>      the server's Unix socket, instead of host and port
  -a <password>  password
  -n <number>    database
  -c             follow redirections of a cluster
  -x             read the last argument from standard input
  -e             exit with 1 when the reply is an error
  --raw          print replies as they are, also on a terminal
  --no-raw       print replies with their types, also into a pipe
  --cluster <verb> ...  make, examine and change clusters; --cluster help says more
  --help         show this text

Without a command, reads commands line by line.
";

/// What the arguments say.
struct Options {
    host: String,
    port: u16,
    socket: Option<String>,
    password: Option<String>,
    database: u32,
    follow: bool,
    last_from_input: bool,
    fail_on_error: bool,
    raw: bool,
}

/// Runs the client. Options end at the first word of the command, as with redis-cli.
pub(crate) fn main(args: &[String]) -> ExitCode {
    if args.first().is_some_and(|arg| arg == "--help") {
        print!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    if args.first().is_some_and(|arg| arg == "--version" || arg == "-v") {
        println!("redis-cli {} (Holdfast {})", node::REDIS_VERSION, node::VERSION);
        return ExitCode::SUCCESS;
    }
    if let Some(args) = cluster_words(args) {
        return crate::cluster::main(&args);
    }
    let result = parse(args).and_then(|(options, command)| run(&options, &command));
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// The words for the cluster's administrator, if `--cluster` stands among the options: those before
/// it are its options as well.
fn cluster_words(args: &[String]) -> Option<Vec<String>> {
    let mut at = 0;
    while args.get(at)? != "--cluster" {
        let with_value =
            ["-h", "-p", "-s", "-a", "-n", "--user", "--pass"].contains(&args[at].as_str());
        let option = args[at].starts_with('-') && args[at].len() > 1;
        at += if option && with_value { 2 } else { 1 };
        if !option {
            return None;
        }
    }
    Some([&args[at + 1..], &args[..at]].concat())
}

fn parse(args: &[String]) -> Result<(Options, Vec<Vec<u8>>), String> {
    let mut options = Options {
        host: String::from("127.0.0.1"),
        port: 6379,
        socket: None,
        password: None,
        database: 0,
        follow: false,
        last_from_input: false,
        fail_on_error: false,
        raw: !io::stdout().is_terminal(),
    };
    let mut args = args.iter();
    let mut command = Vec::new();
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(format!("{arg} wants a value. Try --help."));
        let number = |word: &String| word.parse().map_err(|_| format!("'{word}' is no number"));
        match arg.as_str() {
            "-h" => options.host = value()?.clone(),
            "-p" => options.port = number(value()?)?,
            "-s" => options.socket = Some(value()?.clone()),
            "-a" => options.password = Some(value()?.clone()),
            "-n" => options.database = database(value()?)?,
            "-c" => options.follow = true,
            "-x" => options.last_from_input = true,
            "-e" => options.fail_on_error = true,
            "--raw" => options.raw = true,
            "--no-raw" => options.raw = false,
            word if word.starts_with('-') && word.len() > 1 => {
                return Err(format!("Unrecognized option or bad number of args for: '{word}'"));
            }
            _ => {
                command.push(arg.clone().into_bytes());
                command.extend(args.by_ref().map(|word| word.clone().into_bytes()));
            }
        }
    }
    if options.last_from_input {
        let mut last = Vec::new();
        io::Read::read_to_end(&mut io::stdin().lock(), &mut last)
            .map_err(|error| error.to_string())?;
        command.push(last);
    }
    Ok((options, command))
}

/// The number of a database; which ones there are, the server knows.
fn database(word: &str) -> Result<u32, String> {
    let number = word.parse().ok().filter(|number| *number <= i32::MAX as u32);
    number.ok_or_else(|| format!("'{word}' is no number of a database"))
}

fn run(options: &Options, command: &[Vec<u8>]) -> Result<bool, String> {
    let mut client = Client::connect(options)?;
    if command.is_empty() {
        return client.prompt().map(|()| true);
    }
    let words: Vec<&[u8]> = command.iter().map(Vec::as_slice).collect();
    let reply = match client.call(&words) {
        // The end of the connection is how a shutdown says that it succeeded.
        Err(error) if words[0].eq_ignore_ascii_case(b"shutdown") && is_end(&error) => {
            return Ok(true);
        }
        reply => reply?,
    };
    print!("{}", client.show(&reply));
    Ok(!(options.fail_on_error && matches!(reply, Value::Error(_))))
}

/// Whether an error says that the server is gone.
fn is_end(error: &str) -> bool {
    error.contains("Server closed the connection") || error.contains("Connection reset")
}

struct Client<'o> {
    options: &'o Options,
    host: String,
    port: u16,
    connection: Connection,
}

impl<'o> Client<'o> {
    fn connect(options: &'o Options) -> Result<Self, String> {
        let (host, port) = (options.host.clone(), options.port);
        let connection = open(options, &host, port)?;
        Ok(Client { options, host, port, connection })
    }

    /// Sends a command; in cluster mode, where redirections lead.
    fn call(&mut self, words: &[&[u8]]) -> Result<Value, String> {
        let mut asking = false;
        for _ in 0..=REDIRECTIONS {
            if asking {
                self.connection.call(&[b"ASKING"]).map_err(|error| format!("Error: {error}"))?;
            }
            let reply = self.connection.call(words).map_err(|error| format!("Error: {error}"))?;
            let Some((slot, host, port)) = self.redirection(&reply) else { return Ok(reply) };
            asking = matches!(&reply, Value::Error(text) if text.starts_with(b"ASK "));
            if io::stdout().is_terminal() {
                println!("-> Redirected to slot [{slot}] located at {host}:{port}");
            }
            self.connection = open(self.options, &host, port)?;
            (self.host, self.port) = (host, port);
        }
        Err(format!("Error: redirected more than {REDIRECTIONS} times; the nodes disagree"))
    }

    fn redirection(&self, reply: &Value) -> Option<(String, String, u16)> {
        let Value::Error(text) = reply else { return None };
        let text = std::str::from_utf8(text).ok().filter(|_| self.options.follow)?;
        let text = text.strip_prefix("MOVED ").or_else(|| text.strip_prefix("ASK "))?;
        let mut words = text.split(' ');
        let slot = words.next()?.to_string();
        let (host, port) = words.next()?.rsplit_once(':')?;
        let host = if host.is_empty() { &self.host } else { host };
        Some((slot, host.to_string(), port.parse().ok()?))
    }

    /// Reads commands line by line until the end of the input, or `exit`.
    fn prompt(&mut self) -> Result<(), String> {
        let mut input = io::stdin().lock();
        let mut line = Vec::new();
        loop {
            if io::stdin().is_terminal() {
                print!("{}:{}> ", self.host, self.port);
                io::stdout().flush().map_err(|error| error.to_string())?;
            }
            line.clear();
            // Any bytes may come; only a line feed ends them.
            if input.read_until(b'\n', &mut line).map_err(|error| error.to_string())? == 0 {
                return Ok(());
            }
            let Ok(words) = wire::words::split(line.trim_ascii_end()) else {
                println!("Invalid argument(s)");
                continue;
            };
            let words: Vec<&[u8]> = words.iter().map(|word| &word[..]).collect();
            match words.first() {
                None => continue,
                Some(word) if [&b"exit"[..], b"quit"].contains(word) => return Ok(()),
                Some(_) => {}
            }
            match self.call(&words) {
                Ok(reply) => print!("{}", self.show(&reply)),
                Err(error) => {
                    println!("{error}");
                    self.connection = open(self.options, &self.host, self.port)?;
                }
            }
        }
    }

    fn show(&self, reply: &Value) -> String {
        if self.options.raw {
            let mut text = raw(reply);
            text.push('\n');
            return text;
        }
        typed(reply, "")
    }
}

fn open(options: &Options, host: &str, port: u16) -> Result<Connection, String> {
    let fail = |error: io::Error| {
        let text = error.to_string();
        let text = text.split(" (os error").next().unwrap_or_default().to_string();
        let at = options.socket.clone().unwrap_or_else(|| format!("{host}:{port}"));
        format!("Could not connect to Redis at {at}: {text}")
    };
    let mut connection = match &options.socket {
        Some(path) => Connection::local(path, CONNECT),
        None => Connection::open((host, port), CONNECT),
    }
    .map_err(fail)?;
    connection.set_timeout(TIMEOUT).map_err(fail)?;
    let mut say = |words: &[&[u8]]| match connection.call(words) {
        Ok(Value::Error(text)) => Err(String::from_utf8_lossy(&text).into_owned()),
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    };
    if let Some(password) = &options.password {
        say(&[b"AUTH", password.as_bytes()])?;
    }
    if options.database > 0 {
        say(&[b"SELECT", options.database.to_string().as_bytes()])?;
    }
    Ok(connection)
}

/// A reply as it is, the elements of arrays on lines of their own.
pub(crate) fn raw(value: &Value) -> String {
    let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match value {
        Value::Simple(bytes) | Value::Bulk(bytes) | Value::BigNumber(bytes) => lossy(bytes),
        Value::Error(bytes) => lossy(bytes) + "\n",
        Value::Verbatim { text, .. } => lossy(text),
        Value::Integer(n) => n.to_string(),
        Value::Double(n) => n.to_string(),
        Value::Boolean(on) => String::from(if *on { "(true)" } else { "(false)" }),
        Value::Null => String::new(),
        Value::Array(items) | Value::Set(items) | Value::Push(items) => {
            items.iter().map(raw).collect::<Vec<_>>().join("\n")
        }
        Value::Map(pairs) => {
            let lines: Vec<_> = pairs.iter().map(|(k, v)| raw(k) + " " + &raw(v)).collect();
            lines.join("\n")
        }
        Value::Attributed { value, .. } => raw(value),
    }
}

/// A reply with its types, as redis-cli shows it on a terminal.
fn typed(value: &Value, indent: &str) -> String {
    let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match value {
        Value::Simple(bytes) => lossy(bytes) + "\n",
        Value::Error(bytes) => format!("(error) {}\n", lossy(bytes)),
        Value::Bulk(bytes) => {
            let mut quoted = Vec::new();
            wire::words::quote(bytes, &mut quoted);
            lossy(&quoted) + "\n"
        }
        Value::Verbatim { text, .. } => lossy(text) + "\n",
        Value::BigNumber(bytes) => lossy(bytes) + "\n",
        Value::Integer(n) => format!("(integer) {n}\n"),
        Value::Double(n) => format!("(double) {n}\n"),
        Value::Boolean(on) => String::from(if *on { "(true)\n" } else { "(false)\n" }),
        Value::Null => String::from("(nil)\n"),
        Value::Array(items) if items.is_empty() => String::from("(empty array)\n"),
        Value::Array(items) | Value::Set(items) | Value::Push(items) => list(items, indent),
        Value::Map(pairs) => {
            let line = |(key, value): &(Value, Value)| {
                typed(key, indent).trim_end().to_string() + " => " + &typed(value, indent)
            };
            pairs.iter().map(line).collect()
        }
        Value::Attributed { value, .. } => typed(value, indent),
    }
}

fn list(items: &[Value], indent: &str) -> String {
    let width = items.len().to_string().len();
    let mut text = String::new();
    for (number, item) in items.iter().enumerate() {
        let label = format!("{:>width$}) ", number + 1);
        if number > 0 {
            text.push_str(indent);
        }
        let deeper = format!("{indent}{}", " ".repeat(label.len()));
        text.push_str(&label);
        text.push_str(&typed(item, &deeper));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_look_as_redis_cli_shows_them() {
        let nested = Value::Array(vec![
            Value::Integer(1),
            Value::Array(vec![Value::Bulk(b"a\"b".to_vec()), Value::Null]),
        ]);
        assert_eq!(typed(&nested, ""), "1) (integer) 1\n2) 1) \"a\\\"b\"\n   2) (nil)\n");
        assert_eq!(raw(&nested), "1\na\"b\n");
        assert_eq!(typed(&Value::Error(b"ERR x".to_vec()), ""), "(error) ERR x\n");
    }
}
