//! Connections of the control account, a few for each node.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bb8::Pool;
use herd_config::Auth;
use herd_types::{ClientError, NodeId, SqlState};
use herd_wire::connect::{ConnectError, NodeAddress, dial};
use parking_lot::{Mutex, RwLock};
use thiserror::Error;
use tokio::time::{Instant, timeout_at};
use tokio_postgres::{Client, NoTls};

/// Control connections to one node.
const CONNECTIONS_MAX: u32 = 4;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Every statement of the control plane names what it means in full.
const SESSION_OPTIONS: &str = "-c search_path=pg_catalog,pg_temp -c jit=off";
const APPLICATION_NAME: &str = "herd control";

#[derive(Debug, Error)]
pub enum ControlError {
    #[error("node \"{0}\" is not part of the herd")]
    UnknownNode(NodeId),
    #[error("the control account cannot reach node \"{node}\": {reason}")]
    Unreachable { node: String, reason: String },
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Statement(#[from] tokio_postgres::Error),
}

impl ControlError {
    #[must_use]
    pub fn sqlstate(&self) -> SqlState {
        match self {
            ControlError::UnknownNode(_) => SqlState::CONNECTION_DOES_NOT_EXIST,
            ControlError::Unreachable { .. } => SqlState::CONNECTION_FAILURE,
            ControlError::Connect(error) => error.sqlstate(),
            ControlError::Statement(error) => error
                .code()
                .and_then(|code| SqlState::from_bytes(code.code().as_bytes()))
                .unwrap_or(SqlState::CONNECTION_FAILURE),
        }
    }

    #[must_use]
    pub fn to_client(&self) -> ClientError {
        ClientError::error(self.sqlstate(), self.to_string())
            .with_hint("Check auth.control_user, and `herd check`.")
    }
}

/// Opens connections of the control account to one node, the way sessions' connections are opened.
#[derive(Clone, Debug)]
struct Way {
    node: NodeId,
    address: NodeAddress,
    login: tokio_postgres::Config,
    /// Why it could not be gone the last time, if so.
    trouble: Arc<Mutex<Option<String>>>,
}

impl Way {
    async fn connect(&self) -> Result<Client, ControlError> {
        let deadline = Instant::now() + CONNECT_TIMEOUT;
        let stream = dial(&self.address, deadline).await?;
        let logged_in = timeout_at(deadline, self.login.connect_raw(stream, NoTls)).await;
        let (client, connection) = logged_in.map_err(|_| ConnectError::TimedOut)??;
        let node = self.node;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%node, %error, "a control connection was lost");
            }
        });
        Ok(client)
    }
}

impl bb8::ManageConnection for Way {
    type Connection = Client;
    type Error = ControlError;

    async fn connect(&self) -> Result<Client, ControlError> {
        let connected = Way::connect(self).await;
        *self.trouble.lock() = connected.as_ref().err().map(ToString::to_string);
        connected
    }

    async fn is_valid(&self, client: &mut Client) -> Result<(), ControlError> {
        Ok(client.check_connection().await?)
    }

    fn has_broken(&self, client: &mut Client) -> bool {
        client.is_closed()
    }
}

/// One small pool for each node.
#[derive(Debug)]
pub struct ControlPools {
    nodes: RwLock<BTreeMap<NodeId, ControlPool>>,
    auth: Auth,
}

#[derive(Clone, Debug)]
struct ControlPool {
    node: String,
    way: Way,
    pool: Pool<Way>,
}

impl ControlPools {
    #[must_use]
    pub fn new(auth: Auth) -> ControlPools {
        ControlPools { nodes: RwLock::default(), auth }
    }

    /// Adds a node, or tells where it is now.
    pub fn set_node(&self, node: NodeId, name: &str, address: NodeAddress) {
        let mut login = tokio_postgres::Config::new();
        login
            .user(&self.auth.control_user)
            .dbname(&self.auth.control_database)
            .application_name(APPLICATION_NAME)
            .options(SESSION_OPTIONS);
        if let Some(password) = &self.auth.control_password {
            login.password(password.reveal());
        }
        let way = Way { node, address, login, trouble: Arc::default() };
        let pool = Pool::builder()
            .max_size(CONNECTIONS_MAX)
            .connection_timeout(CONNECT_TIMEOUT)
            .build_unchecked(way.clone());
        self.nodes.write().insert(node, ControlPool { node: name.to_owned(), way, pool });
    }

    pub fn nodes(&self) -> Vec<NodeId> {
        self.nodes.read().keys().copied().collect()
    }

    /// A connection of its own to another database than the control account's; it ends when it is
    /// dropped.
    pub async fn connect(&self, node: NodeId, database: &str) -> Result<Client, ControlError> {
        let mut way = self.node(node)?.way;
        way.login.dbname(database);
        way.connect().await
    }

    /// Runs one statement without rows.
    pub async fn execute(&self, node: NodeId, sql: &str) -> Result<(), ControlError> {
        let control = self.node(node)?;
        let client = control.pool.get().await.map_err(|error| control.unreachable(&error))?;
        Ok(client.batch_execute(sql).await?)
    }

    pub async fn query(
        &self,
        node: NodeId,
        sql: &str,
        parameters: &[&(dyn tokio_postgres::types::ToSql + Sync)],
    ) -> Result<Vec<tokio_postgres::Row>, ControlError> {
        let control = self.node(node)?;
        let client = control.pool.get().await.map_err(|error| control.unreachable(&error))?;
        Ok(client.query(sql, parameters).await?)
    }

    /// Why no connection could be opened the last time, if so.
    #[must_use]
    pub fn trouble(&self, node: NodeId) -> Option<String> {
        self.nodes.read().get(&node).and_then(ControlPool::trouble)
    }

    fn node(&self, node: NodeId) -> Result<ControlPool, ControlError> {
        self.nodes.read().get(&node).cloned().ok_or(ControlError::UnknownNode(node))
    }
}

impl ControlPool {
    fn unreachable(&self, error: &bb8::RunError<ControlError>) -> ControlError {
        let reason = match error {
            bb8::RunError::User(error) => error.to_string(),
            bb8::RunError::TimedOut => {
                self.trouble().unwrap_or_else(|| "all control connections are busy".to_owned())
            }
        };
        ControlError::Unreachable { node: self.node.clone(), reason }
    }

    fn trouble(&self) -> Option<String> {
        self.way.trouble.lock().clone()
    }
}
