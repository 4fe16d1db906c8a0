//! What a primary may send to its replica: answers of the handshake, a snapshot, the stream.
#![no_main]

use arbitrary::Arbitrary;
use holdfast_fuzz::Bench;
use libfuzzer_sys::fuzz_target;
use machine::ConnId;
use node::config::Config;

#[derive(Arbitrary, Debug)]
enum Part {
    /// One of the lines that belong to the protocol.
    Line(u8),
    Bytes(Vec<u8>),
    /// A command of the stream.
    Command(Vec<Vec<u8>>),
    Turn { millis: u16 },
    /// The link is made again.
    Answer,
}

const LINES: &[&str] = &[
    "+PONG\r\n",
    "+OK\r\n",
    "-ERR no\r\n",
    "-NOAUTH Authentication required.\r\n",
    "+FULLRESYNC 0123456789012345678901234567890123456789 10\r\n",
    "+FULLRESYNC 0123456789012345678901234567890123456789 99999999999999999999\r\n",
    "+FULLRESYNC 0123456789012345678901234567890123456789 5 holdfast\r\n",
    "+CONTINUE\r\n",
    "+CONTINUE 9123456789012345678901234567890123456789\r\n",
    "$18\r\nREDIS0010\u{0}",
    "$EOF:0123456789012345678901234567890123456789\r\n",
    "0123456789012345678901234567890123456789",
    "$99999999999999999999\r\n",
    "\n",
    "REDIS0010\u{fa}",
    "*1\r\n$4\r\nPING\r\n",
    "*3\r\n$8\r\nREPLCONF\r\n$6\r\nGETACK\r\n$1\r\n*\r\n",
    "*2\r\n$6\r\nSELECT\r\n$1\r\n1\r\n",
    "*1\r\n$5\r\nMULTI\r\n",
    "*1\r\n$4\r\nEXEC\r\n",
    "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n",
];

fuzz_target!(|input: (bool, Vec<Part>)| {
    let (aside, parts) = input;
    let mut config = Config::default();
    config.apply("replicaof", &["127.0.0.1", "7000"]).expect("a directive");
    if aside {
        config.apply("repl-diskless-load", &["swapdb"]).expect("a directive");
    }
    let mut bench = Bench::new(config);
    let link = ConnId(5);
    bench.turn(1000);
    bench.answer(link);
    for part in parts.iter().take(300) {
        match part {
            Part::Line(n) => {
                let line = LINES[usize::from(*n) % LINES.len()];
                let bytes: Vec<u8> = line.chars().map(|c| c as u8).collect();
                bench.receive(link, &bytes);
            }
            Part::Bytes(bytes) => bench.receive(link, bytes),
            Part::Command(args) => {
                let words: Vec<&[u8]> = args.iter().map(Vec::as_slice).collect();
                let mut bytes = Vec::new();
                store::effects::encode(&words, &mut bytes);
                bench.receive(link, &bytes);
            }
            Part::Turn { millis } => bench.turn(u64::from(*millis)),
            Part::Answer => {
                bench.turn(2000);
                bench.answer(link);
            }
        }
    }
});
