//! Memory that a machine is about to grow into is touched by another thread first.
//!
//! The first touch of a huge page clears two mebibytes, and on a virtual machine whose host has not
//! given that memory out yet it takes milliseconds: inside a turn, that is a stall. So the arena of
//! the machine's thread grows within large regions, upwards, and a thread keeps the next few
//! mebibytes above what is in use ready. Where the system cannot do that, nothing is different.
//!
//! Invariant of this module: a region is mapped when it is chosen and never unmapped; its addresses
//! from `next` on have been handed to nobody; the hooks do not allocate and do not wait.

use std::ffi::{c_uint, c_void};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, OnceLock};
use std::thread::{self, Thread};
use tikv_jemalloc_sys::{extent_hooks_s, extent_hooks_t, mallctl};

/// A huge page.
const PAGE: usize = 2 << 20;
/// So much is kept ready above the highest address in use.
const AHEAD: usize = 2 * PAGE;
/// Size of a region: address space only, until it is used.
const REGION: usize = 1 << 30;
/// Extents above this are left to jemalloc.
const LARGEST: usize = REGION / 4;

/// What jemalloc did before.
static BEFORE: OnceLock<extent_hooks_s> = OnceLock::new();
static THREAD: OnceLock<Thread> = OnceLock::new();
static REGION_IN_USE: Mutex<Region> = Mutex::new(Region { start: 0, end: 0, next: 0, ready: 0 });
/// The highest address in use, in the region at hand.
static USED: AtomicUsize = AtomicUsize::new(0);
/// The end of that region.
static END: AtomicUsize = AtomicUsize::new(0);

/// What was handed out at the time of the last report, less what the counted threads held then: one
/// number, so that nobody sees half of a new report. [`NEVER`] before the first.
static BASE: AtomicI64 = AtomicI64::new(NEVER);
const NEVER: i64 = i64::MIN;
/// The other figures of the last report, and whether one is wanted anew.
static REPORT: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];
static WANTED: AtomicBool = AtomicBool::new(false);
static PURGE: AtomicBool = AtomicBool::new(false);
/// Of the machine's thread first, and of those that run jobs: memory changes hands between them in
/// bulk.
static COUNTERS: [OnceLock<Counters>; 4] = [const { OnceLock::new() }; 4];

/// Bytes that a thread has ever allocated, and freed: jemalloc's own counters.
#[derive(Clone, Copy)]
struct Counters {
    allocated: *const AtomicU64,
    freed: *const AtomicU64,
}

// SAFETY: they point into the state of a thread that lives as long as the program, or nearly so:
// see `count_this_thread`. It writes whole words, which are read as such.
unsafe impl Send for Counters {}
// SAFETY: as above.
unsafe impl Sync for Counters {}

impl Counters {
    /// Those of the calling thread.
    fn of_this_thread() -> Option<Self> {
        Some(Counters {
            allocated: read_setting::<*const AtomicU64>(c"thread.allocatedp")?,
            freed: read_setting::<*const AtomicU64>(c"thread.deallocatedp")?,
        })
    }

    /// Bytes allocated and not freed; less than nothing when others' are freed here.
    fn held(&self) -> i64 {
        // SAFETY: see above.
        let (allocated, freed) = unsafe { (&*self.allocated, &*self.freed) };
        allocated.load(Relaxed).wrapping_sub(freed.load(Relaxed)) as i64
    }
}

/// What the counted threads have allocated and not freed.
#[inline]
fn held() -> i64 {
    COUNTERS.iter().filter_map(OnceLock::get).map(Counters::held).sum()
}

/// Bytes handed out at the time of the last report, and what the counted threads have allocated and
/// not freed since; 0 without a report.
pub(super) fn allocated() -> u64 {
    match BASE.load(Relaxed) {
        NEVER => 0,
        base => (base + held()).max(1) as u64,
    }
}

/// The last report, as of now, if the thread is there to make one; asks for the next.
pub(super) fn last_report() -> Option<[u64; 3]> {
    let thread = THREAD.get()?;
    WANTED.store(true, Relaxed);
    thread.unpark();
    let allocated = allocated();
    (allocated > 0).then(|| [allocated, REPORT[0].load(Relaxed), REPORT[1].load(Relaxed)])
}

/// Has unused pages given back, by the thread if there is one: it can take long.
pub(super) fn purge() {
    match THREAD.get() {
        None => super::purge(),
        Some(thread) => {
            PURGE.store(true, Relaxed);
            thread.unpark();
        }
    }
}

