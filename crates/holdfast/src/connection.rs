//! A blocking RESP connection for the tools: one request, one reply, in bounded time.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};
use wire::number;
use wire::value::{Value, decode};

/// See the module's documentation.
pub(crate) struct Connection {
    stream: Stream,
    input: Vec<u8>,
    frame: Frame,
}

/// How far the reply at the front of the input has been looked through: a long one comes in many
/// pieces, and is decoded once.
struct Frame {
    at: usize,
    /// Values that are still to come.
    pending: u64,
}

/// What a connection goes over.
enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Stream {
    fn set_read_timeout(&self, timeout: Duration) -> io::Result<()> {
        match self {
            Stream::Tcp(stream) => stream.set_read_timeout(Some(timeout)),
            Stream::Unix(stream) => stream.set_read_timeout(Some(timeout)),
        }
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Stream::Tcp(stream) => stream.write_all(bytes),
            Stream::Unix(stream) => stream.write_all(bytes),
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.read(buffer),
            Stream::Unix(stream) => stream.read(buffer),
        }
    }
}

impl Connection {
    /// Connects within `timeout`, which also bounds each later reply.
    pub(crate) fn open(address: (&str, u16), timeout: Duration) -> io::Result<Self> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name resolves to no address");
        for address in address.to_socket_addrs()? {
            match Connection::to(address, timeout) {
                Ok(connection) => return Ok(connection),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn to(address: SocketAddr, timeout: Duration) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, timeout)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(timeout))?;
        stream.set_write_timeout(Some(timeout))?;
        Ok(Connection { stream: Stream::Tcp(stream), input: Vec::new(), frame: Frame::NEW })
    }

    /// Connects to a server's Unix socket; `timeout` bounds each later reply.
    pub(crate) fn local(path: &str, timeout: Duration) -> io::Result<Self> {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(timeout))?;
        stream.set_write_timeout(Some(timeout))?;
        Ok(Connection { stream: Stream::Unix(stream), input: Vec::new(), frame: Frame::NEW })
    }

    /// The socket, for one who goes on without this: between two replies. None: it is a Unix one.
    pub(crate) fn into_tcp(self) -> Option<TcpStream> {
        match self.stream {
            Stream::Tcp(stream) => Some(stream),
            Stream::Unix(_) => None,
        }
    }

    /// Bounds each later reply by another time.
    pub(crate) fn set_timeout(&mut self, timeout: Duration) -> io::Result<()> {
        self.stream.set_read_timeout(timeout)
    }

    /// Sends a request and waits for its reply; pushes in between are dropped.
    pub(crate) fn call(&mut self, words: &[&[u8]]) -> io::Result<Value> {
        self.send(words)?;
        self.receive()
    }

    /// Sends a request.
    pub(crate) fn send(&mut self, words: &[&[u8]]) -> io::Result<()> {
        let mut request = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            request.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
            request.extend_from_slice(word);
            request.extend_from_slice(b"\r\n");
        }
        self.stream.write_all(&request)
    }

    /// Waits for a reply.
    pub(crate) fn receive(&mut self) -> io::Result<Value> {
        loop {
            if !self.frame.is_whole(&self.input) {
                self.read_more()?;
                continue;
            }
            let decoded = decode(&self.input).map_err(|error| {
                io::Error::new(io::ErrorKind::InvalidData, format!("not a reply: {error}"))
            })?;
            match decoded {
                Some((value, taken)) => {
                    self.input.drain(..taken);
                    self.frame = Frame::NEW;
                    if !matches!(value, Value::Push(_)) {
                        return Ok(value);
                    }
                }
                None => self.read_more()?,
            }
        }
    }

    fn read_more(&mut self) -> io::Result<()> {
        let mut buffer = [0; 16 * 1024];
        match self.stream.read(&mut buffer)? {
            0 => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "Server closed the connection")),
            n => {
                self.input.extend_from_slice(&buffer[..n]);
                Ok(())
            }
        }
    }
}

impl Frame {
    const NEW: Frame = Frame { at: 0, pending: 1 };

    /// Looks on in the input; whether it holds a whole reply, or something that is none.
    fn is_whole(&mut self, input: &[u8]) -> bool {
        while self.pending > 0 {
            let rest = &input[self.at..];
            let Some(end) = rest.iter().position(|byte| *byte == b'\n') else { return false };
            let head = rest[..end].trim_ascii_end();
            let Some((kind, count)) = head.split_first() else { return true };
            let count = number::parse_i64(count).and_then(|count| u64::try_from(count).ok());
            let mut size = end + 1;
            self.pending -= 1;
            match (kind, count) {
                (b'$' | b'=' | b'!', Some(len)) => {
                    size = size.saturating_add(len as usize).saturating_add(2);
                    if rest.len() < size {
                        self.pending += 1;
                        return false;
                    }
                }
                (b'*' | b'~' | b'>', Some(count)) => {
                    self.pending = self.pending.saturating_add(count);
                }
                (b'%', Some(count)) => {
                    self.pending = self.pending.saturating_add(count.saturating_mul(2));
                }
                // An attribute comes before the value that it is about.
                (b'|', Some(count)) => {
                    self.pending = self.pending.saturating_add(count.saturating_mul(2));
                    self.pending = self.pending.saturating_add(1);
                }
                _ => {}
            }
            self.at += size;
        }
        true
    }
}

/// The text of a reply, whatever its type; an error reply is an error.
pub(crate) fn text(value: Value) -> Result<String, String> {
    let lossy = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    match value {
        Value::Simple(bytes) | Value::Bulk(bytes) | Value::Verbatim { text: bytes, .. } => {
            Ok(lossy(bytes))
        }
        Value::Integer(n) => Ok(n.to_string()),
        Value::Error(bytes) => Err(lossy(bytes)),
        other => Err(format!("an unexpected reply: {other:?}")),
    }
}

/// Asks again until `done` or the time is over; whether it was done.
pub(crate) fn wait_until(limit: Duration, mut done: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + limit;
    loop {
        if done() {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_whole_when_it_can_be_decoded() {
        for reply in [
            "+OK\r\n",
            "-ERR x\r\n",
            ":12\r\n",
            "$3\r\na\nb\r\n",
            "$-1\r\n",
            "*-1\r\n",
            "*0\r\n",
            "_\r\n",
            "*3\r\n:1\r\n*2\r\n$0\r\n\r\n+b\r\n$1\r\nc\r\n",
            "%2\r\n+a\r\n:1\r\n+b\r\n~1\r\n#t\r\n",
            ">2\r\n+message\r\n,1.5\r\n",
            "|1\r\n+a\r\n*1\r\n:1\r\n$2\r\nok\r\n",
            "=7\r\ntxt:abc\r\n",
        ] {
            let mut frame = Frame::NEW;
            for end in 0..=reply.len() {
                let input = &reply.as_bytes()[..end];
                let decoded = decode(input).expect("a reply").is_some();
                assert_eq!(frame.is_whole(input), decoded, "{reply:?} up to {end}");
            }
        }
        let mut frame = Frame::NEW;
        assert!(frame.is_whole(b"\r\n"));
    }
}
