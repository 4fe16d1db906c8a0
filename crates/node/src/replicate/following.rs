//! The replica's end: REPLICAOF, the link to the primary, promotion.

use crate::execute::Turn;
use crate::node::Node;
use crate::replicate::Applier;
use front::{Session, gate};
use machine::{Action, ConnId, Instant, Level, Now, Out};
use replication::{Identity, Link, Notice, ReplicationId, Target, Terms};
use wire::number;
use wire::reply::Reply;

/// Where tokens of the link's attempts to connect start, so that they are nobody else's.
const LINK_TOKENS: u64 = 1 << 32;

/// How much of the stream is taken in while a pause keeps it from being applied.
const PAUSED_MOST: usize = 16 << 20;

impl Node {
    /// REPLICAOF and SLAVEOF.
    pub(crate) fn replicaof(&mut self, args: &[&[u8]], session: &Session, turn: &mut Turn<'_>) {
        let mut reply = Reply::new(turn.buffer, session.protocol);
        if self.clustering.is_some() {
            return reply.error("ERR REPLICAOF not allowed in cluster mode.");
        }
        if self.replication.failover.is_on() {
            return reply.error("ERR REPLICAOF not allowed while failing over.");
        }
        if args[1].eq_ignore_ascii_case(b"no") && args[2].eq_ignore_ascii_case(b"one") {
            reply.ok();
            return self.promote(turn.now, turn.out);
        }
        let port = number::parse_i64(args[2]).and_then(|port| u16::try_from(port).ok());
        let Some(port) = port else {
            return reply.error("ERR Invalid master port");
        };
        let target = Target { host: String::from_utf8_lossy(args[1]).into_owned(), port };
        let same = self.replication.link.as_ref().is_some_and(|link| *link.target() == target);
        if same && self.replication.refused.is_none() {
            turn.out.log(
                Level::Notice,
                format_args!(
                    "REPLICAOF would result into synchronization with the master we are \
                              already connected with. No operation performed."
                ),
            );
            return reply.simple("OK Already connected to specified master");
        }
        reply.ok();
        self.follow(target, turn.now, turn.out);
    }

    /// Becomes a replica of `target`; the data stays until a snapshot has come whole.
    pub(crate) fn follow(&mut self, target: Target, now: Now, out: &mut Out) {
        // What a transaction did before belongs to the history that ends here.
        self.flush_pending();
        self.leave_primary(now, out);
        self.unblock_waits(out);
        self.replication.refused = None;
        self.take_up_restored();
        self.need_backlog();
        self.data.effects.record(false);
        let tokens = self.replication.random.number() >> 16 | LINK_TOKENS;
        self.replication.link = Some(Link::new(target, now.mono, tokens));
        self.adjust_oom(out);
        self.tick_link(now, out);
    }

    /// Saved data that nothing has changed since is still in the history it was saved in, and that
    /// is the name a primary knows it by.
    fn take_up_restored(&mut self) {
        let replication = &mut self.replication;
        let unchanged =
            replication.identity.previous.filter(|(_, upto)| *upto == replication.end());
        if let Some(id) = replication.restored.take()
            && replication.link.is_none()
            && replication.replicas.is_empty()
            && unchanged.is_some_and(|(previous, _)| previous == id)
        {
            replication.identity = Identity::new(id);
        }
    }

    /// Begins a history that nobody else shares.
    pub(crate) fn change_replication_id(&mut self) {
        self.replication.restored = None;
        self.replication.identity = Identity::new(self.replication.new_id());
    }

    /// Becomes a primary, in a history of its own that goes on from here.
    pub(crate) fn promote(&mut self, now: Now, out: &mut Out) {
        self.promote_for("user request", now, out);
    }

    /// The same; `whose` is for the log.
    pub(crate) fn promote_for(&mut self, whose: &str, now: Now, out: &mut Out) {
        if self.replication.link.is_none() {
            return;
        }
        self.leave_primary(now, out);
        self.adjust_oom(out);
        // Our own replicas learn the new name when they ask again.
        self.drop_replicas(out);
        let id = self.replication.new_id();
        let end = self.replication.end();
        self.replication.identity = if self.replication.placed {
            self.replication.identity.branch(id, end)
        } else {
            Identity::new(id)
        };
        self.replication.restored = None;
        self.replication.selected = None;
        self.data.effects.record(self.replication.backlog.is_some());
        out.log(
            Level::Notice,
            format_args!("MASTER MODE enabled ({whose}). New replication ID is {id}"),
        );
    }

    fn leave_primary(&mut self, now: Now, out: &mut Out) {
        self.note_freshness();
        if let Some(mut link) = self.replication.link.take() {
            link.drop_link(now.mono, out);
        }
        self.abandon_incoming(out);
        self.replication.applier = None;
    }

    fn terms(&self) -> Terms {
        let some = |text: &String| (!text.is_empty()).then(|| text.clone());
        let announced = self.config.repl.announce_port;
        Terms {
            port: if announced == 0 { self.config.port } else { announced },
            source: self.config.repl.source.parse().ok(),
            announce_ip: some(&self.config.repl.announce_ip),
            user: some(&self.config.masteruser),
            password: some(&self.config.masterauth),
            timeout: machine::Span::secs(self.config.repl_timeout),
            failover: self.replication.failover.asks(),
        }
    }

    /// After a pause: what came meanwhile is applied.
    pub(crate) fn resume_link(&mut self, out: &mut Out) {
        let frozen = self.clustering.as_ref().is_some_and(|clustering| clustering.frozen);
        if !frozen
            && std::mem::take(&mut self.replication.chores.paused) > 0
            && let Some(conn) = self.replication.link.as_ref().and_then(|link| link.conn())
        {
            out.act(Action::ResumeReads { conn });
        }
    }

