//! The arguments of redis-benchmark.

use super::workload::Kind;
use std::io::{self, IsTerminal};

/// What it prints for `--help`.
pub(crate) const USAGE: &str = "\
Usage: holdfast bench [OPTIONS] [command [argument ...]]

  -h <host>         server (default 127.0.0.1)
  -p <port>         port (default 6379)
  -a <password>     password
  --user <name>     with -a: another user than the default one
  --dbnum <n>       database
  -3                speak RESP3
  -c <clients>      connections at the same time (default 50)
  -n <requests>     requests of each test (default 100000)
  -d <bytes>        size of a value (default 3)
  -r <range>        put a random number below this for __rand_int__ in keys and values
  -P <requests>     pipeline so many requests (default 1)
  -k <0|1>          0: a new connection for each pipeline
  -t <tests>        only these, separated by commas: ping (ping_inline, ping_mbulk), set, get,
                    incr, mset
  -l                begin again when all tests are done, until interrupted
  -q                one line for each test
  --csv             a table of comma-separated values
  --json            one line of JSON when all is done
  --precision <n>   digits of the latencies behind the point (default 3)
  --threads <n>     generate from so many threads
  --cluster         spread over all primaries of a cluster: {tag} in a key becomes a tag of the
                    server it goes to; redirections and failovers are followed
  --help, --version

A command measures itself instead of the tests:
  holdfast bench -r 1000 -n 10000 SET key:__rand_int__ x
";

/// How results are told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Style {
    Full,
    Quiet,
    Csv,
    Json,
}

/// Where the server is, and how to enter.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) database: u32,
    pub(crate) resp3: bool,
    pub(crate) cluster: bool,
}

/// What is sent.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    pub(crate) clients: usize,
    pub(crate) requests: u64,
    pub(crate) size: usize,
    /// Random numbers are below this; none: nothing is replaced.
    pub(crate) range: Option<u64>,
    pub(crate) pipeline: usize,
    pub(crate) keep_alive: bool,
    pub(crate) threads: usize,
}

/// All of them.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) target: Target,
    pub(crate) load: Load,
    pub(crate) tests: Vec<Kind>,
    /// A command of one's own, instead of the tests.
    pub(crate) command: Vec<String>,
    pub(crate) endless: bool,
    pub(crate) style: Style,
    pub(crate) precision: usize,
    /// Show how it goes while it goes.
    pub(crate) live: bool,
}

/// More connections than this no system lets one process have by default.
const MOST_CLIENTS: u64 = 100_000;
const MOST_BYTES: u64 = 512 << 20;
const MOST_PIPELINED: u64 = 100_000;

/// Reads the arguments; an error is what to print.
pub(crate) fn parse(args: &[String]) -> Result<Options, String> {
    let mut options = Options {
        target: Target {
            host: String::from("127.0.0.1"),
            port: 6379,
            user: None,
            password: None,
            database: 0,
            resp3: false,
            cluster: false,
        },
        load: Load {
            clients: 50,
            requests: 100_000,
            size: 3,
            range: None,
            pipeline: 1,
            keep_alive: true,
            threads: 1,
        },
        tests: Kind::ALL.to_vec(),
        command: Vec::new(),
        endless: false,
        style: Style::Full,
        precision: 3,
        live: io::stdout().is_terminal(),
    };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        if !arg.starts_with('-') {
            options.command = std::iter::once(arg).chain(args.by_ref()).cloned().collect();
            break;
        }
        if !switch(&mut options, arg) {
            let value = args.next().map(String::as_str);
            with_value(&mut options, arg, value)?;
        }
    }
    options.load.threads = options.load.threads.min(options.load.clients);
    options.live &= matches!(options.style, Style::Full | Style::Quiet);
    Ok(options)
}

/// Options without a value; whether it was one.
fn switch(options: &mut Options, arg: &str) -> bool {
    match arg {
        "-3" => options.target.resp3 = true,
        "--cluster" => options.target.cluster = true,
        "-l" => options.endless = true,
        "-q" => options.style = Style::Quiet,
        "--csv" => options.style = Style::Csv,
        "--json" => options.style = Style::Json,
        // Error replies always show.
        "-e" => {}
        _ => return false,
    }
    true
}

fn with_value(options: &mut Options, arg: &str, value: Option<&str>) -> Result<(), String> {
    const KNOWN: &[&str] = &[
        "-h",
        "-p",
        "-a",
        "--user",
        "--dbnum",
        "-c",
        "-n",
        "-d",
        "-r",
        "-P",
        "-k",
        "-t",
        "--precision",
        "--threads",
    ];
    if !KNOWN.contains(&arg) {
        return Err(format!("Unrecognized option or bad number of args for: '{arg}'"));
    }
    let value = value.ok_or_else(|| format!("{arg} wants a value. Try --help."))?;
    let number = |least: u64, most: u64| match value.parse::<u64>() {
        Ok(n) if (least..=most).contains(&n) => Ok(n),
        _ => Err(format!("{arg} wants a number from {least} to {most}, not '{value}'")),
    };
    let (target, load) = (&mut options.target, &mut options.load);
    match arg {
        "-h" => target.host = value.to_string(),
        "-p" => target.port = number(1, 65_535)? as u16,
        "-a" => target.password = Some(value.to_string()),
        "--user" => target.user = Some(value.to_string()),
        "--dbnum" => target.database = number(0, i32::MAX as u64)? as u32,
        "-c" => load.clients = number(1, MOST_CLIENTS)? as usize,
        "-n" => load.requests = number(1, u64::MAX)?,
        "-d" => load.size = number(1, MOST_BYTES)? as usize,
        "-r" => load.range = Some(number(1, 1_000_000_000_000)?),
        "-P" => load.pipeline = number(1, MOST_PIPELINED)? as usize,
        "-k" => load.keep_alive = number(0, 1)? == 1,
        "-t" => options.tests = Kind::parse_list(value)?,
        "--precision" => options.precision = number(0, 6)? as usize,
        "--threads" => load.threads = number(1, 500)? as usize,
        _ => return Err(format!("{arg} is known but not read")),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Options, String> {
        parse(&line.split_whitespace().map(String::from).collect::<Vec<_>>())
    }

    #[test]
    fn a_line_of_redis_benchmark_is_understood() {
        let options = read("-c 5 -n 10 -d 256 -t set,GET -q -P 16 SET -p 1").unwrap();
        assert_eq!((options.load.clients, options.load.requests), (5, 10));
        assert_eq!((options.load.size, options.load.pipeline), (256, 16));
        assert_eq!(options.tests, [Kind::Set, Kind::Get]);
        assert_eq!(options.command, ["SET", "-p", "1"]);
        assert_eq!(options.style, Style::Quiet);
    }

    #[test]
    fn wrong_arguments_are_named() {
        for (line, why) in [
            ("-c 0", "-c wants a number from 1"),
            ("-n x", "-n wants a number"),
            ("-n", "-n wants a value"),
            ("--bogus", "Unrecognized option or bad number of args for: '--bogus'"),
            ("-t set,lpush", "'lpush' needs a type that is not built"),
            ("-t bogus", "'bogus' is no test"),
        ] {
            let error = read(line).unwrap_err();
            assert!(error.contains(why), "{line}: {error}");
        }
    }
}
