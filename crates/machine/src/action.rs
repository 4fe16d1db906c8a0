//! What a machine asks of the world, apart from bytes to write.

use crate::{ConnId, Event, Span};
use alloc::{boxed::Box, string::String, sync::Arc, vec::Vec};
use core::any::Any;
use core::fmt;
use core::net::{IpAddr, SocketAddr};
use core::ops::Range;

/// Names a file operation or an offloaded job until [`Event::FileDone`] or [`Event::JobDone`]
/// tells its end. Drawn from [`Out::ticket`](crate::Out::ticket), rising by one each.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct Ticket(pub u64);

/// Names a listener or an attempt to connect; chosen by the machine.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct Token(pub u64);

/// Names an open file; chosen by the machine, free again after [`FileOp::Close`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct FileId(pub u32);

/// Another machine in the same deployment, as the driver numbers them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct Address(pub u32);

/// A message between machines. The receiver knows the type it expects.
pub type Letter = Box<dyn Any + Send>;

/// A pure computation to run beside the machine; its result comes back as [`Event::JobDone`].
pub type Job = Box<dyn FnOnce() -> Letter + Send>;

/// How grave a log line is, in the order of Redis's `loglevel`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Level {
    /// Detail for finding faults in the program.
    Debug,
    /// Events of ordinary running, many.
    Verbose,
    /// What an operator wants to see in production.
    Notice,
    /// What needs an operator.
    Warning,
}

/// A fault that ends a process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Crash {
    /// An access to memory that is not there: SIGSEGV.
    Segfault,
    /// A fault that the program noticed itself: SIGABRT.
    Abort,
}

/// Where to listen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ListenOn {
    /// A TCP address; port 0 lets the system choose.
    Tcp(SocketAddr),
    /// A Unix socket at this path, with these permission bits (0: as the umask leaves them).
    Unix {
        /// File system path.
        path: String,
        /// Permission bits, such as `0o700`.
        mode: u32,
    },
}

/// How to open a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OpenMode {
    /// For reading; it must exist.
    Read,
    /// For appending; created when missing.
    Append,
    /// For writing from an empty start; created or emptied.
    Create,
}

/// An operation on a file. Paths are relative to the driver's working folder or absolute.
pub enum FileOp {
    /// Opens `path` under the id `file`.
    Open {
        /// The id that later operations use.
        file: FileId,
        /// Path.
        path: String,
        /// Access.
        mode: OpenMode,
    },
    /// Writes at the end. Done when the system has taken all bytes (not when they are on disk).
    Append {
        /// An open file.
        file: FileId,
        /// Shared bytes.
        data: Arc<[u8]>,
        /// Which of them to write.
        range: Range<usize>,
    },
    /// Forces what was written to disk.
    Sync {
        /// An open file.
        file: FileId,
    },
    /// Cuts the file to `len` bytes.
    Truncate {
        /// An open file.
        file: FileId,
        /// New length.
        len: u64,
    },
    /// Reads up to `len` bytes from the current position; [`FileOutput::Bytes`](crate::FileOutput)
    /// shorter than `len` only at the end of the file.
    Read {
        /// An open file.
        file: FileId,
        /// How much at most.
        len: usize,
    },
    /// Closes the file; its id may be used again afterwards. Releases a lock held through it.
    Close {
        /// An open file.
        file: FileId,
    },
    /// Takes an exclusive advisory lock on `path` (created when missing) until closed.
    Lock {
        /// The id that holds the lock.
        file: FileId,
        /// Path.
        path: String,
    },
    /// Replaces the content of `path` as a whole and durably: new file, fsync, rename, fsync of
    /// the folder.
    Replace {
        /// Path.
        path: String,
        /// New content.
        data: Vec<u8>,
    },
    /// Renames durably, replacing what stood at `to`.
    Rename {
        /// Old path.
        from: String,
        /// New path.
        to: String,
    },
    /// Removes a file.
    Remove {
        /// Path.
        path: String,
    },
}

