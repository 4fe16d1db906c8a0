//! What very many clients cost in one turn: to let them in, to tell of them, to let them go.

use super::{Options, longest, longest_pause};
use crate::bench::{Client, Program, Server, on_server_core};
use anyhow::{Result, bail};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

/// No turn may take longer, in microseconds.
const LONGEST: u64 = 5000;
/// Nothing may take longer than this.
const PATIENCE: Duration = Duration::from_secs(60);
/// The facts about the process come ten times a second.
const REPORTED: Duration = Duration::from_millis(250);

/// Has each thing done in each round by a new server. What the server itself causes comes in every
/// round, what the host does to it does not: the least of the rounds counts.
pub(super) fn run(options: &Options) -> Result<()> {
    let mut least: Vec<(&str, u64)> = Vec::new();
    for _ in 0..options.rounds {
        let figures = round(options)?;
        if least.is_empty() {
            least = figures;
        } else {
            least.iter_mut().zip(figures).for_each(|(least, (_, new))| least.1 = least.1.min(new));
        }
    }
    println!("{} clients, longest turn in microseconds (target: {LONGEST}):", options.clients);
    least.iter().for_each(|(what, longest)| println!("{what:<20} {longest:>6}"));
    let pause = longest_pause(Duration::from_secs(5)).as_micros();
    println!("a loop that does nothing was interrupted for up to {pause} just after");
    if let Some((what, _)) = least.iter().find(|(_, longest)| *longest > LONGEST) {
        bail!("the longest turn of '{what}' is over the target");
    }
    Ok(())
}

fn round(options: &Options) -> Result<Vec<(&'static str, u64)>> {
    let most = options.clients + 100;
    raise_open_files(most as u64 + 100)?;
    let mut program = Program::like_redis("holdfast", options.ours.clone(), Some("server"));
    let limits = ["--maxclients", &most.to_string(), "--tcp-backlog", "4096"];
    program.command.extend(limits.map(str::to_string));
    let server = on_server_core(|| Server::start(&program))?;
    let mut asking = Client::connect(server.port)?;
    let mut figures = Vec::new();

    begin(&mut asking)?;
    let mut crowd: Vec<TcpStream> = Vec::with_capacity(options.clients);
    for _ in 0..options.clients {
        crowd.push(TcpStream::connect((Ipv4Addr::LOCALHOST, server.port))?);
    }
    wait_for(&mut asking, options.clients + 1)?;
    figures.push(("connecting", end(&mut asking)?));
    for what in ["CONFIG GET *", "INFO everything", "CLIENT LIST"] {
        begin(&mut asking)?;
        answered(&mut crowd[0], what)?;
        figures.push((what, end(&mut asking)?));
    }
    begin(&mut asking)?;
    drop(crowd);
    wait_for(&mut asking, 1)?;
    figures.push(("closing", end(&mut asking)?));
    Ok(figures)
}

fn begin(asking: &mut Client) -> Result<()> {
    thread::sleep(REPORTED);
    asking.ask("CONFIG RESETSTAT")?;
    Ok(())
}

fn end(asking: &mut Client) -> Result<u64> {
    thread::sleep(REPORTED);
    longest(asking)
}

/// Waits until there are so many clients.
fn wait_for(asking: &mut Client, count: usize) -> Result<()> {
    let (began, count) = (Instant::now(), count.to_string());
    while asking.info("clients", "connected_clients")?.as_deref() != Some(&count) {
        if began.elapsed() > PATIENCE {
            bail!("there are not {count} clients");
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Sends a command and waits until it is answered, whatever it is answered.
fn answered(stream: &mut TcpStream, command: &str) -> Result<()> {
    const END: &[u8] = b"+PONG\r\n";
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "{command}\r\nPING\r\n")?;
    let (mut tail, mut bytes) = (Vec::new(), vec![0; 1 << 20]);
    while !tail.ends_with(END) {
        let got = stream.read(&mut bytes)?;
        if got == 0 {
            bail!("'{command}' was not answered");
        }
        tail.extend_from_slice(&bytes[..got]);
        tail.drain(..tail.len().saturating_sub(END.len()));
    }
    Ok(())
}

fn raise_open_files(wanted: u64) -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < wanted) {
        setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limit.maximum })?;
    }
    Ok(())
}
