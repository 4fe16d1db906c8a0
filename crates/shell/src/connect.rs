//! Connecting to others.

use crate::conn::Conn;
use crate::driver::{Driver, Later};
use crate::net;
use crate::stream::{AnyStream, Socket, Stream};
use machine::{ConnId, Event, Machine, NetError, Token};
use rustix::net::sockopt;
use std::net::{IpAddr, SocketAddr};

impl<M: Machine> Driver<M> {
    pub(crate) fn connect(&mut self, token: Token, to: SocketAddr, from: Option<IpAddr>) {
        let made = net::connecting(&to, from).map_err(net::net_error).and_then(|fd| {
            net::tune(&fd, self.keepalive);
            let conn = Conn::new(AnyStream::Socket(Socket(fd)), Some(token));
            self.adopt(conn).ok_or(NetError::Other(0))
        });
        if let Err(why) = made {
            self.later.push_back(Later::ConnectFailed(token, why));
        }
    }

    /// The system reports something about a connection in the making. Whether it stands now.
    pub(crate) fn connected(&mut self, id: ConnId) -> bool {
        let Some(conn) = self.conns.get(id) else { return false };
        let Some(token) = conn.connecting else { return false };
        let fd = conn.stream.fd();
        let failure = match sockopt::socket_error(fd) {
            Ok(Ok(())) => None,
            Ok(Err(errno)) | Err(errno) => Some(net::net_error(errno)),
        };
        let peer = net::tcp_peer(fd);
        if let Some(why) = failure {
            self.conns.remove(id);
            self.conns.retire(id);
            self.call(Event::ConnectFailed { token, why });
            return false;
        }
        // No error and no peer: still under way.
        let Ok(peer) = peer else { return false };
        conn.connecting = None;
        self.call(Event::Connected { conn: id, token, peer: &peer });
        true
    }
}
