//! Bytes to packets. Lengths and counts are checked before anything is allocated.

use super::{
    Body, BusError, Extension, GOSSIP, Gossip, HEADER, Header, IP_ROOM, MAGIC, Name, Own, Packet,
    SIGNATURE, SlotSet, Touch, VERSION, at, extension, kind, packet_flag,
};
use alloc::string::String;
use alloc::vec::Vec;

/// The number of a packet's type, whatever else is in it; one that there is not if it is too short.
pub fn packet_type(packet: &[u8]) -> u16 {
    packet.get(at::KIND..at::KIND + 2).map_or(u16::MAX, |kind| u16_at(kind, 0))
}

/// The length of the packet at the front, once it can be told. `limit` is the longest we hold.
pub fn frame(bytes: &[u8], limit: usize) -> Result<Option<usize>, BusError> {
    let head = bytes.len().min(SIGNATURE.len());
    if bytes[..head] != SIGNATURE[..head] {
        return Err(BusError::Signature);
    }
    if bytes.len() < at::LENGTH + 4 {
        return Ok(None);
    }
    let length = u32_at(bytes, at::LENGTH);
    match usize::try_from(length) {
        Ok(usable) if (HEADER..=limit).contains(&usable) => Ok(Some(usable)),
        _ => Err(BusError::Length(length)),
    }
}

/// Reads a whole packet, as [`frame`] cut it out.
pub fn decode(bytes: &[u8]) -> Result<Packet, BusError> {
    if frame(bytes, bytes.len())? != Some(bytes.len()) {
        return Err(BusError::Length(bytes.len() as u32));
    }
    let version = u16_at(bytes, at::VERSION);
    if version != VERSION {
        return Err(BusError::Version(version));
    }
    let body = body(bytes)?;
    Ok(Packet { header: header(bytes)?, body })
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut field = [0; N];
    if let Some(found) = bytes.get(at..at + N) {
        field.copy_from_slice(found);
    }
    field
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes(array(bytes, at))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(array(bytes, at))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_be_bytes(array(bytes, at))
}

/// Text up to the first zero. It goes into logs and nodes.conf: no blanks, no control characters.
fn text(field: &[u8]) -> Result<String, BusError> {
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    let text = &field[..end];
    if !text.iter().all(|byte| byte.is_ascii_graphic() && *byte != b',') {
        return Err(BusError::Text);
    }
    Ok(text.iter().map(|byte| char::from(*byte)).collect())
}

fn name(bytes: &[u8], at: usize) -> Result<Name, BusError> {
    let name: Name = array(bytes, at);
    let fits = name.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    fits.then_some(name).ok_or(BusError::Text)
}

fn header(bytes: &[u8]) -> Result<Header, BusError> {
    let primary: Name = array(bytes, at::PRIMARY);
    let ours = bytes[at::OWN..].starts_with(MAGIC);
    Ok(Header {
        port: u16_at(bytes, at::PORT),
        plain_port: u16_at(bytes, at::PLAIN_PORT),
        bus_port: u16_at(bytes, at::BUS_PORT),
        current_epoch: u64_at(bytes, at::CURRENT_EPOCH),
        config_epoch: u64_at(bytes, at::CONFIG_EPOCH),
        offset: u64_at(bytes, at::OFFSET),
        sender: name(bytes, at::SENDER)?,
        slots: SlotSet::from_bytes(&array(bytes, at::SLOTS)),
        primary: if primary == [0; 40] { None } else { Some(name(bytes, at::PRIMARY)?) },
        ip: text(&bytes[at::IP..at::IP + IP_ROOM])?,
        own: ours.then(|| Own {
            boot: u64_at(bytes, at::OWN + 4),
            flags: u16_at(bytes, at::OWN + 12),
            history: u64_at(bytes, at::OWN + 14),
            promised: u64_at(bytes, at::OWN + 22),
        }),
        flags: u16_at(bytes, at::FLAGS),
        down: bytes[at::STATE] != 0,
        packet_flags: array(bytes, at::PACKET_FLAGS),
    })
}

