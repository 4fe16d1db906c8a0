//! The words behind `holdfast cluster`, `redis-cli --cluster` and `redis-trib.rb`: one verb, its
//! arguments, and options in any place, as `--name` or `--cluster-name`.

use admin::Address;

/// What is wanted.
#[derive(Debug)]
pub(crate) struct Order {
    pub(super) verb: String,
    /// What stands behind the verb and is no option.
    pub(super) words: Vec<String>,
    pub(super) options: Options,
}

/// All options; each verb looks at its own.
#[derive(Debug, Default)]
pub(crate) struct Options {
    pub(super) replicas: usize,
    /// A node joins as a replica.
    pub(super) slave: bool,
    pub(super) master_id: Option<String>,
    pub(super) search_owners: bool,
    pub(super) despite_silent: bool,
    pub(super) only: Option<Only>,
    pub(super) transfer: Transfer,
    pub(super) balance: Balance,
    pub(super) access: Access,
    pub(super) manner: Manner,
}

/// Which nodes a call goes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Only {
    Primaries,
    Replicas,
}

/// What moves from where to where, and how.
#[derive(Debug)]
pub(super) struct Transfer {
    pub(super) from: Option<String>,
    pub(super) to: Option<String>,
    pub(super) slots: Option<usize>,
    pub(super) timeout_ms: u64,
    /// Keys in one MIGRATE.
    pub(super) pipeline: usize,
    pub(super) copy: bool,
    pub(super) replace: bool,
}

impl Default for Transfer {
    fn default() -> Self {
        Transfer {
            from: None,
            to: None,
            slots: None,
            timeout_ms: 60_000,
            pipeline: 10,
            copy: false,
            replace: false,
        }
    }
}

/// What an even share is.
#[derive(Debug)]
pub(super) struct Balance {
    pub(super) weights: Vec<(String, f32)>,
    pub(super) threshold: f32,
    pub(super) use_empty: bool,
    pub(super) simulate: bool,
}

impl Default for Balance {
    fn default() -> Self {
        Balance { weights: Vec::new(), threshold: 2.0, use_empty: false, simulate: false }
    }
}

/// Who we are for the nodes, and for the source of an import.
#[derive(Debug, Default, Clone)]
pub(super) struct Access {
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
    pub(super) from_user: Option<String>,
    pub(super) from_password: Option<String>,
}

/// How to go about it.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Manner {
    /// Do not ask.
    pub(super) yes: bool,
    /// Only say what would be done.
    pub(super) dry_run: bool,
    /// The result as JSON on standard output, talk on standard error.
    pub(super) json: bool,
    pub(super) verbose: bool,
}

const WRONG_ADDRESS: &str = "[ERR] Invalid arguments: you need to pass either a valid address (ie. \
                             120.0.0.1:7000) or space separated IP and port (ie. 120.0.0.1 7000)";
const WRONG_COUNT: &str = "[ERR] Wrong number of arguments for specified --cluster sub command";

impl Order {
    /// Reads the words; the first that is no option is the verb.
    pub(crate) fn read(args: &[String]) -> Result<Order, String> {
        let mut order = Order { verb: String::new(), words: vec![], options: Options::default() };
        order.options.access.password = std::env::var("REDISCLI_AUTH").ok();
        order.options.manner.yes =
            std::env::var_os("REDISCLI_CLUSTER_YES").is_some_and(|v| v == "1");
        let mut rest = args.iter().peekable();
        while let Some(word) = rest.next() {
            if word.starts_with('-') && word.len() > 1 {
                let mut value = || rest.next().cloned().ok_or_else(|| unknown(word));
                if option(&mut order.options, word, &mut value)? {
                    while is_weight(word) && rest.peek().is_some_and(|word| word.contains('=')) {
                        let pair = rest.next().map_or("", String::as_str);
                        order.options.balance.weights.push(weight(pair)?);
                    }
                    continue;
                }
                // The command that a call passes on may have such words.
                if order.verb != "call" || order.words.len() < 2 {
                    return Err(unknown(word));
                }
            }
            match order.verb.is_empty() {
                true => order.verb = word.clone(),
                false => order.words.push(word.clone()),
            }
        }
        Ok(order)
    }

    /// The one node that the words name: `host:port`, or host and port.
    pub(super) fn node(&self) -> Result<Address, String> {
        match &self.words[..] {
            [] => Err(WRONG_COUNT.into()),
            [word] => address(word),
            [host, port] => address(&format!("{host}:{port}")),
            _ => Err(WRONG_COUNT.into()),
        }
    }

    /// Exactly so many words.
    pub(super) fn words<const N: usize>(&self) -> Result<[&str; N], String> {
        let words: Vec<&str> = self.words.iter().map(String::as_str).collect();
        words.try_into().map_err(|_| WRONG_COUNT.into())
    }
}

/// `host:port`, or `host:port@bus`.
pub(super) fn address(word: &str) -> Result<Address, String> {
    let plain = word.split('@').next().unwrap_or_default();
    let (host, port) = plain.rsplit_once(':').ok_or(WRONG_ADDRESS)?;
    let port = port.parse().ok().filter(|port| *port > 0).ok_or(WRONG_ADDRESS)?;
    // An IPv6 address may stand in brackets.
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    if host.is_empty() { Err(WRONG_ADDRESS.into()) } else { Ok((host.to_string(), port)) }
}

fn unknown(word: &str) -> String {
    format!("Unrecognized option or bad number of args for: '{word}'")
}

