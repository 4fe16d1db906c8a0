//! CLIENT LIST: at once for a few clients, in portions over several turns for many.
//!
//! The list is of those who were there when it was asked for and still are when their line is
//! written. Who asked waits meanwhile, and nobody else does.

use crate::execute::Turn;
use crate::node::Node;
use front::{Awaited, Filter, Session, describe};
use machine::{ConnId, Now, Out};
use wire::reply::{Protocol, Reply};

/// So many clients are listed within the turn in which that is asked for.
const AT_ONCE: usize = 1000;
/// Clients listed in one unit of background work.
const CLIENTS_A_UNIT: usize = 2;
/// The share of the time that lists get while there is other work, in percent.
const SHARE: u8 = 30;
/// Lines are collected in pieces of this size.
const PIECE: usize = 64 << 10;
/// What a line takes at the most, names apart.
const LINE: usize = 512;

/// A list that is being made over several turns.
pub(crate) struct Listing {
    conn: ConnId,
    filter: Filter,
    protocol: Protocol,
    /// The line of who asked, as of then.
    own: Vec<u8>,
    /// The ids that are still to be looked at.
    next: u64,
    last: u64,
    pieces: Vec<Vec<u8>>,
}

impl Listing {
    /// Whose it is.
    pub(super) fn is_of(&self, conn: ConnId) -> bool {
        self.conn == conn
    }

    /// The piece to which the next line goes.
    fn piece(&mut self) -> &mut Vec<u8> {
        if self.pieces.last().is_none_or(|piece| piece.capacity() - piece.len() < LINE) {
            self.pieces.push(Vec::with_capacity(PIECE));
        }
        self.pieces.last_mut().expect("there is one now")
    }
}

impl Node {
    /// CLIENT LIST.
    pub(super) fn client_list(
        &mut self,
        session: &mut Session,
        args: &[&[u8]],
        turn: &mut Turn<'_>,
    ) {
        let filter = match Filter::of_list(&args[2..]) {
            Ok(filter) => filter,
            Err(error) => return Reply::new(turn.buffer, session.protocol).error(&error),
        };
        let mut own = Vec::new();
        let now = turn.now.mono;
        if filter.takes(session, self.kind(session.conn), now) {
            let figures = self.own_figures(session, args, turn.buffer.len(), turn);
            describe(session, &figures, now, &mut own);
        }
        if let Some(ids) = &filter.ids {
            let text = self.list_ids(ids, session, &own, turn);
            return Reply::new(turn.buffer, session.protocol).verbatim(*b"txt", &text);
        }
        let last = self.sessions.last_id();
        let (conn, protocol) = (session.conn, session.protocol);
        let mut listing = Listing { conn, filter, protocol, own, next: 0, last, pieces: vec![] };
        // A transaction is answered in one turn.
        if self.sessions.len() <= AT_ONCE || session.transaction.running.is_some() {
            self.list_some(&mut listing, usize::MAX, turn.now, turn.out);
            let text = listing.pieces.concat();
            return Reply::new(turn.buffer, protocol).verbatim(*b"txt", &text);
        }
        session.waiting.begin(Awaited::Listing);
        self.clients.listings.push_back(listing);
        turn.out.more_work(SHARE);
    }

    /// The lines of these clients, in the order they were asked for.
    fn list_ids(&self, ids: &[u64], session: &Session, own: &[u8], turn: &Turn<'_>) -> Vec<u8> {
        let mut text = Vec::new();
        for id in ids {
            if *id == session.id {
                text.extend_from_slice(own);
            } else if let Some(other) = self.sessions.by_id(*id).filter(|other| !other.closing) {
                describe(other, &self.figures(other, turn.out), turn.now.mono, &mut text);
            }
        }
        text
    }

    /// Lists at most so many more clients; whether all are listed.
    fn list_some(&self, listing: &mut Listing, most: usize, now: Now, out: &Out) -> bool {
        let mut sessions = self.sessions.range(listing.next..=listing.last);
        for (id, other) in sessions.by_ref().take(most) {
            listing.next = id + 1;
            match other {
                Some(other) if other.conn != listing.conn => {
                    let figures = self.figures(other, out);
                    if !other.closing && listing.filter.takes(other, figures.kind, now.mono) {
                        describe(other, &figures, now.mono, listing.piece());
                    }
                }
                _ => {
                    let own = std::mem::take(&mut listing.own);
                    listing.piece().extend_from_slice(&own);
                }
            }
        }
        sessions.next().is_none()
    }

    /// A portion of the list that was asked for first.
    pub(crate) fn advance_listing(&mut self, units: u32, now: Now, out: &mut Out) {
        let Some(mut listing) = self.clients.listings.pop_front() else { return };
        let most = units as usize * CLIENTS_A_UNIT;
        if most == 0 || !self.list_some(&mut listing, most, now, out) {
            self.clients.listings.push_front(listing);
        } else {
            let conn = listing.conn;
            if self.is_heard(conn) {
                send(listing, out);
            }
            self.end_wait(conn, Awaited::Listing, out);
            if self.config.clients.output.normal.hard != 0 {
                self.check_output(conn, out);
            }
        }
        if !self.clients.listings.is_empty() {
            out.more_work(SHARE);
        }
    }
}

fn send(listing: Listing, out: &mut Out) {
    let conn = listing.conn;
    let len = listing.pieces.iter().map(Vec::len).sum();
    let mut head = Vec::new();
    Reply::new(&mut head, listing.protocol).verbatim_header(*b"txt", len);
    out.queue(conn, &head);
    for piece in listing.pieces {
        out.hand_over(conn, piece);
    }
    out.queue(conn, b"\r\n");
}
