//! A pipeline of equal commands, of which only the keys change between two sendings.
//!
//! Building requests must cost the generator next to nothing: a batch is laid out once, and before
//! each sending twelve digits are written over in every command.

use super::options::Operation;

/// `key:` and twelve digits.
const KEY_BYTES: usize = 16;

/// One connection's pipeline.
pub(crate) struct Batch {
    bytes: Vec<u8>,
    /// Distance between two commands.
    stride: usize,
    /// Where the first command's digits begin.
    digits_at: usize,
}

impl Batch {
    /// Lays out `depth` commands, all on key 0 until [`Self::draw`].
    pub(crate) fn new(operation: Operation, depth: usize, value: &[u8]) -> Self {
        let mut command = match operation {
            Operation::Set => b"*3\r\n$3\r\nSET\r\n".to_vec(),
            Operation::Get => b"*2\r\n$3\r\nGET\r\n".to_vec(),
        };
        command.extend_from_slice(format!("${KEY_BYTES}\r\nkey:").as_bytes());
        let digits_at = command.len();
        command.extend_from_slice(b"000000000000\r\n");
        if operation == Operation::Set {
            command.extend_from_slice(format!("${}\r\n", value.len()).as_bytes());
            command.extend_from_slice(value);
            command.extend_from_slice(b"\r\n");
        }
        Self { bytes: command.repeat(depth), stride: command.len(), digits_at }
    }

    /// Gives every command its next key.
    pub(crate) fn draw(&mut self, keys: &mut Keys) {
        for command in self.bytes.chunks_exact_mut(self.stride) {
            let (high, low) = keys.draw();
            // Keys below 10^8: the first four digits stay zero.
            command[self.digits_at + 4..self.digits_at + 8].copy_from_slice(&high);
            command[self.digits_at + 8..self.digits_at + 12].copy_from_slice(&low);
        }
    }

    /// What goes out.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// The reply to one command of this operation, once every key is loaded with this value.
pub(crate) fn expected_reply(operation: Operation, value: &[u8]) -> Vec<u8> {
    match operation {
        Operation::Set => b"+OK\r\n".to_vec(),
        Operation::Get => {
            let mut reply = format!("${}\r\n", value.len()).into_bytes();
            reply.extend_from_slice(value);
            reply.extend_from_slice(b"\r\n");
            reply
        }
    }
}

/// The value all keys get: printable, without a pattern that an encoder could shorten.
pub(crate) fn value(size: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15;
    (0..size).map(|_| b'!' + (next(&mut state) >> 33) as u8 % 90).collect()
}

/// Where the keys of a run come from.
pub(crate) struct Keys {
    order: Order,
    count: u64,
    quads: Vec<[u8; 4]>,
}

enum Order {
    /// Uniform draws.
    Random { state: u64 },
    /// Each key once, in scattered order.
    Each { position: u64 },
}

impl Keys {
    /// Draws uniformly from `count` keys.
    pub(crate) fn random(count: u64, seed: u64) -> Self {
        Self::new(count, Order::Random { state: seed })
    }

    /// Goes through all `count` keys in a scattered order, then begins again.
    pub(crate) fn each(count: u64) -> Self {
        Self::new(count, Order::Each { position: 0 })
    }

    fn new(count: u64, order: Order) -> Self {
        assert!((1..100_000_000).contains(&count), "between 1 and 10^8 keys");
        let quad = |n: u32| {
            let digit = |unit: u32| b'0' + (n / unit % 10) as u8;
            [digit(1000), digit(100), digit(10), digit(1)]
        };
        Self { order, count, quads: (0..10_000).map(quad).collect() }
    }

    /// The last eight digits of the next key, in two halves.
    fn draw(&mut self) -> ([u8; 4], [u8; 4]) {
        let key = match &mut self.order {
            Order::Random { state } => {
                ((u128::from(next(state)) * u128::from(self.count)) >> 64) as u64
            }
            Order::Each { position } => {
                // A prime above every count: the multiples of it, modulo the count, are all keys.
                let key = *position % self.count * 2_654_435_761 % self.count;
                *position += 1;
                key
            }
        };
        (self.quads[(key / 10_000) as usize], self.quads[(key % 10_000) as usize])
    }
}

/// SplitMix64: a draw costs a nanosecond, and any seed will do.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_key_comes_once() {
        let mut keys = Keys::each(10_007);
        let drawn: BTreeSet<_> = (0..10_007).map(|_| keys.draw()).collect();
        assert_eq!(drawn.len(), 10_007);
    }

    #[test]
    fn a_batch_is_commands_on_drawn_keys() {
        let mut batch = Batch::new(Operation::Set, 2, b"xy");
        batch.draw(&mut Keys::each(1));
        let one = "*3\r\n$3\r\nSET\r\n$16\r\nkey:000000000000\r\n$2\r\nxy\r\n";
        assert_eq!(batch.bytes(), one.repeat(2).as_bytes());
    }
}
