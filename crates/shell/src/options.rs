//! What a driver is told when it is made.

use crate::Post;
use machine::{Address, Level};
use std::path::PathBuf;
use std::time::Duration;

/// Takes log lines.
pub type LogSink = Box<dyn FnMut(Level, &str) + Send>;

/// What the allocator tells and does.
#[derive(Clone, Copy)]
pub struct Allocator {
    /// Bytes handed out, bytes in active pages, and bytes kept in physical memory.
    pub report: fn() -> [u64; 3],
    /// Bytes handed out, at little cost; 0: unknown.
    pub allocated: machine::MemoryGauge,
    /// Gives back pages that are not needed, by and by.
    pub purge: fn(),
}

/// What a driver is told when it is made.
pub struct Options {
    /// Where log lines go.
    pub log: LogSink,
    /// Called when the machine says that it serves.
    pub ready: Box<dyn FnMut() + Send>,
    /// The allocator, if the program knows it.
    pub memory: Option<Allocator>,
    /// The registry through which machines of this process reach each other.
    pub post: Post,
    /// This driver's own address in it.
    pub address: Address,
    /// The folder to which paths of files are relative; empty: the process's own.
    pub folder: PathBuf,
    /// Whether SIGINT and SIGTERM become events of this machine.
    pub signals: bool,
    /// After how much silence the system probes an idle TCP connection; none: never.
    pub keepalive: Option<Duration>,
    /// How long a connection being closed may take to write what is queued.
    pub linger: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            log: Box::new(|_, _| {}),
            ready: Box::new(|| {}),
            memory: None,
            post: Post::default(),
            address: Address(0),
            folder: PathBuf::new(),
            signals: false,
            keepalive: Some(Duration::from_secs(300)),
            linger: Duration::from_secs(10),
        }
    }
}
