//! Output: order among connections, gates, drained queues.

use super::probe::{Cx, client, server};
use crate::{Event, FileOp, Gate, Machine, Out, Span};
use alloc::{boxed::Box, vec::Vec};
use core::net::IpAddr;

type Machines = Vec<Box<dyn Machine + Send>>;

pub(super) fn first(ips: &[IpAddr]) -> Machines {
    const ROUNDS: u32 = 20;
    let (mut plain, mut marked) = (None, None);
    let mut ready = 0;
    let script = move |cx: &mut Cx, event: Event<'_>, out: &mut Out| match event {
        Event::Started => out.hold_writes(true),
        Event::Received { conn, bytes } => {
            // Each connection says which one it is, and then asks for each round.
            match bytes[0] {
                b'p' => plain = Some(conn),
                b'm' => {
                    marked = Some(conn);
                    out.set_first(conn, true);
                }
                _ => {}
            }
            ready += bytes.len();
            out.consumed(bytes.len());
            if let (2, Some(plain), Some(marked)) = (ready, plain, marked) {
                ready = 0;
                out.queue(plain, b"!");
                out.queue(marked, b"!");
            }
        }
        Event::Closed { .. } => cx.pass(),
        _ => {}
    };
    let (mut conns, mut seen, mut round) = (Vec::new(), Vec::new(), 0);
    let asker = client(2, move |cx: &mut Cx, event: Event<'_>, out: &mut Out| match event {
        Event::Connected { conn, .. } => {
            conns.push(conn);
            out.queue(conn, if conns.len() == 1 { b"p" } else { b"m" });
        }
        Event::Received { conn, bytes } => {
            out.consumed(bytes.len());
            seen.push(conn);
            if seen.len() == 2 {
                cx.check(seen == [conns[1], conns[0]], "the unmarked one was written first");
                seen.clear();
                round += 1;
                for conn in conns.iter().filter(|_| round < ROUNDS) {
                    out.queue(*conn, b".");
                }
                if round == ROUNDS {
                    conns.iter().for_each(|conn| out.close(*conn));
                    cx.pass();
                }
            }
        }
        _ => {}
    });
    alloc::vec![server(ips[0], script), asker]
}

/// A client that answers each byte it gets, and passes at the end if it got `all`.
fn echo_until(all: &'static [u8]) -> Box<dyn Machine + Send> {
    let mut got = Vec::new();
    client(1, move |cx: &mut Cx, event: Event<'_>, out: &mut Out| match event {
        Event::Received { conn, bytes } => {
            got.extend_from_slice(bytes);
            out.consumed(bytes.len());
            out.queue(conn, bytes);
        }
        Event::Closed { .. } => {
            cx.check(got == all, "other bytes than those behind open gates");
            cx.pass();
        }
        _ => {}
    })
}

pub(super) fn gates(ips: &[IpAddr]) -> Machines {
    let (mut ticket, mut file_done) = (None, false);
    let script = move |cx: &mut Cx, event: Event<'_>, out: &mut Out| match event {
        Event::Accepted { conn, .. } => {
            let op = FileOp::Replace { path: "gate".into(), data: alloc::vec![1; 100] };
            let asked = out.file(op);
            ticket = Some(asked);
            out.queue(conn, b"a");
            out.gate(conn, Gate::Ticket(asked));
            out.queue(conn, b"b");
            out.gate(conn, Gate::Offset(10));
            out.queue(conn, b"c");
        }
        Event::FileDone { ticket: done, result } => {
            cx.check(Some(done) == ticket && result.is_ok(), "the file was not written");
            file_done = true;
        }
        Event::Received { conn, bytes } => {
            out.consumed(bytes.len());
            for answer in bytes {
                match answer {
                    b'a' => {}
                    b'b' => {
                        cx.check(file_done, "a gate opened before its operation was done");
                        cx.check(out.queued(conn) == 1, "a gate opened before its offset");
                        out.acknowledged(9);
                        cx.wake_in(Span::millis(50));
                    }
                    _ => {
                        cx.check(out.acknowledged_offset() == 10, "a gate opened by itself");
                        out.close(conn);
                        cx.pass();
                    }
                }
            }
        }
        Event::Wake => out.acknowledged(10),
        _ => {}
    };
    alloc::vec![server(ips[0], script), echo_until(b"abc")]
}

pub(super) fn failed_gate(ips: &[IpAddr]) -> Machines {
    let mut at = None;
    let script = move |cx: &mut Cx, event: Event<'_>, out: &mut Out| match event {
        Event::Accepted { conn, .. } => {
            let missing = out.file(FileOp::Remove { path: "missing".into() });
            out.queue(conn, b"a");
            out.gate(conn, Gate::Ticket(missing));
            out.queue(conn, b"b");
            at = Some(conn);
        }
        Event::FileDone { result, .. } => {
            cx.check(result.is_err(), "removed a file that is not there");
            cx.wake_in(Span::millis(50));
        }
        Event::Wake => {
            if let Some(conn) = at {
                cx.check(out.queued(conn) == 1, "the gate opened");
                out.close(conn);
            }
            cx.pass();
        }
        _ => {}
    };
    alloc::vec![server(ips[0], script), echo_until(b"a")]
}

pub(super) fn drained(ips: &[IpAddr]) -> Machines {
    const LEN: usize = 20 << 20;
    let mut told = 0;
    let script = move |cx: &mut Cx, event: Event<'_>, out: &mut Out| match event {
        Event::Accepted { conn, .. } => {
            out.queue(conn, &alloc::vec![7; LEN]);
            out.tell_drained(conn);
        }
        Event::Drained { conn } => {
            told += 1;
            cx.check(out.queued(conn) == 0, "drained with bytes left");
            match told {
                // Nothing is queued: it comes all the same.
                1 => out.tell_drained(conn),
                2 => {
                    out.close_after_flush(conn);
                    cx.pass();
                }
                _ => cx.fail("told too often"),
            }
        }
        _ => {}
    };
    let mut got = 0;
    let reader = client(1, move |cx: &mut Cx, event: Event<'_>, out: &mut Out| match event {
        Event::Received { bytes, .. } => {
            got += bytes.len();
            out.consumed(bytes.len());
        }
        Event::Closed { .. } => {
            cx.check(got == LEN, "bytes were lost");
            cx.pass();
        }
        _ => {}
    });
    alloc::vec![server(ips[0], script), reader]
}
