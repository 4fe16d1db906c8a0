//! The world that scenarios build and disturb.

use crate::chance::Chance;
use crate::core::{Core, Host};
use crate::disk::Disk;
use crate::events::{happen, tell};
use crate::network::{Flight, Holder, Link, Packet};
use crate::process::{Incoming, Process};
use crate::transcript::Entry;
use machine::{Address, Machine, NetError, Signal, Span};
use std::net::IpAddr;

/// Names a host of a world.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct HostId(pub usize);

/// After a cut heals, the first retransmission comes within this many nanoseconds.
const RETRANSMIT: u64 = 200_000_000;

/// A deployment on virtual time. The same calls with the same seed do the same.
pub struct World {
    core: Core,
    processes: Vec<Process>,
}

/// Building and looking.
impl World {
    /// An empty world.
    pub fn new(seed: u64) -> Self {
        World { core: Core::new(seed), processes: Vec::new() }
    }

    /// Adds a host.
    pub fn host(&mut self, name: &str, ip: IpAddr) -> HostId {
        let disk = Disk::default();
        self.core.hosts.push(Host {
            name: name.into(),
            ip,
            up: true,
            disk,
            wall_offset: 0,
            sent: 0,
        });
        HostId(self.core.hosts.len() - 1)
    }

    /// Starts a machine on a host, as a process of its own. `make` is called with a seed now and
    /// at each restart.
    pub fn start(
        &mut self,
        host: HostId,
        make: impl FnMut(u64) -> Box<dyn Machine> + 'static,
    ) -> Address {
        let id = self.processes.len() as u32;
        let mut process = Process::new(id, host, Box::new(make));
        process.start(&mut self.core);
        self.processes.push(process);
        self.core.record(Some(host), format!("machine {id} starts"));
        Address(id)
    }

    /// Makes machines one process: when one of them exits, all end.
    pub fn unite(&mut self, machines: &[Address]) {
        self.core.united.push(machines.iter().map(|machine| machine.0).collect());
    }

    /// How long mail between machines takes, in nanoseconds: drawn from `shortest` up to `longest`.
    pub fn mail_takes(&mut self, shortest: u64, longest: u64) {
        self.core.mail = (shortest, longest.max(shortest + 1));
    }

    /// Virtual time in nanoseconds.
    pub fn time(&self) -> u64 {
        self.core.time
    }

    /// What happened so far.
    pub fn transcript(&self) -> &[Entry] {
        &self.core.transcript
    }

    /// Chance of this world, for scenarios that draw from the same seed.
    pub fn chance(&mut self) -> &mut Chance {
        &mut self.core.chance
    }

    /// Writes a line of the scenario's own to the transcript.
    pub fn note(&mut self, text: &str) {
        self.core.record(None, text.into());
    }

    /// Whether a machine runs (or is paused).
    pub fn is_alive(&self, machine: Address) -> bool {
        self.processes[machine.0 as usize].machine.is_some()
    }

    /// With what status a machine exited, if it did.
    pub fn exit_status(&self, machine: Address) -> Option<i32> {
        self.processes[machine.0 as usize].end.exit
    }

    /// How many bytes a host has sent to others.
    pub fn sent(&self, host: HostId) -> u64 {
        self.core.hosts[host.0].sent
    }

    /// What a program on `host` would read at `path`.
    pub fn file(&self, host: HostId, path: &str) -> Option<&[u8]> {
        self.core.hosts[host.0].disk.content(path)
    }
}

/// Letting time pass.
impl World {
    /// Makes the next thing happen; whether there was one.
    pub fn step(&mut self) -> bool {
        let Some(((time, _), what)) = self.core.queue.pop_first() else { return false };
        self.core.time = time;
        happen(what, &mut self.core, &mut self.processes);
        true
    }

    /// Lets this much time pass.
    pub fn run_for(&mut self, span: Span) {
        let until = self.core.time + span.0;
        self.run_until(span, |_| false);
        self.core.time = until;
    }

