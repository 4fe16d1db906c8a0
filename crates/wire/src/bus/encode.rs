//! Packets to bytes.

use super::{
    Body, Extension, GOSSIP, Gossip, HEADER, Header, IP_ROOM, MAGIC, Packet, SIGNATURE, Touch,
    VERSION, at, extension, kind, packet_flag,
};
use alloc::vec::Vec;

/// Appends a packet.
pub fn encode(packet: &Packet, out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + HEADER, 0);
    put_header(&packet.header, &mut out[start..]);
    let (kind, count, extensions) = put_body(&packet.body, out);
    let length = u32::try_from(out.len() - start).unwrap_or(u32::MAX);
    let header = &mut out[start..];
    put(header, at::LENGTH, &length.to_be_bytes());
    put(header, at::KIND, &kind.to_be_bytes());
    put(header, at::COUNT, &count.to_be_bytes());
    put(header, at::EXTENSIONS, &extensions.to_be_bytes());
    if extensions > 0 {
        header[at::PACKET_FLAGS] |= packet_flag::EXTENSIONS;
    }
}

fn put(into: &mut [u8], at: usize, bytes: &[u8]) {
    into[at..at + bytes.len()].copy_from_slice(bytes);
}

/// Text in a field that ends with at least one zero.
fn put_text(into: &mut [u8], at: usize, room: usize, text: &str) {
    let bytes = text.as_bytes();
    put(into, at, &bytes[..bytes.len().min(room - 1)]);
}

fn put_header(header: &Header, into: &mut [u8]) {
    put(into, 0, SIGNATURE);
    put(into, at::VERSION, &VERSION.to_be_bytes());
    put(into, at::PORT, &header.port.to_be_bytes());
    put(into, at::CURRENT_EPOCH, &header.current_epoch.to_be_bytes());
    put(into, at::CONFIG_EPOCH, &header.config_epoch.to_be_bytes());
    put(into, at::OFFSET, &header.offset.to_be_bytes());
    put(into, at::SENDER, &header.sender);
    put(into, at::SLOTS, header.slots.as_bytes());
    if let Some(primary) = &header.primary {
        put(into, at::PRIMARY, primary);
    }
    put_text(into, at::IP, IP_ROOM, &header.ip);
    if let Some(own) = &header.own {
        put(into, at::OWN, MAGIC);
        put(into, at::OWN + 4, &own.boot.to_be_bytes());
        put(into, at::OWN + 12, &own.flags.to_be_bytes());
        put(into, at::OWN + 14, &own.history.to_be_bytes());
        put(into, at::OWN + 22, &own.promised.to_be_bytes());
    }
    put(into, at::PLAIN_PORT, &header.plain_port.to_be_bytes());
    put(into, at::BUS_PORT, &header.bus_port.to_be_bytes());
    put(into, at::FLAGS, &header.flags.to_be_bytes());
    into[at::STATE] = u8::from(header.down);
    put(into, at::PACKET_FLAGS, &header.packet_flags);
}

/// Appends the body; its type, and how many gossip entries and extensions it has.
fn put_body(body: &Body, out: &mut Vec<u8>) -> (u16, u16, u16) {
    let kind = match body {
        Body::Touch { touch, gossip, extensions } => {
            let kind = match touch {
                Touch::Ping => kind::PING,
                Touch::Pong => kind::PONG,
                Touch::Meet => kind::MEET,
            };
            gossip.iter().for_each(|entry| put_gossip(entry, out));
            extensions.iter().for_each(|entry| put_extension(entry, out));
            return (kind, gossip.len() as u16, extensions.len() as u16);
        }
        Body::Fail(name) => {
            out.extend_from_slice(name);
            kind::FAIL
        }
        Body::Publish { sharded, channel, message } => {
            out.extend_from_slice(&(channel.len() as u32).to_be_bytes());
            out.extend_from_slice(&(message.len() as u32).to_be_bytes());
            out.extend_from_slice(channel);
            out.extend_from_slice(message);
            if *sharded { kind::PUBLISH_SHARD } else { kind::PUBLISH }
        }
        Body::AuthRequest => kind::AUTH_REQUEST,
        Body::AuthAck => kind::AUTH_ACK,
        Body::Update { config_epoch, name, slots } => {
            out.extend_from_slice(&config_epoch.to_be_bytes());
            out.extend_from_slice(name);
            out.extend_from_slice(slots.as_bytes());
            kind::UPDATE
        }
        Body::ManualStart => kind::MANUAL_START,
        Body::Module(content) => {
            out.extend_from_slice(content);
            kind::MODULE
        }
        Body::Unknown(kind) => *kind,
    };
    (kind, 0, 0)
}

fn put_gossip(entry: &Gossip, out: &mut Vec<u8>) {
    let mut bytes = [0; GOSSIP];
    put(&mut bytes, 0, &entry.name);
    put(&mut bytes, 40, &entry.ping_sent.to_be_bytes());
    put(&mut bytes, 44, &entry.pong_received.to_be_bytes());
    put_text(&mut bytes, 48, IP_ROOM, &entry.ip);
    put(&mut bytes, 94, &entry.port.to_be_bytes());
    put(&mut bytes, 96, &entry.bus_port.to_be_bytes());
    put(&mut bytes, 98, &entry.flags.to_be_bytes());
    put(&mut bytes, 100, &entry.plain_port.to_be_bytes());
    put(&mut bytes, 102, &entry.own.to_be_bytes());
    out.extend_from_slice(&bytes);
}

fn put_extension(entry: &Extension, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[0; 8]);
    let kind = match entry {
        Extension::Hostname(text) => {
            out.extend_from_slice(text.as_bytes());
            out.push(0);
            extension::HOSTNAME
        }
        Extension::HumanName(text) => {
            out.extend_from_slice(text.as_bytes());
            out.push(0);
            extension::HUMAN_NAME
        }
        Extension::Forgotten { name, seconds } => {
            out.extend_from_slice(name);
            out.extend_from_slice(&seconds.to_be_bytes());
            extension::FORGOTTEN
        }
        Extension::Shard(name) => {
            out.extend_from_slice(name);
            extension::SHARD
        }
        Extension::Other(kind, content) => {
            out.extend_from_slice(content);
            *kind
        }
    };
    while !(out.len() - start).is_multiple_of(8) {
        out.push(0);
    }
    let length = (out.len() - start) as u32;
    put(out, start, &length.to_be_bytes());
    put(out, start + 4, &kind.to_be_bytes());
}
