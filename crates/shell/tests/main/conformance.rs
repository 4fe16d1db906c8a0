//! The suite of crate `machine`, on real sockets and files.

use machine::conformance::{CASES, Outcome, Rig, run};
use machine::{Address, Machine};
use shell::{Driver, Options, Post};
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// Each machine on a driver and a thread of its own.
struct Threads;

impl Rig for Threads {
    fn ip(&self, _: usize) -> IpAddr {
        Ipv4Addr::LOCALHOST.into()
    }

    fn run(&mut self, machines: Vec<Box<dyn Machine + Send>>) -> Vec<Outcome> {
        let post = Post::new();
        let threads = machines.into_iter().zip(0..).map(|(machine, index)| {
            let post = post.clone();
            thread::spawn(move || run_one(machine, Address(index), post))
        });
        let threads: Vec<_> = threads.collect();
        threads.into_iter().map(|thread| thread.join().expect("no driver panics")).collect()
    }
}

fn run_one(machine: Box<dyn Machine + Send>, address: Address, post: Post) -> Outcome {
    let folder = Folder::new();
    let log = Arc::new(Mutex::new(Vec::new()));
    let sink = log.clone();
    let options = Options {
        log: Box::new(move |_, text| sink.lock().expect("no writer panics").push(text.to_owned())),
        post,
        address,
        folder: folder.0.clone(),
        ..Options::default()
    };
    let status = Driver::new(machine, options).and_then(|mut driver| driver.run());
    let log = log.lock().expect("no writer panics").clone();
    Outcome { status: status.ok(), log }
}

/// An empty folder that goes away with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("holdfast-shell-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).expect("a new folder");
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left over is the temporary folder's business.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn every_promise_is_kept() {
    for case in CASES {
        run(case, &mut Threads);
    }
}