    /// Lets time pass until `condition` holds, at most `bound`; whether it holds.
    pub fn run_until(&mut self, bound: Span, mut condition: impl FnMut(&World) -> bool) -> bool {
        let until = self.core.time + bound.0;
        loop {
            if condition(self) {
                return true;
            }
            match self.core.queue.first_key_value() {
                Some(((time, _), _)) if *time <= until => self.step(),
                _ => return false,
            };
        }
    }
}

/// Disturbing processes and hosts.
impl World {
    /// Kills a process at once, as by SIGKILL. Its kernel closes what it had open.
    pub fn kill(&mut self, machine: Address) {
        let process = &mut self.processes[machine.0 as usize];
        self.core.record(Some(process.host), format!("machine {} is killed", machine.0));
        process.die(&mut self.core);
    }

    /// Kills a process in the middle of a turn: when it has written to streams `writes` times more.
    /// What it would have written next is lost.
    pub fn kill_after_writes(&mut self, machine: Address, writes: u64) {
        self.processes[machine.0 as usize].end.after_writes = Some(writes.max(1));
    }

    /// Starts a machine that is not running again, on its host's disk as it is.
    pub fn restart(&mut self, machine: Address) {
        let process = &mut self.processes[machine.0 as usize];
        assert!(process.machine.is_none(), "it still runs");
        assert!(self.core.hosts[process.host.0].up, "its host is down");
        self.core.record(Some(process.host), format!("machine {} restarts", machine.0));
        process.start(&mut self.core);
    }

    /// Stops a process where it is, as by SIGSTOP. What comes for it queues up.
    pub fn pause(&mut self, machine: Address) {
        let process = &mut self.processes[machine.0 as usize];
        self.core.record(Some(process.host), format!("machine {} is paused", machine.0));
        process.paused = true;
    }

    /// Lets a paused process go on.
    pub fn resume(&mut self, machine: Address) {
        let process = &mut self.processes[machine.0 as usize];
        self.core.record(Some(process.host), format!("machine {} goes on", machine.0));
        process.resume(&mut self.core);
    }

    /// Sends a signal.
    pub fn signal(&mut self, machine: Address, signal: Signal) {
        let process = &mut self.processes[machine.0 as usize];
        process.receive(Incoming::Signal(signal), &mut self.core);
    }

    /// Cuts a host's power: its processes and its kernel are gone without a word, and what was not
    /// synced may be lost or torn.
    pub fn crash(&mut self, host: HostId) {
        self.core.record(Some(host), "the host crashes".into());
        for stream in self.core.network.streams.values_mut() {
            for end in stream.ends.iter_mut().filter(|e| e.host == host) {
                end.holder = Holder::Vanished;
                end.received.clear();
            }
        }
        let Core { network, .. } = &mut self.core;
        let streams = &network.streams;
        let from = |f: &Flight| streams.get(&f.stream).map(|s| s.ends[f.from].host);
        network.stalled.retain(|f| from(f) != Some(host));
        for process in self.processes.iter_mut().filter(|p| p.host == host) {
            // Its ends are not closed: there is no kernel to say so.
            process.conns.clear();
            process.die(&mut self.core);
        }
        let Core { hosts, chance, .. } = &mut self.core;
        hosts[host.0].up = false;
        hosts[host.0].disk.crash(chance);
    }

    /// Gives a crashed host power again. Its processes are restarted one by one. Those who kept
    /// sending to it are told that nobody knows them.
    pub fn power_on(&mut self, host: HostId) {
        self.core.record(Some(host), "the host is up again".into());
        self.core.hosts[host.0].up = true;
        let streams: Vec<u64> = self.core.network.streams.keys().copied().collect();
        for stream in streams {
            for side in 0..2 {
                let Some(state) = self.core.network.streams.get_mut(&stream) else { continue };
                let end = &mut state.ends[side];
                if end.host == host && end.holder == Holder::Vanished && end.lost {
                    end.holder = Holder::Closed;
                    self.core.transmit(stream, side, Packet::Unknown);
                } else if end.host == host && end.holder == Holder::Nobody && end.lost {
                    // A call that found nobody is repeated.
                    end.lost = false;
                    let packet = Packet::Syn;
                    let call = Flight { stream, from: 1 - side, number: 0, packet };
                    self.core.network.stalled.push(call);
                }
            }
        }
        self.retransmit();
    }

