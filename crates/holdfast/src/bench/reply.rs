//! Replies as the generator sees them: how long, and whether good. The short ones are not decoded.

use wire::value::{Value, decode};

/// What a reply says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reply {
    Good,
    Error,
    /// An error of a cluster that changes: the request is worth sending again.
    Moved,
    /// Not a reply.
    Push,
}

const AGAIN: [&[u8]; 6] =
    [b"-MOVED ", b"-ASK ", b"-CLUSTERDOWN", b"-TRYAGAIN", b"-READONLY", b"-LOADING"];

/// The first reply and its length, once it is there in full.
pub(crate) fn next(bytes: &[u8]) -> Result<Option<(Reply, usize)>, String> {
    let Some(first) = bytes.first() else { return Ok(None) };
    match first {
        b'+' | b':' | b'-' => {
            let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else { return Ok(None) };
            let reply = match first {
                b'-' if AGAIN.iter().any(|start| bytes.starts_with(start)) => Reply::Moved,
                b'-' => Reply::Error,
                _ => Reply::Good,
            };
            Ok(Some((reply, end + 1)))
        }
        b'$' => {
            let Some(end) = bytes.iter().take(32).position(|byte| *byte == b'\n') else {
                return if bytes.len() < 32 { Ok(None) } else { broken() };
            };
            let text = bytes[1..end].trim_ascii_end();
            if text == b"-1" {
                return Ok(Some((Reply::Good, end + 1)));
            }
            let Some(length) = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok())
            else {
                return broken();
            };
            let all = usize::saturating_add(length, end + 3);
            Ok((bytes.len() >= all).then_some((Reply::Good, all)))
        }
        _ => match decode(bytes) {
            Ok(Some((Value::Push(_), length))) => Ok(Some((Reply::Push, length))),
            Ok(Some((_, length))) => Ok(Some((Reply::Good, length))),
            Ok(None) => Ok(None),
            Err(_) => broken(),
        },
    }
}

fn broken<T>() -> Result<T, String> {
    Err(String::from("Error from server: what came is not a reply"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_told_apart_and_measured() {
        for (bytes, reply) in [
            (&b"+OK\r\n"[..], Reply::Good),
            (b"$3\r\na\nb\r\n", Reply::Good),
            (b"$-1\r\n", Reply::Good),
            (b"_\r\n", Reply::Good),
            (b"*2\r\n:1\r\n$1\r\nx\r\n", Reply::Good),
            (b"-MOVED 1 a:1\r\n", Reply::Moved),
            (b"-ERR no\r\n", Reply::Error),
        ] {
            let longer = [bytes, b"+next\r\n"].concat();
            assert_eq!(next(&longer), Ok(Some((reply, bytes.len()))));
            for cut in 0..bytes.len() {
                assert_eq!(next(&bytes[..cut]), Ok(None), "{cut} bytes of {reply:?}");
            }
        }
        assert!(next(b"$x\r\n").is_err() && next(b"?\r\n").is_err());
    }
}
