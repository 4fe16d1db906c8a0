//! Bytes of a client, cut anywhere: the same requests come out, and nothing panics.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::Arc;
use wire::request::{Batch, Decoder, Limits, Progress};

fuzz_target!(|input: (Vec<u8>, Vec<u8>)| {
    let (bytes, cuts) = input;
    let whole = decode(&bytes, &[]);
    let pieces = decode(&bytes, &cuts);
    assert_eq!(whole, pieces);
    // The other readers of client bytes must not panic either.
    let _ = wire::value::decode(&bytes);
    let _ = wire::words::split(&bytes);
});

/// All requests of a stream that arrives in pieces, and whether it ended in an error.
fn decode(stream: &[u8], cuts: &[u8]) -> (Vec<Vec<Vec<u8>>>, bool) {
    let limits = Limits { max_bulk: 100_000, ..Limits::default() };
    let (mut decoder, mut kept, mut out) = (Decoder::new(), Vec::new(), Vec::new());
    let mut wanted: Option<usize> = None;
    let mut rest = stream;
    let mut cuts = cuts.iter().cycle();
    loop {
        let step = cuts.next().map_or(usize::MAX, |cut| usize::from(*cut) + 1).min(rest.len());
        kept.extend_from_slice(&rest[..step]);
        rest = &rest[step..];
        loop {
            if let Some(len) = wanted {
                if kept.len() < len {
                    break;
                }
                decoder.body(Arc::from(&kept[..len]));
                kept.drain(..len);
                wanted = None;
            }
            let (consumed, short) = {
                let mut batch = Batch::new();
                match decoder.decode(&kept, &mut batch, &limits) {
                    Ok(Progress::More { consumed }) => {
                        for i in 0..batch.len() {
                            out.push(batch.args(i).iter().map(|arg| arg.to_vec()).collect());
                        }
                        (consumed, batch.is_empty())
                    }
                    Ok(Progress::Want { consumed, len }) => {
                        wanted = Some(len);
                        (consumed, false)
                    }
                    Ok(Progress::Assembled { consumed, request }) => {
                        out.push(request.args.iter().map(|arg| arg.to_vec()).collect());
                        (consumed, false)
                    }
                    Err(_) => return (out, true),
                }
            };
            kept.drain(..consumed);
            if short {
                break;
            }
        }
        if rest.is_empty() {
            return (out, false);
        }
    }
}
