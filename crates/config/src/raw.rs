//! The file as it is written: every setting optional, nothing checked beyond its type.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Deserializer, de};

use crate::units::{Bytes, Span};

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawConfig {
    pub home: Option<String>,
    pub data_dir: Option<String>,
    pub listen: RawListen,
    pub tls: RawTls,
    pub auth: RawAuth,
    pub nodes: Vec<RawNode>,
    pub pool: RawPool,
    pub timeouts: RawTimeouts,
    pub limits: RawLimits,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawListen {
    pub addresses: Option<Vec<SocketAddr>>,
    pub unix_directory: Option<String>,
    pub http: Option<String>,
    pub workers: Option<RawWorkers>,
    pub reuse_port: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "expected \"auto\" or a whole number")]
pub(crate) enum RawWorkers {
    Count(usize),
    Word(Auto),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Auto {
    Auto,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawTls {
    pub certificate: Option<String>,
    pub key: Option<String>,
    pub required: Option<bool>,
    pub client_certificates: Option<RawClientCertificates>,
    pub client_authority: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RawClientCertificates {
    Ignored,
    Allowed,
    Required,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawAuth {
    pub control_user: Option<String>,
    pub control_password: Option<RawSecret>,
    pub control_database: Option<String>,
    pub users: Vec<RawUser>,
    pub allow_md5: Option<bool>,
    pub trust: Option<Vec<IpAddr>>,
    pub admin_users: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawUser {
    pub name: String,
    pub password: RawSecret,
}

/// Never printed, not even by an error about its type.
pub(crate) struct RawSecret(pub String);

impl std::fmt::Debug for RawSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

impl<'de> Deserialize<'de> for RawSecret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RawSecret, D::Error> {
        match toml::Value::deserialize(deserializer) {
            Ok(toml::Value::String(secret)) => Ok(RawSecret(secret)),
            Ok(_) | Err(_) => Err(de::Error::custom("a password is text in quotes")),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawNode {
    pub name: String,
    pub host: String,
    pub port: Option<u16>,
    pub dc: Option<String>,
    pub zone: Option<String>,
    pub capacity: Option<u32>,
    pub tls: Option<bool>,
    pub tls_authority: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawPool {
    pub mode: Option<RawPoolMode>,
    pub size_max: Option<usize>,
    pub size_min: Option<usize>,
    pub node_connections_max: Option<usize>,
    pub waiting_max: Option<usize>,
    pub wait_max: Option<Span>,
    pub lifetime: Option<Span>,
    pub idle_max: Option<Span>,
    pub check_after: Option<Span>,
    pub connect_timeout: Option<Span>,
    pub prepared_max: Option<usize>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RawPoolMode {
    Transaction,
    Session,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawTimeouts {
    pub query: Option<Span>,
    pub idle_in_transaction: Option<Span>,
    pub idle_client: Option<Span>,
    pub authentication: Option<Span>,
    pub drain: Option<Span>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawLimits {
    pub clients_max: Option<usize>,
    pub unauthenticated_per_address_max: Option<usize>,
    pub startup_bytes_max: Option<Bytes>,
    pub message_bytes_max: Option<Bytes>,
    pub plan_cache_bytes_max: Option<Bytes>,
    pub client_statements_max: Option<usize>,
    pub exchange_bytes_max: Option<Bytes>,
}
