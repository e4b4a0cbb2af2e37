//! What a setting is when the file does not say. `proxy.toml` shows the same values.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use crate::config::{Auth, Config, Limits, Listen, NodeConfig, Pool, PoolMode, Timeouts};

const KB: usize = 1 << 10;
const MB: usize = 1 << 20;
const GB: usize = 1 << 30;
const MINUTE: Duration = Duration::from_secs(60);

pub(crate) const NODE_PORT: u16 = 5432;
pub(crate) const NODE_CAPACITY: u32 = 100;
pub(crate) const NODE_PLACE: &str = "default";

impl Config {
    /// The defaults in front of `nodes`, of which the first is home.
    ///
    /// # Panics
    /// When there is no node: a herd of none has no home.
    #[must_use]
    pub fn with_nodes(nodes: Vec<NodeConfig>) -> Config {
        let home = nodes.first().expect("a herd has at least one node").name.clone();
        Config {
            listen: Listen::default(),
            tls: None,
            auth: Auth::default(),
            home,
            nodes,
            pool: Pool::default(),
            timeouts: Timeouts::default(),
            limits: Limits::default(),
            data_dir: PathBuf::from("/var/lib/herd"),
        }
    }
}

impl NodeConfig {
    #[must_use]
    pub fn new(name: impl Into<String>, host: impl Into<String>, port: u16) -> NodeConfig {
        NodeConfig {
            name: name.into(),
            host: host.into(),
            port,
            dc: NODE_PLACE.to_owned(),
            zone: NODE_PLACE.to_owned(),
            capacity: NODE_CAPACITY,
            tls: false,
            tls_authority: None,
        }
    }
}

impl Default for Listen {
    fn default() -> Listen {
        Listen {
            addresses: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 6432))],
            unix_directory: None,
            http: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 8432))),
            workers: auto_workers(),
            reuse_port: false,
        }
    }
}

impl Default for Auth {
    fn default() -> Auth {
        Auth {
            control_user: "herd_control".to_owned(),
            control_password: None,
            control_database: "postgres".to_owned(),
            users: Vec::new(),
            allow_md5: false,
            trust: Vec::new(),
            admin_users: Vec::new(),
        }
    }
}

impl Default for Pool {
    fn default() -> Pool {
        Pool {
            mode: PoolMode::Transaction,
            size_max: 16,
            size_min: 0,
            node_connections_max: 80,
            waiting_max: 1000,
            wait_max: Duration::from_secs(30),
            lifetime: 60 * MINUTE,
            idle_max: 10 * MINUTE,
            check_after: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(5),
            prepared_max: 256,
        }
    }
}

impl Default for Timeouts {
    fn default() -> Timeouts {
        Timeouts {
            query: Duration::ZERO,
            idle_in_transaction: Duration::ZERO,
            idle_client: Duration::ZERO,
            authentication: Duration::from_secs(15),
            drain: Duration::from_secs(30),
        }
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            clients_max: 12_000,
            unauthenticated_per_address_max: 512,
            startup_bytes_max: 10 * KB,
            message_bytes_max: 256 * MB,
            plan_cache_bytes_max: 16 * MB,
            client_statements_max: 10_000,
            exchange_bytes_max: 10 * GB,
        }
    }
}

/// PostgreSQL on the same machine, or the kernel on another, needs the other half.
pub(crate) fn auto_workers() -> usize {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    (cores / 2).max(1)
}
