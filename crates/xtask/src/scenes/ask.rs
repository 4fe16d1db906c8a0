//! R24: a slot moves by hand, and what clients are told at every step.

use super::Scene;
use super::pty::Pty;
use super::stage::{PORTS, Side, Stage, until};
use anyhow::{Context, Result, ensure};

pub(crate) const SCENE: Scene =
    Scene { name: "R24", what: "ASK by hand", better: &[], compares: false, run };

/// The owner of slot 866, and who gets it.
const FROM: u16 = 7000;
const TO: u16 = 7001;
const ASK: &str = "ASK 866 127.0.0.1:7001";
const STAYS: &str = "MOVED 866 127.0.0.1:7000";
const AGAIN: &str = "TRYAGAIN Multiple keys request during rehashing of slot";

fn run(stage: &mut Stage) -> Result<()> {
    stage.cluster()?;
    for key in ["hello", "{hello}2", "{hello}3"] {
        says(stage, FROM, &format!("set {key} world"), "OK")?;
    }
    let (from, to) = (stage.say(FROM, "cluster myid")?, stage.say(TO, "cluster myid")?);
    says(stage, TO, &format!("cluster setslot 866 importing {from}"), "OK")?;
    says(stage, FROM, &format!("cluster setslot 866 migrating {to}"), "OK")?;
    open(stage)?;
    sessions(stage)?;
    half(stage)?;
    moved(stage, &to)
}

/// What is typed at a server, and must be shown.
fn says(stage: &Stage, port: u16, line: &str, text: &str) -> Result<()> {
    let said = stage.say(port, line)?;
    ensure!(said == text, "{line} at {port}: {said:?}, not {text:?}");
    Ok(())
}

/// The same over one connection, line by line.
fn says_after_asking(stage: &Stage, line: &str, text: &str) -> Result<()> {
    let typed = format!("printf 'asking\\n{line}\\n' | redis-cli -p {TO}");
    let (_, said) = stage.sh(&typed)?;
    ensure!(said.trim_end() == format!("OK\n{text}").trim_end(), "asking, {line}: {said:?}");
    Ok(())
}

/// All keys are still where they were.
fn open(stage: &mut Stage) -> Result<()> {
    says(stage, FROM, "get hello", "world")?;
    says(stage, FROM, "get {hello}absent", ASK)?;
    says(stage, FROM, "set {hello}absent 1", ASK)?;
    says(stage, FROM, "mget hello {hello}2", "world\nworld")?;
    says(stage, FROM, "mget hello {hello}absent", AGAIN)?;
    says(stage, TO, "get {hello}absent", STAYS)?;
    says_after_asking(stage, "get {hello}absent", "")?;
    // It holds for one command.
    says_after_asking(stage, "get {hello}absent\\nget {hello}absent", &format!("\n{STAYS}"))?;
    says(stage, 7002, "get hello", STAYS)?;
    stage.fact("open", format!("{ASK}; {STAYS}; {AGAIN}"));
    Ok(())
}

/// A reader's client goes where it is asked to, and shows it.
fn sessions(stage: &mut Stage) -> Result<()> {
    let clients = match stage.side {
        Side::Ours => &[Side::Real, Side::Ours][..],
        Side::Real => &[Side::Real],
    };
    for client in clients {
        let mut command = stage.program(*client, "redis-cli");
        command.args(["-c", "-p", "7000"]);
        let mut cli = Pty::spawn(command)?;
        session(&mut cli).with_context(|| format!("with the redis-cli of {}", client.name()))?;
        ensure!(cli.finish()? == 0, "it ends with an error");
    }
    Ok(())
}

fn session(cli: &mut Pty) -> Result<()> {
    let (here, there) = ("127.0.0.1:7000> ", "127.0.0.1:7001> ");
    let redirected = "-> Redirected to slot [866] located at 127.0.0.1:";
    cli.expect(here)?;
    cli.enter("get hello")?;
    for shown in ["\"world\"", here] {
        cli.expect(shown)?;
    }
    cli.enter("get {hello}absent")?;
    for shown in [redirected, "7001", "(nil)", there] {
        cli.expect(shown)?;
    }
    // The slot is not there yet.
    cli.enter("get hello")?;
    for shown in [redirected, "7000", "\"world\"", here] {
        cli.expect(shown)?;
    }
    cli.enter("exit")
}

/// Some keys have gone.
fn half(stage: &mut Stage) -> Result<()> {
    let migrate = |key: &str| format!("migrate 127.0.0.1 {TO} {key} 0 5000");
    says(stage, FROM, &migrate("{hello}2"), "OK")?;
    says(stage, FROM, &migrate("{hello}2"), "NOKEY")?;
    says(stage, FROM, "get {hello}2", ASK)?;
    says(stage, FROM, "mget hello {hello}2", AGAIN)?;
    says_after_asking(stage, "mget hello {hello}2", AGAIN)?;
    says_after_asking(stage, "get {hello}2", "world")?;
    // Both are gone, so the other node is asked.
    says(stage, FROM, &migrate("hello"), "OK")?;
    says(stage, FROM, "mget hello {hello}2", ASK)?;
    says_after_asking(stage, "mget hello {hello}2", "world\nworld")?;
    let kept = "ERR Can't assign hashslot 866 to a different node while I still hold keys for this \
                hash slot.";
    let id = stage.say(TO, "cluster myid")?;
    says(stage, FROM, &format!("cluster setslot 866 node {id}"), kept)?;
    says(stage, FROM, &migrate("{hello}3"), "OK")?;
    says(stage, FROM, "cluster countkeysinslot 866", "0")?;
    stage.fact("half", format!("{AGAIN}; {kept}"));
    Ok(())
}

/// The slot has its new owner.
fn moved(stage: &mut Stage, to: &str) -> Result<()> {
    for port in [TO, FROM] {
        says(stage, port, &format!("cluster setslot 866 node {to}"), "OK")?;
    }
    says(stage, TO, "mget hello {hello}2 {hello}3", "world\nworld\nworld")?;
    let moved = "MOVED 866 127.0.0.1:7001";
    for port in PORTS.filter(|port| *port != TO) {
        until("everybody knows", || Ok(stage.say(port, "get hello")? == moved))?;
    }
    stage.fact("moved", moved);
    until("the nodes agree", || Ok(stage.run_trib("check 127.0.0.1:7000")?.0 == 0))
}
