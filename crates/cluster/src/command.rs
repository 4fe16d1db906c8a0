//! The CLUSTER subcommands that change something.

use crate::NodeId;
use crate::cluster::Cluster;
use crate::mail::Held;
use crate::members::Key;
use crate::moving::need_not_last;
use crate::voice::Then;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;
use machine::{Level, Now, Out, Span};
use wire::number::{parse_i64, parse_u64};
use wire::slot::SLOTS;

/// How long a forgotten node stays so, whatever others say, in seconds.
pub(crate) const FORGET_SECONDS: u64 = 60;

/// What is said in return: RESP without the line's end, or the text of an error.
pub(crate) type Answer = Result<String, String>;

pub(crate) fn ok() -> Answer {
    Ok("+OK".into())
}

pub(crate) fn lossy(word: &[u8]) -> String {
    String::from_utf8_lossy(word).replace(['\r', '\n'], " ")
}

/// A slot as clients write it.
pub(crate) fn slot_number(word: &[u8]) -> Result<u16, String> {
    let slot = parse_u64(word).filter(|slot| *slot < SLOTS as u64);
    slot.map(|slot| slot as u16).ok_or("Invalid or out of range slot".into())
}

impl Cluster {
    /// Does a command. The reply leaves once the node serves by it and the file holds it.
    pub(crate) fn command(
        &mut self,
        now: Now,
        number: u64,
        words: &[Vec<u8>],
        held: Held,
        out: &mut Out,
    ) {
        let text = self.reply(now, words, held, out);
        let then = Then::Reply(number, text.into_bytes());
        if need_not_last(words, self.members.me().id) {
            self.after_apply_only(then);
        } else {
            self.after_apply(then);
        }
    }

    /// Does several commands. Nothing of the bus comes in between.
    pub(crate) fn transaction(
        &mut self,
        now: Now,
        number: u64,
        commands: &[(Vec<Vec<u8>>, Held)],
        out: &mut Out,
    ) {
        let mut text = format!("*{}\r\n", commands.len());
        for (words, held) in commands {
            text += &self.reply(now, words, *held, out);
        }
        self.after_apply(Then::Reply(number, text.into_bytes()));
    }

    fn reply(&mut self, now: Now, words: &[Vec<u8>], held: Held, out: &mut Out) -> String {
        let answer = if self.clock.next.is_none() {
            Err("The cluster configuration is being loaded".into())
        } else {
            self.answer(now, words, held, out)
        };
        match answer {
            Ok(text) => format!("{text}\r\n"),
            Err(why) => format!("-ERR {why}\r\n"),
        }
    }

    fn answer(&mut self, now: Now, words: &[Vec<u8>], held: Held, out: &mut Out) -> Answer {
        let empty = held.nothing;
        let name = words.first().map(|word| word.to_ascii_lowercase()).unwrap_or_default();
        let arguments = words.get(1..).unwrap_or_default();
        match (name.as_slice(), arguments) {
            (b"meet", [ip, port]) => self.meet(now, ip, port, None),
            (b"meet", [ip, port, bus_port]) => self.meet(now, ip, port, Some(bus_port)),
            (b"addslots", [_, ..]) => self.change_slots(arguments, false, false),
            (b"delslots", [_, ..]) => self.change_slots(arguments, false, true),
            (b"addslotsrange", [_, _, ..]) => self.change_slots(arguments, true, false),
            (b"delslotsrange", [_, _, ..]) => self.change_slots(arguments, true, true),
            (b"flushslots", []) if !empty => {
                Err("DB must be empty to perform CLUSTER FLUSHSLOTS.".into())
            }
            (b"flushslots", []) => {
                let me = self.members.my_key();
                self.slots.clear(me, &mut self.members);
                self.changed_config();
                ok()
            }
            (b"setslot", [_, _, ..]) => self.set_slot(now, arguments, held.in_slot, out),
            (b"replicate", [id]) => self.replicate(now, id, empty, out),
            (b"forget", [id]) => self.forget(now, id, out),
            (b"set-config-epoch", [epoch]) => self.set_config_epoch(epoch, out),
            (b"failover", [] | [_]) => {
                let option = arguments.first().map(|word| word.to_ascii_lowercase());
                let done = self.fail_over(now, &option.unwrap_or_default(), out);
                done.map_err(String::from).and_then(|()| ok())
            }
            (b"bumpepoch", []) => Ok(self.bump_epoch(out)),
            (b"saveconfig", []) => {
                self.store.dirty = true;
                ok()
            }
            (b"count-failure-reports", [id]) => {
                let key = self.named(id)?;
                Ok(format!(":{}", self.count_reports(now, key)))
            }
            (b"links", [version]) => Ok(self.describe_links(version, out)),
            (b"reset", [] | [_]) => self.reset(now, arguments.first(), empty, out),
            _ => {
                let name = lossy(words.first().map(Vec::as_slice).unwrap_or_default());
                Err(format!(
                    "unknown subcommand or wrong number of arguments for '{name}'. \
                     Try CLUSTER HELP."
                ))
            }
        }
    }