/// Counts what the calling thread allocates and frees, if the machine's thread is counted. Whether
/// it is: such a thread must not end before the program.
pub(crate) fn count_this_thread() -> bool {
    let Some(counters) = COUNTERS[0].get().and_then(|_| Counters::of_this_thread()) else {
        return false;
    };
    COUNTERS.iter().any(|slot| slot.set(counters).is_ok())
}

/// Adds up anew.
fn make_report() {
    let before = held();
    let [allocated, active, kept] = super::measure();
    // The figures are of some moment between the two.
    let held = before.midpoint(held());
    if allocated > 0 {
        BASE.store(allocated as i64 - held, Relaxed);
    }
    REPORT[0].store(active, Relaxed);
    REPORT[1].store(kept, Relaxed);
}

/// Address space that extents are cut from.
struct Region {
    start: usize,
    end: usize,
    /// Where the next extent begins.
    next: usize,
    /// All below has been touched, or will be by who uses it.
    ready: usize,
}

/// Has the calling thread's arena grow into memory that is ready. Call it once, from the thread
/// that runs the machine. Whether it could be arranged.
pub fn keep_memory_ready() -> bool {
    let Some(arena) = read_setting::<c_uint>(c"thread.arena") else { return false };
    let name = format!("arena.{arena}.extent_hooks\0");
    let Ok(name) = std::ffi::CStr::from_bytes_with_nul(name.as_bytes()) else { return false };
    let Some(before) = read_setting::<*mut extent_hooks_t>(name) else { return false };
    if before.is_null() || BEFORE.get().is_some() {
        return false;
    }
    // SAFETY: jemalloc gives a pointer to hooks that live as long as the program.
    let before = *BEFORE.get_or_init(|| unsafe { *before });
    let spawned = thread::Builder::new().name("memory".into()).spawn(touch_ahead);
    let Ok(handle) = spawned else { return false };
    THREAD.get_or_init(|| handle.thread().clone());
    if let Some(counters) = Counters::of_this_thread() {
        COUNTERS[0].get_or_init(|| counters);
        make_report();
    }
    limit_growth(arena);
    let hooks = extent_hooks_s { alloc: Some(alloc), split: Some(split), ..before };
    // It must live as long as the arena.
    let mut hooks: *mut extent_hooks_t = Box::leak(Box::new(hooks));
    // SAFETY: the name is terminated, and the new value is a pointer to hooks, as it asks for.
    let failed = unsafe {
        mallctl(name.as_ptr(), null_mut(), null_mut(), (&raw mut hooks).cast(), size_of_val(&hooks))
    };
    failed == 0
}

/// Left alone, jemalloc grows in ever larger extents, which no region has room for in the end.
fn limit_growth(arena: c_uint) {
    let name = format!("arena.{arena}.retain_grow_limit\0");
    let Ok(name) = std::ffi::CStr::from_bytes_with_nul(name.as_bytes()) else { return };
    let mut limit: usize = REGION / 16;
    // SAFETY: the name is terminated, and the new value has the type it asks for. If it is refused,
    // large extents come from elsewhere.
    unsafe {
        mallctl(name.as_ptr(), null_mut(), null_mut(), (&raw mut limit).cast(), size_of_val(&limit))
    };
}

/// A setting of jemalloc's; `T` must be its type.
fn read_setting<T>(name: &std::ffi::CStr) -> Option<T> {
    let mut value = std::mem::MaybeUninit::<T>::uninit();
    let mut len = size_of::<T>();
    // SAFETY: the buffer has the length that is said, and jemalloc refuses another one.
    let failed =
        unsafe { mallctl(name.as_ptr(), value.as_mut_ptr().cast(), &mut len, null_mut(), 0) };
    // SAFETY: without an error the value has been written.
    (failed == 0 && len == size_of::<T>()).then(|| unsafe { value.assume_init() })
}

/// New extents come from the region, upwards.
unsafe extern "C" fn alloc(
    hooks: *mut extent_hooks_t,
    at: *mut c_void,
    size: usize,
    alignment: usize,
    zero: *mut bool,
    commit: *mut bool,
    arena: c_uint,
) -> *mut c_void {
    if at.is_null()
        && size <= LARGEST
        && let Ok(mut region) = REGION_IN_USE.try_lock()
        && let Some(start) = region.cut(size, alignment)
    {
        drop(region);
        used_up_to(start);
        // SAFETY: jemalloc hands over pointers to its own flags; the memory is fresh.
        unsafe {
            zero.write(true);
            commit.write(true);
        }
        return std::ptr::with_exposed_provenance_mut(start);
    }
    match BEFORE.get().and_then(|before| before.alloc) {
        // SAFETY: the arguments are passed on as they came.
        Some(before) => unsafe { before(hooks, at, size, alignment, zero, commit, arena) },
        None => null_mut(),
    }
}

