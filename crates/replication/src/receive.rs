//! A snapshot on its way in: where it ends.

/// How the end of a snapshot is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Receive {
    /// The header has not come.
    Header,
    /// So many bytes are still to come.
    Length(u64),
    /// The bytes end with this mark; nothing follows it until it is acknowledged.
    Mark([u8; 40]),
}

/// What a run of input holds.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Part<'b> {
    /// Nothing yet; ask again with more.
    None,
    /// The header; the snapshot follows.
    Begun,
    /// Bytes of the snapshot.
    Bytes(&'b [u8]),
    /// The last bytes of the snapshot.
    Last(&'b [u8]),
    /// Not the protocol.
    Bad,
}

/// A header is `$`, a number or `EOF:` and forty bytes, and a line end.
const HEADER_MAX: usize = 64;

impl Receive {
    /// Takes the next part; how many bytes it took.
    pub(crate) fn step<'b>(&mut self, bytes: &'b [u8]) -> (usize, Part<'b>) {
        match self {
            Receive::Header => self.header(bytes),
            Receive::Length(left) => {
                let n = bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= n as u64;
                let part =
                    if *left == 0 { Part::Last(&bytes[..n]) } else { Part::Bytes(&bytes[..n]) };
                (n, if n == 0 && *left > 0 { Part::None } else { part })
            }
            Receive::Mark(mark) => {
                if let Some(last) = bytes.strip_suffix(mark) {
                    return (bytes.len(), Part::Last(last));
                }
                // The mark may have begun within the last bytes.
                let n = bytes.len().saturating_sub(mark.len() - 1);
                (n, if n == 0 { Part::None } else { Part::Bytes(&bytes[..n]) })
            }
        }
    }

    fn header<'b>(&mut self, bytes: &'b [u8]) -> (usize, Part<'b>) {
        // Primaries send newlines while they prepare, to show that they are alive.
        let blank = bytes.iter().take_while(|byte| **byte == b'\n').count();
        let rest = &bytes[blank..];
        let Some(end) = rest.iter().position(|byte| *byte == b'\n') else {
            let part = if rest.len() > HEADER_MAX { Part::Bad } else { Part::None };
            return (blank, part);
        };
        let line = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
        *self = match (line.strip_prefix(b"$EOF:"), line.strip_prefix(b"$")) {
            (Some(mark), _) => match mark.try_into() {
                Ok(mark) => Receive::Mark(mark),
                Err(_) => return (0, Part::Bad),
            },
            (None, Some(len)) => match wire::number::parse_u64(len) {
                Some(len) => Receive::Length(len),
                None => return (0, Part::Bad),
            },
            (None, None) => return (0, Part::Bad),
        };
        (blank + end + 1, Part::Begun)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    /// Feeds `stream` in pieces of `step` bytes, keeping what is not taken, as a driver does.
    fn receive(stream: &[u8], step: usize) -> Option<Vec<u8>> {
        let (mut receive, mut kept, mut out) = (Receive::Header, Vec::new(), Vec::new());
        for piece in stream.chunks(step) {
            kept.extend_from_slice(piece);
            loop {
                let (taken, part) = receive.step(&kept);
                let end = match part {
                    Part::Last(bytes) => {
                        out.extend_from_slice(bytes);
                        return Some(out);
                    }
                    Part::Bytes(bytes) => {
                        out.extend_from_slice(bytes);
                        false
                    }
                    Part::Begun => false,
                    Part::None => true,
                    Part::Bad => return None,
                };
                kept.drain(..taken);
                if end {
                    break;
                }
            }
        }
        None
    }

    #[test]
    fn both_framings_survive_every_cut() {
        let body: Vec<u8> = (0..200u8).collect();
        let mark = [b'f'; 40];
        let mut marked = b"\n\n$EOF:".to_vec();
        marked.extend_from_slice(&mark);
        marked.extend_from_slice(b"\r\n");
        marked.extend_from_slice(&body);
        marked.extend_from_slice(&mark);
        let mut counted = b"\n$200\r\n".to_vec();
        counted.extend_from_slice(&body);
        for step in 1..marked.len() {
            assert_eq!(receive(&marked, step).as_ref(), Some(&body), "marked, {step}");
            assert_eq!(receive(&counted, step).as_ref(), Some(&body), "counted, {step}");
        }
        assert_eq!(receive(b"HTTP/1.1 200 OK\r\n", 5), None);
    }
}
