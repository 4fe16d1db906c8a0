//! Taking RDB apart.

mod fields;
mod text;

use super::crc64::Crc64;
use super::error::{Error, ErrorKind};
use super::format::{CHECKSUM_SINCE, NEWEST_READABLE, STRING, VALKEY, module, opcode, type_name};
use crate::value::{Big, New, View};
pub(super) use fields::Fields;
pub(super) use text::Target;

/// What a reader accepts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// The longest string, in bytes.
    pub string: usize,
}

impl Default for Limits {
    /// 4 GiB less one: what the keyspace can hold.
    fn default() -> Self {
        Limits { string: u32::MAX as usize }
    }
}

impl Limits {
    fn check(self, len: u64) -> Result<usize, ErrorKind> {
        usize::try_from(len).ok().filter(|&len| len <= self.string).ok_or(ErrorKind::BadLength)
    }
}

/// A value as it was read.
#[derive(Clone, Debug)]
pub enum Loaded {
    /// A string that was written as an integer.
    Int(i64),
    /// A string.
    Bytes(Vec<u8>),
    /// A string of more than [`INLINE_MAX`](crate::value::INLINE_MAX) bytes.
    Big(Big),
}

impl Loaded {
    /// For storing, in the smallest form.
    pub fn as_new(&self) -> New<'_> {
        match self {
            Loaded::Int(n) => New::Int(*n),
            Loaded::Bytes(bytes) => New::string(bytes),
            Loaded::Big(big) => New::Big(big.clone()),
        }
    }

    /// The string as one run of bytes.
    pub fn into_bytes(self) -> Vec<u8> {
        match self {
            Loaded::Int(n) => itoa::Buffer::new().format(n).as_bytes().to_vec(),
            Loaded::Bytes(bytes) => bytes,
            Loaded::Big(big) => View::Big(&big).to_vec(),
        }
    }
}

/// Something read.
#[derive(Clone, Debug)]
pub enum Item {
    /// The format's version.
    Header {
        /// From 1 to [`NEWEST_READABLE`], or Valkey's 80.
        version: u32,
    },
    /// An auxiliary field, such as `redis-ver`.
    Aux {
        /// Name.
        key: Vec<u8>,
        /// Value; numbers as text.
        value: Vec<u8>,
    },
    /// The following keys belong to this database.
    SelectDb(u32),
    /// The database holds about as many keys; not to be trusted.
    ResizeDb {
        /// Keys.
        keys: u64,
        /// Keys with an expiry.
        volatile: u64,
    },
    /// A key.
    Key(KeyItem),
    /// The text of a function library.
    Function(Vec<u8>),
    /// The end; the reader takes no further byte.
    End {
        /// What is known of the data's soundness.
        checksum: Checksum,
    },
}

/// A key that was read.
#[derive(Clone, Debug)]
pub struct KeyItem {
    /// Database.
    pub db: u32,
    /// Key.
    pub key: Vec<u8>,
    /// Expiry in Unix milliseconds.
    pub expires: Option<u64>,
    /// Idle time in seconds, if it was written.
    pub idle: Option<u64>,
    /// Logarithmic access frequency, if it was written.
    pub freq: Option<u8>,
    /// Value.
    pub value: Loaded,
}

/// What the checksum said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Checksum {
    /// It is right.
    Verified,
    /// There is none: the version has none, or the writer left it out.
    Absent,
}

/// Reads an RDB file of any version up to [`NEWEST_READABLE`], or Valkey's 80, cut anywhere.
///
/// Its memory is bounded by the bytes that have come (twice, while a string grows), not by the
/// lengths that they announce.
pub struct Reader {
    fields: Fields,
    state: State,
    crc: Crc64,
    offset: u64,
    version: u32,
    db: u32,
    expires: Option<u64>,
    idle: Option<u64>,
    freq: Option<u8>,
    failed: Option<Error>,
}

/// What comes next.
enum State {
    Magic,
    Opcode,
    AuxName,
    AuxValue(Vec<u8>),
    Database,
    Keys,
    Volatile {
        keys: u64,
    },
    ExpiresSeconds,
    ExpiresMillis,
    Idle,
    Freq,
    Key(u8),
    Value(Vec<u8>),
    Function,
    /// So many lengths of no interest.
    Lengths(u8),
    Module(Module),
    Checksum,
    Done,
}

/// Data of a module, passed over.
#[derive(Clone, Copy)]
enum Module {
    Id,
    WhenOpcode,
    When,
    Opcode,
    Number,
    Float,
    Double,
    Text,
}

/// How a step ended.
enum Step {
    /// Before the field was whole.
    Starved,
    /// Go on with this.
    Next(State),
    /// As `Next(Opcode)`, with something to tell.
    Item(Item),
}

