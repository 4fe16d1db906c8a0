//! The load generator: one thread, non-blocking sockets, a closed loop on every connection.
//!
//! It must outrun any server, so it parses nothing while it measures: all replies of a case have
//! one length, and counting bytes is enough once [`Load::verify`] has read the first ones in full.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use hdrhistogram::Histogram;
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::fd::OwnedFd;

use super::batch::{Batch, Keys, expected_reply};
use super::options::Case;

/// A server that says nothing for so long has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// Connections to one server, each with the pipeline of the case at hand.
pub(crate) struct Load {
    epoll: OwnedFd,
    links: Vec<Link>,
    buffer: Vec<u8>,
}

struct Link {
    stream: TcpStream,
    batch: Batch,
    /// How much of the batch has gone out.
    written: usize,
    /// How many bytes of replies are still to come.
    awaited: usize,
    /// When the batch began to go out; kept only when latency is asked for.
    sent_at: Option<Instant>,
}

/// One case, ready to be run over a [`Load`].
pub(crate) struct Work<'a> {
    pub(crate) case: Case,
    pub(crate) value: &'a [u8],
    pub(crate) keys: &'a mut Keys,
}

impl Load {
    /// Opens the connections.
    pub(crate) fn connect(port: u16, connections: usize) -> Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let mut links = Vec::new();
        for index in 0..connections {
            let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            // Edge-triggered: a link reads until it has all it awaits, so no edge is missed, and
            // no call is needed to say when it wants to write.
            let flags = epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::ET;
            epoll::add(&epoll, &stream, epoll::EventData::new_u64(index as u64), flags)?;
            let batch = Batch::new(super::options::Operation::Get, 0, b"");
            links.push(Link { stream, batch, written: 0, awaited: 0, sent_at: None });
        }
        Ok(Self { epoll, links, buffer: vec![0; 256 << 10] })
    }

    /// Lays the case's pipelines out, sends one over every connection and reads its replies byte
    /// for byte, unless `loading`: then the first replies are only counted.
    pub(crate) fn verify(&mut self, work: &mut Work<'_>) -> Result<()> {
        let Case { operation, depth } = work.case;
        let expected = expected_reply(operation, work.value).repeat(depth);
        let mut replies = vec![0; expected.len()];
        for link in &mut self.links {
            link.batch = Batch::new(operation, depth, work.value);
            link.batch.draw(work.keys);
            link.stream.set_nonblocking(false)?;
            link.stream.write_all(link.batch.bytes())?;
            link.stream.read_exact(&mut replies).context("reading the first replies")?;
            if replies != expected {
                let start = &replies[..replies.len().min(80)];
                bail!("wrong reply to {}: {}", work.case.name(), start.escape_ascii());
            }
            link.stream.set_nonblocking(true)?;
        }
        Ok(())
    }

    /// Sends `requests` commands (rounded up to whole pipelines) and awaits their replies. Returns
    /// how many there were and how long it took. [`Self::verify`] has laid the pipelines out.
    pub(crate) fn run(
        &mut self,
        work: &mut Work<'_>,
        requests: u64,
        mut latency: Option<&mut Histogram<u64>>,
    ) -> Result<(u64, Duration)> {
        let Case { operation, depth } = work.case;
        let reply = expected_reply(operation, work.value);
        let expect = Expect { bytes: reply.len() * depth, first: reply[0] };
        let batches = requests.div_ceil(depth as u64);
        let mut to_send = batches;
        let mut to_finish = batches;
        let start = Instant::now();
        for link in &mut self.links {
            if to_send > 0 {
                to_send -= 1;
                link.begin(work.keys, expect.bytes, latency.is_some())?;
            }
        }
        let mut events = Vec::with_capacity(self.links.len());
        while to_finish > 0 {
            wait(&self.epoll, &mut events)?;
            for event in events.drain(..) {
                let link = &mut self.links[event.data.u64() as usize];
                link.write()?;
                if link.awaited == 0 || !link.read(&mut self.buffer, &expect)? {
                    continue;
                }
                to_finish -= 1;
                if let (Some(histogram), Some(at)) = (latency.as_deref_mut(), link.sent_at) {
                    histogram.saturating_record(at.elapsed().as_nanos() as u64);
                }
                if to_send > 0 {
                    to_send -= 1;
                    link.begin(work.keys, expect.bytes, latency.is_some())?;
                }
            }
        }
        Ok((batches * depth as u64, start.elapsed()))
    }
}

/// What a whole pipeline is answered with.
struct Expect {
    bytes: usize,
    first: u8,
}

/// Spins until something happens. A generator that slept would have to be woken, and the server
/// would pay for that, most of all in a virtual machine; this core has nothing else to do.
fn wait(epoll: &OwnedFd, events: &mut Vec<epoll::Event>) -> Result<()> {
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    let mut since = None;
    loop {
        match epoll::wait(epoll, spare_capacity(events), Some(&at_once)) {
            Ok(0) => {}
            Ok(_) => return Ok(()),
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(error).context("waiting for replies"),
        }
        if since.get_or_insert_with(Instant::now).elapsed() > PATIENCE {
            bail!("no reply in {PATIENCE:?}: replies of another length, or a server that hangs");
        }
    }
}

impl Link {
    fn begin(&mut self, keys: &mut Keys, awaited: usize, timed: bool) -> Result<()> {
        self.batch.draw(keys);
        self.written = 0;
        self.awaited = awaited;
        self.sent_at = timed.then(Instant::now);
        self.write()
    }

    fn write(&mut self) -> Result<()> {
        while self.written < self.batch.bytes().len() && self.awaited > 0 {
            match self.stream.write(&self.batch.bytes()[self.written..]) {
                Ok(0) => bail!("the server closed a connection"),
                Ok(n) => self.written += n,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("sending"),
            }
        }
        Ok(())
    }

    /// Whether the last reply of the pipeline has come.
    fn read(&mut self, buffer: &mut [u8], expect: &Expect) -> Result<bool> {
        loop {
            match self.stream.read(buffer) {
                Ok(0) => bail!("the server closed a connection"),
                Ok(n) => {
                    let starts = self.awaited == expect.bytes;
                    if n > self.awaited || starts && buffer[0] != expect.first {
                        let start = &buffer[..n.min(80)];
                        bail!("an unexpected reply: {}", start.escape_ascii());
                    }
                    self.awaited -= n;
                    if self.awaited == 0 {
                        return Ok(true);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("receiving"),
            }
        }
    }
}
