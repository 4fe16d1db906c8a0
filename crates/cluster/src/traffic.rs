//! How many packets of each type have left and come, as CLUSTER INFO tells.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use wire::bus::packet_type;

/// What the types are called, by their numbers on the bus.
const NAMES: [&str; 11] = [
    "ping",
    "pong",
    "meet",
    "fail",
    "publish",
    "auth-req",
    "auth-ack",
    "update",
    "mfstart",
    "module",
    "publishshard",
];

/// See the module's documentation.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Traffic {
    sent: [u64; NAMES.len()],
    received: [u64; NAMES.len()],
    /// Links that were given up because too much waited for them.
    overfull: u64,
}

impl Traffic {
    /// A packet left.
    pub(crate) fn sent(&mut self, packet: &[u8]) {
        count(&mut self.sent, packet);
    }

    /// A packet came, whatever is in it.
    pub(crate) fn received(&mut self, packet: &[u8]) {
        count(&mut self.received, packet);
    }

    /// More waited for a link than `cluster-link-sendbuf-limit`.
    pub(crate) fn overfull(&mut self) {
        self.overfull += 1;
    }

    /// Names and values of the fields of CLUSTER INFO. Types that have not occurred are left out.
    pub fn fields(&self) -> Vec<(String, String)> {
        let mut fields = Vec::new();
        for (counts, way) in [(&self.sent, "sent"), (&self.received, "received")] {
            for (name, count) in NAMES.iter().zip(counts).filter(|(_, count)| **count > 0) {
                fields.push((format!("cluster_stats_messages_{name}_{way}"), count.to_string()));
            }
            let all: u64 = counts.iter().sum();
            fields.push((format!("cluster_stats_messages_{way}"), all.to_string()));
        }
        let overfull = String::from("total_cluster_links_buffer_limit_exceeded");
        fields.push((overfull, self.overfull.to_string()));
        fields
    }
}

fn count(counts: &mut [u64; NAMES.len()], packet: &[u8]) {
    if let Some(count) = counts.get_mut(usize::from(packet_type(packet))) {
        *count += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_counted_under_their_names() {
        let mut traffic = Traffic::default();
        let packet = |number: u8| [&[0; 13][..], &[number], &[0; 4]].concat();
        for number in [0, 0, 8, 200] {
            traffic.sent(&packet(number));
        }
        traffic.received(&packet(10));
        traffic.received(&[]);
        let shown: Vec<String> =
            traffic.fields().iter().map(|(name, value)| format!("{name}:{value}")).collect();
        let expected = [
            "cluster_stats_messages_ping_sent:2",
            "cluster_stats_messages_mfstart_sent:1",
            "cluster_stats_messages_sent:3",
            "cluster_stats_messages_publishshard_received:1",
            "cluster_stats_messages_received:1",
            "total_cluster_links_buffer_limit_exceeded:0",
        ];
        assert_eq!(shown, expected);
    }
}
