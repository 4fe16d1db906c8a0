//! The log of the system, beside our own.

use machine::Level;
use shell::LogSink;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

/// Where the system's log listens.
const SOCKET: &str = "/dev/log";

/// Lines as grave as `least` go to `own` and to the system's log (RFC 3164).
pub(crate) fn beside(mut own: LogSink, least: Level, ident: &str, facility: &str) -> LogSink {
    let socket = UnixDatagram::unbound();
    let (ident, facility) = (String::from(ident), code(facility));
    Box::new(move |level, text| {
        own(level, text);
        if let Ok(socket) = &socket
            && level >= least
        {
            // A system without a log has nobody to complain to.
            let _ = send(socket, Path::new(SOCKET), &line(level, text, &ident, facility));
        }
    })
}

fn send(socket: &UnixDatagram, path: &Path, line: &str) -> std::io::Result<usize> {
    socket.send_to(line.as_bytes(), path)
}

fn line(level: Level, text: &str, ident: &str, facility: u8) -> String {
    let severity = match level {
        Level::Debug => 7,
        Level::Verbose => 6,
        Level::Notice => 5,
        Level::Warning => 4,
    };
    format!("<{}>{ident}[{}]: {text}", facility * 8 + severity, std::process::id())
}

/// The number of a facility: `user`, or `local0` to `local7`.
fn code(facility: &str) -> u8 {
    match facility.strip_prefix("local").and_then(|digit| digit.parse::<u8>().ok()) {
        Some(digit) => 16 + digit,
        None => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_arrive_with_their_priority() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("log");
        let listener = UnixDatagram::bind(&path).expect("a socket");
        let line = line(Level::Warning, "text", "redis", code("local3"));
        send(&UnixDatagram::unbound().expect("a socket"), &path, &line).expect("it is sent");
        let mut bytes = [0; 100];
        let len = listener.recv(&mut bytes).expect("a line");
        let pid = std::process::id();
        assert_eq!(bytes[..len], *format!("<{}>redis[{pid}]: text", 19 * 8 + 4).as_bytes());
        assert_eq!((code("user"), code("local0")), (1, 16));
    }
}
