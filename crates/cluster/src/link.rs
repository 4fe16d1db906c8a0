//! Connections to and from other nodes.

use crate::NodeId;
use crate::cluster::Cluster;
use crate::health::Busy;
use crate::members::{Key, Way};
use crate::traffic::Traffic;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use machine::{
    Action, CloseReason, ConnId, Instant, Level, ListenOn, NetError, Now, Out, Peer, Span, Token,
    UnixMicros,
};
use wire::bus::{Body, BusError, Packet, Touch, decode, encode, flag, frame, packet_flag};

/// Tokens of the control plane are at least this; it begins with the listener's.
pub const TOKENS: u64 = 1 << 40;
const LISTENER: Token = Token(TOKENS);
const BACKLOG: u32 = 511;
/// The longest packet we take, in bytes: one with a message to subscribers.
const PACKET: usize = 64 << 20;
/// The same from somebody we do not know: header and a gossip section of thousands.
const STRANGERS_PACKET: usize = 512 << 10;
/// How many connections may be open of which we do not know whose they are.
const STRANGERS: usize = 256;

/// One connection.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    /// Whom we called; none: they called us.
    pub(crate) to: Option<Key>,
    /// Who called us, by what they say.
    pub(crate) from: Option<NodeId>,
    pub(crate) remote: Option<IpAddr>,
    pub(crate) local: Option<IpAddr>,
    /// When it came to stand.
    pub(crate) since: UnixMicros,
    /// The same, to count from.
    stands: Instant,
    /// A packet that is none was logged: the next ones are not.
    complained: bool,
}

/// Which port of a member is called to see whether its process is gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Probe {
    Bus,
    Clients,
}

/// What a call is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Call {
    to: Key,
    port: Probe,
}

/// All connections of the bus.
#[derive(Debug, Default)]
pub(crate) struct Links {
    open: BTreeMap<ConnId, Link>,
    calls: BTreeMap<Token, Call>,
    count: u64,
    pub(crate) traffic: Traffic,
}

impl Links {
    pub(crate) fn get(&self, conn: ConnId) -> Option<&Link> {
        self.open.get(&conn)
    }

    /// All links that stand.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (ConnId, &Link)> {
        self.open.iter().map(|(conn, link)| (*conn, link))
    }

    /// Whether a member has a link to us.
    pub(crate) fn any_from(&self, id: NodeId) -> bool {
        self.open.values().any(|link| link.from == Some(id))
    }

    /// Whether its bus port is being called.
    pub(crate) fn is_probed(&self, key: Key) -> bool {
        self.calls.values().any(|call| *call == Call { to: key, port: Probe::Bus })
    }

    /// Notes who is at the other end of a link to us; whether that is news.
    fn said_by(&mut self, conn: ConnId, id: NodeId) -> bool {
        let link = self.open.get_mut(&conn).filter(|link| link.to.is_none());
        link.is_some_and(|link| link.from.replace(id) != Some(id))
    }

    fn token(&mut self, to: Key, port: Probe) -> Token {
        self.count += 1;
        let token = Token(TOKENS + self.count);
        self.calls.insert(token, Call { to, port });
        token
    }
}

/// For composing it with a data plane in one machine.
impl Cluster {
    /// Whether events of this connection are the control plane's.
    pub fn owns_conn(&self, conn: ConnId) -> bool {
        self.links.open.contains_key(&conn)
    }

    /// Whether events of this listener or attempt to connect are.
    pub fn owns_token(token: Token) -> bool {
        token.0 >= TOKENS
    }
}

impl Cluster {
    pub(crate) fn listen(&self, out: &mut Out) {
        let on = ListenOn::Tcp(SocketAddr::new(self.config.bind, self.config.bus_port));
        out.act(Action::Listen { token: LISTENER, on, backlog: BACKLOG });
    }

    pub(crate) fn listen_failed(&self, token: Token, why: NetError, out: &mut Out) {
        if token == LISTENER {
            let port = self.config.bus_port;
            out.log(
                Level::Warning,
                format_args!("Failed listening on port {port} (cluster): {why}, aborting."),
            );
            out.act(Action::Exit { status: 1 });
        }
    }

    pub(crate) fn accepted(
        &mut self,
        now: Now,
        conn: ConnId,
        listener: Token,
        peer: &Peer,
        out: &mut Out,
    ) {
        if listener != LISTENER {
            return;
        }
        let strangers = self.links.open.keys().filter(|conn| self.is_stranger(**conn)).count();
        if strangers >= STRANGERS {
            return out.close(conn);
        }
        self.links.open.insert(conn, link(now, None, peer));
    }

    /// Someone names himself over a link to us. A member keeps the youngest: an older one is what a
    /// crash of its host has left, and would hide that the member's links have ended. A MEET may
    /// come over a second one that its sender closes itself.
    pub(crate) fn said_by(&mut self, conn: ConnId, id: NodeId, body: &Body, out: &mut Out) {
        let ping = matches!(body, Body::Touch { touch: Touch::Ping, .. });
        if !self.links.said_by(conn, id) || !ping {
            return;
        }
        let of_it = self.links.iter().filter(|(_, link)| link.from == Some(id));
        let mut of_it: Vec<(Instant, ConnId)> =
            of_it.map(|(conn, link)| (link.stands, conn)).collect();
        of_it.sort();
        of_it.pop();
        for (_, conn) in of_it {
            self.links.open.remove(&conn);
            out.close(conn);
        }
    }

