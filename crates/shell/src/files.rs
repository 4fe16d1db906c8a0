//! The thread that works on files, one operation after the other.

use crate::notes::{Note, Notifier};
use crate::offload::AbortOnPanic;
use machine::{FileError, FileErrorKind, FileId, FileOp, FileOutput, OpenMode, Ticket};
use rustix::fs::{FlockOperation, flock};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};

/// The driver's end.
pub(crate) struct Files {
    sender: Option<Sender<(Ticket, FileOp)>>,
    thread: Option<JoinHandle<()>>,
}

impl Files {
    /// Starts the thread; paths are relative to `folder`.
    pub(crate) fn new(folder: PathBuf, notifier: Notifier) -> io::Result<Self> {
        let (sender, receiver) = channel::<(Ticket, FileOp)>();
        let thread = thread::Builder::new().name("files".into()).spawn(move || {
            let _guard = AbortOnPanic;
            let mut worker = Worker { folder, open: BTreeMap::new() };
            for (ticket, op) in receiver {
                let result = worker.perform(op).map_err(describe);
                notifier.send(Note::FileDone(ticket, result));
            }
        })?;
        Ok(Files { sender: Some(sender), thread: Some(thread) })
    }

    /// Asks for an operation; its end is reported by a note.
    pub(crate) fn ask(&self, ticket: Ticket, op: FileOp) {
        let sender = self.sender.as_ref().expect("nothing is asked for after the end");
        sender.send((ticket, op)).expect("the thread lives as long as this end");
    }

    /// Waits until everything asked for is done.
    pub(crate) fn finish(&mut self) {
        self.sender = None;
        if let Some(thread) = self.thread.take() {
            // A panic over there has aborted the process.
            let _ = thread.join();
        }
    }
}

struct Worker {
    folder: PathBuf,
    open: BTreeMap<FileId, File>,
}

impl Worker {
    fn perform(&mut self, op: FileOp) -> io::Result<FileOutput> {
        match op {
            FileOp::Open { file, path, mode } => return self.open(file, &path, mode),
            FileOp::Append { file, data, range } => self.file(file)?.write_all(&data[range])?,
            FileOp::Sync { file } => self.file(file)?.sync_data()?,
            FileOp::Truncate { file, len } => {
                let file = self.file(file)?;
                file.set_len(len)?;
                file.seek(SeekFrom::End(0))?;
            }
            FileOp::Read { file, len } => {
                let mut bytes = Vec::new();
                self.file(file)?.take(len as u64).read_to_end(&mut bytes)?;
                return Ok(FileOutput::Bytes(bytes));
            }
            FileOp::Close { file } => {
                self.open.remove(&file).ok_or(rustix::io::Errno::BADF)?;
            }
            FileOp::Lock { file, path } => self.lock(file, &path)?,
            FileOp::Replace { path, data } => replace(&self.folder.join(path), &data)?,
            FileOp::Rename { from, to } => {
                let to = self.folder.join(to);
                fs::rename(self.folder.join(from), &to)?;
                sync_folder_of(&to)?;
            }
            FileOp::Remove { path } => fs::remove_file(self.folder.join(path))?,
        }
        Ok(FileOutput::Done)
    }

    fn file(&mut self, id: FileId) -> io::Result<&mut File> {
        self.open.get_mut(&id).ok_or_else(|| rustix::io::Errno::BADF.into())
    }

    fn open(&mut self, id: FileId, path: &str, mode: OpenMode) -> io::Result<FileOutput> {
        let mut options = OpenOptions::new();
        match mode {
            OpenMode::Read => options.read(true),
            OpenMode::Append => options.read(true).append(true).create(true),
            OpenMode::Create => options.write(true).create(true).truncate(true),
        };
        let file = options.open(self.folder.join(path))?;
        let len = file.metadata()?.len();
        self.open.insert(id, file);
        Ok(FileOutput::Opened { len })
    }

    fn lock(&mut self, id: FileId, path: &str) -> io::Result<()> {
        let path = self.folder.join(path);
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        self.open.insert(id, file);
        Ok(())
    }
}

/// Replaces a file as a whole: at any moment a crash leaves the old or the new content.
fn replace(path: &Path, data: &[u8]) -> io::Result<()> {
    let mut name: OsString = path.as_os_str().into();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = PathBuf::from(name);
    let written = (|| {
        let mut file = File::create(&temporary)?;
        file.write_all(data)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    })();
    if written.is_err() {
        // What went wrong matters more than what is left of it.
        let _ = fs::remove_file(&temporary);
    }
    written.and_then(|()| sync_folder_of(path))
}

fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    File::open(folder)?.sync_all()
}

fn describe(error: io::Error) -> FileError {
    use io::ErrorKind;
    let kind = match error.kind() {
        ErrorKind::NotFound => FileErrorKind::NotFound,
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => FileErrorKind::Denied,
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => FileErrorKind::Full,
        ErrorKind::WouldBlock => FileErrorKind::Locked,
        _ => FileErrorKind::Other,
    };
    // The library appends the error number; Redis logs the system's words alone.
    let mut text = error.to_string();
    if let Some(end) = text.find(" (os error") {
        text.truncate(end);
    }
    FileError { kind, text }
}
