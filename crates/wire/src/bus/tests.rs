//! Round trips, offsets, and bytes that are no packets.

use super::*;
use alloc::string::ToString;
use alloc::vec;
use proptest::prelude::*;

fn name(digit: u8) -> Name {
    [b"0123456789abcdef"[usize::from(digit % 16)]; 40]
}

fn own(sender: u8) -> Option<Own> {
    let own = Own { boot: 9, flags: 3, history: 4, promised: 2 };
    sender.is_multiple_of(3).then_some(own)
}

fn header(sender: u8, epoch: u64) -> Header {
    Header {
        port: 7001,
        plain_port: 0,
        bus_port: 17001,
        current_epoch: epoch,
        config_epoch: 5,
        offset: 77,
        sender: name(sender),
        slots: (0..100).chain(16000..16384).collect(),
        primary: (sender % 2 == 1).then(|| name(sender / 2)),
        ip: "10.0.0.1".to_string(),
        own: own(sender),
        flags: flag::PRIMARY | flag::MYSELF,
        down: sender.is_multiple_of(5),
        packet_flags: [0; 3],
    }
}

fn gossip(digit: u8, number: u32) -> Gossip {
    Gossip {
        name: name(digit),
        ping_sent: number,
        pong_received: number / 2,
        ip: "127.0.0.1".to_string(),
        port: number as u16,
        bus_port: 17,
        flags: flag::PFAIL,
        plain_port: 3,
        own: 1,
    }
}

fn bytes_of(packet: &Packet) -> Vec<u8> {
    let mut bytes = vec![];
    encode(packet, &mut bytes);
    bytes
}

#[test]
fn fields_stand_where_redis_puts_them() {
    let body = Body::Touch { touch: Touch::Meet, gossip: vec![gossip(1, 6)], extensions: vec![] };
    let bytes = bytes_of(&Packet { header: header(3, 0x0102), body });
    assert_eq!(bytes.len(), 2256 + 104);
    assert_eq!(&bytes[..16], b"RCmb\0\0\x09\x38\0\x01\x1b\x59\0\x02\0\x01");
    assert_eq!(&bytes[16..24], &[0, 0, 0, 0, 0, 0, 1, 2]);
    assert_eq!((bytes[80], bytes[80 + 12], bytes[80 + 2047]), (255, 15, 255));
    assert_eq!(&bytes[2168..2177], b"10.0.0.1\0");
    assert_eq!(&bytes[2216..2220], b"HfB1");
    assert_eq!(&bytes[2246..2256], &[0, 0, 0x42, 0x69, 0, 17, 0, 0, 0, 0]);
    assert_eq!(&bytes[2256 + 48..2256 + 57], b"127.0.0.1");
    assert_eq!(&bytes[2256 + 94..2256 + 104], &[0, 6, 0, 17, 0, 4, 0, 3, 0, 1]);
}

#[test]
fn lengths_are_bounded_before_they_are_believed() {
    assert_eq!(frame(b"RC", 1 << 20), Ok(None));
    assert_eq!(frame(b"RCxb", 1 << 20), Err(BusError::Signature));
    assert_eq!(frame(b"RCmb\0\0\0\x10", 1 << 20), Err(BusError::Length(16)));
    assert_eq!(frame(b"RCmb\xff\0\0\0", 1 << 20), Err(BusError::Length(0xff00_0000)));
    let mut bytes = bytes_of(&Packet { header: header(1, 1), body: Body::AuthAck });
    bytes[at::KIND + 1] = 0;
    bytes[at::COUNT] = 0xff;
    let wrong = decode(&bytes).expect_err("a count without entries");
    assert!(matches!(wrong, BusError::Mismatch { kind: 0, .. }) && !wrong.is_fatal());
}

fn extensions() -> impl Strategy<Value = Vec<Extension>> {
    let one = prop_oneof![
        "[a-z.]{0,20}".prop_map(Extension::Hostname),
        "[a-z]{0,20}".prop_map(Extension::HumanName),
        any::<(u8, u64)>()
            .prop_map(|(digit, seconds)| Extension::Forgotten { name: name(digit), seconds }),
        any::<u8>().prop_map(|digit| Extension::Shard(name(digit))),
        Just(Extension::Other(900, vec![7; 16])),
    ];
    proptest::collection::vec(one, 0..4)
}

fn bodies() -> impl Strategy<Value = Body> {
    let touch = prop_oneof![Just(Touch::Ping), Just(Touch::Pong), Just(Touch::Meet)];
    let entries = proptest::collection::vec(any::<(u8, u32)>(), 0..5);
    let gossips = entries.prop_map(|all| all.into_iter().map(|(d, n)| gossip(d, n)).collect());
    let bytes = || proptest::collection::vec(any::<u8>(), 0..40);
    prop_oneof![
        (touch, gossips, extensions()).prop_map(|(touch, gossip, extensions)| Body::Touch {
            touch,
            gossip,
            extensions
        }),
        any::<u8>().prop_map(|digit| Body::Fail(name(digit))),
        (any::<bool>(), bytes(), bytes()).prop_map(|(sharded, channel, message)| Body::Publish {
            sharded,
            channel,
            message
        }),
        Just(Body::AuthRequest),
        Just(Body::AuthAck),
        Just(Body::ManualStart),
        any::<(u64, u8)>().prop_map(|(config_epoch, digit)| Body::Update {
            config_epoch,
            name: name(digit),
            slots: (0..u16::from(digit)).collect(),
        }),
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_read(sender in any::<u8>(), epoch in any::<u64>(), body in bodies()) {
        let mut packet = Packet { header: header(sender, epoch), body };
        let bytes = bytes_of(&packet);
        if let Body::Touch { extensions, .. } = &packet.body
            && !extensions.is_empty()
        {
            packet.header.packet_flags[0] |= packet_flag::EXTENSIONS;
        }
        prop_assert_eq!(frame(&bytes, 1 << 20), Ok(Some(bytes.len())));
        prop_assert_eq!(decode(&bytes), Ok(packet));
    }

    #[test]
    fn damage_is_survived(
        body in bodies(),
        cut in any::<prop::sample::Index>(),
        flips in proptest::collection::vec(any::<(prop::sample::Index, u8)>(), 0..8),
    ) {
        let mut bytes = bytes_of(&Packet { header: header(3, 1), body });
        for (index, value) in flips {
            let at = index.index(bytes.len());
            bytes[at] ^= value;
        }
        let _ = decode(&bytes);
        bytes.truncate(cut.index(bytes.len()));
        let _ = frame(&bytes, 1 << 20);
        prop_assert!(decode(&bytes).is_err());
    }
}
