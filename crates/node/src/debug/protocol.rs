//! DEBUG PROTOCOL: a sample of each type that replies can have.

use wire::reply::{Protocol, Reply};

const KINDS: &str =
    "string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false";

/// Answers a value of this kind.
pub(super) fn answer(kind: &[u8], reply: &mut Reply<'_>) {
    match &*kind.to_ascii_lowercase() {
        b"string" => reply.bulk(b"Hello World"),
        b"integer" => reply.integer(12345),
        b"double" => reply.double(3141.0 / 1000.0),
        b"null" => reply.null(),
        b"array" => {
            reply.array(3);
            (0..3).for_each(|n| reply.integer(n));
        }
        b"set" => {
            reply.set(3);
            (0..3).for_each(|n| reply.integer(n));
        }
        b"map" => {
            reply.map(3);
            for n in 0..3 {
                reply.integer(n);
                reply.boolean(n == 1);
            }
        }
        b"attrib" => {
            if reply.attribute(1) {
                reply.bulk(b"key-popularity");
                reply.array(2);
                reply.bulk(b"key:123");
                reply.integer(90);
            }
            // An attribute goes before a reply, and is none by itself.
            reply.bulk(b"Some real reply following the attribute");
        }
        b"push" => {
            if reply.protocol() == Protocol::Resp2 {
                return reply.error("ERR RESP2 is not supported by this command");
            }
            reply.push(2);
            reply.bulk(b"server-cpu-usage");
            reply.integer(42);
        }
        b"true" => reply.boolean(true),
        b"false" => reply.boolean(false),
        b"verbatim" => reply.verbatim(*b"txt", b"This is a verbatim\nstring"),
        b"bignum" => reply.big_number("1234567999999999999999999999999999999"),
        _ => reply.error(&format!(
            "ERR Wrong protocol type name. Please use one of the following: {KINDS}"
        )),
    }
}
