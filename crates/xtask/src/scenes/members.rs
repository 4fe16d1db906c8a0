//! R26, R27, R28: nodes join a cluster and leave it.

use super::Scene;
use super::stage::{PORTS, Side, Stage, until};
use super::view::{nodes, replicas};
use anyhow::{Result, ensure};

pub(crate) const ADD: Scene =
    Scene { name: "R26", what: "add-node", better: &[], compares: false, run: add };
pub(crate) const REPLICA: Scene =
    Scene { name: "R27", what: "add-node --slave", better: &[], compares: false, run: replica };
pub(crate) const REMOVE: Scene =
    Scene { name: "R28", what: "del-node", better: &[], compares: false, run: remove };

fn new(stage: &mut Stage, port: u16) -> Result<String> {
    stage.serve_node(port, &[])?;
    stage.say(port, "cluster myid")
}

/// The line of a node as another sees it.
fn line(stage: &Stage, at: u16, id: &str) -> Result<String> {
    let nodes = stage.say(at, "cluster nodes")?;
    Ok(nodes.lines().find(|line| line.starts_with(id)).unwrap_or_default().to_string())
}

fn add(stage: &mut Stage) -> Result<()> {
    stage.cluster()?;
    let id = new(stage, 7006)?;
    stage.trib_says("add-node 127.0.0.1:7006 127.0.0.1:7000", "[OK] New node added correctly.")?;
    until("it is known", || {
        let line = line(stage, 7000, &id)?;
        let words: Vec<&str> = line.split(' ').collect();
        Ok(words.get(2) == Some(&"master")
            && words.get(7) == Some(&"connected")
            && words.len() == 8)
    })?;
    until("it knows all", || Ok(stage.say(7006, "cluster nodes")?.lines().count() == 7))?;
    until("it serves", || Ok(stage.say(7006, "get foo")? == "MOVED 12182 127.0.0.1:7002"))?;
    stage.fact("joined", "a primary without slots");
    stage.sh("redis-cli -c -p 7000 set hello world")?;
    let reshard = format!("reshard --from all --to {id} --slots 1000 --yes 127.0.0.1:7000");
    stage.trib_says(&reshard, "Ready to move 1000 slots.")?;
    until("it owns them", || {
        let line = line(stage, 7000, &id)?;
        Ok(line.split(' ').count() > 8 && stage.run_trib("check 127.0.0.1:7000")?.0 == 0)
    })?;
    let check = stage.trib_says("check 127.0.0.1:7000", "(1000 slots)");
    // With three sources Redis's rounding loses one.
    ensure!(check.is_ok() || stage.side == Side::Real, "{check:?}");
    ensure!(stage.sh("redis-cli -c -p 7000 get hello")?.1.trim() == "world", "a key is lost");
    // A primary dies: three of the other voters are enough.
    stage.end(7001)?;
    until("its replica takes over", || {
        Ok(stage.say(7000, "cluster info")?.contains("cluster_state:ok")
            && stage.say(7000, "cluster nodes")?.contains("fail"))
    })?;
    stage.fact("after a crash", "ok");
    Ok(())
}

fn replica(stage: &mut Stage) -> Result<()> {
    stage.cluster()?;
    for port in PORTS {
        until("all know all", || {
            let nodes = nodes(stage, port)?;
            Ok(nodes.iter().filter(|node| node.is("slave")).count() == 3)
        })?;
    }
    for port in [7006, 7007, 7008] {
        stage.serve_node(port, &[])?;
    }
    let chosen = stage.say(7001, "cluster myid")?;
    let nobody = "0123456789012345678901234567890123456789";
    let add = "add-node --slave";
    stage.trib_refuses(
        &format!("{add} --master-id {nobody} 127.0.0.1:7006 127.0.0.1:7000"),
        &format!("[ERR] No such master ID {nobody}"),
    )?;
    ensure!(stage.say(7006, "cluster nodes")?.lines().count() == 1, "it has joined all the same");
    let said = stage.trib_says(
        &format!("{add} 127.0.0.1:7006 127.0.0.1:7000"),
        "Automatically selected master",
    )?;
    ensure!(said.contains("[OK] New node added correctly."), "{said}");
    let line = format!("{add} --master-id {chosen} 127.0.0.1:7007 127.0.0.1:7000");
    stage.trib_says(&line, "[OK] New node added correctly.")?;
    until("both follow", || {
        let first = nodes(stage, 7000)?.iter().any(|node| node.port == 7006 && node.is("slave"));
        Ok(first && replicas(stage, 7001)?.contains(&7007))
    })?;
    stage.trib_refuses(&line, "is not empty.")?;
    by_hand(stage, &chosen)
}

