//! Glob patterns: `*`, `?`, `[a-z]`, `[^x]` and `\` before a literal.

/// Whether the whole of `text` matches `pattern`. An empty text matches an empty pattern only.
///
/// Only the last `*` is ever retried, so the work is at most the product of both lengths.
pub fn matches(pattern: &[u8], text: &[u8]) -> bool {
    compare(pattern, text, |byte| byte)
}

/// [`matches()`] with ASCII letters of either case taken as equal.
pub fn matches_ignoring_case(pattern: &[u8], text: &[u8]) -> bool {
    compare(pattern, text, |byte| byte.to_ascii_lowercase())
}

/// Whether a pattern has no special byte, so that it matches itself only.
pub fn is_literal(pattern: &[u8]) -> bool {
    !pattern.iter().any(|byte| matches!(byte, b'*' | b'?' | b'[' | b'\\'))
}

fn compare(pattern: &[u8], text: &[u8], fold: impl Fn(u8) -> u8 + Copy) -> bool {
    if text.is_empty() {
        return pattern.is_empty();
    }
    let (mut p, mut t) = (0, 0);
    // Where to go on if what follows the last star does not match here.
    let mut retry = None;
    while t < text.len() {
        if pattern.get(p) == Some(&b'*') {
            p += 1;
            retry = Some((p, t));
            continue;
        }
        if let Some(used) = one(&pattern[p..], text[t], fold) {
            p += used;
            t += 1;
        } else if let Some((after_star, from)) = retry {
            retry = Some((after_star, from + 1));
            (p, t) = (after_star, from + 1);
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|&byte| byte == b'*')
}

/// Compares one byte with the pattern's first element: the element's length if they match.
fn one(pattern: &[u8], byte: u8, fold: impl Fn(u8) -> u8 + Copy) -> Option<usize> {
    let (literal, used) = match *pattern {
        [] => return None,
        [b'?', ..] => return Some(1),
        [b'[', ..] => return class(pattern, byte, fold),
        [b'\\', escaped, ..] => (escaped, 2),
        [literal, ..] => (literal, 1),
    };
    (fold(literal) == fold(byte)).then_some(used)
}

/// A class without its `]` ends with the pattern.
fn class(pattern: &[u8], byte: u8, fold: impl Fn(u8) -> u8) -> Option<usize> {
    let negated = pattern.get(1) == Some(&b'^');
    let mut at = 1 + usize::from(negated);
    let mut found = false;
    loop {
        match pattern[at..] {
            [] => break,
            // Case counts after a backslash even where it otherwise does not; so it is in Redis.
            [b'\\', escaped, ..] => {
                found |= escaped == byte;
                at += 2;
            }
            [b']', ..] => {
                at += 1;
                break;
            }
            [first, b'-', last, ..] => {
                let (low, high) = (first.min(last), first.max(last));
                found |= (fold(low)..=fold(high)).contains(&fold(byte));
                at += 3;
            }
            [literal, ..] => {
                found |= fold(literal) == fold(byte);
                at += 1;
            }
        }
    }
    (found != negated).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_answers() {
        for (pattern, text, answer) in [
            ("*", "abc", true),
            ("*", "", false),
            ("", "", true),
            ("a*", "a", true),
            ("a**", "a", true),
            ("*c", "abc", true),
            ("*b", "abc", false),
            ("a*b*c", "axxbyyc", true),
            ("h?llo", "hello", true),
            ("h?llo", "hllo", false),
            ("h[ae]llo", "hallo", true),
            ("h[^e]llo", "hello", false),
            ("h[a-b]llo", "hbllo", true),
            ("h[b-a]llo", "hallo", true),
            ("[\\]]", "]", true),
            ("[abc", "b", true),
            ("[", "b", false),
            ("[^", "b", true),
            ("\\*", "*", true),
            ("\\*", "a", false),
            ("\\", "\\", true),
            ("news.*", "news.art", true),
            ("abc", "ab", false),
            ("ab", "abc", false),
            ("[]a]", "a", false),
        ] {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), answer, "{pattern} {text}");
        }
        assert!(matches_ignoring_case(b"MAX*", b"maxmemory"));
        assert!(matches_ignoring_case(b"[A-C]x", b"bX"));
        assert!(is_literal(b"plain") && !is_literal(b"pl?in"));
    }

    #[test]
    fn many_stars_stay_cheap() {
        let pattern = b"a*".repeat(10_000);
        let text = b"a".repeat(9_999);
        assert!(!matches(&[&pattern[..], b"b"].concat(), &text));
    }

    /// Tries every length for every star.
    fn naive(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern, text) {
            ([], []) => true,
            ([b'*', rest @ ..], _) => (0..=text.len()).any(|skip| naive(rest, &text[skip..])),
            (_, []) => false,
            (_, [byte, text @ ..]) => {
                one(pattern, *byte, |b| b).is_some_and(|used| naive(&pattern[used..], text))
            }
        }
    }

    proptest! {
        #[test]
        fn equals_the_naive_matcher(pattern in "[ab*?\\[\\]^\\\\-]{0,8}", text in "[ab]{1,8}") {
            let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
            prop_assert_eq!(matches(pattern, text), naive(pattern, text));
        }
    }
}
