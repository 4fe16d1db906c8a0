//! Input: order, keeping, bodies, pauses.

use super::probe::{Cx, client, matches, say, send, server, word};
use crate::{Action, ConnId, Event, Machine, Out, Span, TURN_INPUT};
use alloc::{boxed::Box, vec::Vec};
use core::net::IpAddr;

type Machines = Vec<Box<dyn Machine + Send>>;

/// A client that sends the first `len` bytes of the stream and passes when its end is closed.
fn sender(len: usize) -> Box<dyn Machine + Send> {
    client(1, move |cx: &mut Cx, event: Event<'_>, out: &mut Out| match event {
        Event::Connected { conn, .. } => send(conn, 0, len, out),
        Event::Closed { .. } => cx.pass(),
        _ => {}
    })
}

pub(super) fn order(ips: &[IpAddr]) -> Machines {
    const LEN: usize = 1_000_000;
    let (mut got, mut turn) = (0, 0);
    let taker = move |cx: &mut Cx, event: Event<'_>, out: &mut Out| match event {
        Event::Received { conn, bytes } => {
            cx.check(!bytes.is_empty(), "nothing was received");
            cx.check(matches(bytes, got), "bytes out of order");
            got += bytes.len();
            turn += bytes.len();
            cx.check(turn <= TURN_INPUT, "too much in one turn");
            out.consumed(bytes.len());
            if got == LEN {
                out.close(conn);
            }
        }
        Event::TurnEnd { .. } => turn = 0,
        Event::Closed { .. } => {
            cx.check(got == LEN, "closed before all had come");
            cx.pass();
        }
        _ => {}
    };
    alloc::vec![server(ips[0], taker), sender(LEN)]
}

pub(super) fn keep(ips: &[IpAddr]) -> Machines {
    const LEN: usize = 300_000;
    let (mut done, mut rest) = (0, 0);
    let taker = move |cx: &mut Cx, event: Event<'_>, out: &mut Out| {
        if let Event::Received { conn, bytes } = event {
            cx.check(bytes.len() > rest, "nothing new was offered");
            cx.check(matches(bytes, done), "not what was kept and what follows");
            // Sometimes a little is left, sometimes much, at times all of it.
            let use_up = if done + bytes.len() == LEN { bytes.len() } else { bytes.len() / 7 * 5 };
            out.consumed(use_up);
            done += use_up;
            rest = bytes.len() - use_up;
            if done == LEN {
                out.close(conn);
                cx.pass();
            }
        }
    };
    alloc::vec![server(ips[0], taker), sender(LEN)]
}

pub(super) fn offer(ips: &[IpAddr]) -> Machines {
    const LEN: usize = 10_000;
    let mut waiting: Option<ConnId> = None;
    let mut offers = 0;
    let taker = move |cx: &mut Cx, event: Event<'_>, out: &mut Out| match event {
        Event::Received { conn, bytes } => {
            cx.check(matches(bytes, 0), "not what was kept");
            if bytes.len() == LEN {
                offers += 1;
                waiting = Some(conn);
                if offers < 3 {
                    cx.wake_in(Span::millis(1));
                    return;
                }
                out.consumed(LEN);
                out.close(conn);
                cx.pass();
            }
        }
        Event::Wake => {
            if let Some(conn) = waiting.take() {
                out.act(Action::ResumeReads { conn });
            }
        }
        _ => {}
    };
    alloc::vec![server(ips[0], taker), sender(LEN)]
}

pub(super) fn bodies(ips: &[IpAddr]) -> Machines {
    const LENGTHS: [usize; 6] = [10, 200_000, 1, 40_000, 65_536, 3_000_000];
    const GAP: usize = 5;
    let total: usize = LENGTHS.iter().map(|l| l + GAP).sum();
    let (mut at, mut next, mut wanted) = (0, 0, None);
    let taker = move |cx: &mut Cx, event: Event<'_>, out: &mut Out| match event {
        Event::Received { conn, bytes } => {
            cx.check(wanted.is_none(), "bytes came instead of the body");
            cx.check(matches(bytes, at), "bytes out of order");
            if bytes.len() < GAP {
                return;
            }
            at += GAP;
            out.consumed(GAP);
            if let Some(len) = LENGTHS.get(next) {
                out.want(*len);
                wanted = Some(*len);
                next += 1;
            } else {
                cx.check(bytes.len() == GAP, "too many bytes");
                out.close(conn);
                cx.pass();
            }
        }
        Event::Body { body, .. } => {
            cx.check(wanted.take() == Some(body.len()), "a body of another length");
            cx.check(matches(&body, at), "a body of other bytes");
            at += body.len();
        }
        _ => {}
    };
    alloc::vec![server(ips[0], taker), sender(total + GAP)]
}

pub(super) fn pause(ips: &[IpAddr]) -> Machines {
    // More than the buffers of a connection hold at both ends.
    const LEN: usize = 32 << 20;
    let mut conn_at_server = None;
    let (mut got, mut paused) = (0, true);
    let taker = move |cx: &mut Cx, event: Event<'_>, out: &mut Out| match event {
        Event::Accepted { conn, .. } => {
            conn_at_server = Some(conn);
            out.act(Action::PauseReads { conn });
        }
        Event::Received { conn, bytes } => {
            cx.check(!paused, "received while reads were paused");
            got += bytes.len();
            out.consumed(bytes.len());
            if got == LEN {
                out.close(conn);
                cx.pass();
            }
        }
        event if word(&event).is_some() => {
            paused = false;
            if let Some(conn) = conn_at_server {
                out.act(Action::ResumeReads { conn });
            }
        }
        _ => {}
    };
    let mut to = None;
    let sender = client(1, move |cx: &mut Cx, event: Event<'_>, out: &mut Out| match event {
        Event::Connected { conn, .. } => {
            out.queue(conn, &alloc::vec![0; LEN]);
            to = Some(conn);
            cx.wake_in(Span::millis(200));
        }
        Event::Wake => {
            if let Some(conn) = to {
                cx.check(out.queued(conn) > 0, "the sender was not held up");
            }
            say(0, 1, out);
        }
        Event::Closed { .. } => cx.pass(),
        _ => {}
    });
    alloc::vec![server(ips[0], taker), sender]
}
