//! R16: the first session of a cluster's reader, with Redis's redis-cli and with ours.

use super::Scene;
use super::pty::Pty;
use super::stage::{Side, Stage};
use anyhow::{Context, Result, ensure};

pub(crate) const SCENE: Scene = Scene {
    name: "R16",
    what: "redis-cli -c -p 7000, set and get",
    better: &[],
    compares: false,
    run,
};

/// What is typed, and what must be shown.
const LINES: &[(&str, &str, &str, &str)] = &[
    ("set foo bar", "[12182] located at 127.0.0.1:7002", "OK", "127.0.0.1:7002> "),
    ("set hello world", "[866] located at 127.0.0.1:7000", "OK", "127.0.0.1:7000> "),
    ("get foo", "[12182] located at 127.0.0.1:7002", "\"bar\"", "127.0.0.1:7002> "),
    ("get hello", "[866] located at 127.0.0.1:7000", "\"world\"", "127.0.0.1:7000> "),
];

fn run(stage: &mut Stage) -> Result<()> {
    stage.cluster()?;
    let clients = match stage.side {
        Side::Ours => &[Side::Real, Side::Ours][..],
        Side::Real => &[Side::Real],
    };
    let mut sessions = Vec::new();
    for client in clients {
        let shown = session(stage, *client)
            .with_context(|| format!("with the redis-cli of {}", client.name()))?;
        sessions.push(shown);
    }
    ensure!(sessions.iter().all(|shown| *shown == sessions[0]), "they differ: {sessions:#?}");
    stage.fact("session", sessions.swap_remove(0));
    Ok(())
}

/// All that is shown from the redirections on.
fn session(stage: &Stage, client: Side) -> Result<String> {
    let mut command = stage.program(client, "redis-cli");
    command.args(["-c", "-p", "7000"]);
    let mut cli = Pty::spawn(command)?;
    cli.expect("127.0.0.1:7000> ")?;
    let mut seen = String::new();
    for (line, slot, reply, prompt) in LINES {
        cli.enter(line)?;
        cli.expect(&format!("-> Redirected to slot {slot}"))?;
        let shown = cli.expect(prompt)?;
        ensure!(shown.contains(reply), "no {reply} after {line:?}: {shown:?}");
        seen.push_str(&shown);
    }
    cli.enter("exit")?;
    ensure!(cli.finish()? == 0, "it ends with an error");
    Ok(seen.replace('\r', ""))
}
