//! Commands of the group `connection`.

use crate::command::Command;
use crate::command::CommandId as Id;
use crate::command::category::IN_CONNECTION;
use crate::command::flag::{
    ADMIN, ALLOW_BUSY, FAST, LOADING, NO_AUTH, NONE, NOSCRIPT, SENTINEL, STALE,
};
use crate::command::row::command;

pub(super) const ROWS: [Command; 26] = [
    command(
        Id::Auth,
        "auth",
        -2,
        NOSCRIPT | LOADING | STALE | FAST | NO_AUTH | SENTINEL | ALLOW_BUSY,
        IN_CONNECTION,
    )
    .about("1.0.0", "O(N)", "Proves who the client is.")
    .built(),
    command(Id::Client, "client", -2, SENTINEL, NONE)
        .about("2.4.0", "", "Commands about connections.")
        .built()
        .subcommands(&[
            Id::ClientCaching,
            Id::ClientGetname,
            Id::ClientGetredir,
            Id::ClientHelp,
            Id::ClientId,
            Id::ClientInfo,
            Id::ClientKill,
            Id::ClientList,
            Id::ClientNoEvict,
            Id::ClientNoTouch,
            Id::ClientPause,
            Id::ClientReply,
            Id::ClientSetinfo,
            Id::ClientSetname,
            Id::ClientTracking,
            Id::ClientTrackinginfo,
            Id::ClientUnblock,
            Id::ClientUnpause,
        ]),
    command(Id::ClientCaching, "caching", 3, NOSCRIPT | LOADING | STALE | SENTINEL, IN_CONNECTION)
        .about("6.0.0", "O(1)", "Tells whether the next command's keys are tracked.")
        .within(Id::Client),
    command(Id::ClientGetname, "getname", 2, NOSCRIPT | LOADING | STALE | SENTINEL, IN_CONNECTION)
        .about("2.6.9", "O(1)", "Tells the connection's name.")
        .built()
        .within(Id::Client),
    command(
        Id::ClientGetredir,
        "getredir",
        2,
        NOSCRIPT | LOADING | STALE | SENTINEL,
        IN_CONNECTION,
    )
    .about("6.0.0", "O(1)", "Tells where invalidations are sent.")
    .built()
    .within(Id::Client),
    command(Id::ClientHelp, "help", 2, LOADING | STALE | SENTINEL, IN_CONNECTION)
        .about("5.0.0", "O(1)", "Describes the subcommands.")
        .built()
        .within(Id::Client),
    command(Id::ClientId, "id", 2, NOSCRIPT | LOADING | STALE | SENTINEL, IN_CONNECTION)
        .about("5.0.0", "O(1)", "Tells the connection's number.")
        .built()
        .within(Id::Client),
    command(Id::ClientInfo, "info", 2, NOSCRIPT | LOADING | STALE | SENTINEL, IN_CONNECTION)
        .about("6.2.0", "O(1)", "Describes this connection.")
        .built()
        .within(Id::Client)
        .tips(&["nondeterministic_output"]),
    command(
        Id::ClientKill,
        "kill",
        -3,
        ADMIN | NOSCRIPT | LOADING | STALE | SENTINEL,
        IN_CONNECTION,
    )
    .about("2.4.0", "O(N)", "Closes connections.")
    .built()
    .within(Id::Client),
    command(
        Id::ClientList,
        "list",
        -2,
        ADMIN | NOSCRIPT | LOADING | STALE | SENTINEL,
        IN_CONNECTION,
    )
    .about("2.4.0", "O(N)", "Describes all connections.")
    .built()
    .within(Id::Client)
    .tips(&["nondeterministic_output"]),
    command(
        Id::ClientNoEvict,
        "no-evict",
        3,
        ADMIN | NOSCRIPT | LOADING | STALE | SENTINEL,
        IN_CONNECTION,
    )
    .about("7.0.0", "O(1)", "Spares this connection when clients take too much memory.")
    .built()
    .within(Id::Client),
    command(Id::ClientNoTouch, "no-touch", 3, NOSCRIPT | LOADING | STALE, IN_CONNECTION)
        .about("7.2.0", "O(1)", "Keeps this connection's reads from renewing keys.")
        .built()
        .within(Id::Client),
    command(
        Id::ClientPause,
        "pause",
        -3,
        ADMIN | NOSCRIPT | LOADING | STALE | SENTINEL,
        IN_CONNECTION,
    )
    .about("3.0.0", "O(1)", "Holds commands back for a time.")
    .built()
    .within(Id::Client),
    command(Id::ClientReply, "reply", 3, NOSCRIPT | LOADING | STALE | SENTINEL, IN_CONNECTION)
        .about("3.2.0", "O(1)", "Turns replies on and off.")
        .built()
        .within(Id::Client),
    command(Id::ClientSetinfo, "setinfo", 4, NOSCRIPT | LOADING | STALE | SENTINEL, IN_CONNECTION)
        .about("7.2.0", "O(1)", "Names the client library and its version.")
        .built()
        .within(Id::Client)
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"]),
    command(Id::ClientSetname, "setname", 3, NOSCRIPT | LOADING | STALE | SENTINEL, IN_CONNECTION)
        .about("2.6.9", "O(1)", "Names the connection.")
        .built()
        .within(Id::Client)
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"]),
    command(
        Id::ClientTracking,
        "tracking",
        -3,
        NOSCRIPT | LOADING | STALE | SENTINEL,
        IN_CONNECTION,
    )
    .about("6.0.0", "O(1)", "Turns tracking for client-side caches on or off.")
    .within(Id::Client),
    command(
        Id::ClientTrackinginfo,
        "trackinginfo",
        2,
        NOSCRIPT | LOADING | STALE | SENTINEL,
        IN_CONNECTION,
    )
    .about("6.2.0", "O(1)", "Shows how this connection tracks keys.")
    .built()
    .within(Id::Client),
    command(
        Id::ClientUnblock,
        "unblock",
        -3,
        ADMIN | NOSCRIPT | LOADING | STALE | SENTINEL,
        IN_CONNECTION,
    )
    .about("5.0.0", "O(log N)", "Wakes a blocked client.")
    .built()
    .within(Id::Client),
    command(
        Id::ClientUnpause,
        "unpause",
        2,
        ADMIN | NOSCRIPT | LOADING | STALE | SENTINEL,
        IN_CONNECTION,
    )
    .about("6.2.0", "O(N)", "Lets held-back commands go on.")
    .built()
    .within(Id::Client),
    command(Id::Echo, "echo", 2, LOADING | STALE | FAST, IN_CONNECTION)
        .about("1.0.0", "O(1)", "Replies with its argument.")
        .built(),
    command(
        Id::Hello,
        "hello",
        -1,
        NOSCRIPT | LOADING | STALE | FAST | NO_AUTH | SENTINEL | ALLOW_BUSY,
        IN_CONNECTION,
    )
    .about("6.0.0", "O(1)", "Agrees on the protocol's version, and authenticates.")
    .built(),
    command(Id::Ping, "ping", -1, FAST | SENTINEL, IN_CONNECTION)
        .about("1.0.0", "O(1)", "Shows that the server is alive.")
        .built()
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"]),
    command(
        Id::Quit,
        "quit",
        -1,
        ALLOW_BUSY | NOSCRIPT | LOADING | STALE | FAST | NO_AUTH,
        IN_CONNECTION,
    )
    .about("1.0.0", "O(1)", "Closes the connection.")
    .built()
    .deprecated("7.2.0"),
    command(
        Id::Reset,
        "reset",
        1,
        NOSCRIPT | LOADING | STALE | FAST | NO_AUTH | ALLOW_BUSY,
        IN_CONNECTION,
    )
    .about("6.2.0", "O(1)", "Puts the connection back to its beginning.")
    .built(),
    command(Id::Select, "select", 2, LOADING | STALE | FAST, IN_CONNECTION)
        .about("1.0.0", "O(1)", "Chooses a database.")
        .built(),
];
