//! A port that leads to another one, until it is cut.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// Ends with the process; connections end when it is cut or either side ends.
pub(crate) struct Relay {
    /// Where it listens on 127.0.0.1.
    pub(crate) port: u16,
    streams: Arc<Mutex<Vec<TcpStream>>>,
}

impl Relay {
    /// Leads to a port of this machine.
    pub(crate) fn to(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let streams = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&streams);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(("127.0.0.1", target)) else { continue };
                let (Ok(a), Ok(b)) = (client.try_clone(), server.try_clone()) else { continue };
                let (Ok(c), Ok(d)) = (client.try_clone(), server.try_clone()) else { continue };
                kept.lock().unwrap_or_else(PoisonError::into_inner).extend([c, d]);
                thread::spawn(move || pass(client, server));
                thread::spawn(move || pass(b, a));
            }
        });
        Relay { port, streams }
    }

    /// Ends all its connections; new ones are taken.
    pub(crate) fn cut(&self) {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        for stream in streams.drain(..) {
            // It may have ended already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = vec![0; 16 << 10];
    while let Ok(n @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..n]).is_err() {
            break;
        }
    }
    // Either may have ended already.
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
