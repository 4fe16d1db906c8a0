//! nodes.conf as text: the lines of CLUSTER NODES, and the epochs.

use crate::NodeId;
use crate::members::{Key, Label, Member, Members, Way};
use crate::slots::Slots;
use crate::store::Epochs;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;
use machine::Instant;
use wire::bus::flag;
use wire::slot::SLOTS;

/// Names of flags, in the order they are written.
const FLAGS: [(u16, &str); 8] = [
    (flag::MYSELF, "myself"),
    (flag::PRIMARY, "master"),
    (flag::REPLICA, "slave"),
    (flag::PFAIL, "fail?"),
    (flag::FAIL, "fail"),
    (flag::HANDSHAKE, "handshake"),
    (flag::NO_ADDRESS, "noaddr"),
    (flag::NO_FAILOVER, "nofailover"),
];

/// Writes the file.
pub(crate) fn render(members: &Members, slots: &Slots, epochs: Epochs) -> String {
    let mut text = String::new();
    for (key, member) in members.iter().filter(|(_, member)| !member.is(flag::HANDSHAKE)) {
        line(&mut text, key, member, members, slots);
    }
    let Epochs { current, last_vote } = epochs;
    // Writing to a String cannot fail.
    let _ = writeln!(text, "vars currentEpoch {current} lastVoteEpoch {last_vote}");
    text
}

/// What 7.2 appends to the address: the host name, or nothing between the commas, and other facts
/// by name.
fn auxiliary(text: &mut String, label: &Label) {
    let nothing = label.human_name.is_empty() && label.shard.is_none();
    if !nothing || !label.hostname.is_empty() {
        let _ = write!(text, ",{}", label.hostname);
    }
    if !label.human_name.is_empty() {
        let _ = write!(text, ",nodename={}", label.human_name);
    }
    if let Some(shard) = label.shard {
        let _ = write!(text, ",shard-id={shard}");
    }
    text.push(' ');
}

fn read_auxiliary(words: &str) -> Option<Label> {
    let mut words = words.split(',');
    let mut label = Label { hostname: words.next()?.into(), ..Label::default() };
    for word in words {
        match word.split_once('=')? {
            ("shard-id", id) => label.shard = Some(NodeId::parse(id.as_bytes())?),
            ("nodename", name) => label.human_name = name.into(),
            // A newer program's; it is not ours to judge.
            _ => {}
        }
    }
    Some(label)
}

fn line(text: &mut String, key: Key, member: &Member, members: &Members, slots: &Slots) {
    let place = &member.place;
    let _ = write!(text, "{} {}:{}@{}", member.id, place.ip, place.port, place.bus_port);
    auxiliary(text, &member.label);
    let names: Vec<&str> =
        FLAGS.iter().filter(|(flag, _)| member.is(*flag)).map(|(_, name)| *name).collect();
    let names = if names.is_empty() { "noflags".into() } else { names.join(",") };
    let primary = member.primary.and_then(|id| members.by_id(id));
    let owner = primary.map_or("-".into(), |primary| format!("{}", primary.id));
    let ping = member.times.ping_sent.map_or(0, |_| member.times.ping_wall.millis());
    let pong = member.times.pong_wall.millis();
    let epoch = primary.map_or(member.config_epoch, |primary| primary.config_epoch);
    let linked = member.is(flag::MYSELF) || matches!(member.way, Way::Up(..));
    let linked = if linked { "connected" } else { "disconnected" };
    let _ = write!(text, "{names} {owner} {ping} {pong} {epoch} {linked}");
    let mut slot = 0;
    while slot < SLOTS as u16 {
        if slots.owner(slot) != Some(key) {
            slot += 1;
            continue;
        }
        let first = slot;
        while slot < SLOTS as u16 && slots.owner(slot) == Some(key) {
            slot += 1;
        }
        let _ = match slot - 1 {
            last if last == first => write!(text, " {first}"),
            last => write!(text, " {first}-{last}"),
        };
    }
    if let Some(moving) = slots.open.picture(members).filter(|_| member.is(flag::MYSELF)) {
        let _ = write!(text, "{moving}");
    }
    text.push('\n');
}

