//! SIGINT and SIGTERM as readable sockets.

use machine::Signal;
use mio::{Interest, Registry, Token};
use signal_hook::consts::{SIGINT, SIGTERM};
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

/// One socket pair a signal; the handler writes a byte to the other end.
pub(crate) struct Signals {
    pipes: [(Signal, UnixStream); 2],
}

impl Signals {
    /// Takes the signals over for this process and registers both pipes under `token`.
    pub(crate) fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        let pipe = |signal: Signal, number| -> io::Result<(Signal, UnixStream)> {
            let (ours, handlers) = UnixStream::pair()?;
            ours.set_nonblocking(true)?;
            signal_hook::low_level::pipe::register(number, handlers)?;
            let mut source = mio::unix::SourceFd(&ours.as_raw_fd());
            registry.register(&mut source, token, Interest::READABLE)?;
            Ok((signal, ours))
        };
        Ok(Signals { pipes: [pipe(Signal::Interrupt, SIGINT)?, pipe(Signal::Terminate, SIGTERM)?] })
    }

    /// The signals that came since the last call.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = Signal> {
        self.pipes.iter_mut().flat_map(|(signal, pipe)| {
            let mut bytes = [0; 64];
            let n = pipe.read(&mut bytes).unwrap_or(0);
            std::iter::repeat_n(*signal, n)
        })
    }
}
