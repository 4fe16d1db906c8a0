//! What INFO and MEMORY tell of memory.

use crate::execute::Turn;
use crate::info::{Field, human};
use crate::node::Node;
use front::{Kind, Session};
use machine::{Action, Out};
use wire::command::CommandId;
use wire::reply::Reply;

/// Figures as of when they were asked for.
#[derive(Clone, Copy, Default)]
pub(super) struct Figures {
    /// Bytes in use.
    pub(super) used: u64,
    /// Of these, what does not count towards the limit.
    pub(super) not_counted: u64,
    /// What ordinary clients take, and how many they are.
    pub(super) clients: (u64, u64),
    /// What replicas take: their connections, and the stream beyond the backlog's own size.
    pub(super) replicas: (u64, u64),
    /// The backlog within its size, and all that is kept of the stream.
    pub(super) backlog: (u64, u64),
}

impl Node {
    /// Takes the figures that need more than the node itself. `asking` is the session that is taken
    /// out meanwhile.
    pub(crate) fn measure_memory(&mut self, asking: &Session, out: &Out) {
        let mut figures = Figures {
            used: self.used_memory(out),
            not_counted: self.not_counted(out),
            ..Figures::default()
        };
        for session in self.sessions.iter().chain([asking]) {
            let bytes = self.figures(session, out).footprint(session) as u64;
            let sum = match self.kind(session.conn) {
                Kind::Replica => &mut figures.replicas,
                _ => &mut figures.clients,
            };
            *sum = (sum.0 + bytes, sum.1 + 1);
        }
        if let Some(backlog) = &self.replication.backlog {
            let (held, limit) = (backlog.footprint() as u64, backlog.limit());
            let own = if figures.replicas.1 > 0 { held.min(limit) } else { held };
            figures.replicas.0 += held - own;
            figures.backlog = (own, held);
        }
        self.vitals.memory_allocated = figures.used;
        self.statistics.memory_peak = self.statistics.memory_peak.max(figures.used);
        self.data.memory.figures = figures;
    }

