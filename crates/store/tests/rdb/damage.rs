//! Damaged, foreign and hand-made data.

use super::{ALL, Model, items, keyspace, model, read, save};
use proptest::prelude::*;
use store::keyspace::Keyspace;
use store::rdb::payload::{self, PayloadError};
use store::rdb::{
    Checksum, Error, ErrorKind, Item, Limits, LoadError, LoadOptions, Loader, Reader, crc64, lzf,
};
use store::value::View;

/// A file of this version and body, with its end and checksum.
fn file(version: u32, body: &[u8]) -> Vec<u8> {
    let mut file = format!("REDIS{version:04}").into_bytes();
    file.extend_from_slice(body);
    file.push(255);
    if version >= 5 {
        file.extend_from_slice(&crc64::checksum(&file).to_le_bytes());
    }
    file
}

/// What comes of a file, the same however it is cut.
fn outcome(file: &[u8]) -> Result<Vec<Item>, Error> {
    let whole = items(file, &[usize::MAX]);
    let bytewise = items(file, &[1]);
    assert_eq!(format!("{whole:?}"), format!("{bytewise:?}"));
    whole
}

fn fault(file: &[u8]) -> ErrorKind {
    outcome(file).expect_err("this is damaged").kind
}

#[test]
fn every_truncation_is_noticed() {
    let mut model = Model::new();
    model.insert((0, b"12345".to_vec()), (b"-7".to_vec(), Some(5)));
    model.insert((1, b"packed".to_vec()), (b"abc".repeat(300), None));
    model.insert((2, b"plain".to_vec()), (super::noise(1, 500), Some(1 << 40)));
    let file = save(&mut keyspace(&model, false), ALL);
    for end in 0..file.len() {
        let error = outcome(&file[..end]).expect_err("cut off");
        assert_eq!(error, Error { kind: ErrorKind::Truncated, offset: end as u64 });
    }
    assert!(outcome(&file).is_ok());
}

/// Reads bytes of any kind, and minds the memory that it takes.
fn read_bounded(file: &[u8], cut: usize) -> Result<(), Error> {
    let mut reader = Reader::new(Limits::default());
    let mut arrived = 0;
    for piece in file.chunks(cut) {
        arrived += piece.len();
        let mut rest = piece;
        while reader.next(&mut rest)?.is_some() {}
        assert!(reader.held() <= 2 * arrived + 2 * 64 * 1024, "{} held", reader.held());
    }
    reader.finish()
}

/// Any byte, and more often one that means something to the format.
fn telling_byte() -> impl Strategy<Value = u8> {
    prop_oneof![any::<u8>(), 0u8..8, 240u8.., 0xC0u8..0xC5]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn flipped_bytes_are_noticed(
        model in model(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), 1u8..), 1..4),
        cut in 1usize..5000,
    ) {
        let sound = save(&mut keyspace(&model, false), ALL);
        let mut file = sound.clone();
        for (index, flip) in flips {
            file[index.index(sound.len())] ^= flip;
        }
        // Bytes after an end that a flip made are not the reader's to judge.
        let mut ends = 0;
        let mut reader = Reader::new(Limits::default());
        let mut rest = file.as_slice();
        let result = loop {
            match reader.next(&mut rest) {
                Ok(Some(Item::End { checksum: Checksum::Verified })) => ends += 1,
                Ok(Some(_)) => {}
                Ok(None) => break reader.finish(),
                Err(error) => break Err(error),
            }
        };
        prop_assert!(file == sound || result.is_err() || ends == 0, "a flip was not noticed");
        let _ = read_bounded(&file, cut);
    }

    #[test]
    fn any_bytes_are_survived(
        body in prop::collection::vec(telling_byte(), 0..400),
        version in 1u32..12,
        cut in 1usize..100,
    ) {
        let _ = read_bounded(&file(version, &body), cut);
        let _ = payload::decode(&body, Limits::default());
        let mut sealed = [&[0u8], body.as_slice(), &[10, 0]].concat();
        sealed.extend(crc64::checksum(&sealed).to_le_bytes());
        if let Err(error) = payload::decode(&sealed, Limits::default()) {
            prop_assert!(error != PayloadError::VersionOrChecksum);
        }
    }
}

#[test]
fn announced_lengths_take_no_memory() {
    for head in
        [&[0x80, 0xFF, 0xFF, 0xFF, 0xFF][..], &[0xC3, 0x80, 0x7F, 0, 0, 0, 0x80, 0x7F, 0, 0, 0]]
    {
        for place in [&[0u8][..], &[0, 1, b'k'], &[245], &[250], &[250, 1, b'k']] {
            let mut file = [b"REDIS0010", place, head].concat();
            file.extend([1; 10]);
            assert_eq!(read_bounded(&file, 7).unwrap_err().kind, ErrorKind::Truncated);
        }
    }
}