/// What a file holds.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) members: Members,
    pub(crate) slots: Slots,
    pub(crate) epochs: Epochs,
}

/// Reads the file; on damage the number of the line, from one.
pub(crate) fn parse(text: &[u8], me: &Member, now: Instant) -> Result<Loaded, usize> {
    let mut loaded = Loaded {
        members: Members::new(me.clone()),
        slots: Slots::new(),
        epochs: Epochs::default(),
    };
    let mut found = false;
    let mut count = 0;
    for (index, raw) in text.split(|byte| *byte == b'\n').enumerate() {
        count = index + 1;
        let line = core::str::from_utf8(raw).map_err(|_| count)?;
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        match words.first() {
            None => {}
            Some(&"vars") => vars(&words[1..], &mut loaded.epochs).ok_or(count)?,
            Some(_) => {
                let mine = node(&words, &mut loaded, now).ok_or(count)?;
                if mine && core::mem::replace(&mut found, true) {
                    return Err(count);
                }
            }
        }
    }
    if !found {
        return Err(count);
    }
    let newest = loaded.members.max_epoch();
    loaded.epochs.current = loaded.epochs.current.max(newest);
    Ok(loaded)
}

fn vars(words: &[&str], epochs: &mut Epochs) -> Option<()> {
    for pair in words.chunks(2) {
        let [name, value] = pair else { return None };
        match *name {
            "currentEpoch" => epochs.current = value.parse().ok()?,
            "lastVoteEpoch" => epochs.last_vote = value.parse().ok()?,
            // A newer program's; it is not ours to judge.
            _ => {}
        }
    }
    Some(())
}

/// Reads the line of one node; whether it is ourselves.
fn node(words: &[&str], loaded: &mut Loaded, now: Instant) -> Option<bool> {
    let [id, place, flags, primary, _ping, _pong, epoch, _link, ranges @ ..] = words else {
        return None;
    };
    let id = NodeId::parse(id.as_bytes())?;
    let key = lookup(id, &mut loaded.members, now);
    let primary = match *primary {
        "-" => None,
        primary => Some(NodeId::parse(primary.as_bytes())?),
    };
    if let Some(primary) = primary {
        lookup(primary, &mut loaded.members, now);
    }
    let member = loaded.members.get_mut(key)?;
    let (address, rest) = place.split_once(',').unwrap_or((place, ""));
    member.label = read_auxiliary(rest)?;
    let (ip, ports) = address.rsplit_once(':')?;
    member.place.ip = ip.into();
    let (port, bus_port) = ports.split_once('@').unwrap_or((ports, ""));
    member.place.port = port.parse().ok()?;
    member.place.bus_port = match bus_port {
        "" => member.place.port.wrapping_add(10_000),
        bus_port => bus_port.parse().ok()?,
    };
    for name in flags.split(',').filter(|name| *name != "noflags") {
        member.flags |= FLAGS.iter().find(|(_, known)| *known == name)?.0;
    }
    member.primary = primary;
    member.times.failed = now;
    member.config_epoch = if primary.is_some() { 0 } else { epoch.parse().ok()? };
    let mine = member.is(flag::MYSELF);
    for range in ranges {
        if let Some(open) = range.strip_prefix('[') {
            reopen(open, mine, loaded, now)?;
            continue;
        }
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (u16, u16) = (first.parse().ok()?, last.parse().ok()?);
        if first > last || usize::from(last) >= SLOTS {
            return None;
        }
        (first..=last).for_each(|slot| loaded.slots.set(slot, Some(key), &mut loaded.members));
    }
    if mine && key != loaded.members.my_key() {
        loaded.members.set_me(key);
    }
    Some(mine)
}

