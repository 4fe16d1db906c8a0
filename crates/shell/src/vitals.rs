//! Facts about the process and its host.

use crate::options::Allocator;
use crate::sys;
use machine::Vitals;

/// Facts that do not change while the process runs, as a start for [`measure`].
pub(crate) fn constants() -> Vitals {
    let uname = rustix::system::uname();
    let text = |s: &std::ffi::CStr| s.to_string_lossy().into_owned();
    Vitals {
        memory_total: memory_total(),
        pid: std::process::id(),
        executable: std::env::current_exe()
            .map_or_else(|_| String::new(), |p| p.to_string_lossy().into_owned()),
        os: format!(
            "{} {} {}",
            text(uname.sysname()),
            text(uname.release()),
            text(uname.machine())
        ),
        ..Vitals::default()
    }
}

/// Measures what changes. Call it on the machine's thread.
pub(crate) fn measure(vitals: &mut Vitals, memory: Option<Allocator>) {
    let (process, thread) = (sys::process_time(), sys::thread_time());
    vitals.cpu_system_us = process.system;
    vitals.cpu_user_us = process.user;
    vitals.cpu_system_thread_us = thread.system;
    vitals.cpu_user_thread_us = thread.user;
    vitals.memory_resident = memory_resident();
    // Without an allocator's report the resident size is the nearest figure there is.
    [vitals.memory_allocated, vitals.memory_active, vitals.memory_kept] =
        memory.map_or([vitals.memory_resident; 3], |allocator| (allocator.report)());
}

#[cfg(target_os = "linux")]
fn memory_resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm")
        .ok()
        .and_then(|text| text.split_ascii_whitespace().nth(1)?.parse::<u64>().ok());
    pages.unwrap_or(0) * rustix::param::page_size() as u64
}

#[cfg(target_os = "linux")]
fn memory_total() -> u64 {
    let info = rustix::system::sysinfo();
    info.totalram as u64 * u64::from(info.mem_unit)
}

#[cfg(not(target_os = "linux"))]
fn memory_resident() -> u64 {
    0
}

#[cfg(not(target_os = "linux"))]
fn memory_total() -> u64 {
    0
}
