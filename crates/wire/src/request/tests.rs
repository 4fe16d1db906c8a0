use super::*;
use alloc::vec;
use proptest::prelude::*;

type Requests = Vec<Vec<Vec<u8>>>;

/// Plays the caller: keeps the rest, gathers bodies, delivers batches.
#[derive(Default)]
struct Session {
    decoder: Decoder,
    rest: Vec<u8>,
    body: Option<(usize, Vec<u8>)>,
    requests: Requests,
    raw: Vec<u8>,
    error: Option<ProtocolError>,
}

impl Session {
    fn feed(&mut self, piece: &[u8], limits: &Limits) {
        self.rest.extend(piece);
        while self.error.is_none() {
            if let Some((len, mut body)) = self.body.take() {
                let part = self.rest.len().min(len - body.len());
                body.extend(self.rest.drain(..part));
                if body.len() < len {
                    self.body = Some((len, body));
                    return;
                }
                self.decoder.body(Arc::from(body));
            }
            if self.once(limits) {
                return;
            }
        }
    }

    /// Whether more input is needed.
    fn once(&mut self, limits: &Limits) -> bool {
        let mut batch = Batch::new();
        let progress = self.decoder.decode(&self.rest, &mut batch, limits);
        let owned = |arg: &&[u8]| arg.to_vec();
        for i in 0..batch.len() {
            self.requests.push(batch.args(i).iter().map(owned).collect());
            self.raw.extend(batch.raw(i));
        }
        let none = batch.is_empty();
        drop(batch);
        let (consumed, finished) = match progress {
            Ok(Progress::More { consumed }) => (consumed, none),
            Ok(Progress::Want { consumed, len }) => {
                assert!(none);
                self.body = Some((len, Vec::new()));
                (consumed, false)
            }
            Ok(Progress::Assembled { consumed, request }) => {
                assert!(none);
                self.requests.push(request.args.iter().map(|arg| arg.to_vec()).collect());
                (consumed, false)
            }
            Err(error) => {
                assert!(none);
                self.error = Some(error);
                (0, true)
            }
        };
        self.rest.drain(..consumed);
        finished
    }
}

fn decode(bytes: &[u8]) -> Session {
    decode_within(bytes, &Limits::default())
}

fn decode_within(bytes: &[u8], limits: &Limits) -> Session {
    let mut session = Session::default();
    session.feed(bytes, limits);
    session
}

fn encode(request: &[Vec<u8>]) -> Vec<u8> {
    let mut out = alloc::format!("*{}\r\n", request.len()).into_bytes();
    for arg in request {
        out.extend(alloc::format!("${}\r\n", arg.len()).bytes());
        out.extend(arg);
        out.extend(b"\r\n");
    }
    out
}

/// Reads well-formed multibulk requests from a whole buffer, one line or body at a time.
fn naive(mut bytes: &[u8]) -> Requests {
    fn line<'a>(bytes: &mut &'a [u8]) -> Option<&'a str> {
        let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
        let text = core::str::from_utf8(&bytes[1..end]).ok()?;
        *bytes = &bytes[end + 2..];
        Some(text)
    }
    let mut requests = Vec::new();
    while let Some(count) = line(&mut bytes) {
        let mut request = Vec::new();
        for _ in 0..count.parse::<i64>().unwrap() {
            let Some(len) = line(&mut bytes).map(|text| text.parse::<usize>().unwrap()) else {
                return requests;
            };
            let Some(arg) = bytes.get(..len) else { return requests };
            request.push(arg.to_vec());
            let Some(rest) = bytes.get(len + 2..) else { return requests };
            bytes = rest;
        }
        if !request.is_empty() {
            requests.push(request);
        }
    }
    requests
}

fn list(words: &[&str]) -> Vec<Vec<u8>> {
    words.iter().map(|word| word.as_bytes().to_vec()).collect()
}

#[test]
fn decoder_is_small_when_idle() {
    assert!(size_of::<Decoder>() <= 64);
    let mut decoder = Decoder::new();
    assert_eq!(decoder.held_bytes(), 0);
    decoder.set_unread(5);
    assert_eq!(decoder.held_bytes(), 5);
}

