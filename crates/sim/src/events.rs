//! What the world does when something's time has come.

use crate::core::{Core, Happening};
use crate::network::{Flight, Holder, Packet, StreamId};
use crate::process::{Incoming, Process};
use machine::{NetError, Peer};

/// Makes it happen.
pub(crate) fn happen(what: Happening, core: &mut Core, processes: &mut [Process]) {
    match what {
        Happening::Turn { process, life } => {
            let id = process;
            let process = &mut processes[id as usize];
            if process.life == life {
                process.turn(core);
                if process.machine.is_none() {
                    end_united(id, core, processes);
                }
            }
        }
        Happening::Packet(flight) => arrive(flight, core, processes),
        Happening::File { process, life, ticket, op } => {
            let process = &mut processes[process as usize];
            if process.life == life && process.machine.is_some() {
                let disk = &mut core.hosts[process.host.0].disk;
                let result = disk.perform(op, process.id, &mut process.opens);
                process.receive(Incoming::FileDone(ticket, result), core);
            }
        }
        Happening::Deliver { process, life, what } => {
            if let Some(process) = processes.get_mut(process as usize)
                && life.is_none_or(|life| life == process.life)
            {
                process.receive(what, core);
            }
        }
        Happening::Letter { from, life, to, letter } => {
            // Machines that write to one another share a process: mail ends with it. Who exits by
            // itself has handed its letters over before.
            let sent = processes.get(from.0 as usize).is_some_and(|sender| {
                let exited = sender.end.exit.is_some() && sender.life == life + 1;
                sender.life == life || exited
            });
            if let Some(process) = processes.get_mut(to.0 as usize).filter(|_| sent) {
                process.receive(Incoming::Mail(from, letter), core);
            }
        }
        Happening::ConnectTimeout(stream) => {
            give_up_connect(stream, NetError::TimedOut, core, processes);
        }
    }
}

/// A machine has exited: those of the same process end with it.
fn end_united(exited: u32, core: &mut Core, processes: &mut [Process]) {
    let Some(united) = core.united.iter().find(|all| all.contains(&exited)) else { return };
    for other in united.clone() {
        let process = &mut processes[other as usize];
        if process.machine.is_some() {
            process.die(core);
        }
    }
}

fn arrive(flight: Flight, core: &mut Core, processes: &mut [Process]) {
    let Flight { stream, from, number, packet } = flight;
    let Some((source, target)) = core.network.route(stream, from) else { return };
    if core.network.cuts.contains(&(source, target)) {
        core.network.stalled.push(Flight { stream, from, number, packet });
        return;
    }
    let up = core.hosts[target.0].up;
    let Some(state) = core.network.streams.get_mut(&stream) else { return };
    let end = &mut state.ends[1 - from];
    if !up {
        end.lost = true;
        return;
    }
    if end.holder == Holder::Vanished && matches!(packet, Packet::Syn) {
        // To a kernel that started anew it is a call like any other.
        end.holder = Holder::Nobody;
    }
    if end.holder == Holder::Vanished {
        // A kernel that started anew knows nothing of this stream, and says so.
        end.holder = Holder::Closed;
        core.transmit(stream, 1 - from, Packet::Unknown);
        return;
    }
    if matches!(packet, Packet::Unknown) {
        return accept_packet(stream, 1 - from, packet, core, processes);
    }
    for packet in end.arrive(number, packet) {
        accept_packet(stream, 1 - from, packet, core, processes);
    }
}

/// A packet reaches end `side` of a stream, in order.
fn accept_packet(
    stream: StreamId,
    side: usize,
    packet: Packet,
    core: &mut Core,
    processes: &mut [Process],
) {
    let Some(state) = core.network.streams.get_mut(&stream) else { return };
    let end = &mut state.ends[side];
    let held = matches!(end.holder, Holder::Process(..));
    match packet {
        Packet::Syn => return accept_connect(stream, core, processes),
        Packet::SynAck => return connected(stream, core, processes),
        Packet::Refused => return give_up_connect(stream, NetError::Refused, core, processes),
        Packet::Data(_) if !held => {
            core.transmit(stream, side, Packet::Reset);
            return;
        }
        Packet::Data(mut bytes) => end.received.append(&mut bytes),
        Packet::Taken(n) => {
            let blocked = end.space == 0;
            end.space += n;
            // As real kernels do: only who found no room is told that there is some.
            if !blocked {
                return;
            }
        }
        Packet::Fin => end.finished = true,
        Packet::Reset | Packet::Unknown if side == 0 && !end.heard_of() => {
            return give_up_connect(stream, NetError::Reset, core, processes);
        }
        Packet::Reset | Packet::Unknown => end.failed = Some(NetError::Reset),
    }
    tell(stream, side, core, processes);
}

/// Has the holder of an end look at it.
pub(crate) fn tell(stream: StreamId, side: usize, core: &mut Core, processes: &mut [Process]) {
    let Some(state) = core.network.streams.get(&stream) else { return };
    if let Holder::Process(process, life, conn) = state.ends[side].holder {
        let process = &mut processes[process as usize];
        if process.life == life {
            process.ready(conn, core);
        }
    }
}

fn accept_connect(stream: StreamId, core: &mut Core, processes: &mut [Process]) {
    let Some(state) = core.network.streams.get_mut(&stream) else { return };
    let (remote, local) = (state.ends[0].address, state.ends[1].address);
    if matches!(state.ends[0].holder, Holder::Closed | Holder::Vanished) {
        // Whoever asked is gone or has given up.
        state.ends[1].holder = Holder::Closed;
        core.network.sweep(stream);
        return;
    }
    let Some((process, life, token)) = core.network.listeners.get(&local).copied() else {
        state.ends[1].holder = Holder::Closed;
        core.transmit(stream, 1, Packet::Refused);
        return;
    };
    let process = &mut processes[process as usize];
    let conn = process.add_conn(stream, 1);
    state.ends[1].holder = Holder::Process(process.id, life, conn);
    process.receive(Incoming::Accepted(conn, token, Peer::Tcp { remote, local }), core);
    core.transmit(stream, 1, Packet::SynAck);
}

fn connected(stream: StreamId, core: &mut Core, processes: &mut [Process]) {
    let Some(state) = core.network.streams.get(&stream) else { return };
    let peer = Peer::Tcp { remote: state.ends[1].address, local: state.ends[0].address };
    let Holder::Process(process, life, conn) = state.ends[0].holder else {
        core.transmit(stream, 0, Packet::Reset);
        return;
    };
    let (token, process) = (state.token, &mut processes[process as usize]);
    if process.life == life {
        process.receive(Incoming::Connected(conn, token, peer), core);
    }
}

/// Ends an attempt to connect that has had no answer, or a bad one.
fn give_up_connect(stream: StreamId, why: NetError, core: &mut Core, processes: &mut [Process]) {
    let Some(state) = core.network.streams.get_mut(&stream) else { return };
    let token = state.token;
    let Holder::Process(process, life, id) = state.ends[0].holder else { return };
    let process = &mut processes[process as usize];
    let answered = state.ends[0].heard_of();
    if process.life != life || (why == NetError::TimedOut && answered) {
        return;
    }
    state.ends[0].holder = Holder::Closed;
    state.ends[0].failed = Some(why);
    process.conns[id.0 as usize] = None;
    process.over.push(id);
    process.receive(Incoming::ConnectFailed(token, why), core);
    core.network.sweep(stream);
}
