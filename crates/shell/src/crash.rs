//! The report that a dying process leaves in its log.
//!
//! The handler runs in a process whose state is anyhow: it allocates nothing, takes no lock and
//! calls only what may be called in a signal handler, so its lines carry no date.
//!
//! The invariant of this module: the handler reads only atomics that are set before it is
//! installed, writes only to the file they name, and every pointer it hands to the C library
//! points to a live local value.

use machine::Crash;
use std::fs::OpenOptions;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{IntoRawFd, RawFd};
use std::path::Path;
use std::ptr;
use std::sync::atomic::{AtomicI32, Ordering};

/// Where the report goes.
static LOG: AtomicI32 = AtomicI32::new(libc::STDOUT_FILENO);

const SIGNALS: [i32; 5] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGABRT];
/// The most calls that the report lists.
const FRAMES: usize = 64;

/// From now on a crash leaves a report in the log: the file at `path`, or standard output.
///
/// # Errors
/// When the file cannot be opened or the system refuses the handler.
pub fn report_to(path: Option<&Path>) -> io::Result<()> {
    if let Some(path) = path {
        // Kept open for good: a crash is no time to open files.
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        LOG.store(file.into_raw_fd(), Ordering::Relaxed);
    }
    // The first call loads a library, which a signal handler must not.
    stack(&mut [ptr::null_mut(); 2]);
    for signal in SIGNALS {
        install(signal)?;
    }
    Ok(())
}

/// Ends the process by this fault.
pub(crate) fn happen(how: Crash) {
    let signal = match how {
        Crash::Segfault => libc::SIGSEGV,
        Crash::Abort => libc::SIGABRT,
    };
    // SAFETY: raising a signal touches no memory of ours.
    unsafe { libc::raise(signal) };
}

fn install(signal: i32) -> io::Result<()> {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: a zeroed `sigaction` is valid; its fields are set before it is handed over, and the
    // handler has the signature that SA_SIGINFO asks for. One signal only: the second ends it all.
    let status = unsafe {
        let action = action.assume_init_mut();
        action.sa_sigaction = handle as *const () as libc::sighandler_t;
        action.sa_flags =
            libc::SA_SIGINFO | libc::SA_RESETHAND | libc::SA_NODEFER | libc::SA_ONSTACK;
        libc::sigemptyset(&raw mut action.sa_mask);
        libc::sigaction(signal, action, ptr::null_mut())
    };
    if status == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

extern "C" fn handle(signal: i32, info: *const libc::siginfo_t, _context: *const libc::c_void) {
    let log = LOG.load(Ordering::Relaxed);
    // SAFETY: the system hands a valid `siginfo_t` to a handler with SA_SIGINFO.
    let (code, address) = unsafe { ((*info).si_code, (*info).si_addr() as usize) };
    let mut line = Line::new();
    line.text("\n\n=== REDIS BUG REPORT START: Cut & paste starting from here ===\n").send(log);
    line.head().text("Holdfast ").text(env!("CARGO_PKG_VERSION"));
    line.text(" crashed by signal: ").number(signal as usize);
    let sign = if code < 0 { "-" } else { "" };
    line.text(", si_code: ").text(sign).number(code.unsigned_abs() as usize).text("\n").send(log);
    // Codes above 0 are the kernel's; with the others a process has sent the signal.
    if code <= 0 {
        line.head().text("Killed by a signal of a process").text("\n").send(log);
    } else if signal == libc::SIGSEGV || signal == libc::SIGBUS {
        line.head().text("Accessing address: 0x").hexadecimal(address).text("\n").send(log);
    }
    line.text("\n------ STACK TRACE ------\nBacktrace:\n").send(log);
    let mut frames = [ptr::null_mut(); FRAMES];
    let count = stack(&mut frames);
    #[cfg(target_env = "gnu")]
    // SAFETY: the first `count` frames were filled in.
    unsafe {
        libc::backtrace_symbols_fd(frames.as_ptr(), count as i32, log);
    }
    line.text("\n=== REDIS BUG REPORT END. Make sure to include from START to END. ===\n\n");
    line.text("       This is a fault of Holdfast: please report it with the lines above.\n");
    line.send(log);
    // The handler is gone by now: this ends the process as the fault would have.
    // SAFETY: raising a signal touches no memory of ours.
    unsafe { libc::raise(signal) };
}

/// Addresses of the calls that led here; how many.
#[cfg(target_env = "gnu")]
fn stack(frames: &mut [*mut libc::c_void]) -> usize {
    // SAFETY: the C library fills in at most as many frames as there is room for.
    unsafe { libc::backtrace(frames.as_mut_ptr(), frames.len() as i32) as usize }
}

#[cfg(not(target_env = "gnu"))]
fn stack(_frames: &mut [*mut libc::c_void]) -> usize {
    0
}

/// Text put together without allocating.
struct Line {
    bytes: [u8; 256],
    len: usize,
}

impl Line {
    fn new() -> Self {
        Line { bytes: [0; 256], len: 0 }
    }

    /// What Redis's lines from a signal handler begin with: process, who speaks, and the time.
    fn head(&mut self) -> &mut Self {
        // SAFETY: neither touches memory of ours.
        let (pid, now) = unsafe { (libc::getpid(), libc::time(ptr::null_mut())) };
        self.number(pid as usize).text(":signal-handler (").number(now as usize).text(") ")
    }

    fn text(&mut self, text: &str) -> &mut Self {
        let room = self.bytes.len() - self.len;
        let taken = &text.as_bytes()[..text.len().min(room)];
        self.bytes[self.len..][..taken.len()].copy_from_slice(taken);
        self.len += taken.len();
        self
    }

    fn number(&mut self, number: usize) -> &mut Self {
        self.digits(number, 10)
    }

    fn hexadecimal(&mut self, number: usize) -> &mut Self {
        self.digits(number, 16)
    }

    fn digits(&mut self, mut number: usize, base: usize) -> &mut Self {
        let mut digits = [0; 24];
        let mut at = digits.len();
        loop {
            at -= 1;
            digits[at] = b"0123456789abcdef"[number % base];
            number /= base;
            if number == 0 {
                break;
            }
        }
        let digits = std::str::from_utf8(&digits[at..]).unwrap_or_default();
        self.text(digits)
    }

    fn send(&mut self, log: RawFd) {
        // SAFETY: the bytes are those of a live array. A log that takes nothing cannot be helped.
        unsafe { libc::write(log, self.bytes.as_ptr().cast(), self.len) };
        self.len = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_hold_numbers_and_never_overflow() {
        let mut line = Line::new();
        line.number(0).text(" ").number(1_234_567).text(" 0x").hexadecimal(0xdead_beef);
        assert_eq!(&line.bytes[..line.len], b"0 1234567 0xdeadbeef");
        line.text(&"x".repeat(1000)).number(usize::MAX);
        assert_eq!(line.len, 256);
    }
}
