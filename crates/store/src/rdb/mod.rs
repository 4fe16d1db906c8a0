//! The saved form: Redis's RDB format.
//!
//! [`Encoder`] makes it of a snapshot's portions, [`Reader`] takes it apart wherever the bytes
//! happen to be cut, and [`Loader`] puts what was read into a keyspace. [`payload`] is the form of
//! a single value that DUMP and RESTORE exchange. Everything written is version [`VERSION`], which
//! Redis 7.0 and all later ones read.
//!
//! Nothing here knows a file, a socket or a clock.

pub mod crc64;
mod encoded;
mod encoder;
mod error;
mod format;
mod load;
pub mod lzf;
pub mod payload;
mod reader;
mod text;

pub use encoded::{Encoded, Piece};
pub use encoder::{Encoder, Options, Sizes, Usage};
pub use error::{Error, ErrorKind};
pub use format::{NEWEST_READABLE, VERSION};
pub use load::{LoadError, LoadOptions, Loader};
pub use reader::{Checksum, Item, KeyItem, Limits, Loaded, Reader};
