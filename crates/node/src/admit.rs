//! Whether a command may run now. The quick answer is one AND in `execute`; this is the slow one.

use front::{Session, gate};

/// The first gate that a command demands and finds closed, as an error, in Redis's order.
pub(crate) fn refusal(session: &Session, demands: u32) -> Option<&'static str> {
    if demands & session.closed & gate::AUTH != 0 {
        return Some("NOAUTH Authentication required.");
    }
    None
}
