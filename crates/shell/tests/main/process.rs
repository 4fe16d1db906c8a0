//! What only a real process has: signals and vitals.

use machine::{Action, Event, Instant, Machine, Now, Out, Signal, Span};
use shell::{Allocator, Driver, Options};

/// Sends its own process a signal once it has seen its vitals, and exits when it comes.
#[derive(Default)]
struct Patient {
    vitals: u32,
    give_up: Option<Instant>,
}

impl Machine for Patient {
    fn handle(&mut self, now: Now, event: Event<'_>, out: &mut Out) {
        match event {
            Event::Started => self.give_up = Some(now.mono + Span::secs(20)),
            Event::Vitals(vitals) => {
                assert_eq!(vitals.pid, std::process::id());
                assert!(vitals.memory_resident > 100_000);
                assert!(vitals.memory_total > vitals.memory_resident);
                assert!(vitals.os.starts_with("Linux ") || !cfg!(target_os = "linux"));
                let memory = [vitals.memory_allocated, vitals.memory_active, vitals.memory_kept];
                assert_eq!(memory, [7, 8, 9]);
                assert_eq!(out.memory(), Some(7));
                self.vitals += 1;
                // The second ones come of themselves.
                if self.vitals == 2 {
                    let own = rustix::process::getpid();
                    rustix::process::kill_process(own, rustix::process::Signal::TERM)
                        .expect("a signal to ourselves");
                }
            }
            Event::Signal(signal) => {
                assert_eq!(signal, Signal::Terminate);
                out.act(Action::Exit { status: 3 });
            }
            Event::Wake => out.act(Action::Exit { status: 1 }),
            _ => {}
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.give_up
    }
}

#[test]
fn vitals_come_every_second_and_signals_when_they_come() {
    let allocator = Allocator { report: || [7, 8, 9], allocated: || 7, purge: || {} };
    let options = Options { signals: true, memory: Some(allocator), ..Options::default() };
    let mut driver = Driver::new(Patient::default(), options).expect("a driver");
    assert_eq!(driver.run().expect("a run"), 3);
}

#[test]
fn the_limit_of_open_files_is_raised_within_reason() {
    let before = shell::raise_open_files(64).expect("a limit");
    assert!(before >= 64);
    assert!(shell::raise_open_files(before).expect("a limit") >= before);
}
