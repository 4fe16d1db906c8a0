//! `holdfast cluster`: make and look at clusters.

use crate::connection::wait_until;
use crate::create::{self, Address, Plan};
use crate::topology;
use std::io::{self, BufRead, Write};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(5);

/// The subcommands.
#[derive(clap::Subcommand, Debug)]
pub(crate) enum Verb {
    /// Make a cluster of empty nodes
    Create {
        /// Nodes, as HOST:PORT
        #[arg(required = true)]
        nodes: Vec<String>,
        /// Replicas for each primary
        #[arg(long, default_value_t = 0)]
        replicas: usize,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Show the nodes of a cluster
    Info {
        /// Any node, as HOST:PORT
        node: String,
    },
}

/// Runs a subcommand.
pub(crate) fn run(verb: &Verb) -> Result<(), String> {
    match verb {
        Verb::Create { nodes, replicas, yes } => create_cluster(nodes, *replicas, *yes),
        Verb::Info { node } => info(node),
    }
}

fn address(word: &str) -> Result<Address, String> {
    let wrong = || format!("'{word}' is no address; write HOST:PORT");
    let (host, port) = word.rsplit_once(':').ok_or_else(wrong)?;
    Ok((host.to_string(), port.parse().map_err(|_| wrong())?))
}

fn create_cluster(nodes: &[String], replicas: usize, yes: bool) -> Result<(), String> {
    let nodes: Vec<Address> =
        nodes.iter().map(|word| address(word)).collect::<Result<_, String>>()?;
    let plan = Plan::new(&nodes, replicas)?;
    create::check_empty(&plan)?;
    println!(">>> Performing hash slots allocation on {} nodes...", nodes.len());
    for (i, ((host, port), (first, last))) in plan.primaries.iter().enumerate() {
        println!("Primary[{i}] {host}:{port} -> Slots {first} - {last}");
    }
    for ((host, port), index) in &plan.replicas {
        let (primary, primary_port) = &plan.primaries[*index].0;
        println!("Adding replica {host}:{port} to {primary}:{primary_port}");
    }
    if plan.shares_hosts() {
        println!("[WARNING] Some replicas are in the same host as their primary");
        println!(
            "Losing that host loses a primary and its replica at once: where there are more hosts, \
             give nodes of each."
        );
    }
    if !yes && !confirmed()? {
        return Err(String::from("nothing was changed"));
    }
    create::carry_out(&plan, |step| println!(">>> {step}"))?;
    let (host, port) = &plan.primaries[0].0;
    let covered = wait_until(Duration::from_secs(30), || {
        create::say(host, *port, &["CLUSTER", "INFO"])
            .is_ok_and(|info| info.contains("cluster_state:ok"))
    });
    if !covered {
        return Err(String::from("[ERR] Not all 16384 slots are covered by nodes."));
    }
    println!("[OK] All nodes agree about slots configuration.");
    println!("[OK] All 16384 slots covered.");
    Ok(())
}

/// Asks for `yes`; the end of the input is a no.
fn confirmed() -> Result<bool, String> {
    print!("Can I set the above configuration? (type 'yes' to accept): ");
    io::stdout().flush().map_err(|error| error.to_string())?;
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).map_err(|error| error.to_string())?;
    Ok(line.trim() == "yes")
}

fn info(node: &str) -> Result<(), String> {
    let (host, port) = address(node)?;
    let view = topology::ask(&host, port, TIMEOUT)?;
    for node in view.iter().filter(|node| node.primary.is_none()) {
        let replicas = view.iter().filter(|other| other.primary.as_ref() == Some(&node.id)).count();
        let keys = create::say(&node.host, node.port, &["DBSIZE"]);
        println!(
            "{}:{} ({}...) -> {} keys | {} slots | {replicas} replicas.",
            node.host,
            node.port,
            &node.id[..8.min(node.id.len())],
            keys.unwrap_or_else(|_| String::from("?")),
            node.slot_count()
        );
    }
    let covered: u32 = view.iter().map(topology::Node::slot_count).sum();
    println!("{covered} of 16384 slots are owned by a node.");
    Ok(())
}
