//! Listeners: accepting in bounded batches, and backing off when files run out.

use crate::conn::Conn;
use crate::driver::{Driver, LISTENERS, Later};
use crate::net;
use crate::stream::{AnyStream, Socket, Stream};
use machine::{Event, Instant, Level, ListenOn, Machine, Peer, Span, TURN_CONNS, Token};
use mio::Interest;
use mio::unix::SourceFd;
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::{SocketFlags, acceptfrom_with};

/// How long to wait when the process or the system has no file to spare.
const BACK_OFF: Span = Span::millis(100);

/// A listening socket.
pub(crate) struct Listener {
    token: Token,
    fd: OwnedFd,
    on: ListenOn,
    /// Accept again at this time, whether or not the system reports somebody.
    pub(crate) retry: Option<Instant>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let ListenOn::Unix { path, .. } = &self.on {
            // Somebody may have removed it already.
            let _ = std::fs::remove_file(path);
        }
    }
}

impl<M: Machine> Driver<M> {
    pub(crate) fn listen(&mut self, token: Token, on: ListenOn, backlog: u32) {
        let made = net::listener(&on, backlog).and_then(|(fd, address)| {
            let index = self.listeners.iter().position(Option::is_none);
            let index = index.unwrap_or(self.listeners.len());
            self.poll
                .registry()
                .register(
                    &mut SourceFd(&fd.as_raw_fd()),
                    mio::Token(LISTENERS + index),
                    Interest::READABLE,
                )
                .map_err(|e| net::errno(&e))?;
            let listener = Some(Listener { token, fd, on, retry: None });
            if index == self.listeners.len() {
                self.listeners.push(listener);
            } else {
                self.listeners[index] = listener;
            }
            Ok(address)
        });
        self.later.push_back(match made {
            Ok(address) => Later::Listening(token, address),
            Err(errno) => Later::ListenFailed(token, net::net_error(errno)),
        });
    }

    pub(crate) fn unlisten(&mut self, token: Token) {
        for slot in &mut self.listeners {
            if slot.as_ref().is_some_and(|l| l.token == token) {
                *slot = None;
            }
        }
    }

    /// Accepts what waits at listener `index`.
    pub(crate) fn accept(&mut self, index: usize) {
        for _ in 0..TURN_CONNS {
            // The machine may end the listener while we hand over what it brought.
            let Some(Some(listener)) = self.listeners.get_mut(index) else { return };
            listener.retry = None;
            match acceptfrom_with(&listener.fd, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC) {
                Ok((fd, _)) => self.accepted(index, fd),
                Err(Errno::AGAIN) => return,
                Err(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => {
                    listener.retry = Some(self.now.mono + BACK_OFF);
                    (self.told.log)(
                        Level::Warning,
                        "Accepting client connection: Too many open files",
                    );
                    return;
                }
                // The peer gave up meanwhile, or a signal came: the next one may be fine.
                Err(_) => {}
            }
        }
        if let Some(Some(listener)) = self.listeners.get_mut(index) {
            // Not again within this turn, whose time this still is.
            listener.retry = Some(self.now.mono + Span(1));
        }
    }

    fn accepted(&mut self, index: usize, fd: OwnedFd) {
        let Some(Some(listener)) = self.listeners.get(index) else { return };
        let token = listener.token;
        let peer = match &listener.on {
            ListenOn::Unix { path, .. } => Peer::Unix { path: path.clone() },
            ListenOn::Tcp(_) => {
                net::tune(&fd, self.keepalive);
                // Gone before it was looked at: nobody needs to hear of it.
                let Ok(peer) = net::tcp_peer(&fd) else { return };
                peer
            }
        };
        let conn = Conn::new(AnyStream::Socket(Socket(fd)), None);
        if let Some(conn) = self.adopt(conn) {
            self.call(Event::Accepted { conn, listener: token, peer: &peer });
        }
    }

    /// Registers a connection with the poll and gives it a number.
    pub(crate) fn adopt(&mut self, conn: Conn) -> Option<machine::ConnId> {
        let id = self.conns.next();
        let token = mio::Token(id.0 as usize);
        let fd = conn.stream.fd().as_raw_fd();
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut SourceFd(&fd), token, interest).ok()?;
        Some(self.conns.insert(conn))
    }
}
