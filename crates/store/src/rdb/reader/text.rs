//! Where a string's bytes go.

use super::Loaded;
use super::fields::{STEP, append};
use crate::value::{Big, INLINE_MAX, PAGE, Pages};
use std::sync::Arc;

/// What a string is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::rdb) enum Target {
    /// One run of bytes.
    Bytes,
    /// A key's value, in the form that the keyspace holds.
    Value,
    /// Nothing.
    Nothing,
}

/// A string being collected. Values are put at once where they stay.
pub(super) enum Sink {
    Bytes { bytes: Vec<u8>, len: usize },
    Shared { bytes: Arc<[u8]>, filled: usize },
    Paged(Pages),
    Nothing,
}

impl Sink {
    /// For `len` bytes, of which `arrived` are there.
    pub(super) fn new(target: Target, len: usize, arrived: usize) -> Self {
        match target {
            Target::Nothing => Sink::Nothing,
            Target::Value if len > PAGE => Sink::Paged(Pages::default()),
            Target::Value if len > INLINE_MAX => Sink::Shared { bytes: zeros(len), filled: 0 },
            _ => {
                let room = len.min(arrived.max(STEP));
                Sink::Bytes { bytes: Vec::with_capacity(room), len }
            }
        }
    }

    /// Bytes of memory it holds, about.
    pub(super) fn held(&self) -> usize {
        match self {
            Sink::Bytes { bytes, .. } => bytes.capacity(),
            Sink::Shared { bytes, .. } => bytes.len(),
            Sink::Paged(pages) => pages.pages().iter().map(|page| page.bytes.len()).sum(),
            Sink::Nothing => 0,
        }
    }

    pub(super) fn push(&mut self, new: &[u8]) {
        match self {
            Sink::Bytes { bytes, len } => {
                append(bytes, new, (*len - bytes.len() - new.len()) as u64);
            }
            Sink::Shared { bytes, filled } => {
                if let Some(bytes) = Arc::get_mut(bytes) {
                    bytes[*filled..*filled + new.len()].copy_from_slice(new);
                }
                *filled += new.len();
            }
            Sink::Paged(pages) => pages.append(new),
            Sink::Nothing => {}
        }
    }

    pub(super) fn finish(&mut self) -> Loaded {
        match std::mem::replace(self, Sink::Nothing) {
            Sink::Bytes { bytes, .. } => Loaded::Bytes(bytes),
            Sink::Shared { bytes, .. } => Loaded::Big(Big::Shared(bytes)),
            Sink::Paged(pages) => Loaded::Big(Big::Paged(pages)),
            Sink::Nothing => Loaded::Bytes(Vec::new()),
        }
    }

    /// A string of `len` bytes that `fill` writes in one go.
    pub(super) fn fill(
        target: Target,
        len: usize,
        fill: impl FnOnce(&mut [u8]) -> Option<()>,
    ) -> Option<Loaded> {
        match target {
            Target::Nothing => Some(Loaded::Bytes(Vec::new())),
            Target::Value if len > INLINE_MAX => {
                let mut bytes = zeros(len);
                fill(Arc::get_mut(&mut bytes)?)?;
                Some(Loaded::Big(Big::Shared(bytes)))
            }
            _ => {
                let mut bytes = vec![0; len];
                fill(&mut bytes)?;
                Some(Loaded::Bytes(bytes))
            }
        }
    }
}

fn zeros(len: usize) -> Arc<[u8]> {
    std::iter::repeat_n(0, len).collect()
}
