//! Answers every inline or array command with `+PONG`: what the driver alone costs.
use machine::{Action, ConnId, Event, Instant, ListenOn, Machine, Now, Out, Token};
use shell::{Driver, Options};

struct Pong;

impl Machine for Pong {
    fn handle(&mut self, _: Now, event: Event<'_>, out: &mut Out) {
        match event {
            Event::Started => {
                let port = std::env::args().nth(1).and_then(|p| p.parse().ok()).unwrap_or(0);
                let on = ListenOn::Tcp(([127, 0, 0, 1], port).into());
                out.act(Action::Listen { token: Token(0), on, backlog: 511 });
            }
            Event::Listening { address: Some(address), .. } => println!("{address}"),
            Event::Received { conn, bytes } => answer(conn, bytes, out),
            _ => {}
        }
    }

    fn deadline(&self) -> Option<Instant> {
        None
    }
}

/// Good enough for a load generator's pings: `*1\r\n$4\r\nPING\r\n` or a line.
fn answer(conn: ConnId, bytes: &[u8], out: &mut Out) {
    let mut reply = out.take_reply(conn);
    let before = reply.len();
    let mut at = 0;
    while at < bytes.len() {
        let array = bytes[at] == b'*' && bytes.len() > at + 1;
        let lines = if array { 2 * usize::from(bytes[at + 1] & 15) + 1 } else { 1 };
        let mut end = at;
        for _ in 0..lines {
            match bytes[end..].iter().position(|b| *b == b'\n') {
                Some(length) => end += length + 1,
                None => {
                    out.put_reply(conn, reply, before);
                    return out.consumed(at);
                }
            }
        }
        at = end;
        reply.extend_from_slice(b"+PONG\r\n");
    }
    out.put_reply(conn, reply, before);
    out.consumed(at);
}

fn main() -> std::io::Result<()> {
    std::process::exit(Driver::new(Pong, Options::default())?.run()?);
}
