//! Lines of words with shell-like quotes: inline requests and configuration lines.

use alloc::vec::Vec;

use crate::ProtocolError;

/// Splits a line into words.
///
/// `"..."` knows `\n \r \t \b \a \xHH` and takes any other escaped byte for itself; `'...'` knows
/// only `\'`. A quote may begin inside a word, but after its end the word must end too. The line
/// ends at its first NUL, as it does for Redis.
pub fn split(line: &[u8]) -> Result<Vec<Vec<u8>>, ProtocolError> {
    let line = memchr::memchr(0, line).map_or(line, |end| &line[..end]);
    let mut words = Vec::new();
    let mut rest = skip_space(line);
    while !rest.is_empty() {
        let mut word = Vec::new();
        let used = one_word(rest, &mut word).ok_or(ProtocolError::UnbalancedQuotes)?;
        words.push(word);
        rest = skip_space(&rest[used..]);
    }
    Ok(words)
}

/// Appends `text` in double quotes, everything unprintable escaped; [`split`] reads it back.
pub fn quote(text: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    for &byte in text {
        match byte {
            b'"' | b'\\' => out.extend([b'\\', byte]),
            b'\n' => out.extend(b"\\n"),
            b'\r' => out.extend(b"\\r"),
            b'\t' => out.extend(b"\\t"),
            0x07 => out.extend(b"\\a"),
            0x08 => out.extend(b"\\b"),
            b' '..=b'~' => out.push(byte),
            _ => {
                out.extend([b'\\', b'x', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]])
            }
        }
    }
    out.push(b'"');
}

/// Whether a word must be quoted to be read back as one word.
pub fn needs_quotes(text: &[u8]) -> bool {
    text.is_empty()
        || text
            .iter()
            .any(|&b| !(b' '..=b'~').contains(&b) || matches!(b, b' ' | b'"' | b'\'' | b'\\'))
}

/// C's isspace: wider than what ends a bare word, and both sets are visible in behaviour.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

fn skip_space(line: &[u8]) -> &[u8] {
    let blank = line.iter().take_while(|&&b| is_space(b)).count();
    &line[blank..]
}

/// Reads one word from the front; how many bytes it took, or `None` if its quotes do not match.
fn one_word(line: &[u8], word: &mut Vec<u8>) -> Option<usize> {
    let mut at = 0;
    while let Some(&byte) = line.get(at) {
        at += 1;
        match byte {
            b' ' | b'\n' | b'\r' | b'\t' => return Some(at),
            b'"' => return closed(line, at + double_quoted(&line[at..], word)?),
            b'\'' => return closed(line, at + single_quoted(&line[at..], word)?),
            _ => word.push(byte),
        }
    }
    Some(at)
}

fn closed(line: &[u8], end: usize) -> Option<usize> {
    line.get(end).is_none_or(|&next| is_space(next)).then_some(end)
}

fn double_quoted(text: &[u8], word: &mut Vec<u8>) -> Option<usize> {
    let mut at = 0;
    loop {
        match text[at..] {
            [] => return None,
            [b'"', ..] => return Some(at + 1),
            [b'\\', b'x', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                word.push(hex(high) << 4 | hex(low));
                at += 4;
            }
            [b'\\', escaped, ..] => {
                word.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 0x08,
                    b'a' => 0x07,
                    other => other,
                });
                at += 2;
            }
            [byte, ..] => {
                word.push(byte);
                at += 1;
            }
        }
    }
}

fn single_quoted(text: &[u8], word: &mut Vec<u8>) -> Option<usize> {
    let mut at = 0;
    loop {
        let (byte, used) = match text[at..] {
            [] => return None,
            [b'\'', ..] => return Some(at + 1),
            [b'\\', b'\'', ..] => (b'\'', 2),
            [byte, ..] => (byte, 1),
        };
        word.push(byte);
        at += used;
    }
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(line: &str) -> Option<Vec<Vec<u8>>> {
        split(line.as_bytes()).ok()
    }

    fn list(words: &[&str]) -> Option<Vec<Vec<u8>>> {
        Some(words.iter().map(|w| w.as_bytes().to_vec()).collect())
    }

    #[test]
    fn bare_and_quoted() {
        assert_eq!(words("  set  key\tvalue \r\n"), list(&["set", "key", "value"]));
        assert_eq!(words(r#"a "b c" 'd e' """#), list(&["a", "b c", "d e", ""]));
        assert_eq!(words(r#""\x41\n\"\q\xZZ""#), list(&["A\n\"qxZZ"]));
        assert_eq!(words(r"'it\'s \n'"), list(&["it's \\n"]));
        assert_eq!(words(r#"pre"fix ed""#), list(&["prefix ed"]));
        assert_eq!(words(""), list(&[]));
        assert_eq!(words("a\0b"), list(&["a"]));
        assert_eq!(words("a\x0bb"), list(&["a\x0bb"]));
    }

    #[test]
    fn unbalanced() {
        for line in [r#""abc"#, r#""abc"d"#, "'abc", "'abc'd", r#""abc\"#, r#""a\""#] {
            assert_eq!(words(line), None, "{line}");
        }
    }

    proptest! {
        #[test]
        fn quoting_reads_back(text: Vec<u8>) {
            let mut line = Vec::new();
            quote(&text, &mut line);
            prop_assert_eq!(split(&line), Ok(alloc::vec![text]));
        }
    }
}
