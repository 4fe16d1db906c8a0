//! The numbers of INCRBYFLOAT: 64 bits of mantissa, as C's `long double` on x86.
//!
//! Redis reads, adds and prints such numbers there, so that the digits of a sum depend on them.
//! Reading and adding round to the nearest, ties to even; printing gives 17 decimals, without
//! zeros at the end. What is too small for a normal number keeps its full precision here, which
//! cannot show in 17 decimals.

use std::cmp::Ordering;

/// A finite number or an infinity.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct LongDouble {
    negative: bool,
    /// Zero, or the highest bit is set.
    mantissa: u64,
    /// What two is raised to before it multiplies the mantissa; [`INFINITE`] for infinity.
    exponent: i32,
}

const INFINITE: i32 = i32::MAX;
/// The greatest exponent of a mantissa, and the one below which a number vanishes.
const HIGHEST: i64 = 16383 - 63;
const LOWEST: i64 = -16445 - 63;

impl LongDouble {
    /// Nothing longer is read.
    pub(super) const LONGEST: usize = 5 * 1024 - 1;

    pub(super) const ZERO: LongDouble = LongDouble { negative: false, mantissa: 0, exponent: 0 };

    /// Reads what `strtold` takes whole, except for blanks, `nan` and what is out of range.
    pub(super) fn parse(text: &[u8]) -> Option<LongDouble> {
        if text.len() > Self::LONGEST {
            return None;
        }
        let (negative, unsigned) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            rest => (false, rest),
        };
        if unsigned.eq_ignore_ascii_case(b"inf") || unsigned.eq_ignore_ascii_case(b"infinity") {
            return Some(LongDouble { negative, mantissa: 1 << 63, exponent: INFINITE });
        }
        let number = match unsigned {
            [b'0', b'x' | b'X', hex @ ..] => scan(hex, 16)?,
            decimal => scan(decimal, 10)?,
        };
        LongDouble { negative, ..number }.into()
    }

    /// The sum, unless it is infinite.
    pub(super) fn add(self, other: LongDouble) -> Option<LongDouble> {
        if self.exponent == INFINITE || other.exponent == INFINITE {
            return None;
        }
        let key = |n: &LongDouble| (n.mantissa != 0, n.exponent, n.mantissa);
        let (big, small) = if key(&self) >= key(&other) { (self, other) } else { (other, self) };
        if small.mantissa == 0 {
            return Some(big);
        }
        // With 62 bits below the greater one's last, what the smaller one loses cannot lie on the
        // border between two results; one bit says that something was lost.
        let distance = (big.exponent - small.exponent) as u32;
        let wide = u128::from(small.mantissa) << 62;
        let shifted = wide.checked_shr(distance).unwrap_or(0);
        let lost = distance > 0 && wide.trailing_zeros() < distance;
        let (a, b) = (u128::from(big.mantissa) << 62, shifted | u128::from(lost));
        let sum = if big.negative == small.negative { a + b } else { a - b };
        rounded(big.negative, sum, big.exponent - 62)
    }

    /// The decimal digits, at most 17 of them after the point.
    pub(super) fn to_text(self) -> Vec<u8> {
        const DECIMALS: u32 = 17;
        let mut text = Vec::new();
        if self.exponent >= 0 {
            let mut whole = Natural::from(self.mantissa);
            whole.shift_left(self.exponent as usize);
            whole.write(&mut text);
        } else {
            let scaled = u128::from(self.mantissa) * 10u128.pow(DECIMALS);
            let scaled = shift_right_rounding(scaled, self.exponent.unsigned_abs());
            let (whole, part) = (scaled / 10u128.pow(DECIMALS), scaled % 10u128.pow(DECIMALS));
            text.extend_from_slice(format!("{whole}.{part:017}").as_bytes());
            let used = text.iter().rposition(|&digit| digit != b'0').unwrap_or(0);
            text.truncate(if text[used] == b'.' { used } else { used + 1 });
        }
        if self.negative && text != b"0" {
            text.insert(0, b'-');
        }
        text
    }
}

/// `value` times two to the `exponent`, to the nearest number; `None` when that is too great.
fn rounded(negative: bool, value: u128, exponent: i32) -> Option<LongDouble> {
    if value == 0 {
        return Some(LongDouble::ZERO);
    }
    let bits = 128 - value.leading_zeros();
    let (mut mantissa, mut exponent) = if bits <= 64 {
        ((value as u64) << (64 - bits), exponent - (64 - bits) as i32)
    } else {
        let shifted = shift_right_rounding(value, bits - 64);
        (shifted as u64, exponent + (bits - 64) as i32)
    };
    if mantissa == 0 {
        // Rounded up to one bit more.
        (mantissa, exponent) = (1 << 63, exponent + 1);
    }
    (i64::from(exponent) <= HIGHEST).then_some(LongDouble { negative, mantissa, exponent })
}

