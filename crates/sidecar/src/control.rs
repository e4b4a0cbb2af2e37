//! Connections of the control account, a few for each node.

use std::collections::BTreeMap;
use std::time::Duration;

use bb8::Pool;
use bb8_postgres::PostgresConnectionManager;
use herd_catalog::{Catalog, Node};
use herd_config::Auth;
use herd_types::{ClientError, NodeId, SqlState};
use parking_lot::RwLock;
use thiserror::Error;
use tokio_postgres::NoTls;

/// Control connections to one node.
const CONNECTIONS_MAX: u32 = 4;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Every statement of the control plane names what it means in full.
const SESSION_OPTIONS: &str = "-c search_path=pg_catalog,pg_temp -c jit=off";
const APPLICATION_NAME: &str = "herd control";

type Manager = PostgresConnectionManager<NoTls>;

#[derive(Debug, Error)]
pub enum ControlError {
    #[error("node \"{0}\" is not part of the herd")]
    UnknownNode(NodeId),
    #[error("the control account cannot reach node \"{node}\": {reason}")]
    Unreachable { node: String, reason: String },
    #[error(transparent)]
    Statement(#[from] tokio_postgres::Error),
}

impl ControlError {
    #[must_use]
    pub fn sqlstate(&self) -> SqlState {
        match self {
            ControlError::UnknownNode(_) => SqlState::CONNECTION_DOES_NOT_EXIST,
            ControlError::Unreachable { .. } => SqlState::CONNECTION_FAILURE,
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

/// One small pool for each node.
#[derive(Debug)]
pub struct ControlPools {
    pools: RwLock<BTreeMap<NodeId, (String, Pool<Manager>)>>,
    configs: RwLock<BTreeMap<NodeId, tokio_postgres::Config>>,
    auth: Auth,
}

impl ControlPools {
    #[must_use]
    pub fn new(catalog: &Catalog, auth: Auth) -> ControlPools {
        let pools = ControlPools { pools: RwLock::default(), configs: RwLock::default(), auth };
        for node in catalog.nodes() {
            pools.set_node(node);
        }
        pools
    }

    /// Adds a node, or tells where it is now.
    pub fn set_node(&self, node: &Node) {
        let mut config = tokio_postgres::Config::new();
        config
            .host(&node.host)
            .port(node.port)
            .user(&self.auth.control_user)
            .dbname(&self.auth.control_database)
            .application_name(APPLICATION_NAME)
            .options(SESSION_OPTIONS)
            .connect_timeout(CONNECT_TIMEOUT);
        if let Some(password) = &self.auth.control_password {
            config.password(password.reveal());
        }
        let pool = Pool::builder()
            .max_size(CONNECTIONS_MAX)
            .connection_timeout(CONNECT_TIMEOUT)
            .build_unchecked(PostgresConnectionManager::new(config.clone(), NoTls));
        self.configs.write().insert(node.id, config);
        self.pools.write().insert(node.id, (node.name.clone(), pool));
    }

    /// The pool of a node, to be asked for a connection.
    pub fn pool(&self, node: NodeId) -> Result<(String, Pool<Manager>), ControlError> {
        self.pools.read().get(&node).cloned().ok_or(ControlError::UnknownNode(node))
    }

    pub fn nodes(&self) -> Vec<NodeId> {
        self.pools.read().keys().copied().collect()
    }

    /// A connection of its own to another database than the control account's; it ends when it is
    /// dropped.
    pub async fn connect(
        &self,
        node: NodeId,
        database: &str,
    ) -> Result<tokio_postgres::Client, ControlError> {
        let config = self.configs.read().get(&node).cloned();
        let mut config = config.ok_or(ControlError::UnknownNode(node))?;
        let (client, connection) = config.dbname(database).connect(NoTls).await?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%node, %error, "a control connection was lost");
            }
        });
        Ok(client)
    }

    /// Runs one statement without rows.
    pub async fn execute(&self, node: NodeId, sql: &str) -> Result<(), ControlError> {
        let (name, pool) = self.pool(node)?;
        let connection = pool
            .get()
            .await
            .map_err(|error| ControlError::Unreachable { node: name, reason: error.to_string() })?;
        Ok(connection.batch_execute(sql).await?)
    }

    pub async fn query(
        &self,
        node: NodeId,
        sql: &str,
        parameters: &[&(dyn tokio_postgres::types::ToSql + Sync)],
    ) -> Result<Vec<tokio_postgres::Row>, ControlError> {
        let (name, pool) = self.pool(node)?;
        let connection = pool
            .get()
            .await
            .map_err(|error| ControlError::Unreachable { node: name, reason: error.to_string() })?;
        Ok(connection.query(sql, parameters).await?)
    }
}