fn is_weight(word: &str) -> bool {
    matches!(word, "--weight" | "--cluster-weight")
}

fn weight(pair: &str) -> Result<(String, f32), String> {
    let wrong = || format!("*** invalid input {pair}");
    let (name, weight) = pair.split_once('=').ok_or_else(wrong)?;
    Ok((name.to_string(), weight.parse().map_err(|_| wrong())?))
}

/// Takes one option; whether it is known.
fn option(
    options: &mut Options,
    word: &str,
    value: &mut dyn FnMut() -> Result<String, String>,
) -> Result<bool, String> {
    let Some(name) = word.strip_prefix("--") else {
        match word {
            "-a" => options.access.password = Some(value()?),
            // Where redis-cli would connect to does not matter here.
            "-h" | "-p" => drop(value()?),
            _ => return Ok(false),
        }
        return Ok(true);
    };
    let name = name.strip_prefix("cluster-").unwrap_or(name);
    let (transfer, balance) = (&mut options.transfer, &mut options.balance);
    let (access, manner) = (&mut options.access, &mut options.manner);
    match name {
        "replicas" => options.replicas = number(&value()?)?,
        "slave" | "replica" => options.slave = true,
        "master-id" | "primary-id" => options.master_id = Some(value()?),
        "search-multiple-owners" => options.search_owners = true,
        "fix-with-unreachable-masters" => options.despite_silent = true,
        "only-masters" | "only-primaries" => options.only = Some(Only::Primaries),
        "only-replicas" => options.only = Some(Only::Replicas),
        "from" => transfer.from = Some(value()?),
        "to" => transfer.to = Some(value()?),
        "slots" => transfer.slots = Some(number(&value()?)?),
        "timeout" => transfer.timeout_ms = number::<u32>(&value()?)?.into(),
        "pipeline" => transfer.pipeline = number::<u16>(&value()?)?.max(1).into(),
        "copy" => transfer.copy = true,
        "replace" => transfer.replace = true,
        "weight" => balance.weights.push(weight(&value()?)?),
        "threshold" => balance.threshold = number(&value()?)?,
        "use-empty-masters" | "use-empty-primaries" => balance.use_empty = true,
        "simulate" => balance.simulate = true,
        // redis-trib.rb took it and did nothing with it.
        "auto-weights" => {}
        "user" => access.user = Some(value()?),
        "pass" => access.password = Some(value()?),
        "from-user" => access.from_user = Some(value()?),
        "from-pass" => access.from_password = Some(value()?),
        "no-auth-warning" => {}
        "yes" => manner.yes = true,
        "dry-run" => manner.dry_run = true,
        "json" => manner.json = true,
        "verbose" => manner.verbose = true,
        _ => return Ok(false),
    }
    Ok(true)
}

fn number<T: std::str::FromStr>(word: &str) -> Result<T, String> {
    word.parse().map_err(|_| format!("'{word}' is no number that can be meant here"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Order, String> {
        Order::read(&line.split(' ').map(String::from).collect::<Vec<_>>())
    }

    #[test]
    fn options_stand_before_or_after_the_nodes() {
        for line in [
            "create --replicas 1 a:1 b:2 --yes",
            "create a:1 --cluster-yes b:2 --cluster-replicas 1",
            "-a secret --cluster-yes create --cluster-replicas 1 a:1 b:2",
        ] {
            let order = read(line).unwrap();
            assert_eq!((order.verb.as_str(), order.options.replicas), ("create", 1), "{line}");
            assert_eq!(order.words, ["a:1", "b:2"], "{line}");
            assert!(order.options.manner.yes, "{line}");
        }
        let order = read("add-node --slave --master-id ab 127.0.0.1:7007 127.0.0.1:7000").unwrap();
        assert!(order.options.slave && order.options.master_id.as_deref() == Some("ab"));
    }

    #[test]
    fn several_weights_stand_behind_one_option_or_many() {
        for line in
            ["rebalance --weight a=1 b=2.5 h:1", "rebalance h:1 --weight a=1 --weight b=2.5"]
        {
            let order = read(line).unwrap();
            let weights = [(String::from("a"), 1.0), (String::from("b"), 2.5)];
            assert_eq!(order.options.balance.weights, weights, "{line}");
            assert_eq!(order.node(), Ok(("h".into(), 1)), "{line}");
        }
        assert!(read("rebalance --weight a h:1").is_err());
    }

    #[test]
    fn a_call_passes_on_what_is_no_option_of_ours() {
        let order = read("call h:1 set k -1 --cluster-only-masters").unwrap();
        assert_eq!(order.words, ["h:1", "set", "k", "-1"]);
        assert_eq!(order.options.only, Some(Only::Primaries));
        assert!(read("check --bogus h:1").unwrap_err().contains("--bogus"));
        assert!(read("reshard h:1 --slots").is_err());
        assert!(read("reshard h:1 --slots x").is_err());
    }

    #[test]
    fn addresses_come_in_one_word_or_two() {
        assert_eq!(read("check h 7000").unwrap().node(), Ok(("h".into(), 7000)));
        assert_eq!(address("::1:7000@17000"), Ok(("::1".into(), 7000)));
        assert_eq!(address("[::1]:7000"), Ok(("::1".into(), 7000)));
        for wrong in ["h", "h:", "h:0", "h:70000", ":1"] {
            assert!(address(wrong).is_err(), "{wrong}");
        }
    }
}