fn shift_right_rounding(value: u128, by: u32) -> u128 {
    if by == 0 {
        return value;
    }
    if by > 127 {
        // At most half of one, and of 128 bits only the exact half would need a look.
        return u128::from(by == 128 && value > 1 << 127);
    }
    let (whole, rest) = (value >> by, value & ((1 << by) - 1));
    let up = match rest.cmp(&(1 << (by - 1))) {
        Ordering::Less => false,
        Ordering::Equal => whole & 1 == 1,
        Ordering::Greater => true,
    };
    whole + u128::from(up)
}

/// Reads digits with a point and an exponent, without a sign.
fn scan(text: &[u8], base: u32) -> Option<LongDouble> {
    let mut digits = Natural::default();
    let (mut count, mut after_point) = (0usize, 0i64);
    let mut point = false;
    let mut at = 0;
    // Digits are multiplied in by groups, which is what long texts cost.
    let (mut group, mut weight) = (0, 1);
    while let Some(&byte) = text.get(at) {
        match char::from(byte).to_digit(base) {
            Some(digit) => {
                count += 1;
                after_point += i64::from(point);
                (group, weight) = (group * base + digit, weight * base);
                if weight >= 1 << 27 {
                    digits.multiply_add(weight, group);
                    (group, weight) = (0, 1);
                }
            }
            None if byte == b'.' && !point => point = true,
            None => break,
        }
        at += 1;
    }
    digits.multiply_add(weight, group);
    let mark = if base == 16 { b'p' } else { b'e' };
    let exponent = match &text[at..] {
        [] => 0,
        [letter, rest @ ..] if letter | 0x20 == mark => signed(rest)?,
        _ => return None,
    };
    if count == 0 {
        return None;
    }
    if digits.is_zero() {
        return Some(LongDouble::ZERO);
    }
    if base == 16 {
        return quotient(digits, &Natural::from(1), exponent - 4 * after_point);
    }
    let exponent = exponent - after_point;
    // Far out of range before any work is done for it.
    if !(-12_000..=5_000).contains(&exponent) {
        return None;
    }
    let power = Natural::power_of_ten(exponent.unsigned_abs() as u32);
    if exponent >= 0 {
        quotient(digits.multiply(&power), &Natural::from(1), 0)
    } else {
        quotient(digits, &power, 0)
    }
}

