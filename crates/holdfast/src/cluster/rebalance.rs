//! `rebalance`: moves slots until every primary has its share.

use super::carry::Progress;
use super::{Desk, SETTLE, look};
use admin::rebalance::{self, Transfer, Wish};
use admin::{Address, Node, move_slot, text};
use serde_json::{Value, json};

/// Moves them; whether it was done.
pub(super) fn run(desk: &mut Desk<'_>, seed: &Address) -> Result<bool, String> {
    let picture = desk.session.settled(seed, SETTLE / 4)?;
    look::show_silent(desk, &picture);
    if !look::examine(desk, &picture, true).is_empty() {
        return Err(String::from("*** Please fix your cluster problems before rebalancing"));
    }
    let balance = &desk.options.balance;
    let wish = Wish {
        weights: balance.weights.clone(),
        use_empty: balance.use_empty,
        threshold: balance.threshold,
    };
    let plan = rebalance::plan(&picture, &wish)?;
    let simulate = balance.simulate || desk.options.manner.dry_run;
    if plan.transfers.is_empty() {
        desk.talk.line(format!(
            "*** No rebalancing needed! All nodes are within the {:.2}% threshold.",
            balance.threshold
        ));
    } else {
        desk.talk.line(format!(
            ">>> Rebalancing across {} nodes. Total weight = {:.2}",
            plan.balances.len(),
            plan.total
        ));
    }
    if desk.options.manner.verbose {
        for (node, balance) in &plan.balances {
            let at = text(&node.address());
            desk.talk.line(format!("{at} balance is {balance} slots"));
        }
    }
    let others: Vec<Node> = picture.nodes().cloned().collect();
    let total = plan.transfers.iter().map(|transfer| transfer.slots.len()).sum();
    let mut progress = Progress::new(total)?;
    let mut result = Ok(());
    for transfer in &plan.transfers {
        result = carry(desk, transfer, &others, simulate, &mut progress);
        if result.is_err() {
            break;
        }
    }
    if progress.done > 0 {
        desk.settle(seed);
    }
    result?;
    desk.result(|| plan_json(&plan.transfers, simulate));
    Ok(true)
}

fn carry(
    desk: &mut Desk<'_>,
    transfer: &Transfer<'_>,
    others: &[Node],
    simulate: bool,
    progress: &mut Progress,
) -> Result<(), String> {
    let (from, to) = (text(&transfer.from.address()), text(&transfer.to.address()));
    desk.talk.line(format!("Moving {} slots from {from} to {to}", transfer.slots.len()));
    if simulate {
        desk.talk.line("#".repeat(transfer.slots.len()));
        return Ok(());
    }
    let draws = desk.talk.draws();
    let mut carrier = desk.carrier();
    for slot in &transfer.slots {
        progress.goes_on()?;
        carrier.run(&move_slot(*slot, transfer.from, transfer.to, others.iter())).map_err(
            |error| {
                format!(
                    "{error}\n[ERR] Slot {slot} was not moved to its end and may be open. 'fix' \
                     completes it."
                )
            },
        )?;
        if !draws {
            carrier.talk.part("#");
        }
        progress.step(carrier.talk, carrier.keys);
    }
    carrier.talk.part("\n");
    Ok(())
}

fn plan_json(transfers: &[Transfer<'_>], simulated: bool) -> Value {
    let one = |transfer: &Transfer<'_>| {
        json!({
            "from": transfer.from.id,
            "to": transfer.to.id,
            "slots": transfer.slots.len(),
        })
    };
    json!({
        "simulated": simulated,
        "transfers": transfers.iter().map(one).collect::<Value>(),
    })
}