fn body(bytes: &[u8]) -> Result<Body, BusError> {
    let kind = u16_at(bytes, at::KIND);
    let data = &bytes[HEADER..];
    let exactly = |length: usize| {
        let mismatch = BusError::Mismatch { kind, length: bytes.len() as u32 };
        if data.len() == length { Ok(()) } else { Err(mismatch) }
    };
    match kind {
        kind::PING => touch(Touch::Ping, bytes),
        kind::PONG => touch(Touch::Pong, bytes),
        kind::MEET => touch(Touch::Meet, bytes),
        kind::FAIL => {
            exactly(40)?;
            Ok(Body::Fail(name(data, 0)?))
        }
        kind::PUBLISH | kind::PUBLISH_SHARD => {
            let (channel, message) = (u32_at(data, 0) as usize, u32_at(data, 4) as usize);
            let length = channel.checked_add(message).and_then(|sum| sum.checked_add(8));
            exactly(length.unwrap_or(usize::MAX))?;
            let (channel, message) = data[8..].split_at(channel);
            let sharded = kind == kind::PUBLISH_SHARD;
            Ok(Body::Publish { sharded, channel: channel.to_vec(), message: message.to_vec() })
        }
        kind::AUTH_REQUEST => exactly(0).map(|()| Body::AuthRequest),
        kind::AUTH_ACK => exactly(0).map(|()| Body::AuthAck),
        kind::MANUAL_START => exactly(0).map(|()| Body::ManualStart),
        kind::UPDATE => {
            exactly(8 + 40 + 2048)?;
            Ok(Body::Update {
                config_epoch: u64_at(data, 0),
                name: name(data, 8)?,
                slots: SlotSet::from_bytes(&array(data, 48)),
            })
        }
        kind::MODULE => {
            // Module, length, type; the content begins unaligned.
            exactly((u32_at(data, 8) as usize).saturating_add(13))?;
            Ok(Body::Module(data.to_vec()))
        }
        kind => Ok(Body::Unknown(kind)),
    }
}

fn touch(touch: Touch, bytes: &[u8]) -> Result<Body, BusError> {
    let mismatch = BusError::Mismatch { kind: u16_at(bytes, at::KIND), length: bytes.len() as u32 };
    let count = usize::from(u16_at(bytes, at::COUNT));
    let data = &bytes[HEADER..];
    let (entries, mut rest) = data.split_at_checked(count * GOSSIP).ok_or(mismatch)?;
    let extended = bytes[at::PACKET_FLAGS] & packet_flag::EXTENSIONS != 0;
    let mut left = if extended { u16_at(bytes, at::EXTENSIONS) } else { 0 };
    let mut extensions = Vec::new();
    while left > 0 {
        let length = u32_at(rest, 0) as usize;
        if length < 8 || !length.is_multiple_of(8) || length > rest.len() {
            return Err(mismatch);
        }
        let (entry, after) = rest.split_at(length);
        extensions.push(extension(entry)?);
        rest = after;
        left -= 1;
    }
    if !rest.is_empty() {
        return Err(mismatch);
    }
    let gossip = entries.chunks_exact(GOSSIP).map(gossip).collect::<Result<_, _>>()?;
    Ok(Body::Touch { touch, gossip, extensions })
}

fn gossip(entry: &[u8]) -> Result<Gossip, BusError> {
    Ok(Gossip {
        name: name(entry, 0)?,
        ping_sent: u32_at(entry, 40),
        pong_received: u32_at(entry, 44),
        ip: text(&entry[48..48 + IP_ROOM])?,
        port: u16_at(entry, 94),
        bus_port: u16_at(entry, 96),
        flags: u16_at(entry, 98),
        plain_port: u16_at(entry, 100),
        own: u16_at(entry, 102),
    })
}

fn extension(entry: &[u8]) -> Result<Extension, BusError> {
    let content = &entry[8..];
    Ok(match u16_at(entry, 4) {
        extension::HOSTNAME => Extension::Hostname(text(content)?),
        extension::HUMAN_NAME => Extension::HumanName(text(content)?),
        extension::FORGOTTEN if content.len() == 48 => {
            Extension::Forgotten { name: name(content, 0)?, seconds: u64_at(content, 40) }
        }
        extension::SHARD if content.len() == 40 => Extension::Shard(name(content, 0)?),
        kind => Extension::Other(kind, content.to_vec()),
    })
}
