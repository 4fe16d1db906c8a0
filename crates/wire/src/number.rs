//! Numbers as Redis reads and spells them.

use alloc::vec::Vec;

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

/// Appends a decimal integer.
pub fn write_i64(value: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Appends an unsigned decimal integer.
pub fn write_u64(value: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Appends a floating-point number in Redis's spelling; see [`DoubleBuffer`].
pub fn write_f64(value: f64, out: &mut Vec<u8>) {
    out.extend_from_slice(DoubleBuffer::new().format(value));
}

/// Reads a floating-point number as C's strtod does in Redis's commands: a sign, `inf` or
/// `infinity`, and hexadecimal are accepted; blanks, `nan` and what is out of range are not.
pub fn parse_f64(text: &[u8]) -> Option<f64> {
    let unsigned = match text {
        [b'+' | b'-', rest @ ..] => rest,
        rest => rest,
    };
    if let [b'0', b'x' | b'X', hex @ ..] = unsigned {
        let value = parse_hex(hex)?;
        return Some(if text[0] == b'-' { -value } else { value });
    }
    let value: f64 = core::str::from_utf8(text).ok()?.parse().ok()?;
    let named = unsigned.first().is_some_and(u8::is_ascii_alphabetic);
    if value.is_nan() || (value.is_infinite() && !named) {
        return None;
    }
    let mantissa = unsigned.split(|byte| byte | 0x20 == b'e').next()?;
    let vanished = value == 0.0 && mantissa.iter().any(|digit| matches!(digit, b'1'..=b'9'));
    (!vanished).then_some(value)
}

/// Reads `h.hp±d` after its `0x`.
fn parse_hex(text: &[u8]) -> Option<f64> {
    let (mut mantissa, mut scale, mut digits) = (0u64, 0i64, 0usize);
    let mut point = false;
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        match (char::from(byte).to_digit(16), byte) {
            (Some(digit), _) => {
                digits += 1;
                if mantissa >> 60 == 0 {
                    mantissa = mantissa << 4 | u64::from(digit);
                    scale -= if point { 4 } else { 0 };
                } else {
                    // Too fine to be stored, but a half plus this must round up.
                    mantissa |= u64::from(digit != 0);
                    scale += if point { 0 } else { 4 };
                }
            }
            (None, b'.') if !point => point = true,
            _ => break,
        }
        at += 1;
    }
    let exponent = match &text[at..] {
        [] => 0,
        [b'p' | b'P', sign @ (b'+' | b'-'), rest @ ..] => {
            parse_exponent(rest)? * if *sign == b'-' { -1 } else { 1 }
        }
        [b'p' | b'P', rest @ ..] => parse_exponent(rest)?,
        _ => return None,
    };
    if digits == 0 {
        return None;
    }
    scaled(mantissa, scale + exponent)
}

fn parse_exponent(text: &[u8]) -> Option<i64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    // Beyond this every value is out of range, whatever its mantissa.
    Some(text.iter().fold(0, |sum, digit| (sum * 10 + i64::from(digit - b'0')).min(1 << 40)))
}

/// `mantissa` times two to the `exponent`, unless that is out of range.
fn scaled(mantissa: u64, exponent: i64) -> Option<f64> {
    let mut value = mantissa as f64;
    if value == 0.0 {
        return Some(value);
    }
    let mut left = exponent.clamp(-3000, 3000);
    while left != 0 {
        let step = left.clamp(-1000, 1000);
        value *= f64::from_bits(((1023 + step) as u64) << 52);
        left -= step;
    }
    (value.is_finite() && value != 0.0).then_some(value)
}

/// Where a floating-point number is spelled: the fewest digits that read back as the same number,
/// with an exponent only when it is far from 1: `3`, `0.1`, `1e+20`, `inf`.
#[derive(Clone, Debug)]
pub struct DoubleBuffer {
    bytes: [u8; 32],
    len: usize,
}

impl Default for DoubleBuffer {
    fn default() -> Self {
        Self::new()
    }
}

impl DoubleBuffer {
    /// A buffer to format in.
    pub fn new() -> Self {
        Self { bytes: [0; 32], len: 0 }
    }