#[test]
fn pipelined_requests_fill_batches() {
    let one = encode(&list(&["GET", "key"]));
    let bytes = one.repeat(40);
    let mut decoder = Decoder::new();
    let mut batch = Batch::new();
    let progress = decoder.decode(&bytes, &mut batch, &Limits::default());
    assert_eq!(progress, Ok(Progress::More { consumed: one.len() * BATCH }));
    assert_eq!(batch.len(), BATCH);
    assert_eq!(batch.raw(3), one);
    let session = decode(&bytes);
    assert_eq!(session.requests, vec![list(&["GET", "key"]); 40]);
    assert_eq!(session.raw, bytes);
}

#[test]
fn empty_requests_are_skipped() {
    let session = decode(b"*0\r\n*-1\r\n\r\n\n  \r\n*1\r\n$4\r\nPING\r\n*-7\r\n");
    assert_eq!(session.requests, [list(&["PING"])]);
    assert!(session.error.is_none() && session.rest.is_empty());
}

#[test]
fn inline_requests() {
    let session = decode(b"PING\r\nset k \"a\\x41\\n\"\n*1\r\n$4\r\nPING\r\nget 'k'\r\npart");
    let expected =
        [list(&["PING"]), list(&["set", "k", "aA\n"]), list(&["PING"]), list(&["get", "k"])];
    assert_eq!(session.requests, expected);
    assert_eq!(session.rest, b"part");
}

#[test]
fn errors_follow_the_requests_before_them() {
    let cases: &[(&[u8], &str)] = &[
        (b"*a\r\n", "invalid multibulk length"),
        (b"*+1\r\n", "invalid multibulk length"),
        (b"*\r\n", "invalid multibulk length"),
        (b"*01\r\n", "invalid multibulk length"),
        (b"*2147483648\r\n", "invalid multibulk length"),
        (b"*1\r\n:4\r\n", "expected '$', got ':'"),
        (b"*1\r\n\r\n", "expected '$', got '\r'"),
        (b"*1\r\n$-1\r\n", "invalid bulk length"),
        (b"*1\r\n$ 1\r\n", "invalid bulk length"),
        (b"*1\r\n$-0\r\n", "invalid bulk length"),
        (b"*1\r\n$536870913\r\n", "invalid bulk length"),
        (b"*1\r\n$99999999999999999999999\r\n", "invalid bulk length"),
        (b"get \"k\r\n", "unbalanced quotes in request"),
    ];
    for (bytes, text) in cases {
        let session = decode(&[b"*1\r\n$4\r\nPING\r\n", *bytes].concat());
        assert_eq!(session.requests, [list(&["PING"])]);
        assert_eq!(alloc::format!("{}", session.error.unwrap()), *text);
    }
    let session = decode(b"*2147483647\r\n$1\r\n");
    assert!(session.error.is_none());
}

#[test]
fn endless_lines_are_refused() {
    let long = vec![b'1'; LINE_MAX + 1];
    for (head, error) in [
        (&b""[..], ProtocolError::InlineTooLong),
        (b"*", ProtocolError::CountTooLong),
        (b"*1\r\n$", ProtocolError::LengthTooLong),
    ] {
        let session = decode(&[head, &long].concat());
        assert_eq!(session.error, Some(error));
        let mut session = Session::default();
        for piece in [head, &long].concat().chunks(5000) {
            session.feed(piece, &Limits::default());
        }
        assert_eq!(session.error, Some(error));
    }
}

#[test]
fn strangers_may_send_little() {
    let limits = Limits { authenticated: false, ..Limits::default() };
    let error = |bytes: &[u8]| decode_within(bytes, &limits).error;
    assert_eq!(error(b"*10\r\n"), None);
    assert_eq!(error(b"*11\r\n"), Some(ProtocolError::UnauthenticatedCount));
    assert_eq!(error(b"*1\r\n$16384\r\n"), None);
    assert_eq!(error(b"*1\r\n$16385\r\n"), Some(ProtocolError::UnauthenticatedLength));
}

#[test]
fn waiting_input_is_limited() {
    let limits = Limits { max_query: 100, ..Limits::default() };
    let bytes = [&b"*1\r\n$4\r\nPING\r\n*1\r\n$999\r\n"[..], &[b'x'; 200]].concat();
    let session = decode_within(&bytes, &limits);
    assert_eq!(session.requests.len(), 1);
    assert_eq!(session.error, Some(ProtocolError::QueryTooLong));
    assert!(ProtocolError::QueryTooLong.is_silent());
}