/// A request to the driver. Those with a [`Ticket`] or [`Token`] are answered by an [`Event`].
pub enum Action {
    /// Listens; answered by [`Event::Listening`] or [`Event::ListenFailed`].
    Listen {
        /// The listener's name.
        token: Token,
        /// Where.
        on: ListenOn,
        /// Length of the accept queue.
        backlog: u32,
    },
    /// Ends a listener.
    Unlisten {
        /// The listener's name.
        token: Token,
    },
    /// Connects; answered by [`Event::Connected`] or [`Event::ConnectFailed`].
    Connect {
        /// The attempt's name.
        token: Token,
        /// Where to.
        to: SocketAddr,
        /// Local address to bind, if any.
        from: Option<IpAddr>,
    },
    /// Looks a host name up; answered by [`Event::Resolved`].
    Resolve {
        /// The look-up's name.
        token: Token,
        /// Host name.
        host: String,
    },
    /// Closes a connection: at once, or when its queued output has been written.
    Close {
        /// Which.
        conn: ConnId,
        /// Whether to write what is queued first.
        flush: bool,
    },
    /// Stops reading from a connection, so that its sender is held up. Its end is noticed only
    /// when reads go on, unless writing to it fails first.
    PauseReads {
        /// Which.
        conn: ConnId,
    },
    /// Reads again. What had been kept is offered at once, also when reads were not paused: so a
    /// machine that left bytes unconsumed for a time asks for them anew.
    ResumeReads {
        /// Which.
        conn: ConnId,
    },
    /// Whether the system may hold back small output of a connection until there is more of it. It
    /// may not unless this is asked for.
    GatherOutput {
        /// Which.
        conn: ConnId,
        /// Whether it may.
        on: bool,
    },
    /// A file operation; answered by [`Event::FileDone`].
    File {
        /// The operation's name.
        ticket: Ticket,
        /// What to do.
        op: FileOp,
    },
    /// A pure computation on another thread; answered by [`Event::JobDone`].
    Offload {
        /// The job's name.
        ticket: Ticket,
        /// The computation.
        job: Job,
    },
    /// A message to another machine.
    Mail {
        /// Addressee.
        to: Address,
        /// Content.
        letter: Letter,
    },
    /// A line for the log.
    Log {
        /// How grave.
        level: Level,
        /// Text, one line.
        text: String,
    },
    /// Starts the measurement of [`Vitals::max_turn_us`](crate::Vitals::max_turn_us) anew.
    ResetMaxTurn,
    /// Has the allocator give back what it keeps and does not need, by and by.
    PurgeMemory,
    /// The machine serves from now on: whoever started the process may want to know.
    Ready,
    /// Does nothing for a time after this call, as a process that hangs.
    Stall {
        /// How long.
        span: Span,
    },
    /// Ends the process as a fault of its own would, without another step.
    Crash {
        /// By which fault.
        how: Crash,
    },
    /// Ends the driver's loop, with this exit status, after all output of the turn.
    Exit {
        /// Exit status.
        status: i32,
    },
}

impl fmt::Debug for FileOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FileOp::Open { file, path, mode } => write!(f, "open {path:?} as {} {mode:?}", file.0),
            FileOp::Append { file, range, .. } => {
                write!(f, "append {} bytes to {}", range.len(), file.0)
            }
            FileOp::Sync { file } => write!(f, "sync {}", file.0),
            FileOp::Truncate { file, len } => write!(f, "truncate {} to {len}", file.0),
            FileOp::Read { file, len } => write!(f, "read {len} of {}", file.0),
            FileOp::Close { file } => write!(f, "close {}", file.0),
            FileOp::Lock { file, path } => write!(f, "lock {path:?} as {}", file.0),
            FileOp::Replace { path, data } => write!(f, "replace {path:?} by {} bytes", data.len()),
            FileOp::Rename { from, to } => write!(f, "rename {from:?} to {to:?}"),
            FileOp::Remove { path } => write!(f, "remove {path:?}"),
        }
    }
}

// Keeps the links in the documentation above resolvable.
const _: fn(Event<'_>) = |_| ();
