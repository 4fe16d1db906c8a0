//! CLUSTER LINKS: the connections of the bus, as a reply.

use crate::NodeId;
use crate::cluster::Cluster;
use crate::link::Link;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use machine::{ConnId, Out};

impl Cluster {
    /// A map a link, the links of a node together: first ours to it, then its to us. Links of
    /// whoever has not said its name are left out.
    pub(crate) fn describe_links(&self, version: &[u8], out: &Out) -> String {
        let map = if version == b"3" { "%6" } else { "*12" };
        let mut links: Vec<(NodeId, bool, ConnId, &Link)> = Vec::new();
        for (conn, link) in self.links.iter() {
            let to = link.to.and_then(|key| self.members.get(key)).map(|member| member.id);
            let from = link.from.filter(|id| self.members.key(*id).is_some());
            if let Some(id) = to.or(from) {
                links.push((id, to.is_none(), conn, link));
            }
        }
        links.sort_by_key(|(id, from, conn, _)| (*id, *from, *conn));
        let mut text = format!("*{}", links.len());
        for (id, from, conn, link) in links {
            let queued = out.queued(conn);
            let direction = if from { "$4\r\nfrom" } else { "$2\r\nto" };
            let events = if queued > 0 { "$2\r\nrw" } else { "$1\r\nr" };
            let created = link.since.millis();
            text += &format!(
                "\r\n{map}\r\n$9\r\ndirection\r\n{direction}\r\n$4\r\nnode\r\n$40\r\n{id}\r\n\
                 $11\r\ncreate-time\r\n:{created}\r\n$6\r\nevents\r\n{events}\r\n\
                 $21\r\nsend-buffer-allocated\r\n:{}\r\n$16\r\nsend-buffer-used\r\n:{queued}",
                out.footprint(conn)
            );
        }
        text
    }
}