/// An extent is being cut to use its first part.
unsafe extern "C" fn split(
    hooks: *mut extent_hooks_t,
    at: *mut c_void,
    size: usize,
    first: usize,
    second: usize,
    committed: bool,
    arena: c_uint,
) -> bool {
    used_up_to(at.addr() + first);
    match BEFORE.get().and_then(|before| before.split) {
        // SAFETY: the arguments are passed on as they came.
        Some(before) => unsafe { before(hooks, at, size, first, second, committed, arena) },
        None => true,
    }
}

/// Notes what is in use, and wakes the thread when that has come to another page.
fn used_up_to(address: usize) {
    let before = USED.load(Relaxed);
    // Extents of earlier regions lie anywhere.
    if address <= before || address > END.load(Relaxed) {
        return;
    }
    USED.store(address, Relaxed);
    if address / PAGE != before / PAGE
        && let Some(thread) = THREAD.get()
    {
        thread.unpark();
    }
}

impl Region {
    /// The next `size` bytes, aligned; from a new region when this one is used up.
    fn cut(&mut self, size: usize, alignment: usize) -> Option<usize> {
        let start = self.next.next_multiple_of(alignment);
        if self.end != 0 && start + size <= self.end {
            self.next = start + size;
            return Some(start);
        }
        if alignment > PAGE {
            return None;
        }
        self.renew()?;
        self.next = self.start + size;
        Some(self.start)
    }

    /// Maps a new region; what is left of the old one was never used.
    fn renew(&mut self) -> Option<()> {
        // SAFETY: a new mapping at an address of the system's choice touches nothing else.
        let at = unsafe {
            libc::mmap(
                null_mut(),
                REGION,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
                -1,
                0,
            )
        };
        if at == libc::MAP_FAILED {
            return None;
        }
        // SAFETY: the range was just mapped. Without huge pages it works as well.
        unsafe { libc::madvise(at, REGION, libc::MADV_HUGEPAGE) };
        let start = at.expose_provenance();
        self.start = start.next_multiple_of(PAGE);
        self.end = start + REGION;
        self.ready = self.start;
        END.store(self.start, Relaxed);
        USED.store(self.start, Relaxed);
        END.store(self.end, Relaxed);
        Some(())
    }

    /// The next page to make ready, if one is due.
    fn due(&mut self) -> Option<usize> {
        let used = USED.load(Relaxed);
        // Pages that are in use have been touched by their users.
        self.ready = self.ready.max(used.next_multiple_of(PAGE));
        let due = self.ready + PAGE <= (used + AHEAD).min(self.end);
        due.then_some(self.ready)
    }
}

/// The thread: touches page after page, and sleeps when enough of them are ready. It also adds up
/// what the allocator has handed out.
fn touch_ahead() {
    let mut able = true;
    loop {
        thread::park();
        if WANTED.swap(false, Relaxed) {
            make_report();
        }
        if PURGE.swap(false, Relaxed) {
            super::purge();
        }
        while able {
            let due = REGION_IN_USE.lock().ok().and_then(|mut region| region.due());
            let Some(page) = due else { break };
            let at = std::ptr::with_exposed_provenance_mut(page);
            // SAFETY: the page lies in a region, which stays mapped. Populating changes no content,
            // so it does not matter whether the page has come into use meanwhile.
            if unsafe { libc::madvise(at, PAGE, libc::MADV_POPULATE_WRITE) } != 0 {
                // An older system, or no memory: whoever needs the page will touch it.
                able = false;
            }
            if let Ok(mut region) = REGION_IN_USE.lock()
                && region.ready == page
            {
                region.ready = page + PAGE;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arena_grows_in_the_region_and_pages_above_it_get_ready() {
        let grown = thread::spawn(|| {
            assert!(keep_memory_ready());
            assert!(!keep_memory_ready(), "once is enough");
            let held: Vec<Box<[u8; 3000]>> = (0..10_000).map(|_| Box::new([7; 3000])).collect();
            let region = REGION_IN_USE.lock().unwrap();
            let inside = |at: usize| (region.start..region.end).contains(&at);
            assert!(held.iter().any(|piece| inside((&raw const **piece).addr())));
            assert!(region.next - region.start >= 8 << 20);
        });
        grown.join().unwrap();
        for _ in 0..1_000_000 {
            let due = REGION_IN_USE.lock().unwrap().due();
            if due.is_none() {
                return;
            }
            thread::yield_now();
        }
        panic!("the pages above are not made ready");
    }
}
