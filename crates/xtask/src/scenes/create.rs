//! R15: a cluster on one host, made by the classic tool, its line continued on the next.

use super::Scene;
use super::stage::{PORTS, Side, Stage, covered};
use super::view::{Node, nodes};
use anyhow::{Result, ensure};

pub(crate) const SCENE: Scene = Scene {
    name: "R15",
    what: "redis-trib.rb create on one host",
    better: &["hint"],
    compares: false,
    run,
};

fn run(stage: &mut Stage) -> Result<()> {
    stage.six()?;
    let mut shell = stage.shell()?;
    // Debian's redis-trib.rb only says what to type instead.
    shell.enter(match stage.side {
        Side::Ours => "redis-trib.rb create --replicas 1 127.0.0.1:7000 127.0.0.1:7001 \\",
        Side::Real => {
            "redis-cli --cluster create --cluster-replicas 1 127.0.0.1:7000 127.0.0.1:7001 \\"
        }
    })?;
    shell.enter("127.0.0.1:7002 127.0.0.1:7003 127.0.0.1:7004 127.0.0.1:7005")?;
    shell.expect(">>> Performing hash slots allocation on 6 nodes...")?;
    let plan = shell.expect("Can I set the above configuration? (type 'yes' to accept): ")?;
    shell.enter("yes")?;
    shell.expect("[OK] All nodes agree about slots configuration.")?;
    shell.expect("[OK] All 16384 slots covered.")?;
    shell.enter("echo rc=$?")?;
    shell.expect("rc=0")?;
    shell.enter("exit")?;
    ensure!(shell.finish()? == 0, "the shell ends with an error");
    covered()?;

    let (primaries, replicas): (Vec<Node>, Vec<Node>) =
        nodes(stage, PORTS.start)?.into_iter().partition(|node| node.is("master"));
    let mut nodes: Vec<String> =
        primaries.iter().map(|node| format!("{} {}", node.port, node.slots.join(" "))).collect();
    nodes.sort();
    let nodes = nodes.join(", ");
    ensure!(nodes == "7000 0-5460, 7001 5461-10922, 7002 10923-16383", "primaries: {nodes}");
    ensure!(replicas.len() == 3, "{replicas:?}");
    stage.fact("primaries", nodes);
    let host = plan.contains("in the same host as their");
    ensure!(host, "nothing says that replicas share the host: {plan}");
    let advice = plan.contains("Losing that host loses a primary and its replica at once");
    ensure!(advice || stage.side == Side::Real, "no advice: {plan}");
    stage.fact("hint", format!("warning {host}, advice {advice}"));
    Ok(())
}
