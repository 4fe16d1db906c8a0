//! Ends of connections, refusals, deadlines, letters.

use super::probe::{Cx, Note, client, listen, matches, probe, say, send, server, word};
use crate::{Action, CloseReason, Event, Machine, NetError, Out, Span, TURN_CONNS, Token};
use alloc::{boxed::Box, vec::Vec};
use core::net::IpAddr;

type Machines = Vec<Box<dyn Machine + Send>>;

/// A server that lets `len` bytes and the end pile up before it reads.
fn late_reader(ip: IpAddr, len: usize, greet: bool) -> Box<dyn Machine + Send> {
    let (mut at_server, mut got) = (None, 0);
    server(ip, move |cx: &mut Cx, event: Event<'_>, out: &mut Out| match event {
        Event::Accepted { conn, .. } => {
            at_server = Some(conn);
            out.act(Action::PauseReads { conn });
            if greet {
                // Left unread by the client, so that its end becomes a reset.
                out.queue(conn, b"unread");
            }
        }
        Event::Received { bytes, .. } => {
            cx.check(matches(bytes, got), "bytes out of order");
            got += bytes.len();
            out.consumed(bytes.len());
        }
        Event::Closed { why, .. } => {
            cx.check(got == len, "bytes were lost before the end");
            let expected =
                if greet { CloseReason::Error(NetError::Reset) } else { CloseReason::Remote };
            cx.check(why == expected, "another end than expected");
            cx.pass();
        }
        event if word(&event).is_some() => cx.wake_in(Span::millis(100)),
        Event::Wake => {
            if let Some(conn) = at_server {
                out.act(Action::ResumeReads { conn });
            }
        }
        _ => {}
    })
}

pub(super) fn bytes_before_end(ips: &[IpAddr]) -> Machines {
    const LEN: usize = 150_000;
    let leaver = client(1, move |cx: &mut Cx, event: Event<'_>, out: &mut Out| match event {
        Event::Connected { conn, .. } => {
            send(conn, 0, LEN, out);
            out.close_after_flush(conn);
        }
        Event::Closed { why, .. } => {
            cx.check(why == CloseReason::Local, "another end than expected");
            say(0, 1, out);
            cx.pass();
        }
        _ => {}
    });
    alloc::vec![late_reader(ips[0], LEN, false), leaver]
}

pub(super) fn bytes_before_reset(ips: &[IpAddr]) -> Machines {
    const LEN: usize = 50_000;
    let mut to = None;
    let leaver = client(1, move |cx: &mut Cx, event: Event<'_>, out: &mut Out| match event {
        Event::Connected { conn, .. } => {
            out.act(Action::PauseReads { conn });
            send(conn, 0, LEN, out);
            to = Some(conn);
            cx.wake_in(Span::millis(200));
        }
        Event::Wake => {
            if let Some(conn) = to {
                out.close(conn);
            }
        }
        Event::Closed { .. } => {
            say(0, 1, out);
            cx.pass();
        }
        _ => {}
    });
    alloc::vec![late_reader(ips[0], LEN, true), leaver]
}

pub(super) fn closed_once(ips: &[IpAddr]) -> Machines {
    let (mut gone, mut closing) = (0, false);
    let closer = server(ips[0], move |cx: &mut Cx, event: Event<'_>, out: &mut Out| match event {
        Event::Accepted { conn, .. } => {
            cx.check(!closing, "a connection came before the end of the only other one");
            out.queue(conn, b"hello");
        }
        Event::Received { conn, bytes } => {
            cx.check(!closing, "bytes after a close");
            closing = true;
            out.consumed(bytes.len());
            out.close(conn);
            out.close(conn);
            out.close_after_flush(conn);
            cx.wake_in(Span::millis(50));
        }
        Event::Closed { conn, why } => {
            gone += 1;
            cx.check(why == CloseReason::Local, "another end than expected");
            out.queue(conn, b"to nobody");
            out.close(conn);
        }
        Event::Wake => {
            cx.check(gone == 1, "the end did not come exactly once");
            cx.pass();
        }
        _ => {}
    });
    let mut ends = 0;
    let caller = client(1, move |cx: &mut Cx, event: Event<'_>, out: &mut Out| match event {
        Event::Received { conn, bytes } => {
            cx.check(bytes == b"hello", "other bytes than sent");
            out.consumed(bytes.len());
            out.queue(conn, b"x");
        }
        Event::Closed { why, .. } => {
            ends += 1;
            cx.check(ends == 1, "ended twice");
            cx.check(why != CloseReason::Local, "another end than expected");
            cx.pass();
        }
        _ => {}
    });
    alloc::vec![closer, caller]
}

