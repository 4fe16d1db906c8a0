//! The end of the process: its replicas are to have everything first.

use super::{Ending, Exit};
use crate::clients::hold;
use crate::node::Node;
use machine::{Instant, Level, Now, Out, Span};
use replication::Stage;

/// An end that waits for replicas.
pub(crate) struct Leaving {
    exit: Exit,
    /// They are waited for until then.
    pub(crate) until: Instant,
}

impl Node {
    /// Ends the process in order: when the replicas have everything, or `shutdown-timeout` is over,
    /// and after a save if `exit` says so or save points are set. Asked again, it does not wait.
    pub(crate) fn shut_down(&mut self, exit: Exit, now: Now, out: &mut Out) -> Ending {
        let patience = Span::secs(self.config.process.shutdown_timeout);
        let again = self.persist.leaving.take().is_some();
        if again || exit.now || patience.0 == 0 || self.lagging_replicas() == 0 {
            return self.leave(exit, now, out);
        }
        out.log(Level::Notice, format_args!("Waiting for replicas before shutting down."));
        self.ask_positions();
        self.clients.pause.hold(hold::SHUTDOWN, true);
        self.close_gates();
        self.persist.leaving = Some(Leaving { exit, until: now.mono + patience });
        Ending::AfterSave
    }

    /// Replicas that follow our stream and do not have all of it.
    fn lagging_replicas(&self) -> usize {
        if self.replication.link.is_some() || self.persist.loading.is_some() {
            return 0;
        }
        let end = self.replication.end();
        let replicas = self.replication.replicas.iter();
        replicas.filter(|(_, r)| r.stage == Stage::Online && !r.mute && r.acked < end).count()
    }

    /// At a turn's end: whether those who were waited for have everything, or time is over.
    pub(crate) fn check_leaving(&mut self, now: Now, out: &mut Out) {
        let Some(until) = self.persist.leaving.as_ref().map(|leaving| leaving.until) else {
            return;
        };
        let lagging = self.lagging_replicas();
        if lagging > 0 && now.mono < until {
            return;
        }
        let Some(leaving) = self.persist.leaving.take() else { return };
        let all = self.replication.replicas.iter().count();
        if all > 0 {
            let synced = all - lagging.min(all);
            out.log(
                Level::Notice,
                format_args!("{synced} of {all} replicas are in sync when shutting down."),
            );
        }
        self.leave(leaving.exit, now, out);
    }
}