    /// Spells `value`.
    pub fn format(&mut self, value: f64) -> &[u8] {
        self.len = 0;
        if value.is_nan() {
            self.put(b"nan");
        } else if value.is_infinite() {
            self.put(if value < 0.0 { b"-inf" } else { b"inf" });
        } else if value == 0.0 {
            self.put(if value.is_sign_negative() { b"-0" } else { b"0" });
        } else {
            match as_integer(value) {
                Some(integer) => self.put(itoa::Buffer::new().format(integer).as_bytes()),
                None => self.finite(value),
            }
        }
        &self.bytes[..self.len]
    }

    fn put(&mut self, text: &[u8]) {
        self.bytes[self.len..self.len + text.len()].copy_from_slice(text);
        self.len += text.len();
    }

    fn zeros(&mut self, count: usize) {
        for _ in 0..count {
            self.put(b"0");
        }
    }

    fn finite(&mut self, value: f64) {
        let mut digits = [0u8; 20];
        let (count, exponent) = shortest(value, &mut digits);
        let digits = &digits[..count];
        // The decimal point stands before this digit; what decides about the spelling.
        let point = exponent + count as i32;
        let distance = (point - 1).unsigned_abs() as usize;
        if value < 0.0 {
            self.put(b"-");
        }
        if exponent >= 0 && distance < count + 7 {
            self.put(digits);
            self.zeros(exponent as usize);
        } else if exponent < 0 && (exponent > -7 || distance < 4) {
            if point <= 0 {
                self.put(b"0.");
                self.zeros(point.unsigned_abs() as usize);
                self.put(digits);
            } else {
                let (whole, fraction) = digits.split_at(point as usize);
                self.put(whole);
                self.put(b".");
                self.put(fraction);
            }
        } else {
            self.put(&digits[..1]);
            if count > 1 {
                self.put(b".");
                self.put(&digits[1..]);
            }
            self.put(if point < 1 { b"e-" } else { b"e+" });
            self.put(itoa::Buffer::new().format(distance).as_bytes());
        }
    }
}

/// The value as an integer, where Redis prints it as one.
fn as_integer(value: f64) -> Option<i64> {
    const FAR: f64 = (i64::MAX / 2) as f64;
    let integer = value as i64;
    (value.abs() <= FAR && integer as f64 == value).then_some(integer)
}

/// The shortest digits of a finite value, without zeros at either end; how many they are, and the
/// exponent of ten they are multiplied with.
fn shortest(value: f64, digits: &mut [u8; 20]) -> (usize, i32) {
    let mut buffer = zmij::Buffer::new();
    let text = buffer.format_finite(value.abs()).as_bytes();
    let (mantissa, exponent) = match text.iter().position(|&b| b == b'e') {
        Some(at) => (&text[..at], signed(&text[at + 1..])),
        None => (text, 0),
    };
    let fraction = mantissa.iter().position(|&b| b == b'.').map_or(0, |at| mantissa.len() - at - 1);
    let mut exponent = exponent - fraction as i32;
    let mut count = 0;
    let mut zeros = 0;
    for &digit in mantissa.iter().filter(|&&b| b != b'.') {
        if digit == b'0' {
            zeros += usize::from(count > 0);
            continue;
        }
        count += zeros;
        digits[count - zeros..count].fill(b'0');
        zeros = 0;
        digits[count] = digit;
        count += 1;
    }
    let trailing =
        mantissa.iter().rev().filter(|&&b| b != b'.').take_while(|&&b| b == b'0').count();
    exponent += trailing as i32;
    (count, exponent)
}

fn signed(text: &[u8]) -> i32 {
    let text = text.strip_prefix(b"+").unwrap_or(text);
    parse_i64(text).map_or(0, |value| value as i32)
}

