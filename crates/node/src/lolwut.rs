//! LOLWUT: a picture, and the version. The picture is a keep: as many towers as there are words.

use wire::number;
use wire::reply::Reply;

const NO_INTEGER: &str = "ERR value is not an integer or out of range";

/// The most towers, and the most floors of one.
const MOST: u64 = 12;

/// Draws one tower of so many floors for each number given; three towers for none.
pub(crate) fn draw(words: &[&[u8]], reply: &mut Reply<'_>) {
    let words = match words {
        [version, rest @ ..] if version.eq_ignore_ascii_case(b"version") => match rest {
            [] => return reply.verbatim(*b"txt", version_line().as_bytes()),
            [number, ..] if number::parse_i64(number).is_none() => {
                return reply.error(NO_INTEGER);
            }
            [_, rest @ ..] => rest,
        },
        words => words,
    };
    let floors: Option<Vec<u64>> = words.iter().map(|word| number::parse_u64(word)).collect();
    match floors {
        None => reply.error(NO_INTEGER),
        Some(floors) => reply.verbatim(*b"txt", picture(&floors).as_bytes()),
    }
}

fn version_line() -> String {
    format!("Redis ver. {}\n", crate::REDIS_VERSION)
}

fn picture(floors: &[u64]) -> String {
    let floors: Vec<u64> = match floors {
        [] => vec![2, 4, 3],
        floors => floors.iter().take(MOST as usize).map(|n| (*n).clamp(1, MOST)).collect(),
    };
    let highest = floors.iter().copied().max().unwrap_or(1);
    let mut text = String::new();
    for level in (0..=highest).rev() {
        let line: String = floors
            .iter()
            .map(|floors| match level.cmp(floors) {
                std::cmp::Ordering::Greater => "       ",
                std::cmp::Ordering::Equal => " n_n_n ",
                std::cmp::Ordering::Less if level == 0 => " |_o_| ",
                std::cmp::Ordering::Less => " | : | ",
            })
            .collect();
        text += line.trim_end();
        text.push('\n');
    }
    text + &format!("\nHoldfast {}. {}", crate::VERSION, version_line())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn towers_are_as_high_as_asked() {
        let text = picture(&[1, 2]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[..3], ["        n_n_n", " n_n_n  | : |", " |_o_|  |_o_|"]);
        assert!(text.contains("Redis ver. "));
        assert_eq!(picture(&[u64::MAX; 99]).lines().count(), MOST as usize + 3);
    }
}
