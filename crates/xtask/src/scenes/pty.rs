//! A program on a terminal: typed at, and watched, every wait bounded.

use anyhow::{Context, Result, bail};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// The most time that anything may take to show, or to end.
const PATIENCE: Duration = Duration::from_secs(180);

/// See the module's documentation.
pub(crate) struct Pty {
    child: Child,
    master: File,
    output: Receiver<Vec<u8>>,
    /// What was shown and not yet looked at, without the terminal's control sequences.
    shown: String,
    raw: Vec<u8>,
}

impl Pty {
    /// Starts a command on a terminal of its own.
    pub(crate) fn spawn(mut command: Command) -> Result<Self> {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let size = Winsize { ws_row: 50, ws_col: 200, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&master, size)?;
        let name = ptsname(&master, Vec::new())?;
        let path = OsStr::from_bytes(name.as_bytes());
        let slave = File::options().read(true).write(true).open(path)?;
        command.stdin(slave.try_clone()?).stdout(slave.try_clone()?).stderr(slave);
        command.env("TERM", "xterm");
        let child = command.spawn().with_context(|| format!("starting {command:?}"))?;
        let master = File::from(master);
        let mut reader = master.try_clone()?;
        let (sender, output) = channel();
        // It ends when the last program on the terminal has.
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(n @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..n].to_vec()).is_err() {
                    return;
                }
            }
        });
        drop(command);
        Ok(Self { child, master, output, shown: String::new(), raw: Vec::new() })
    }

    /// Types a line and the key that ends it.
    pub(crate) fn enter(&mut self, line: &str) -> Result<()> {
        self.master.write_all(format!("{line}\r").as_bytes())?;
        Ok(())
    }

    /// Waits until this text is shown; all that was shown before it, and itself.
    pub(crate) fn expect(&mut self, text: &str) -> Result<String> {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.shown.find(text) {
                let rest = self.shown.split_off(at + text.len());
                return Ok(std::mem::replace(&mut self.shown, rest));
            }
            match self.output.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.take(&bytes),
                Err(RecvTimeoutError::Timeout) => {
                    bail!("{text:?} is not shown in {PATIENCE:?}, but: {:?}", self.shown)
                }
                Err(RecvTimeoutError::Disconnected) => {
                    bail!("ended without {text:?}, but with: {:?}", self.shown)
                }
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        self.raw.extend_from_slice(bytes);
        let (plain, rest) = plain(&self.raw);
        self.shown.push_str(&plain);
        self.raw.drain(..self.raw.len() - rest);
    }

    /// Asks it to end, as Ctrl-C does.
    pub(crate) fn interrupt(&self) -> Result<()> {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::INT)?;
        Ok(())
    }

    /// Waits for the end of what it shows, and takes the rest of it.
    pub(crate) fn rest(&mut self) -> Result<String> {
        let end = Instant::now() + PATIENCE;
        loop {
            match self.output.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.take(&bytes),
                Err(RecvTimeoutError::Disconnected) => return Ok(std::mem::take(&mut self.shown)),
                Err(RecvTimeoutError::Timeout) => bail!("it goes on after {PATIENCE:?}"),
            }
        }
    }

    /// Waits for its end; its exit status.
    pub(crate) fn finish(mut self) -> Result<i32> {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return status.code().context("ended by a signal");
            }
            if Instant::now() > end {
                bail!("does not end in {PATIENCE:?}");
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The text without control sequences, and how many bytes at the end are not complete yet.
fn plain(bytes: &[u8]) -> (String, usize) {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        if *byte != 0x1b {
            out.push(*byte);
            at += 1;
            continue;
        }
        let Some(kind) = bytes.get(at + 1) else { break };
        if *kind != b'[' {
            at += 2;
            continue;
        }
        let last = bytes[at + 2..].iter().position(|byte| (0x40..0x7f).contains(byte));
        let Some(last) = last else { break };
        at += 2 + last + 1;
    }
    (String::from_utf8_lossy(&out).into_owned(), bytes.len() - at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_typed_at_and_watched() {
        let mut command = Command::new("sh");
        command.args(["-c", "printf 'name? '; read name; echo \"it is $name\"; exit 3"]);
        let mut pty = Pty::spawn(command).unwrap();
        pty.expect("name? ").unwrap();
        pty.enter("x y").unwrap();
        pty.expect("it is x y").unwrap();
        assert_eq!(pty.finish().unwrap(), 3);
    }

    #[test]
    fn control_sequences_are_taken_out() {
        assert_eq!(plain(b"a\x1b[0Kb\x1b[12"), ("ab".to_string(), 4));
    }
}
