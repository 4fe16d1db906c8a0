//! A host's disk: what programs see, and what a crash leaves of it.

use crate::chance::Chance;
use machine::{FileError, FileErrorKind, FileId, FileOp, FileOutput, OpenMode};
use std::collections::BTreeMap;

/// The files of a host.
#[derive(Default)]
pub(crate) struct Disk {
    names: BTreeMap<String, u64>,
    nodes: BTreeMap<u64, Node>,
    next: u64,
    /// Who holds which lock: path, process.
    locks: BTreeMap<String, u32>,
    /// Whether there is no room for a further byte.
    pub(crate) full: bool,
    /// How many times longer everything takes, beyond the usual.
    pub(crate) slower: u64,
}

#[derive(Default)]
struct Node {
    /// What programs see.
    content: Vec<u8>,
    /// What certainly is on the medium; none: not even the name.
    durable: Option<Vec<u8>>,
}

/// A file that a process has open.
pub(crate) struct Open {
    node: u64,
    at: usize,
    mode: OpenMode,
    lock: Option<String>,
}

pub(crate) type Opens = BTreeMap<FileId, Open>;

type Done = Result<FileOutput, FileError>;

fn error(kind: FileErrorKind) -> FileError {
    let text = match kind {
        FileErrorKind::NotFound => "No such file or directory",
        FileErrorKind::Denied => "Permission denied",
        FileErrorKind::Full => "No space left on device",
        FileErrorKind::Locked => "Resource temporarily unavailable",
        FileErrorKind::Other => "Bad file descriptor",
    };
    FileError { kind, text: text.into() }
}

impl Disk {
    /// Carries out an operation of process `process`, whose open files are `opens`.
    pub(crate) fn perform(&mut self, op: FileOp, process: u32, opens: &mut Opens) -> Done {
        match op {
            FileOp::Open { file, path, mode } => {
                let node = self.open(path, mode)?;
                let len = self.nodes[&node].content.len() as u64;
                opens.insert(file, Open { node, at: 0, mode, lock: None });
                return Ok(FileOutput::Opened { len });
            }
            FileOp::Read { file, len } => return self.read(opens, file, len),
            FileOp::Append { file, data, range } => {
                let data = &data[range];
                let full = self.full;
                let node = self.writable(opens, file)?;
                if full && !data.is_empty() {
                    return Err(error(FileErrorKind::Full));
                }
                node.content.extend_from_slice(data);
            }
            FileOp::Sync { file } => {
                let node = opens.get(&file).ok_or_else(|| error(FileErrorKind::Other))?.node;
                if let Some(node) = self.nodes.get_mut(&node) {
                    node.durable = Some(node.content.clone());
                }
            }
            FileOp::Truncate { file, len } => {
                self.writable(opens, file)?.content.resize(len as usize, 0);
            }
            FileOp::Close { file } => {
                let open = opens.remove(&file).ok_or_else(|| error(FileErrorKind::Other))?;
                if let Some(path) = open.lock {
                    self.locks.remove(&path);
                }
                self.sweep(open.node, opens);
            }
            FileOp::Lock { file, path } => {
                if self.locks.contains_key(&path) {
                    return Err(error(FileErrorKind::Locked));
                }
                let node = self.open(path.clone(), OpenMode::Append)?;
                self.locks.insert(path.clone(), process);
                opens.insert(file, Open { node, at: 0, mode: OpenMode::Append, lock: Some(path) });
            }
            FileOp::Replace { path, data } => {
                if self.full {
                    return Err(error(FileErrorKind::Full));
                }
                let node = self.add(Node { durable: Some(data.clone()), content: data });
                self.names.insert(path, node);
            }
            FileOp::Rename { from, to } => {
                let node =
                    self.names.remove(&from).ok_or_else(|| error(FileErrorKind::NotFound))?;
                self.names.insert(to, node);
            }
            FileOp::Remove { path } => {
                self.names.remove(&path).ok_or_else(|| error(FileErrorKind::NotFound))?;
            }
        }
        Ok(FileOutput::Done)
    }

    fn add(&mut self, node: Node) -> u64 {
        self.next += 1;
        self.nodes.insert(self.next, node);
        self.next
    }

    fn open(&mut self, path: String, mode: OpenMode) -> Result<u64, FileError> {
        let node = match self.names.get(&path) {
            Some(node) => *node,
            None if mode == OpenMode::Read => return Err(error(FileErrorKind::NotFound)),
            None => {
                let node = self.add(Node::default());
                self.names.insert(path, node);
                node
            }
        };
        if mode == OpenMode::Create
            && let Some(node) = self.nodes.get_mut(&node)
        {
            node.content.clear();
        }
        Ok(node)
    }

    fn writable(&mut self, opens: &Opens, file: FileId) -> Result<&mut Node, FileError> {
        let open = opens.get(&file).filter(|o| o.mode != OpenMode::Read);
        let open = open.ok_or_else(|| error(FileErrorKind::Other))?;
        self.nodes.get_mut(&open.node).ok_or_else(|| error(FileErrorKind::Other))
    }

    fn read(&self, opens: &mut Opens, file: FileId, len: usize) -> Done {
        let open = opens.get_mut(&file).ok_or_else(|| error(FileErrorKind::Other))?;
        let content = &self.nodes[&open.node].content;
        let from = open.at.min(content.len());
        let to = from.saturating_add(len).min(content.len());
        open.at = to;
        Ok(FileOutput::Bytes(content[from..to].to_vec()))
    }

    /// Frees a node that no name and no open file of this process refers to.
    fn sweep(&mut self, node: u64, opens: &Opens) {
        let named = self.names.values().any(|n| *n == node);
        if !named && !opens.values().any(|o| o.node == node) {
            self.nodes.remove(&node);
        }
    }

    /// A process is gone: the kernel closes its files, and loses nothing.
    pub(crate) fn release(&mut self, process: u32, opens: &mut Opens) {
        self.locks.retain(|_, holder| *holder != process);
        let nodes: Vec<u64> = opens.values().map(|o| o.node).collect();
        opens.clear();
        for node in nodes {
            self.sweep(node, opens);
        }
    }

    /// The host lost power: of what was not synced some is gone and some may be torn.
    pub(crate) fn crash(&mut self, chance: &mut Chance) {
        self.locks.clear();
        let names = &self.names;
        self.nodes.retain(|node, _| names.values().any(|n| n == node));
        for node in self.nodes.values_mut() {
            let durable = node.durable.clone().unwrap_or_default();
            if node.content.starts_with(&durable) {
                let kept = chance.between(durable.len() as u64, node.content.len() as u64 + 1);
                node.content.truncate(kept as usize);
                let unsynced = kept as usize - durable.len();
                if unsynced > 0 && chance.one_in(4) {
                    // The length reached the medium, the last bytes did not.
                    let torn = chance.between(1, unsynced as u64 + 1) as usize;
                    let from = node.content.len() - torn;
                    node.content[from..].fill(0);
                }
            } else if chance.one_in(2) {
                node.content = durable;
            }
            node.durable = Some(node.content.clone());
        }
    }

    /// Takes a name away, if it is there.
    pub(crate) fn remove(&mut self, path: &str) {
        self.names.remove(path);
    }

    /// What a program would read at `path`.
    pub(crate) fn content(&self, path: &str) -> Option<&[u8]> {
        Some(&self.nodes.get(self.names.get(path)?)?.content)
    }
}