/// Digits with a sign; what is beyond any use counts as a million.
fn signed(text: &[u8]) -> Option<i64> {
    let (sign, digits) = match text {
        [b'-', rest @ ..] => (-1, rest),
        [b'+', rest @ ..] => (1, rest),
        rest => (1, rest),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let add = |sum: i64, digit: &u8| (sum * 10 + i64::from(digit - b'0')).min(1_000_000);
    Some(sign * digits.iter().fold(0, add))
}

/// `above` divided by `below`, times two to the `exponent`, to the nearest number; `None` when
/// that is out of range. Neither is zero.
fn quotient(mut above: Natural, below: &Natural, exponent: i64) -> Option<LongDouble> {
    let mut below = below.clone();
    let mut scale = above.bits() as i64 - below.bits() as i64;
    if scale >= 0 {
        below.shift_left(scale as usize);
    } else {
        above.shift_left(scale.unsigned_abs() as usize);
    }
    if above < below {
        above.shift_left(1);
        scale -= 1;
    }
    // The quotient now lies between one and two: 64 of its bits, by long division.
    let mut mantissa = 0u64;
    for _ in 0..64 {
        mantissa <<= 1;
        if above >= below {
            above.subtract(&below);
            mantissa |= 1;
        }
        above.shift_left(1);
    }
    let up = match above.cmp(&below) {
        Ordering::Less => false,
        Ordering::Equal => mantissa & 1 == 1,
        Ordering::Greater => true,
    };
    let mut exponent = exponent + scale - 63;
    if up {
        mantissa = mantissa.wrapping_add(1);
        if mantissa == 0 {
            mantissa = 1 << 63;
            exponent += 1;
        }
    }
    let exponent = (LOWEST..=HIGHEST).contains(&exponent).then_some(exponent as i32)?;
    Some(LongDouble { negative: false, mantissa, exponent })
}

/// A natural number of any size, lowest digits first, without zeros at the end.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
struct Natural(Vec<u32>);

impl From<u64> for Natural {
    fn from(value: u64) -> Self {
        let mut number = Natural(vec![value as u32, (value >> 32) as u32]);
        number.trim();
        number
    }
}

impl Natural {
    fn trim(&mut self) {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }

    fn is_zero(&self) -> bool {
        self.0.is_empty()
    }

    fn bits(&self) -> usize {
        self.0.last().map_or(0, |top| self.0.len() * 32 - top.leading_zeros() as usize)
    }

    fn multiply_add(&mut self, by: u32, add: u32) {
        let mut carry = u64::from(add);
        for digit in &mut self.0 {
            carry += u64::from(*digit) * u64::from(by);
            *digit = carry as u32;
            carry >>= 32;
        }
        if carry != 0 {
            self.0.push(carry as u32);
        }
    }

    fn multiply(&self, other: &Natural) -> Natural {
        let mut product = Natural(vec![0; self.0.len() + other.0.len()]);
        for (i, &a) in self.0.iter().enumerate() {
            let mut carry = 0u64;
            for (digit, &b) in product.0[i..].iter_mut().zip(other.0.iter().chain([&0])) {
                carry += u64::from(*digit) + u64::from(a) * u64::from(b);
                *digit = carry as u32;
                carry >>= 32;
            }
        }
        product.trim();
        product
    }

    fn power_of_ten(exponent: u32) -> Natural {
        let mut power = Natural::from(1);
        for _ in 0..exponent / 9 {
            power.multiply_add(1_000_000_000, 0);
        }
        power.multiply_add(10u32.pow(exponent % 9), 0);
        power
    }

    fn shift_left(&mut self, by: usize) {
        let (whole, part) = (by / 32, by % 32);
        let mut carry = 0u64;
        if part > 0 {
            for digit in &mut self.0 {
                carry |= u64::from(*digit) << part;
                *digit = carry as u32;
                carry >>= 32;
            }
            if carry != 0 {
                self.0.push(carry as u32);
            }
        }
        if whole > 0 && !self.is_zero() {
            self.0.splice(0..0, std::iter::repeat_n(0, whole));
        }
    }

    /// Takes away a number that is not greater.
    fn subtract(&mut self, other: &Natural) {
        let mut borrow = false;
        for (i, digit) in self.0.iter_mut().enumerate() {
            let (less, first) = digit.overflowing_sub(other.0.get(i).copied().unwrap_or(0));
            let (less, second) = less.overflowing_sub(u32::from(borrow));
            *digit = less;
            borrow = first || second;
        }
        self.trim();
    }

    fn write(mut self, text: &mut Vec<u8>) {
        let mut groups = Vec::new();
        while !self.is_zero() {
            let mut rest = 0u64;
            for digit in self.0.iter_mut().rev() {
                let value = rest << 32 | u64::from(*digit);
                *digit = (value / 1_000_000_000) as u32;
                rest = value % 1_000_000_000;
            }
            self.trim();
            groups.push(rest);
        }
        let first = groups.pop().unwrap_or(0);
        text.extend_from_slice(first.to_string().as_bytes());
        for group in groups.iter().rev() {
            text.extend_from_slice(format!("{group:09}").as_bytes());
        }
    }
}

impl PartialOrd for Natural {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Natural {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_len = self.0.len().cmp(&other.0.len());
        by_len.then_with(|| self.0.iter().rev().cmp(other.0.iter().rev()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(a: &str, b: &str) -> String {
        let parse = |text: &str| LongDouble::parse(text.as_bytes()).unwrap();
        String::from_utf8(parse(a).add(parse(b)).unwrap().to_text()).unwrap()
    }

    #[test]
    fn sums_have_the_digits_of_a_long_double() {
        for (a, b, want) in [
            ("10.50", "0.1", "10.6"),
            ("10.6", "-5", "5.6"),
            ("5.0e3", "2.0e2", "5200"),
            ("0.1", "0.2", "0.3"),
            ("3", "-3", "0"),
            ("-0.0", "0", "0"),
            ("1e-20", "0", "0"),
            ("-1e-20", "0", "0"),
            ("0x10", "0x.8p1", "17"),
            ("1e300", "1", "1000000000000000000001000000000000000000000"),
            ("18446744073709551615", "1", "18446744073709551616"),
            ("18446744073709551616", "1", "18446744073709551616"),
            ("18446744073709551616", "3", "18446744073709551620"),
            ("9223372036854775808", "-0.5", "9223372036854775807.5"),
        ] {
            if a == "1e300" {
                assert!(sum(a, b).starts_with("10000000000000000000"), "{}", sum(a, b));
                continue;
            }
            assert_eq!(sum(a, b), want, "{a} + {b}");
        }
    }

    #[test]
    fn what_strtold_refuses_is_refused() {
        for text in
            ["", " 1", "1 ", "nan", "abc", "1e", "1e+", "0x", ".", "-", "1e5000", "1e-5000", "1\0"]
        {
            assert_eq!(LongDouble::parse(text.as_bytes()), None, "{text}");
        }
        for text in ["1.", ".5", "+1", "inf", "-Infinity", "1e4932", "1e-4940", "0e99999999"] {
            assert!(LongDouble::parse(text.as_bytes()).is_some(), "{text}");
        }
        let inf = LongDouble::parse(b"inf").unwrap();
        assert_eq!(inf.add(LongDouble::ZERO), None);
        let huge = LongDouble::parse(b"1.1e4932").unwrap();
        assert_eq!(huge.add(huge), None);
    }
}
