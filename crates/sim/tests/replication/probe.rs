//! A client on virtual time: it sends what lies on its desk and puts replies there.

use machine::{Action, ConnId, Event, Instant, Machine, Now, Out, Span, Token};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::rc::Rc;
use wire::value::{Value, decode};

/// What a test and its client share.
#[derive(Default)]
pub(crate) struct Desk {
    pub(crate) outgoing: VecDeque<Vec<u8>>,
    pub(crate) replies: VecDeque<Value>,
    pub(crate) connected: bool,
    /// Rises with each connection.
    pub(crate) connections: u64,
    /// Ends the connection.
    pub(crate) leave: bool,
    /// Makes requests of its own, one each millisecond; their replies are not kept.
    pub(crate) chatter: Option<Box<dyn FnMut() -> Vec<u8>>>,
}

pub(crate) struct Probe {
    target: SocketAddr,
    desk: Rc<RefCell<Desk>>,
    conn: Option<ConnId>,
    connecting: bool,
    next: Instant,
}

impl Probe {
    pub(crate) fn new(target: SocketAddr, desk: Rc<RefCell<Desk>>) -> Self {
        Probe { target, desk, conn: None, connecting: false, next: Instant(0) }
    }

    fn wake(&mut self, now: Now, out: &mut Out) {
        self.next = now.mono + Span::millis(1);
        let Some(conn) = self.conn else {
            if !self.connecting {
                self.connecting = true;
                out.act(Action::Connect { token: Token(1), to: self.target, from: None });
            }
            return;
        };
        let mut desk = self.desk.borrow_mut();
        if std::mem::take(&mut desk.leave) {
            return out.close(conn);
        }
        while let Some(bytes) = desk.outgoing.pop_front() {
            out.queue(conn, &bytes);
        }
        if let Some(chatter) = &mut desk.chatter {
            out.queue(conn, &chatter());
        }
    }
}

impl Machine for Probe {
    fn handle(&mut self, now: Now, event: Event<'_>, out: &mut Out) {
        match event {
            Event::Wake => self.wake(now, out),
            Event::Connected { conn, .. } => {
                (self.conn, self.connecting) = (Some(conn), false);
                let mut desk = self.desk.borrow_mut();
                desk.connected = true;
                desk.connections += 1;
            }
            Event::ConnectFailed { .. } => self.connecting = false,
            Event::Closed { .. } => {
                self.conn = None;
                self.desk.borrow_mut().connected = false;
            }
            Event::Received { bytes, .. } => {
                let mut at = 0;
                while let Some((value, len)) = decode(&bytes[at..]).expect("a reply") {
                    at += len;
                    let mut desk = self.desk.borrow_mut();
                    if desk.chatter.is_none() {
                        desk.replies.push_back(value);
                    }
                }
                out.consumed(at);
            }
            _ => {}
        }
    }

    fn deadline(&self) -> Option<Instant> {
        Some(self.next)
    }
}
