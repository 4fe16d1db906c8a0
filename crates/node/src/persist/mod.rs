//! Save points and snapshots to a file; loading it at the start.

mod leaving;
mod load;
mod pressure;
mod rewriting;
mod save;

pub(crate) use leaving::Leaving;
pub(crate) use load::Loading;
pub(crate) use pressure::Pressure;
pub(crate) use rewriting::Rewriting;
pub(crate) use save::Ending;

use crate::export::Export;
use machine::ConnId;

/// What a node knows of its saved state.
pub(crate) struct Persist {
    pub(crate) loading: Option<Loading>,
    pub(crate) export: Option<Export>,
    /// Clients of SAVE and SHUTDOWN that wait for the running export, by what they asked for.
    pub(crate) waiting: Vec<(ConnId, Asked)>,
    /// A BGSAVE SCHEDULE that waits for its turn.
    pub(crate) scheduled: bool,
    /// Exit once the running save has ended: if it succeeded, or in any case.
    pub(crate) exit_after: Option<Exit>,
    /// An end that waits for replicas.
    pub(crate) leaving: Option<Leaving>,
    /// `rdb_last_save_time`, in Unix seconds.
    pub(crate) last_save: u64,
    /// `rdb_last_bgsave_status`.
    pub(crate) last_ok: bool,
    /// When the last attempt failed, in Unix seconds: it is not repeated at once.
    pub(crate) last_try: u64,
    /// `rdb_last_bgsave_time_sec`; negative: none yet.
    pub(crate) last_took: i64,
    /// `rdb_saves`.
    pub(crate) saves: u64,
    /// Keys the last load brought, and those it left out as expired.
    pub(crate) loaded: (u64, u64),
    pub(crate) pressure: Pressure,
    /// A CONFIG REWRITE under way.
    pub(crate) rewriting: Option<Rewriting>,
    files: u32,
}

/// How the process is to end.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Exit {
    /// Whether to save first; none: if there are save points.
    pub(crate) save: Option<bool>,
    /// Also if saving fails.
    pub(crate) force: bool,
    /// Without waiting for replicas.
    pub(crate) now: bool,
}

impl Exit {
    /// The words of `shutdown-on-sigint` and its like.
    pub(crate) fn from_words(words: &str) -> Self {
        let mut exit = Exit::default();
        for word in words.split(' ') {
            match word {
                "save" => exit.save = Some(true),
                "nosave" => exit.save = Some(false),
                "force" => exit.force = true,
                "now" => exit.now = true,
                _ => {}
            }
        }
        exit
    }
}

/// What a waiting client asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Asked {
    Save,
    Shutdown,
}

impl Persist {
    pub(crate) fn new() -> Self {
        Persist {
            loading: None,
            export: None,
            waiting: Vec::new(),
            scheduled: false,
            exit_after: None,
            leaving: None,
            last_save: 0,
            last_ok: true,
            last_try: 0,
            last_took: -1,
            saves: 0,
            loaded: (0, 0),
            pressure: Pressure::default(),
            rewriting: None,
            files: 0,
        }
    }

    /// A file id that is not in use.
    pub(crate) fn file(&mut self) -> machine::FileId {
        self.files = self.files.wrapping_add(1);
        machine::FileId(self.files)
    }
}
