//! One file, and for Rust the same text with comments, strings and characters blanked out.
//!
//! Rules look at the blanked text, so that a word in a comment or a brace in a string means
//! nothing. Both have the same lines.

use std::ops::Range;

/// One text file of the tree.
pub(crate) struct Source {
    /// From the root of the tree.
    pub(crate) path: String,
    /// As it stands.
    pub(crate) text: String,
    /// Rust only: code without comments and literals.
    pub(crate) code: String,
    /// Rust only: the lines, from 0, that are compiled for tests alone.
    test_lines: Vec<Range<usize>>,
}

impl Source {
    /// Prepares a file for checking.
    pub(crate) fn new(path: &str, text: String) -> Self {
        let code = if path.ends_with(".rs") { blanked(&text) } else { String::new() };
        let lines = text.lines().count();
        let test_lines = if is_test_path(path) {
            std::iter::once(0..lines).collect()
        } else {
            test_modules(&code)
        };
        Self { path: path.to_string(), text, code, test_lines }
    }

    /// The crate this file belongs to, if any.
    pub(crate) fn crate_name(&self) -> Option<&str> {
        self.path.strip_prefix("crates/")?.split('/').next()
    }

    /// Whether this line, from 1, is compiled for tests alone.
    pub(crate) fn in_tests(&self, line: usize) -> bool {
        self.test_lines.iter().any(|lines| lines.contains(&(line - 1)))
    }

    /// How many lines the file has, tests apart.
    pub(crate) fn product_lines(&self) -> usize {
        self.text.lines().count() - self.test_lines.iter().map(Range::len).sum::<usize>()
    }

    /// The line, from 1, of a byte of the code.
    pub(crate) fn line_of(&self, offset: usize) -> usize {
        self.code.as_bytes()[..offset].iter().filter(|&&byte| byte == b'\n').count() + 1
    }

    /// Where this path or word stands in the code as such, not inside a longer name.
    pub(crate) fn find_word<'a>(&'a self, word: &'a str) -> impl Iterator<Item = usize> + 'a {
        words_in(&self.code, word)
    }
}

/// Where `word` stands in `text` with no letter, digit or underscore beside it.
pub(crate) fn words_in<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let joins = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).map(|(at, _)| at).filter(move |&at| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        let open_start = word.starts_with(joins) && before.is_some_and(joins);
        let open_end = word.ends_with(joins) && after.is_some_and(joins);
        !open_start && !open_end
    })
}

/// The byte after the bracket that closes the one at `open`.
pub(crate) fn closing(code: &str, open: usize) -> usize {
    let mut depth = 0usize;
    for (at, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'{' | b'(' | b'[' => depth += 1,
            b'}' | b')' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
    }
    code.len()
}

fn is_test_path(path: &str) -> bool {
    path.contains("/tests/") || path.contains("/benches/") || path.ends_with("/tests.rs")
}

fn test_modules(code: &str) -> Vec<Range<usize>> {
    let line = |at: usize| code[..at].matches('\n').count();
    let mut modules = Vec::new();
    for (at, attribute) in code.match_indices("#[cfg(test)]") {
        let rest = code[at + attribute.len()..].trim_start();
        let start = code.len() - rest.len();
        let Some(stop) = rest.find(['{', ';']) else { continue };
        if rest.starts_with("mod ") && rest.as_bytes()[stop] == b'{' {
            modules.push(line(at)..line(closing(code, start + stop)) + 1);
        }
    }
    modules
}

/// The text with comments, strings and characters turned to spaces; line breaks stay.
fn blanked(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let length = literal(rest, code.chars().next_back());
        if length == 0 {
            let c = rest.chars().next().expect("the rest is not empty");
            code.push(c);
            rest = &rest[c.len_utf8()..];
        } else {
            let (skipped, after) = rest.split_at(length);
            code.extend(skipped.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            rest = after;
        }
    }
    code
}

/// How many bytes of a comment or literal begin here; 0 if none does.
fn literal(rest: &str, before: Option<char>) -> usize {
    let in_name = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return block_comment(rest);
    }
    if rest.starts_with('\'') {
        return character(rest);
    }
    let prefix = if in_name { 0 } else { rest.bytes().take_while(|b| b"brc".contains(b)).count() };
    let body = &rest[prefix..];
    if rest[..prefix].contains('r') {
        let hashes = body.bytes().take_while(|&byte| byte == b'#').count();
        if body[hashes..].starts_with('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            let from = prefix + hashes + 1;
            return rest[from..].find(&end).map_or(rest.len(), |at| from + at + end.len());
        }
    }
    if body.starts_with('"') { prefix + string(body) } else { 0 }
}

fn string(body: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in body.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    body.len()
}

/// A character literal; a lifetime is none.
fn character(rest: &str) -> usize {
    let mut chars = rest.char_indices().skip(1);
    match chars.next() {
        Some((_, '\\')) => {
            // The escaped character may itself be a quote.
            rest[3..].find('\'').map_or(rest.len(), |at| 3 + at + 1)
        }
        Some(_) => match chars.next() {
            Some((at, '\'')) => at + 1,
            _ => 0,
        },
        None => 0,
    }
}

fn block_comment(rest: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_and_comments_are_blank() {
        let text = "a /* { /* */ } */ b \"\\\"{\" r#\"\"{\"# 'x' '\\'' b'{' 'a: // {\nc";
        let code = blanked(text);
        let words: Vec<&str> = code.split_whitespace().collect();
        assert_eq!(words, ["a", "b", "b", "'a:", "c"]);
        assert_eq!(code.lines().count(), 2);
    }

    #[test]
    fn an_inline_test_module_is_no_product() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\nfn c() {}\n";
        let source = Source::new("crates/x/src/y.rs", text.to_string());
        assert_eq!(source.product_lines(), 2);
        assert!(source.in_tests(4) && !source.in_tests(1) && !source.in_tests(6));
    }

    #[test]
    fn a_word_is_not_part_of_a_name() {
        assert_eq!(words_in("unsafe_code unsafe", "unsafe").collect::<Vec<_>>(), [12]);
    }
}
