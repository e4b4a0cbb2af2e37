//! The settings that Herd runs with, after validation.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// Everything that `proxy.toml` says.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    pub listen: Listen,
    pub tls: Option<Tls>,
    pub auth: Auth,
    /// The node with the tables that are not fragmented is the first one, unless named.
    pub home: String,
    pub nodes: Vec<NodeConfig>,
    pub pool: Pool,
    pub timeouts: Timeouts,
    pub limits: Limits,
    /// Where the embedded catalog lies.
    pub data_dir: PathBuf,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Listen {
    pub addresses: Vec<SocketAddr>,
    /// The directory in which `.s.PGSQL.<port>` is made.
    pub unix_directory: Option<PathBuf>,
    pub http: Option<SocketAddr>,
    /// Threads that serve clients, each with its own share of every pool.
    pub workers: usize,
    /// Let a new Herd bind the same ports while the old one drains.
    pub reuse_port: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Tls {
    pub certificate: PathBuf,
    pub key: PathBuf,
    /// Refuse clients that do not ask for TLS.
    pub required: bool,
    pub client_certificates: ClientCertificates,
}

#[derive(Clone, Debug, PartialEq)]
pub enum ClientCertificates {
    Ignored,
    /// Checked when shown, against this CA file.
    Allowed {
        authority: PathBuf,
    },
    Required {
        authority: PathBuf,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub struct Auth {
    /// The account with which Herd reads password verifiers and does its own work on nodes.
    pub control_user: String,
    pub control_password: Option<Password>,
    pub control_database: String,
    /// Users whose passwords are given here, for servers that hide their verifiers.
    pub users: Vec<StaticUser>,
    pub allow_md5: bool,
    /// Addresses that need no password; loopback only.
    pub trust: Vec<IpAddr>,
    /// Who may PAUSE, RESUME, RELOAD, DRAIN beside superusers.
    pub admin_users: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct StaticUser {
    pub name: String,
    pub password: Password,
}

/// A secret: never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    #[must_use]
    pub fn new(secret: String) -> Password {
        Password(secret)
    }

    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct NodeConfig {
    pub name: String,
    pub host: String,
    pub port: u16,
    pub dc: String,
    pub zone: String,
    pub capacity: u32,
    /// Verify and encrypt connections to this node.
    pub tls: bool,
    /// The CA file that signed the node's certificate; without it, those that the system trusts.
    pub tls_authority: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolMode {
    Transaction,
    Session,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Pool {
    pub mode: PoolMode,
    /// Server connections for each role and database on each node.
    pub size_max: usize,
    pub size_min: usize,
    /// All server connections to one node.
    pub node_connections_max: usize,
    /// Clients that may wait for one pool at a time.
    pub waiting_max: usize,
    pub wait_max: Duration,
    pub lifetime: Duration,
    pub idle_max: Duration,
    /// An idle connection is asked for a sign of life when it was unused for so long.
    pub check_after: Duration,
    pub connect_timeout: Duration,
    /// Statements kept prepared on each server connection.
    pub prepared_max: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Timeouts {
    /// Zero means none, here as below.
    pub query: Duration,
    pub idle_in_transaction: Duration,
    pub idle_client: Duration,
    pub authentication: Duration,
    /// How long SIGTERM and DRAIN wait for transactions to end.
    pub drain: Duration,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    pub clients_max: usize,
    /// Connections from one address that have not authenticated yet.
    pub unauthenticated_per_address_max: usize,
    pub startup_bytes_max: usize,
    /// One message of a client, COPY data aside.
    pub message_bytes_max: usize,
    /// The cache of understood statements, for each worker.
    pub plan_cache_bytes_max: usize,
    /// Prepared statements of one client.
    pub client_statements_max: usize,
    /// What one query may bring from several nodes; zero for no limit.
    pub exchange_bytes_max: usize,
}
