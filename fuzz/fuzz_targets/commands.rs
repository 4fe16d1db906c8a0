//! Requests of two clients to a whole node: any command with any arguments, and time.
#![no_main]

use arbitrary::Arbitrary;
use holdfast_fuzz::Bench;
use libfuzzer_sys::fuzz_target;
use machine::ConnId;
use node::config::Config;

#[derive(Arbitrary, Debug)]
enum Step {
    /// A request: a command's number, whether by the other client, and its arguments.
    Ask { command: u16, other: bool, args: Vec<Word> },
    Pass { millis: u16 },
}

#[derive(Arbitrary, Debug)]
enum Word {
    Key(u8),
    Number(i64),
    Small(i8),
    Option(u8),
    Bytes(Vec<u8>),
    /// Some letters, many times.
    Long(u8, u16),
}

/// Words that commands know.
const OPTIONS: &[&str] = &[
    "EX", "PX", "EXAT", "PXAT", "NX", "XX", "GT", "LT", "KEEPTTL", "GET", "PERSIST", "MATCH",
    "COUNT", "TYPE", "ASYNC", "SYNC", "REPLACE", "ABSTTL", "IDLETIME", "FREQ", "DB", "LEN", "IDX",
    "MINMATCHLEN", "WITHMATCHLEN", "ID", "ADDR", "LADDR", "SKIPME", "yes", "no", "ON", "OFF",
    "maxmemory", "allkeys-lru", "maxmemory-policy", "*", "3", "AUTH", "SETNAME", "LIST", "KILL",
    "ENCODING", "USAGE", "POPULATE", "DIGEST", "127.0.0.1:7000", "ABORT", "TO", "FORCE", "TIMEOUT",
];

fuzz_target!(|steps: Vec<Step>| {
    let mut config = Config::default();
    config.apply("enable-debug-command", &["yes"]).expect("a directive");
    config.apply("databases", &["4"]).expect("a directive");
    let mut bench = Bench::new(config);
    let clients = [ConnId(1), ConnId(2)];
    clients.iter().for_each(|conn| bench.connect(*conn));
    let all = wire::command::all();
    for step in steps.iter().take(200) {
        match step {
            Step::Pass { millis } => bench.turn(u64::from(*millis)),
            Step::Ask { command, other, args } => {
                let row = &all[usize::from(*command) % all.len()];
                let name = row.full_name().to_string();
                let mut request: Vec<Vec<u8>> = name.split('|').map(Vec::from).collect();
                // POPULATE and SLEEP with great numbers are slow by order.
                if name == "debug" {
                    request.push(b"DIGEST".to_vec());
                }
                request.extend(args.iter().take(8).map(bytes));
                bench.receive(clients[usize::from(*other)], &encoded(&request));
                bench.turn(0);
            }
        }
    }
});

fn bytes(word: &Word) -> Vec<u8> {
    match word {
        Word::Key(n) => format!("key:{}", n % 8).into_bytes(),
        Word::Number(n) => n.to_string().into_bytes(),
        Word::Small(n) => n.to_string().into_bytes(),
        Word::Option(n) => OPTIONS[usize::from(*n) % OPTIONS.len()].into(),
        Word::Bytes(bytes) => bytes.clone(),
        Word::Long(letter, len) => vec![*letter; usize::from(*len)],
    }
}

fn encoded(request: &[Vec<u8>]) -> Vec<u8> {
    let words: Vec<&[u8]> = request.iter().map(Vec::as_slice).collect();
    let mut bytes = Vec::new();
    store::effects::encode(&words, &mut bytes);
    bytes
}