    /// Steps a host's wall clock by this many microseconds.
    pub fn step_clock(&mut self, host: HostId, micros: i64) {
        self.core.record(Some(host), format!("the wall clock steps by {micros} us"));
        self.core.hosts[host.0].wall_offset += micros;
    }

    /// Removes a file of a host, if it is there.
    pub fn remove_file(&mut self, host: HostId, path: &str) {
        self.core.record(Some(host), format!("{path} is removed"));
        self.core.hosts[host.0].disk.remove(path);
    }

    /// Makes a host's disk so many times slower than usual; 1 is as usual.
    pub fn slow_disk(&mut self, host: HostId, times: u64) {
        self.core.record(Some(host), format!("the disk is {times} times slower"));
        self.core.hosts[host.0].disk.slower = times.max(1) - 1;
    }

    /// Fills a host's disk to the last byte, or makes room.
    pub fn fill_disk(&mut self, host: HostId, full: bool) {
        self.core.record(Some(host), format!("the disk is full: {full}"));
        self.core.hosts[host.0].disk.full = full;
    }
}

/// Disturbing the network.
impl World {
    /// How the link from `a` to `b` behaves; may be changed.
    pub fn link(&mut self, a: HostId, b: HostId) -> &mut Link {
        self.core.link(a, b)
    }

    /// Cuts both directions between two hosts: packets get lost without a word.
    pub fn cut(&mut self, a: HostId, b: HostId) {
        self.cut_one_way(a, b);
        self.cut_one_way(b, a);
    }

    /// Cuts only the direction from `a` to `b`.
    pub fn cut_one_way(&mut self, a: HostId, b: HostId) {
        self.core.record(Some(a), format!("cut off from {}", self.core.hosts[b.0].name));
        self.core.network.cuts.insert((a, b));
    }

    /// Heals both directions between two hosts. Lost packets are sent again.
    pub fn heal(&mut self, a: HostId, b: HostId) {
        self.core.record(Some(a), format!("joined with {}", self.core.hosts[b.0].name));
        self.core.network.cuts.remove(&(a, b));
        self.core.network.cuts.remove(&(b, a));
        self.retransmit();
    }

    /// Heals every cut.
    pub fn heal_all(&mut self) {
        self.core.record(None, "all cuts are healed".into());
        self.core.network.cuts.clear();
        self.retransmit();
    }

    fn retransmit(&mut self) {
        for flight in std::mem::take(&mut self.core.network.stalled) {
            let at = self.core.time + self.core.chance.between(1_000_000, RETRANSMIT);
            self.core.schedule(at, crate::core::Happening::Packet(flight));
        }
    }

    /// Resets every stream between two hosts, at both ends.
    pub fn reset(&mut self, a: HostId, b: HostId) {
        self.core.record(Some(a), format!("streams with {} are reset", self.core.hosts[b.0].name));
        let streams: Vec<u64> = self.core.network.streams.keys().copied().collect();
        for stream in streams {
            let Some((from, to)) = self.core.network.route(stream, 0) else { continue };
            if (from, to) != (a, b) && (to, from) != (a, b) {
                continue;
            }
            for side in 0..2 {
                let Some(state) = self.core.network.streams.get_mut(&stream) else { continue };
                state.ends[side].failed.get_or_insert(NetError::Reset);
                tell(stream, side, &mut self.core, &mut self.processes);
            }
        }
    }
}
