//! CLUSTER FAILOVER: a replica takes its primary's place because an operator wants it.
//!
//! The replica asks its primary (MFSTART); that one stops its writers, and says at which position
//! in a PING with the PAUSED flag. Once the replica has applied the stream up to there, it stands
//! for election with the flag that lets voters vote although the primary is up. FORCE leaves the
//! primary out, TAKEOVER the voters as well.
//!
//! The primary holds its writers back for twice as long as the replica may try. When that time is
//! over it also gives up its lease and asks for a new one: who has voted grants it none.

use crate::cluster::Cluster;
use crate::mail::ToNode;
use crate::members::Key;
use machine::{Instant, Level, Now, Out, Span};
use wire::bus::{Body, Header, Touch, flag, packet_flag};

/// For how long a replica tries.
const TIMEOUT: Span = Span::millis(5000);
/// For how long a primary holds its writers back.
const PAUSE: Span = Span::millis(10_000);

/// How often the node is asked for its position.
const STEP: Span = Span::millis(2);

/// What a primary does for a replica that wants its place.
#[derive(Debug)]
struct Pausing {
    until: Instant,
    replica: Key,
    /// The position at which writes stopped, once the node has said so.
    offset: Option<u64>,
}

/// What a replica that wants its primary's place has reached.
#[derive(Debug)]
struct Wish {
    until: Instant,
    /// Where its primary has stopped.
    offset: Option<u64>,
    /// Nothing more is to be waited for.
    ready: bool,
    /// The primary was asked to stop its writers.
    asked: bool,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct Manual {
    wish: Option<Wish>,
    pausing: Option<Pausing>,
}

impl Manual {
    /// Whether we may stand for election although nobody is dead.
    pub(crate) fn is_ready(&self) -> bool {
        self.wish.as_ref().is_some_and(|wish| wish.ready)
    }

    /// Flags of our packets.
    pub(crate) fn flags(&self) -> u8 {
        let paused = self.pausing.as_ref().is_some_and(|pausing| pausing.offset.is_some());
        if paused { packet_flag::PAUSED } else { 0 }
    }
}

impl Cluster {
    /// CLUSTER FAILOVER, with its option in lower case.
    pub(crate) fn fail_over(
        &mut self,
        now: Now,
        option: &[u8],
        out: &mut Out,
    ) -> Result<(), &'static str> {
        if !matches!(option, b"" | b"force" | b"takeover") {
            return Err("syntax error");
        }
        if self.members.me().is_primary() {
            return Err("You should send CLUSTER FAILOVER to a replica");
        }
        let Some((_, primary)) = self.members.my_primary() else {
            return Err("I'm a replica but my master is unknown to me");
        };
        let conn = primary.conn().filter(|_| !primary.is(flag::FAIL));
        if conn.is_none() && option.is_empty() {
            return Err("Master is down or failed, please use CLUSTER FAILOVER FORCE");
        }
        self.end_manual(now, out);
        let ready = !option.is_empty();
        let until = now.mono + TIMEOUT;
        self.manual.wish = Some(Wish { until, offset: None, ready, asked: ready });
        match option {
            b"takeover" => {
                out.log(Level::Notice, format_args!("Taking over the master (user request)."));
                self.seize(now);
            }
            b"force" => {
                let text = "Forced failover user request accepted.";
                out.log(Level::Warning, format_args!("{text}"));
                self.election.due = true;
            }
            _ => {
                out.log(Level::Warning, format_args!("Manual failover user request accepted."));
                self.ask_to_pause(now, out);
                if !self.data.linked {
                    self.tell(ToNode::Tell, out);
                }
            }
        }
        Ok(())
    }

    /// Asks our primary to stop its writers, unless they would wait in vain: while we do not have
    /// its data. From then on there is as much time as if it had been asked at once.
    fn ask_to_pause(&mut self, now: Now, out: &mut Out) {
        let Some((_, primary)) = self.members.my_primary() else { return };
        let Some(conn) = primary.conn().filter(|_| self.data.linked) else { return };
        let Some(wish) = self.manual.wish.as_mut().filter(|wish| !wish.asked) else { return };
        wish.asked = true;
        wish.until = now.mono + TIMEOUT;
        let packet = self.packet(Body::ManualStart);
        self.send(conn, &packet, out);
    }