#[test]
fn versions() {
    for version in 1..=11 {
        let items = outcome(&file(version, b"")).unwrap();
        assert!(matches!(items[0], Item::Header { version: v } if v == version));
        let absent = matches!(items[1], Item::End { checksum: Checksum::Absent });
        assert_eq!(absent, version < 5, "version {version}");
    }
    assert_eq!(fault(b"REDIS0012\xFF"), ErrorKind::Version(12));
    assert_eq!(fault(b"REDIS0000\xFF"), ErrorKind::Version(0));
    for (header, version) in
        [(b"VALKEY081", 81), (b"VALKEY079", 79), (b"VALKEY011", 11), (b"REDIS0080", 80)]
    {
        assert_eq!(fault(&[&header[..], b"\xFF"].concat()), ErrorKind::Version(version));
    }
    for bad in [b"redis0010", b"REDIS001x", b"*3\r\n$3\r\nS"] {
        assert_eq!(fault(bad), ErrorKind::BadMagic);
    }
    let text = outcome(b"VALKEY081").unwrap_err().to_string();
    let wanted = "RDB version 81 cannot be read, only versions 1 to 11 and Valkey's 80 (at byte 9)";
    assert_eq!(text, wanted);
}

#[test]
fn a_file_of_valkey_holds_strings_and_names_what_is_not_read() {
    let file = |body: &[u8]| [b"VALKEY080", body, b"\xFF", &[0; 8]].concat();
    let items = outcome(&file(&[254, 1, 0, 1, b'k', 2, b'v', b'w'])).unwrap();
    assert!(matches!(items[0], Item::Header { version: 80 }));
    let Item::Key(key) = &items[2] else { panic!("no key: {:?}", items[2]) };
    assert_eq!((key.db, key.key.as_slice()), (1, &b"k"[..]));
    assert_eq!(key.value.clone().into_bytes(), b"vw");
    let fault = fault(&file(&[22, 1, b'h', 0]));
    let type_name = "hash (with expiring fields)";
    assert_eq!(fault, ErrorKind::UnsupportedType { type_name, key: b"h".to_vec() });
}

#[test]
fn all_that_may_stand_before_a_key() {
    let mut body = vec![254, 3, 251, 0x40, 200, 2];
    // A module's data: an unsigned 2 before, then each kind once.
    body.extend([247, 0x81, 1, 2, 3, 4, 5, 6, 7, 8, 2, 1]);
    body.extend([1, 9, 2, 9, 3, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 5, 3, b'a', b'b', b'c', 0]);
    body.extend([245, 4, b'#', b'!', b'l', b'u', 244, 1, 2, 3]);
    // Expiry in seconds, frequency and idle time in either order.
    body.extend([253, 2, 0, 0, 0, 249, 77, 248, 0x40, 100, 0, 1, b'a', 0xC1, 0x18, 0xFC]);
    body.extend([248, 5, 249, 6, 252, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0xC0, 0xFF, 0xC2, 0, 0, 0, 0x80]);
    body.extend([252, 255, 255, 255, 255, 255, 255, 255, 255, 0, 1, b'b', 0]);
    body.extend([253, 0, 0, 0, 0x80, 0, 1, b'c', 0]);
    let mut told = vec![];
    for item in outcome(&file(9, &body)).unwrap() {
        told.push(match item {
            Item::Key(k) => {
                let key = String::from_utf8(k.key).unwrap();
                let value = String::from_utf8(k.value.into_bytes()).unwrap();
                format!("{} {key}={value} {:?} {:?} {:?}", k.db, k.expires, k.idle, k.freq)
            }
            item => format!("{item:?}"),
        });
    }
    let want = [
        "Header { version: 9 }",
        "SelectDb(3)",
        "ResizeDb { keys: 200, volatile: 2 }",
        "Function([35, 33, 108, 117])",
        "3 a=-1000 Some(2000) Some(100) Some(77)",
        "3 -1=-2147483648 Some(9) Some(5) Some(6)",
        "3 b= None None None",
        "3 c= Some(0) None None",
        "End { checksum: Verified }",
    ];
    assert_eq!(told, want);
}