/// Reads of a slot on its way: `slot->-id]` or `slot-<-id]`.
fn reopen(text: &str, mine: bool, loaded: &mut Loaded, now: Instant) -> Option<()> {
    let (slot, rest) = text.strip_suffix(']')?.split_once('-')?;
    let slot: u16 = slot.parse().ok().filter(|slot| usize::from(*slot) < SLOTS)?;
    let (giving, id) = match rest.split_once('-')? {
        (">", id) => (true, id),
        ("<", id) => (false, id),
        _ => return None,
    };
    let key = lookup(NodeId::parse(id.as_bytes())?, &mut loaded.members, now);
    // Only our own moves are known.
    if mine {
        let open = &mut loaded.slots.open;
        let side = if giving { &mut open.to } else { &mut open.from };
        side.insert(slot, key);
    }
    Some(())
}

fn lookup(id: NodeId, members: &mut Members, now: Instant) -> Key {
    members.key(id).unwrap_or_else(|| members.add(Member::new(id, 0, now)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
1111111111111111111111111111111111111111 10.0.0.1:7000@17000,a.example,nodename=one,\
shard-id=3333333333333333333333333333333333333333 \
myself,master - 0 0 3 connected 0-5460 16000
2222222222222222222222222222222222222222 10.0.0.2:7000@17000 \
slave 1111111111111111111111111111111111111111 0 1700000000000 3 disconnected
vars currentEpoch 9 lastVoteEpoch 8
";

    fn stranger() -> Member {
        Member::new(NodeId([b'f'; 40]), flag::MYSELF | flag::PRIMARY, Instant(0))
    }

    #[test]
    fn a_file_is_read_and_written() {
        let loaded = parse(FILE.as_bytes(), &stranger(), Instant(5)).expect("it is whole");
        assert_eq!(loaded.members.len(), 2);
        assert_eq!(loaded.members.me().slots, 5462);
        assert_eq!((loaded.epochs.current, loaded.epochs.last_vote), (9, 8));
        let text = render(&loaded.members, &loaded.slots, loaded.epochs);
        assert_eq!(text, FILE.replace("1700000000000", "0"));
    }

    /// As redis-server writes them; only our own moves mean something.
    #[test]
    fn open_slots_outlive_the_process() {
        let open = " [5->-2222222222222222222222222222222222222222] \
                    [9000-<-2222222222222222222222222222222222222222]";
        let file = FILE.replace(" 16000\n", &format!(" 16000{open}\n"));
        let read = |text: &str| parse(text.as_bytes(), &stranger(), Instant(5));
        let loaded = read(&file).expect("it is whole");
        let text = render(&loaded.members, &loaded.slots, loaded.epochs);
        assert_eq!(text, file.replace("1700000000000", "0"));
        let theirs = FILE.replace("3 disconnected", &format!("3 disconnected{open}"));
        let loaded = read(&theirs).expect("it is whole");
        assert!(loaded.slots.open.picture(&loaded.members).is_none());
        for bad in ["[5->-2]", "[5->-", "[16384-<-22", "[x]", "[5-=-22", "[5->-2222"] {
            let file = FILE.replace(" 16000\n", &format!(" {bad}\n"));
            assert_eq!(read(&file).err(), Some(1), "{bad}");
        }
    }

    #[test]
    fn damage_is_named_by_its_line() {
        let bad = |text: &str| parse(text.as_bytes(), &stranger(), Instant(0)).err();
        assert_eq!(bad(&FILE.replace("slave", "snail")), Some(2));
        assert_eq!(bad(&FILE.replace("0-5460", "0-16384")), Some(1));
        assert_eq!(bad(&FILE.replace("lastVoteEpoch 8", "lastVoteEpoch")), Some(3));
        assert!(bad(&FILE.replace("myself,", "")).is_some());
    }
}
