//! Slots that are moved from hand to hand.

use crate::rig::{Rig, TIMEOUT};
use machine::Span;

const SECOND: Span = Span::secs(1);

impl Rig {
    /// What a server answers to CLUSTER.
    fn say(&mut self, index: usize, words: &str) -> String {
        let before = self.servers[index].seen.borrow().replies.len();
        self.command(index, &words.split(' ').collect::<Vec<_>>());
        self.wait("an answer", SECOND, |rig| {
            rig.servers[index].seen.borrow().replies.len() > before
        });
        let replies = &self.servers[index].seen.borrow().replies;
        replies.last().expect("it came").trim_end().to_owned()
    }

    fn set_slot(&mut self, index: usize, words: &str) -> String {
        self.say(index, &format!("SETSLOT {words}"))
    }

    /// The open slots of a server, as CLUSTER NODES shows them, with names as numbers.
    fn open(&self, index: usize) -> String {
        let seen = self.servers[index].seen.borrow();
        let moving = seen.topology.as_ref().and_then(|topology| topology.moving.as_ref());
        let mut text = moving.map_or(String::new(), |moving| moving.to_string());
        for other in 0..6 {
            text = text.replace(&self.id(other), &other.to_string());
        }
        text
    }

    fn owner(&self, index: usize, slot: u16) -> String {
        let seen = self.servers[index].seen.borrow();
        let topology = seen.topology.as_ref().expect("it began");
        topology.owner(slot).map_or(String::new(), |owner| owner.id.to_string())
    }

    fn epoch(&self, index: usize) -> u64 {
        let seen = self.servers[index].seen.borrow();
        seen.topology.as_ref().expect("it began").me().config_epoch
    }
}

#[test]
fn errors_are_those_of_redis() {
    let mut rig = Rig::formed(1);
    let (one, three) = (rig.id(1), rig.id(3));
    let replica = "-ERR Please use SETSLOT only with masters.";
    assert_eq!(rig.set_slot(3, "x y"), replica);
    let cases = [
        ("16384 stable", "Invalid or out of range slot"),
        ("1 stable x", "Invalid CLUSTER SETSLOT action or number of arguments. Try CLUSTER HELP"),
        ("6000 migrating x", "I'm not the owner of hash slot 6000"),
        ("1 migrating x", "I don't know about node x"),
        ("1 importing x", "I'm already the owner of hash slot 1"),
        ("6000 importing x", "I don't know about node x"),
        ("1 node x", "Unknown node x"),
        (&format!("1 migrating {three}"), "Target node is not a master"),
        (&format!("6000 importing {three}"), "Target node is not a master"),
        (&format!("1 node {three}"), "Target node is not a master"),
    ];
    for (words, error) in cases {
        assert_eq!(rig.set_slot(0, words), format!("-ERR {error}"), "{words}");
    }
    assert_eq!(rig.open(0), "");
    rig.servers[0].seen.borrow_mut().keys = 1;
    let kept = "-ERR Can't assign hashslot 1 to a different node while I still hold keys for this \
                hash slot.";
    assert_eq!(rig.set_slot(0, &format!("1 node {one}")), kept);
    assert_eq!(rig.owner(0, 1), rig.id(0));
}

#[test]
fn a_slot_is_moved() {
    let mut rig = Rig::formed(2);
    let (zero, one) = (rig.id(0), rig.id(1));
    assert_eq!(rig.set_slot(1, &format!("7 importing {zero}")), "+OK");
    assert_eq!(rig.set_slot(0, &format!("7 migrating {one}")), "+OK");
    assert_eq!((rig.open(0), rig.open(1)), (" [7->-1]".into(), " [7-<-0]".into()));
    rig.wait("saved", SECOND, |rig| rig.conf(0).contains("[7->-") && rig.conf(1).contains("[7-<-"));
    let highest = (0..6).map(|index| rig.epoch(index)).max();
    assert_eq!(rig.set_slot(1, &format!("7 node {one}")), "+OK");
    assert_eq!(rig.logged(1, "configEpoch updated after importing slot 7"), 1);
    assert!(Some(rig.epoch(1)) > highest, "its claim counts for more");
    rig.wait("all know", SECOND, |rig| (0..6).all(|index| rig.owner(index, 7) == one));
    // Nobody told the old owner, and there is nothing left to give away.
    assert_eq!((rig.open(0), rig.open(1)), (String::new(), String::new()));
    assert_eq!(rig.set_slot(0, &format!("7 node {one}")), "+OK");
    // It has the highest epoch now, and needs no higher one.
    rig.set_slot(1, &format!("8 importing {zero}"));
    let epoch = rig.epoch(1);
    rig.set_slot(1, &format!("8 node {one}"));
    assert_eq!(rig.epoch(1), epoch);
    rig.wait("all is well", SECOND, Rig::is_settled);
}

