//! What a key can hold.

use std::sync::Arc;

/// Strings up to this length live inside their entry; longer ones in an allocation of their own.
pub const INLINE_MAX: usize = 4096;

/// Strings up to this length are one run of bytes when they change; longer ones become pages.
///
/// With the counts in front of them they are exactly what the allocator has a size for; a byte more
/// would take a quarter more.
pub const PAGE: usize = 64 * 1024 - COUNTS;

/// What stands in front of shared bytes.
const COUNTS: usize = 2 * size_of::<usize>();

/// The type of a value, numbered as in Redis's object header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Kind {
    /// A string.
    String = 0,
}

impl Kind {
    /// The name that TYPE answers.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::String => "string",
        }
    }
}

/// A value outside its entry.
#[derive(Clone, Debug)]
pub enum Big {
    /// A string in one shared run.
    Shared(Arc<[u8]>),
    /// A string that was changed in place, in shared pages.
    Paged(Pages),
}

/// A long string in pages that are shared until they change, so that a change costs one page and
/// a snapshot costs a pointer a page.
#[derive(Clone, Debug, Default)]
pub struct Pages {
    pages: Vec<Page>,
    len: usize,
}

/// A run of shared bytes.
#[derive(Clone, Debug)]
pub struct Page {
    /// The allocation.
    pub bytes: Arc<[u8]>,
    /// First byte.
    pub start: usize,
    /// Number of bytes.
    pub len: usize,
}

impl Page {
    /// Its bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[self.start..self.start + self.len]
    }
}

impl Pages {
    /// Cuts a shared run into pages without copying it.
    pub fn of(bytes: &Arc<[u8]>) -> Self {
        let pages = (0..bytes.len())
            .step_by(PAGE)
            .map(|start| Page {
                bytes: Arc::clone(bytes),
                start,
                len: PAGE.min(bytes.len() - start),
            })
            .collect();
        Pages { pages, len: bytes.len() }
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The pages in order; all but the last are [`PAGE`] bytes long.
    pub fn pages(&self) -> &[Page] {
        &self.pages
    }

    /// Writes `bytes` at `at`, growing the string with zeros where needed.
    pub fn write(&mut self, mut at: usize, mut bytes: &[u8]) {
        self.grow(at + bytes.len());
        while !bytes.is_empty() {
            let (index, within) = (at / PAGE, at % PAGE);
            let n = bytes.len().min(PAGE - within);
            let page = self.pages[index].own();
            page[within..within + n].copy_from_slice(&bytes[..n]);
            bytes = &bytes[n..];
            at += n;
        }
    }

    /// Adds `bytes` at the end.
    pub fn append(&mut self, bytes: &[u8]) {
        self.write(self.len, bytes);
    }

    /// The bytes of `range`, which must lie inside.
    pub fn copy(&self, range: std::ops::Range<usize>, mut each: impl FnMut(&[u8])) {
        let (mut at, end) = (range.start, range.end);
        while at < end {
            let page = self.pages[at / PAGE].as_slice();
            let within = at % PAGE;
            let n = (end - at).min(page.len() - within);
            each(&page[within..within + n]);
            at += n;
        }
    }

    fn grow(&mut self, len: usize) {
        while self.len < len {
            match self.pages.last_mut() {
                Some(last) if last.len < PAGE => {
                    let n = (PAGE - last.len).min(len - self.len);
                    last.extend(n);
                    self.len += n;
                }
                _ => self.pages.push(Page { bytes: Arc::from([]), start: 0, len: 0 }),
            }
        }
    }
}

impl Page {
    /// Its bytes for changing; copied first when anybody else can see them.
    fn own(&mut self) -> &mut [u8] {
        if self.start != 0 || Arc::get_mut(&mut self.bytes).is_none() {
            self.bytes = Arc::from(self.as_slice());
            self.start = 0;
        }
        // The line above made it the only owner.
        &mut Arc::get_mut(&mut self.bytes).expect("a page just copied is not shared")[..self.len]
    }

    /// Makes it `n` zero bytes longer: a new one by just so much, since it may never grow again;
    /// later with room to grow, in doubling steps up to a page.
    fn extend(&mut self, n: usize) {
        let len = self.len + n;
        let fits = self.start + len <= self.bytes.len() && Arc::get_mut(&mut self.bytes).is_some();
        if !fits {
            let doubled = (len + COUNTS).next_power_of_two() - COUNTS;
            let room = if self.len == 0 { len } else { doubled.clamp(48, PAGE) };
            let mut bytes = Vec::with_capacity(room);
            bytes.extend_from_slice(self.as_slice());
            bytes.resize(room, 0);
            *self = Page { bytes: Arc::from(bytes), start: 0, len: self.len };
        }
        let (from, to) = (self.start + self.len, self.start + len);
        if let Some(bytes) = Arc::get_mut(&mut self.bytes) {
            bytes[from..to].fill(0);
        }
        self.len = len;
    }
}

impl Big {
    /// Length of the string in bytes.
    pub fn len(&self) -> usize {
        match self {
            Big::Shared(bytes) => bytes.len(),
            Big::Paged(pages) => pages.len(),
        }
    }