    /// Whether so much of the stream waits for the end of a pause that no more is read.
    fn is_link_held_up(&self) -> bool {
        self.clients.pause.is_asked() && self.replication.chores.paused >= PAUSED_MOST
    }

    /// Takes note of when our primary was last heard.
    pub(crate) fn note_freshness(&mut self) {
        if let Some(link) = self.replication.link.as_ref().filter(|link| link.is_following()) {
            self.replication.chores.fresh = Some(link.heard());
        }
    }

    /// What is due by time on the link.
    pub(crate) fn tick_link(&mut self, now: Now, out: &mut Out) {
        if self.is_starting() {
            // It is not known yet which data we have.
            return;
        }
        let held_up = self.is_link_held_up();
        if let Some(link) = self.replication.link.as_mut().filter(|_| held_up) {
            // That nothing is heard is our own doing.
            link.hear(now.mono);
        }
        self.note_freshness();
        let terms = self.terms();
        let position = self.replication.end();
        if let Some(link) = &mut self.replication.link
            && link.tick(&terms, position, now.mono, out)
        {
            self.abandon_incoming(out);
        }
    }

    /// When the link has something to do at the latest.
    pub(crate) fn link_deadline(&self) -> Option<Instant> {
        if self.is_starting() {
            return None;
        }
        let terms =
            Terms { timeout: machine::Span::secs(self.config.repl_timeout), ..Terms::default() };
        self.replication.link.as_ref().map(|link| link.deadline(&terms))
    }

    /// The link's connection stands.
    pub(crate) fn link_connected(
        &mut self,
        token: machine::Token,
        conn: ConnId,
        now: Now,
        out: &mut Out,
    ) {
        let Some(link) = &mut self.replication.link else { return out.close(conn) };
        if !link.connected(token, conn, now.mono, out) {
            return out.close(conn);
        }
        self.replication.applier = Some(Box::new(Applier::default()));
    }

    /// Bytes of the link's connection.
    pub(crate) fn link_received(&mut self, bytes: &[u8], now: Now, out: &mut Out) {
        let terms = self.terms();
        let starting = self.is_starting();
        let mut at = 0;
        loop {
            let place = self
                .replication
                .placed
                .then(|| (self.replication.identity.id, self.replication.end()));
            let Some(link) = &mut self.replication.link else { break };
            if link.is_following() {
                let frozen = self.clustering.as_ref().is_some_and(|clustering| clustering.frozen);
                if frozen || starting {
                    break;
                }
                link.hear(now.mono);
                if self.clients.pause.is_asked() {
                    let kept = bytes.len() - at;
                    self.replication.chores.paused = kept;
                    if kept >= PAUSED_MOST
                        && let Some(conn) = link.conn()
                    {
                        out.act(Action::PauseReads { conn });
                    }
                    break;
                }
                at += self.apply_stream(&bytes[at..], now, out);
                break;
            }
            let before = link.is_asking();
            let (taken, notice) = link.received(&bytes[at..], &terms, place, now.mono, out);
            let asked = link.is_asking() && !before;
            at += taken;
            if asked {
                self.failover_asked();
            }
            match notice {
                Notice::More => break,
                Notice::Again => {}
                Notice::Down => {
                    self.abandon_incoming(out);
                    at = bytes.len();
                    break;
                }
                Notice::Rejected(primary) => {
                    self.failover_rejected(primary, now, out);
                    at = bytes.len();
                    break;
                }
                Notice::Full(offer) => {
                    self.failover_done();
                    self.receive(offer, now, out);
                }
                Notice::Snapshot(part) => self.take_snapshot(part, false, now, out),
                Notice::SnapshotEnd(part) => self.take_snapshot(part, true, now, out),
                Notice::Continue(id) => {
                    self.failover_done();
                    self.continued(id, out);
                }
            }
        }
        out.consumed(at);
    }

    /// The primary goes on from our position, maybe under a new id: it was promoted meanwhile.
    fn continued(&mut self, id: Option<ReplicationId>, out: &mut Out) {
        let end = self.replication.end();
        if let Some(id) = id.filter(|id| *id != self.replication.identity.id) {
            self.replication.identity = self.replication.identity.branch(id, end);
            out.log(Level::Notice, format_args!("Master replication ID changed to {id}"));
            // Our own replicas learn the new name when they ask again.
            self.drop_replicas(out);
        }
    }

    pub(crate) fn drop_link(&mut self, now: Now, out: &mut Out) {
        self.note_freshness();
        if let Some(link) = &mut self.replication.link {
            link.drop_link(now.mono, out);
        }
        self.abandon_incoming(out);
    }

    /// The link's connection ended.
    pub(crate) fn link_closed(&mut self, now: Now, out: &mut Out) {
        self.note_freshness();
        if let Some(link) = &mut self.replication.link {
            link.closed(now.mono, out);
        }
        if self.replication.incoming.as_ref().is_some_and(|incoming| !incoming.is_switched()) {
            self.abandon_incoming(out);
        }
        self.drained(now, out);
    }

    /// The gates that a replica's role closes.
    pub(crate) fn role_gates(&self) -> u32 {
        let Some(link) = &self.replication.link else { return 0 };
        let readonly = if self.config.replica_read_only { gate::WRITE } else { 0 };
        let stale = !link.is_following() && !self.config.replica_serve_stale_data;
        readonly | if stale { gate::FRESH } else { 0 }
    }
}
