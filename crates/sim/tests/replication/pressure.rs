//! What a snapshot keeps alive is bounded: writers are slowed, and a sink that takes nothing is
//! given up.

use crate::deployment::{Deployment, request};
use machine::Span;
use std::cell::RefCell;
use std::rc::Rc;

use sim::desk::Desk;

const KEYS: usize = 3_000;
/// Short enough to be copied, so that few commands push much out.
const LEN: usize = 30_000;
const MIB: usize = 1 << 20;

/// Sets all keys in one pipeline.
fn write_all(desk: &Rc<RefCell<Desk>>, fill: u8) {
    let value = vec![fill; LEN];
    let requests = (0..KEYS).map(|n| request(&[b"SET", format!("key:{n}").as_bytes(), &value]));
    desk.borrow_mut().replies.clear();
    desk.borrow_mut().outgoing.extend(requests);
}

fn written(desk: &Rc<RefCell<Desk>>) -> usize {
    desk.borrow().replies.len()
}

#[test]
fn a_replica_that_takes_nothing_slows_writers_and_is_then_given_up() {
    let mut d = Deployment::with(7, 2, |config| {
        config.repl_backlog_size = 1 << 30;
        config.rdb.compression = false;
    });
    let writer = d.client(0);
    write_all(&writer, b'a');
    let filled = d.world.run_until(Span::secs(60), |_| written(&writer) == KEYS);
    assert!(filled, "{} of {KEYS}: {}", written(&writer), d.tail());
    d.follow(1, 0);
    let started = |d: &Deployment| d.logged(0, "Starting snapshot for SYNC") == 1;
    while !started(&d) {
        d.world.run_for(Span::millis(1));
    }
    d.world.pause(d.machines[1]);

    write_all(&writer, b'b');
    d.world.run_for(Span::secs(2));
    let held: usize = d.info(0, "current_cow_size").parse().unwrap();
    assert!((64 * MIB..80 * MIB).contains(&held), "{held} {}", d.tail());
    let slowed = written(&writer);
    assert!((1..KEYS).contains(&slowed), "{slowed}");
    // Who only reads is not slowed.
    assert_eq!(d.ask(0, "DBSIZE"), format!(":{KEYS}"));
    d.world.run_for(Span::secs(1));
    assert_eq!(written(&writer), slowed, "nothing was taken, so nothing may be written");

    assert!(d.world.run_until(Span::secs(10), |_| written(&writer) == KEYS));
    assert_eq!(d.logged(0, "more slowly than writes pile up"), 1);
    assert_eq!(d.info(0, "current_cow_size"), "0");
    d.world.resume(d.machines[1]);
    d.attach(1, 0);
    assert_eq!(d.ask(1, "DBSIZE"), d.ask(0, "DBSIZE"));
    assert_eq!(d.ask(1, "GET key:77"), "b".repeat(LEN));
}

#[test]
fn a_client_that_waits_is_not_read_without_end() {
    let mut d = Deployment::with(8, 1, |_| {});
    let writer = d.client(0);
    d.world.run_for(Span::secs(1));
    assert_eq!(d.ask(0, "CLIENT PAUSE 1000000 WRITE"), "OK");
    write_all(&writer, b'a');
    d.world.run_for(Span::secs(10));
    let read: usize = d.info(0, "total_net_input_bytes").parse().unwrap();
    assert!((64 << 10..MIB).contains(&read), "{read}");
    assert_eq!(d.ask(0, "CLIENT UNPAUSE"), "OK");
    assert!(d.world.run_until(Span::secs(60), |_| written(&writer) == KEYS));
}
