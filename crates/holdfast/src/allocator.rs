//! jemalloc, and what it tells about itself.

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Bytes handed out, and bytes in active pages. Zeros when the allocator does not tell.
pub(crate) fn report() -> (u64, u64) {
    use tikv_jemalloc_ctl::{epoch, stats};
    let read = || -> tikv_jemalloc_ctl::Result<(usize, usize)> {
        epoch::advance()?;
        Ok((stats::allocated::read()?, stats::active::read()?))
    };
    read().map_or((0, 0), |(allocated, active)| (allocated as u64, active as u64))
}