#[test]
fn a_big_bulk_is_wanted_unless_it_is_here() {
    let request = vec![b"SET".to_vec(), b"k".to_vec(), vec![b'v'; BIG_BULK]];
    let bytes = encode(&request);
    let mut batch = Batch::new();
    let mut decoder = Decoder::new();
    let progress = decoder.decode(&bytes, &mut batch, &Limits::default());
    assert_eq!(progress, Ok(Progress::More { consumed: bytes.len() }));
    assert_eq!(batch.args(0), request);

    batch.clear();
    let header = bytes.len() - BIG_BULK - 2;
    let progress = decoder.decode(&bytes[..header + 10], &mut batch, &Limits::default());
    assert_eq!(progress, Ok(Progress::Want { consumed: header, len: BIG_BULK }));
    assert!(batch.is_empty() && !decoder.is_idle());
    decoder.body(Arc::from(&request[2][..]));
    assert!(decoder.held_bytes() >= BIG_BULK);
    let progress = decoder.decode(b"\r\nrest", &mut batch, &Limits::default());
    let Ok(Progress::Assembled { consumed: 2, request: got }) = progress else {
        panic!("{progress:?}");
    };
    assert!(got.args.iter().map(|arg| arg.to_vec()).eq(request));
    assert!(decoder.is_idle());
}

#[test]
fn a_request_of_very_many_arguments_is_remembered() {
    let request = vec![b"x".to_vec(); 200_000];
    let bytes = encode(&request);
    let mut decoder = Decoder::new();
    for end in (1000..bytes.len()).step_by(1000) {
        let mut batch = Batch::new();
        let progress = decoder.decode(&bytes[..end], &mut batch, &Limits::default());
        assert_eq!(progress, Ok(Progress::More { consumed: 0 }));
        // What is remembered reaches to the last whole argument.
        assert!(end - decoder.at < 7);
    }
    let mut batch = Batch::new();
    let progress = decoder.decode(&bytes, &mut batch, &Limits::default());
    assert_eq!(progress, Ok(Progress::More { consumed: bytes.len() }));
    assert_eq!(batch.args(0), request);
    assert_eq!(decoder.held_bytes(), 0);
}

fn argument() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        30 => prop::collection::vec(any::<u8>(), 0..40),
        5 => (90usize..2000).prop_map(|len| vec![b'm'; len]),
        1 => (BIG_BULK - 3..BIG_BULK + 3).prop_map(|len| vec![b'b'; len]),
    ]
}

fn requests() -> impl Strategy<Value = Requests> {
    let args = prop_oneof![
        8 => prop::collection::vec(argument(), 1..8),
        1 => prop::collection::vec(argument(), 1..60),
    ];
    prop::collection::vec(args, 1..24)
}

fn feed_in_pieces(bytes: &[u8], pieces: &[usize]) -> Session {
    let mut session = Session::default();
    let mut rest = bytes;
    for &piece in pieces.iter().cycle() {
        let (now, later) = rest.split_at(piece.min(rest.len()));
        session.feed(now, &Limits::default());
        rest = later;
        if rest.is_empty() {
            break;
        }
    }
    session
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_split_gives_the_same_requests(
        requests in requests(),
        pieces in prop::collection::vec(prop_oneof![1usize..8, 1usize..5000, 30_000usize..40_000], 1..20),
    ) {
        let bytes: Vec<u8> = requests.iter().flat_map(|request| encode(request)).collect();
        prop_assert_eq!(&naive(&bytes), &requests);
        let session = feed_in_pieces(&bytes, &pieces);
        prop_assert_eq!(session.error, None);
        prop_assert_eq!(session.rest, b"");
        prop_assert!(session.decoder.is_idle());
        prop_assert_eq!(session.requests, requests);
    }

    #[test]
    fn any_split_of_near_protocol_gives_the_same_outcome(
        words in prop::collection::vec(prop::sample::select(vec![
            "*", "$", "1", "2", "17", "-1", "0", "\r\n", "\r\n", "\n", "a", "\"", " ", "$1\r\na\r\n",
            "*2\r\n$1\r\n", "*20\r\n", "*1\r\n$40000\r\n", "$0\r\n\r\n", "ping\r\n",
        ]), 0..60),
        pieces in prop::collection::vec(1usize..9, 1..9),
    ) {
        let bytes = words.concat().into_bytes();
        let whole = decode(&bytes);
        let split = feed_in_pieces(&bytes, &pieces);
        prop_assert_eq!(whole.requests, split.requests);
        prop_assert_eq!(whole.error, split.error);
    }
}
