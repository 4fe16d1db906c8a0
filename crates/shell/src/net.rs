//! Sockets: made, bound and named; and the system's errors in the contract's words.

use machine::{ListenOn, NetError, Peer};
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, getpeername,
    getsockname, listen, socket_with, sockopt,
};
use std::fs::{self, Permissions};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

const FLAGS: SocketFlags = SocketFlags::NONBLOCK.union(SocketFlags::CLOEXEC);

fn family(address: &SocketAddr) -> AddressFamily {
    if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 }
}

/// A listening socket, and the address it got if it is a TCP one.
pub(crate) fn listener(
    on: &ListenOn,
    backlog: u32,
) -> Result<(OwnedFd, Option<SocketAddr>), Errno> {
    let backlog = i32::try_from(backlog).unwrap_or(i32::MAX);
    match on {
        ListenOn::Tcp(address) => {
            let fd = socket_with(family(address), SocketType::STREAM, FLAGS, None)?;
            sockopt::set_socket_reuseaddr(&fd, true)?;
            if address.is_ipv6() {
                // The same port may be asked for on the IPv4 wildcard too.
                sockopt::set_ipv6_v6only(&fd, true)?;
            }
            bind(&fd, address)?;
            listen(&fd, backlog)?;
            let address = SocketAddr::try_from(getsockname(&fd)?)?;
            Ok((fd, Some(address)))
        }
        ListenOn::Unix { path, mode } => {
            // A socket that a dead process left behind is in nobody's use.
            match fs::remove_file(path) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(errno(&e)),
                _ => {}
            }
            let fd = socket_with(AddressFamily::UNIX, SocketType::STREAM, FLAGS, None)?;
            bind(&fd, &SocketAddrUnix::new(path.as_str())?)?;
            if *mode != 0 {
                fs::set_permissions(path, Permissions::from_mode(*mode)).map_err(|e| errno(&e))?;
            }
            listen(&fd, backlog)?;
            Ok((fd, None))
        }
    }
}

/// A socket that is about to be connected.
pub(crate) fn connecting(to: &SocketAddr, from: Option<IpAddr>) -> Result<OwnedFd, Errno> {
    let fd = socket_with(family(to), SocketType::STREAM, FLAGS, None)?;
    if let Some(from) = from {
        bind(&fd, &SocketAddr::new(from, 0))?;
    }
    match connect(&fd, to) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(fd),
        Err(e) => Err(e),
    }
}

/// Replies leave at once, and a silent peer is probed.
pub(crate) fn tune(fd: impl AsFd, keepalive: Option<Duration>) {
    let fd = fd.as_fd();
    // A socket that ended in this moment refuses; its end shows when it is read.
    let _ = sockopt::set_tcp_nodelay(fd, true);
    if let Some(idle) = keepalive {
        let probe = (idle / 3).max(Duration::from_secs(1));
        let _ = sockopt::set_socket_keepalive(fd, true);
        let _ = sockopt::set_tcp_keepidle(fd, idle.max(Duration::from_secs(1)));
        let _ = sockopt::set_tcp_keepintvl(fd, probe);
        let _ = sockopt::set_tcp_keepcnt(fd, 3);
    }
}

/// Whether the system may wait for more output before it sends what there is.
pub(crate) fn gather(fd: impl AsFd, on: bool) {
    // A Unix socket never waits, and one that ended in this moment refuses.
    let _ = sockopt::set_tcp_nodelay(fd, !on);
}

/// Both ends of a TCP connection.
pub(crate) fn tcp_peer(fd: impl AsFd) -> Result<Peer, Errno> {
    let fd = fd.as_fd();
    let remote = SocketAddr::try_from(getpeername(fd)?.ok_or(Errno::NOTCONN)?)?;
    let local = SocketAddr::try_from(getsockname(fd)?)?;
    Ok(Peer::Tcp { remote, local })
}

/// The system's error number of an error, or "input/output error" if it has none.
pub(crate) fn errno(error: &io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}

/// A system error in the contract's words.
pub(crate) fn net_error(errno: Errno) -> NetError {
    match errno {
        Errno::CONNREFUSED => NetError::Refused,
        Errno::CONNRESET | Errno::PIPE | Errno::CONNABORTED => NetError::Reset,
        Errno::TIMEDOUT => NetError::TimedOut,
        Errno::HOSTUNREACH | Errno::NETUNREACH | Errno::NETDOWN | Errno::HOSTDOWN => {
            NetError::Unreachable
        }
        Errno::ADDRINUSE => NetError::AddressInUse,
        Errno::ADDRNOTAVAIL => NetError::AddressNotAvailable,
        Errno::ACCESS | Errno::PERM => NetError::Denied,
        Errno::NOENT => NetError::NotFound,
        other => NetError::Other(other.raw_os_error()),
    }
}