impl Reader {
    /// One that has read nothing.
    pub fn new(limits: Limits) -> Self {
        Reader {
            fields: Fields::new(limits),
            state: State::Magic,
            crc: Crc64::new(),
            offset: 0,
            version: 0,
            db: 0,
            expires: None,
            idle: None,
            freq: None,
            failed: None,
        }
    }

    /// The next item, or `None` when all of `input` has been taken first or the end has been
    /// read. What has been taken is cut off from `input`.
    ///
    /// # Errors
    /// When the data is damaged or not supported; the same again when called again.
    pub fn next(&mut self, input: &mut &[u8]) -> Result<Option<Item>, Error> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let before = *input;
        let result = self.steps(input);
        self.offset += (before.len() - input.len()) as u64;
        result.map_err(|kind| {
            let error = Error { kind, offset: self.offset };
            self.failed = Some(error.clone());
            error
        })
    }

    /// To be called when no more bytes will come.
    ///
    /// # Errors
    /// When the end has not been read.
    pub fn finish(&self) -> Result<(), Error> {
        match (&self.failed, &self.state) {
            (Some(error), _) => Err(error.clone()),
            (None, State::Done) => Ok(()),
            _ => Err(Error { kind: ErrorKind::Truncated, offset: self.offset }),
        }
    }

    /// How many bytes have been taken.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Bytes of memory held for a string of which more is to come.
    pub fn held(&self) -> usize {
        self.fields.held()
    }

    fn steps(&mut self, input: &mut &[u8]) -> Result<Option<Item>, ErrorKind> {
        let before = *input;
        let mut item = None;
        while item.is_none() && !matches!(self.state, State::Checksum | State::Done) {
            self.state = match self.step(input)? {
                Step::Starved => break,
                Step::Next(state) => state,
                Step::Item(new) => {
                    item = Some(new);
                    State::Opcode
                }
            };
        }
        self.crc.update(&before[..before.len() - input.len()]);
        if matches!(self.state, State::Checksum) && item.is_none() {
            item = self.checksum(input)?;
        }
        Ok(item)
    }

    /// The end. Its checksum covers all before, not itself.
    fn checksum(&mut self, input: &mut &[u8]) -> Result<Option<Item>, ErrorKind> {
        let mut got = 0;
        if self.version >= CHECKSUM_SINCE {
            let Some(bytes) = self.fields.array(input) else { return Ok(None) };
            got = u64::from_le_bytes(bytes);
        }
        let expected = self.crc.value();
        let checksum = if got == 0 { Checksum::Absent } else { Checksum::Verified };
        if got != 0 && got != expected {
            return Err(ErrorKind::Checksum { expected, got });
        }
        self.state = State::Done;
        Ok(Some(Item::End { checksum }))
    }

    fn step(&mut self, input: &mut &[u8]) -> Result<Step, ErrorKind> {
        let state = std::mem::replace(&mut self.state, State::Done);
        match state {
            State::Key(kind) => self.key(kind, input),
            State::Value(key) => self.value(key, input),
            State::Magic => match self.fields.array(input) {
                None => Ok(self.starved(state)),
                Some(magic) => self.header(magic),
            },
            State::Opcode => match self.fields.array(input) {
                None => Ok(self.starved(state)),
                Some([code]) => operation(code).map(Step::Next),
            },
            State::AuxName | State::AuxValue(_) | State::Function => self.text(state, input),
            State::ExpiresSeconds | State::ExpiresMillis | State::Freq => {
                Ok(self.fixed(state, input))
            }
            State::Module(part) => self.module(part, input),
            State::Checksum | State::Done => Ok(self.starved(state)),
            State::Database
            | State::Keys
            | State::Volatile { .. }
            | State::Idle
            | State::Lengths(_) => match self.fields.number(input)? {
                None => Ok(self.starved(state)),
                Some(n) => self.number(state, n),
            },
        }
    }

    fn starved(&mut self, state: State) -> Step {
        self.state = state;
        Step::Starved
    }

    fn header(&mut self, magic: [u8; 9]) -> Result<Step, ErrorKind> {
        let (redis, valkey) = (magic.strip_prefix(b"REDIS"), magic.strip_prefix(b"VALKEY"));
        let known = if redis.is_some() { 1..=NEWEST_READABLE } else { VALKEY..=VALKEY };
        let digits = redis.or(valkey);
        let digits = digits.filter(|digits| digits.iter().all(u8::is_ascii_digit));
        let digits = digits.ok_or(ErrorKind::BadMagic)?;
        let version = digits.iter().fold(0, |n, digit| n * 10 + u32::from(digit - b'0'));
        if !known.contains(&version) {
            return Err(ErrorKind::Version(version));
        }
        self.version = version;
        Ok(Step::Item(Item::Header { version }))
    }

    /// Fields that are a number in the form of a length.
    fn number(&mut self, state: State, n: u64) -> Result<Step, ErrorKind> {
        Ok(match state {
            State::Database => {
                self.db = u32::try_from(n).map_err(|_| ErrorKind::BadLength)?;
                Step::Item(Item::SelectDb(self.db))
            }
            State::Keys => Step::Next(State::Volatile { keys: n }),
            State::Volatile { keys } => Step::Item(Item::ResizeDb { keys, volatile: n }),
            State::Lengths(left @ 2..) => Step::Next(State::Lengths(left - 1)),
            State::Idle => {
                self.idle = Some(n);
                Step::Next(State::Opcode)
            }
            _ => Step::Next(State::Opcode),
        })
    }

    /// Fields of a fixed size.
    fn fixed(&mut self, state: State, input: &mut &[u8]) -> Step {
        let done = match state {
            State::ExpiresSeconds => self.fields.array(input).map(|bytes| {
                self.expires = expiry(i64::from(i32::from_le_bytes(bytes)).saturating_mul(1000));
            }),
            State::ExpiresMillis => self.fields.array(input).map(|bytes| {
                self.expires = expiry(i64::from_le_bytes(bytes));
            }),
            _ => self.fields.array(input).map(|[freq]| self.freq = Some(freq)),
        };
        match done {
            None => self.starved(state),
            Some(()) => Step::Next(State::Opcode),
        }
    }

    /// Fields that are a string.
    fn text(&mut self, state: State, input: &mut &[u8]) -> Result<Step, ErrorKind> {
        let Some(text) = self.fields.text(Target::Bytes, input)? else {
            return Ok(self.starved(state));
        };
        let text = text.into_bytes();
        Ok(match state {
            State::AuxName => Step::Next(State::AuxValue(text)),
            State::AuxValue(key) => Step::Item(Item::Aux { key, value: text }),
            _ => Step::Item(Item::Function(text)),
        })
    }

    fn key(&mut self, kind: u8, input: &mut &[u8]) -> Result<Step, ErrorKind> {
        let Some(key) = self.fields.text(Target::Bytes, input)? else {
            return Ok(self.starved(State::Key(kind)));
        };
        let key = key.into_bytes();
        match type_name(kind) {
            _ if kind == STRING => self.value(key, input),
            Some(type_name) => Err(ErrorKind::UnsupportedType { type_name, key }),
            None => Err(ErrorKind::UnknownOpcode(kind)),
        }
    }

    fn value(&mut self, key: Vec<u8>, input: &mut &[u8]) -> Result<Step, ErrorKind> {
        let Some(value) = self.fields.text(Target::Value, input)? else {
            return Ok(self.starved(State::Value(key)));
        };
        let (expires, idle, freq) = (self.expires.take(), self.idle.take(), self.freq.take());
        Ok(Step::Item(Item::Key(KeyItem { db: self.db, key, expires, idle, freq, value })))
    }

    fn module(&mut self, part: Module, input: &mut &[u8]) -> Result<Step, ErrorKind> {
        let number = match part {
            Module::Float => self.fields.array::<4>(input).map(|_| 0),
            Module::Double => self.fields.array::<8>(input).map(|_| 0),
            Module::Text => self.fields.text(Target::Nothing, input)?.map(|_| 0),
            _ => self.fields.number(input)?,
        };
        let Some(number) = number else { return Ok(self.starved(State::Module(part))) };
        Ok(Step::Next(State::Module(match part {
            Module::Id => Module::WhenOpcode,
            Module::WhenOpcode if number == module::UNSIGNED => Module::When,
            Module::Opcode => match number {
                module::END => return Ok(Step::Next(State::Opcode)),
                module::SIGNED | module::UNSIGNED => Module::Number,
                module::FLOAT => Module::Float,
                module::DOUBLE => Module::Double,
                module::STRING => Module::Text,
                _ => return Err(ErrorKind::BadLength),
            },
            Module::WhenOpcode => return Err(ErrorKind::BadLength),
            _ => Module::Opcode,
        })))
    }
}

fn operation(code: u8) -> Result<State, ErrorKind> {
    Ok(match code {
        opcode::SLOT_INFO => State::Lengths(3),
        opcode::FUNCTION => State::Function,
        opcode::FUNCTION_PRE_RELEASE => return Err(ErrorKind::UnsupportedFunction),
        opcode::MODULE_AUX => State::Module(Module::Id),
        opcode::IDLE => State::Idle,
        opcode::FREQ => State::Freq,
        opcode::AUX => State::AuxName,
        opcode::RESIZE_DB => State::Keys,
        opcode::EXPIRES_MS => State::ExpiresMillis,
        opcode::EXPIRES_S => State::ExpiresSeconds,
        opcode::SELECT_DB => State::Database,
        opcode::END => State::Checksum,
        code if type_name(code).is_some() => State::Key(code),
        code => return Err(ErrorKind::UnknownOpcode(code)),
    })
}

/// Redis counts expiries signed: -1 is none, and all before 1970 is long past.
fn expiry(millis: i64) -> Option<u64> {
    (millis != -1).then(|| u64::try_from(millis).unwrap_or(0))
}
