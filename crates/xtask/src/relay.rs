//! A wire between two servers that can be cut for a time.

use anyhow::Result;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// A port of this host that leads to another. Ends with the process.
pub(crate) struct Relay {
    /// Where it begins.
    pub(crate) port: u16,
    wire: Arc<Wire>,
}

#[derive(Default)]
struct Wire {
    cut: AtomicBool,
    /// The port that it leads to.
    target: AtomicU16,
    ends: Mutex<Vec<TcpStream>>,
}

impl Relay {
    /// A wire to a port.
    pub(crate) fn to(target: u16) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let wire = Arc::new(Wire { target: target.into(), ..Wire::default() });
        let held = Arc::clone(&wire);
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                if !held.cut.load(Ordering::Relaxed) {
                    // Whoever cannot be reached is as good as cut off.
                    let _ = held.lead(near);
                }
            }
        });
        Ok(Relay { port, wire })
    }

    /// Ends what goes over it, and lets nothing through from now on.
    pub(crate) fn cut(&self) {
        self.wire.cut.store(true, Ordering::Relaxed);
        let mut ends = self.wire.ends.lock().unwrap_or_else(PoisonError::into_inner);
        for end in ends.drain(..) {
            // It may have ended by itself.
            let _ = end.shutdown(Shutdown::Both);
        }
    }

    /// Lets it lead to another port from now on.
    pub(crate) fn aim(&self, target: u16) {
        self.wire.target.store(target, Ordering::Relaxed);
    }

    /// Lets everything through again.
    pub(crate) fn mend(&self) {
        self.wire.cut.store(false, Ordering::Relaxed);
    }
}

impl Wire {
    fn lead(&self, near: TcpStream) -> std::io::Result<()> {
        let target = self.target.load(Ordering::Relaxed);
        let far = TcpStream::connect(("127.0.0.1", target))?;
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        // It may have been cut meanwhile: who is not among the ends would never be told.
        if self.cut.load(Ordering::Relaxed) {
            return Ok(());
        }
        ends.extend([near.try_clone()?, far.try_clone()?]);
        let (back, forth) = (far.try_clone()?, near.try_clone()?);
        thread::spawn(move || pass(near, far));
        thread::spawn(move || pass(back, forth));
        Ok(())
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(n @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..n]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
