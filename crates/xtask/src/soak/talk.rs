//! A connection that asks in pipelines, and waiting with a bound.

use anyhow::{Context, Result, bail};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::thread::sleep;
use std::time::{Duration, Instant};
use wire::value::{Value, decode};

/// Nothing may take longer than this.
pub(super) const PATIENCE: Duration = Duration::from_secs(40);

/// One connection to a server of this host.
pub(super) struct Talk {
    stream: TcpStream,
}

impl Talk {
    /// Opens it.
    pub(super) fn to(port: u16) -> Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream })
    }

    /// Sends all lines, of words separated by spaces, and takes as many replies.
    pub(super) fn all<L: AsRef<str>>(&mut self, lines: &[L]) -> Result<Vec<Value>> {
        let mut request = Vec::new();
        for line in lines {
            let words: Vec<&str> = line.as_ref().split(' ').collect();
            write!(request, "*{}\r\n", words.len())?;
            for word in words {
                write!(request, "${}\r\n{word}\r\n", word.len())?;
            }
        }
        self.stream.write_all(&request)?;
        let (mut replies, mut input, mut part) = (Vec::new(), Vec::new(), vec![0; 64 << 10]);
        let mut at = 0;
        while replies.len() < lines.len() {
            if let Some((value, len)) = decode(&input[at..]).ok().context("no protocol")? {
                replies.push(value);
                at += len;
                continue;
            }
            let got = self.stream.read(&mut part)?;
            if got == 0 {
                bail!("the server closed the connection");
            }
            input.drain(..at);
            at = 0;
            input.extend_from_slice(&part[..got]);
        }
        Ok(replies)
    }

    /// Sends one line; its reply as text.
    pub(super) fn ask(&mut self, line: &str) -> Result<String> {
        let reply = self.all(&[line])?.pop().context("no reply")?;
        Ok(text(&reply))
    }

    /// A field of INFO; empty if there is none.
    pub(super) fn info(&mut self, field: &str) -> Result<String> {
        let all = self.ask("INFO everything")?;
        let value = all.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        Ok(value.unwrap_or_default().trim().to_string())
    }
}

/// A reply in one line; an error begins with `-`.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Integer(n) => n.to_string(),
        Value::Error(text) => format!("-{}", String::from_utf8_lossy(text)),
        other => match other.as_bytes() {
            Some(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            None => format!("{other:?}"),
        },
    }
}

/// Asks until there is an answer, for a bounded time.
pub(super) fn until<T>(what: &str, mut ask: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask().with_context(|| what.to_string())? {
            return Ok(answer);
        }
        if Instant::now() > end {
            bail!("not within {} s: {what}", PATIENCE.as_secs());
        }
        sleep(Duration::from_millis(10));
    }
}
