//! What the world tells a machine.

use crate::{Address, Letter, Ticket, Token};
use alloc::{string::String, sync::Arc, vec::Vec};
use core::fmt;
use core::net::{IpAddr, SocketAddr};

/// A connection: a small number, used again after its [`Event::Closed`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct ConnId(pub u32);

/// Both ends of a connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Peer {
    /// TCP.
    Tcp {
        /// The other end.
        remote: SocketAddr,
        /// Our end.
        local: SocketAddr,
    },
    /// A Unix socket, by our path.
    Unix {
        /// File system path.
        path: String,
    },
}

/// Why a network operation failed. The kinds are those protocols must tell apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NetError {
    /// Nobody listens there: proof that a host answered and the process did not.
    Refused,
    /// The other end reset the connection.
    Reset,
    /// Nothing was heard in time.
    TimedOut,
    /// No route to it, or the network is down.
    Unreachable,
    /// The address is in use.
    AddressInUse,
    /// The address is not one of this host.
    AddressNotAvailable,
    /// Not allowed.
    Denied,
    /// A name that resolves to nothing.
    NotFound,
    /// Anything else, by the system's error number.
    Other(i32),
}

/// Why a connection ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CloseReason {
    /// The machine asked for it.
    Local,
    /// The other end closed in order (FIN).
    Remote,
    /// It broke.
    Error(NetError),
}

/// A signal to the process, by what it asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Signal {
    /// SIGINT.
    Interrupt,
    /// SIGTERM.
    Terminate,
}

/// What a finished file operation brought.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FileOutput {
    /// Nothing but success.
    Done,
    /// The file was opened and is this long.
    Opened {
        /// Length in bytes.
        len: u64,
    },
    /// What was read.
    Bytes(Vec<u8>),
}

/// Kinds of file errors that a machine tells apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FileErrorKind {
    /// No such file or folder.
    NotFound,
    /// Not allowed.
    Denied,
    /// The disk or quota is full.
    Full,
    /// Somebody else holds the lock.
    Locked,
    /// Anything else.
    Other,
}

/// A failed file operation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileError {
    /// What kind.
    pub kind: FileErrorKind,
    /// The system's words, as Redis logs them (`No space left on device`).
    pub text: String,
}

/// Facts about the process and its host, sent at the start and ten times a second.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Vitals {
    /// Bytes the allocator has handed out.
    pub memory_allocated: u64,
    /// Bytes the allocator holds in pages with something in them.
    pub memory_active: u64,
    /// Bytes of physical memory that the allocator keeps.
    pub memory_kept: u64,
    /// Bytes of the process in physical memory.
    pub memory_resident: u64,
    /// Physical memory of the host, in bytes.
    pub memory_total: u64,
    /// Processor time in system mode, in microseconds.
    pub cpu_system_us: u64,
    /// Processor time in user mode, in microseconds.
    pub cpu_user_us: u64,
    /// The same of the thread that runs the machine, in microseconds, system mode.
    pub cpu_system_thread_us: u64,
    /// The same of the thread that runs the machine, in microseconds, user mode.
    pub cpu_user_thread_us: u64,
    /// Process id.
    pub pid: u32,
    /// Path of the executable.
    pub executable: String,
    /// Kernel name, release and architecture (`Linux 6.1.0 x86_64`).
    pub os: String,
    /// The longest turn since the machine last reset it, in microseconds.
    pub max_turn_us: u64,
    /// Bytes read from the network since the start.
    pub net_input: u64,
    /// Bytes written to the network since the start.
    pub net_output: u64,
}

/// One thing that happened.
pub enum Event<'a> {
    /// The first event of a machine's life, before any other.
    Started,
    /// A listener stands; `address` has the port the system chose.
    Listening {
        /// Its name.
        token: Token,
        /// Its address (of a Unix socket: none).
        address: Option<SocketAddr>,
    },
    /// A listener could not be made.
    ListenFailed {
        /// Its name.
        token: Token,
        /// Why.
        why: NetError,
    },
    /// Somebody connected to a listener.
    Accepted {
        /// The new connection.
        conn: ConnId,
        /// By which listener it came.
        listener: Token,
        /// Both ends.
        peer: &'a Peer,
    },
    /// An attempt to connect succeeded.
    Connected {
        /// The new connection.
        conn: ConnId,
        /// The attempt's name.
        token: Token,
        /// Both ends.
        peer: &'a Peer,
    },
    /// An attempt to connect failed.
    ConnectFailed {
        /// The attempt's name.
        token: Token,
        /// Why.
        why: NetError,
    },
    /// A look-up ended; no address means that it failed.
    Resolved {
        /// The look-up's name.
        token: Token,
        /// What was found, in the resolver's order.
        addresses: &'a [IpAddr],
    },
    /// Bytes arrived. The machine says how many it has done with by
    /// [`Out::consumed`](crate::Out::consumed); none is the default.
    Received {
        /// From where.
        conn: ConnId,
        /// What was left over last time, and then what is new.
        bytes: &'a [u8],
    },
    /// Exactly the bytes announced with [`Out::want`](crate::Out::want), in an allocation of
    /// their own.
    Body {
        /// From where.
        conn: ConnId,
        /// The bytes.
        body: Arc<[u8]>,
    },
    /// All output of a connection has been taken by the system, and
    /// [`Out::tell_drained`](crate::Out::tell_drained) asked to hear of it. Comes once a request.
    Drained {
        /// Which.
        conn: ConnId,
    },
    /// A connection is over. Nothing comes from it or goes to it any more.
    Closed {
        /// Which.
        conn: ConnId,
        /// Why.
        why: CloseReason,
    },
    /// A file operation ended.
    FileDone {
        /// Which.
        ticket: Ticket,
        /// How.
        result: Result<FileOutput, FileError>,
    },
    /// An offloaded computation ended.
    JobDone {
        /// Which.
        ticket: Ticket,
        /// Its result.
        result: Letter,
    },
    /// A message from another machine.
    Mail {
        /// Sender.
        from: Address,
        /// Content.
        letter: Letter,
    },
    /// New facts about the process.
    Vitals(&'a Vitals),
    /// A signal came.
    Signal(Signal),
    /// The deadline has passed.
    Wake,
    /// Everything that was ready has been handed over. Long work goes on here.
    TurnEnd {
        /// How many units of background work the machine may do now. The driver tunes it from
        /// turn to turn so that such work takes its share of time and no more.
        units: u32,
    },
}

impl fmt::Display for NetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NetError::Refused => "Connection refused",
            NetError::Reset => "Connection reset by peer",
            NetError::TimedOut => "Connection timed out",
            NetError::Unreachable => "No route to host",
            NetError::AddressInUse => "Address already in use",
            NetError::AddressNotAvailable => "Cannot assign requested address",
            NetError::Denied => "Permission denied",
            NetError::NotFound => "Name or service not known",
            NetError::Other(code) => return write!(f, "Network error {code}"),
        })
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
