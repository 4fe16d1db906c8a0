//! The cluster's control plane, on a thread and a driver of its own: a busy data plane does not
//! silence the bus.

use cluster::{Cluster, Setup};
use machine::{Address, Level};
use shell::{Driver, LogSink, Options, Post};
use std::io::ErrorKind;
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

/// The data plane's address in the process.
pub(crate) const NODE: Address = Address(0);
/// The control plane's.
pub(crate) const CONTROL: Address = Address(1);

/// What the control plane is made from.
pub(crate) fn setup(config: &node::config::Config, seed: u64) -> Setup {
    Setup { config: node::config::cluster::control(config), seed, node: NODE }
}

/// How often the bus port is tried, and the first pause in between; each is twice the one before.
const TRIES: u32 = 6;
const PAUSE: Duration = Duration::from_millis(100);

/// Waits until the bus port can be had. It often lies where the system takes ports for outgoing
/// connections, one of which may have it for a moment. A node is not begun before: nobody must
/// read that it is ready when it is not.
pub(crate) fn await_port(setup: &Setup, log: &mut LogSink) -> Result<(), String> {
    let (bind, port) = (setup.config.bind, setup.config.bus_port);
    let mut pause = PAUSE;
    for left in (0..TRIES).rev() {
        match TcpListener::bind((bind, port)) {
            Ok(_) => return Ok(()),
            Err(error) if left == 0 || error.kind() != ErrorKind::AddrInUse => {
                let why = error.to_string();
                let why = why.split(" (os error").next().unwrap_or_default();
                let text = format!("Failed listening on port {port} (cluster): {why}, aborting.");
                log(Level::Warning, &text);
                return Err(text);
            }
            Err(_) => {}
        }
        let ms = pause.as_millis();
        log(Level::Warning, &format!("The bus port {port} is taken; trying again in {ms} ms"));
        thread::sleep(pause);
        pause *= 2;
    }
    Ok(())
}

/// Runs the control plane. When it ends (its port is taken, its file is damaged), so does the
/// process: a node that cannot be reached by its peers must not go on serving.
pub(crate) fn start(setup: Setup, post: Post, log: LogSink) -> std::io::Result<()> {
    let options = Options { log, post, address: CONTROL, ..Options::default() };
    let mut driver = Driver::new(Cluster::new(setup), options)?;
    thread::Builder::new().name("cluster bus".into()).spawn(move || {
        let status = driver.run().unwrap_or_else(|error| {
            eprintln!("holdfast: the cluster bus failed: {error}");
            1
        });
        std::process::exit(status);
    })?;
    Ok(())
}