    /// Whether a connection is from nobody we know.
    fn is_stranger(&self, conn: ConnId) -> bool {
        let Some(link) = self.links.get(conn) else { return true };
        let known = |id| self.members.key(id).is_some();
        link.to.is_none() && !link.from.is_some_and(known)
    }

    /// Closes connections over which nothing sensible has come for too long.
    pub(crate) fn dismiss_silent(&mut self, now: Now, out: &mut Out) {
        let patience = self.config.timeout().max(Span::millis(1000));
        let old = |link: &Link| now.mono.since(link.stands) > patience;
        let silent = |(conn, link): &(&ConnId, &Link)| old(link) && self.is_stranger(**conn);
        let conns: Vec<ConnId> =
            self.links.open.iter().filter(silent).map(|(conn, _)| *conn).collect();
        for conn in conns {
            self.links.open.remove(&conn);
            out.close(conn);
        }
    }

    pub(crate) fn connected(
        &mut self,
        now: Now,
        conn: ConnId,
        token: Token,
        peer: &Peer,
        out: &mut Out,
    ) {
        let call = self.links.calls.remove(&token);
        let Some(Call { to: key, port: Probe::Bus }) = call else {
            // A call that was given up, or that has shown that someone is there.
            if Self::owns_token(token) {
                out.close(conn);
            }
            return call.map_or((), |call| self.probe_answered(call.to));
        };
        self.probe_answered(key);
        let Some(member) = self.members.get_mut(key) else { return out.close(conn) };
        member.way = Way::Up(conn, now.mono);
        let meet = member.is(flag::MEET);
        member.set(flag::MEET, false);
        let pending = (member.times.ping_sent, member.times.ping_wall);
        self.links.open.insert(conn, link(now, Some(key), peer));
        self.touch(now, conn, if meet { Touch::Meet } else { Touch::Ping }, 0, out);
        if let Some(member) = self.members.get_mut(key)
            && pending.0.is_some()
        {
            // A PING that a former link lost goes on counting.
            (member.times.ping_sent, member.times.ping_wall) = pending;
        }
        self.picture.dirty = true;
    }

    pub(crate) fn connect_failed(&mut self, now: Now, token: Token, why: NetError, out: &mut Out) {
        let Some(Call { to: key, port }) = self.links.calls.remove(&token) else { return };
        if port == Probe::Bus
            && let Some(member) = self.members.get_mut(key)
        {
            member.way = Way::None;
            if member.times.ping_sent.is_none() {
                member.times.ping_sent = Some(now.mono);
                member.times.ping_wall = now.wall;
            }
        }
        self.probe_failed(now, key, port, why, out);
    }

    pub(crate) fn closed(&mut self, now: Now, conn: ConnId, why: CloseReason, out: &mut Out) {
        let Some(Link { to, from, .. }) = self.links.open.remove(&conn) else { return };
        if let Some(key) = to {
            self.unlinked(now, conn, key);
        }
        if let Some(key) = to.or(from.and_then(|id| self.members.key(id))) {
            self.link_ended(now, key, to.is_some(), why, out);
        }
    }

    fn unlinked(&mut self, now: Now, conn: ConnId, key: Key) {
        self.grants.unlinked(conn, key);
        let Some(member) = self.members.get_mut(key) else { return };
        if member.conn() == Some(conn) {
            member.way = Way::None;
            if member.times.ping_sent.is_none() {
                member.times.ping_sent = Some(now.mono);
                member.times.ping_wall = now.wall;
            }
            self.picture.dirty = true;
        }
    }

    /// Gives up our link to a member; the cron makes a new one.
    pub(crate) fn unlink(&mut self, key: Key, out: &mut Out) {
        let Some(member) = self.members.get_mut(key) else { return };
        if let Some(conn) = member.conn() {
            member.way = Way::None;
            self.links.open.remove(&conn);
            self.grants.unlinked(conn, key);
            out.close(conn);
        }
    }

    /// Calls a member.
    pub(crate) fn connect(&mut self, now: Now, key: Key, out: &mut Out) {
        self.links.calls.retain(|_, call| *call != Call { to: key, port: Probe::Bus });
        if !self.probe(key, Probe::Bus, out) {
            return;
        }
        if let Some(member) = self.members.get_mut(key) {
            member.way = Way::Connecting(now.mono);
            // Whoever cannot be called is silent.
            if member.times.ping_sent.is_none() {
                member.times.ping_sent = Some(now.mono);
                member.times.ping_wall = now.wall;
            }
        }
    }

    /// Calls one of a member's ports; whether its address allows that.
    pub(crate) fn probe(&mut self, key: Key, port: Probe, out: &mut Out) -> bool {
        let Some(place) = self.members.get(key).map(|member| &member.place) else { return false };
        let Ok(ip) = place.ip.parse::<IpAddr>() else { return false };
        let number = if port == Probe::Bus { place.bus_port } else { place.port };
        let token = self.links.token(key, port);
        out.act(Action::Connect { token, to: SocketAddr::new(ip, number), from: None });
        true
    }

