//! Calls into the C library that no safe crate covers.
//!
//! The invariant of this module: every pointer handed to the C library points to a live, properly
//! aligned value of the type it expects, which it fills before returning success.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;

/// Processor time in microseconds.
#[derive(Clone, Copy, Default)]
pub(crate) struct CpuTime {
    pub(crate) user: u64,
    pub(crate) system: u64,
}

/// Processor time of the whole process.
pub(crate) fn process_time() -> CpuTime {
    usage(libc::RUSAGE_SELF)
}

/// Processor time of the calling thread.
pub(crate) fn thread_time() -> CpuTime {
    #[cfg(target_os = "linux")]
    let who = libc::RUSAGE_THREAD;
    #[cfg(not(target_os = "linux"))]
    let who = libc::RUSAGE_SELF;
    usage(who)
}

fn usage(who: libc::c_int) -> CpuTime {
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: see the module's invariant; a zeroed `rusage` is a valid one in any case.
    let usage = unsafe {
        libc::getrusage(who, usage.as_mut_ptr());
        usage.assume_init()
    };
    let micros = |t: libc::timeval| t.tv_sec as u64 * 1_000_000 + t.tv_usec as u64;
    CpuTime { user: micros(usage.ru_utime), system: micros(usage.ru_stime) }
}

/// A civil date in local time.
pub(crate) struct LocalTime {
    pub(crate) year: i32,
    /// From 0.
    pub(crate) month: usize,
    pub(crate) day: i32,
    pub(crate) hour: i32,
    pub(crate) minute: i32,
    pub(crate) second: i32,
}

/// What the clock on the wall shows at this Unix time.
pub(crate) fn local_time(seconds: i64) -> LocalTime {
    let seconds = seconds as libc::time_t;
    let mut tm = MaybeUninit::<libc::tm>::zeroed();
    // SAFETY: see the module's invariant; a zeroed `tm` is a valid one in any case.
    let tm = unsafe {
        libc::localtime_r(&raw const seconds, tm.as_mut_ptr());
        tm.assume_init()
    };
    LocalTime {
        year: tm.tm_year + 1900,
        month: tm.tm_mon.clamp(0, 11) as usize,
        day: tm.tm_mday,
        hour: tm.tm_hour,
        minute: tm.tm_min,
        second: tm.tm_sec,
    }
}

/// Raises the number of files this process may open to at least `wanted`, or as far as the system
/// allows. The limit that then holds.
pub fn raise_open_files(wanted: u64) -> io::Result<u64> {
    let limit = getrlimit(Resource::Nofile);
    let Some(current) = limit.current else { return Ok(u64::MAX) };
    if current >= wanted {
        return Ok(current);
    }
    let maximum = Some(limit.maximum.unwrap_or(u64::MAX).max(wanted));
    if setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum }).is_ok() {
        return Ok(wanted);
    }
    // Not privileged: up to what the system set as our maximum.
    let reachable = limit.maximum.map_or(wanted, |m| m.min(wanted));
    setrlimit(Resource::Nofile, Rlimit { current: Some(reachable), maximum: limit.maximum })?;
    Ok(reachable)
}

/// Has the system make room for `count` files of this process now. Later it would do so by doubling
/// a table, in the middle of an accept, and wait until no thread looks at the old one any more:
/// that takes up to tens of milliseconds. Call it before there are other threads.
pub fn make_room_for_files(count: u64) -> io::Result<()> {
    let last = count.clamp(1, MOST_FILES) - 1;
    let some = File::open("/dev/null")?;
    // The table never shrinks.
    drop(rustix::io::fcntl_dupfd_cloexec(&some, last as i32)?);
    Ok(())
}

/// For more files than this no room is made beforehand: their table would take 8 MiB.
const MOST_FILES: u64 = 1 << 20;

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_files_is_as_large_as_asked() {
        let size = || {
            let status = std::fs::read_to_string("/proc/self/status").expect("a status");
            let line = status.lines().find_map(|line| line.strip_prefix("FDSize:"));
            line.and_then(|size| size.trim().parse::<u64>().ok()).expect("a size")
        };
        let wanted = size() * 2 + 1;
        raise_open_files(wanted).expect("a limit");
        make_room_for_files(wanted).expect("room");
        assert!(size() >= wanted);
    }
}
