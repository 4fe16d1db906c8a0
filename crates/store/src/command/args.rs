//! A cursor over a command's arguments that remembers the first error.

use wire::number;

/// The error texts that arguments lead to.
pub(super) mod text {
    /// Words in the wrong place.
    pub(in crate::command) const SYNTAX: &str = "ERR syntax error";
    /// Not a 64-bit integer.
    pub(in crate::command) const NOT_INTEGER: &str = "ERR value is not an integer or out of range";
    /// Not a finite number.
    pub(in crate::command) const NOT_FLOAT: &str = "ERR value is not a valid float";
    /// Keys that must differ are the same.
    pub(in crate::command) const SAME_OBJECT: &str =
        "ERR source and destination objects are the same";
    /// No such database.
    pub(in crate::command) const NO_DATABASE: &str = "ERR DB index is out of range";
    /// Longer than any string may be.
    pub(in crate::command) const TOO_LONG: &str =
        "ERR string exceeds maximum allowed size (proto-max-bulk-len)";
    /// Another type than the command works on.
    pub(in crate::command) const WRONG_TYPE: &str =
        "WRONGTYPE Operation against a key holding the wrong kind of value";
}

/// Whether a word is this keyword, in any case.
#[inline]
pub(super) fn is(word: &[u8], keyword: &str) -> bool {
    word.eq_ignore_ascii_case(keyword.as_bytes())
}

/// Reads arguments one by one. After the first error everything reads as nothing, and
/// [`Args::finish`] says what went wrong.
pub struct Args<'a> {
    rest: &'a [&'a [u8]],
    error: Option<&'static str>,
}

impl<'a> Iterator for Args<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.error.is_some() {
            return None;
        }
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }
}

impl<'a> Args<'a> {
    /// Reads `args`, without the command's name.
    pub fn new(args: &'a [&'a [u8]]) -> Self {
        Args { rest: args, error: None }
    }

    /// The next argument, which must be there.
    pub fn required(&mut self) -> &'a [u8] {
        self.next().unwrap_or_else(|| {
            self.fail(text::SYNTAX);
            &[]
        })
    }

    /// The next argument as an integer.
    pub fn integer(&mut self) -> i64 {
        let word = self.required();
        number::parse_i64(word).unwrap_or_else(|| {
            self.fail(text::NOT_INTEGER);
            0
        })
    }

    /// The next argument as a 32-bit integer.
    pub fn small_integer(&mut self) -> i32 {
        let value = self.integer();
        i32::try_from(value).unwrap_or_else(|_| {
            self.fail("ERR value is out of range, value must between -2147483648 and 2147483647");
            0
        })
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty() || self.error.is_some()
    }

    /// Notes an error unless one is noted.
    pub fn fail(&mut self, error: &'static str) {
        self.error.get_or_insert(error);
    }

    /// The first error; what is left over is one too.
    ///
    /// # Errors
    /// The text of the error reply.
    pub fn finish(self) -> Result<(), &'static str> {
        match self.error {
            Some(error) => Err(error),
            None if self.rest.is_empty() => Ok(()),
            None => Err(text::SYNTAX),
        }
    }
}