#[test]
fn faults_say_what_they_are() {
    let cases: [(&[u8], ErrorKind); 9] = [
        (&[4, 1, b'h', 0], ErrorKind::UnsupportedType { type_name: "hash", key: b"h".to_vec() }),
        (&[8], ErrorKind::UnknownOpcode(8)),
        (&[23], ErrorKind::UnknownOpcode(23)),
        (&[243], ErrorKind::UnknownOpcode(243)),
        (&[246, 0], ErrorKind::UnsupportedFunction),
        (&[254, 0xC0, 1], ErrorKind::BadLength),
        (&[0, 0x82, 1], ErrorKind::BadLength),
        (&[0, 0xC4, 1], ErrorKind::BadEncoding(4)),
        (&[0, 0xC3, 2, 3, 0, b'a'], ErrorKind::BadLzf),
    ];
    for (body, want) in cases {
        assert_eq!(fault(&file(10, body)), want);
    }
    let mut wrong = file(10, &[0, 1, b'k', 1, b'v']);
    let last = wrong.len() - 1;
    let got = u64::from_le_bytes(wrong[last - 7..].try_into().unwrap());
    wrong[last] ^= 0x80;
    let want = ErrorKind::Checksum { expected: got, got: got ^ 1 << 63 };
    assert_eq!(fault(&wrong), want);
    let hash = outcome(&file(10, &[4, 1, b'\n', 0])).unwrap_err().to_string();
    assert_eq!(hash, "key \"\\n\" is a hash, not supported (at byte 12)");
    let mut reader = Reader::new(Limits { string: 3 });
    let bytes = file(10, &[0, 1, b'k', 4, 1, 2, 3, 4]);
    let mut rest = bytes.as_slice();
    while let Ok(Some(_)) = reader.next(&mut rest) {}
    assert_eq!(reader.finish().unwrap_err().kind, ErrorKind::BadLength);
}

#[test]
fn what_does_not_fit_the_keyspace_is_refused() {
    let mut keyspace = Keyspace::new(2, false, [1; 16]);
    let mut loader = Loader::new(LoadOptions::default());
    let mut result = Ok(());
    let twice = file(10, &[0, 1, b'k', 1, b'v', 0, 1, b'k', 1, b'w']);
    read(&twice, &[9], |item, _| {
        if result.is_ok() {
            result = loader.load(item, &mut keyspace);
        }
    })
    .unwrap();
    assert_eq!(result, Err(LoadError::Duplicate { db: 0, key: b"k".to_vec() }));
    let far = loader.load(Item::SelectDb(2), &mut keyspace);
    assert_eq!(far, Err(LoadError::NoDatabase { db: 2, databases: 2 }));
    assert_eq!(loader.keys_loaded(), 1);
}

#[test]
fn payloads_come_back_and_damage_is_noticed() {
    let long = super::noise(5, 300_000);
    let packed = b"ab".repeat(400);
    let mut compressor = lzf::Compressor::new();
    let views = [
        View::Int(5),
        View::Int(i64::MIN),
        View::Bytes(b""),
        View::Bytes(&packed),
        View::Bytes(&long),
    ];
    for view in views {
        let payload = payload::encode(view, Some(&mut compressor)).to_vec();
        let loaded = payload::decode(&payload, Limits::default()).unwrap();
        assert!(loaded.into_bytes() == view.to_vec());
        for at in (0..payload.len()).step_by(payload.len() / 20 + 1) {
            let mut wrong = payload.clone();
            wrong[at] ^= 1;
            let error = payload::decode(&wrong, Limits::default()).unwrap_err();
            assert_eq!(error, PayloadError::VersionOrChecksum);
            assert!(payload::decode(&payload[..at], Limits::default()).is_err());
        }
    }
    assert!(payload::encode(View::Bytes(&packed), Some(&mut compressor)).len() < 50);
    let seal = |body: &[u8], version: u8| {
        let mut bytes = [body, &[version, 0]].concat();
        bytes.extend(crc64::checksum(&bytes).to_le_bytes());
        payload::decode(&bytes, Limits::default())
    };
    for known in [1, 10, 11, 80] {
        assert!(seal(&[0, 1, b'x'], known).is_ok());
    }
    for unknown in [0, 12, 79, 81] {
        let error = seal(&[0, 1, b'x'], unknown).unwrap_err();
        assert_eq!(error, PayloadError::VersionOrChecksum);
    }
    let kind = |result: Result<_, PayloadError>| match result {
        Err(PayloadError::Format(error)) => error.kind,
        _ => panic!("no fault of the format"),
    };
    assert_eq!(kind(seal(&[0, 1, b'x', 0], 10)), ErrorKind::TrailingBytes);
    assert_eq!(kind(seal(&[0, 2, b'x'], 10)), ErrorKind::Truncated);
    assert_eq!(kind(seal(&[99, 2, b'x'], 10)), ErrorKind::UnknownOpcode(99));
}
