//! Commands of the group `pubsub`.

use crate::command::Command;
use crate::command::CommandId as Id;
use crate::command::flag::{FAST, LOADING, MAY_REPLICATE, NONE, NOSCRIPT, PUBSUB, SENTINEL, STALE};
use crate::command::keys::uses::NOT_KEY;
use crate::command::keys::{Begin, Find, KeySpec};
use crate::command::row::command;

pub(super) const ROWS: [Command; 15] = [
    command(Id::Psubscribe, "psubscribe", -2, PUBSUB | NOSCRIPT | LOADING | STALE | SENTINEL, NONE)
        .about("2.0.0", "O(N)", "Listens to channels that match patterns."),
    command(
        Id::Publish,
        "publish",
        3,
        PUBSUB | LOADING | STALE | FAST | MAY_REPLICATE | SENTINEL,
        NONE,
    )
    .about("2.0.0", "O(N+M)", "Sends a message to a channel."),
    command(Id::Pubsub, "pubsub", -2, NONE, NONE)
        .about("2.8.0", "", "Commands about channels and their listeners.")
        .subcommands(&[
            Id::PubsubChannels,
            Id::PubsubHelp,
            Id::PubsubNumpat,
            Id::PubsubNumsub,
            Id::PubsubShardchannels,
            Id::PubsubShardnumsub,
        ]),
    command(Id::PubsubChannels, "channels", -2, PUBSUB | LOADING | STALE, NONE)
        .about("2.8.0", "O(N)", "Lists the channels with listeners.")
        .within(Id::Pubsub),
    command(Id::PubsubHelp, "help", 2, LOADING | STALE, NONE)
        .about("6.2.0", "O(1)", "Describes the subcommands.")
        .within(Id::Pubsub),
    command(Id::PubsubNumpat, "numpat", 2, PUBSUB | LOADING | STALE, NONE)
        .about("2.8.0", "O(1)", "Counts the patterns listened to.")
        .within(Id::Pubsub),
    command(Id::PubsubNumsub, "numsub", -2, PUBSUB | LOADING | STALE, NONE)
        .about("2.8.0", "O(N)", "Counts the listeners of channels.")
        .within(Id::Pubsub),
    command(Id::PubsubShardchannels, "shardchannels", -2, PUBSUB | LOADING | STALE, NONE)
        .about("7.0.0", "O(N)", "Lists the shard channels with listeners.")
        .within(Id::Pubsub),
    command(Id::PubsubShardnumsub, "shardnumsub", -2, PUBSUB | LOADING | STALE, NONE)
        .about("7.0.0", "O(N)", "Counts the listeners of shard channels.")
        .within(Id::Pubsub),
    command(
        Id::Punsubscribe,
        "punsubscribe",
        -1,
        PUBSUB | NOSCRIPT | LOADING | STALE | SENTINEL,
        NONE,
    )
    .about("2.0.0", "O(N)", "Stops listening to patterns."),
    command(Id::Spublish, "spublish", 3, PUBSUB | LOADING | STALE | FAST | MAY_REPLICATE, NONE)
        .about("7.0.0", "O(N)", "Sends a message to a shard channel.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(0, 1, 0), uses: NOT_KEY }]),
    command(Id::Ssubscribe, "ssubscribe", -2, PUBSUB | NOSCRIPT | LOADING | STALE, NONE)
        .about("7.0.0", "O(N)", "Listens to shard channels.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(-1, 1, 0), uses: NOT_KEY }]),
    command(Id::Subscribe, "subscribe", -2, PUBSUB | NOSCRIPT | LOADING | STALE | SENTINEL, NONE)
        .about("2.0.0", "O(N)", "Listens to channels."),
    command(Id::Sunsubscribe, "sunsubscribe", -1, PUBSUB | NOSCRIPT | LOADING | STALE, NONE)
        .about("7.0.0", "O(N)", "Stops listening to shard channels.")
        .keys(&[KeySpec { begin: Begin::Index(1), find: Find::Range(-1, 1, 0), uses: NOT_KEY }]),
    command(
        Id::Unsubscribe,
        "unsubscribe",
        -1,
        PUBSUB | NOSCRIPT | LOADING | STALE | SENTINEL,
        NONE,
    )
    .about("2.0.0", "O(N)", "Stops listening to channels."),
];
