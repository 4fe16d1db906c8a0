//! The program's arguments.

use std::time::Duration;

/// What `--help` prints.
pub(crate) const USAGE: &str = "\
Usage: sim [--for 120s | --count N] [--seed-from HEX | --seed N] [--transcript]

  --for 120s       play seeds for this long (s, m)
  --count N        play N seeds
  --seed N         begin with this seed; alone: play it and no other
  --seed-from HEX  begin with a seed drawn from this number, such as a commit's
  --transcript     print what happened, with virtual times
  --threads N      1 or 2 (the default)
  --scenario FILE  play a scenario (crates/sim/scenarios) and print its transcript
  --crowd N        let a cluster of N nodes rest (2 to 250), and say what its gossip costs
  --virtual SECS   for so long (3600)
";

/// See [`USAGE`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) first: u64,
    pub(crate) count: Option<u64>,
    pub(crate) time: Option<Duration>,
    pub(crate) transcript: bool,
    pub(crate) threads: u64,
    pub(crate) scenario: Option<String>,
    pub(crate) crowd: usize,
    pub(crate) virtual_secs: u64,
}

impl Options {
    /// Reads the arguments; `None`: help is wanted.
    pub(crate) fn parse(arguments: &[String]) -> Result<Option<Self>, String> {
        let mut options = Options {
            first: 0,
            count: None,
            time: None,
            transcript: false,
            threads: 2,
            scenario: None,
            crowd: 0,
            virtual_secs: 3600,
        };
        let mut alone = false;
        let mut rest = arguments.iter();
        while let Some(name) = rest.next() {
            let mut value = || rest.next().ok_or_else(|| format!("{name} needs a value"));
            match name.as_str() {
                "-h" | "--help" => return Ok(None),
                "--transcript" => options.transcript = true,
                "--seed" => (options.first, alone) = (number(value()?)?, true),
                "--seed-from" => options.first = seed_from(value()?)?,
                "--count" => options.count = Some(number(value()?)?),
                "--scenario" => options.scenario = Some(value()?.clone()),
                "--threads" => options.threads = number(value()?)?.clamp(1, 2),
                "--crowd" => options.crowd = number(value()?)?.clamp(2, 250) as usize,
                "--virtual" => options.virtual_secs = number(value()?)?,
                "--for" => options.time = Some(duration(value()?)?),
                _ => return Err(format!("what is '{name}'?")),
            }
        }
        if options.count.is_none() && options.time.is_none() {
            match alone {
                true => options.count = Some(1),
                false => options.time = Some(Duration::from_secs(120)),
            }
        }
        Ok(Some(options))
    }
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("'{text}' is not a number"))
}

fn duration(text: &str) -> Result<Duration, String> {
    let (digits, unit) = match text.strip_suffix('m') {
        Some(digits) => (digits, 60),
        None => (text.strip_suffix('s').unwrap_or(text), 1),
    };
    Ok(Duration::from_secs(number(digits)?.saturating_mul(unit)))
}

/// The first digits of a commit's name, with room for the seeds that follow.
fn seed_from(text: &str) -> Result<u64, String> {
    let digits = text.get(..8).unwrap_or(text);
    let base = u64::from_str_radix(digits, 16);
    base.map(|base| base * 100_000).map_err(|_| format!("'{text}' is not hexadecimal"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Option<Options>, String> {
        Options::parse(&line.split_whitespace().map(String::from).collect::<Vec<_>>())
    }

    #[test]
    fn a_seed_alone_is_one_run_and_a_commit_is_two_minutes() {
        let one = parse("--seed 7 --transcript").unwrap().unwrap();
        assert_eq!((one.first, one.count, one.transcript), (7, Some(1), true));
        let many = parse("--for 2m --seed-from ff0123456789").unwrap().unwrap();
        assert_eq!(many.first, 0xff01_2345 * 100_000);
        assert_eq!((many.time, many.count), (Some(Duration::from_secs(120)), None));
        assert_eq!(parse("--help"), Ok(None));
        assert!(parse("--seed").is_err() && parse("--seed x").is_err() && parse("what").is_err());
    }
}
