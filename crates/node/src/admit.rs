//! Whether a command may run now. The quick answer is one AND in `execute`; this is the slow one.

use crate::node::Node;
use front::{Session, gate};
use wire::command::CommandId;

/// Why a request does not run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Refused {
    /// For this reason.
    Because(String),
    /// Another node is to be asked, or the cluster does not serve its keys.
    Elsewhere(String),
}

impl Refused {
    /// The error as a client gets it.
    pub(crate) fn text(&self) -> &str {
        let (Refused::Because(text) | Refused::Elsewhere(text)) = self;
        text
    }
}

/// The first gate that a command demands and finds closed, as an error, in Redis's order.
/// `closed` are the gates closed for every session.
pub(crate) fn refusal(
    session: &Session,
    closed: u32,
    demands: u32,
    reasons: Reasons,
) -> Option<&'static str> {
    let shut = demands & (session.closed | closed);
    GATES
        .iter()
        .find(|(bit, applies, _)| shut & bit != 0 && applies(reasons))
        .map(|(_, _, error)| *error)
}

/// Why a gate that several states can close is closed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reasons {
    /// The last save failed.
    pub(crate) misconf: bool,
    /// Too few replicas follow.
    pub(crate) lonely: bool,
    /// We are a read-only replica.
    pub(crate) readonly: bool,
    /// The client may use DEBUG.
    pub(crate) debug: bool,
}

/// What EXEC demands for the requests it will run.
#[cold]
pub(crate) fn demands_of_queue(id: CommandId, session: &Session) -> u32 {
    match &session.transaction.queue {
        Some(queue) if id == CommandId::Exec => queue.demands & !(gate::QUEUED | gate::SINGLE),
        _ => 0,
    }
}

impl Node {
    /// Why gates are closed.
    pub(crate) fn reasons(&self, session: &Session) -> Reasons {
        Reasons {
            misconf: self.is_misconfigured(),
            lonely: self.lacks_replicas(),
            debug: self.config.process.debug_command.to(session.is_local()),
            readonly: self.replication.link.is_some() && self.config.replica_read_only,
        }
    }
}

type Gate = (u32, fn(Reasons) -> bool, &'static str);

const LOADING: &str = "LOADING Redis is loading the dataset in memory";

/// Gates and their errors, in the order in which Redis looks at them.
const GATES: [Gate; 11] = [
    (
        gate::PROTECTED,
        |reasons| !reasons.debug,
        "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", \
         you can run it from a local connection, otherwise you need to set this option in the \
         configuration file, and then restart the server.",
    ),
    (gate::AUTH, |_| true, "NOAUTH Authentication required."),
    (gate::SINGLE, |_| true, "ERR Command not allowed inside a transaction"),
    (gate::MEMORY, |_| true, "OOM command not allowed when used memory > 'maxmemory'."),
    (
        gate::WRITE,
        |reasons| reasons.misconf,
        "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist \
         to disk. Commands that may modify the data set are disabled, because this instance is \
         configured to report errors during writes if RDB snapshotting fails \
         (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the \
         RDB error.",
    ),
    (gate::WRITE, |reasons| reasons.lonely, "NOREPLICAS Not enough good replicas to write."),
    (
        gate::WRITE,
        |reasons| reasons.readonly,
        "READONLY You can't write against a read only replica.",
    ),
    (
        gate::FRESH,
        |_| true,
        "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    ),
    (gate::LOADED, |_| true, LOADING),
    (gate::SETTLED, |_| true, LOADING),
    (gate::KEYSPACE, |_| true, "ERR Replica can't interact with the keyspace"),
];
