//! Many connections at once.

use crate::client::{Client, requests, show};
use crate::server::{Server, until};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::time::Duration;
use wire::value::Value;

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
    // The system does not have to make room while clients wait to be let in.
    let status = server.proc("status");
    let room = status.lines().find_map(|line| line.strip_prefix("FDSize:")).expect("FDSize");
    assert!(room.trim().parse::<usize>().expect("a number") >= CROWD, "{room}");
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

/// The ids of a list of clients, in its order.
fn ids(list: &str) -> Vec<u64> {
    let id = |line: &str| line.strip_prefix("id=")?.split(' ').next()?.parse().ok();
    list.lines().map(|line| id(line).unwrap_or_else(|| panic!("no id: {line}"))).collect()
}

#[test]
fn a_long_list_is_whole_and_holds_up_only_who_asks() {
    raise_open_files(5_000);
    let server = Server::with(&["--save", "", "--tcp-backlog", "4096"]);
    let mut first = server.client();
    let mut crowd: Vec<Client> = (0..2_000).map(|_| server.client()).collect();
    until("all are in", || (first.info("connected_clients") == "2001").then_some(()));
    let mine = crowd[1_000].integer("CLIENT ID") as u64;
    // What follows in the pipeline is answered after it.
    crowd[1_000].send(&requests(["CLIENT LIST", "ECHO after"]));
    let list = show(&crowd[1_000].read());
    assert_eq!(show(&crowd[1_000].read()), "after");
    let found = ids(&list);
    assert_eq!(found.len(), 2_001);
    assert!(found.is_sorted() && found.contains(&mine));
    let line = list.lines().find(|line| line.starts_with(&format!("id={mine} "))).expect("it");
    assert!(line.contains(" cmd=client|list ") && line.contains(" argv-mem=10 "), "{line}");
    let others = list.lines().filter(|line| line.contains(" cmd=client|list ")).count();
    assert_eq!(others, 1);

    assert_eq!(ids(&first.line("CLIENT LIST TYPE normal")), found);
    assert_eq!(first.line("CLIENT LIST TYPE replica"), "");
    let some = format!("CLIENT LIST ID {mine} {} {mine}", found[0]);
    assert_eq!(ids(&first.line(&some)), [mine, found[0], mine]);
    // A transaction is answered at once, and an unwanted answer not at all.
    first.send(&requests(["MULTI", "CLIENT LIST", "EXEC"]));
    (0..2).for_each(|_| drop(first.read()));
    let Value::Array(replies) = first.read() else { panic!("no array") };
    assert_eq!(ids(&show(&replies[0])), found);
    first.send(&requests(["CLIENT REPLY SKIP", "CLIENT LIST", "ECHO next"]));
    assert_eq!(show(&first.read()), "next");
    let Value::Map(_) = first.ask(&["HELLO", "3"]) else { panic!("no map") };
    assert_eq!(ids(&first.line("CLIENT LIST")), found);

    // Who leaves before the answer comes leaves nothing behind.
    let mut leaving = crowd.pop().expect("a client");
    leaving.send(&requests(["CLIENT LIST"; 50]));
    drop(leaving);
    until("it is gone", || (first.info("connected_clients") == "2000").then_some(()));
    let kill = first.line("CLIENT KILL TYPE normal");
    assert_eq!(kill, ":1999");
    for client in &mut crowd {
        assert_eq!(client.rest(), "");
    }
    until("all are gone", || (first.info("connected_clients") == "1").then_some(()));
}