#[test]
fn a_claim_does_not_end_an_import_but_a_takeover_moves_it() {
    let mut rig = Rig::formed(3);
    let (zero, three) = (rig.id(0), rig.id(3));
    rig.set_slot(1, &format!("7 importing {zero}"));
    // An owner that takes the slot without us: its claim is newer, and does not count here.
    let two = rig.id(2);
    rig.set_slot(2, &format!("7 importing {zero}"));
    rig.set_slot(2, &format!("7 node {two}"));
    rig.wait("others know", SECOND, |rig| rig.owner(4, 7) == two);
    assert_eq!((rig.owner(1, 7), rig.open(1)), (zero.clone(), " [7-<-0]".into()));
    rig.set_slot(1, "7 stable");
    rig.wait("it knows", Span::secs(3), |rig| rig.owner(1, 7) == two);
    // The source dies: its successor is the source, and the owner.
    rig.set_slot(1, &format!("8 importing {zero}"));
    rig.kill(0);
    rig.wait("takeover", Span::secs(10), |rig| rig.owner(1, 8) == three);
    assert_eq!(rig.open(1), " [8-<-3]");
}

#[test]
fn the_last_slot_that_goes_takes_its_owner_along() {
    let mut rig = Rig::formed(4);
    let one = rig.id(1);
    rig.say(0, "DELSLOTSRANGE 1 5460");
    rig.set_slot(0, &format!("0 migrating {one}"));
    assert_eq!(rig.set_slot(0, &format!("0 node {one}")), "+OK");
    assert!(rig.is_replica(0), "it has nothing left");
    assert_eq!(rig.open(0), "");
    assert_eq!(rig.set_slot(0, "0 stable"), "-ERR Please use SETSLOT only with masters.");
    assert_eq!(rig.set_slot(1, &format!("0 node {one}")), "+OK");
    rig.wait("all know", SECOND, |rig| rig.owner(2, 0) == one);
    // Whoever is forgotten takes part in no move.
    rig.set_slot(2, &format!("5 importing {one}"));
    assert_eq!(rig.open(2), " [5-<-1]");
    assert_eq!(rig.say(2, &format!("FORGET {one}")), "+OK");
    assert_eq!(rig.open(2), "");
}

/// Two primaries that share the slots, and nobody else: each needs the other for its lease.
fn two_primaries() -> Rig {
    let mut rig = Rig::apart(4);
    for (index, range) in [(0, "0 8191"), (1, "8192 16383")] {
        assert_eq!(rig.say(index, &format!("ADDSLOTSRANGE {range}")), "+OK");
        assert_eq!(rig.say(index, &format!("SET-CONFIG-EPOCH {}", index + 1)), "+OK");
    }
    assert_eq!(rig.say(0, "MEET 10.0.0.2 7000"), "+OK");
    rig.wait("both write", Span::secs(10), |rig| {
        (rig.writer(0), rig.writer(16383)) == (Some(0), Some(1)) && rig.owner(1, 0) == rig.id(0)
    });
    rig.run(Span::secs(2));
    rig
}

/// Lets time pass in which both must be able to write.
fn both_write(rig: &mut Rig) {
    let silent = |rig: &Rig| (rig.writer(0), rig.writer(16383)) != (Some(0), Some(1));
    assert!(!rig.until(Span::millis(3 * TIMEOUT), silent), "a lease ran out");
}

/// Who gives a slot away hears of that only when the new owner has saved it.
#[test]
fn a_slow_disk_at_the_new_owner_of_a_slot_costs_no_lease() {
    let mut rig = two_primaries();
    let (host, to) = (rig.servers[1].host, rig.id(1));
    rig.world.fill_disk(host, true);
    rig.command(1, &["SETSLOT", "1", "NODE", &to]);
    both_write(&mut rig);
    rig.world.fill_disk(host, false);
    rig.wait("it is known", Span::secs(5), |rig| rig.owner(0, 1) == to);
}

/// That a slot is gone is said before it is saved, and what was not elected need not be saved at
/// once for its lease.
#[test]
fn a_slow_disk_at_the_old_owner_of_slots_costs_no_lease() {
    let mut rig = two_primaries();
    let (host, to) = (rig.servers[0].host, rig.id(1));
    rig.world.slow_disk(host, 180);
    let end = rig.world.time() + Span::millis(3 * TIMEOUT).0;
    for slot in 1..8000 {
        if rig.world.time() > end {
            break;
        }
        assert_eq!(rig.set_slot(1, &format!("{slot} NODE {to}")), "+OK");
        assert_eq!((rig.writer(0), rig.writer(16383)), (Some(0), Some(1)), "{slot}");
    }
    assert!(rig.world.time() > end, "all slots went too fast");
}

/// Tools go from node to node and tell each to forget; the nodes are faster.
#[test]
fn who_has_been_told_to_forget_by_others_does_not_mind() {
    let mut rig = Rig::formed(5);
    let five = rig.id(5);
    assert_eq!(rig.say(0, &format!("FORGET {five}")), "+OK");
    rig.wait("another forgets", SECOND, |rig| {
        let seen = rig.servers[1].seen.borrow();
        seen.topology.as_ref().is_some_and(|topology| topology.nodes.len() == 5)
    });
    assert_eq!(rig.say(1, &format!("FORGET {five}")), "+OK");
    let nobody = "0123456789012345678901234567890123456789";
    assert_eq!(rig.say(1, &format!("FORGET {nobody}")), format!("-ERR Unknown node {nobody}"));
}
