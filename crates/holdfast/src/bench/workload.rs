//! What is measured: the tests by name, and the requests they send.

/// A test.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    PingInline,
    PingMbulk,
    Set,
    Get,
    Incr,
    Mset,
}

/// Tests of redis-benchmark whose commands the server does not have yet.
const UNBUILT: &[&str] = &[
    "lpush",
    "rpush",
    "lpop",
    "rpop",
    "sadd",
    "hset",
    "spop",
    "zadd",
    "zpopmin",
    "lrange",
    "lrange_100",
    "lrange_300",
    "lrange_500",
    "lrange_600",
    "xadd",
];

/// What stands for a random number: as many digits as it has characters are put in its place.
const RANDOM: &[u8] = b"__rand_int__";
/// Characters of a tag.
pub(crate) const TAG: usize = 5;
const MSET_KEYS: usize = 10;

impl Kind {
    /// In the order in which they run.
    pub(crate) const ALL: [Kind; 6] =
        [Kind::PingInline, Kind::PingMbulk, Kind::Set, Kind::Get, Kind::Incr, Kind::Mset];

    /// The tests that a list names, in the order in which they run.
    pub(crate) fn parse_list(list: &str) -> Result<Vec<Kind>, String> {
        let list = list.to_ascii_lowercase();
        let mut wanted = Vec::new();
        for word in list.split(',') {
            wanted.extend_from_slice(match word {
                "ping" => &[Kind::PingInline, Kind::PingMbulk],
                "ping_inline" => &[Kind::PingInline],
                "ping_mbulk" | "ping_bulk" => &[Kind::PingMbulk],
                "set" => &[Kind::Set],
                "get" => &[Kind::Get],
                "incr" => &[Kind::Incr],
                "mset" => &[Kind::Mset],
                word if UNBUILT.contains(&word) => {
                    return Err(format!(
                        "the test '{word}' needs a type that is not built yet; there are: ping, \
                         set, get, incr, mset"
                    ));
                }
                word => {
                    return Err(format!(
                        "'{word}' is no test; there are: ping, set, get, incr, mset"
                    ));
                }
            });
        }
        Ok(Kind::ALL.into_iter().filter(|kind| wanted.contains(kind)).collect())
    }

    /// What reports call it.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Kind::PingInline => "PING_INLINE",
            Kind::PingMbulk => "PING_MBULK",
            Kind::Set => "SET",
            Kind::Get => "GET",
            Kind::Incr => "INCR",
            Kind::Mset => "MSET (10 keys)",
        }
    }

    /// Its request, with a value of that size.
    pub(crate) fn template(self, size: usize, cluster: bool) -> Template {
        let tag = if cluster { ":{tag}" } else { "" };
        let key = format!("key{tag}:__rand_int__");
        let value = "x".repeat(size);
        let words: Vec<&str> = match self {
            Kind::PingInline => {
                return Template { bytes: b"PING\r\n".to_vec(), ..Template::default() };
            }
            Kind::PingMbulk => vec!["PING"],
            Kind::Set => vec!["SET", &key, &value],
            Kind::Get => vec!["GET", &key],
            Kind::Incr => return Template::new(&["INCR", &format!("counter{tag}:__rand_int__")]),
            Kind::Mset => {
                std::iter::once("MSET").chain([key.as_str(), &value].repeat(MSET_KEYS)).collect()
            }
        };
        Template::new(&words)
    }
}

/// One request, and where it changes from one sending to the next.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct Template {
    pub(crate) bytes: Vec<u8>,
    /// Where random numbers begin.
    pub(crate) randoms: Vec<usize>,
    /// Where the characters of tags begin.
    pub(crate) tags: Vec<usize>,
}

impl Template {
    /// The request of these words.
    pub(crate) fn new<W: AsRef<str>>(words: &[W]) -> Self {
        let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
        let filler = format!("{{{}}}", "0".repeat(TAG));
        let mut tags = Vec::new();
        for word in words {
            let word = word.as_ref();
            let filled = word.replace("{tag}", &filler);
            bytes.extend_from_slice(format!("${}\r\n", filled.len()).as_bytes());
            let shift = filler.len() - "{tag}".len();
            let found = word.match_indices("{tag}").enumerate();
            tags.extend(found.map(|(nth, (at, _))| bytes.len() + at + nth * shift + 1));
            bytes.extend_from_slice(filled.as_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
        let randoms: Vec<usize> = (0..bytes.len().saturating_sub(RANDOM.len() - 1))
            .filter(|at| bytes[*at..].starts_with(RANDOM))
            .collect();
        Template { bytes, randoms, tags }
    }

    /// Appends one request; the closure gives the random numbers.
    pub(crate) fn append(
        &self,
        to: &mut Vec<u8>,
        tag: Option<&[u8; TAG]>,
        mut random: Option<impl FnMut() -> u64>,
    ) {
        let start = to.len();
        to.extend_from_slice(&self.bytes);
        let request = &mut to[start..];
        if let Some(random) = &mut random {
            for at in &self.randoms {
                let mut n = random();
                for digit in request[*at..*at + RANDOM.len()].iter_mut().rev() {
                    *digit = b'0' + (n % 10) as u8;
                    n /= 10;
                }
            }
        }
        for at in tag.iter().flat_map(|_| &self.tags) {
            request[*at..*at + TAG].copy_from_slice(tag.expect("there is one: it was asked"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_numbers_and_tags_are_put_in_place() {
        let template = Template::new(&["SET", "{tag}:__rand_int__:{tag}", "__rand_int__"]);
        let mut bytes = Vec::new();
        let mut next = 40;
        let random = || {
            next += 1;
            next
        };
        template.append(&mut bytes, Some(b"abcde"), Some(random));
        let text = String::from_utf8(bytes).unwrap();
        let key = "{abcde}:000000000041:{abcde}";
        assert_eq!(text, format!("*3\r\n$3\r\nSET\r\n$28\r\n{key}\r\n$12\r\n000000000042\r\n"));
        let mut bytes = Vec::new();
        template.append(&mut bytes, None, None::<fn() -> u64>);
        assert!(String::from_utf8(bytes).unwrap().contains("__rand_int__"));
    }
}
