//! Connections to the nodes, and the picture that they give.

use super::arguments::Access;
use crate::connection::{Connection, text, wait_until};
use admin::{Address, Member, Picture};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::ToSocketAddrs;
use std::time::Duration;
use wire::value::Value;

/// How long a node may take to accept a connection, or to answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// See the module's documentation.
pub(super) struct Session {
    access: Access,
    links: BTreeMap<Address, Connection>,
}

impl Session {
    pub(super) fn new(access: &Access) -> Self {
        Session { access: access.clone(), links: BTreeMap::new() }
    }

    /// The connection to a node, made when it is first needed.
    pub(super) fn link(&mut self, node: &Address) -> Result<&mut Connection, String> {
        match self.links.entry(node.clone()) {
            Entry::Occupied(link) => Ok(link.into_mut()),
            Entry::Vacant(place) => {
                let (user, password) = (&self.access.user, &self.access.password);
                let link = connect(node, user.as_deref(), password.as_deref())?;
                Ok(place.insert(link))
            }
        }
    }

    /// A request of any bytes; an error reply is a value as well. `patience` replaces the usual
    /// bound.
    pub(super) fn call(
        &mut self,
        node: &Address,
        words: &[&[u8]],
        patience: Option<Duration>,
    ) -> Result<Value, String> {
        let link = self.link(node)?;
        let bound = patience.unwrap_or(TIMEOUT);
        let reply = link.set_timeout(bound).and_then(|()| link.call(words));
        reply.map_err(|error| {
            self.links.remove(node);
            format!("{}: {}", admin::text(node), plain(&error))
        })
    }

    /// A command whose reply is a text; an error reply is an error. A node that is still loading is
    /// waited for.
    pub(super) fn say(&mut self, node: &Address, words: &[&str]) -> Result<String, String> {
        let bytes: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        let mut reply = self.call(node, &bytes, None);
        wait_until(TIMEOUT, || {
            let loading = matches!(&reply, Ok(Value::Error(text)) if text.starts_with(b"LOADING"));
            if loading {
                reply = self.call(node, &bytes, None);
            }
            !loading
        });
        text(reply?)
            .map_err(|error| format!("Node {} replied with error:\n{error}", admin::text(node)))
    }

    /// Many commands at once, whose replies are numbers.
    pub(super) fn numbers(
        &mut self,
        node: &Address,
        commands: &[Vec<String>],
    ) -> Result<Vec<u64>, String> {
        let link = self.link(node)?;
        let mut out = Vec::with_capacity(commands.len());
        let at = |error: String| format!("{}: {error}", admin::text(node));
        for some in commands.chunks(500) {
            for words in some {
                let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
                link.send(&words).map_err(|error| at(plain(&error)))?;
            }
            for _ in some {
                let reply = link.receive().map_err(|error| at(plain(&error)))?;
                let reply = text(reply).map_err(at)?;
                out.push(reply.parse().map_err(|_| at(format!("not a number: {reply}")))?);
            }
        }
        Ok(out)
    }

    /// What a node says about the cluster.
    pub(super) fn member(&mut self, node: &Address) -> Result<Member, String> {
        let lines = self.say(node, &["CLUSTER", "NODES"])?;
        Member::read(&lines, &node.0).map_err(|error| format!("{}: {error}", admin::text(node)))
    }

    /// What a node says that must be one of a cluster.
    pub(super) fn first(&mut self, node: &Address) -> Result<Member, String> {
        let mut answer = self.member(node);
        // A node that has just begun listens a moment before it knows itself.
        wait_until(TIMEOUT, || {
            let early = matches!(&answer, Err(error) if error.contains("CLUSTERDOWN"));
            if early {
                answer = self.member(node);
            }
            !early
        });
        answer.map_err(|error| match error.contains("cluster support disabled") {
            true => {
                format!("[ERR] Node {} is not configured as a cluster node.", admin::text(node))
            }
            false => error,
        })
    }

    /// The whole cluster, beginning at one node. Who does not answer is not in it, but told of.
    pub(super) fn picture(&mut self, seed: &Address) -> Result<Picture, String> {
        let first = self.first(seed)?;
        let mut picture = Picture::default();
        // A node knows itself by another address than ours, perhaps.
        let mut known = vec![first.node.id.clone()];
        let others = first.others.clone();
        picture.members.push(first);
        for other in others {
            if known.contains(&other.id) || other.is("handshake") {
                continue;
            }
            known.push(other.id.clone());
            match self.member(&other.address()) {
                Ok(member) if !other.is("noaddr") => picture.members.push(member),
                _ => picture.silent.push(other),
            }
        }
        Ok(picture)
    }

    /// As [`Session::picture`], once the nodes agree or `patience` is over.
    pub(super) fn settled(
        &mut self,
        seed: &Address,
        patience: Duration,
    ) -> Result<Picture, String> {
        let mut picture = self.picture(seed);
        wait_until(patience, || match &picture {
            Ok(found) if !found.agrees() => {
                picture = self.picture(seed);
                false
            }
            _ => true,
        });
        picture
    }

    /// How many keys a node has in each of these slots.
    pub(super) fn counts(&mut self, node: &Address, slots: &[u16]) -> Result<Vec<u64>, String> {
        let command = |slot: &u16| {
            ["CLUSTER", "COUNTKEYSINSLOT", &slot.to_string()].map(String::from).to_vec()
        };
        self.numbers(node, &slots.iter().map(command).collect::<Vec<_>>())
    }
}

/// A connection, as whom the words say.
pub(super) fn connect(
    node: &Address,
    user: Option<&str>,
    password: Option<&str>,
) -> Result<Connection, String> {
    let mut link = Connection::open((&node.0, node.1), TIMEOUT).map_err(|error| {
        format!("Could not connect to Redis at {}: {}", admin::text(node), plain(&error))
    })?;
    if let Some(password) = password {
        let mut words = vec![&b"AUTH"[..]];
        words.extend(user.map(str::as_bytes));
        words.push(password.as_bytes());
        let reply = link.call(&words).map_err(|error| plain(&error)).and_then(text);
        reply
            .map_err(|error| format!("Node {} replied with error:\n{error}", admin::text(node)))?;
    }
    Ok(link)
}

/// The address that CLUSTER MEET wants: numbers, not a name.
pub(super) fn resolved(node: &Address) -> Result<String, String> {
    let mut found =
        (node.0.as_str(), node.1).to_socket_addrs().map_err(|error| error.to_string())?;
    let address = found.next().map(|address| address.ip().to_string());
    address.ok_or_else(|| format!("Invalid IP address or hostname specified: {}", node.0))
}

/// An error without the number that the system has for it.
pub(super) fn plain(error: &std::io::Error) -> String {
    let text = error.to_string();
    match error.kind() {
        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut => {
            String::from("no answer in time")
        }
        _ => text.split(" (os error").next().unwrap_or_default().to_string(),
    }
}
