//! The names redis-trib.rb and `redis-cli --cluster`: verbs of the classic tool, in front of our
//! own cluster commands. Options stand in any place.

use crate::cluster::{self, Verb};
use std::process::ExitCode;

/// Verbs of the classic tool that are not built.
const UNBUILT: &[&str] = &[
    "check",
    "fix",
    "reshard",
    "rebalance",
    "add-node",
    "del-node",
    "set-timeout",
    "call",
    "import",
    "backup",
    "del_node",
];
const USAGE: &str = "\
Usage: redis-trib create [--replicas N] [--yes] host:port host:port ...
       redis-trib info host:port
       redis-trib help

redis-cli --cluster takes the same verbs, with --cluster-replicas and --cluster-yes.
";

/// Runs a verb with its arguments.
pub(crate) fn main(args: &[String]) -> ExitCode {
    match args.first().map(String::as_str) {
        None => {
            eprint!("{USAGE}");
            return ExitCode::FAILURE;
        }
        Some("help" | "--help") => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Some(_) => {}
    }
    match parse(args).and_then(|verb| cluster::run(&verb)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn parse(args: &[String]) -> Result<Verb, String> {
    let (verb, rest) = args.split_first().ok_or("a verb is missing")?;
    if UNBUILT.contains(&verb.as_str()) {
        return Err(format!("'{verb}' is not built yet; there are: create, info, help"));
    }
    let (mut nodes, mut replicas, mut yes) = (Vec::new(), 0, false);
    let mut rest = rest.iter();
    while let Some(word) = rest.next() {
        match word.as_str() {
            "--replicas" | "--cluster-replicas" => {
                let value = rest.next().ok_or_else(|| format!("{word} wants a number"))?;
                replicas = value.parse().map_err(|_| format!("'{value}' is no number"))?;
            }
            "--yes" | "--cluster-yes" => yes = true,
            word if word.starts_with('-') => return Err(format!("unknown option {word}")),
            word => nodes.push(word.to_string()),
        }
    }
    match verb.as_str() {
        "create" if nodes.is_empty() => Err(format!("create wants the nodes\n{USAGE}")),
        "create" => Ok(Verb::Create { nodes, replicas, yes }),
        "info" if nodes.len() == 1 => Ok(Verb::Info { node: nodes.remove(0) }),
        "info" => Err(String::from("info wants one node, as host:port")),
        other => Err(format!("unknown verb '{other}'\n{USAGE}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_stand_before_or_after_the_nodes() {
        for line in [
            "create --replicas 1 a:1 b:2 --yes",
            "create a:1 --cluster-yes b:2 --cluster-replicas 1",
        ] {
            let words: Vec<String> = line.split(' ').map(String::from).collect();
            match parse(&words) {
                Ok(Verb::Create { nodes, replicas: 1, yes: true }) => {
                    assert_eq!(nodes, ["a:1", "b:2"])
                }
                other => panic!("{line}: {other:?}"),
            }
        }
        let reshard = parse(&["reshard".to_string()]).unwrap_err();
        assert!(reshard.contains("not built"));
    }
}
