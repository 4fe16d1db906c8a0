//! Machines made of a script, and what all scripts need.

use super::TIME_LIMIT;
use crate::{
    Action, Address, ConnId, Event, Instant, Level, ListenOn, Machine, Now, Out, Span, Token,
};
use alloc::{boxed::Box, string::String};
use core::net::{IpAddr, SocketAddr};

/// What probes write to each other.
pub(super) enum Note {
    Listening(SocketAddr),
    Word(u32),
    Passed,
    Failed,
}

/// A script's view of its machine.
pub(super) struct Cx {
    pub(super) now: Now,
    /// When the script wants to be woken.
    pub(super) deadline: Option<Instant>,
    verdict: Option<Result<(), String>>,
}

impl Cx {
    pub(super) fn pass(&mut self) {
        self.verdict.get_or_insert(Ok(()));
    }

    pub(super) fn fail(&mut self, why: &str) {
        if !matches!(self.verdict, Some(Err(_))) {
            self.verdict = Some(Err(why.into()));
        }
    }

    pub(super) fn check(&mut self, holds: bool, what: &str) {
        if !holds {
            self.fail(what);
        }
    }

    pub(super) fn wake_in(&mut self, span: Span) {
        self.deadline = Some(self.now.mono + span);
    }
}

/// Takes the events; letters of other probes come as words.
pub(super) trait Script: FnMut(&mut Cx, Event<'_>, &mut Out) + Send {}
impl<F: FnMut(&mut Cx, Event<'_>, &mut Out) + Send> Script for F {}

struct Probe<S> {
    script: S,
    cx: Cx,
    /// How many machines there are, and how many of them have passed.
    count: u32,
    passed: u32,
    reported: bool,
    failed: bool,
    give_up: Option<Instant>,
}

/// A machine that runs `script`, one of `count`. It exits when all have passed.
pub(super) fn probe(count: u32, script: impl Script + 'static) -> Box<dyn Machine + Send> {
    let cx = Cx { now: Now::default(), deadline: None, verdict: None };
    Box::new(Probe { script, cx, count, passed: 0, reported: false, failed: false, give_up: None })
}

impl<S: Script> Machine for Probe<S> {
    fn handle(&mut self, now: Now, event: Event<'_>, out: &mut Out) {
        self.cx.check(now.mono >= self.cx.now.mono, "time went back");
        self.cx.now = now;
        let give_up = *self.give_up.get_or_insert(now.mono + TIME_LIMIT);
        match event {
            Event::Mail { letter, from } => match letter.downcast::<Note>() {
                Ok(note) if matches!(*note, Note::Passed) => self.passed += 1,
                Ok(note) if matches!(*note, Note::Failed) => self.cx.fail("another one failed"),
                Ok(note) => (self.script)(&mut self.cx, Event::Mail { from, letter: note }, out),
                Err(_) => self.cx.fail("a letter of an unknown type"),
            },
            event => {
                if matches!(event, Event::Wake) {
                    let due = self.cx.deadline.is_some_and(|at| at <= now.mono);
                    self.cx.check(due || now.mono >= give_up, "woken too early");
                    self.cx.deadline = self.cx.deadline.filter(|_| !due);
                }
                (self.script)(&mut self.cx, event, out);
            }
        }
        if now.mono >= give_up {
            self.cx.fail("gave up waiting");
        }
        self.report(out);
    }

    fn deadline(&self) -> Option<Instant> {
        let give_up = self.give_up?;
        Some(self.cx.deadline.map_or(give_up, |at| at.min(give_up)))
    }
}

impl<S> Probe<S> {
    fn report(&mut self, out: &mut Out) {
        match &self.cx.verdict {
            None => return,
            Some(Ok(())) if !self.reported => {
                self.reported = true;
                // One of the letters is to itself.
                for other in 0..self.count {
                    out.mail(Address(other), Box::new(Note::Passed));
                }
            }
            Some(Ok(())) => {}
            Some(Err(_)) if self.failed => return,
            Some(Err(why)) => {
                self.failed = true;
                for other in 0..self.count {
                    out.mail(Address(other), Box::new(Note::Failed));
                }
                out.log(Level::Warning, format_args!("{why}"));
                out.act(Action::Exit { status: 1 });
                return;
            }
        }
        if self.passed == self.count {
            out.act(Action::Exit { status: 0 });
        }
    }
}

/// A machine that listens, tells machine 1 where, and runs `script`.
pub(super) fn server(ip: IpAddr, mut script: impl Script + 'static) -> Box<dyn Machine + Send> {
    probe(2, move |cx: &mut Cx, event: Event<'_>, out: &mut Out| {
        match &event {
            Event::Started => listen(ip, out),
            Event::Listening { address: Some(address), .. } => {
                out.mail(Address(1), Box::new(Note::Listening(*address)));
            }
            Event::ListenFailed { .. } => cx.fail("cannot listen"),
            _ => {}
        }
        script(cx, event, out);
    })
}

/// A machine that connects to where machine 0 listens, `times` times, and runs `script`.
pub(super) fn client(times: u64, mut script: impl Script + 'static) -> Box<dyn Machine + Send> {
    probe(2, move |cx: &mut Cx, event: Event<'_>, out: &mut Out| {
        if let Event::Mail { letter, .. } = &event
            && let Some(Note::Listening(to)) = letter.downcast_ref()
        {
            for token in 0..times {
                out.act(Action::Connect { token: Token(token), to: *to, from: None });
            }
            return;
        }
        if let Event::ConnectFailed { .. } = &event {
            cx.fail("cannot connect");
        }
        script(cx, event, out);
    })
}

pub(super) fn listen(ip: IpAddr, out: &mut Out) {
    let on = ListenOn::Tcp(SocketAddr::new(ip, 0));
    out.act(Action::Listen { token: Token(0), on, backlog: 512 });
}

/// Sends a word to another probe.
pub(super) fn say(to: u32, word: u32, out: &mut Out) {
    out.mail(Address(to), Box::new(Note::Word(word)));
}

/// The word in a letter, if the event is one.
pub(super) fn word(event: &Event<'_>) -> Option<u32> {
    let Event::Mail { letter, .. } = event else { return None };
    match letter.downcast_ref()? {
        Note::Word(word) => Some(*word),
        _ => None,
    }
}

/// The byte at place `at` of a stream whose pieces can be told apart.
pub(super) fn byte(at: usize) -> u8 {
    (at as u32).wrapping_mul(2_654_435_761).to_be_bytes()[0]
}

/// Queues bytes `from..to` of that stream.
pub(super) fn send(conn: ConnId, from: usize, to: usize, out: &mut Out) {
    let bytes: alloc::vec::Vec<u8> = (from..to).map(byte).collect();
    out.queue(conn, &bytes);
}

/// Whether these are the bytes of that stream from place `from` on.
pub(super) fn matches(bytes: &[u8], from: usize) -> bool {
    bytes.iter().enumerate().all(|(i, b)| *b == byte(from + i))
}
