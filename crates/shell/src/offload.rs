//! Threads beside the machine: pure jobs and name look-ups.

use crate::allocator::count_this_thread;
use crate::notes::{Note, Notifier};
use machine::{Job, Ticket, Token};
use std::io;
use std::net::ToSocketAddrs;
use std::sync::mpsc::{Sender, channel};
use std::thread;

/// Aborts the process when a thread panics: half a process is worse than none.
pub(crate) struct AbortOnPanic;

impl Drop for AbortOnPanic {
    fn drop(&mut self) {
        if thread::panicking() {
            std::process::abort();
        }
    }
}

/// The thread that runs offloaded jobs, in order.
pub(crate) struct Offload(Sender<(Ticket, Job)>);

impl Offload {
    pub(crate) fn new(notifier: Notifier) -> io::Result<Self> {
        let (sender, receiver) = channel::<(Ticket, Job)>();
        thread::Builder::new().name("jobs".into()).spawn(move || {
            let _guard = AbortOnPanic;
            give_way(10);
            let counted = count_this_thread();
            for (ticket, job) in receiver {
                notifier.send(Note::JobDone(ticket, job()));
            }
            if counted {
                // Its counters are still read.
                loop {
                    thread::park();
                }
            }
        })?;
        Ok(Offload(sender))
    }

    pub(crate) fn run(&self, ticket: Ticket, job: Job) {
        self.0.send((ticket, job)).expect("the thread lives as long as this end");
    }
}

/// Has the calling thread give way when there are more threads than cores: it can wait for some
/// milliseconds, a turn of the machine cannot. Where that is not allowed, all are alike.
fn give_way(nice: i32) {
    // On Linux "this process" means the calling thread here.
    let _ = rustix::process::setpriority_process(None, nice);
}

/// Looks a name up on a thread of its own: a slow resolver holds up no other look-up.
pub(crate) fn resolve(token: Token, host: String, notifier: Notifier) -> io::Result<()> {
    thread::Builder::new().name("resolve".into()).spawn(move || {
        let _guard = AbortOnPanic;
        let mut addresses = Vec::new();
        for address in (host.as_str(), 0).to_socket_addrs().into_iter().flatten() {
            if !addresses.contains(&address.ip()) {
                addresses.push(address.ip());
            }
        }
        notifier.send(Note::Resolved(token, addresses));
    })?;
    Ok(())
}
