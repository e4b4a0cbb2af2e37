//! Opening control connections to one node: bb8-postgres's way, in bounded time and with the
//! node's TLS.

use std::sync::Arc;
use std::time::Duration;

use bb8::ManageConnection;
use bb8_postgres::PostgresConnectionManager;
use herd_wire::connect::{Endpoint, NodeAddress};
use herd_wire::tls::TlsToNode;
use parking_lot::Mutex;
use tokio::time::timeout;
use tokio_postgres::config::SslMode;
use tokio_postgres::{Client, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::ControlError;

/// From the first packet to the end of the login.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// For one address of a name, so that one that does not answer leaves time for the next.
const ADDRESS_TIMEOUT: Duration = Duration::from_secs(2);
const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_PROBES: u32 = 6;

/// bb8-postgres's manager bounds neither the handshake nor the login: a node that accepts and says
/// nothing would keep the places of the pool for ever.
#[derive(Clone, Debug)]
pub(super) struct NodeManager {
    endpoint: Endpoint,
    postgres: Postgres,
    trouble: Arc<Mutex<Option<String>>>,
}

#[derive(Clone, Debug)]
enum Postgres {
    Plain(PostgresConnectionManager<NoTls>),
    Encrypted(PostgresConnectionManager<MakeRustlsConnect>),
}

impl NodeManager {
    /// `login` tells who connects to which database; where and how is the address's to say.
    pub(super) fn new(address: &NodeAddress, mut login: Config) -> NodeManager {
        login
            .connect_timeout(ADDRESS_TIMEOUT)
            .keepalives_idle(KEEPALIVE_IDLE)
            .keepalives_interval(KEEPALIVE_INTERVAL)
            .keepalives_retries(KEEPALIVE_PROBES);
        let tls = match &address.endpoint {
            Endpoint::Tcp { host, port } => {
                login.host(host).port(*port);
                &address.tls
            }
            Endpoint::Unix { directory, port } => {
                login.host_path(directory).port(*port);
                &TlsToNode::Off
            }
        };
        let postgres = match tls {
            TlsToNode::Off => {
                login.ssl_mode(SslMode::Disable);
                Postgres::Plain(PostgresConnectionManager::new(login, NoTls))
            }
            TlsToNode::Required(connector) => {
                login.ssl_mode(SslMode::Require);
                let tls = MakeRustlsConnect::new(connector.config().as_ref().clone());
                Postgres::Encrypted(PostgresConnectionManager::new(login, tls))
            }
        };
        NodeManager { endpoint: address.endpoint.clone(), postgres, trouble: Arc::default() }
    }

    /// Why the last attempt to connect failed, if it did.
    pub(super) fn trouble(&self) -> Option<String> {
        self.trouble.lock().clone()
    }

    async fn open(&self) -> Result<Client, ControlError> {
        let opened = match &self.postgres {
            Postgres::Plain(manager) => timeout(CONNECT_TIMEOUT, manager.connect()).await,
            Postgres::Encrypted(manager) => timeout(CONNECT_TIMEOUT, manager.connect()).await,
        };
        let endpoint = || self.endpoint.to_string();
        opened
            .map_err(|_| ControlError::NoAnswer { endpoint: endpoint() })?
            .map_err(|source| ControlError::Connect { endpoint: endpoint(), source })
    }
}

impl ManageConnection for NodeManager {
    type Connection = Client;
    type Error = ControlError;

    async fn connect(&self) -> Result<Client, ControlError> {
        let opened = self.open().await;
        *self.trouble.lock() = opened.as_ref().err().map(ToString::to_string);
        opened
    }

    async fn is_valid(&self, client: &mut Client) -> Result<(), ControlError> {
        Ok(match &self.postgres {
            Postgres::Plain(manager) => manager.is_valid(client).await,
            Postgres::Encrypted(manager) => manager.is_valid(client).await,
        }?)
    }

    fn has_broken(&self, client: &mut Client) -> bool {
        match &self.postgres {
            Postgres::Plain(manager) => manager.has_broken(client),
            Postgres::Encrypted(manager) => manager.has_broken(client),
        }
    }
}