/// Reads an amount of memory: `100`, `1k` (1000), `1kb` (1024), `5mb`, `2G`; case is ignored.
pub fn parse_memory(text: &[u8]) -> Option<u64> {
    const UNITS: [(&[u8], u64); 8] = [
        (b"", 1),
        (b"b", 1),
        (b"k", 1000),
        (b"kb", 1 << 10),
        (b"m", 1_000_000),
        (b"mb", 1 << 20),
        (b"g", 1_000_000_000),
        (b"gb", 1 << 30),
    ];
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (amount, unit) = text.split_at(digits);
    let (_, unit) = UNITS.iter().find(|(name, _)| unit.eq_ignore_ascii_case(name))?;
    // Leading zeros are harmless here, unlike in a command.
    let amount = amount
        .iter()
        .try_fold(0u64, |sum, digit| sum.checked_mul(10)?.checked_add(u64::from(digit - b'0')));
    amount.filter(|_| digits > 0)?.checked_mul(*unit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::{String, ToString};
    use proptest::prelude::*;

    fn spelled(value: f64) -> String {
        String::from_utf8(DoubleBuffer::new().format(value).to_vec()).unwrap()
    }

    #[test]
    fn integers_have_one_spelling() {
        for text in ["", "-", "-0", "+1", "01", "00", " 1", "1 ", "1a", "--1", "0x1"] {
            assert_eq!(parse_i64(text.as_bytes()), None, "{text}");
        }
        for value in [0, 1, -1, 42, i64::MAX, i64::MIN] {
            assert_eq!(parse_i64(value.to_string().as_bytes()), Some(value));
        }
        assert_eq!(parse_i64(b"9223372036854775808"), None);
        assert_eq!(parse_i64(b"-9223372036854775809"), None);
        assert_eq!(parse_u64(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(parse_u64(b"18446744073709551616"), None);
        assert_eq!(parse_u64(b"99999999999999999999"), None);
    }

    #[test]
    fn doubles_are_read_as_by_strtod() {
        for (text, value) in [
            ("1", 1.0),
            ("+1.5", 1.5),
            (".5", 0.5),
            ("5.", 5.0),
            ("-1e3", -1000.0),
            ("inf", f64::INFINITY),
            ("-Infinity", f64::NEG_INFINITY),
            ("+inf", f64::INFINITY),
            ("0e-999", 0.0),
            ("0x10", 16.0),
            ("-0x1.8p1", -3.0),
            ("0x.1p4", 1.0),
            ("0xffffffffffffffffff", 4722366482869645213695.0),
        ] {
            assert_eq!(parse_f64(text.as_bytes()), Some(value), "{text}");
        }
        for text in [
            "", " 1", "1 ", "nan", "-nan", "1e999", "1e-999", "e5", ".", "0x", "0x1p", "1a",
            "0x1p9999",
        ] {
            assert_eq!(parse_f64(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn doubles_are_spelled_as_by_redis() {
        for (value, text) in [
            (3.0, "3"),
            (-0.0, "-0"),
            (0.1, "0.1"),
            (-2.5, "-2.5"),
            (3.25159, "3.25159"),
            (1e20, "1e+20"),
            (1e18, "1000000000000000000"),
            (1e22, "1e+22"),
            (1.5e300, "1.5e+300"),
            (1e-5, "0.00001"),
            (1e-7, "1e-7"),
            (1.25e-9, "1.25e-9"),
            (123456.789, "123456.789"),
            (f64::NAN, "nan"),
            (f64::MAX, "1.7976931348623157e+308"),
            (f64::MIN_POSITIVE, "2.2250738585072014e-308"),
        ] {
            assert_eq!(spelled(value), text);
        }
    }

    #[test]
    fn memory_sizes() {
        for (text, value) in [
            ("0", 0),
            ("100", 100),
            ("1b", 1),
            ("1k", 1000),
            ("2KB", 2048),
            ("3Mb", 3 << 20),
            ("1g", 1_000_000_000),
            ("4gb", 4 << 30),
        ] {
            assert_eq!(parse_memory(text.as_bytes()), Some(value), "{text}");
        }
        for text in ["", "mb", "-1", "1tb", "1 mb", "1.5gb", "99999999999999gb"] {
            assert_eq!(parse_memory(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn doubles_read_back(bits: u64) {
            let value = f64::from_bits(bits);
            prop_assume!(!value.is_nan());
            prop_assert_eq!(parse_f64(spelled(value).as_bytes()), Some(value));
        }

        #[test]
        fn everyday_doubles_read_back(whole in -100_000i64..100_000, shift in 0u32..9) {
            let value = whole as f64 / 10f64.powi(shift as i32);
            prop_assert_eq!(parse_f64(spelled(value).as_bytes()), Some(value));
        }
    }
}
