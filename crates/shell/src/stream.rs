//! Ordered byte streams, whatever carries them.

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags};
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;

/// A non-blocking byte stream over a file descriptor.
pub(crate) trait Stream {
    /// Reads into the front of `into`; how many bytes were written there. 0: the end.
    fn read(&mut self, into: &mut [MaybeUninit<u8>]) -> io::Result<usize>;
    /// Writes; how many bytes were taken.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;
    /// Writes several pieces; how many bytes were taken.
    fn write_pieces(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize>;
    /// The descriptor to poll.
    fn fd(&self) -> BorrowedFd<'_>;
}

/// A TCP or Unix socket.
pub(crate) struct Socket(pub(crate) OwnedFd);

impl Stream for Socket {
    #[inline]
    fn read(&mut self, into: &mut [MaybeUninit<u8>]) -> io::Result<usize> {
        let ((filled, _), _) = rustix::net::recv(&self.0, into, RecvFlags::empty())?;
        Ok(filled.len())
    }

    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::net::send(&self.0, bytes, SendFlags::NOSIGNAL)?)
    }

    fn write_pieces(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut control = SendAncillaryBuffer::default();
        Ok(rustix::net::sendmsg(&self.0, pieces, &mut control, SendFlags::NOSIGNAL)?)
    }

    fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Every kind of stream a connection can have. An enum, so that the usual kind costs no call
/// through a pointer.
pub(crate) enum AnyStream {
    /// Bytes as they are.
    Socket(Socket),
}

impl Stream for AnyStream {
    #[inline]
    fn read(&mut self, into: &mut [MaybeUninit<u8>]) -> io::Result<usize> {
        match self {
            AnyStream::Socket(socket) => socket.read(into),
        }
    }

    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            AnyStream::Socket(socket) => socket.write(bytes),
        }
    }

    fn write_pieces(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            AnyStream::Socket(socket) => socket.write_pieces(pieces),
        }
    }

    fn fd(&self) -> BorrowedFd<'_> {
        match self {
            AnyStream::Socket(socket) => socket.fd(),
        }
    }
}