    fn named(&self, id: &[u8]) -> Result<Key, String> {
        let key = NodeId::parse(id).and_then(|id| self.members.key(id));
        key.ok_or_else(|| format!("Unknown node {}", lossy(id)))
    }

    fn meet(&mut self, now: Now, ip: &[u8], port: &[u8], bus_port: Option<&Vec<u8>>) -> Answer {
        let bad_port =
            |kind: &str, word: &[u8]| format!("Invalid TCP {kind} port specified: {}", lossy(word));
        let base = parse_i64(port).ok_or_else(|| bad_port("base", port))?;
        let bus = match bus_port {
            Some(word) => parse_i64(word).ok_or_else(|| bad_port("bus", word))?,
            None => base.saturating_add(10_000),
        };
        let valid = |port: i64| u16::try_from(port).ok().filter(|port| *port > 0);
        let address = core::str::from_utf8(ip).ok().and_then(|text| text.parse::<IpAddr>().ok());
        let (Some(address), Some(base), Some(bus)) = (address, valid(base), valid(bus)) else {
            let (ip, port) = (lossy(ip), lossy(port));
            return Err(format!("Invalid node address specified: {ip}:{port}"));
        };
        self.greet(now, address, base, bus);
        ok()
    }

    fn change_slots(&mut self, words: &[Vec<u8>], ranges: bool, free: bool) -> Answer {
        let slot = |word: &Vec<u8>| slot_number(word);
        let mut spans: Vec<(u16, u16)> = Vec::new();
        if ranges && !words.len().is_multiple_of(2) {
            let name = if free { "delslotsrange" } else { "addslotsrange" };
            return Err(format!("wrong number of arguments for 'cluster|{name}' command"));
        }
        for pair in words.chunks(if ranges { 2 } else { 1 }) {
            let first = slot(&pair[0])?;
            let last = pair.get(1).map_or(Ok::<u16, String>(first), slot)?;
            if first > last {
                return Err(format!(
                    "start slot number {first} is greater than end slot number {last}"
                ));
            }
            spans.push((first, last));
        }
        let mut wanted = BTreeSet::new();
        for slot in spans.into_iter().flat_map(|(first, last)| first..=last) {
            match (self.slots.owner(slot), free) {
                (None, true) => return Err(format!("Slot {slot} is already unassigned")),
                (Some(_), false) => return Err(format!("Slot {slot} is already busy")),
                _ if !wanted.insert(slot) => {
                    return Err(format!("Slot {slot} specified multiple times"));
                }
                _ => {}
            }
        }
        let owner = (!free).then_some(self.members.my_key());
        for slot in wanted {
            self.slots.open.from.remove(&slot);
            self.slots.set(slot, owner, &mut self.members);
        }
        self.changed_config();
        ok()
    }

