//! Connections of the control account, a few for each node.

mod manager;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::error::Error as _;
use std::iter::successors;

use bb8::{ManageConnection, Pool};
use herd_config::Auth;
use herd_types::{ClientError, NodeId, SqlState};
use herd_wire::connect::NodeAddress;
use parking_lot::RwLock;
use thiserror::Error;
use tokio_postgres::{Client, Config};

use self::manager::{CONNECT_TIMEOUT, NodeManager};

/// Control connections to one node.
const CONNECTIONS_MAX: u32 = 4;
/// Every statement of the control plane names what it means in full.
const SESSION_OPTIONS: &str = "-c search_path=pg_catalog,pg_temp -c jit=off";
const APPLICATION_NAME: &str = "herd control";

#[derive(Debug, Error)]
pub enum ControlError {
    #[error("node \"{0}\" is not part of the herd")]
    UnknownNode(NodeId),
    #[error("the control account cannot reach node \"{node}\": {reason}")]
    Unreachable { node: String, reason: String },
    #[error("cannot connect to {endpoint}: {}", told(source))]
    Connect { endpoint: String, source: tokio_postgres::Error },
    #[error("no answer from {endpoint} in time")]
    NoAnswer { endpoint: String },
    #[error("{}", told(.0))]
    Statement(#[from] tokio_postgres::Error),
}

impl ControlError {
    #[must_use]
    pub fn sqlstate(&self) -> SqlState {
        match self {
            ControlError::UnknownNode(_) => SqlState::CONNECTION_DOES_NOT_EXIST,
            ControlError::Unreachable { .. } | ControlError::NoAnswer { .. } => {
                SqlState::CONNECTION_FAILURE
            }
            ControlError::Connect { source: error, .. } | ControlError::Statement(error) => error
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
    nodes: RwLock<BTreeMap<NodeId, ControlPool>>,
    auth: Auth,
}

#[derive(Clone, Debug)]
struct ControlPool {
    node: String,
    address: NodeAddress,
    manager: NodeManager,
    pool: Pool<NodeManager>,
}

impl ControlPools {
    #[must_use]
    pub fn new(auth: Auth) -> ControlPools {
        ControlPools { nodes: RwLock::default(), auth }
    }

    /// Adds a node, or tells where it is now.
    pub fn set_node(&self, node: NodeId, name: &str, address: NodeAddress) {
        let manager = NodeManager::new(&address, self.login(&self.auth.control_database));
        let pool = Pool::builder()
            .max_size(CONNECTIONS_MAX)
            .connection_timeout(CONNECT_TIMEOUT)
            .build_unchecked(manager.clone());
        let control = ControlPool { node: name.to_owned(), address, manager, pool };
        self.nodes.write().insert(node, control);
    }

    pub fn nodes(&self) -> Vec<NodeId> {
        self.nodes.read().keys().copied().collect()
    }

    /// A connection of its own to another database than the control account's; it ends when it is
    /// dropped.
    pub async fn connect(&self, node: NodeId, database: &str) -> Result<Client, ControlError> {
        let address = self.node(node)?.address;
        NodeManager::new(&address, self.login(database)).connect().await
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
        self.nodes.read().get(&node).and_then(|control| control.manager.trouble())
    }

    fn node(&self, node: NodeId) -> Result<ControlPool, ControlError> {
        self.nodes.read().get(&node).cloned().ok_or(ControlError::UnknownNode(node))
    }

    fn login(&self, database: &str) -> Config {
        let mut login = Config::new();
        login
            .user(&self.auth.control_user)
            .dbname(database)
            .application_name(APPLICATION_NAME)
            .options(SESSION_OPTIONS);
        if let Some(password) = &self.auth.control_password {
            login.password(password.reveal());
        }
        login
    }
}

impl ControlPool {
    fn unreachable(&self, error: &bb8::RunError<ControlError>) -> ControlError {
        let reason = match error {
            bb8::RunError::User(error) => error.to_string(),
            bb8::RunError::TimedOut => self
                .manager
                .trouble()
                .unwrap_or_else(|| "all control connections are busy".to_owned()),
        };
        ControlError::Unreachable { node: self.node.clone(), reason }
    }
}

/// tokio-postgres's errors name their kind alone; what happened is in their sources.
fn told(error: &tokio_postgres::Error) -> String {
    if let Some(error) = error.as_db_error() {
        return error.message().to_owned();
    }
    let causes = successors(error.source(), |&cause| cause.source());
    causes.fold(error.to_string(), |told, cause| format!("{told}: {cause}"))
}