    /// The section of INFO.
    pub(crate) fn memory_section(&self, field: &mut Field<'_>) {
        let (figures, vitals) = (&self.data.memory.figures, &self.vitals);
        let (startup, peak) = (self.data.memory.startup, self.statistics.memory_peak);
        let dataset = self.dataset();
        let both = |name: &str, bytes: u64, field: &mut Field<'_>| {
            field(name, &bytes);
            field(&format!("{name}_human"), &human(bytes));
        };
        both("used_memory", figures.used, field);
        both("used_memory_rss", vitals.memory_resident, field);
        both("used_memory_peak", peak, field);
        field("used_memory_peak_perc", &percent(figures.used, peak));
        field("used_memory_overhead", &figures.used.saturating_sub(dataset));
        field("used_memory_startup", &startup);
        field("used_memory_dataset", &dataset);
        let grown = figures.used.saturating_sub(startup);
        field("used_memory_dataset_perc", &percent(dataset.min(grown), grown));
        field("allocator_allocated", &figures.used);
        field("allocator_active", &vitals.memory_active);
        field("allocator_resident", &vitals.memory_kept);
        both("total_system_memory", vitals.memory_total, field);
        self.script_fields(field);
        both("maxmemory", self.config.memory.limit, field);
        field("maxmemory_policy", &self.config.memory.policy.name());
        for gap in self.gaps() {
            field(gap.ratio.1, &format!("{:.2}", gap.value()));
            field(gap.bytes.1, &gap.difference());
        }
        field("mem_not_counted_for_evict", &figures.not_counted);
        field("mem_replication_backlog", &figures.backlog.0);
        field("mem_total_replication_buffers", &figures.backlog.1);
        field("mem_clients_slaves", &figures.replicas.0);
        field("mem_clients_normal", &figures.clients.0);
        // The bus is another machine's.
        field("mem_cluster_links", &0);
        field("mem_aof_buffer", &0);
        field("mem_allocator", &"jemalloc");
        field("active_defrag_running", &0);
        field("lazyfree_pending_objects", &self.data.memory.freeing.len());
        field("lazyfreed_objects", &0);
    }

    /// There are no scripts yet.
    fn script_fields(&self, field: &mut Field<'_>) {
        for name in [
            "used_memory_lua",
            "used_memory_vm_eval",
            "used_memory_scripts_eval",
            "number_of_cached_scripts",
            "number_of_functions",
            "number_of_libraries",
            "used_memory_vm_functions",
            "used_memory_vm_total",
            "used_memory_functions",
            "used_memory_scripts",
        ] {
            field(name, &0);
        }
        for name in ["lua", "vm_total", "scripts"] {
            field(&format!("used_memory_{name}_human"), &human(0));
        }
    }

    /// Bytes of entries and their values.
    fn dataset(&self) -> u64 {
        let tables = (0..self.data.keyspace.databases())
            .flat_map(|db| self.data.keyspace.tables(db))
            .map(|(_, table)| table.footprint() as u64);
        tables.sum()
    }

    /// Where the process has more memory than is in use: in the allocator's pages, in pages that it
    /// keeps for later, beside the allocator, and all in all.
    pub(super) fn gaps(&self) -> [Gap; 4] {
        let (used, vitals) = (self.data.memory.figures.used, &self.vitals);
        let (active, kept) = (vitals.memory_active, vitals.memory_kept);
        let resident = vitals.memory_resident;
        let gap = |of, to, ratio, bytes| Gap { of, to, ratio, bytes };
        [
            gap(
                used,
                active,
                ("allocator-fragmentation.ratio", "allocator_frag_ratio"),
                ("allocator-fragmentation.bytes", "allocator_frag_bytes"),
            ),
            gap(
                active,
                kept,
                ("allocator-rss.ratio", "allocator_rss_ratio"),
                ("allocator-rss.bytes", "allocator_rss_bytes"),
            ),
            gap(
                kept,
                resident,
                ("rss-overhead.ratio", "rss_overhead_ratio"),
                ("rss-overhead.bytes", "rss_overhead_bytes"),
            ),
            gap(
                used,
                resident,
                ("fragmentation", "mem_fragmentation_ratio"),
                ("fragmentation.bytes", "mem_fragmentation_bytes"),
            ),
        ]
    }

    /// MEMORY STATS, DOCTOR, MALLOC-STATS and PURGE.
    pub(crate) fn memory_command(&mut self, id: CommandId, session: &Session, turn: &mut Turn<'_>) {
        self.measure_memory(session, turn.out);
        let mut reply = Reply::new(turn.buffer, session.protocol);
        match id {
            CommandId::MemoryStats => self.memory_stats(&mut reply),
            CommandId::MemoryDoctor => reply.verbatim(*b"txt", self.diagnosis().as_bytes()),
            CommandId::MemoryMallocStats => {
                reply.verbatim(*b"txt", self.allocator_text().as_bytes());
            }
            _ => {
                turn.out.act(Action::PurgeMemory);
                reply.ok();
            }
        }
    }

    fn memory_stats(&self, reply: &mut Reply<'_>) {
        let (figures, vitals) = (&self.data.memory.figures, &self.vitals);
        let (startup, peak) = (self.data.memory.startup, self.statistics.memory_peak);
        let keyspace = &self.data.keyspace;
        let databases: Vec<u32> =
            (0..keyspace.databases()).filter(|db| keyspace.len(*db) > 0).collect();
        let keys: usize = databases.iter().map(|db| keyspace.len(*db)).sum();
        let dataset = self.dataset();
        let grown = figures.used.saturating_sub(startup);
        reply.map(27 + databases.len());
        let number = |reply: &mut Reply<'_>, name: &str, value: u64| {
            reply.bulk(name.as_bytes());
            reply.integer(value as i64);
        };
        number(reply, "peak.allocated", peak);
        number(reply, "total.allocated", figures.used);
        number(reply, "startup.allocated", startup);
        number(reply, "replication.backlog", figures.backlog.0);
        number(reply, "clients.slaves", figures.replicas.0);
        number(reply, "clients.normal", figures.clients.0);
        for name in ["cluster.links", "aof.buffer", "lua.caches", "functions.caches"] {
            number(reply, name, 0);
        }
        for db in databases {
            reply.bulk(format!("db.{db}").as_bytes());
            reply.map(3);
            let (mut main, mut volatile) = (0, 0);
            for (_, table) in keyspace.tables(db) {
                main += table.overhead() - table.volatile_overhead();
                volatile += table.volatile_overhead();
            }
            number(reply, "overhead.hashtable.main", main as u64);
            number(reply, "overhead.hashtable.expires", volatile as u64);
            number(reply, "overhead.hashtable.slot-to-keys", 0);
        }
        number(reply, "overhead.total", figures.used.saturating_sub(dataset));
        number(reply, "keys.count", keys as u64);
        number(reply, "keys.bytes-per-key", grown.checked_div(keys as u64).unwrap_or(0));
        number(reply, "dataset.bytes", dataset);
        let fraction = |reply: &mut Reply<'_>, name: &str, value: f64| {
            reply.bulk(name.as_bytes());
            reply.double(value);
        };
        fraction(reply, "dataset.percentage", share(dataset.min(grown), grown));
        fraction(reply, "peak.percentage", share(figures.used, peak));
        number(reply, "allocator.allocated", figures.used);
        number(reply, "allocator.active", vitals.memory_active);
        number(reply, "allocator.resident", vitals.memory_kept);
        for gap in self.gaps() {
            fraction(reply, gap.ratio.0, gap.value());
            reply.bulk(gap.bytes.0.as_bytes());
            reply.integer(gap.difference());
        }
    }

    fn allocator_text(&self) -> String {
        let (figures, vitals) = (&self.data.memory.figures, &self.vitals);
        format!(
            "___ Begin jemalloc statistics ___\nAllocated: {}, active: {}, resident: {}\n\
             --- End jemalloc statistics ---\n",
            figures.used, vitals.memory_active, vitals.memory_kept
        )
    }
}

/// Bytes within other bytes, with the names of their ratio and of their difference: in MEMORY STATS
/// and in INFO.
pub(super) struct Gap {
    of: u64,
    to: u64,
    ratio: (&'static str, &'static str),
    bytes: (&'static str, &'static str),
}

impl Gap {
    pub(super) fn value(&self) -> f64 {
        self.to as f64 / self.of.max(1) as f64
    }

    pub(super) fn difference(&self) -> i64 {
        self.to.saturating_sub(self.of) as i64 - self.of.saturating_sub(self.to) as i64
    }
}

/// How much of the whole a part is, in percent.
fn share(part: u64, whole: u64) -> f64 {
    part as f64 * 100.0 / whole.max(1) as f64
}

fn percent(part: u64, whole: u64) -> String {
    format!("{:.2}%", share(part, whole))
}