pub(super) fn crowd(ips: &[IpAddr]) -> Machines {
    const CROWD: usize = 8 * TURN_CONNS;
    let (mut conns, mut new, mut over, mut gone) = (Vec::new(), 0, 0, 0);
    let host = move |cx: &mut Cx, event: Event<'_>, out: &mut Out| match event {
        Event::Accepted { conn, .. } => {
            new += 1;
            cx.check(new <= TURN_CONNS, "too many came in one turn");
            conns.push(conn);
            match conns.len() {
                // The others have time to gather.
                1 => out.act(Action::Stall { span: Span::millis(20) }),
                CROWD => conns.iter().for_each(|conn| out.close(*conn)),
                _ => {}
            }
        }
        Event::Closed { .. } => {
            over += 1;
            gone += 1;
            cx.check(over <= TURN_CONNS, "too many ended in one turn");
            if gone == CROWD {
                cx.pass();
            }
        }
        Event::TurnEnd { .. } => (new, over) = (0, 0),
        _ => {}
    };
    let (mut over, mut gone) = (0, 0);
    let guests = client(CROWD as u64, move |cx: &mut Cx, event: Event<'_>, out: &mut Out| {
        match event {
            // What is under way when the end comes is nobody's loss.
            Event::Connected { conn, .. } => out.queue(conn, b"here"),
            Event::Closed { .. } => {
                over += 1;
                gone += 1;
                cx.check(over <= TURN_CONNS, "too many ended in one turn");
                if gone == CROWD {
                    cx.pass();
                }
            }
            Event::TurnEnd { .. } => over = 0,
            _ => {}
        }
    });
    alloc::vec![server(ips[0], host), guests]
}

pub(super) fn refused(ips: &[IpAddr]) -> Machines {
    let ip = ips[0];
    let script = move |cx: &mut Cx, event: Event<'_>, out: &mut Out| match event {
        Event::Started => listen(ip, out),
        Event::Listening { address: Some(to), token } => {
            out.act(Action::Unlisten { token });
            out.act(Action::Connect { token: Token(7), to, from: None });
        }
        Event::Connected { .. } => cx.fail("connected to nobody"),
        Event::ConnectFailed { token, why } => {
            cx.check(token == Token(7), "another attempt");
            cx.check(why == NetError::Refused, "another reason");
            cx.pass();
        }
        _ => {}
    };
    alloc::vec![probe(1, script)]
}

pub(super) fn deadlines(_: &[IpAddr]) -> Machines {
    let mut wakes = 0;
    let script = move |cx: &mut Cx, event: Event<'_>, _: &mut Out| match event {
        Event::Started => cx.wake_in(Span::millis(3)),
        Event::Wake => {
            wakes += 1;
            cx.wake_in(Span::micros(700 * wakes));
            if wakes == 20 {
                cx.pass();
            }
        }
        _ => {}
    };
    alloc::vec![probe(1, script)]
}

pub(super) fn letters(_: &[IpAddr]) -> Machines {
    const COUNT: u32 = 500;
    let writer = probe(2, |cx: &mut Cx, event: Event<'_>, out: &mut Out| {
        if let Event::Started = event {
            (0..COUNT).for_each(|n| say(1, n, out));
        }
        if let Event::Mail { from, letter } = event {
            cx.check(from.0 == 1, "from another sender");
            cx.check(matches!(letter.downcast_ref(), Some(Note::Word(COUNT))), "another letter");
            cx.pass();
        }
    });
    let mut next = 0;
    let reader = probe(2, move |cx: &mut Cx, event: Event<'_>, out: &mut Out| {
        if let Some(n) = word(&event) {
            cx.check(n == next, "letters out of order");
            next += 1;
            if next == COUNT {
                say(0, COUNT, out);
                cx.pass();
            }
        }
    });
    alloc::vec![writer, reader]
}
