//! What DUMP gives, bent: RESTORE refuses it or takes a value that DUMP gives again.
#![no_main]

use crc::{CRC_64_REDIS, Crc};
use libfuzzer_sys::fuzz_target;
use store::rdb::{Limits, payload};
use store::value::View;

fuzz_target!(|input: (Vec<u8>, Option<i64>, Vec<(u16, u8)>, bool)| {
    let (value, number, changes, summed) = input;
    let view = match number {
        Some(number) => View::Int(number),
        None => View::Bytes(&value),
    };
    let mut bytes: Vec<u8> = payload::encode(view, None).pieces().flatten().copied().collect();
    for (at, byte) in &changes {
        let at = usize::from(*at) % bytes.len();
        bytes[at] = *byte;
    }
    if summed {
        let end = bytes.len() - 8;
        let sum = Crc::<u64>::new(&CRC_64_REDIS).checksum(&bytes[..end]);
        bytes[end..].copy_from_slice(&sum.to_le_bytes());
    }
    let decoded = payload::decode(&bytes, Limits { string: 1 << 20 });
    assert!(decoded.is_ok() || !changes.is_empty(), "an unchanged payload is refused");
});
