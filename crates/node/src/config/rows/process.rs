//! The process.

use super::super::kind::Kind;
use super::super::row::{Access, INT, Row, ignored, obeyed};
use super::super::special;

/// The process.
pub(super) const ROWS: &[Row] = &[
    ignored("always-show-logo", Kind::Bool, "no", Access::Fixed),
    ignored("aof-rewrite-cpulist", Kind::Text, "", Access::Fixed).or("aof_rewrite_cpulist"),
    ignored("bgsave-cpulist", Kind::Text, "", Access::Fixed).or("bgsave_cpulist"),
    ignored("bio-cpulist", Kind::Text, "", Access::Fixed).or("bio_cpulist"),
    obeyed("crash-log-enabled", Kind::Bool, "yes", Access::Fixed, slot!(process.crash_log)),
    ignored("crash-memcheck-enabled", Kind::Bool, "yes", Access::Mutable),
    obeyed("daemonize", Kind::Bool, "no", Access::Fixed, slot!(process.daemonize)),
    obeyed("dir", Kind::Text, ".", Access::Protected, slot!(process.dir)),
    ignored("disable-thp", Kind::Bool, "yes", Access::Fixed),
    ignored("ignore-warnings", Kind::Text, "", Access::Mutable),
    ignored("locale-collate", Kind::Text, "", Access::Mutable),
    obeyed("logfile", Kind::Text, "", Access::Fixed, slot!(process.logfile)),
    obeyed(
        "loglevel",
        Kind::Enum(&["debug", "verbose", "notice", "warning", "nothing"]),
        "notice",
        Access::Mutable,
        slot!(process.loglevel),
    ),
    obeyed(
        "oom-score-adj",
        Kind::Enum(&["no", "yes", "relative", "absolute"]),
        "no",
        Access::Mutable,
        slot!(process.face.oom.mode),
    ),
    obeyed(
        "oom-score-adj-values",
        Kind::Special(special::oom_scores),
        "0 200 800",
        Access::Mutable,
        slot!(process.face.oom.values),
    ),
    obeyed("pidfile", Kind::Text, "", Access::Fixed, slot!(process.pidfile)),
    obeyed(
        "proc-title-template",
        Kind::Special(special::title),
        "{title} {listen-addr} {server-mode}",
        Access::Fixed,
        slot!(process.face.title),
    ),
    ignored("server-cpulist", Kind::Text, "", Access::Fixed).or("server_cpulist"),
    obeyed("set-proc-title", Kind::Bool, "yes", Access::Fixed, slot!(process.face.set_title)),
    obeyed(
        "shutdown-on-sigint",
        Kind::Special(special::on_signal),
        "default",
        Access::Mutable,
        slot!(process.on_sigint),
    ),
    obeyed(
        "shutdown-on-sigterm",
        Kind::Special(special::on_signal),
        "default",
        Access::Mutable,
        slot!(process.on_sigterm),
    ),
    obeyed(
        "shutdown-timeout",
        Kind::Int(0, INT),
        "10",
        Access::Mutable,
        slot!(process.shutdown_timeout),
    ),
    obeyed(
        "supervised",
        Kind::Enum(&["no", "upstart", "systemd", "auto"]),
        "no",
        Access::Fixed,
        slot!(process.face.supervised),
    ),
    obeyed("syslog-enabled", Kind::Bool, "no", Access::Fixed, slot!(process.face.syslog)),
    obeyed(
        "syslog-facility",
        Kind::Enum(&[
            "user", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
        ]),
        "local0",
        Access::Fixed,
        slot!(process.face.syslog_facility),
    ),
    obeyed("syslog-ident", Kind::Text, "redis", Access::Fixed, slot!(process.face.syslog_ident)),
    ignored("watchdog-period", Kind::Int(0, INT), "0", Access::Mutable).hidden(),
];
