//! A cursor over a command's arguments that remembers the first error.

use wire::number;

/// The error texts that arguments lead to.
pub(super) mod text {
    /// Words in the wrong place.
    pub(in crate::command) const SYNTAX: &str = "ERR syntax error";
    /// Not a 64-bit integer.
    pub(in crate::command) const NOT_INTEGER: &str = "ERR value is not an integer or out of range";
    /// Another type than the command works on.
    pub(in crate::command) const WRONG_TYPE: &str =
        "WRONGTYPE Operation against a key holding the wrong kind of value";
}

/// Reads arguments one by one. After the first error everything reads as nothing, and
/// [`Args::finish`] says what went wrong.
pub struct Args<'a> {
    rest: &'a [&'a [u8]],
    error: Option<&'static str>,
}

impl<'a> Args<'a> {
    /// Reads `args`, without the command's name.
    pub fn new(args: &'a [&'a [u8]]) -> Self {
        Args { rest: args, error: None }
    }

    /// The next argument.
    #[allow(clippy::should_implement_trait, reason = "a cursor, not an iterator")]
    pub fn next(&mut self) -> Option<&'a [u8]> {
        if self.error.is_some() {
            return None;
        }
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
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