    /// Forgets calls to a member that is no more, and its link.
    pub(crate) fn hang_up(&mut self, key: Key, out: &mut Out) {
        self.unlink(key, out);
        self.links.calls.retain(|_, call| call.to != key);
    }

    pub(crate) fn received(&mut self, now: Now, conn: ConnId, bytes: &[u8], out: &mut Out) {
        let mut at = 0;
        while self.links.open.contains_key(&conn) {
            let limit = if self.is_stranger(conn) { STRANGERS_PACKET } else { PACKET };
            match frame(&bytes[at..], limit) {
                Ok(Some(length)) if bytes.len() - at >= length => {
                    self.links.traffic.received(&bytes[at..at + length]);
                    let packet = decode(&bytes[at..at + length]);
                    at += length;
                    match packet {
                        Ok(packet) => self.packet_in(now, conn, packet, out),
                        Err(error) => self.complain(conn, error, out),
                    }
                }
                Ok(_) => break,
                Err(error) => {
                    out.log(
                        Level::Warning,
                        format_args!("Bad message length or signature received: {error}"),
                    );
                    at = bytes.len();
                    self.drop_conn(now, conn, out);
                }
            }
        }
        out.consumed(at);
    }

    /// Once a connection: whoever sends one packet that is none may send a million.
    fn complain(&mut self, conn: ConnId, error: BusError, out: &mut Out) {
        let Some(link) = self.links.open.get_mut(&conn) else { return };
        if !core::mem::replace(&mut link.complained, true) {
            out.log(Level::Warning, format_args!("Received invalid packet: {error}"));
        }
    }

    fn drop_conn(&mut self, now: Now, conn: ConnId, out: &mut Out) {
        self.closed(now, conn, CloseReason::Local, out);
        out.close(conn);
    }

    /// Queues a packet.
    pub(crate) fn send(&mut self, conn: ConnId, packet: &Packet, out: &mut Out) {
        if self.health.busy == Busy::Stuck {
            return;
        }
        let waiting = out.queued(conn) as u64;
        if self.config.link_limit > 0 && waiting > self.config.link_limit {
            let limit = self.config.link_limit;
            out.log(
                Level::Warning,
                format_args!(
                    "Freeing outbound cluster link: {waiting} bytes wait, the limit is {limit}"
                ),
            );
            self.links.traffic.overfull();
            return match self.links.get(conn).and_then(|link| link.to) {
                Some(key) => self.unlink(key, out),
                None => out.close(conn),
            };
        }
        let mut bytes = Vec::new();
        encode(packet, &mut bytes);
        self.links.traffic.sent(&bytes);
        out.queue(conn, &bytes);
    }

    /// Sends a packet without a body of note to every node we are linked with.
    pub(crate) fn broadcast(&mut self, packet: &Packet, out: &mut Out) {
        let conns: Vec<ConnId> = self
            .members
            .others()
            .filter(|(_, member)| !member.is(flag::HANDSHAKE))
            .filter_map(|(_, member)| member.conn())
            .collect();
        for conn in conns {
            self.send(conn, packet, out);
        }
    }

    /// Sends a PING, PONG or MEET with gossip.
    pub(crate) fn touch(
        &mut self,
        now: Now,
        conn: ConnId,
        touch: Touch,
        own_flags: u16,
        out: &mut Out,
    ) {
        if self.health.busy == Busy::Stuck {
            return;
        }
        let to = self.links.get(conn).and_then(|link| link.to);
        if touch != Touch::Pong
            && let Some(member) = to.and_then(|key| self.members.get_mut(key))
        {
            member.times.ping_sent = Some(now.mono);
            member.times.ping_wall = now.wall;
            self.grants.asked(conn, now.mono);
        }
        let gossip = self.gossip(to);
        let caller = self.links.get(conn).and_then(|link| link.from);
        let known = to.or(caller.and_then(|id| self.members.key(id)));
        let extensions = self.extensions(now, known);
        let body = Body::Touch { touch, gossip, extensions };
        let mut header = self.header(own_flags);
        // Also without any: it says that we understand them.
        header.packet_flags[0] |= packet_flag::EXTENSIONS;
        let packet = Packet { header, body };
        self.send(conn, &packet, out);
    }

    /// Tells everyone how things stand with us.
    pub(crate) fn broadcast_pong(&mut self, now: Now, out: &mut Out) {
        let conns: Vec<ConnId> =
            self.members.others().filter_map(|(_, member)| member.conn()).collect();
        for conn in conns {
            self.touch(now, conn, Touch::Pong, 0, out);
        }
    }
}

fn link(now: Now, to: Option<Key>, peer: &Peer) -> Link {
    let (remote, local) = match peer {
        Peer::Tcp { remote, local } => (Some(remote.ip()), Some(local.ip())),
        Peer::Unix { .. } => (None, None),
    };
    Link { to, from: None, remote, local, since: now.wall, stands: now.mono, complained: false }
}
