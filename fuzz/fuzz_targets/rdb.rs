//! Bytes of a saved file or a payload: errors, never a panic, never more memory than there are
//! bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use store::keyspace::Keyspace;
use store::rdb::{Limits, LoadOptions, Loader, Reader, payload};

fuzz_target!(|input: (Vec<u8>, u8, bool)| {
    let (mut bytes, step, header) = input;
    if header {
        bytes.splice(0..0, *b"REDIS0010");
    }
    let mut keyspace = Keyspace::new(16, false, [1; 16]);
    let mut reader = Reader::new(Limits { string: 1 << 20 });
    let mut loader = Loader::new(LoadOptions::default());
    'pieces: for piece in bytes.chunks(usize::from(step) + 1) {
        let mut piece = piece;
        loop {
            match reader.next(&mut piece) {
                Ok(Some(item)) => {
                    if loader.load(item, &mut keyspace).is_err() {
                        break 'pieces;
                    }
                }
                Ok(None) => break,
                Err(_) => break 'pieces,
            }
        }
        assert!(reader.held() <= bytes.len() + 65536);
    }
    let _ = payload::decode(&bytes, Limits { string: 1 << 20 });
});
