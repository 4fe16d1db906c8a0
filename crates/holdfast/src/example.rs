//! `holdfast example`: the example program of the cluster tutorial. It writes one number after the
//! other, reads it back and prints it, and remembers where it was; nothing makes it end.

use crate::client::Client;
use crate::connection::text;
use std::time::Duration;
use wire::value::Value;

/// Where it was.
const LAST: &[u8] = b"__last__";
/// A reply that takes longer is an error.
const TIMEOUT: Duration = Duration::from_secs(1);
/// Between two numbers, and after an error.
const PAUSE: Duration = Duration::from_millis(100);
const END: u64 = 1_000_000_000;

/// Options of the command.
#[derive(clap::Args, Debug)]
pub(crate) struct Options {
    /// Nodes to begin with, tried in turn: HOST:PORT [HOST:PORT ...], or HOST PORT
    #[arg(required = true)]
    nodes: Vec<String>,
    /// As fast as possible
    #[arg(long)]
    no_sleep: bool,
    /// Stop after so many numbers
    #[arg(long)]
    count: Option<u64>,
}

/// Runs until it is ended.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    let mut client = Client::new(addresses(&options.nodes)?, TIMEOUT);
    let mut last = loop {
        match last(&mut client) {
            Ok(last) => break last,
            Err(error) => complain(&error),
        }
    };
    let end = options.count.map_or(END, |count| last.saturating_add(count).min(END));
    while last < end {
        match write(&mut client, last + 1) {
            Ok(read) => {
                println!("{read}");
                last += 1;
                if !options.no_sleep {
                    std::thread::sleep(PAUSE);
                }
            }
            // The same number again: none is left out.
            Err(error) => complain(&error),
        }
    }
    Ok(())
}

fn complain(error: &str) {
    println!("error {error}");
    std::thread::sleep(PAUSE);
}

fn last(client: &mut Client) -> Result<u64, String> {
    match client.call(LAST, &[b"GET", LAST])? {
        Value::Null => Ok(0),
        other => text(other)?.parse().map_err(|_| String::from("__last__ is no number")),
    }
}

fn write(client: &mut Client, number: u64) -> Result<String, String> {
    let (key, number) = (format!("foo{number}").into_bytes(), number.to_string());
    client.call(&key, &[b"SET", &key, number.as_bytes()])?;
    let read = text(client.call(&key, &[b"GET", &key])?)?;
    client.call(LAST, &[b"SET", LAST, number.as_bytes()])?;
    Ok(read)
}

fn addresses(words: &[String]) -> Result<Vec<(String, u16)>, String> {
    let mut words = words.iter();
    let mut out = Vec::new();
    while let Some(word) = words.next() {
        let (host, port) = match word.rsplit_once(':') {
            Some((host, port)) => (host, port),
            None => (word.as_str(), words.next().map_or("", String::as_str)),
        };
        let port = port.parse().map_err(|_| format!("'{word}' is no address; write HOST:PORT"))?;
        out.push((host.to_string(), port));
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_come_in_one_word_or_two() {
        let read = |words: &[&str]| {
            addresses(&words.iter().map(|word| word.to_string()).collect::<Vec<_>>())
        };
        let both = vec![(String::from("a"), 1), (String::from("b"), 2)];
        assert_eq!(read(&["a:1", "b", "2"]), Ok(both));
        assert!(read(&["a"]).is_err() && read(&["a:x"]).is_err());
    }
}
