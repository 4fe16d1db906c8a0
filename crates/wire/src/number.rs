//! Numbers as Redis reads and spells them.

/// Reads a decimal integer in its one canonical spelling: no sign but `-`, no leading zeros, no
/// `-0`, nothing around it.
pub fn parse_i64(text: &[u8]) -> Option<i64> {
    let Some(digits) = text.strip_prefix(b"-") else {
        return i64::try_from(parse_u64(text)?).ok();
    };
    let magnitude = parse_u64(digits).filter(|&m| m != 0)?;
    0i64.checked_sub_unsigned(magnitude)
}

/// Reads an unsigned integer; as strict as [`parse_i64`].
pub fn parse_u64(text: &[u8]) -> Option<u64> {
    match text {
        [b'0'] => Some(0),
        [b'1'..=b'9', ..] if text.len() <= 20 => {
            let mut value = 0u64;
            for &digit in text {
                let digit = digit.wrapping_sub(b'0');
                if digit > 9 {
                    return None;
                }
                value = value.checked_mul(10)?.checked_add(u64::from(digit))?;
            }
            Some(value)
        }
        _ => None,
    }
}

/// Reads a size or an index; as strict as [`parse_i64`].
pub fn parse_usize(text: &[u8]) -> Option<usize> {
    parse_u64(text).and_then(|value| usize::try_from(value).ok())
}
