//! Whoever started the process hears when it serves: systemd by a datagram, upstart by a stop.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// The variable by which systemd says where it listens (sd_notify(3)).
const SOCKET: &str = "NOTIFY_SOCKET";
/// The variable by which upstart says that it waits for the stop.
const JOB: &str = "UPSTART_JOB";

/// What to do when the server is ready, by the value of `supervised`.
pub(crate) fn teller(supervised: &str) -> Box<dyn FnMut() + Send> {
    let given = |name| std::env::var_os(name).is_some();
    let (systemd, upstart) = match supervised {
        "systemd" => (true, false),
        "upstart" => (false, true),
        "auto" => (given(SOCKET), given(JOB)),
        _ => (false, false),
    };
    Box::new(move || {
        if systemd {
            // A supervisor that is gone must not keep us from serving.
            let _ = notify("STATUS=Ready to accept connections\nREADY=1\n");
        }
        if upstart {
            let _ = rustix::process::kill_process(
                rustix::process::getpid(),
                rustix::process::Signal::STOP,
            );
        }
    })
}

fn notify(text: &str) -> std::io::Result<()> {
    let Some(name) = std::env::var_os(SOCKET) else { return Ok(()) };
    let address = match name.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        path => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(path))?,
    };
    UnixDatagram::unbound()?.send_to_addr(text.as_bytes(), &address)?;
    Ok(())
}