/// A node with slots cannot be made a replica; one without can, and then `grep` finds it.
fn by_hand(stage: &mut Stage, chosen: &str) -> Result<()> {
    let replicate = format!("cluster replicate {chosen}");
    let said = stage.say(7000, &replicate)?;
    let must = "ERR To set a master the node must be empty and without assigned slots.";
    ensure!(said == must, "{said}");
    stage.fact("replicate with slots", said);
    let added = "[OK] New node added correctly.";
    stage.trib_says("add-node 127.0.0.1:7008 127.0.0.1:7000", added)?;
    // It must have heard of the one that it is to follow.
    until("it knows whom to follow", || Ok(stage.say(7008, &replicate)? == "OK"))?;
    until("everybody knows", || {
        let grep = format!("redis-cli -p 7000 cluster nodes | grep slave | grep {chosen}");
        let lines = stage.sh(&grep)?.1;
        let has = |port: &str| lines.lines().any(|line| line.contains(port));
        // Its first one, the one that was added, this one, and maybe the one that chose by itself.
        Ok(has(":7007@") && has(":7008@") && [3, 4].contains(&lines.lines().count()))
    })?;
    stage.fact("replicate without slots", "OK");
    Ok(())
}

fn remove(stage: &mut Stage) -> Result<()> {
    stage.cluster()?;
    for port in PORTS {
        until("all know all", || Ok(stage.say(port, "cluster nodes")?.lines().count() == 6))?;
    }
    let replica = stage.say(7003, "cluster myid")?;
    let primary = stage.say(7001, "cluster myid")?;
    let remove = |id: &str| format!("del-node 127.0.0.1:7000 {id}");
    let unknown = "[ERR] No such node ID nosuch";
    stage.trib_refuses(&remove("nosuch"), unknown)?;
    let full = "[ERR] Node 127.0.0.1:7001 is not empty! Reshard data away and try again.";
    stage.trib_refuses(&remove(&primary), full)?;
    stage.trib_says(&remove(&replica), ">>> Sending CLUSTER FORGET messages to the cluster...")?;
    for port in [7000, 7001, 7002, 7004, 7005] {
        until("it is forgotten", || Ok(line(stage, port, &replica)?.is_empty()))?;
    }
    until("it serves nothing", || {
        Ok(stage.say(7003, "get foo")? == "CLUSTERDOWN Hash slot not served")
    })?;
    let to = stage.say(7000, "cluster myid")?;
    let empty = format!("reshard --from {primary} --to {to} --slots 5462 --yes 127.0.0.1:7000");
    stage.trib_says(&empty, "Ready to move 5462 slots.")?;
    until("the nodes agree", || Ok(stage.run_trib("check 127.0.0.1:7000")?.0 == 0))?;
    stage.trib_says(&remove(&primary), ">>> Sending CLUSTER RESET SOFT to the deleted node.")?;
    until("it is forgotten", || Ok(line(stage, 7000, &primary)?.is_empty()))?;
    stage.trib_says("check 127.0.0.1:7000", "[OK] All 16384 slots covered.")?;
    stage.fact("removed", "a replica, a primary");
    Ok(())
}
