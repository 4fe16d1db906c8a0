//! Many connections at once.

use crate::client::Client;
use crate::server::{Server, until};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::time::Duration;

const CROWD: usize = 9_500;

/// Lets this process have that many files open, or as many as it may.
fn raise_open_files(wanted: u64) {
    let limit = getrlimit(Resource::Nofile);
    let enough = limit.current.is_none_or(|current| current >= wanted);
    if !enough {
        let current = limit.maximum.map_or(wanted, |maximum| maximum.min(wanted));
        let raised = Rlimit { current: Some(current), maximum: limit.maximum };
        setrlimit(Resource::Nofile, raised).expect("the limit can be raised to its maximum");
    }
}

#[test]
fn ten_thousand_idle_clients_cost_little() {
    raise_open_files(CROWD as u64 + 2_000);
    let server = Server::with(&["--save", "", "--tcp-backlog", "4096"]);
    let mut witness = server.client();
    witness.ping();
    let before = server.resident();
    let mut crowd: Vec<Client> = Vec::with_capacity(CROWD);
    for _ in 0..CROWD {
        crowd.push(server.client());
    }
    let all = (CROWD + 1).to_string();
    until("all are accepted", || (witness.info("connected_clients") == all).then_some(()));
    let each = server.resident().saturating_sub(before) / CROWD as u64;
    assert!(each < 4 << 10, "an idle client costs {each} bytes");
    // What was said once is not kept.
    for client in &mut crowd {
        assert_eq!(client.line("SET a 1"), "+OK");
    }
    let each = server.resident().saturating_sub(before) / CROWD as u64;
    assert!(each < 4 << 10, "an idle client that has spoken costs {each} bytes");
    let mut slowest: Vec<Duration> = (0..200).map(|_| witness.ping()).collect();
    slowest.sort();
    assert!(slowest[100] < Duration::from_millis(20), "median of PING: {:?}", slowest[100]);
    assert!(slowest[199] < Duration::from_secs(1), "slowest PING: {:?}", slowest[199]);
    drop(crowd);
    until("all are gone", || (witness.info("connected_clients") == "1").then_some(()));
}

#[test]
fn one_client_too_many_is_told_so() {
    let server = Server::with(&["--save", "", "--maxclients", "3"]);
    // The connections that found the server ready are gone only when it has seen them close.
    let mut clients: Vec<Client> = Vec::new();
    until("three clients are in", || {
        let mut client = server.client();
        let reply = client.call(&["PING"]);
        (reply == "+PONG").then(|| clients.push(client));
        (clients.len() == 3).then_some(())
    });
    let mut refused = server.client();
    assert_eq!(refused.rest(), r"-ERR max number of clients reached\r\n");
    assert_eq!(clients[0].line("SET a 1"), "+OK");
    assert_ne!(clients[0].info("rejected_connections"), "0");
    clients.pop();
    until("there is room again", || {
        let mut client = server.client();
        client.send(b"GET a\r\n");
        (client.rest_or_reply() == "1").then_some(())
    });
}