    fn replicate(&mut self, now: Now, id: &[u8], empty: bool, out: &mut Out) -> Answer {
        let key = self.named(id)?;
        if key == self.members.my_key() {
            return Err("Can't replicate myself".into());
        }
        let target = self.members.get(key).map(|member| (member.id, member.is_replica()));
        let Some((id, replica)) = target else { return Err("Unknown node".into()) };
        if replica {
            return Err("I can only replicate a master, not a replica.".into());
        }
        let me = self.members.me();
        if me.is_primary() && (me.slots != 0 || !empty) {
            return Err("To set a master the node must be empty and without assigned slots.".into());
        }
        self.follow(now, id, out);
        ok()
    }

    fn forget(&mut self, now: Now, id: &[u8], out: &mut Out) -> Answer {
        let until = NodeId::parse(id).and_then(|id| self.clock.forgotten.get(&id));
        if until.is_some_and(|until| now.mono < *until) && self.named(id).is_err() {
            // Another node was told before, and has told us.
            return ok();
        }
        let key = self.named(id)?;
        if key == self.members.my_key() {
            return Err("I tried hard but I can't forget myself...".into());
        }
        if self.members.my_primary().is_some_and(|(primary, _)| primary == key) {
            return Err("Can't forget my master!".into());
        }
        if let Some(member) = self.members.get(key) {
            self.clock.forgotten.insert(member.id, now.mono + Span::secs(FORGET_SECONDS));
        }
        self.drop_member(key, out);
        ok()
    }

    fn set_config_epoch(&mut self, word: &[u8], out: &mut Out) -> Answer {
        let Some(epoch) = parse_i64(word) else {
            return Err("value is not an integer or out of range".into());
        };
        let Ok(unsigned) = u64::try_from(epoch) else {
            return Err(format!("Invalid config epoch specified: {epoch}"));
        };
        if self.members.len() > 1 {
            return Err("The user can assign a config epoch only when the node does not know any \
                        other node."
                .into());
        }
        if self.members.me().config_epoch != 0 {
            return Err("Node config epoch is already non-zero".into());
        }
        self.members.me_mut().config_epoch = unsigned;
        self.store.epochs.current = self.store.epochs.current.max(unsigned);
        self.changed_config();
        out.log(
            Level::Warning,
            format_args!("configEpoch set to {unsigned} via CLUSTER SET-CONFIG-EPOCH"),
        );
        ok()
    }

    fn bump_epoch(&mut self, out: &mut Out) -> String {
        let raised = self.raise_epoch(out);
        let epoch = self.members.me().config_epoch;
        if raised { format!("+BUMPED {epoch}") } else { format!("+STILL {epoch}") }
    }

    fn reset(&mut self, now: Now, how: Option<&Vec<u8>>, empty: bool, out: &mut Out) -> Answer {
        let hard = match how.map(|word| word.to_ascii_lowercase()).as_deref() {
            None | Some(b"soft") => false,
            Some(b"hard") => true,
            Some(_) => return Err("syntax error".into()),
        };
        if self.members.me().is_primary() && !empty {
            return Err("CLUSTER RESET can't be called with master nodes containing keys".into());
        }
        if self.members.me_mut().become_primary() {
            self.picture.followed = None;
            self.tell(crate::mail::ToNode::Leave, out);
        }
        self.slots.open.clear();
        for slot in 0..SLOTS as u16 {
            self.slots.set(slot, None, &mut self.members);
        }
        let others: Vec<Key> = self.members.others().map(|(key, _)| key).collect();
        others.into_iter().for_each(|key| self.drop_member(key, out));
        if hard {
            self.store.epochs = Default::default();
            self.store.durable_epoch = 0;
            let id = NodeId::random(|| self.chance.next());
            let me = self.members.my_key();
            self.members.me_mut().config_epoch = 0;
            self.members.rename(me, id);
            out.log(Level::Warning, format_args!("configEpoch set to 0 via CLUSTER RESET HARD"));
            out.log(Level::Notice, format_args!("Node hard reset, now I'm {id}"));
        }
        self.members.me_mut().label.shard = Some(NodeId::random(|| self.chance.next()));
        self.election.reset();
        self.end_manual(now, out);
        self.revoke_lease(out);
        self.changed_config();
        ok()
    }
}