    /// Whether the string is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of memory it accounts for, shared or not.
    pub fn footprint(&self) -> usize {
        match self {
            Big::Shared(bytes) => bytes.len() + 16,
            Big::Paged(pages) => pages.len() + pages.pages.len() * size_of::<Page>(),
        }
    }

    /// The runs of bytes it consists of.
    pub fn runs(&self) -> Vec<Page> {
        match self {
            Big::Shared(bytes) => {
                vec![Page { bytes: Arc::clone(bytes), start: 0, len: bytes.len() }]
            }
            Big::Paged(pages) => pages.pages.clone(),
        }
    }
}

/// A value as a reader sees it, borrowed from its entry.
#[derive(Clone, Copy, Debug)]
pub enum View<'a> {
    /// A string that is a canonical 64-bit integer.
    Int(i64),
    /// A short string.
    Bytes(&'a [u8]),
    /// A value outside the entry.
    Big(&'a Big),
}

impl View<'_> {
    /// Its type.
    pub fn kind(self) -> Kind {
        Kind::String
    }

    /// Length of the string in bytes.
    pub fn string_len(self) -> usize {
        match self {
            View::Int(n) => itoa::Buffer::new().format(n).len(),
            View::Bytes(bytes) => bytes.len(),
            View::Big(big) => big.len(),
        }
    }

    /// Appends the string to `out`.
    pub fn append_to(self, out: &mut Vec<u8>) {
        match self {
            View::Int(n) => out.extend_from_slice(itoa::Buffer::new().format(n).as_bytes()),
            View::Bytes(bytes) => out.extend_from_slice(bytes),
            View::Big(Big::Shared(bytes)) => out.extend_from_slice(bytes),
            View::Big(Big::Paged(pages)) => {
                pages.copy(0..pages.len(), |run| out.extend_from_slice(run));
            }
        }
    }

    /// The string as one run of bytes.
    pub fn to_vec(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.string_len());
        self.append_to(&mut out);
        out
    }
}

/// A value about to be stored.
#[derive(Clone, Debug)]
pub enum New<'a> {
    /// A string that is a canonical 64-bit integer.
    Int(i64),
    /// A string of at most [`INLINE_MAX`] bytes.
    Bytes(&'a [u8]),
    /// The same, as APPEND and SETRANGE leave it; OBJECT ENCODING names it differently.
    Raw(&'a [u8]),
    /// A value of its own allocation.
    Big(Big),
}

impl<'a> New<'a> {
    /// The smallest form of a string.
    pub fn string(bytes: &'a [u8]) -> Self {
        if bytes.len() <= 20
            && let Some(n) = wire::number::parse_i64(bytes)
        {
            return New::Int(n);
        }
        New::raw(bytes)
    }

    /// A string that stays bytes even where it looks like a number.
    pub fn raw(bytes: &'a [u8]) -> Self {
        if bytes.len() <= INLINE_MAX {
            New::Bytes(bytes)
        } else {
            New::Big(Big::Shared(Arc::from(bytes)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(pages: &Pages) -> Vec<u8> {
        let mut out = vec![];
        pages.copy(0..pages.len(), |run| out.extend_from_slice(run));
        out
    }

    #[test]
    fn pages_behave_as_one_string_and_leave_shared_bytes_alone() {
        let original: Vec<u8> = (0..200_000u32).map(|i| i as u8).collect();
        let shared: Arc<[u8]> = Arc::from(&original[..]);
        let mut pages = Pages::of(&shared);
        let frozen = pages.clone();
        let mut model = original.clone();
        let edits: [(usize, usize); 6] =
            [(0, 3), (65_530, 20), (199_999, 5), (300_000, 70_000), (131_072, 1), (370_000, 9)];
        for (at, len) in edits {
            let bytes = vec![0xEE; len];
            pages.write(at, &bytes);
            model.resize(model.len().max(at + len), 0);
            model[at..at + len].copy_from_slice(&bytes);
            assert!(text(&pages) == model, "after a write of {len} at {at}");
        }
        for _ in 0..10_000 {
            pages.append(b"tail");
            model.extend_from_slice(b"tail");
        }
        assert!(text(&pages) == model);
        assert!(text(&frozen) == original);
        assert!(pages.pages().iter().rev().skip(1).all(|p| p.len == PAGE));
    }
}
