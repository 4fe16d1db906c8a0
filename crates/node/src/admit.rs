//! Whether a command may run now. The quick answer is one AND in `execute`; this is the slow one.

use front::{Session, gate};

/// The first gate that a command demands and finds closed, as an error, in Redis's order.
/// `closed` are the gates closed for every session.
pub(crate) fn refusal(session: &Session, closed: u32, demands: u32) -> Option<&'static str> {
    let shut = demands & (session.closed | closed);
    GATES.iter().find(|(bit, _)| shut & bit != 0).map(|(_, error)| *error)
}

/// Gates and their errors, in the order in which Redis looks at them.
const GATES: [(u32, &str); 3] = [
    (gate::AUTH, "NOAUTH Authentication required."),
    (
        gate::WRITE,
        "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist \
         to disk. Commands that may modify the data set are disabled, because this instance is \
         configured to report errors during writes if RDB snapshotting fails \
         (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the \
         RDB error.",
    ),
    (gate::LOADED, "LOADING Redis is loading the dataset in memory"),
];
