//! `holdfast cluster`, which `redis-cli --cluster` and `redis-trib.rb` lead to as well: makes,
//! examines and changes clusters of any make.

mod arguments;
mod backup;
mod carry;
mod create;
mod fix;
mod import;
mod look;
mod members;
mod nodes;
mod rebalance;
mod reshard;
mod session;
mod talk;

use admin::Address;
use admin::create::Plan;
use arguments::{Access, Options, Order};
use carry::Carrier;
use session::Session;
use std::process::ExitCode;
use std::time::Duration;
use talk::Talk;

/// How long nodes may take to agree after a change.
const SETTLE: Duration = Duration::from_secs(10);

const USAGE: &str = "\
Cluster Manager Commands:
  create         host1:port1 ... hostN:portN
                 --cluster-replicas <arg>
  check          <host:port> or <host> <port> - separated by either colon or space
                 --cluster-search-multiple-owners
  info           <host:port> or <host> <port> - separated by either colon or space
  fix            <host:port> or <host> <port> - separated by either colon or space
                 --cluster-search-multiple-owners
                 --cluster-fix-with-unreachable-masters
  reshard        <host:port> or <host> <port> - separated by either colon or space
                 --cluster-from <arg>
                 --cluster-to <arg>
                 --cluster-slots <arg>
                 --cluster-yes
                 --cluster-timeout <arg>
                 --cluster-pipeline <arg>
                 --cluster-replace
  rebalance      <host:port> or <host> <port> - separated by either colon or space
                 --cluster-weight <node1=w1...nodeN=wN>
                 --cluster-use-empty-masters
                 --cluster-timeout <arg>
                 --cluster-simulate
                 --cluster-pipeline <arg>
                 --cluster-threshold <arg>
                 --cluster-replace
  add-node       new_host:new_port existing_host:existing_port
                 --cluster-slave
                 --cluster-master-id <arg>
  del-node       host:port node_id
  call           host:port command arg arg .. arg
                 --cluster-only-masters
                 --cluster-only-replicas
  set-timeout    host:port milliseconds
  import         host:port
                 --cluster-from <arg>
                 --cluster-from-user <arg>
                 --cluster-from-pass <arg>
                 --cluster-copy
                 --cluster-replace
  backup         host:port backup_directory
  help           

For check, fix, reshard, del-node, set-timeout, info, rebalance, call, import, backup you can \
specify the host and port of any working node in the cluster.

Cluster Manager Options:
  --cluster-yes      Automatic yes to cluster commands prompts
  --cluster-dry-run  Only say what would be done
  --cluster-json     The result as JSON; what is told otherwise goes to standard error
  --verbose          Say more
  -a <password>, --user <name>  Who we are for the nodes

Options may stand anywhere, and may leave out 'cluster-'.

";

/// Runs a verb with its arguments.
pub(crate) fn main(args: &[String]) -> ExitCode {
    if args.is_empty() {
        eprint!("{USAGE}");
        return ExitCode::FAILURE;
    }
    if ["help", "--help", "-h"].contains(&args[0].as_str()) {
        print!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    match Order::read(args).and_then(|order| run(&order)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            // As Redis's tools do: what was found wrong with a cluster is a result as well.
            match error.starts_with("[ERR]") && !args.iter().any(|word| word.ends_with("-json")) {
                true => println!("{error}"),
                false => eprintln!("{error}"),
            }
            ExitCode::FAILURE
        }
    }
}

fn run(order: &Order) -> Result<bool, String> {
    let options = &order.options;
    let mut desk =
        Desk { options, talk: Talk::new(options.manner), session: Session::new(&options.access) };
    match order.verb.as_str() {
        "create" => create::run(&mut desk, &order.words),
        "check" => look::check(&mut desk, &order.node()?),
        "info" => look::info(&mut desk, &order.node()?),
        "fix" => fix::run(&mut desk, &order.node()?),
        "reshard" => reshard::run(&mut desk, &order.node()?),
        "rebalance" => rebalance::run(&mut desk, &order.node()?),
        "add-node" => members::add(&mut desk, order.words()?),
        "del-node" | "del_node" => members::remove(&mut desk, order.words()?),
        "call" => nodes::call(&mut desk, &order.words),
        "set-timeout" => nodes::set_timeout(&mut desk, order.words()?),
        "import" => import::run(&mut desk, &order.node()?),
        "backup" => backup::run(&mut desk, order.words()?),
        "" => Err(format!("A verb is missing.\n{USAGE}")),
        verb => Err(format!("Unknown --cluster subcommand '{verb}'. Try 'help'.")),
    }
}

/// Refuses nodes that are no empty nodes of a cluster, before anything is changed.
pub(crate) fn check_empty(plan: &Plan) -> Result<(), String> {
    let mut session = Session::new(&Access::default());
    for node in plan.addresses() {
        let member = session.first(node)?;
        create::must_be_empty(&mut session, node, &member)?;
    }
    Ok(())
}

/// Makes a cluster of empty nodes; `tell` hears what is being done.
pub(crate) fn form(plan: &Plan, tell: impl FnMut(&str)) -> Result<(), String> {
    create::form(&mut Session::new(&Access::default()), plan, tell)
}

/// What every verb works with.
struct Desk<'o> {
    options: &'o Options,
    talk: Talk,
    session: Session,
}

impl Desk<'_> {
    /// Carries steps out.
    fn carrier(&mut self) -> Carrier<'_> {
        Carrier {
            session: &mut self.session,
            talk: &self.talk,
            options: self.options,
            keys: 0,
            dots: false,
        }
    }

    /// The result, for programs.
    fn result(&self, json: impl FnOnce() -> serde_json::Value) {
        if self.options.manner.json {
            println!("{}", json());
        }
    }

    /// Waits until nodes agree after a change; gossip brings it to those that were not told.
    fn settle(&mut self, seed: &Address) {
        // Whoever cannot be asked is found out by the next command.
        let _ = self.session.settled(seed, SETTLE);
    }
}
