//! Bytes on the bus port that are no packets, or not of a member: the link ends at most, the log
//! says why, and the cluster serves on.

use crate::client::Client;
use crate::cluster::Up;
use std::fs;

/// Length of a packet's header.
const HEADER: usize = 2256;
const PING: u16 = 0;
const FAIL: u16 = 3;
const UPDATE: u16 = 7;

/// A packet of a stranger: a header that says this, and as many bytes as asked for.
fn packet(length: u32, version: u16, kind: u16, count: u16, bytes: usize) -> Vec<u8> {
    let mut packet = vec![0; bytes.max(HEADER)];
    packet[..4].copy_from_slice(b"RCmb");
    packet[4..8].copy_from_slice(&length.to_be_bytes());
    packet[8..10].copy_from_slice(&version.to_be_bytes());
    packet[12..14].copy_from_slice(&kind.to_be_bytes());
    packet[14..16].copy_from_slice(&count.to_be_bytes());
    packet[40..80].copy_from_slice(&[b'e'; 40]);
    packet.truncate(bytes);
    packet
}

fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 33) as u8
    };
    (0..len).map(|_| next()).collect()
}

/// The log of the first node from a place on.
fn log(up: &Up, from: usize) -> String {
    let path = up.dir.path().join(up.port.to_string()).join("node.log");
    let bytes = fs::read(path).expect("a log");
    String::from_utf8_lossy(&bytes[from..]).into_owned()
}

/// Sends bytes to the first node's bus port; the log must come to say this.
fn says(up: &Up, bytes: &[u8], why: &str) -> Client {
    let from = log(up, 0).len();
    let mut client = Client::connect(up.port + 10_000);
    // The node may close in the middle.
    let _ = std::io::Write::write_all(&mut client.stream, bytes);
    up.wait(why, |up| log(up, from).contains(why));
    client
}

#[test]
fn what_is_no_packet_is_named_and_harms_nobody() {
    let up = Up::start();
    let pid = up.pid(0);
    assert_eq!(up.say(0, &["set", "hello", "unharmed"]).trim(), "OK");
    let nodes = up.say(0, &["cluster", "nodes"]).lines().count();
    let header = HEADER as u32;

    const FRAMING: &str = "Bad message length or signature received: ";
    for (bytes, why) in [
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), "bad signature"),
        (noise(1, 5000), "bad signature"),
        (packet(0, 1, PING, 0, HEADER), "bad length 0"),
        (packet(header - 1, 1, PING, 0, HEADER), "bad length 2255"),
        (packet(u32::MAX, 1, PING, 0, 16), "bad length 4294967295"),
        (packet(65 << 20, 1, PING, 0, HEADER), "bad length 68157440"),
    ] {
        // The link is ended: nothing after such bytes can be read.
        assert_eq!(says(&up, &bytes, &format!("{FRAMING}{why}")).rest(), "");
    }

    const PACKET: &str = "Received invalid packet: ";
    for (bytes, why) in [
        (packet(header, 9, PING, 0, HEADER), "unknown version 9"),
        (packet(header, 1, PING, 3, HEADER), "length 2256 does not fit type 0"),
        (packet(header, 1, PING, u16::MAX, HEADER), "length 2256 does not fit type 0"),
        (packet(header + 100, 1, PING, 1, HEADER + 100), "length 2356 does not fit type 0"),
        (packet(header + 1, 1, FAIL, 0, HEADER + 1), "length 2257 does not fit type 3"),
        (packet(header, 1, UPDATE, 0, HEADER), "length 2256 does not fit type 7"),
    ] {
        // It is skipped, and what follows is read: the same again is told again.
        let twice = [&bytes[..], &packet(0, 1, PING, 0, HEADER)].concat();
        says(&up, &twice, &format!("{PACKET}{why}"));
        says(&up, &twice, &format!("{FRAMING}bad length 0"));
    }
    says(&up, &packet(header, 1, 77, 0, HEADER), "Received unknown packet type: 77");
    let mut nameless = packet(header + 40, 1, FAIL, 0, HEADER + 40);
    says(&up, &nameless, &format!("{PACKET}a name or address that is no text"));
    nameless[HEADER..].copy_from_slice(&[b'f'; 40]);
    says(&up, &nameless, "Ignoring FAIL message from unknown node eeee");

    let silent = half_sent(&up, &packet(header, 1, PING, 0, HEADER));

    assert_eq!(up.say(0, &["get", "hello"]).trim(), "unharmed");
    assert_eq!(up.say(0, &["set", "hello", "still"]).trim(), "OK");
    assert_eq!(up.pid(0), pid, "it was started again");
    let view = up.say(0, &["cluster", "nodes"]);
    assert_eq!(view.lines().count(), nodes, "a stranger was taken in: {view}");
    assert!(!view.contains("fail"), "{view}");
    up.wait("all slots", |up| up.say(5, &["cluster", "info"]).contains("cluster_state:ok"));
    drop(silent);
}

/// Packets cut short: those whose senders then close, and those that stay and are silent, which it
/// returns; and noise, with and without a good beginning.
fn half_sent(up: &Up, whole: &[u8]) -> Vec<Client> {
    let silent = [1, 4, 7, 100, HEADER - 1]
        .iter()
        .map(|cut| {
            let mut client = Client::connect(up.port + 10_000);
            client.send(&whole[..*cut]);
            client
        })
        .collect();
    for cut in [3, 8, HEADER / 2, HEADER - 1] {
        let mut client = Client::connect(up.port + 10_000);
        client.send(&whole[..cut]);
        client.finish();
        assert_eq!(client.rest(), "");
    }
    for seed in 2..200 {
        let mut client = Client::connect(up.port + 10_000);
        let garbage = [&whole[..4 * (seed as usize % 2)], &noise(seed, 3000)].concat();
        let _ = std::io::Write::write_all(&mut client.stream, &garbage);
    }
    silent
}