    /// A node wants our place.
    pub(crate) fn asked_to_pause(&mut self, now: Now, from: Key, out: &mut Out) {
        let me = self.members.me();
        let mine = |id| me.is_primary() && id == Some(me.id);
        let Some(id) = self.members.get(from).filter(|m| mine(m.primary)).map(|m| m.id) else {
            return;
        };
        self.end_manual(now, out);
        let until = now.mono + PAUSE;
        self.manual.pausing = Some(Pausing { until, replica: from, offset: None });
        self.clock.arm(until);
        out.log(Level::Warning, format_args!("Manual failover requested by replica {id}."));
        self.tell(ToNode::PauseWrites, out);
    }

    /// The node has stopped its writers.
    pub(crate) fn paused_at(&mut self, now: Now, offset: u64, out: &mut Out) {
        let Some(pausing) = &mut self.manual.pausing else { return };
        pausing.offset = Some(offset);
        let replica = pausing.replica;
        self.data.offset = offset;
        self.members.me_mut().offset = offset;
        if let Some(conn) = self.members.get(replica).and_then(|member| member.conn()) {
            self.touch(now, conn, Touch::Ping, 0, out);
        }
    }

    /// A packet of our primary may say where it has stopped.
    pub(crate) fn pause_seen(&mut self, now: Now, from: Key, header: &Header, out: &mut Out) {
        let ours = self.members.my_primary().is_some_and(|(key, _)| key == from);
        let paused = header.packet_flags[0] & packet_flag::PAUSED != 0;
        let Some(wish) = self.manual.wish.as_mut().filter(|_| ours && paused) else { return };
        // It may have stopped for somebody else, and go on any moment.
        if wish.asked && wish.offset.is_none() {
            let offset = header.offset;
            wish.offset = Some(offset);
            out.log(
                Level::Warning,
                format_args!(
                    "Received replication offset for paused master manual failover: {offset}"
                ),
            );
            self.advance_manual(now, out);
        }
    }

    /// Looks whether we have applied all there is.
    pub(crate) fn advance_manual(&mut self, now: Now, out: &mut Out) {
        self.ask_to_pause(now, out);
        let Some(wish) = self.manual.wish.as_mut().filter(|wish| !wish.ready) else { return };
        match wish.offset {
            Some(offset) if offset == self.data.offset => {
                wish.ready = true;
                self.election.due = true;
                out.log(
                    Level::Warning,
                    format_args!(
                        "All master replication stream processed, manual failover can start."
                    ),
                );
            }
            // The node tells its position ten times a second; that is too rarely now.
            Some(_) => self.clock.arm(now.mono + STEP),
            None => {}
        }
    }

    /// Asks the node how far it is, while that is waited for.
    pub(crate) fn ask_position(&mut self, out: &mut Out) {
        let waits = |wish: &Wish| !wish.ready && wish.offset.is_some();
        if self.manual.wish.as_ref().is_some_and(waits) {
            self.tell(ToNode::Tell, out);
        }
    }

    /// What is due by time.
    pub(crate) fn tick_manual(&mut self, now: Now, out: &mut Out) {
        let wish = self.manual.wish.as_ref().map(|wish| wish.until);
        let pausing = self.manual.pausing.as_ref().map(|pausing| pausing.until);
        if wish.into_iter().chain(pausing).any(|until| until <= now.mono) {
            out.log(Level::Warning, format_args!("Manual failover timed out."));
            self.end_manual(now, out);
        }
    }

    /// Ends it, however it went.
    pub(crate) fn end_manual(&mut self, now: Now, out: &mut Out) {
        self.manual.wish = None;
        if self.manual.pausing.take().is_some() {
            if self.members.me().is_primary() {
                // Someone may have been elected meanwhile: what was granted before says nothing.
                self.grants.start_over(now.mono);
                self.revoke_lease(out);
                self.ping_voters(now, out);
            }
            self.tell(ToNode::ResumeWrites, out);
        }
    }
}
