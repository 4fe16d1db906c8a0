//! jemalloc as the allocator of every program that drives machines.
//!
//! It is built with size classes eight bytes apart (`LG_QUANTUM` 3, as Redis builds it): an entry
//! of 56 bytes takes 56, not 64. Such a jemalloc aligns to eight bytes only unless told otherwise,
//! so every request for more says so.
//!
//! Transparent huge pages are asked for: nothing forks, so they cost no copying, and with millions
//! of keys they halve the time spent on address translation.
//!
//! Invariant of this module: sizes and flags handed to jemalloc when freeing or growing are those
//! of the layout that was handed to it when allocating.

mod ahead;

pub(crate) use ahead::count_this_thread;
pub use ahead::keep_memory_ready;

use crate::options::Allocator;
use std::alloc::{GlobalAlloc, Layout};
use std::ptr::null_mut;
use tikv_jemalloc_ctl::{epoch, raw, stats};
use tikv_jemalloc_sys::{MALLOCX_ALIGN, MALLOCX_ZERO, mallctl, mallocx, rallocx, sdallocx};

/// What jemalloc guarantees without being asked.
const NATURAL_ALIGN: usize = 8;

struct Jemalloc;

#[global_allocator]
static GLOBAL: Jemalloc = Jemalloc;

/// Read by jemalloc before the first allocation.
#[unsafe(export_name = "_rjem_malloc_conf")]
static CONFIGURATION: Text = Text(c"thp:always,background_thread:true".as_ptr());

/// A C string constant. jemalloc reads a `const char *`.
#[repr(transparent)]
struct Text(*const std::ffi::c_char);

// SAFETY: it points to a constant.
unsafe impl Sync for Text {}

fn flags(layout: Layout) -> i32 {
    if layout.align() <= NATURAL_ALIGN { 0 } else { MALLOCX_ALIGN(layout.align()) }
}

// SAFETY: jemalloc's functions meet the trait's contract: sizes are not zero (the trait's own
// promise), alignment is asked for where it is not natural.
unsafe impl GlobalAlloc for Jemalloc {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the size is not zero.
        unsafe { mallocx(layout.size(), flags(layout)).cast() }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the size is not zero.
        unsafe { mallocx(layout.size(), flags(layout) | MALLOCX_ZERO).cast() }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: `at` came from here with this layout.
        unsafe { sdallocx(at.cast(), layout.size(), flags(layout)) };
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: `at` came from here with this layout; the new size is not zero.
        unsafe { rallocx(at.cast(), size, flags(layout)).cast() }
    }
}

/// The allocator as drivers know it.
pub const ALLOCATOR: Allocator =
    Allocator { report, allocated: ahead::allocated, purge: ahead::purge };

/// Bytes handed out, bytes in active pages, and bytes kept in physical memory, as of the last call.
/// Zeros when the allocator does not tell.
///
/// Adding them up can take a millisecond, so the thread that looks after memory does it, if there
/// is one.
fn report() -> [u64; 3] {
    ahead::last_report().unwrap_or_else(measure)
}

fn measure() -> [u64; 3] {
    let read = || -> tikv_jemalloc_ctl::Result<[usize; 3]> {
        epoch::advance()?;
        // What threads keep at hand for themselves counts as handed out otherwise.
        // SAFETY: the name is terminated, and the figure is a `size_t`.
        let at_hand: usize = unsafe { raw::read(b"stats.arenas.4096.tcache_bytes\0")? };
        let allocated = stats::allocated::read()?.saturating_sub(at_hand);
        Ok([allocated, stats::active::read()?, stats::resident::read()?])
    };
    read().map_or([0; 3], |figures| figures.map(|figure| figure as u64))
}

/// Has the allocator give unused pages back.
fn purge() {
    let name = c"arena.4096.purge";
    // SAFETY: the name is terminated; it takes no value and gives none.
    unsafe { mallctl(name.as_ptr(), null_mut(), null_mut(), null_mut(), 0) };
}

#[cfg(test)]
mod tests {
    #[test]
    fn alignment_is_kept_though_size_classes_are_eight_bytes_apart() {
        #[repr(align(16))]
        struct Wide([u8; 24]);
        let all: Vec<Box<Wide>> = (0..1000).map(|i| Box::new(Wide([i as u8; 24]))).collect();
        assert!(all.iter().all(|wide| (&raw const **wide as usize).is_multiple_of(16)));
        assert_eq!(all[7].0[23], 7);
    }

    #[test]
    fn what_is_handed_out_is_reported() {
        // Other tests allocate and free meanwhile: more than all of them together.
        let before = super::measure()[0];
        let held = vec![1u8; 256 << 20];
        assert!(super::measure()[0] >= before + held.len() as u64 / 2);
    }
}
