//! Passwords, access control and TLS.

use super::super::kind::Kind;
use super::super::row::{Access, INT, Row, ignored, obeyed, refused};

/// Passwords, access control and TLS.
pub(super) const ROWS: &[Row] = &[
    ignored(
        "acl-pubsub-default",
        Kind::Enum(&["allchannels", "resetchannels"]),
        "resetchannels",
        Access::Mutable,
    ),
    refused("aclfile", Kind::Text, "", Access::Fixed, "access control lists are not built yet"),
    ignored("acllog-max-len", Kind::Int(0, i64::MAX), "128", Access::Mutable),
    obeyed("requirepass", Kind::Text, "", Access::Mutable, slot!(requirepass)),
    ignored("tls-auth-clients", Kind::Enum(&["no", "yes", "optional"]), "yes", Access::Mutable),
    ignored("tls-ca-cert-dir", Kind::Text, "", Access::Mutable),
    ignored("tls-ca-cert-file", Kind::Text, "", Access::Mutable),
    ignored("tls-cert-file", Kind::Text, "", Access::Mutable),
    ignored("tls-ciphers", Kind::Text, "", Access::Mutable),
    ignored("tls-ciphersuites", Kind::Text, "", Access::Mutable),
    ignored("tls-client-cert-file", Kind::Text, "", Access::Mutable),
    ignored("tls-client-key-file", Kind::Text, "", Access::Mutable),
    ignored("tls-client-key-file-pass", Kind::Text, "", Access::Mutable),
    refused("tls-cluster", Kind::Bool, "no", Access::Mutable, "TLS is not built yet"),
    ignored("tls-dh-params-file", Kind::Text, "", Access::Mutable),
    ignored("tls-key-file", Kind::Text, "", Access::Mutable),
    ignored("tls-key-file-pass", Kind::Text, "", Access::Mutable),
    refused("tls-port", Kind::Int(0, 65535), "0", Access::Mutable, "TLS is not built yet"),
    ignored("tls-prefer-server-ciphers", Kind::Bool, "no", Access::Mutable),
    ignored("tls-protocols", Kind::Words, "", Access::Mutable),
    refused("tls-replication", Kind::Bool, "no", Access::Mutable, "TLS is not built yet"),
    ignored("tls-session-cache-size", Kind::Int(0, INT), "20480", Access::Mutable),
    ignored("tls-session-cache-timeout", Kind::Int(0, INT), "300", Access::Mutable),
    ignored("tls-session-caching", Kind::Bool, "yes", Access::Mutable),
];
